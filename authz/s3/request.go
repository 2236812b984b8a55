package s3

import (
	"net/netip"

	"github.com/doorward/doorward/authz/form"
	"github.com/doorward/doorward/authz/head"
	"github.com/doorward/doorward/iam"
)

// Header is one header line as received: no trimming, no joining, no change of
// case. It is an alias so that a slice of them can be shared with other packages.
type Header = struct{ Name, Value string }

// Tag is a tag of an object, of a bucket or of a request.
type Tag struct{ Name, Value string }

// Request is what the mapping reads. Strings are not copied: they must stay
// unchanged as long as the Result made from them is in use.
type Request struct {
	// Method is the HTTP method in capitals.
	Method string
	// Target is the raw request-target in origin form ("/b/k?acl"), byte for byte
	// as received.
	Target string
	// Host is the authority the client addressed. If it is empty, the Host header
	// in Headers is used.
	Host string
	// Headers are the header lines in the order received.
	Headers []Header
	// Fields are what [head.Read] says of Headers, where the caller needs it too;
	// otherwise empty.
	Fields []head.Field

	// Secure says that the client's connection to the listener used TLS.
	Secure bool
	// TLSVersion is "1.2" or "1.3", empty if unknown or not Secure.
	TLSVersion string
	// RemoteAddr is the address of the client: the peer of the connection, or what
	// a trusted proxy said. Never a client's own header.
	RemoteAddr netip.Addr
	// Now is the time of the request, for the days that a retention date leaves.
	Now iam.Time

	// Signature is what verifying the request's signature showed.
	Signature Signature

	// HasBody says that Body is the whole body (for a form: at least up to the
	// header lines of its file part), with aws-chunked framing removed. Without it
	// an operation whose needs depend on the body names it in Result.Missing.
	HasBody bool
	Body    []byte
	// Form is a form that the caller has read already; Body is not read then.
	Form *form.Form

	// Stored are the tags of objects that the S3 server has looked up.
	Stored []ObjectTags
}

// Signature is what the verifier of a signature vouches for. The zero Signature
// is that of an anonymous request.
type Signature struct {
	// AuthType is REST-HEADER, REST-QUERY-STRING or POST (s3:authType).
	AuthType string
	// Version is AWS4-HMAC-SHA256 or AWS4-ECDSA-P256-SHA256 (s3:signatureversion).
	Version string
	// Age is the time since the request was signed, in milliseconds
	// (s3:signatureAge).
	Age int64
}

// ObjectTags are the tags of one stored object, named by the decoded key and the
// version id that the request names (empty: the current version). An object that
// does not exist has no tags.
type ObjectTags struct {
	Bucket, Key, VersionID string
	Tags                   []Tag
}
