package token

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/doorward/doorward/iam"
)

// A token before it is written as URL-safe base64 without padding:
//
//	1   version, 1
//	4   key id
//	12  nonce, random
//	8   index      |
//	8   expires    | AES-256-GCM ciphertext
//	n   access key |
//	16  tag
//
// The first 17 bytes are authenticated too. Zero is never a valid version. One key
// is good for 2^32 tokens (NIST SP 800-38D, section 8.3).
const (
	version   = 1
	idSize    = 4
	nonceSize = 12
	header    = 1 + idSize + nonceSize
	fixed     = 16 // index and expires
	tagSize   = 16
	maxKeyID  = 128 // bytes of an access key id

	// MaxLength is the longest token text, in bytes.
	MaxLength = (header + fixed + maxKeyID + tagSize + 2) / 3 * 4
)

// KeySize is the length of a token key in bytes.
const KeySize = 32

// ErrInvalid says that a text is no token of this store: altered, cut, made with a
// key that is not known, or never a token at all. The four are not told apart.
var ErrInvalid = errors.New("token: not a session token of this store")

// Token is what a session token says.
type Token struct {
	Key     iam.AccessKeyID // of the session, ASIA…
	Index   iam.Index       // at which the session began: a view at or past it knows the session, unless it was revoked
	Expires iam.Time
}

type id [idSize]byte

// Keyring makes tokens with its current key and opens tokens of all its keys. It
// is immutable and safe for concurrent use.
type Keyring struct {
	current id
	order   []id // current first
	raw     map[id][KeySize]byte
	aeads   map[id]cipher.AEAD
}

// Deriver gives bytes that are bound to a purpose; *seal.Root is one.
type Deriver interface {
	Derive(purpose string, size int) []byte
}

// NewKeyring derives the token keys of a store. Tokens are made with current;
// those of former roots still open. Two stores that share a root have different
// keys.
func NewKeyring(cluster string, current Deriver, former ...Deriver) (*Keyring, error) {
	var keys [][KeySize]byte
	for _, root := range append([]Deriver{current}, former...) {
		keys = append(keys, [KeySize]byte(root.Derive("token key 1 "+cluster, KeySize)))
	}
	return fromKeys(keys)
}

// Import makes the keyring that another's [Keyring.Export] describes.
func Import(keys [][]byte) (*Keyring, error) {
	fixed := make([][KeySize]byte, len(keys))
	for i, key := range keys {
		if len(key) != KeySize {
			return nil, fmt.Errorf("token: key %d has %d bytes, it must have %d", i+1, len(key), KeySize)
		}
		fixed[i] = [KeySize]byte(key)
	}
	return fromKeys(fixed)
}

func fromKeys(keys [][KeySize]byte) (*Keyring, error) {
	if len(keys) == 0 {
		return nil, errors.New("token: a keyring needs at least one key")
	}
	ring := &Keyring{raw: make(map[id][KeySize]byte), aeads: make(map[id]cipher.AEAD)}
	for _, key := range keys {
		block, err := aes.NewCipher(key[:])
		if err != nil {
			return nil, fmt.Errorf("token: %w", err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, fmt.Errorf("token: %w", err)
		}
		name := idOf(aead)
		ring.raw[name], ring.aeads[name] = key, aead
		ring.order = append(ring.order, name)
	}
	ring.current = ring.order[0]
	return ring, nil
}

// idOf names a key by what it does to an empty text under a nonce that no token
// has (tokens have additional data).
func idOf(aead cipher.AEAD) id {
	return id(aead.Seal(nil, make([]byte, nonceSize), nil, []byte("doorward token key id")))
}

// Export returns the keys, current first, for a sidecar that has to open tokens.
func (k *Keyring) Export() [][]byte {
	out := make([][]byte, 0, len(k.order))
	for _, name := range k.order {
		key := k.raw[name]
		out = append(out, key[:])
	}
	return out
}

// Seal returns the text of t: URL-safe, at most [MaxLength] bytes. It panics if
// the access key id is longer than 128 bytes, which no id of a store is.
func (k *Keyring) Seal(t Token) string {
	if len(t.Key) > maxKeyID {
		panic("token: access key id is too long")
	}
	out := make([]byte, header, header+fixed+len(t.Key)+tagSize)
	out[0] = version
	copy(out[1:], k.current[:])
	rand.Read(out[1+idSize : header])

	plain := make([]byte, 0, fixed+len(t.Key))
	plain = binary.BigEndian.AppendUint64(plain, uint64(t.Index))
	plain = binary.BigEndian.AppendUint64(plain, uint64(t.Expires))
	plain = append(plain, t.Key...)
	out = k.aeads[k.current].Seal(out, out[1+idSize:header], plain, out[:header])
	return base64.RawURLEncoding.EncodeToString(out)
}

// Open returns what a token says. The error is [ErrInvalid] for anything that
// [Keyring.Seal] did not make with one of the ring's keys. Whether the session is
// over is for the caller to see in Expires.
func (k *Keyring) Open(text string) (Token, error) {
	// A token has exactly one spelling: the decoder would pass over line ends, and
	// over unused bits of the last character were it not strict.
	if len(text) > MaxLength || strings.ContainsAny(text, "\r\n") {
		return Token{}, ErrInvalid
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) <= header+fixed+tagSize || raw[0] != version {
		return Token{}, ErrInvalid
	}
	aead, ok := k.aeads[id(raw[1:])]
	if !ok {
		return Token{}, ErrInvalid
	}
	plain, err := aead.Open(nil, raw[1+idSize:header], raw[header:], raw[:header])
	if err != nil {
		return Token{}, ErrInvalid
	}
	return Token{
		Index:   iam.Index(binary.BigEndian.Uint64(plain)),
		Expires: iam.Time(binary.BigEndian.Uint64(plain[8:])),
		Key:     iam.AccessKeyID(plain[fixed:]),
	}, nil
}
