package sigv4

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/doorward/doorward/iam"
)

// Credentials are a client's own keys. Token is empty for a long-term key.
type Credentials struct {
	AccessKeyID iam.AccessKeyID
	Secret      string
	Token       string
}

// UnsignedPayload is the payload of a request whose body the signature does not
// cover.
const UnsignedPayload = unsignedPayload

// HexBody returns the payload to sign for a body.
func HexBody(body []byte) string {
	sum := HashBody(body).sum
	return hex.EncodeToString(sum[:])
}

// Sign signs req as a client does: it sets X-Amz-Date, X-Amz-Security-Token, for S3
// X-Amz-Content-Sha256, and Authorization, over Host, Content-Type and every
// X-Amz-* field that is set. The payload is the hexadecimal SHA-256 of the body,
// or for S3 UnsignedPayload or a STREAMING- word. Nothing that is signed may
// change afterwards.
func Sign(req *http.Request, c Credentials, region string, service Service, payload string, at iam.Time) error {
	date := at.Go().Format(basicISO)
	req.Header.Del("Authorization")
	req.Header.Set("X-Amz-Date", date)
	if c.Token != "" {
		req.Header.Set("X-Amz-Security-Token", c.Token)
	}
	if service == S3 {
		req.Header.Set("X-Amz-Content-Sha256", payload)
	}
	s := signer{req: req, credentials: c, c: Credential{
		kind: HeaderSigned, date: date, payload: payload, query: service != S3,
		scope: Scope{Date: date[:8], Region: region, Service: service},
	}}
	signature, err := s.sign()
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", fmt.Sprintf("%s Credential=%s/%s, SignedHeaders=%s, Signature=%s",
		algorithmHMAC, c.AccessKeyID, s.c.scope, s.c.signedHeaders, signature))
	return nil
}

// Presign turns the URL of req into one that is good from at for expires seconds
// (1 … MaxExpires). Host and the X-Amz-* fields that are set are signed and have to
// be sent with the same values; for S3 the body is not covered, for other
// services it must be empty.
func Presign(req *http.Request, c Credentials, region string, service Service, expires int64, at iam.Time) error {
	date := at.Go().Format(basicISO)
	s := signer{req: req, credentials: c, c: Credential{
		kind: Presigned, date: date, payload: unsignedPayload, query: service != S3,
		scope: Scope{Date: date[:8], Region: region, Service: service},
	}}
	if service != S3 {
		s.c.payload = emptySHA256
	}
	if expires < 1 || expires > MaxExpires {
		return s.c.malformed("X-Amz-Expires must be from 1 to %d seconds", MaxExpires)
	}
	s.headers()
	query := req.URL.RawQuery
	for _, p := range [][2]string{
		{"X-Amz-Algorithm", algorithmHMAC},
		{"X-Amz-Credential", string(c.AccessKeyID) + "/" + s.c.scope.String()},
		{"X-Amz-Date", date},
		{"X-Amz-Expires", itoa(expires)},
		{"X-Amz-Security-Token", c.Token},
		{"X-Amz-SignedHeaders", s.c.signedHeaders},
	} {
		if p[1] != "" {
			query += "&" + p[0] + "=" + encode(p[1])
		}
	}
	req.URL.RawQuery = strings.TrimPrefix(query, "&")
	signature, err := s.sign()
	if err != nil {
		return err
	}
	req.URL.RawQuery += "&X-Amz-Signature=" + signature
	return nil
}

// encode percent-encodes every byte but the unreserved ones.
func encode(s string) string {
	var dst []byte
	for i := 0; i < len(s); i++ {
		dst = appendEncoded(dst, s[i])
	}
	return string(dst)
}

// signer is the working memory of one signature.
type signer struct {
	req         *http.Request
	credentials Credentials
	c           Credential
}

// sign returns the signature of the request as it stands.
func (s *signer) sign() (string, error) {
	req := FromHTTP(s.req, nil)
	if sum, ok := parseSum(s.c.payload); ok {
		req.Body = KnownBody(sum)
	}
	s.c.req = &req
	s.headers()
	if s.c.algorithm = HMACSHA256; s.c.kind == Presigned {
		s.c.signedHeaders = encode(s.c.signedHeaders)
	}
	h := hashers.Get().(*hasher)
	defer h.release()
	path, ok := h.readHead(&req)
	if !ok {
		return "", invalidURI()
	}
	if err := h.canonicalise(&s.c, path); err != nil {
		return "", err
	}
	key := DeriveSigningKey(s.credentials.Secret, s.c.scope)
	h.stringToSign(&s.c)
	h.hmac(&key)
	return hex.EncodeToString(h.mac[:]), nil
}

// headers lists the fields to sign.
func (s *signer) headers() {
	names := []string{"host"}
	for name := range s.req.Header {
		name = strings.ToLower(name)
		if name == "content-type" && s.c.kind == HeaderSigned || strings.HasPrefix(name, "x-amz-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	s.c.signedHeaders = strings.Join(names, ";")
}
