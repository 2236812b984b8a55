package matrix

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/big"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// issuer is an identity provider at the port of https of an address of this host other
// than loopback, which no store would ask.
type issuer struct {
	host       string
	key        ed25519.PrivateKey
	thumbprint string
}

var theIssuer = sync.OnceValues(newIssuer)

// trust has the steps know the identity provider, if there can be one here.
func (s *store) trust(t *testing.T) {
	t.Helper()
	i, err := theIssuer()
	if err != nil {
		t.Logf("NOT TESTED: AssumeRoleWithWebIdentity with a token: there can be no identity provider here: %v", err)
		return
	}
	for name, value := range map[string]string{
		"ISSUER": "https://" + i.host, "HOST": i.host, "THUMBPRINT": i.thumbprint, "GOOD": i.token("good"), "EVIL": i.token("evil"),
	} {
		s.Saved[name] = value
	}
}

func newIssuer() (*issuer, error) {
	address, err := ownAddress()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(address.String(), "443"))
	if err != nil {
		return nil, err
	}
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{address}, NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	if err != nil {
		return nil, err
	}
	sum := sha1.Sum(certificate)
	i := &issuer{host: address.String(), key: key, thumbprint: hex.EncodeToString(sum[:])}
	server := &http.Server{
		Handler:   http.HandlerFunc(i.serve),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}},
	}
	go server.ServeTLS(listener, "", "") // until the process ends
	return i, nil
}

func ownAddress() (net.IP, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	for _, one := range all {
		if network, ok := one.(*net.IPNet); ok && network.IP.To4() != nil && network.IP.IsGlobalUnicast() {
			return network.IP, nil
		}
	}
	return nil, errors.New("the host has no address but loopback")
}

func (i *issuer) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/keys" {
		key := map[string]string{"kty": "OKP", "crv": "Ed25519", "kid": "1", "x": encode(i.key.Public().(ed25519.PublicKey))}
		json.NewEncoder(w).Encode(map[string]any{"keys": []any{key}})
		return
	}
	json.NewEncoder(w).Encode(map[string]string{"issuer": "https://" + i.host, "jwks_uri": "https://" + i.host + "/keys"})
}

func (i *issuer) token(subject string) string {
	claims, _ := json.Marshal(map[string]any{
		"iss": "https://" + i.host, "aud": "app", "sub": subject, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	})
	text := encode([]byte(`{"alg":"EdDSA","kid":"1"}`)) + "." + encode(claims)
	return text + "." + encode(ed25519.Sign(i.key, []byte(text)))
}

func encode(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }
