package client

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
)

// sign adds a Signature Version 4 for service to the request, or nothing if the
// client has no credentials.
func (c *Client) sign(request *http.Request, service string, body []byte) error {
	if c.creds.AccessKeyID == "" {
		return nil
	}
	now := time.Now()
	sum := sha256.Sum256(body)
	return sigv4.Sign(request, sigv4.Credentials{
		AccessKeyID: iam.AccessKeyID(c.creds.AccessKeyID),
		Secret:      c.creds.SecretAccessKey,
		Token:       c.creds.SessionToken,
	}, region, sigv4.Service(service), hex.EncodeToString(sum[:]), iam.At(now))
}
