package sigv4

import (
	"crypto/sha256"
	"net/http"
	"strconv"

	"github.com/doorward/doorward/authz/head"
)

// Header is one header field as received: the name in any case, the value with
// whatever padding it came with. It is an alias so that a slice of them can be
// shared with other packages.
type Header = struct{ Name, Value string }

// Request is an HTTP request as it came off the wire. Parse and Verify only read
// it; it must stay unchanged for as long as the Credential or Verified made from
// it is in use.
type Request struct {
	Method string
	// Target is the raw request-target of the request line, byte for byte:
	// never decoded, cleaned or re-encoded.
	Target string
	// Headers are all fields in the order received, Host included. Two fields of
	// one name are two entries.
	Headers []Header
	// Fields are what [head.Read] says of Headers, where the caller needs it too;
	// otherwise empty.
	Fields []head.Field
	// Body is the hash of the whole body where the caller has read it already.
	// Services other than S3 need it, since their clients sign a hash that they
	// do not send. For S3 it is optional: if present, it must equal the hash that
	// the request announces.
	Body BodyHash
}

// BodyHash is the SHA-256 of a body, or the zero value: not known.
type BodyHash struct {
	sum   [sha256.Size]byte
	known bool
}

// HashBody returns the hash of a body that is at hand in full.
func HashBody(body []byte) BodyHash { return BodyHash{sum: sha256.Sum256(body), known: true} }

// KnownBody returns a BodyHash from a SHA-256 that somebody else computed.
func KnownBody(sum [sha256.Size]byte) BodyHash { return BodyHash{sum: sum, known: true} }

// FromHTTP describes r as a server of net/http received it, or as a client is
// about to send it, without copying strings. The fields go to buf[:0], which grows if it is too small; pass a
// slice with room for some thirty fields to avoid allocation.
//
// net/http moves Host, Transfer-Encoding and, from clients, Content-Length out of
// the header map; they are put back here. Over HTTP/2 net/http drops an Expect
// field, so a client that signs it there cannot be verified.
func FromHTTP(r *http.Request, buf []Header) Request {
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	headers := append(buf[:0], Header{"Host", host})
	haveLength := false
	for name, values := range r.Header {
		switch name {
		case "Host":
			continue
		case "Content-Length":
			haveLength = true
		}
		for _, value := range values {
			headers = append(headers, Header{name, value})
		}
	}
	if !haveLength && r.ContentLength > 0 {
		headers = append(headers, Header{"Content-Length", strconv.FormatInt(r.ContentLength, 10)})
	}
	for _, coding := range r.TransferEncoding {
		headers = append(headers, Header{"Transfer-Encoding", coding})
	}
	target := r.RequestURI
	if target == "" {
		target = r.URL.RequestURI()
	}
	return Request{Method: r.Method, Target: target, Headers: headers}
}
