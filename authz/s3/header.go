package s3

import (
	"strings"

	"github.com/doorward/doorward/authz/head"
	"github.com/doorward/doorward/iam"
)

// field is a value that a request can carry in a header, in a query parameter
// that was a header, in a form field or in its body. Fields that are condition
// keys have the number of their Key; the others follow.
type field uint8

const (
	fieldTagging field = field(numKeys) + iota
	fieldTaggingDirective
	fieldBypassGovernance
	fieldBucketLock
	fieldHost
	fieldContentType
	fieldContentLength

	numFields
)

// fieldSet has one bit for each field; its low bits are a KeySet.
type fieldSet uint64

const _ = uint(64 - numFields) // fields fit the set

func fields(list ...field) fieldSet {
	var s fieldSet
	for _, f := range list {
		s |= 1 << f
	}
	return s
}

// headers are the headers that are read. Everything else in a request's head
// changes neither its operation nor any condition key.
var headers = [...]struct {
	name  string
	field field
}{
	{"host", fieldHost},
	{"content-length", fieldContentLength},
	{"content-type", fieldContentType},
	{"if-match", field(KeyIfMatch)},
	{"if-none-match", field(KeyIfNoneMatch)},
	{"referer", field(KeyReferer)},
	{"user-agent", field(KeyUserAgent)},
	{"x-amz-acl", field(KeyACL)},
	{"x-amz-bucket-namespace", field(KeyBucketNamespace)},
	{"x-amz-bucket-object-lock-enabled", fieldBucketLock},
	{"x-amz-bypass-governance-retention", fieldBypassGovernance},
	{"x-amz-content-sha256", field(KeyContentSHA256)},
	{"x-amz-copy-source", field(KeyCopySource)},
	{"x-amz-grant-full-control", field(KeyGrantFullControl)},
	{"x-amz-grant-read", field(KeyGrantRead)},
	{"x-amz-grant-read-acp", field(KeyGrantReadACP)},
	{"x-amz-grant-write", field(KeyGrantWrite)},
	{"x-amz-grant-write-acp", field(KeyGrantWriteACP)},
	{"x-amz-metadata-directive", field(KeyMetadataDirective)},
	{"x-amz-object-annotation-directive", field(KeyAnnotationDirective)},
	{"x-amz-object-lock-event-hold", field(KeyLockEventHold)},
	{"x-amz-object-lock-event-hold-duration-days", field(KeyLockEventHoldDays)},
	{"x-amz-object-lock-legal-hold", field(KeyLockLegalHold)},
	{"x-amz-object-lock-mode", field(KeyLockMode)},
	{"x-amz-object-lock-retain-until-date", field(KeyLockRetainUntil)},
	{"x-amz-object-ownership", field(KeyObjectOwnership)},
	{"x-amz-server-side-encryption", field(KeySSE)},
	{"x-amz-server-side-encryption-aws-kms-key-id", field(KeySSEKMSKeyID)},
	{"x-amz-server-side-encryption-customer-algorithm", field(KeySSECustomerAlgorithm)},
	{"x-amz-storage-class", field(KeyStorageClass)},
	{"x-amz-tagging", fieldTagging},
	{"x-amz-tagging-directive", fieldTaggingDirective},
	{"x-amz-website-redirect-location", field(KeyWebsiteRedirectLocation)},
}

// headerFields finds the field of a header that is read, zero for any other.
var headerFields = func() (table [head.Fields]field) {
	for _, h := range headers {
		table[head.Of(h.name)] = h.field
	}
	table[0] = 0
	return table
}()

// numSlots is the size of the hash table of parameters: what a uint8 counts, so that
// an index wraps by itself.
const numSlots = 256

// nameHash returns the slot at which a parameter is looked for first. The factors were
// searched for: with them nearly every name is found at once.
func nameHash(name string) uint8 {
	first, last := lowerByte(name[0]), lowerByte(name[len(name)-1])
	return uint8(len(name))*133 + first*49 + last*67
}

// headerField returns the field of a header, zero if it is not read. A name that is
// spelled with _ for - is found but not exact: servers behind CGI-like layers cannot
// tell the two apart.
func headerField(h head.Field) (f field, exact bool) {
	return headerFields[h&^head.Misspelt], h < head.Misspelt
}

// readHeaders takes the values of the headers that are read, given what each is.
func (r *Result) readHeaders(list []Header, names []head.Field) error {
	for i, name := range names {
		f, exact := headerField(name)
		if f == 0 {
			continue
		}
		h := &list[i]
		if !exact {
			return iam.Errorf(InvalidArgument, "header %s is spelled with an underscore", h.Name)
		}
		if err := r.take(f, h.Name, trim(h.Value)); err != nil {
			return err
		}
	}
	return nil
}

// take stores the value of a field. A field that comes twice with two values is
// refused: one server would use the first and another the last.
func (r *Result) take(f field, name, value string) error {
	if r.has(f) && r.values[f] != value {
		return iam.Errorf(InvalidArgument, "%s is given more than once with different values", name)
	}
	r.set(f, value)
	return nil
}

func (r *Result) set(f field, value string) {
	r.have |= 1 << f
	r.values[f] = value
}

func (r *Result) has(f field) bool { return r.have>>f&1 != 0 }

// hasAny reports whether one of the fields is there.
func (r *Result) hasAny(s fieldSet) bool { return r.have&s != 0 }

// on reports whether a field that switches something is there and not "false".
// Only that one value switches it off, so that no server can read a value as
// true that was read as false here.
func (r *Result) on(f field) bool {
	return r.has(f) && r.values[f] != "" && !strings.EqualFold(r.values[f], "false")
}

// trim removes the padding that HTTP allows around a header value.
func trim(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}
