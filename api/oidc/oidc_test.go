package oidc

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// issuer is an identity provider with one key of each kind.
type issuer struct {
	t       testing.TB
	server  *httptest.Server
	rsa     *rsa.PrivateKey
	ecdsa   *ecdsa.PrivateKey
	ed25519 ed25519.PrivateKey
	fetched int
	down    bool
	keys    []map[string]string
}

const issuerURL = "idp.example.com/realm"

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	i := &issuer{t: t}
	i.rsa, _ = rsa.GenerateKey(rand.Reader, 2048)
	i.ecdsa, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	public, private, _ := ed25519.GenerateKey(rand.Reader)
	i.ed25519 = private
	point, _ := i.ecdsa.PublicKey.Bytes()
	i.keys = []map[string]string{
		{"kty": "RSA", "kid": "r", "use": "sig", "n": b64(i.rsa.N.Bytes()), "e": b64(big.NewInt(int64(i.rsa.E)).Bytes())},
		{"kty": "EC", "kid": "e", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])},
		{"kty": "OKP", "kid": "d", "crv": "Ed25519", "x": b64(public)},
		{"kty": "oct", "kid": "o", "k": b64([]byte("shared"))},
	}
	i.server = httptest.NewTLSServer(http.HandlerFunc(i.serve))
	t.Cleanup(i.server.Close)
	return i
}

func (i *issuer) serve(w http.ResponseWriter, r *http.Request) {
	i.fetched++
	switch {
	case i.down:
		http.Error(w, "down", http.StatusServiceUnavailable)
	case r.URL.Path == "/realm/.well-known/openid-configuration":
		json.NewEncoder(w).Encode(map[string]string{"issuer": "https://" + issuerURL, "jwks_uri": "https://idp.example.com/keys"})
	case r.URL.Path == "/keys":
		json.NewEncoder(w).Encode(map[string]any{"keys": i.keys})
	default:
		http.NotFound(w, r)
	}
}

// verifier resolves idp.example.com to the test's server and trusts nothing but
// the thumbprint.
func (i *issuer) verifier() *Verifier {
	return &Verifier{Roots: x509.NewCertPool(), Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, i.server.Listener.Addr().String())
	}}
}

func (i *issuer) trusted() Issuer {
	return Issuer{URL: issuerURL, Thumbprints: []string{thumbprint(i.server.Certificate())}}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// sign makes a token; header and claims are JSON.
func (i *issuer) sign(header, claims string) string {
	text := b64([]byte(header)) + "." + b64([]byte(claims))
	digest := sha256.Sum256([]byte(text))
	var signature []byte
	switch {
	case strings.Contains(header, "RS256"):
		signature, _ = rsa.SignPKCS1v15(nil, i.rsa, crypto.SHA256, digest[:])
	case strings.Contains(header, "PS256"):
		signature, _ = rsa.SignPSS(rand.Reader, i.rsa, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	case strings.Contains(header, "ES256"):
		r, s, _ := ecdsa.Sign(rand.Reader, i.ecdsa, digest[:])
		signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	case strings.Contains(header, "EdDSA"):
		signature = ed25519.Sign(i.ed25519, []byte(text))
	case strings.Contains(header, "HS256"):
		mac := hmac.New(sha256.New, i.rsa.N.Bytes())
		mac.Write([]byte(text))
		signature = mac.Sum(nil)
	}
	return text + "." + b64(signature)
}

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func claims(expires, issued time.Time, more string) string {
	return fmt.Sprintf(`{"iss":"https://%s","sub":"me","aud":"app","exp":%d,"iat":%d%s}`, issuerURL, expires.Unix(), issued.Unix(), more)
}

func TestWhichTokensAreProved(t *testing.T) {
	i := newIssuer(t)
	good := claims(noon.Add(time.Hour), noon, "")
	for _, row := range []struct {
		name, header, claims string
		want                 error // nil: proved
	}{
		{"RSA, PKCS #1", `{"alg":"RS256","kid":"r"}`, good, nil},
		{"RSA, PSS", `{"alg":"PS256","kid":"r"}`, good, nil},
		{"ECDSA", `{"alg":"ES256","kid":"e"}`, good, nil},
		{"Ed25519", `{"alg":"EdDSA","kid":"d"}`, good, nil},
		{"no key id, so any key", `{"alg":"ES256"}`, good, nil},
		{"the id of another key", `{"alg":"ES256","kid":"r"}`, good, ErrRefused},
		{"an id that there is none of", `{"alg":"RS256","kid":"?"}`, good, ErrRefused},
		{"no signature", `{"alg":"none"}`, good, ErrRefused},
		{"a public key taken for a shared secret", `{"alg":"HS256","kid":"r"}`, good, ErrRefused},
		{"no algorithm", `{"kid":"r"}`, good, ErrRefused},
		{"a critical header", `{"alg":"RS256","crit":["exp"]}`, good, ErrMalformed},
		{"another issuer", `{"alg":"RS256"}`, strings.Replace(good, "idp.", "evil.", 1), ErrRefused},
		{"within the leeway after its end", `{"alg":"RS256"}`, claims(noon.Add(-time.Minute), noon, ""), nil},
		{"no end", `{"alg":"RS256"}`, strings.Replace(good, `"exp"`, `"end"`, 1), ErrRefused},
		{"an end that is text", `{"alg":"RS256"}`, strings.Replace(good, `"exp":`, `"exp":"9999999999","x":`, 1), ErrRefused},
		{"no beginning", `{"alg":"RS256"}`, strings.Replace(good, `"iat"`, `"at"`, 1), ErrRefused},
		{"from the future", `{"alg":"RS256"}`, claims(noon.Add(time.Hour), noon.Add(10*time.Minute), ""), ErrRefused},
		{"not valid yet", `{"alg":"RS256"}`, claims(noon.Add(time.Hour), noon, fmt.Sprintf(`,"nbf":%d`, noon.Add(time.Hour).Unix())), ErrRefused},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := verify(i.verifier(), i.sign(row.header, row.claims), i.trusted())
			if !errors.Is(err, row.want) {
				t.Errorf("%v, want %v", err, row.want)
			}
		})
	}
	var expired *ExpiredError
	if err := verify(i.verifier(), i.sign(`{"alg":"RS256"}`, claims(noon.Add(-time.Hour), noon, "")), i.trusted()); !errors.As(err, &expired) {
		t.Errorf("an expired token: %v", err)
	}
	token := i.sign(`{"alg":"RS256"}`, good)
	other := i.sign(`{"alg":"RS256"}`, strings.Replace(good, "me", "you", 1))
	swapped := other[:strings.LastIndex(other, ".")] + token[strings.LastIndex(token, "."):]
	if err := verify(i.verifier(), swapped, i.trusted()); !errors.Is(err, ErrRefused) {
		t.Errorf("claims under another token's signature: %v", err)
	}
}

func verify(v *Verifier, text string, from Issuer) error {
	token, err := Parse(text)
	if err != nil {
		return err
	}
	return v.Verify(context.Background(), token, from, noon)
}

func TestACertificateThatNobodyVouchesForIsRefused(t *testing.T) {
	i := newIssuer(t)
	token := i.sign(`{"alg":"RS256"}`, claims(noon.Add(time.Hour), noon, ""))
	wrong := Issuer{URL: issuerURL, Thumbprints: []string{strings.Repeat("0", 40)}}
	if err := verify(i.verifier(), token, wrong); !errors.Is(err, ErrUnreachable) {
		t.Errorf("%v, want %v", err, ErrUnreachable)
	}
	if got, err := i.verifier().Thumbprint(context.Background(), issuerURL); err != nil || got != i.trusted().Thumbprints[0] {
		t.Errorf("thumbprint %s, %v", got, err)
	}
}

func TestTokensWithUnknownKeysDoNotFloodTheIssuer(t *testing.T) {
	i := newIssuer(t)
	v := i.verifier()
	good := claims(noon.Add(time.Hour), noon, "")
	for n := range 20 {
		verify(v, i.sign(fmt.Sprintf(`{"alg":"RS256","kid":"%d"}`, n), good), i.trusted())
	}
	if i.fetched > 2 {
		t.Errorf("%d documents were fetched", i.fetched)
	}
	i.down = true
	if err := verify(v, i.sign(`{"alg":"RS256","kid":"r"}`, good), i.trusted()); err != nil {
		t.Errorf("with the issuer down, the keys at hand: %v", err)
	}
}

func TestAddressesOfTheHostAreRefused(t *testing.T) {
	for address, refused := range map[string]bool{
		"127.0.0.1:443": true, "[::1]:443": true, "169.254.169.254:443": true, "[fe80::1]:443": true, "0.0.0.0:443": true,
		"[::ffff:127.0.0.1]:443": true, "10.0.0.5:443": false, "192.0.2.1:443": false,
	} {
		if err := refuseLocal(address); (err != nil) != refused {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4IiwiYXVkIjpbImEiLDEsdHJ1ZV19.")
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := Parse(text)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("Parse(%q): %v", text, err)
			}
			return
		}
		for claim := range token.Claims {
			token.Text(claim)
			token.Texts(claim)
		}
		token.checkTimes(noon)
		token.signedBy(nil)
	})
}
