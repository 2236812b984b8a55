package pki

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Files are the paths of a member's certificate, its key, and the authority's
// certificate (one or more, while one authority replaces another). They are read
// again when one of them changes, without a restart: new connections then use what
// is in them, and go on using what was if it cannot be read.
type Files struct {
	Certificate, Key, Authority string

	mu     sync.Mutex
	loaded *material
	stamps [3]time.Time
}

type material struct {
	own  tls.Certificate
	pool *x509.CertPool
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
	stamps, err := f.times()
	if err == nil && f.loaded != nil && stamps == f.stamps {
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

func (f *Files) times() (stamps [3]time.Time, err error) {
	for i, path := range []string{f.Certificate, f.Key, f.Authority} {
		info, err := os.Stat(path)
		if err != nil {
			return stamps, fmt.Errorf("pki: %w", err)
		}
		if mode := info.Mode().Perm(); path == f.Key && mode&0o077 != 0 {
			return stamps, fmt.Errorf("pki: %s has mode %04o, so others can read it: chmod 600 %s", path, mode, path)
		}
		stamps[i] = info.ModTime()
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
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("pki: %s holds no PEM certificate", f.Authority)
	}
	return &material{own, pool}, nil
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

func verifyNode(s tls.ConnectionState, pool *x509.CertPool) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("pki: the other side has no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		between.AddCert(c)
	}
	leaf := s.PeerCertificates[0]
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	if role, name, err := RoleOf(leaf); err != nil {
		return err
	} else if role != Node {
		return fmt.Errorf("pki: %s %q answers in place of a node", role, name)
	}
	return nil
}
