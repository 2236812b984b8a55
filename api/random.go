package api

import (
	"encoding/base64"

	"github.com/doorward/doorward/iam"
)

const (
	longTermPrefix = "AKIA"
	sessionPrefix  = "ASIA"
	// base32 is the alphabet of AWS's identifiers.
	base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
)

// newID returns prefix and n random characters of five bits each.
func (c *call) newID(prefix string, n int) string {
	id := []byte(prefix)
	for _, b := range c.server.random(n) {
		id = append(id, base32[b&31])
	}
	return string(id)
}

// newUniqueID returns an identifier of 21 characters that names one entity for
// ever: 85 bits of randomness.
func (c *call) newUniqueID(prefix string) iam.UniqueID { return iam.UniqueID(c.newID(prefix, 17)) }

// newKeyID returns an access key id of 20 characters, as AWS's have.
func (c *call) newKeyID(prefix string) iam.AccessKeyID { return iam.AccessKeyID(c.newID(prefix, 16)) }

// newSecret returns a secret access key: 240 random bits as 40 characters.
func (c *call) newSecret() string { return base64.StdEncoding.EncodeToString(c.server.random(30)) }
