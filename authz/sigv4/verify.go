package sigv4

import (
	"time"

	"github.com/doorward/doorward/iam"
)

// Verified is an authenticated request. Only the Verify functions of this
// package make one; the zero value is not valid, and whoever decides about a
// request must ask Valid first. It refers to the Request it was made from.
type Verified struct {
	cred Credential
	age  time.Duration
}

// Valid reports whether v came from a successful verification.
func (v *Verified) Valid() bool { return v.cred.kind != 0 }

// Kind returns the form of the credential.
func (v *Verified) Kind() Kind { return v.cred.kind }

// Algorithm returns the signing algorithm; zero for an anonymous request.
func (v *Verified) Algorithm() Algorithm { return v.cred.algorithm }

// Body returns how the body is covered.
func (v *Verified) Body() BodyMode { return v.cred.body }

// AccessKeyID returns the access key id whose key made the signature; empty for
// an anonymous request.
func (v *Verified) AccessKeyID() iam.AccessKeyID { return v.cred.AccessKeyID() }

// Scope returns the scope of the signature.
func (v *Verified) Scope() Scope { return v.cred.scope }

// Token returns the session token text, covered by the signature. Whether it
// belongs to the access key and is still good is for the caller to check.
func (v *Verified) Token() string { return v.cred.token }

// SignedAt returns the signed time.
func (v *Verified) SignedAt() iam.Time { return v.cred.signedAt }

// Age returns how long before now the request was signed (condition key
// s3:signatureAge, there in milliseconds); negative if the client's clock is ahead.
func (v *Verified) Age() time.Duration { return v.age }

// Request returns the request that was verified, the same bytes.
func (v *Verified) Request() *Request { return v.cred.req }

// AuthType returns the value of condition key s3:authType: REST-HEADER,
// REST-QUERY-STRING or POST; empty for an anonymous request.
func (v *Verified) AuthType() string {
	switch v.cred.kind {
	case HeaderSigned, Attested:
		return "REST-HEADER"
	case Presigned:
		return "REST-QUERY-STRING"
	case PostForm:
		return "POST"
	}
	return ""
}
