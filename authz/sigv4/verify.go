package sigv4

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/doorward/doorward/iam"
)

// Verified is an authenticated request. Only the Verify functions of this
// package make one; the zero value is not valid, and whoever decides about a
// request must ask Valid first. It refers to the Request it was made from.
type Verified struct {
	cred   Credential
	public *PublicKey // that proved a SigV4A signature, and proves its chunks
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
func (v *Verified) Token() string { return v.cred.Token() }

// SignedAt returns the signed time.
func (v *Verified) SignedAt() iam.Time { return v.cred.signedAt }

// Age returns how long before now the request was signed (condition key
// s3:signatureAge, there in milliseconds); negative if the client's clock is
// ahead, zero for an anonymous request.
func (v *Verified) Age() time.Duration {
	if v.cred.signedAt == 0 {
		return 0
	}
	return time.Duration(v.cred.now-v.cred.signedAt) * time.Millisecond
}

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

// Verify proves the signature with the key of the credential's access key and
// scope. A nil error is the only way to a Verified. The caller has checked that
// the key is active and that the token belongs to it; or it does so before it
// acts on the result.
//
// Beside the signature itself, Host, the date and every x-amz-* header field must
// be signed. A refusal is an *Error; one for a wrong signature tells the client
// the canonical request and string to sign that the server saw.
func (c *Credential) Verify(key *SigningKey) (Verified, error) {
	switch {
	case c.accessKeyID == "":
		return Verified{}, c.Refuse(CredentialNeeded)
	case c.algorithm != HMACSHA256 || key.IsZero() || key.scope != c.scope:
		return Verified{}, c.internal("the signing key is for another scope or algorithm than the request")
	case c.kind == PostForm:
		return c.verifyForm(key)
	}
	h := hashers.Get().(*hasher)
	defer h.release()
	h.stringToSign(c)
	h.hmac(key)
	if !h.matches(c.signature) {
		return Verified{}, h.mismatch(c)
	}
	return c.verified()
}

// Admit turns an anonymous credential into a Verified of kind Anonymous, for
// requests that may be allowed without a caller. Any other kind is refused.
func (c *Credential) Admit() (Verified, error) {
	if c.kind != Anonymous {
		return Verified{}, c.internal("only an anonymous request is admitted without a key")
	}
	c.admitForm()
	return c.verified()
}

// verified is the end of every successful verification: the checks that wait for
// the signature to hold.
func (c *Credential) verified() (Verified, error) {
	if err := c.checkPayload(); err != nil {
		return Verified{}, err
	}
	return Verified{cred: *c}, nil
}

// checkPayload compares the announced hash with that of the body, where the
// caller has it. For a Query service the signature has settled it.
func (c *Credential) checkPayload() error {
	if c.query {
		return nil
	}
	sum, hashed := [sha256.Size]byte{}, true
	if c.body == BodySigned && c.req != nil && c.req.Body.known {
		sum, hashed = parseSum(c.payload)
	}
	switch {
	case c.body == 0 || !hashed:
		return invalidPayload()
	case c.body != BodySigned || c.req == nil || !c.req.Body.known || sum == c.req.Body.sum:
		return nil
	}
	return errorf(XAmzContentSHA256Mismatch, "The provided 'x-amz-content-sha256' header does not match what was computed.").
		with("ClientComputedContentSHA256", c.payload).with("S3ComputedContentSHA256", hex.EncodeToString(c.req.Body.sum[:]))
}

func invalidPayload() *Error {
	return errorf(InvalidArgument, "x-amz-content-sha256 must be %s, a STREAMING- word that S3 documents, or a valid sha256 value.", unsignedPayload)
}

// stringToSign writes the text that the signature is made of.
func (h *hasher) stringToSign(c *Credential) []byte {
	name := algorithmHMAC
	if c.algorithm == ECDSAP256 {
		name = algorithmECDSA
	}
	h.message = append(append(h.message[:0], name...), '\n')
	h.message = append(append(h.message, c.date...), '\n')
	h.message = append(c.scope.append(h.message), '\n')
	h.message = appendHex(h.message, &c.canonical)
	return h.message
}

// canonicalise writes the canonical request and leaves its hash in c. The query
// has been scanned. Source: AWS General Reference, "Create a signed AWS API
// request", create a canonical request.
func (h *hasher) canonicalise(c *Credential, path string) error {
	if !methodToken(c.req.Method) || path != "" && path[0] != '/' {
		return invalidURI()
	}
	dst := append(append(h.canonical[:0], c.req.Method...), '\n')
	if c.query {
		dst = appendPathGeneric(dst, path, c.keepDots)
	} else if dst = appendPathS3(dst, path); dst == nil {
		return invalidURI()
	}
	dst = h.appendQuery(append(dst, '\n'))
	dst, err := h.appendHeaders(append(dst, '\n'), c)
	if err != nil {
		return err
	}
	dst = append(append(append(dst, '\n'), h.names...), '\n')
	if h.canonical, err = c.appendPayload(dst); err != nil {
		return err
	}
	h.sum(&c.canonical)
	return nil
}

// appendPayload appends the payload hash. Clients of the Query services sign a
// hash that they need not send, so there it is always that of the body.
func (c *Credential) appendPayload(dst []byte) ([]byte, error) {
	if !c.query {
		return append(dst, c.payload...), nil
	}
	if !c.req.Body.known {
		return nil, c.internal("the body of a Query request has to be hashed before it is verified")
	}
	return appendHex(dst, &c.req.Body.sum), nil
}

// methodToken reports whether s is an HTTP method: a token, so without line
// breaks that could move the lines of a canonical request.
func methodToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if !tokenByte[toLower(s[i])] {
			return false
		}
	}
	return s != ""
}

// matches compares the computed signature with the one that was sent, in
// constant time.
func (h *hasher) matches(signature string) bool {
	if len(signature) != 2*len(h.mac) {
		return false
	}
	var computed, sent hexDigits
	computed.write(&h.mac)
	copy(sent[:], signature)
	var differ uint64
	for i := 0; i < len(computed); i += 8 {
		differ |= binary.NativeEndian.Uint64(computed[i:]) ^ binary.NativeEndian.Uint64(sent[i:])
	}
	return differ == 0
}

// mismatch says what the server saw, so that the author of a client can compare.
// The canonical request is written once more for that.
func (h *hasher) mismatch(c *Credential) *Error {
	if c.query {
		return errorf(iam.SignatureDoesNotMatch, "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	e := errorf(iam.SignatureDoesNotMatch, "The request signature we calculated does not match the signature you provided. Check your key and signing method.")
	e.with("AWSAccessKeyId", c.accessKeyID).with("StringToSign", string(h.message)).with("SignatureProvided", c.signature)
	if c.kind == HeaderSigned || c.kind == Presigned {
		again := *c
		h.f, h.p = fields{}, params{}
		if path, ok := h.readHead(c.req); ok && h.canonicalise(&again, path) == nil {
			e.with("CanonicalRequest", string(h.canonical))
		}
	}
	return e
}

// internal reports a mistake of the caller, never of the client.
func (c *Credential) internal(text string) *Error {
	code := InternalError
	if c.query {
		code = iam.InternalFailure
	}
	return errorf(code, "We encountered an internal error: %s.", text)
}
