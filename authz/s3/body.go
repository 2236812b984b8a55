package s3

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/authz/form"
	"github.com/doorward/doorward/iam"
)

// bodyKeys are the condition keys that a body decides: not known while it is
// missing.
var bodyKeys = [...]KeySet{
	DeleteBody:       keys(KeyIfMatch),
	FormBody:         0,
	CreateBucketBody: keys(KeyLocationConstraint, KeyRequestTag, KeyTagKeys),
	TaggingBody:      keys(KeyRequestObjectTag, KeyRequestObjectTagKeys),
	RetentionBody:    retention,
	LegalHoldBody:    keys(KeyLockLegalHold),
	InventoryBody:    keys(KeyInventoryFields),
}

// readBody reads the body if the operation has one that matters. What the body
// decides is not taken from headers.
func (r *Result) readBody(op *row, req *Request) error {
	switch op.body {
	case NoBody:
		return nil
	case DeleteBody:
		r.have &^= fields(field(KeyIfMatch))
	case RetentionBody, LegalHoldBody:
		r.have &^= lockFields
	}
	if op.body == FormBody && req.Form != nil {
		return r.readForm(req.Form)
	}
	body := req.Body
	if !req.HasBody {
		if op.body != CreateBucketBody || r.values[fieldContentLength] != "0" || !r.has(fieldContentLength) {
			r.Missing, r.open = op.body, bodyKeys[op.body]
			return nil
		}
		body = nil
	}
	return r.parseBody(op.body, body)
}

func (r *Result) parseBody(kind Body, body []byte) error {
	switch kind {
	case DeleteBody:
		return r.parseDelete(body)
	case FormBody:
		posted, _, err := form.Read(r.values[fieldContentType], bytes.NewReader(body))
		if err != nil {
			return err
		}
		return r.readForm(posted)
	case CreateBucketBody:
		return r.parseCreateBucket(body)
	case TaggingBody:
		return r.parseTagging(body)
	case RetentionBody:
		return r.parseRetention(body)
	case LegalHoldBody:
		return r.parseLegalHold(body)
	case InventoryBody:
		return r.parseInventory(body)
	}
	return nil
}

// deletion is one object of a multi-object delete.
type deletion struct{ key, versionID, etag string }

const maxDeletions = 1000

func (r *Result) parseDelete(body []byte) error {
	root, err := parseXML(body, "Delete")
	if err != nil {
		return err
	}
	if err := root.allow("Object*", "Quiet"); err != nil {
		return err
	}
	for i := range root.children {
		if root.children[i].name != "Object" {
			continue
		}
		d, err := parseDeletion(&root.children[i])
		if err != nil {
			return err
		}
		r.deletes = append(r.deletes, d)
	}
	if len(r.deletes) == 0 || len(r.deletes) > maxDeletions {
		return iam.Errorf(MalformedXML, "Delete lists %d objects; 1 to %d are allowed", len(r.deletes), maxDeletions)
	}
	return nil
}

func parseDeletion(object *element) (d deletion, err error) {
	if err := object.allow("Key", "VersionId", "ETag", "LastModifiedTime", "Size"); err != nil {
		return d, err
	}
	d.key = object.text("Key")
	d.versionID = object.text("VersionId")
	d.etag = object.text("ETag")
	switch {
	case d.key == "":
		return d, iam.Errorf(MalformedXML, "an Object of Delete has no Key")
	case d.versionID == "" && object.child("VersionId") != nil:
		return d, iam.Errorf(MalformedXML, "an Object of Delete has an empty VersionId")
	}
	return d, checkKey(d.key)
}

// addDeletions adds the needs of a multi-object delete, one group for each
// object of the list, in its order.
func (r *Result) addDeletions(op *row, req *Request) {
	for i, d := range r.deletes {
		p := place{bucket: r.target.bucket, key: d.key, versionID: d.versionID}
		p.resource = r.text.join(arnPrefix, p.bucket, "/", p.key)
		first := len(r.Needs)
		r.addTarget(op, &p, i, req)
		for j := first; j < len(r.Needs); j++ {
			r.Needs[j].etag = d.etag
		}
	}
}

// Limits of tag sets (S3 user guide, object tagging; bucket tagging).
const (
	maxObjectTags = 10
	maxBucketTags = 50
)

func (r *Result) parseTagging(body []byte) error {
	root, err := parseXML(body, "Tagging")
	if err != nil {
		return err
	}
	if err := root.allow("TagSet"); err != nil {
		return err
	}
	set := root.child("TagSet")
	if set == nil {
		return iam.Errorf(MalformedXML, "Tagging has no TagSet")
	}
	if err := r.readTagSet(set); err != nil {
		return err
	}
	return r.setObjectTags()
}

// readTagSet reads the Tag elements of a list.
func (r *Result) readTagSet(set *element) error {
	if err := set.allow("Tag*"); err != nil {
		return err
	}
	for i := range set.children {
		tag := &set.children[i]
		if err := tag.allow("Key", "Value"); err != nil {
			return err
		}
		r.tags = append(r.tags, Tag{tag.text("Key"), tag.text("Value")})
	}
	return nil
}

// parseTaggingHeader reads tags in the syntax of a URL query, + being a space.
func (r *Result) parseTaggingHeader(value string) error {
	if value == "" {
		return nil
	}
	if strings.IndexByte(value, ';') >= 0 {
		return iam.Errorf(InvalidArgument, "x-amz-tagging has an unencoded ;")
	}
	for piece := range strings.SplitSeq(value, "&") {
		if piece == "" {
			continue
		}
		k, v, _ := strings.Cut(strings.ReplaceAll(piece, "+", " "), "=")
		name, ok := r.text.unescape(k)
		val, ok2 := r.text.unescape(v)
		if !ok || !ok2 {
			return iam.Errorf(InvalidArgument, "x-amz-tagging has a malformed percent escape")
		}
		r.tags = append(r.tags, Tag{name, val})
	}
	return r.setObjectTags()
}

func (r *Result) setObjectTags() error {
	return r.setTags(KeyRequestObjectTag, KeyRequestObjectTagKeys, maxObjectTags, func(a, b string) bool { return a == b })
}

// setTags gives the tags read to a family and the list of their names to its
// companion, both left absent if there are none.
func (r *Result) setTags(family, list Key, limit int, same func(a, b string) bool) error {
	if len(r.tags) > limit {
		return iam.Errorf(InvalidTag, "the request has %d tags; the limit is %d", len(r.tags), limit)
	}
	for i, t := range r.tags {
		if t.Name == "" {
			return iam.Errorf(InvalidTag, "a tag has no key")
		}
		for _, earlier := range r.tags[:i] {
			if same(earlier.Name, t.Name) {
				return iam.Errorf(InvalidTag, "tag key %q is given twice", t.Name)
			}
		}
		r.names = append(r.names, t.Name)
	}
	if len(r.tags) > 0 {
		r.have |= fields(field(family), field(list))
	}
	return nil
}

func (r *Result) parseCreateBucket(body []byte) error {
	if len(body) == 0 {
		return nil
	}
	root, err := parseXML(body, "CreateBucketConfiguration")
	if err != nil {
		return err
	}
	if err := root.allow("LocationConstraint", "Location", "Bucket", "Tags"); err != nil {
		return err
	}
	if region := root.text("LocationConstraint"); region != "" {
		r.set(field(KeyLocationConstraint), region)
	}
	if set := root.child("Tags"); set != nil {
		if err := r.readTagSet(set); err != nil {
			return err
		}
	}
	return r.setTags(KeyRequestTag, KeyTagKeys, maxBucketTags, strings.EqualFold)
}

func (r *Result) parseRetention(body []byte) error {
	root, err := parseXML(body, "Retention")
	if err != nil {
		return err
	}
	if err := root.allow("Mode", "RetainUntilDate"); err != nil {
		return err
	}
	r.setText(KeyLockMode, root, "Mode")
	r.setText(KeyLockRetainUntil, root, "RetainUntilDate")
	return nil
}

func (r *Result) parseLegalHold(body []byte) error {
	root, err := parseXML(body, "LegalHold")
	if err != nil {
		return err
	}
	if err := root.allow("Status"); err != nil {
		return err
	}
	r.setText(KeyLockLegalHold, root, "Status")
	return nil
}

// parseInventory reads the optional fields of an inventory configuration, the
// rest of which concerns no condition key.
func (r *Result) parseInventory(body []byte) error {
	root, err := parseXML(body, "InventoryConfiguration")
	if err != nil {
		return err
	}
	for i := range root.children {
		if root.children[i].name != "OptionalFields" {
			continue
		}
		for _, f := range root.children[i].children {
			r.listed = append(r.listed, f.content)
		}
	}
	if len(r.listed) > 0 {
		r.have |= 1 << KeyInventoryFields
	}
	return nil
}

func (r *Result) setText(k Key, root *element, name string) {
	if s := root.text(name); s != "" {
		r.set(field(k), s)
	}
}

func daysUntil(until time.Time, now iam.Time) string {
	const day = 24 * time.Hour
	left := until.Sub(now.Go())
	days := int64(left / day)
	if left > 0 && left%day != 0 {
		days++
	}
	return strconv.FormatInt(days, 10)
}
