package sigv4

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"github.com/doorward/doorward/iam"
)

// PublicKey is the SigV4A public key of an access key. It verifies on every day
// and in every region, and signs nothing: whoever holds it cannot act for its
// owner.
type PublicKey struct {
	id  iam.AccessKeyID
	key *ecdsa.PublicKey
}

// DerivePublicKey derives the SigV4A key pair of an access key and keeps its
// public half.
func DerivePublicKey(id iam.AccessKeyID, secret string) (*PublicKey, error) {
	private, err := deriveECDSA(id, secret)
	if err != nil {
		return nil, err
	}
	return &PublicKey{id, &private.PublicKey}, nil
}

// ParsePublicKey reads what Bytes has written.
func ParsePublicKey(id iam.AccessKeyID, point []byte) (*PublicKey, error) {
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, err
	}
	return &PublicKey{id, key}, nil
}

// Bytes returns the uncompressed point of SEC 1, 65 bytes.
func (k *PublicKey) Bytes() ([]byte, error) { return k.key.Bytes() }

// orderLess2 is the order of P-256 less two: the greatest candidate that makes a
// private key (FIPS 186-4, appendix B.4.2).
var orderLess2, _ = hex.DecodeString("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc63254f")

// deriveECDSA derives the private key by the counter mode of NIST SP 800-108. The
// loop ends at its first turn but for one secret in four billion.
func deriveECDSA(id iam.AccessKeyID, secret string) (*ecdsa.PrivateKey, error) {
	mac := hmac.New(sha256.New, []byte("AWS4A"+secret))
	for counter := byte(1); counter < 255; counter++ {
		mac.Reset()
		mac.Write([]byte{0, 0, 0, 1})
		mac.Write([]byte(algorithmECDSA))
		mac.Write([]byte{0})
		mac.Write([]byte(id))
		mac.Write([]byte{counter, 0, 0, 1, 0})
		candidate := mac.Sum(nil)
		if bytes.Compare(candidate, orderLess2) > 0 {
			continue
		}
		for i := len(candidate) - 1; i >= 0; i-- { // plus one
			if candidate[i]++; candidate[i] != 0 {
				break
			}
		}
		if _, err := ecdh.P256().NewPrivateKey(candidate); err != nil {
			return nil, err
		}
		return ecdsa.ParseRawPrivateKey(elliptic.P256(), candidate)
	}
	return nil, errors.New("sigv4: derive SigV4A key: no candidate is below the order of the curve")
}

// VerifyECDSA is Verify for SigV4A. The region set of the request has been checked
// by Parse.
func (c *Credential) VerifyECDSA(key *PublicKey) (Verified, error) {
	switch {
	case c.kind != HeaderSigned && c.kind != Presigned:
		return Verified{}, c.Refuse(CredentialNeeded)
	case c.algorithm != ECDSAP256 || key == nil || key.id != c.AccessKeyID():
		return Verified{}, c.internal("the public key is for another access key or algorithm than the request")
	}
	h := hashers.Get().(*hasher)
	defer h.release()
	if h.stringToSign(c); !key.signed(h.message, c.signature) {
		return Verified{}, h.mismatch(c)
	}
	v, err := c.verified()
	if err == nil {
		v.public = key
	}
	return v, err
}

// maxECDSA is the length of the longest signature of P-256 in DER, in hexadecimal
// digits. Those of chunks are padded to that length with stars.
const maxECDSA = 144

// signed reports whether signature, DER in hexadecimal, is the owner's of message.
func (k *PublicKey) signed(message []byte, signature string) bool {
	var der [maxECDSA / 2]byte
	if len(signature) > maxECDSA || len(signature)%2 != 0 {
		return false
	}
	n, err := hex.Decode(der[:], []byte(signature))
	sum := sha256.Sum256(message)
	return err == nil && ecdsa.VerifyASN1(k.key, sum[:], der[:n])
}
