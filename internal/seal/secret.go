package seal

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a plaintext that every ordinary way of printing hides: formatting
// verbs, structured logs, JSON and text encodings all give "[redacted]".
//
// The bytes are behind a pointer because fmt cannot call the methods of a Secret
// in an unexported field, and then prints what it finds: an address.
type Secret struct{ text *[]byte }

// NewSecret takes text over; the caller does not use it again.
func NewSecret(text []byte) Secret { return Secret{&text} }

// Reveal returns the plaintext itself, not a copy.
func (s Secret) Reveal() []byte {
	if s.text == nil {
		return nil
	}
	return *s.text
}

// Len returns the length of the plaintext in bytes.
func (s Secret) Len() int { return len(s.Reveal()) }

// Wipe overwrites the plaintext. Copies that the runtime made stay untouched.
func (s Secret) Wipe() { clear(s.Reveal()) }

// String returns "[redacted]".
func (s Secret) String() string { return redacted }

// GoString returns "[redacted]".
func (s Secret) GoString() string { return redacted }

// Format writes "[redacted]" whatever the verb, %x and %d included.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue returns "[redacted]".
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON returns "[redacted]" as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// MarshalText returns "[redacted]".
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
