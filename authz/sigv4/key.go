package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"io"
)

// Scope is a credential scope: the day, region and service that a key is
// derived for. Region is empty for SigV4A, whose keys know no region.
type Scope struct {
	Date    string // YYYYMMDD, UTC
	Region  string
	Service Service
}

// String returns the scope as it is written in a string to sign.
func (s Scope) String() string {
	return string(s.append(nil))
}

// append appends s as String writes it.
func (s *Scope) append(dst []byte) []byte {
	dst = append(append(dst, s.Date...), '/')
	if s.Region != "" {
		dst = append(append(dst, s.Region...), '/')
	}
	dst = append(append(dst, s.Service...), '/')
	return append(dst, terminator...)
}

const terminator = "aws4_request"

// DayKey is the raw signing key of a scope, the last link of the derivation
// chain. It signs for one day, region and service and gives nothing else away.
type DayKey [sha256.Size]byte

// DeriveDayKey derives the day key of a secret access key. Source: AWS General
// Reference, "Create a signed AWS API request", derive a signing key.
func DeriveDayKey(secret string, scope Scope) DayKey {
	sum := func(key []byte, text string) []byte {
		mac := hmac.New(sha256.New, key)
		io.WriteString(mac, text)
		return mac.Sum(nil)
	}
	key := sum([]byte("AWS4"+secret), scope.Date)
	key = sum(key, scope.Region)
	key = sum(key, string(scope.Service))
	return DayKey(sum(key, terminator))
}

// SigningKey is a day key made ready: the HMAC's inner and outer hash states
// after the key block, so that a verification hashes nothing but its message.
// It is immutable, 64 bytes of state and its scope, and safe to share. The zero
// value verifies nothing.
type SigningKey struct {
	inner, outer hashState
	scope        Scope
}

// NewSigningKey prepares a day key for verification within its scope.
func NewSigningKey(key DayKey, scope Scope) SigningKey {
	var pad [sha256.BlockSize]byte
	copy(pad[:], key[:])
	for i := range pad {
		pad[i] ^= 0x36
	}
	inner := stateAfter(&pad)
	for i := range pad {
		pad[i] ^= 0x36 ^ 0x5c
	}
	return SigningKey{inner: inner, outer: stateAfter(&pad), scope: scope}
}

// DeriveSigningKey is NewSigningKey over DeriveDayKey.
func DeriveSigningKey(secret string, scope Scope) SigningKey {
	return NewSigningKey(DeriveDayKey(secret, scope), scope)
}

// Scope returns the scope that the key is good for.
func (k SigningKey) Scope() Scope { return k.scope }

// IsZero reports whether k is the zero value, which verifies nothing.
func (k SigningKey) IsZero() bool { return k.scope.Date == "" }
