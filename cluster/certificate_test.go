package cluster

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/cluster/enrol"
	"github.com/doorward/doorward/cluster/mesh"
	"github.com/doorward/doorward/cluster/peer"
	"github.com/doorward/doorward/cluster/pki"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/wire"
)

// ownTLS is the configuration of a node that keeps its certificate itself.
func (w *town) ownTLS(i int) Config {
	c := w.config(i)
	c.TLS, c.OwnTLS = nil, true
	return c
}

// joinToken makes a token through a node, good for a minute.
func joinToken(t *testing.T, n *Node, kind iam.Member, name string) enrol.Token {
	t.Helper()
	id, text, hash, err := n.NewJoinToken()
	if err != nil {
		t.Fatal(err)
	}
	now := iam.At(n.cfg.Now())
	result, err := n.Propose(t.Context(), iam.Envelope{Command: iam.CreateEnrolment{Enrolment: iam.Enrolment{
		ID: id, Kind: kind, Name: name, Hash: hash, Expires: now + 60_000, By: "arn:aws:iam::000000000000:root",
	}}, Request: newRequest(), Time: now})
	if err != nil || result.Err != nil {
		t.Fatal(err, result.Err)
	}
	made, err := enrol.ParseToken(text)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// enroll gets the certificate of a node to be.
func (w *town) enroll(c Config, at *started) {
	w.t.Helper()
	cluster, err := enrol.Enrol(w.t.Context(), enrol.Config{
		Dir: TLSDir(c.Dir), Name: "host", Addresses: func() []string { return []string{"127.0.0.1:1", at.Address()} },
	}, joinToken(w.t, at.Node, iam.MemberNode, ""))
	if err != nil || cluster != at.clusterID() {
		w.t.Fatalf("cluster %q, %v", cluster, err)
	}
}

// host wants to become a member at a node.
func host(t *testing.T, name string, at *started) enrol.Config {
	return enrol.Config{Dir: filepath.Join(t.TempDir(), "tls"), Name: name, Addresses: func() []string { return []string{at.Address()} }}
}

func TestNodesJoinWithTokensAndNothingElse(t *testing.T) {
	w := newTown(t)
	first, _ := newStore(t, w.ownTLS(0))
	w.nodes = []*started{first}
	if got := first.View().Level(); got != wire.FeatureLevel {
		t.Fatalf("a new store is at level %d, want %d", got, wire.FeatureLevel)
	}
	for i := 1; i < 3; i++ {
		w.nodes = append(w.nodes, w.newcomer(i, first))
	}
	w.until("all vote", func() bool { return w.voters() == 3 })
	w.agree()

	// A node whose certificate is lost or nearly over makes itself another.
	file := first.cfg.TLS.Key
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	w.until("another certificate", func() bool {
		after, err := os.ReadFile(file)
		return err == nil && !bytes.Equal(before, after)
	})
}

func TestOneTokenLetsOneMemberIn(t *testing.T) {
	w := newTown(t)
	node, _ := newStore(t, w.ownTLS(0))
	secret := joinToken(t, node.Node, iam.MemberSidecar, "")
	one := host(t, "s3-1", node)
	if _, err := enrol.Enrol(t.Context(), one, secret); err != nil {
		t.Fatal(err)
	}
	if _, err := enrol.Enrol(t.Context(), host(t, "s3-2", node), secret); !errors.Is(err, enrol.ErrRefused) || !strings.Contains(err.Error(), "used already, by s3-1") {
		t.Errorf("a token let two in: %v", err)
	}
	wrong := joinToken(t, node.Node, iam.MemberSidecar, "")
	wrong.Secret[0] ^= 1
	if _, err := enrol.Enrol(t.Context(), host(t, "s3-3", node), wrong); !errors.Is(err, enrol.ErrRefused) {
		t.Errorf("a token with another secret: %v", err)
	}
	id, _, _, err := pki.FilesIn(one.Dir).Identity()
	if err != nil || id.Role != pki.Sidecar || id.Name != "s3-1" || id.Enrolment != secret.ID {
		t.Errorf("identity %+v, %v", id, err)
	}
	if _, err := os.Stat(filepath.Join(one.Dir, "pending.key")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the pending key is still there: %v", err)
	}
	// Neither the secret nor the authority's key is in what is on disk.
	authority := node.View().Authority()
	key, err := node.keys.Load().seal.Open(node.keys.Load().authority(authority.Fingerprint), authority.Key)
	if err != nil {
		t.Fatal(err)
	}
	for what, needle := range map[string][]byte{"token": secret.Secret[:], "authority's key": key[60:100]} {
		if path := grep(t, node.cfg.Dir, needle); path != "" {
			t.Errorf("the %s is in %s", what, path)
		}
	}
}

// grep returns the first file below dir that holds needle.
func grep(t *testing.T, dir string, needle []byte) (found string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if files++; bytes.Contains(text, needle) {
			found = path
		}
		return err
	})
	if err != nil || files == 0 {
		t.Fatalf("%d files, %v", files, err)
	}
	return found
}

func TestAHostBelievesNoOtherCluster(t *testing.T) {
	w, v := newTown(t), newTown(t)
	here, _ := newStore(t, w.ownTLS(0))
	there, _ := newStore(t, v.ownTLS(0))
	_, err := enrol.Enrol(t.Context(), host(t, "s3-1", there), joinToken(t, here.Node, iam.MemberSidecar, ""))
	if err == nil || !strings.Contains(err.Error(), "not of the cluster that is meant") {
		t.Errorf("%v", err)
	}
}

func TestMembersRenewUntilTheyAreTakenOut(t *testing.T) {
	w := newTown(t)
	node, _ := newStore(t, w.ownTLS(0))
	one := host(t, "s3-1", node)
	secret := joinToken(t, node.Node, iam.MemberSidecar, "named-by-the-token")
	if _, err := enrol.Enrol(t.Context(), one, secret); err != nil {
		t.Fatal(err)
	}
	files := pki.FilesIn(one.Dir)
	before, err := os.ReadFile(files.Key)
	if err != nil {
		t.Fatal(err)
	}
	if err := enrol.Renew(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(files.Key)
	if err != nil || bytes.Equal(before, after) {
		t.Errorf("renewal changed nothing: %v", err)
	}
	id, from, until, err := files.Identity()
	if err != nil || id.Name != "named-by-the-token" || enrol.Due(from, until, time.Now()) || !enrol.Due(from, until, time.Now().Add(61*24*time.Hour)) {
		t.Errorf("%+v from %v until %v, %v", id, from, until, err)
	}
	follow := func() error {
		c, err := mesh.Dial(t.Context(), mesh.Config{ID: id.Name, Cluster: node.clusterID, TLS: files}, mesh.Feed, "", node.Address())
		if err == nil {
			c.Close()
		}
		return err
	}
	if err := follow(); err != nil {
		t.Error(err)
	}
	if _, err := node.Propose(t.Context(), iam.Envelope{Command: iam.DeleteEnrolment{ID: secret.ID}, Request: newRequest(), Time: iam.At(time.Now())}); err != nil {
		t.Fatal(err)
	}
	if err := enrol.Renew(t.Context(), one); err == nil {
		t.Error("a sidecar that was taken out gets a certificate")
	}
	if err := follow(); err == nil {
		t.Error("a sidecar that was taken out may follow")
	}
}

func TestStoresWithHandMadeCertificatesMakeNoTokens(t *testing.T) {
	w := newTown(t)
	node, _ := newStore(t, w.config(0))
	if _, _, _, err := node.NewJoinToken(); !errors.Is(err, ErrNoAuthority) {
		t.Errorf("%v", err)
	}
}

// TestNewCommandsWaitForTheLastNode plays a cluster of which one node runs a build
// of the level before.
func TestNewCommandsWaitForTheLastNode(t *testing.T) {
	w := newTown(t)
	c := w.config(0)
	c.Level = 1
	s, _ := newStore(t, c)
	before := s.raft.Status().Last
	if _, err := s.Propose(t.Context(), iam.Envelope{Command: iam.DeleteEnrolment{ID: "x"}, Time: iam.At(time.Now())}); !errors.Is(err, ErrLevel) {
		t.Errorf("a command of level 2 in a store of level 1: %v", err)
	}
	if after := s.raft.Status().Last; after != before {
		t.Errorf("the refused command moved the log from %d to %d", before, after)
	}
	s.do(t, createUser("alice"))
	s.stop(t)

	c.Level = wire.FeatureLevel
	w.nodes = []*started{start(t, c)}
	w.until("the level is raised", func() bool { return w.nodes[0].View().Level() == wire.FeatureLevel })
	err := w.nodes[0].Change(t.Context(), peer.Change{Op: peer.Join, ID: "old", Address: "127.0.0.1:1"})
	if !errors.Is(err, ErrMember) || !strings.Contains(err.Error(), "upgrade it first") {
		t.Errorf("a node of the build before may join: %v", err)
	}
}

// TestTheLevelIsThatOfTheOldestNode holds that one old build keeps the others back.
func TestTheLevelIsThatOfTheOldestNode(t *testing.T) {
	w := newTown(t)
	first := w.config(0)
	first.Level = 1
	s, _ := newStore(t, first)
	w.nodes = []*started{s}
	for i := 1; i < 3; i++ {
		n := start(t, w.config(i))
		if err := n.Join(t.Context(), []string{s.Address()}); err != nil {
			t.Fatal(err)
		}
		w.nodes = append(w.nodes, n)
	}
	w.until("all vote", func() bool { return w.voters() == 3 })
	if err := w.nodes[0].Change(t.Context(), peer.Change{Op: peer.Transfer, ID: w.nodes[1].ID()}); err != nil {
		t.Fatal(err)
	}
	w.until("another leads and has asked the others", func() bool {
		return w.nodes[1].raft.IsLeader() && w.nodes[1].health.get(s.ID()).Level == 1
	})
	if level := w.nodes[1].View().Level(); level != 1 {
		t.Fatalf("the level is %d while a node knows only 1", level)
	}
	s.stop(t)
	first.Level = wire.FeatureLevel
	w.nodes[0] = start(t, first)
	w.until("the level is raised", func() bool { return w.nodes[1].View().Level() == wire.FeatureLevel })
	w.agree()
}
