package pki

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// ErrOtherAuthority: the certificate of one side of a connection is of an authority that
// the other does not trust. Whoever was away has to become a member anew.
var ErrOtherAuthority = errors.New("the two sides know different authorities: they belong to different clusters, " +
	"or the cluster's authority was replaced while this host was away, and then it has to join anew, with a new token")

// Refused says what it means when the other side has ended a connection because it does
// not accept the certificate that it was shown; other errors it returns as they are.
func Refused(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" && strings.Contains(op.Error(), "unknown certificate authority") {
		return fmt.Errorf("pki: %w: %w", ErrOtherAuthority, err)
	}
	return err
}

// Files are the paths of a member's certificate, its key, and the authority's
// certificate (one or more, while one authority replaces another). They are read
// again when one of them changes, without a restart: new connections then use what
// is in them, and go on using what was if it cannot be read.
type Files struct {
	Certificate, Key, Authority string

	mu     sync.Mutex
	loaded *material
	stamps [3]os.FileInfo
}

type material struct {
	own         tls.Certificate
	pool        *x509.CertPool
	authorities []*x509.Certificate // those that the pool holds
	trust       Trust
}

// Trust is whose certificates a member accepts, and whose it has, by fingerprint.
type Trust struct {
	Authorities []string // sorted; at least one
	Signer      string   // of its own certificate; empty: none of them
}

// The files of a member that keeps its certificate itself, see [FilesIn].
const (
	memberFile    = "member.pem"
	authorityFile = "authority.pem"
)

// FilesIn are the files of a member that keeps its certificate in a directory of its
// own. Certificate and key are one file, so that they are replaced together. Nothing
// has to be there yet: then Check fails with fs.ErrNotExist.
func FilesIn(dir string) *Files {
	member := filepath.Join(dir, memberFile)
	return &Files{Certificate: member, Key: member, Authority: filepath.Join(dir, authorityFile)}
}

// Keep puts a certificate, its key and the authorities to trust, all PEM, into the
// files of [FilesIn], durably. The authorities go first: whoever has the new
// certificate also trusts those who have one like it.
func (f *Files) Keep(certificate, key, authorities []byte) error {
	if f.Certificate != f.Key {
		return errors.New("pki: certificate and key are kept in one file only")
	}
	if err := os.MkdirAll(filepath.Dir(f.Key), 0o700); err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	if err := replaceFile(f.Authority, authorities); err != nil {
		return err
	}
	return replaceFile(f.Key, append(append([]byte(nil), certificate...), key...))
}

// KeepAuthorities replaces the authorities to trust, if they are others.
func (f *Files) KeepAuthorities(authorities []byte) error {
	if text, err := os.ReadFile(f.Authority); err == nil && bytes.Equal(text, authorities) {
		return nil
	}
	return replaceFile(f.Authority, authorities)
}

// replaceFile writes a private file that is either as it was or as it should be,
// whenever the machine stops.
func replaceFile(path string, text []byte) error {
	fresh, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	defer os.Remove(fresh.Name())
	_, err = fresh.Write(text)
	if err = errors.Join(err, fresh.Sync(), fresh.Close()); err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	if err := os.Rename(fresh.Name(), path); err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	defer dir.Close()
	return dir.Sync()
}

// Identity returns who the member is, and when its certificate was made and ends, as
// the files say now.
func (f *Files) Identity() (id Identity, from, until time.Time, err error) {
	m, err := f.read()
	if err != nil {
		return Identity{}, time.Time{}, time.Time{}, err
	}
	id, err = IdentityOf(m.own.Leaf)
	return id, m.own.Leaf.NotBefore, m.own.Leaf.NotAfter, err
}

// Trust returns whose certificates the member accepts, and whose it has.
func (f *Files) Trust() (Trust, error) {
	m, err := f.current()
	if err != nil {
		return Trust{}, err
	}
	return m.trust, nil
}

// SignerOf returns the fingerprint of the authority, of those that the member trusts
// now, that has signed a certificate; empty: none of them.
func (f *Files) SignerOf(c *x509.Certificate) string {
	m, err := f.current()
	if err != nil {
		return ""
	}
	return m.signerOf(c)
}

func (m *material) signerOf(c *x509.Certificate) string {
	for _, a := range m.authorities {
		if c.CheckSignatureFrom(a) == nil {
			return fingerprint(a.Raw)
		}
	}
	return ""
}

// Check reads the files and says what is wrong with them.
func (f *Files) Check() error {
	_, err := f.current()
	return err
}

// current returns what is in the files, or what was when they could be read last.
func (f *Files) current() (*material, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	stamps, err := f.stat()
	if err == nil && f.loaded != nil && unchanged(stamps, f.stamps) {
		return f.loaded, nil
	}
	if err == nil {
		var fresh *material
		if fresh, err = f.read(); err == nil {
			f.loaded, f.stamps = fresh, stamps
		}
	}
	if f.loaded == nil {
		return nil, err
	}
	return f.loaded, nil
}

// unchanged reports whether files are those that they were. Two that replace one another
// within a tick of the clock have the same time.
func unchanged(now, then [3]os.FileInfo) bool {
	for i := range now {
		if !now[i].ModTime().Equal(then[i].ModTime()) || !os.SameFile(now[i], then[i]) {
			return false
		}
	}
	return true
}

func (f *Files) stat() (stamps [3]os.FileInfo, err error) {
	for i, path := range []string{f.Certificate, f.Key, f.Authority} {
		info, err := os.Stat(path)
		if err != nil {
			return stamps, fmt.Errorf("pki: %w", err)
		}
		if mode := info.Mode().Perm(); path == f.Key && mode&0o077 != 0 {
			return stamps, fmt.Errorf("pki: %s has mode %04o, so others can read it: chmod 600 %s", path, mode, path)
		}
		stamps[i] = info
	}
	return stamps, nil
}

func (f *Files) read() (*material, error) {
	own, err := tls.LoadX509KeyPair(f.Certificate, f.Key)
	if err != nil {
		return nil, fmt.Errorf("pki: %s and %s: %w", f.Certificate, f.Key, err)
	}
	text, err := os.ReadFile(f.Authority)
	if err != nil {
		return nil, fmt.Errorf("pki: %w", err)
	}
	m := &material{own: own, pool: x509.NewCertPool()}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		authority, err := x509.ParseCertificate(block.Bytes)
		if err != nil || block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("pki: %s holds something else than PEM certificates", f.Authority)
		}
		m.pool.AddCert(authority)
		m.authorities = append(m.authorities, authority)
		m.trust.Authorities = append(m.trust.Authorities, fingerprint(authority.Raw))
	}
	if len(m.authorities) == 0 {
		return nil, fmt.Errorf("pki: %s holds no PEM certificate", f.Authority)
	}
	slices.Sort(m.trust.Authorities)
	m.trust.Authorities = slices.Compact(m.trust.Authorities)
	m.trust.Signer = m.signerOf(m.own.Leaf)
	return m, nil
}

// Server returns the settings of the accepting side: TLS 1.3, both sides with a
// certificate of the authority, one of these protocols (ALPN).
func (f *Files) Server(protocols []string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: protocols,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			m, err := f.current()
			if err != nil {
				return nil, err
			}
			return &tls.Config{
				MinVersion: tls.VersionTLS13, NextProtos: protocols,
				Certificates: []tls.Certificate{m.own},
				ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: m.pool,
			}, nil
		},
	}
}

// Client returns the settings of the dialling side for one protocol. It accepts
// the certificate of a node, whatever its host name: members move, and who is who
// is settled by their ids.
func (f *Files) Client(protocol string) (*tls.Config, error) {
	m, err := f.current()
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{protocol},
		Certificates:       []tls.Certificate{m.own},
		InsecureSkipVerify: true, // verified below, without the host name
		VerifyConnection: func(s tls.ConnectionState) error {
			return verifyNode(s, m.pool)
		},
	}, nil
}

// Enrolling returns the settings of the accepting side for those who want to become
// members, without a certificate, and for members who want a new one. It shows the
// authorities, so that whoever knows one can recognise it.
func (f *Files) Enrolling(protocol string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{protocol},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			m, err := f.current()
			if err != nil {
				return nil, err
			}
			shown := m.own
			shown.Certificate = [][]byte{m.own.Certificate[0]}
			for _, a := range m.authorities {
				shown.Certificate = append(shown.Certificate, a.Raw)
			}
			return &tls.Config{
				MinVersion: tls.VersionTLS13, NextProtos: []string{protocol},
				Certificates: []tls.Certificate{shown},
				ClientAuth:   tls.VerifyClientCertIfGiven, ClientCAs: m.pool,
			}, nil
		},
	}
}

// Pinned returns the settings of the dialling side for one that has no certificate
// yet and knows the fingerprint of the authority. It accepts a node only, whose
// certificate that authority has signed.
func Pinned(protocol, authority string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{protocol},
		InsecureSkipVerify: true, // verified below, against the fingerprint
		VerifyConnection: func(s tls.ConnectionState) error {
			for _, c := range s.PeerCertificates {
				if c.IsCA && fingerprint(c.Raw) == authority {
					pool := x509.NewCertPool()
					pool.AddCert(c)
					if err := verifyNode(s, pool); !errors.Is(err, ErrOtherAuthority) {
						return err
					}
				}
			}
			return fmt.Errorf("pki: the other side is not of the cluster that is meant, or its authority was replaced: it has no certificate of %s, "+
				"which the token names; ask for a new token", authority)
		},
	}
}

func verifyNode(s tls.ConnectionState, pool *x509.CertPool) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("pki: the other side has no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		between.AddCert(c)
	}
	leaf := s.PeerCertificates[0]
	_, err := leaf.Verify(x509.VerifyOptions{Roots: pool, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	if errors.As(err, new(x509.UnknownAuthorityError)) {
		return fmt.Errorf("pki: %w: %w", ErrOtherAuthority, err)
	}
	if err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	if role, name, err := RoleOf(leaf); err != nil {
		return err
	} else if role != Node {
		return fmt.Errorf("pki: %s %q answers in place of a node", role, name)
	}
	return nil
}
