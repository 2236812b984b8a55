package enrol

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// Token lets one member in. Its secret is in no log and no store: the store has its
// hash.
type Token struct {
	ID        string   // of the enrolment
	Secret    [32]byte // random
	Authority string   // fingerprint of the authority whose nodes are to be believed
}

// A token as text is this prefix and, as URL-safe base64 without padding:
//
//	1   version, 1
//	10  id
//	32  secret
//	32  fingerprint of the authority
const (
	prefix       = "doorward-join-"
	tokenVersion = 1
	idSize       = 10
	tokenSize    = 1 + idSize + 32 + sha256.Size
)

var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewToken makes a token of fresh randomness for the cluster of an authority.
func NewToken(authority string) Token {
	t := Token{Authority: authority}
	id := make([]byte, idSize)
	rand.Read(id)
	rand.Read(t.Secret[:])
	t.ID = idEncoding.EncodeToString(id)
	return t
}

// Hash returns what the store knows of the secret: its SHA-256. The secret has 256
// random bits, so nobody finds it from its hash.
func (t Token) Hash() []byte {
	sum := sha256.Sum256(t.Secret[:])
	return sum[:]
}

// Reveal returns the text that is handed to the host.
func (t Token) Reveal() (string, error) {
	id, err := idEncoding.DecodeString(t.ID)
	if err != nil || len(id) != idSize {
		return "", fmt.Errorf("enrol: %q is not the id of a token", t.ID)
	}
	authority, err := hex.DecodeString(t.Authority)
	if err != nil || len(authority) != sha256.Size {
		return "", fmt.Errorf("enrol: %q is not the fingerprint of an authority", t.Authority)
	}
	raw := append([]byte{tokenVersion}, id...)
	raw = append(append(raw, t.Secret[:]...), authority...)
	return prefix + base64.RawURLEncoding.EncodeToString(raw), nil
}

// ParseToken reads the text of a token. The error does not repeat it.
func ParseToken(text string) (Token, error) {
	body, ok := strings.CutPrefix(strings.TrimSpace(text), prefix)
	if !ok {
		return Token{}, errors.New("enrol: a token begins with " + prefix)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil || len(raw) != tokenSize {
		return Token{}, errors.New("enrol: the token is cut short or was changed; copy all of it")
	}
	if raw[0] != tokenVersion {
		return Token{}, fmt.Errorf("enrol: the token is of version %d, only %d is known", raw[0], tokenVersion)
	}
	t := Token{
		ID:        idEncoding.EncodeToString(raw[1:][:idSize]),
		Authority: hex.EncodeToString(raw[1+idSize+32:]),
	}
	copy(t.Secret[:], raw[1+idSize:])
	return t, nil
}

// String names the token without its secret.
func (t Token) String() string { return "token " + t.ID }

// GoString names the token without its secret.
func (t Token) GoString() string { return t.String() }

// LogValue names the token without its secret.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.ID) }

// MarshalText refuses: a token is shown by [Token.Reveal], on purpose.
func (t Token) MarshalText() ([]byte, error) {
	return nil, errors.New("enrol: a token is not written by accident")
}
