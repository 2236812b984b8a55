package mesh

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/cluster/pki"
)

func authority(t testing.TB) *pki.Authority {
	t.Helper()
	a, err := pki.NewAuthority("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// files writes a certificate of a into a new directory.
func files(t testing.TB, a *pki.Authority, role pki.Role, name string) *pki.Files {
	t.Helper()
	certificate, key, err := a.Issue(role, name, []string{"127.0.0.1", "localhost"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	f := &pki.Files{Certificate: filepath.Join(dir, "c"), Key: filepath.Join(dir, "k"), Authority: filepath.Join(dir, "a")}
	for path, text := range map[string][]byte{f.Certificate: certificate, f.Key: key, f.Authority: a.Certificate()} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func member(t testing.TB, id, cluster string, tls *pki.Files) *Mesh {
	t.Helper()
	m, err := New(Config{ID: id, Cluster: func() string { return cluster }, Listen: "127.0.0.1:0", TLS: tls})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); m.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	for _, p := range []Protocol{Raft, RPC, Feed} {
		go func() {
			for {
				c, err := m.Listener(p).Accept()
				if err != nil {
					return
				}
				go func() { // echoes, and says who is there
					defer c.Close()
					io.WriteString(c, string(p)+" "+c.(*Conn).Peer.ID+" "+c.(*Conn).Peer.Name+"\n")
					io.Copy(c, c)
				}()
			}
		}()
	}
	return m
}

func TestConnectionReachesWhomItIsMeantFor(t *testing.T) {
	a := authority(t)
	one, two := member(t, "one", "c1", files(t, a, pki.Node, "host1")), member(t, "two", "c1", files(t, a, pki.Node, "host2"))
	for _, p := range []Protocol{Raft, RPC, Feed} {
		c, err := one.Dial(t.Context(), p, "two", two.Address())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		line := make([]byte, len(p)+len(" one host1\n"))
		if _, err := io.ReadFull(c, line); err != nil || string(line) != string(p)+" one host1\n" {
			t.Errorf("%q, %v", line, err)
		}
		if c.Peer.ID != "two" || c.Peer.Cluster != "c1" {
			t.Errorf("peer %+v", c.Peer)
		}
	}
}

func TestConnectionsEndWithTheTrustInTheirAuthority(t *testing.T) {
	old, fresh := authority(t), authority(t)
	both := append(append([]byte(nil), old.Certificate()...), fresh.Certificate()...)
	server := files(t, fresh, pki.Node, "s")
	put := func(f *pki.Files, authorities []byte) {
		t.Helper()
		if err := f.KeepAuthorities(authorities); err != nil {
			t.Fatal(err)
		}
	}
	put(server, both)
	one := member(t, "one", "c1", server)
	conns := make(map[string]*Conn)
	for name, a := range map[string]*pki.Authority{"old": old, "fresh": fresh} {
		f := files(t, a, pki.Sidecar, name)
		put(f, both)
		c, err := Dial(t.Context(), Config{ID: name, Cluster: func() string { return "" }, TLS: f}, Feed, "", one.Address())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns[name] = c
	}
	keeper := files(t, old, pki.Node, "k")
	put(keeper, both)
	dialled, err := one.Dial(t.Context(), Feed, "k", member(t, "k", "c1", keeper).Address())
	if err != nil {
		t.Fatal(err)
	}
	defer dialled.Close()
	conns["dialled"] = dialled
	lives := func(c *Conn) bool {
		said := []byte{0}
		_, err := c.Write(said)
		for said[0] = 1; err == nil && said[0] != 0; { // who is there first, and then the echo
			_, err = c.Read(said)
		}
		return err == nil
	}
	one.Review()
	for name, c := range conns {
		if !lives(c) {
			t.Errorf("%s: the connection has ended while both are trusted", name)
		}
	}
	put(server, fresh.Certificate())
	one.Review()
	for name, c := range conns {
		if want := name == "fresh"; lives(c) != want {
			t.Errorf("%s: the connection lives: %v, want %v", name, !want, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	a, stranger := authority(t), authority(t)
	server := member(t, "server", "c1", files(t, a, pki.Node, "s"))
	fresh := member(t, "fresh", "", files(t, a, pki.Node, "f"))
	plain := member(t, "plain", "c1", nil)
	for _, row := range []struct {
		name   string
		from   *Mesh
		to     *Mesh
		id     string
		p      Protocol
		reason string
	}{
		{"another node lives at the address", member(t, "x", "c1", files(t, a, pki.Node, "x")), server, "gone", Raft, "this is node server"},
		{"another cluster", member(t, "x", "c2", files(t, a, pki.Node, "x")), server, "", RPC, "this is cluster c1"},
		{"the log without a cluster", member(t, "x", "", files(t, a, pki.Node, "x")), server, "server", Raft, "one cluster"},
		{"the log to a node that belongs to none", member(t, "x", "c1", files(t, a, pki.Node, "x")), fresh, "fresh", Raft, "one cluster"},
		{"a cloned data directory", member(t, "server", "c1", files(t, a, pki.Node, "x")), server, "", RPC, "cannot be"},
		{"a sidecar that wants the log", member(t, "x", "c1", files(t, a, pki.Sidecar, "x")), server, "server", Raft, "a sidecar may not"},
		{"a sidecar that wants to call", member(t, "x", "c1", files(t, a, pki.Sidecar, "x")), server, "", RPC, "a sidecar may not"},
		{"a certificate of a strange authority", member(t, "x", "c1", files(t, stranger, pki.Node, "x")), server, "", RPC, "certificate"},
		{"no certificate", plain, server, "", RPC, ""},
		{"TLS towards a plain port", member(t, "x", "c1", files(t, a, pki.Node, "x")), plain, "", RPC, ""},
		{"a sidecar in place of a node", server, member(t, "x", "c1", files(t, a, pki.Sidecar, "x")), "", RPC, "in place of a node"},
	} {
		c, err := row.from.Dial(t.Context(), row.p, row.id, row.to.Address())
		if err == nil {
			// A TLS 1.3 client learns of a refused certificate at its first read.
			_, err = io.ReadAll(io.LimitReader(c, 1))
			c.Close()
		}
		if err == nil || !strings.Contains(err.Error(), row.reason) {
			t.Errorf("%s: %v, want %q", row.name, err, row.reason)
		}
	}
	feed := member(t, "x", "c1", files(t, a, pki.Sidecar, "x"))
	if c, err := feed.Dial(t.Context(), Feed, "", server.Address()); err != nil {
		t.Errorf("a sidecar that follows: %v", err)
	} else {
		c.Close()
	}
	if c, err := fresh.Dial(t.Context(), RPC, "", server.Address()); err != nil || c.Peer.Cluster != "c1" {
		t.Errorf("a fresh node that asks: %v", err)
	}
}

func TestPlainPortsStayOnTheMachine(t *testing.T) {
	if _, err := New(Config{ID: "x", Cluster: func() string { return "" }, Listen: ":0"}); err == nil || !strings.Contains(err.Error(), "certificates are needed") {
		t.Errorf("bind without TLS: %v", err)
	}
	if _, err := member(t, "x", "", nil).Dial(t.Context(), RPC, "", "192.0.2.1:1"); err == nil || !strings.Contains(err.Error(), "certificates are needed") {
		t.Errorf("dial without TLS: %v", err)
	}
}

func TestReplacedCertificatesAreUsedWithoutARestart(t *testing.T) {
	old, fresh := authority(t), authority(t)
	f := files(t, old, pki.Node, "s")
	server := member(t, "server", "c1", f)
	client := member(t, "x", "c1", files(t, fresh, pki.Node, "x"))
	if _, err := client.Dial(t.Context(), RPC, "", server.Address()); err == nil {
		t.Fatal("a strange authority is accepted")
	}
	g := files(t, fresh, pki.Node, "s")
	for from, to := range map[string]string{g.Certificate: f.Certificate, g.Key: f.Key, g.Authority: f.Authority} {
		if err := os.Chtimes(from, time.Time{}, time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	c, err := client.Dial(t.Context(), RPC, "server", server.Address())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := os.WriteFile(f.Key, []byte("half a fi"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err = client.Dial(t.Context(), RPC, "server", server.Address()); err != nil {
		t.Errorf("a damaged key file ended what worked: %v", err)
	} else {
		c.Close()
	}
}

func TestCloseEndsEverything(t *testing.T) {
	a := authority(t)
	one, two := member(t, "one", "c1", files(t, a, pki.Node, "1")), member(t, "two", "c1", files(t, a, pki.Node, "2"))
	c, err := one.Dial(t.Context(), RPC, "two", two.Address())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(two.Close(), two.Close()); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadAll(c); err != nil && !strings.Contains(err.Error(), "reset") && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	if _, err := one.Dial(t.Context(), RPC, "two", two.Address()); err == nil {
		t.Error("a closed port accepts")
	}
}

func FuzzGreeting(f *testing.F) {
	f.Add([]byte("\x00\x02{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var h hello
		readMessage(strings.NewReader(string(b)), &h)
	})
}
