package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
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

// How long certificates are good for, those of enrolled members in particular, which
// renew theirs by themselves when a third of the time is left; and how far the clock of whoever checks may
// be behind.
const (
	AuthorityValidity   = 10 * 365 * 24 * time.Hour
	CertificateValidity = 365 * 24 * time.Hour
	EnrolledValidity    = 90 * 24 * time.Hour
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
	c := decodePEM(certificate, "CERTIFICATE")
	if c == nil {
		return nil, errors.New("pki: a PEM certificate is needed")
	}
	parsed, err := x509.ParseCertificate(c)
	if err != nil {
		return nil, fmt.Errorf("pki: %w", err)
	}
	ec, err := parseKey(key)
	if err != nil {
		return nil, err
	}
	if !parsed.IsCA || !ec.PublicKey.Equal(parsed.PublicKey) {
		return nil, errors.New("pki: the private key does not belong to the certificate of an authority")
	}
	return &Authority{parsed, c, ec}, nil
}

// Certificate returns the authority's certificate as PEM. Every member has it.
func (a *Authority) Certificate() []byte { return encodePEM("CERTIFICATE", a.der) }

// Key returns the authority's private key as PEM. It stays with whoever issues
// certificates; no member needs it.
func (a *Authority) Key() ([]byte, error) { return encodeKey(a.key) }

// Identity is what a certificate says of its holder.
type Identity struct {
	Role Role
	Name string
	// Enrolment is the id of the enrolment that let the holder in; empty for one whose
	// certificate was made by hand.
	Enrolment string
	// Hosts are names and addresses under which a client that checks them may reach the
	// member; members themselves check the role and not the host.
	Hosts []string
}

// Issue makes a certificate and its key by hand, both as PEM; see [Identity] for the
// hosts.
func (a *Authority) Issue(role Role, name string, hosts []string, now time.Time) (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("pki: %w", err)
	}
	if certificate, err = a.certify(private.Public(), Identity{Role: role, Name: name, Hosts: hosts}, now); err != nil {
		return nil, nil, err
	}
	key, err = encodeKey(private)
	return certificate, key, err
}

// NewRequest makes a key and a request for its certificate, both as PEM. The request
// proves that whoever sends it has the key, and says nothing of an identity.
func NewRequest() (request, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("pki: %w", err)
	}
	if key, err = encodeKey(private); err != nil {
		return nil, nil, err
	}
	request, err = RequestFor(key)
	return request, key, err
}

// RequestFor makes a request for the certificate of a key that is there already.
func RequestFor(key []byte) ([]byte, error) {
	private, err := parseKey(key)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, private)
	if err != nil {
		return nil, fmt.Errorf("pki: %w", err)
	}
	return encodePEM("CERTIFICATE REQUEST", der), nil
}

// Request is a request that was read and proved to come from the owner of its key.
type Request struct{ csr *x509.CertificateRequest }

// ParseRequest reads a PEM request.
func ParseRequest(text []byte) (Request, error) {
	der := decodePEM(text, "CERTIFICATE REQUEST")
	if der == nil {
		return Request{}, errors.New("pki: a PEM certificate request is needed")
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return Request{}, fmt.Errorf("pki: %w", err)
	}
	if err := csr.CheckSignature(); err != nil {
		return Request{}, fmt.Errorf("pki: certificate request: %w", err)
	}
	if key, ok := csr.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		return Request{}, errors.New("pki: the key of a certificate request has to be one on the curve P-256")
	}
	return Request{csr}, nil
}

// KeyHash returns the SHA-256 of the public key (SubjectPublicKeyInfo).
func (r Request) KeyHash() []byte {
	sum := sha256.Sum256(r.csr.RawSubjectPublicKeyInfo)
	return sum[:]
}

// Sign makes the certificate that is asked for, as PEM, for the identity that the
// authority gives to whoever asks.
func (a *Authority) Sign(r Request, id Identity, now time.Time) ([]byte, error) {
	return a.certify(r.csr.PublicKey, id, now)
}

func (a *Authority) certify(key crypto.PublicKey, id Identity, now time.Time) ([]byte, error) {
	if id.Role != Node && id.Role != Sidecar {
		return nil, fmt.Errorf("pki: role %q is neither %q nor %q", id.Role, Node, Sidecar)
	}
	if id.Name == "" {
		return nil, errors.New("pki: a name is needed")
	}
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: id.Name, SerialNumber: id.Enrolment},
		NotBefore:    now.Add(-backdating),
		NotAfter:     now.Add(CertificateValidity),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		URIs:         []*url.URL{{Scheme: uriScheme, Host: string(id.Role), Path: "/" + id.Name}},
	}
	if id.Enrolment != "" {
		template.NotAfter = now.Add(EnrolledValidity)
	}
	for _, host := range id.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key, a.key)
	if err != nil {
		return nil, fmt.Errorf("pki: %w", err)
	}
	return encodePEM("CERTIFICATE", der), nil
}

// Fingerprint returns the SHA-256 of the authority's certificate in DER, in
// hexadecimal. Whoever knows it can recognise the authority.
func (a *Authority) Fingerprint() string { return fingerprint(a.der) }

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// IdentityOf returns what a certificate that was verified says of its holder.
func IdentityOf(c *x509.Certificate) (Identity, error) {
	role, name, err := RoleOf(c)
	if err != nil {
		return Identity{}, err
	}
	id := Identity{Role: role, Name: name, Enrolment: c.Subject.SerialNumber, Hosts: c.DNSNames}
	for _, ip := range c.IPAddresses {
		id.Hosts = append(id.Hosts, ip.String())
	}
	return id, nil
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

func parseKey(text []byte) (*ecdsa.PrivateKey, error) {
	der := decodePEM(text, "PRIVATE KEY")
	if der == nil {
		return nil, errors.New("pki: a PEM private key (PKCS #8) is needed")
	}
	private, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("pki: the private key is not PKCS #8") // the cause could quote it
	}
	ec, ok := private.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("pki: the private key is not one of an elliptic curve")
	}
	return ec, nil
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
