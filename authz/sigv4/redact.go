package sigv4

import (
	"fmt"
	"io"
	"log/slog"
)

// Values that hold a secret, a session token or a signature print as their name
// and scope under every verb, in logs and in JSON.

const redacted = "[redacted]"

// String hides the key.
func (DayKey) String() string { return redacted }

// Format hides the key under every verb.
func (DayKey) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue hides the key.
func (DayKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the key.
func (DayKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// String names the scope and hides the key.
func (k SigningKey) String() string { return "signing key " + k.scope.String() + " " + redacted }

// Format hides the key under every verb.
func (k SigningKey) Format(f fmt.State, _ rune) { io.WriteString(f, k.String()) }

// LogValue hides the key.
func (k SigningKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText hides the key.
func (k SigningKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// String names the scope and hides key and signature.
func (c Chain) String() string { return "chunk chain " + c.key.scope.String() + " " + redacted }

// Format hides key and signature under every verb.
func (c Chain) Format(f fmt.State, _ rune) { io.WriteString(f, c.String()) }

// LogValue hides key and signature.
func (c Chain) LogValue() slog.Value { return slog.StringValue(c.String()) }

// String names form, access key and scope, and hides token and signature.
func (c Credential) String() string {
	return c.kind.String() + " " + c.accessKeyID + " " + c.scope.String()
}

// Format hides token and signature under every verb.
func (c Credential) Format(f fmt.State, _ rune) { io.WriteString(f, c.String()) }

// LogValue hides token and signature.
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }

// String names form, access key and scope, and hides token and signature.
func (v Verified) String() string { return "verified " + v.cred.String() }

// Format hides token and signature under every verb.
func (v Verified) Format(f fmt.State, _ rune) { io.WriteString(f, v.String()) }

// LogValue hides token and signature.
func (v Verified) LogValue() slog.Value { return slog.StringValue(v.String()) }

// String names the access key and hides the rest.
func (c Credentials) String() string { return string(c.AccessKeyID) + " " + redacted }

// Format hides secret and token under every verb.
func (c Credentials) Format(f fmt.State, _ rune) { io.WriteString(f, c.String()) }

// LogValue hides secret and token.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText hides secret and token.
func (c Credentials) MarshalText() ([]byte, error) { return []byte(c.String()), nil }
