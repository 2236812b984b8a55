package sigv4

import (
	"errors"
	"net/http"

	"github.com/doorward/doorward/iam"
)

var errUnbuilt = errors.New("sigv4: refused: this form is not verified by this build")

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

// VerifyECDSA is Verify for SigV4A.
func (c *Credential) VerifyECDSA(key *PublicKey) (Verified, error) { return Verified{}, errUnbuilt }

// PublicKey is the SigV4A public key of an access key.
type PublicKey struct{}

// DerivePublicKey derives the SigV4A key pair of an access key and keeps its
// public half.
func DerivePublicKey(id iam.AccessKeyID, secret string) (*PublicKey, error) { return nil, errUnbuilt }

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
