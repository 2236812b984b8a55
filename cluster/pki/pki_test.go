package pki

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAuthoritySurvivesItsFiles(t *testing.T) {
	a, err := NewAuthority("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	key, err := a.Key()
	if err != nil {
		t.Fatal(err)
	}
	b, err := ParseAuthority(a.Certificate(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, private, err := b.Issue(Sidecar, "s3-host-1", []string{"10.0.0.1", "s3.example.com"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(certificate, private)
	if err != nil {
		t.Fatal(err)
	}
	if err := pair.Leaf.CheckSignatureFrom(a.certificate); err != nil {
		t.Error(err)
	}
	if role, name, err := RoleOf(pair.Leaf); err != nil || role != Sidecar || name != "s3-host-1" {
		t.Errorf("role %s, name %s, %v", role, name, err)
	}
	if pair.Leaf.VerifyHostname("s3.example.com") != nil || pair.Leaf.VerifyHostname("10.0.0.1") != nil {
		t.Error("the hosts are missing")
	}
}

func TestRefusals(t *testing.T) {
	a, _ := NewAuthority("a", time.Now())
	b, _ := NewAuthority("b", time.Now())
	foreign, _ := b.Key()
	if _, err := ParseAuthority(a.Certificate(), foreign); err == nil {
		t.Error("the key of another authority is accepted")
	}
	if _, err := ParseAuthority([]byte("x"), []byte("y")); err == nil {
		t.Error("text that is not PEM is accepted")
	}
	if _, _, err := a.Issue("king", "x", nil, time.Now()); err == nil {
		t.Error("an unknown role is issued")
	}
	if _, _, err := a.Issue(Node, "", nil, time.Now()); err == nil {
		t.Error("a certificate without a name is issued")
	}
	if _, _, err := RoleOf(a.certificate); err == nil {
		t.Error("the authority's own certificate has a role")
	}
}

func TestReadableKeyFilesAreRefused(t *testing.T) {
	a, _ := NewAuthority("a", time.Now())
	certificate, key, _ := a.Issue(Node, "n", nil, time.Now())
	dir := t.TempDir()
	f := &Files{Certificate: filepath.Join(dir, "c"), Key: filepath.Join(dir, "k"), Authority: filepath.Join(dir, "a")}
	for path, text := range map[string][]byte{f.Certificate: certificate, f.Key: key, f.Authority: a.Certificate()} {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Check(); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("%v, want a refusal that says chmod 600", err)
	}
	if err := os.Chmod(f.Key, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Check(); err != nil {
		t.Error(err)
	}
}
