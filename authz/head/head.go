// Package head knows the header fields of S3 requests by name. [Read] names those of
// a request in one pass, for the signature (authz/sigv4) and for the operation
// (authz/s3) alike.
package head

import "net/textproto"

// Header is one header field as received.
type Header = struct{ Name, Value string }

// Field is a header field that has a name here; zero is any other. Numbers are for
// use in memory only.
type Field uint8

// The fields that decide how a request is verified. Those behind them have names in
// the table only.
const (
	Authorization Field = iota + 1
	ContentLength
	ContentType
	Date
	Host
	ContentSHA256
	AmzDate
	DecodedContentLength
	RegionSet
	SecurityToken
	Trailer

	firstOther
)

// Misspelt is added to the Field of a name that has _ where - belongs: no such field,
// but servers behind CGI-like layers cannot tell the two apart.
const Misspelt Field = 0x80

// names are the names of fields, by Field.
var names = [...]struct{ lower, usual string }{
	Authorization:        {lower: "authorization"},
	ContentLength:        {lower: "content-length"},
	ContentType:          {lower: "content-type"},
	Date:                 {lower: "date"},
	Host:                 {lower: "host"},
	ContentSHA256:        {lower: "x-amz-content-sha256"},
	AmzDate:              {lower: "x-amz-date"},
	DecodedContentLength: {lower: "x-amz-decoded-content-length"},
	RegionSet:            {lower: "x-amz-region-set"},
	SecurityToken:        {lower: "x-amz-security-token"},
	Trailer:              {lower: "x-amz-trailer"},

	// Those that say which operation it is, and what it needs.
	firstOther: {lower: "if-match"},
	{lower: "if-none-match"},
	{lower: "referer"},
	{lower: "user-agent"},
	{lower: "x-amz-acl"},
	{lower: "x-amz-bucket-namespace"},
	{lower: "x-amz-bucket-object-lock-enabled"},
	{lower: "x-amz-bypass-governance-retention"},
	{lower: "x-amz-copy-source"},
	{lower: "x-amz-grant-full-control"},
	{lower: "x-amz-grant-read"},
	{lower: "x-amz-grant-read-acp"},
	{lower: "x-amz-grant-write"},
	{lower: "x-amz-grant-write-acp"},
	{lower: "x-amz-metadata-directive"},
	{lower: "x-amz-object-annotation-directive"},
	{lower: "x-amz-object-lock-event-hold"},
	{lower: "x-amz-object-lock-event-hold-duration-days"},
	{lower: "x-amz-object-lock-legal-hold"},
	{lower: "x-amz-object-lock-mode"},
	{lower: "x-amz-object-lock-retain-until-date"},
	{lower: "x-amz-object-ownership"},
	{lower: "x-amz-server-side-encryption"},
	{lower: "x-amz-server-side-encryption-aws-kms-key-id"},
	{lower: "x-amz-server-side-encryption-customer-algorithm"},
	{lower: "x-amz-storage-class"},
	{lower: "x-amz-tagging"},
	{lower: "x-amz-tagging-directive"},
	{lower: "x-amz-website-redirect-location"},

	// Those that clients sign all day.
	{lower: "accept-encoding"},
	{lower: "amz-sdk-invocation-id"},
	{lower: "amz-sdk-request"},
	{lower: "content-encoding"},
	{lower: "content-md5"},
	{lower: "range"},
	{lower: "x-amz-checksum-crc32"},
	{lower: "x-amz-checksum-crc64nvme"},
	{lower: "x-amz-checksum-mode"},
	{lower: "x-amz-sdk-checksum-algorithm"},
	{lower: "x-amz-user-agent"},
}

// Fields is the number of Fields, zero included: an array of this length can be
// indexed by any that is not Misspelt.
const Fields = len(names)

// Set is a set of fields, one bit each.
type Set uint64

const _ = uint(64 - Fields) // fields fit the set

// SetOf returns the set of the fields in a list.
func SetOf(list ...Field) (s Set) {
	for _, f := range list {
		s |= 1 << f
	}
	return s
}

// Has reports whether f is in the set.
func (s Set) Has(f Field) bool { return s>>f&1 != 0 }

// Amz are the fields whose names begin with x-amz-.
var Amz = func() (s Set) {
	for f := Field(1); int(f) < Fields; f++ {
		if name := names[f].lower; len(name) > 6 && name[:6] == "x-amz-" {
			s |= 1 << f
		}
	}
	return s
}()

// slots is an open hash table of Fields, of the size that a uint8 counts, so that an
// index wraps by itself.
var slots = func() (slots [256]Field) {
	for f := Field(1); int(f) < Fields; f++ {
		n := &names[f]
		n.usual = textproto.CanonicalMIMEHeaderKey(n.lower)
		at := hash(n.lower)
		for slots[at] != 0 {
			at++
		}
		slots[at] = f
	}
	return slots
}()

// hash returns the slot at which a name is looked for first: by its length and two of
// its letters, without the bits in which cases, and _ and -, differ. The factors were
// searched for: with them every name is found at once.
func hash[T string | []byte](name T) uint8 {
	const same = 0x72
	n := len(name)
	return uint8(n)*229 + (name[n-1]|same)*213 + (name[n*3/4]|same)*187
}

// Read appends the fields of headers to dst, one for each.
func Read(dst []Field, headers []Header) []Field {
	for i := range headers {
		dst = append(dst, Of(headers[i].Name))
	}
	return dst
}

// Of returns the field of a name in any case.
func Of(name string) Field {
	if name == "" {
		return 0
	}
	for at := hash(name); slots[at] != 0; at++ {
		f := slots[at]
		n := &names[f]
		if len(name) != len(n.lower) {
			continue
		}
		if name == n.usual || name == n.lower {
			return f
		}
		if same, exact := sameName(name, n.lower); same && exact {
			return f
		} else if same {
			return f | Misspelt
		}
	}
	return 0
}

// Lower returns the field of a name in lower case, and zero for any other spelling.
func Lower(name []byte) Field {
	if len(name) == 0 {
		return 0
	}
	for at := hash(name); slots[at] != 0; at++ {
		if string(name) == names[slots[at]].lower {
			return slots[at]
		}
	}
	return 0
}

func sameName(name, want string) (same, exact bool) {
	exact = true
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c == '_' && want[i] == '-' {
			exact = false
			continue
		}
		if c != want[i] {
			return false, false
		}
	}
	return true, exact
}
