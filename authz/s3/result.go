package s3

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/doorward/doorward/authz/head"
)

// Style is how a request names its bucket.
type Style uint8

// PathStyle has the bucket in the first path segment, VirtualHostStyle in front
// of an endpoint name in Host.
const (
	PathStyle Style = iota + 1
	VirtualHostStyle
)

// Evaluation says how the needs of a request make one decision or several.
type Evaluation uint8

const (
	// All: the request is allowed if every need is.
	All Evaluation = iota + 1
	// Each: needs of one Group make a decision of their own (DeleteObjects: one
	// for each key); one denial does not fail the others.
	Each
)

// Proviso is a fact that a need depends on and that is not known. If the need
// would be denied, the decision is open: ask for the fact, or refuse.
type Proviso uint8

const (
	// Certain: the need counts in any case.
	Certain Proviso = iota
	// IfSourceTagged: it counts if the copied object has tags (Request.Stored).
	IfSourceTagged
	// IfBodyTagged: it counts if the body of CreateBucket, which was not given,
	// has tags.
	IfBodyTagged
)

// Need is one action that has to be allowed on one resource.
type Need struct {
	Action Action
	// If is the fact that the need depends on, if any.
	If Proviso
	// Group numbers the decisions of an Each evaluation from 0; needs of one group
	// are next to each other. It is 0 throughout in an All evaluation.
	Group int
	// Resource is an ARN with the decoded key, or "*" for ListAllMyBuckets. It is
	// literal text: a * in it is a character of the key.
	Resource string
	// Bucket and Key are the parts of Resource; Key is empty for a bucket action.
	// VersionID is the version of Key that is meant, empty for the current one.
	Bucket, Key, VersionID string
	// Unknown are the condition keys of the action whose value is in a body that
	// was not given or is known to the S3 server only. They are not missing: a
	// decision that depends on one is open.
	Unknown KeySet

	etag   string
	stored []Tag
}

// Body is a kind of request body that the needs depend on.
type Body uint8

// The bodies, named by the document that they are.
const (
	NoBody Body = iota
	DeleteBody
	FormBody
	CreateBucketBody
	TaggingBody
	RetentionBody
	LegalHoldBody
	InventoryBody
)

var bodyNames = [...]string{
	NoBody: "", DeleteBody: "Delete", FormBody: "multipart/form-data", CreateBucketBody: "CreateBucketConfiguration",
	TaggingBody: "Tagging", RetentionBody: "Retention", LegalHoldBody: "LegalHold", InventoryBody: "InventoryConfiguration",
}

// String returns the root element of the document, or the media type of the form.
func (b Body) String() string { return bodyNames[b] }

// Result is what a request is and what it has to be allowed. It is made to be
// used again and again, by one goroutine at a time. Strings in it stay good;
// slices and Needs only until the next Map.
type Result struct {
	Operation Operation
	Style     Style
	// Bucket is empty for ListBuckets only. Key is the decoded key, empty for a
	// bucket operation; for PostObject that of the form.
	Bucket, Key string
	// VersionID is the version of Key that the request names, empty if none.
	VersionID string
	// SourceBucket, SourceKey and SourceVersionID are what a copy reads.
	SourceBucket, SourceKey, SourceVersionID string

	Evaluation Evaluation
	// Needs must not be read as an allow when it is empty: then the body that
	// Missing names has not been given, or the operation is a preflight.
	Needs []Need
	// Missing is the body that was not given and without which the needs
	// (DeleteBody, FormBody) or some condition keys (see Need.Unknown) are not known.
	Missing Body

	// SourceIP is the typed value of aws:SourceIp, invalid if not known.
	SourceIP netip.Addr
	// SignatureAge is the typed value of s3:signatureAge, in milliseconds.
	SignatureAge int64

	fields  []head.Field // of the headers, where the caller does not say
	text    text
	target  place
	source  place
	sub     param
	params  uint64 // the parameters seen, one bit each
	open    KeySet
	have    fieldSet
	values  [numFields]string
	tags    []Tag
	names   []string // of tags
	listed  []string // of InventoryAccessibleOptionalFields
	spelled [2]string
	deletes []deletion
}

// reset empties r but for the memory that it uses again.
func (r *Result) reset() {
	r.Operation, r.Style, r.Evaluation, r.Missing = 0, 0, 0, NoBody
	r.Bucket, r.Key, r.VersionID = "", "", ""
	r.SourceBucket, r.SourceKey, r.SourceVersionID = "", "", ""
	r.Needs = r.Needs[:0]
	r.SourceIP, r.SignatureAge = netip.Addr{}, 0
	r.target, r.source = place{}, place{}
	r.sub, r.params, r.open, r.have = plain, 0, 0, 0
	r.tags, r.names, r.listed, r.deletes = r.tags[:0], r.names[:0], r.listed[:0], r.deletes[:0]
}

// Presence says what is known of a condition key.
type Presence uint8

const (
	// Absent: the request gives the key no value, or the action does not take it.
	Absent Presence = iota
	// Single: Text is the one value, which may be empty.
	Single
	// Many: List are the values of a multivalued key, at least one.
	Many
	// Spellings: List are spellings of the one value Text. An operator holds if it
	// holds for one of them, its negation if it holds for none.
	Spellings
	// Open: the value is not known, see Need.Unknown.
	Open
)

// Value is the value of a condition key.
type Value struct {
	Presence Presence
	Text     string
	List     []string
}

// Keys returns the condition keys that have a value for the need, families
// included if one of their tags has one. Open keys are not in it.
func (r *Result) Keys(n *Need) KeySet {
	set := KeySet(r.have) & (1<<numKeys - 1)
	if n.VersionID != "" {
		set |= keys(KeyVersionID)
	}
	if n.etag != "" {
		set |= keys(KeyIfMatch)
	}
	if len(n.stored) > 0 {
		set |= keys(KeyExistingObjectTag)
	}
	return set & n.Action.Keys() &^ n.Unknown
}

// Lookup returns the value of key k for the need. For a family, tag is the name
// of the tag: object tags are told apart by case, aws:RequestTag is not, as AWS
// does.
func (r *Result) Lookup(n *Need, k Key, tag string) Value {
	switch {
	case n.Unknown.Has(k):
		return Value{Presence: Open}
	case !r.Keys(n).Has(k):
		return Value{}
	}
	switch k {
	case KeyVersionID:
		return single(n.VersionID)
	case KeyIfMatch:
		if n.etag != "" {
			return single(n.etag)
		}
	case KeySourceIP:
		return single(r.SourceIP.String())
	case KeySignatureAge:
		return single(strconv.FormatInt(r.SignatureAge, 10))
	case KeyExistingObjectTag, KeyRequestObjectTag, KeyRequestTag:
		return tagValue(r.Tags(n, k), tag, k == KeyRequestTag)
	case KeyRequestObjectTagKeys, KeyTagKeys:
		return Value{Presence: Many, List: r.names}
	case KeyInventoryFields:
		return Value{Presence: Many, List: r.listed}
	case KeyCopySource:
		return Value{Presence: Spellings, Text: r.spelled[0], List: r.spelled[:]}
	}
	return single(r.values[k])
}

// Tags returns all tags of a family for the need: KeyExistingObjectTag,
// KeyRequestObjectTag or KeyRequestTag.
func (r *Result) Tags(n *Need, family Key) []Tag {
	switch {
	case !r.Keys(n).Has(family):
		return nil
	case family == KeyExistingObjectTag:
		return n.stored
	case family == KeyRequestObjectTag, family == KeyRequestTag:
		return r.tags
	}
	return nil
}

func single(s string) Value { return Value{Presence: Single, Text: s} }

func tagValue(tags []Tag, name string, foldCase bool) Value {
	for _, t := range tags {
		if t.Name == name || foldCase && strings.EqualFold(t.Name, name) {
			return single(t.Value)
		}
	}
	return Value{}
}
