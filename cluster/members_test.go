package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/cluster/peer"
	"github.com/doorward/doorward/cluster/pki"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/internal/seal"
)

// town is a cluster over TLS on this machine.
type town struct {
	t         *testing.T
	dir       string
	authority *pki.Authority
	nodes     []*started
}

func newTown(t *testing.T) *town {
	t.Helper()
	a, err := pki.NewAuthority("town", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w := &town{t: t, dir: t.TempDir(), authority: a}
	if _, err := seal.CreateRootFile(filepath.Join(w.dir, "root.key")); err != nil {
		t.Fatal(err)
	}
	return w
}

// config is that of the i-th node.
func (w *town) config(i int) Config {
	c := fast(w.t, w.dir)
	c.Dir = filepath.Join(w.dir, fmt.Sprint("node", i))
	c.Listen = "127.0.0.1:0"
	if os.Getenv("TOWN_LOG") != "" {
		c.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("n", i)
	}
	c.Stable, c.ReconcileEvery, c.MeetEvery, c.CompareEvery = 0, 20*time.Millisecond, 100*time.Millisecond, 50*time.Millisecond
	c.Raft.Heartbeat, c.Raft.Election, c.Raft.Lease = 300*time.Millisecond, 300*time.Millisecond, 300*time.Millisecond
	certificate, key, err := w.authority.Issue(pki.Node, fmt.Sprint("node", i), nil, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	c.TLS = &pki.Files{Certificate: c.Dir + ".crt", Key: c.Dir + ".key", Authority: filepath.Join(w.dir, "ca.crt")}
	for path, text := range map[string][]byte{c.TLS.Certificate: certificate, c.TLS.Key: key, c.TLS.Authority: w.authority.Certificate()} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	return c
}

// cluster starts n nodes, all voters.
func (w *town) cluster(n int) {
	w.t.Helper()
	first, _ := newStore(w.t, w.config(0))
	w.nodes = []*started{first}
	for i := 1; i < n; i++ {
		s := start(w.t, w.config(i))
		if err := s.Join(w.t.Context(), []string{first.Address()}); err != nil {
			w.t.Fatal(err)
		}
		w.nodes = append(w.nodes, s)
	}
	w.until("all vote", func() bool { return w.voters() == n })
}

func (w *town) voters() (n int) {
	if l := w.leader(); l != nil {
		for _, m := range l.Status().Log.Members {
			if m.Voter {
				n++
			}
		}
	}
	return n
}

func (w *town) leader() *started {
	for _, s := range w.nodes {
		if s.raft.IsLeader() {
			return s
		}
	}
	return nil
}

// until waits for what the nodes do by themselves.
func (w *town) until(what string, ok func() bool) {
	w.t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for !ok() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-deadline.C:
			w.t.Fatalf("waited in vain: %s", what)
		}
	}
}

// agree checks that all nodes hold the same state at the newest index.
func (w *town) agree() {
	w.t.Helper()
	var sum string
	for _, s := range w.nodes {
		v, err := s.Consistent(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		if sum == "" {
			sum = v.Sum().String()
		}
		if v.Sum().String() != sum || s.Trouble() != "" {
			w.t.Errorf("node %s holds another state (%s)", s.ID(), s.Trouble())
		}
	}
}

func (w *town) without(gone *started) {
	var rest []*started
	for _, s := range w.nodes {
		if s != gone {
			rest = append(rest, s)
		}
	}
	w.nodes = rest
}

func (w *town) follower() *started {
	for _, s := range w.nodes {
		if !s.raft.IsLeader() {
			return s
		}
	}
	w.t.Fatal("no follower")
	return nil
}

func TestWritesAndReadsAreTheSameAtAnyNode(t *testing.T) {
	w := newTown(t)
	w.cluster(3)
	for i := range 30 {
		writer, reader := w.nodes[i%3], w.nodes[(i+1)%3]
		name := fmt.Sprint("u", i)
		r := writer.do(t, createUser(name))
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		if _, ok := writer.View().User(iam.FirstAccount, name); !ok {
			t.Errorf("%s is not in effect where it was written", name)
		}
		v, err := reader.Consistent(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := v.User(iam.FirstAccount, name); !ok {
			t.Errorf("a consistent read at another node misses %s", name)
		}
	}
	if r := w.follower().do(t, createUser("u1")); r.Err == nil || r.Err.Code != iam.EntityAlreadyExists || r.Err.Message == "" {
		t.Errorf("a refusal through a follower: %+v", r)
	}
	w.agree()
}

func TestLeaderLossIsSurvived(t *testing.T) {
	w := newTown(t)
	w.cluster(3)
	gone := w.leader()
	gone.stop(t)
	w.without(gone)
	w.nodes[0].do(t, createUser("after"))
	w.agree()
}

func TestLeadershipIsHandedOver(t *testing.T) {
	w := newTown(t)
	w.cluster(3)
	heir := w.follower()
	if err := w.nodes[0].Change(t.Context(), peer.Change{Op: peer.Transfer, ID: heir.ID()}); err != nil {
		t.Fatal(err)
	}
	w.until("the heir leads", func() bool { return heir.raft.IsLeader() })
	w.nodes[0].do(t, createUser("after"))
	w.agree()
}

func TestMemberLeavesAndAnotherTakesItsVote(t *testing.T) {
	w := newTown(t)
	w.cluster(3)
	spare := start(t, w.config(3))
	if err := spare.Join(t.Context(), []string{w.follower().Address()}); err != nil {
		t.Fatal(err)
	}
	leaver := w.leader()
	if err := leaver.Leave(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	<-leaver.done
	if !errors.Is(leaver.err, ErrRemoved) {
		t.Errorf("Run of the leaver: %v", leaver.err)
	}
	leaver.err = nil
	w.without(leaver)
	w.nodes = append(w.nodes, spare)
	w.until("the spare votes", func() bool { return w.voters() == 3 })
	spare.do(t, createUser("after"))
	w.agree()
	if _, err := Open(leaver.cfg); !errors.Is(err, ErrRemoved) {
		t.Errorf("the leaver opens again: %v", err)
	}
}

func TestMemberThatWasRemovedWhileAwayNoticesWhenItComesBack(t *testing.T) {
	w := newTown(t)
	w.cluster(3)
	away := w.follower()
	away.stop(t)
	w.without(away)
	if err := w.nodes[0].Change(t.Context(), peer.Change{Op: peer.Remove, ID: away.ID(), Force: true}); err != nil {
		t.Fatal(err)
	}
	back := start(t, away.cfg)
	<-back.done
	if !errors.Is(back.err, ErrRemoved) {
		t.Errorf("Run: %v, want ErrRemoved", back.err)
	}
	back.err = nil
}

func TestRemovalThatWouldStopTheClusterIsRefused(t *testing.T) {
	w := newTown(t)
	w.cluster(3)
	down := w.follower()
	down.stop(t)
	w.without(down)
	w.until("the leader has noticed", func() bool { l := w.leader(); return l != nil && !l.health.get(down.ID()).well })
	err := w.nodes[0].Change(t.Context(), peer.Change{Op: peer.Remove, ID: w.follower().ID()})
	if !errors.Is(err, ErrMember) || !strings.Contains(err.Error(), "would be well") {
		t.Errorf("removing the last follower that is well: %v", err)
	}
	if err := w.nodes[0].Change(t.Context(), peer.Change{Op: peer.Remove, ID: down.ID()}); err != nil {
		t.Errorf("removing the one that is down: %v", err)
	}
	w.nodes[0].do(t, createUser("after"))
}

func TestMemberComesBackAtANewAddress(t *testing.T) {
	w := newTown(t)
	w.cluster(3)
	mover := w.follower()
	mover.stop(t)
	w.without(mover)
	w.nodes[0].do(t, createUser("meanwhile"))
	back := start(t, mover.cfg) // port 0: another one
	if back.Address() == mover.Address() {
		t.Skip("the port came back")
	}
	w.nodes = append(w.nodes, back)
	w.until("the configuration knows", func() bool {
		m, ok := member(w.nodes[0].Status().Log, back.ID())
		return ok && m.Address == back.Address()
	})
	w.agree()
}

func TestWholeClusterMovesAtOnce(t *testing.T) {
	w := newTown(t)
	w.cluster(3)
	w.nodes[0].do(t, createUser("before"))
	configs := make([]Config, 3)
	for i, s := range w.nodes {
		configs[i] = s.cfg
		s.stop(t)
	}
	moved := start(t, configs[0])
	w.nodes = []*started{moved}
	for _, c := range configs[1:] {
		c.Peers = []string{moved.Address()}
		w.nodes = append(w.nodes, start(t, c))
	}
	w.agree()
	if _, ok := w.nodes[2].View().User(iam.FirstAccount, "before"); !ok {
		t.Error("a user is lost")
	}
}

func TestJoinRefusals(t *testing.T) {
	w := newTown(t)
	w.cluster(1)
	other := w.config(1)
	other.Root.File = filepath.Join(w.dir, "other.key")
	if _, err := seal.CreateRootFile(other.Root.File); err != nil {
		t.Fatal(err)
	}
	stranger := start(t, other)
	if err := stranger.Join(t.Context(), []string{w.nodes[0].Address()}); err == nil || !strings.Contains(err.Error(), "root key") {
		t.Errorf("another root key: %v", err)
	}
	fresh := start(t, w.config(2))
	if err := fresh.Join(t.Context(), []string{stranger.Address()}); !errors.Is(err, ErrNotInitialized) {
		t.Errorf("at a node of no cluster: %v", err)
	}
	second, _ := newStore(t, w.config(3))
	if err := second.Join(t.Context(), []string{w.nodes[0].Address()}); err == nil || !strings.Contains(err.Error(), "this is cluster") {
		t.Errorf("a member of another cluster: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := fresh.Join(ctx, []string{w.nodes[0].Address()}); err == nil {
		t.Error("joined after its time")
	}
}

func TestSingleNodeBecomesAMemberOfMany(t *testing.T) {
	w := newTown(t)
	c := w.config(0)
	c.Listen = ""
	alone, _ := newStore(t, c)
	alone.do(t, createUser("before"))
	alone.stop(t)
	c = w.config(0)
	first := start(t, c)
	if _, err := first.Consistent(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.nodes = []*started{first}
	w.until("its address is known", func() bool {
		m, _ := member(first.Status().Log, first.ID())
		return m.Address == first.Address()
	})
	for i := 1; i < 3; i++ {
		s := start(t, w.config(i))
		if err := s.Join(t.Context(), []string{first.Address()}); err != nil {
			t.Fatal(err)
		}
		w.nodes = append(w.nodes, s)
	}
	w.until("all vote", func() bool { return w.voters() == 3 })
	w.agree()
}
