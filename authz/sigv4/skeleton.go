package sigv4

import (
	"errors"
	"io"
	"net/http"

	"github.com/doorward/doorward/iam"
)

var errUnbuilt = errors.New("sigv4: refused: this form is not verified by this build")

func (c *Credential) query() bool { return c.scope.Service != S3 }

// Parse reads the credential of req and checks what needs no key: its form,
// scope, date and skew against now. Every refusal is an *Error.
func (r *Rules) Parse(req *Request, now iam.Time) (Credential, error) {
	return Credential{}, errUnbuilt
}

// ParseForm is Parse for a browser form; bucket is the bucket that the request
// addresses.
func (r *Rules) ParseForm(req *Request, form *Form, bucket string, now iam.Time) (Credential, error) {
	return Credential{}, errUnbuilt
}

// ParseStringToSign is Parse for a trusted S3 server that has built the string to
// sign itself.
func (r *Rules) ParseStringToSign(a Attestation, now iam.Time) (Credential, error) {
	return Credential{}, errUnbuilt
}

// Attestation is what a trusted S3 server says about a request whose canonical
// request it has built and whose signed headers it has checked.
type Attestation struct {
	AccessKeyID  iam.AccessKeyID
	Token        string
	StringToSign string
	Signature    string
	// Expires is X-Amz-Expires in seconds for a presigned URL, zero for a header
	// signature.
	Expires int
}

// Verify proves the signature with the key of the credential's access key and
// scope. A nil error is the only way to a Verified.
func (c *Credential) Verify(key *SigningKey) (Verified, error) { return Verified{}, errUnbuilt }

// VerifyECDSA is Verify for SigV4A.
func (c *Credential) VerifyECDSA(key *PublicKey) (Verified, error) { return Verified{}, errUnbuilt }

// Admit turns an anonymous credential into a Verified of kind Anonymous, for
// requests that need no caller. Any other kind is refused.
func (c *Credential) Admit() (Verified, error) { return Verified{}, errUnbuilt }

// PublicKey is the SigV4A public key of an access key.
type PublicKey struct{}

// DerivePublicKey derives the SigV4A key pair of an access key and keeps its
// public half.
func DerivePublicKey(id iam.AccessKeyID, secret string) (*PublicKey, error) { return nil, errUnbuilt }

// Form is a multipart/form-data POST up to its file part.
type Form struct{}

// ReadForm reads the fields of a browser form up to the file part.
func ReadForm(req *Request, body io.Reader) (*Form, error) { return nil, errUnbuilt }

// File returns the content of the file part. It ends with an *Error instead of
// io.EOF unless the length is within the policy's content-length-range.
func (f *Form) File() io.Reader { return nil }

// Body reads the body of a verified request and ends with io.EOF only if
// everything that the request signs or announces about the body holds: hash,
// chunk signatures, length, final chunk, trailers and checksums. Any other end is
// an *Error, and then nothing read so far may be used.
type Body struct{}

// NewBody returns the reader that v's body mode asks for, over the body as it is
// on the wire after transfer decoding. The key is needed for the signed
// streaming modes and may be nil otherwise.
func NewBody(v *Verified, key *SigningKey, body io.Reader) (*Body, error) { return nil, errUnbuilt }

// Read implements io.Reader.
func (b *Body) Read(p []byte) (int, error) { return 0, errUnbuilt }

// Done reports whether the body has been read to its verified end.
func (b *Body) Done() bool { return false }

// Chain checks the signatures of an aws-chunked body whose bytes are hashed
// elsewhere.
type Chain struct{}

// Chain starts the chunk chain of v at its seed signature.
func (v *Verified) Chain(key *SigningKey) (Chain, error) { return Chain{}, errUnbuilt }

// ResumeChain starts a chain after the chunk whose signature is previous (64 hex
// digits).
func ResumeChain(key *SigningKey, signedAt iam.Time, previous string) (Chain, error) {
	return Chain{}, errUnbuilt
}

// Chunk checks the signature of the next chunk, given the SHA-256 of its data.
func (c *Chain) Chunk(sum [32]byte, signature string) error { return errUnbuilt }

// Trailer checks the signature of the trailer, given the SHA-256 of its canonical
// form.
func (c *Chain) Trailer(sum [32]byte, signature string) error { return errUnbuilt }

// Credentials are a client's own keys. Token is empty for a long-term key.
type Credentials struct {
	AccessKeyID iam.AccessKeyID
	Secret      string
	Token       string
}

// Sign adds Authorization, X-Amz-Date and, where needed, X-Amz-Security-Token and
// X-Amz-Content-Sha256 to req. The payload is the hex SHA-256 of the body or
// UNSIGNED-PAYLOAD.
func Sign(req *http.Request, c Credentials, scope Scope, payload string, at iam.Time) error {
	return errUnbuilt
}

// Presign turns the URL of req into a presigned one that is good for expires
// seconds (1 … 604800).
func Presign(req *http.Request, c Credentials, scope Scope, expires int, at iam.Time) error {
	return errUnbuilt
}
