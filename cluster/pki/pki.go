package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"time"
)

// Role is what a certificate lets its holder be.
type Role string

// The roles. A node replicates everything, sealed secrets included; a sidecar
// follows the feed and no more.
const (
	Node    Role = "node"
	Sidecar Role = "sidecar"
)

const uriScheme = "doorward"

// How long certificates are good for, and how far the clock of whoever checks may
// be behind.
const (
	AuthorityValidity   = 10 * 365 * 24 * time.Hour
	CertificateValidity = 365 * 24 * time.Hour
	backdating          = time.Hour
)

// Authority signs the certificates of a cluster.
type Authority struct {
	certificate *x509.Certificate
	der         []byte
	key         *ecdsa.PrivateKey
}

// NewAuthority makes an authority. The name only helps people to tell clusters
// apart.
func NewAuthority(name string, now time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("pki: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: "Doorward " + name},
		NotBefore:    now.Add(-backdating),
		NotAfter:     now.Add(AuthorityValidity),
		KeyUsage:     x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("pki: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("pki: %w", err)
	}
	return &Authority{certificate, der, key}, nil
}

// ParseAuthority reads an authority from its PEM certificate and key.
func ParseAuthority(certificate, key []byte) (*Authority, error) {
	c, k := decodePEM(certificate, "CERTIFICATE"), decodePEM(key, "PRIVATE KEY")
	if c == nil || k == nil {
		return nil, errors.New("pki: a PEM certificate and a PEM private key (PKCS #8) are needed")
	}
	parsed, err := x509.ParseCertificate(c)
	if err != nil {
		return nil, fmt.Errorf("pki: %w", err)
	}
	private, err := x509.ParsePKCS8PrivateKey(k)
	if err != nil {
		return nil, errors.New("pki: the private key is not PKCS #8") // the cause could quote it
	}
	ec, ok := private.(*ecdsa.PrivateKey)
	if !ok || !parsed.IsCA || !ec.PublicKey.Equal(parsed.PublicKey) {
		return nil, errors.New("pki: the private key does not belong to the certificate of an authority")
	}
	return &Authority{parsed, c, ec}, nil
}

// Certificate returns the authority's certificate as PEM. Every member has it.
func (a *Authority) Certificate() []byte { return encodePEM("CERTIFICATE", a.der) }

// Key returns the authority's private key as PEM. It stays with whoever issues
// certificates; no member needs it.
func (a *Authority) Key() ([]byte, error) { return encodeKey(a.key) }

// Issue makes a certificate and its key, both as PEM. Hosts are names and addresses
// under which a client that checks them may reach the member; members themselves
// check the role and not the host.
func (a *Authority) Issue(role Role, name string, hosts []string, now time.Time) (certificate, key []byte, err error) {
	if role != Node && role != Sidecar {
		return nil, nil, fmt.Errorf("pki: role %q is neither %q nor %q", role, Node, Sidecar)
	}
	if name == "" {
		return nil, nil, errors.New("pki: a name is needed")
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("pki: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-backdating),
		NotAfter:     now.Add(CertificateValidity),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		URIs:         []*url.URL{{Scheme: uriScheme, Host: string(role), Path: "/" + name}},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, private.Public(), a.key)
	if err != nil {
		return nil, nil, fmt.Errorf("pki: %w", err)
	}
	key, err = encodeKey(private)
	return encodePEM("CERTIFICATE", der), key, err
}

// RoleOf returns the role and name in a certificate that was verified.
func RoleOf(c *x509.Certificate) (Role, string, error) {
	for _, u := range c.URIs {
		if u.Scheme == uriScheme && len(u.Path) > 1 && (Role(u.Host) == Node || Role(u.Host) == Sidecar) {
			return Role(u.Host), u.Path[1:], nil
		}
	}
	return "", "", fmt.Errorf("pki: certificate of %q has no Doorward role", c.Subject.CommonName)
}

func serial() *big.Int {
	raw := make([]byte, 16)
	rand.Read(raw)
	raw[0] &= 0x7f // positive
	return new(big.Int).SetBytes(raw)
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("pki: %w", err)
	}
	return encodePEM("PRIVATE KEY", der), nil
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func decodePEM(text []byte, kind string) []byte {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != kind {
		return nil
	}
	return block.Bytes
}
