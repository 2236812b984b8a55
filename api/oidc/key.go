package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes that algorithms name
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
)

// maxKeys bounds the keys of an issuer that are kept.
const maxKeys = 200

// key is a public key of an issuer.
type key struct {
	id        string
	algorithm string // empty: whatever fits the type
	public    crypto.PublicKey
}

// jwk is a JSON Web Key (RFC 7517, 7518, 8037).
type jwk struct {
	Type      string `json:"kty"`
	Use       string `json:"use"`
	KeyID     string `json:"kid"`
	Algorithm string `json:"alg"`
	Curve     string `json:"crv"`
	N         string `json:"n"`
	E         string `json:"e"`
	X         string `json:"x"`
	Y         string `json:"y"`
}

// parseKeys reads a JSON Web Key Set. Keys for encryption and of unknown types are
// passed over, as RFC 7517 section 5 asks.
func parseKeys(text []byte) ([]key, error) {
	var set struct {
		Keys []jwk `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	var keys []key
	for _, k := range set.Keys {
		if k.Use != "" && k.Use != "sig" {
			continue
		}
		if public, err := k.public(); err == nil {
			keys = append(keys, key{k.KeyID, k.Algorithm, public})
		}
	}
	if len(keys) == 0 || len(keys) > maxKeys {
		return nil, fmt.Errorf("key set: %d usable keys, there must be 1 to %d", len(keys), maxKeys)
	}
	return keys, nil
}

func (k jwk) public() (crypto.PublicKey, error) {
	switch k.Type {
	case "RSA":
		return k.rsa()
	case "EC":
		return k.ecdsa()
	case "OKP":
		x, err := base64.RawURLEncoding.DecodeString(k.X)
		if err != nil || k.Curve != "Ed25519" || len(x) != ed25519.PublicKeySize {
			return nil, errors.New("not an Ed25519 key")
		}
		return ed25519.PublicKey(x), nil
	}
	return nil, fmt.Errorf("key type %q is not known", k.Type)
}

func (k jwk) rsa() (crypto.PublicKey, error) {
	n, err := base64.RawURLEncoding.DecodeString(k.N)
	if err != nil {
		return nil, err
	}
	e, err := base64.RawURLEncoding.DecodeString(k.E)
	if err != nil || len(e) == 0 || len(e) > 4 {
		return nil, errors.New("exponent out of range")
	}
	public := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	if bits := public.N.BitLen(); bits < 2048 || bits > 8192 || public.E < 3 || public.E%2 == 0 {
		return nil, errors.New("RSA key out of range")
	}
	return public, nil
}

var curves = map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}

func (k jwk) ecdsa() (crypto.PublicKey, error) {
	curve, ok := curves[k.Curve]
	if !ok {
		return nil, fmt.Errorf("curve %q is not known", k.Curve)
	}
	x, errX := base64.RawURLEncoding.DecodeString(k.X)
	y, errY := base64.RawURLEncoding.DecodeString(k.Y)
	size := (curve.Params().BitSize + 7) / 8
	if errX != nil || errY != nil || len(x) != size || len(y) != size {
		return nil, errors.New("coordinates of the wrong length")
	}
	return ecdsa.ParseUncompressedPublicKey(curve, append(append([]byte{4}, x...), y...))
}

// algorithms is the allow-list: asymmetric signatures only. "none" and the HMAC
// family, which would take a public key for a secret, are not in it.
var algorithms = map[string]struct {
	hash   crypto.Hash
	verify func(public crypto.PublicKey, hash crypto.Hash, digest, signature []byte) bool
}{
	"RS256": {crypto.SHA256, verifyPKCS1}, "RS384": {crypto.SHA384, verifyPKCS1}, "RS512": {crypto.SHA512, verifyPKCS1},
	"PS256": {crypto.SHA256, verifyPSS}, "PS384": {crypto.SHA384, verifyPSS}, "PS512": {crypto.SHA512, verifyPSS},
	"ES256": {crypto.SHA256, verifyECDSA}, "ES384": {crypto.SHA384, verifyECDSA}, "ES512": {crypto.SHA512, verifyECDSA},
	"EdDSA": {0, verifyEd25519},
}

// ecdsaCurves binds each algorithm to its curve (RFC 7518, section 3.4).
var ecdsaCurves = map[crypto.Hash]elliptic.Curve{
	crypto.SHA256: elliptic.P256(), crypto.SHA384: elliptic.P384(), crypto.SHA512: elliptic.P521(),
}

func verifyPKCS1(public crypto.PublicKey, hash crypto.Hash, digest, signature []byte) bool {
	k, ok := public.(*rsa.PublicKey)
	return ok && rsa.VerifyPKCS1v15(k, hash, digest, signature) == nil
}

func verifyPSS(public crypto.PublicKey, hash crypto.Hash, digest, signature []byte) bool {
	k, ok := public.(*rsa.PublicKey)
	return ok && rsa.VerifyPSS(k, hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
}

func verifyECDSA(public crypto.PublicKey, hash crypto.Hash, digest, signature []byte) bool {
	k, ok := public.(*ecdsa.PublicKey)
	if !ok || k.Curve != ecdsaCurves[hash] {
		return false
	}
	size := (k.Curve.Params().BitSize + 7) / 8
	if len(signature) != 2*size {
		return false
	}
	r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
	return ecdsa.Verify(k, digest, r, s)
}

func verifyEd25519(public crypto.PublicKey, _ crypto.Hash, message, signature []byte) bool {
	k, ok := public.(ed25519.PublicKey)
	return ok && ed25519.Verify(k, message, signature)
}

// signedBy reports whether one of the keys made the token's signature. A token
// that names a key is verified with that key alone.
func (t *Token) signedBy(keys []key) bool {
	algorithm := algorithms[t.algorithm]
	digest := []byte(t.signed)
	if algorithm.hash != 0 {
		h := algorithm.hash.New()
		h.Write(digest)
		digest = h.Sum(nil)
	}
	for _, k := range keys {
		if (t.keyID == "" || k.id == t.keyID) && (k.algorithm == "" || k.algorithm == t.algorithm) &&
			algorithm.verify(k.public, algorithm.hash, digest, t.signature) {
			return true
		}
	}
	return false
}
