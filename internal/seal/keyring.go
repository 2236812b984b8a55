package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/doorward/doorward/iam"
)

// A sealed secret, from the first byte:
//
//	1   version, 1
//	4   key id
//	12  nonce, random
//	n   AES-256-GCM ciphertext
//	16  tag
//
// The nonce is random, so one key is good for 2^32 secrets (NIST SP 800-38D,
// section 8.3); rotate the root key long before.
const (
	sealVersion = 1
	keyIDSize   = 4
	nonceSize   = 12
	tagSize     = 16
	overhead    = 1 + keyIDSize + nonceSize + tagSize
)

// ErrOpen says that sealed bytes did not open: they were altered, belong to
// another record or store, or no key of the ring sealed them.
var ErrOpen = errors.New("seal: cannot open the sealed secret")

// Record names what a secret belongs to. Sealed bytes moved to another record do
// not open.
type Record struct{ Cluster, Table, Key string }

// additional encodes r so that no two records encode alike.
func (r Record) additional() []byte {
	out := []byte("doorward sealed 1")
	for _, part := range []string{r.Cluster, r.Table, r.Key} {
		out = binary.BigEndian.AppendUint32(out, uint32(len(part)))
		out = append(out, part...)
	}
	return out
}

type keyID [keyIDSize]byte

// Keyring seals with its current key and opens with any of its keys. It is
// immutable and safe for concurrent use.
type Keyring struct {
	current keyID
	keys    map[keyID]cipher.AEAD
}

// NewKeyring derives the sealing keys of current, which seals, and of former
// roots, which only open what they sealed earlier.
func NewKeyring(current *Root, former ...*Root) (*Keyring, error) {
	ring := &Keyring{keys: make(map[keyID]cipher.AEAD, 1+len(former))}
	for i, root := range append([]*Root{current}, former...) {
		id := keyID(root.Derive("seal id 1", keyIDSize))
		if _, double := ring.keys[id]; double {
			return nil, fmt.Errorf("seal: root key %d is given twice (key id %x)", i+1, id)
		}
		block, err := aes.NewCipher(root.Derive("seal key 1", 32))
		if err != nil {
			return nil, fmt.Errorf("seal: %w", err)
		}
		if ring.keys[id], err = cipher.NewGCM(block); err != nil {
			return nil, fmt.Errorf("seal: %w", err)
		}
		if i == 0 {
			ring.current = id
		}
	}
	return ring, nil
}

// Seal encrypts secret for rec under the current key.
func (k *Keyring) Seal(rec Record, secret []byte) iam.Sealed {
	out := make([]byte, 1+keyIDSize+nonceSize, overhead+len(secret))
	out[0] = sealVersion
	copy(out[1:], k.current[:])
	nonce := out[1+keyIDSize:]
	rand.Read(nonce)
	return k.keys[k.current].Seal(out, nonce, secret, rec.additional())
}

// Open decrypts what [Keyring.Seal] made for the same record. The error is
// [ErrOpen] and says which key was missing, never what was inside.
func (k *Keyring) Open(rec Record, sealed iam.Sealed) ([]byte, error) {
	if len(sealed) < overhead {
		return nil, fmt.Errorf("%w: %d bytes are too few", ErrOpen, len(sealed))
	}
	if sealed[0] != sealVersion {
		return nil, fmt.Errorf("%w: version %d is not known, only %d", ErrOpen, sealed[0], sealVersion)
	}
	id := keyID(sealed[1:])
	aead, ok := k.keys[id]
	if !ok {
		return nil, fmt.Errorf("%w: no root key with id %x is loaded", ErrOpen, id)
	}
	nonce, text := sealed[1+keyIDSize:][:nonceSize], sealed[1+keyIDSize+nonceSize:]
	secret, err := aead.Open(nil, nonce, text, rec.additional())
	if err != nil {
		return nil, fmt.Errorf("%w: it was altered or belongs to another record than %s %q", ErrOpen, rec.Table, rec.Key)
	}
	return secret, nil
}

// Stale reports whether sealed was made with a former key, so that it has to be
// sealed again before that key can be forgotten.
func (k *Keyring) Stale(sealed iam.Sealed) bool {
	return len(sealed) < overhead || keyID(sealed[1:]) != k.current
}

// Knows reports whether the ring has the key of an id, current or former.
func (k *Keyring) Knows(id string) bool {
	for known := range k.keys {
		if fmt.Sprintf("%x", known) == id {
			return true
		}
	}
	return false
}

// ID returns the id of the current key as hexadecimal text, for status displays.
func (k *Keyring) ID() string { return fmt.Sprintf("%x", k.current) }
