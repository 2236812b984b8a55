package sigv4

import (
	"github.com/doorward/doorward/iam"
)

// Kind is the form in which a request carries its credential. A request has
// exactly one; mixed forms are refused.
type Kind uint8

// The closed list of forms. Zero is none of them.
const (
	Anonymous    Kind = iota + 1 // no credential at all
	HeaderSigned                 // Authorization header
	Presigned                    // query parameters
	PostForm                     // fields of a multipart/form-data POST; see ReadForm
	Attested                     // string to sign built by a trusted S3 server
)

// String names the form.
func (k Kind) String() string {
	switch k {
	case Anonymous:
		return "anonymous"
	case HeaderSigned:
		return "header"
	case Presigned:
		return "presigned"
	case PostForm:
		return "form"
	case Attested:
		return "attested"
	}
	return "none"
}

// BodyMode is how the signature covers the body, apart from how the request is
// signed.
type BodyMode uint8

// The closed list of body modes. Zero is none of them.
const (
	BodySigned                BodyMode = iota + 1 // SHA-256 of the body is signed
	BodyUnsigned                                  // UNSIGNED-PAYLOAD, presigned URLs, anonymous requests
	BodyStreaming                                 // STREAMING-AWS4-HMAC-SHA256-PAYLOAD
	BodyStreamingTrailer                          // STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER
	BodyUnsignedTrailer                           // STREAMING-UNSIGNED-PAYLOAD-TRAILER
	BodyStreamingECDSA                            // STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD
	BodyStreamingECDSATrailer                     // STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER
)

// Algorithm is the signing algorithm that a request names.
type Algorithm uint8

// The closed list of algorithms.
const (
	HMACSHA256 Algorithm = iota + 1 // AWS4-HMAC-SHA256
	ECDSAP256                       // AWS4-ECDSA-P256-SHA256 (SigV4A)
)

// Credential is what a request claims, before anything is proved. It holds what
// a caller needs to look the key up, and the hash that the key has to have signed.
type Credential struct {
	req         *Request
	kind        Kind
	algorithm   Algorithm
	body        BodyMode
	keepDots    bool // of Rules.KeepDotSegments
	query       bool // rules and errors are those of the Query services
	dateHeader  bool // the time is that of Date, for want of X-Amz-Date
	accessKeyID string
	scope       Scope
	token       string // in a presigned URL still percent-encoded
	signedAt    iam.Time
	now         iam.Time

	date          string   // YYYYMMDDTHHMMSSZ, as in the string to sign
	signedHeaders string   // in a presigned URL still percent-encoded
	payload       string   // last line of the canonical request
	canonical     [32]byte // SHA-256 of the canonical request
	signature     string

	form *Form
}

// Kind returns the form of the credential.
func (c *Credential) Kind() Kind { return c.kind }

// Algorithm returns the signing algorithm; zero for an anonymous request.
func (c *Credential) Algorithm() Algorithm { return c.algorithm }

// Body returns how the body is covered.
func (c *Credential) Body() BodyMode { return c.body }

// AccessKeyID returns the access key id that the request names; empty for an
// anonymous request.
func (c *Credential) AccessKeyID() iam.AccessKeyID { return iam.AccessKeyID(c.accessKeyID) }

// Scope returns the scope whose key has to be looked up.
func (c *Credential) Scope() Scope { return c.scope }

// Token returns the session token text, empty if there is none. It is not
// proved to belong to the access key: that is for the caller to check, and
// Refuse has the errors. A token in a query is decoded at each call; use
// AppendToken to avoid the allocation.
func (c *Credential) Token() string {
	if c.kind == Presigned {
		return decode(c.token)
	}
	return c.token
}

// AppendToken appends the session token to dst.
func (c *Credential) AppendToken(dst []byte) []byte {
	if c.kind == Presigned {
		return appendDecoded(dst, c.token)
	}
	return append(dst, c.token...)
}

// SignedAt returns the time that the request claims to have been signed at, to
// the second.
func (c *Credential) SignedAt() iam.Time { return c.signedAt }

// dateField is the header field that has to be signed since the time is its.
func (c *Credential) dateField() string {
	if c.dateHeader {
		return "date"
	}
	return "x-amz-date"
}
