package clustertest

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/cluster"
	"github.com/doorward/doorward/cluster/mesh"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar"
	"github.com/doorward/doorward/sidecar/remote"
)

// host is a host with a sidecar.
type host struct {
	*sidecar.Authorizer
	world  *World
	name   string
	source *remote.Source
	cancel context.CancelFunc
	done   chan struct{}

	mu        sync.Mutex
	confirmed int
	restored  int
	lost      int
}

// sidecar starts a sidecar on a host of its own, which knows one node only.
func (w *World) sidecar(name string, knows *Node, change ...func(*sidecar.Config)) *host {
	w.t.Helper()
	h := &host{world: w, name: name, done: make(chan struct{})}
	member := mesh.Config{ID: name, Cluster: func() string { return "" }, Carrier: carrier{w.net, name}}
	source, err := remote.New(remote.Config{
		Nodes: []string{knows.host}, Name: name, Version: "test",
		Settle: func() error { return h.Settle() },
		Dial: func(ctx context.Context, address string) (net.Conn, error) {
			return mesh.Dial(ctx, member, mesh.Feed, "", address)
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	h.source = source
	config := sidecar.DefaultConfig()
	config.Callers, config.Keys = 1<<10, 1<<10
	count := func(n *int) { h.mu.Lock(); defer h.mu.Unlock(); *n++ }
	config.Events.Confirmed = func(time.Duration, error) { count(&h.confirmed) }
	config.Events.Restored = func(iam.Index, uint64) { count(&h.restored) }
	config.Events.SourceLost = func(error, time.Duration) { count(&h.lost) }
	for _, c := range change {
		c(&config)
	}
	if h.Authorizer, err = sidecar.New(config, source); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel = cancel
	// Ended by end, at the latest with the test.
	go func() { defer close(h.done); h.Run(ctx) }()
	w.t.Cleanup(h.end)
	return h
}

func (h *host) end() { h.cancel(); <-h.done }

func (h *host) count(n *int) int { h.mu.Lock(); defer h.mu.Unlock(); return *n }

// caughtUp waits until the sidecar has what the node has.
func (h *host) caughtUp(n *Node) time.Duration {
	h.world.t.Helper()
	want := n.View().Index()
	return h.world.Await(h.name+" has caught up", time.Minute, func() bool {
		s := h.Status()
		return s.Err == nil && s.Index >= want
	})
}

// within runs a scenario on a cluster of n without load.
func within(t *testing.T, n int, tune func(*cluster.Config), scenario func(*testing.T, *World)) {
	synctest.Test(t, func(t *testing.T) {
		w := New(t, n, tune)
		scenario(t, w)
		w.Heal()
		time.Sleep(10 * time.Second) // for what still waits for an answer
	})
}

func TestSidecarFollowsOverTheNetworkAndGoesToAnotherNode(t *testing.T) {
	within(t, 3, nil, func(t *testing.T, w *World) {
		h := w.sidecar("s1", w.Node(0))
		h.caughtUp(w.Leader())
		w.Leader().MustCreate("one")
		if took := h.caughtUp(w.Leader()); took > 100*time.Millisecond {
			t.Errorf("a change took %v", took)
		}
		for i := range 3 {
			followed := w.at(h.source.Node())
			followed.Crash()
			other := w.Others(followed)[0]
			other.MustCreate(fmt.Sprint("after", i))
			if took := h.caughtUp(other); took > 5*time.Second {
				t.Errorf("round %d: caught up at another node after %v", i, took)
			}
			followed.Restart()
			w.AwaitVoters(3)
		}
		if n := h.count(&h.restored); n != 1 {
			t.Errorf("the sidecar took %d snapshots; one is enough, the rest is resumed", n)
		}
	})
}

// at returns the node at an address.
func (w *World) at(address string) *Node {
	for _, n := range w.nodes {
		if n.host == address {
			return n
		}
	}
	w.t.Fatalf("nobody lives at %q", address)
	return nil
}

func TestSidecarLeavesANodeThatIsCutOffFromTheOthers(t *testing.T) {
	within(t, 3, nil, func(t *testing.T, w *World) {
		h := w.sidecar("s1", w.Node(0))
		h.caughtUp(w.Leader())
		alone := w.at(h.source.Node())
		w.Isolate(alone)
		w.Others(alone)[0].MustCreate("elsewhere")
		if took := h.caughtUp(w.Others(alone)[0]); took > 20*time.Second {
			t.Errorf("left the node that cannot tell what is current after %v", took)
		}
	})
}

// TestStoreStoppedForAnHourIsServedUntilMaxStalenessAndBackWithinASecond asks for
// decisions every second of an hour without the store, and after it.
func TestStoreStoppedForAnHourIsServedUntilMaxStalenessAndBackWithinASecond(t *testing.T) {
	within(t, 3, nil, func(t *testing.T, w *World) {
		s := newStorm(w, 1)
		h := s.sidecar("s1", w.Node(0))
		c := s.credential(w.Leader(), 0)
		h.caughtUp(w.Leader())
		if d := s.ask(h, c); !d.Allowed() {
			t.Fatalf("with the store: %s %s", d.Code(), d.Message())
		}
		for _, n := range w.nodes {
			n.Stop()
		}
		stopped, served := time.Now(), time.Duration(0)
		for ; time.Since(stopped) < time.Hour; time.Sleep(time.Second) {
			switch d := s.ask(h, c); {
			case d.Allowed() && served == 0:
			case d.Status() == 503:
				if served == 0 {
					served = time.Since(stopped)
				}
			default:
				t.Fatalf("%v without the store, having served for %v: %d %s", time.Since(stopped), served, d.Status(), d.Code())
			}
		}
		if served < 890*time.Second || served > 902*time.Second {
			t.Errorf("without the store it served for %v, want 15 minutes", served)
		}
		for _, n := range w.nodes {
			n.Restart()
		}
		w.Leader().MustCreate("back")
		if took := h.caughtUp(w.Leader()); took > time.Second {
			t.Errorf("back %v after the store", took)
		}
		if d := s.ask(h, c); !d.Allowed() {
			t.Errorf("with the store again: %s %s", d.Code(), d.Message())
		}
	})
}

func TestFenceWaitsForSidecarsOfAllNodesAndNamesThoseThatDoNotFollow(t *testing.T) {
	within(t, 3, nil, func(t *testing.T, w *World) {
		var hosts []*host
		for i := range 8 {
			hosts = append(hosts, w.sidecar(fmt.Sprint("s", i), w.Node(i%3)))
		}
		for _, h := range hosts {
			h.caughtUp(w.Leader())
		}
		w.Leader().MustCreate("one")
		at := w.Node(1).View().Index()
		began := time.Now()
		all := w.Node(1).Fence(t.Context(), at, 5*time.Second)
		if took := time.Since(began); took > 200*time.Millisecond {
			t.Errorf("the fence took %v", took)
		}
		if len(all.Followers) != 8 || len(all.Silent) != 0 {
			t.Fatalf("%d sidecars, silent nodes %v: %+v", len(all.Followers), all.Silent, all.Followers)
		}
		for _, f := range all.Followers {
			if f.Index < at || f.Version != "test" {
				t.Errorf("after the fence: %+v", f)
			}
		}

		// The host that is cut off is named, with the time until which it may serve.
		for _, n := range w.nodes {
			w.net.Set(n.host, "s3", true)
			w.net.Set("s3", n.host, true)
		}
		cut := time.Now()
		w.Leader().MustCreate("two")
		at = w.Leader().View().Index()
		behind := func(all cluster.Sidecars) (names []string, until time.Time) {
			for _, f := range all.Followers {
				if f.Index < at {
					names, until = append(names, f.Name), f.Proved.Add(15*time.Minute)
				}
			}
			return names, until
		}
		names, until := behind(w.Leader().Fence(t.Context(), at, 5*time.Second))
		if len(names) != 1 || names[0] != "s3" || until.Before(cut.Add(14*time.Minute)) || until.After(cut.Add(16*time.Minute)) {
			t.Errorf("behind: %v until %v after the cut, want s3 until 15 minutes after it", names, until.Sub(cut))
		}
		// It is still named when the node has noticed that it is gone, but not waited for.
		time.Sleep(2 * time.Minute)
		began = time.Now()
		if names, _ = behind(w.Leader().Fence(t.Context(), at, 5*time.Second)); len(names) != 1 {
			t.Errorf("two minutes later, behind: %v", names)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("a sidecar that has gone is waited for: %v", took)
		}
		for hosts[3].Status().Err == nil {
			time.Sleep(time.Second)
		}
		if time.Now().After(until.Add(2 * time.Second)) {
			t.Errorf("it served until %v after the cut, %v was promised", time.Since(cut), until.Sub(cut))
		}
		time.Sleep(time.Minute)
		if names, _ = behind(w.Leader().Fence(t.Context(), at, 5*time.Second)); len(names) != 0 {
			t.Errorf("named although it serves no more: %v", names)
		}
	})
}
