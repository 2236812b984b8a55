package s3

import "net/netip"

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

// Need is one action that has to be allowed on one resource.
type Need struct {
	Action Action
	// Resource is an ARN with the decoded key, or "*" for ListAllMyBuckets. It is
	// literal text: a * in it is a character of the key.
	Resource string
	// Bucket and Key are the parts of Resource; Key is empty for a bucket action.
	Bucket, Key string
	// Group numbers the decisions of an Each evaluation from 0; needs of one group
	// are next to each other. It is 0 throughout in an All evaluation.
	Group int
	// IfSourceTagged marks a need that counts only if the copied object has tags,
	// which the S3 server knows (Request.Stored). If the need would be denied and
	// the tags are not known, the decision is open.
	IfSourceTagged bool
	// Unknown are the condition keys of this need whose value the request does not
	// tell and the S3 server or the body would: a decision that depends on one is
	// open, not made.
	Unknown KeySet

	versionID string
	ifMatch   string
	hasMatch  bool
	stored    []Tag
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

// Result is what a request is and what it has to be allowed. It is made to be
// used again: strings in it are good until the next call of Map with it.
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
	// Needs is never to be read as an allow when it is empty: then the body is
	// missing, or the operation (CORSPreflight) is none that IAM decides.
	Needs []Need
	// Missing is the body without which needs (DeleteBody, FormBody) or condition
	// keys (the others, see Need.Unknown) are not known.
	Missing Body

	// SourceIP is the typed value of aws:SourceIp, invalid if not known.
	SourceIP netip.Addr
	// SignatureAge is the typed value of s3:signatureAge, in milliseconds.
	SignatureAge int64

	present     KeySet
	values      [numKeys]string
	requestTags []Tag
	tagKeys     []string
	fields      []string
	buf         []byte
}

// Presence says whether a condition key has a value.
type Presence uint8

const (
	// Absent: the request gives no value.
	Absent Presence = iota
	// Single: Text is the one value.
	Single
	// Many: List are the values of a multivalued key, at least one.
	Many
	// Spellings: List are spellings of one value; an operator holds if it holds for
	// one of them, and its negation if it holds for none of them.
	Spellings
	// Unknown: there may be a value, see Need.Unknown.
	Unknown
)

// Value is the value of a condition key.
type Value struct {
	Presence Presence
	Text     string
	List     []string
}

// Lookup returns the value of key k for the need: absent if the need's action
// does not take the key. For a family, tag is the tag's name; tag names compare
// case-sensitively.
func (r *Result) Lookup(n *Need, k Key, tag string) Value {
	return Value{}
}
