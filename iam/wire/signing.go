package wire

import (
	"fmt"
	"io"

	"github.com/doorward/doorward/iam"
)

// Scope is the credential scope of AWS Signature Version 4: what a signing key is
// good for.
type Scope struct {
	Date    string // YYYYMMDD, UTC
	Region  string // us-east-1
	Service string // s3
}

// SigningKey is the key that signatures of one access key within one scope are
// made with: all of a secret that a sidecar ever gets.
type SigningKey struct {
	AccessKey iam.AccessKeyID
	Scope     Scope
	Key       DerivedKey
}

// DerivedKey is the HMAC key at the end of the SigV4 derivation. Whoever has it
// can sign for its scope, so every ordinary way of printing hides it.
type DerivedKey [32]byte

const redacted = "[redacted]"

// String returns "[redacted]".
func (DerivedKey) String() string { return redacted }

// Format writes "[redacted]" whatever the verb.
func (DerivedKey) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// MarshalText returns "[redacted]"; JSON and structured logs use it.
func (DerivedKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }
