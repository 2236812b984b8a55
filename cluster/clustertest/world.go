package clustertest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/cluster"
	"github.com/doorward/doorward/cluster/enrol"
	"github.com/doorward/doorward/cluster/mesh"
	"github.com/doorward/doorward/cluster/peer"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/internal/seal"
	"github.com/doorward/doorward/raft"
)

// World is a cluster and the hand that is on it. Its methods are for the goroutine
// of the test.
type World struct {
	t       testing.TB
	dir     string
	net     *Network
	tune    func(*cluster.Config)
	nodes   []*Node
	started time.Time
	history history
}

// Node is one host of a world.
type Node struct {
	*cluster.Node
	world *World
	index int
	host  string
	cfg   cluster.Config
	disk  diskState
	skew  atomic.Int64 // of its clock, in nanoseconds
	free  atomic.Uint64

	cancel context.CancelFunc
	done   chan struct{} // closed when Run has returned
	err    error         // of Run
}

// diskState is what a node's disk does at the moment.
type diskState struct {
	mu   sync.Mutex
	hang chan struct{}              // operations wait for it, if set
	slow time.Duration              // added to each operation
	fail func(op raft.DiskOp) error // what operations answer, if set
}

func (d *diskState) do(op raft.DiskOp) error {
	d.mu.Lock()
	hang, slow, fail := d.hang, d.slow, d.fail
	d.mu.Unlock()
	if hang != nil {
		<-hang
	}
	if slow > 0 {
		time.Sleep(slow)
	}
	if fail != nil {
		return fail(op)
	}
	return nil
}

// plentyOfRoom is what a disk that is not full has left.
const plentyOfRoom = 1 << 40

// New makes a cluster of n voters. It is called inside a bubble of testing/synctest;
// tune, if not nil, changes the configuration of every node.
func New(t testing.TB, n int, tune func(*cluster.Config)) *World {
	t.Helper()
	w := &World{t: t, dir: t.TempDir(), net: newNetwork(), tune: tune, started: time.Now()}
	if _, err := seal.CreateRootFile(filepath.Join(w.dir, "root.key")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.end)
	for range n {
		w.Add()
	}
	if _, err := w.nodes[0].Init(t.Context(), cluster.Birth{}); err != nil {
		t.Fatal(err)
	}
	for _, node := range w.nodes[1:] {
		if node.cfg.OwnTLS {
			w.enroll(node)
		}
		if err := node.Join(t.Context(), []string{w.nodes[0].host}); err != nil {
			t.Fatal(err)
		}
	}
	w.AwaitVoters(n)
	return w
}

// Token makes a join token for a member, good for an hour.
func (w *World) Token(kind iam.Member, name string) string {
	w.t.Helper()
	leader := w.Leader()
	id, text, hash, err := leader.NewJoinToken()
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := leader.Do(w.t.Context(), iam.CreateEnrolment{Enrolment: iam.Enrolment{
		ID: id, Kind: kind, Name: name, Hash: hash, Expires: iam.At(time.Now().Add(time.Hour)), By: iam.FirstAccount.Root(),
	}})
	if err = errors.Join(err, refusal(r)); err != nil {
		w.t.Fatal(err)
	}
	return text
}

// enroll gets the certificate of a node to be from the first one.
func (w *World) enroll(n *Node) {
	w.t.Helper()
	token, err := enrol.ParseToken(w.Token(iam.MemberNode, n.host))
	if err == nil {
		_, err = enrol.Enrol(w.t.Context(), enrol.Config{
			Dir: cluster.TLSDir(n.cfg.Dir), Carrier: n.cfg.Carrier, Now: n.cfg.Now,
			Addresses: func() []string { return []string{w.nodes[0].host} },
		}, token)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// Carrier is the network as a host of that name sees it.
func (w *World) Carrier(host string) mesh.Carrier { return carrier{w.net, host} }

// Host is the name of a node's host, which is its address.
func (n *Node) Host() string { return n.host }

// AwaitVoters waits until there are n voters and every one of them knows it.
func (w *World) AwaitVoters(n int) {
	w.t.Helper()
	w.Await("all nodes vote", time.Minute, func() bool {
		w.Leader()
		know := 0
		for _, node := range w.nodes {
			if s := node.Status().Log; voters(s) == n && s.Committed >= s.Configuration {
				know++
			}
		}
		return know >= n
	})
}

func voters(s raft.Status) (n int) {
	for _, m := range s.Members {
		if m.Voter {
			n++
		}
	}
	return n
}

// Add starts a node that belongs to no cluster yet.
func (w *World) Add() *Node {
	w.t.Helper()
	n := &Node{world: w, index: len(w.nodes), host: fmt.Sprint("host", len(w.nodes))}
	n.free.Store(plentyOfRoom)
	w.nodes = append(w.nodes, n)
	n.cfg = w.config(n)
	n.start()
	return n
}

func (w *World) config(n *Node) cluster.Config {
	c := cluster.DefaultConfig()
	c.Dir = filepath.Join(w.dir, n.host)
	c.Root.File = filepath.Join(w.dir, "root.key")
	c.Listen, c.Carrier = n.host, carrier{w.net, n.host}
	c.Stable = time.Second
	c.Now = func() time.Time { return time.Now().Add(time.Duration(n.skew.Load())) }
	c.Raft.Disk = n.disk.do
	c.Raft.Free = func(string) (uint64, error) { return n.free.Load(), nil }
	if os.Getenv("DOORWARD_CLUSTER_LOG") != "" {
		c.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("host", n.host)
	}
	if w.tune != nil {
		w.tune(&c)
	}
	return c
}

// Node returns the i-th node.
func (w *World) Node(i int) *Node { return w.nodes[i] }

// Leader waits for a node that leads with the agreement of a majority.
func (w *World) Leader() *Node {
	w.t.Helper()
	var leader *Node
	w.Await("somebody leads", time.Minute, func() bool {
		leader = nil
		for _, n := range w.nodes {
			if n.running() && n.Status().Log.Role == "Leader" {
				if leader != nil {
					return false
				}
				leader = n
			}
		}
		return leader != nil
	})
	return leader
}

// Follower returns a running node that does not lead.
func (w *World) Follower() *Node {
	w.t.Helper()
	leader := w.Leader()
	for _, n := range w.nodes {
		if n != leader && n.running() {
			return n
		}
	}
	w.t.Fatal("there is no follower")
	return nil
}

// Others returns all nodes but one.
func (w *World) Others(but *Node) (others []*Node) {
	for _, n := range w.nodes {
		if n != but {
			others = append(others, n)
		}
	}
	return others
}

// Await waits until ok, looking every 10 ms of virtual time.
func (w *World) Await(what string, limit time.Duration, ok func() bool) time.Duration {
	w.t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > limit {
			w.t.Fatalf("%v: waited %v in vain: %s", time.Since(w.started), limit, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(began)
}

// Cut cuts the links between two nodes.
func (w *World) Cut(a, b *Node) {
	w.net.Set(a.host, b.host, true)
	w.net.Set(b.host, a.host, true)
}

// CutOneWay cuts the link from one node to another.
func (w *World) CutOneWay(from, to *Node) { w.net.Set(from.host, to.host, true) }

// Mend mends the links between two nodes.
func (w *World) Mend(a, b *Node) {
	w.net.Set(a.host, b.host, false)
	w.net.Set(b.host, a.host, false)
}

// Isolate cuts a node off from all others.
func (w *World) Isolate(n *Node) {
	for _, other := range w.Others(n) {
		w.Cut(n, other)
	}
}

// Heal mends all links.
func (w *World) Heal() { w.net.Heal() }

// Change carries out a change of membership.
func (w *World) Change(op peer.Op, n *Node) error {
	return w.Leader().Node.Change(w.t.Context(), peer.Change{Op: op, ID: n.ID()})
}

func (n *Node) start() {
	t := n.world.t
	t.Helper()
	node, err := cluster.Open(n.cfg)
	if err != nil {
		t.Fatalf("%s: %v", n.host, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.Node, n.cancel, n.done, n.err = node, cancel, make(chan struct{}), nil
	go func() {
		defer close(n.done)
		n.err = node.Run(ctx)
	}()
	select {
	case <-node.Running():
	case <-n.done:
		t.Fatalf("%s: %v", n.host, n.err)
	}
}

func (n *Node) running() bool {
	select {
	case <-n.done:
		return false
	default:
		return true
	}
}

// Crash ends a node without a farewell: nobody hears from it again, and what it was
// writing may or may not be on its disk.
func (n *Node) Crash() {
	for _, other := range n.world.Others(n) {
		n.world.Cut(n, other)
	}
	n.Stop()
	for _, other := range n.world.Others(n) {
		n.world.Mend(n, other)
	}
}

// Stop ends a node as an operator does. What its disk still has to do is not waited for.
func (n *Node) Stop() {
	n.cancel()
	<-n.done
	n.disk.release()
	n.Node.Close()
}

// Restart starts a node that has ended, on its old directory.
func (n *Node) Restart() {
	<-n.done
	n.Node.Close()
	n.start()
}

// Wipe starts a node that has ended on an empty directory.
func (n *Node) Wipe() {
	<-n.done
	n.Node.Close()
	if err := os.RemoveAll(n.cfg.Dir); err != nil {
		n.world.t.Fatal(err)
	}
	n.start()
}

// HangDisk makes every operation of the disk wait until the result is called.
func (n *Node) HangDisk() (release func()) {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	if n.disk.hang == nil { // or those who wait already would never be released
		n.disk.hang = make(chan struct{})
	}
	return n.disk.release
}

func (d *diskState) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hang != nil {
		close(d.hang)
		d.hang = nil
	}
}

// SlowDisk makes every operation of the disk take that much longer.
func (n *Node) SlowDisk(d time.Duration) {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	n.disk.slow = d
}

// FailDisk makes operations of the disk answer what fail says; nil: all is well.
func (n *Node) FailDisk(fail func(raft.DiskOp) error) {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	n.disk.fail = fail
}

// FillDisk leaves that many bytes on the disk.
func (n *Node) FillDisk(free uint64) { n.free.Store(free) }

// SetClock makes a node's clock wrong by that much.
func (n *Node) SetClock(d time.Duration) { n.skew.Store(int64(d)) }

// end stops everything, so that the bubble can.
func (w *World) end() {
	w.StopLoad()
	for _, n := range w.nodes {
		n.disk.release()
		n.cancel()
	}
	for _, n := range w.nodes {
		<-n.done
		n.Node.Close()
	}
	time.Sleep(probeTime)
	synctest.Wait()
}

// probeTime is how long a probe of the gossip may outlive it.
const probeTime = 10 * time.Second

// Do writes at a node and returns the outcome.
func (n *Node) Do(ctx context.Context, c iam.Command) (iam.Result, error) {
	return n.Propose(ctx, iam.Envelope{Command: c, Request: n.world.history.request(), Actor: iam.FirstAccount.Root(), Time: iam.At(n.cfg.Now())})
}

// MustCreate creates a user through a node.
func (n *Node) MustCreate(name string) {
	n.world.t.Helper()
	r, err := n.Do(n.world.t.Context(), createUser(name))
	if err = errors.Join(err, refusal(r)); err != nil {
		n.world.t.Fatalf("create %s at %s: %v", name, n.host, err)
	}
}

func refusal(r iam.Result) error {
	if r.Err != nil {
		return r.Err
	}
	return nil
}

func createUser(name string) iam.Command {
	return iam.CreateUser{User: iam.User{Account: iam.FirstAccount, Name: name, Path: "/", ID: iam.UniqueID("AIDA" + name), Status: iam.Active}}
}

func deleteUser(name string) iam.Command {
	return iam.DeleteUser{User: iam.Ref{Account: iam.FirstAccount, Kind: iam.KindUser, Name: name}}
}
