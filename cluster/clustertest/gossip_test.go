package clustertest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/doorward/doorward/cluster/gossip"
	"github.com/doorward/doorward/iam"
)

// has returns what the gossip of n has about another node.
func (n *Node) has(other *Node) gossip.State { return n.Heard()[other.ID()] }

// awaitGossip waits until every running node has every other one as running nodes are
// had.
func (w *World) awaitGossip() {
	w.t.Helper()
	w.Await("every node hears of every other", time.Minute, func() bool {
		for _, n := range w.nodes {
			for _, other := range w.Others(n) {
				if n.running() && other.running() && n.has(other) != gossip.Alive {
					return false
				}
			}
		}
		return true
	})
}

func TestGossipTellsWhoIsAliveWhoHasLeftAndWhoIsDead(t *testing.T) {
	in(t, 3, Gossiping, func(t *testing.T, w *World) {
		w.awaitGossip()
		stopped, killed, watching := w.Node(1), w.Node(2), w.Node(0)
		stopped.Stop()
		w.Await("the one that was stopped has left", 10*time.Second, func() bool { return watching.has(stopped) == gossip.Left })
		stopped.Restart()
		w.awaitGossip()
		w.Isolate(killed)
		w.Await("the one that is cut off is suspect", time.Minute, func() bool { return watching.has(killed) == gossip.Suspect })
		w.Await("it is given up", 2*time.Minute, func() bool { return watching.has(killed) == gossip.Dead })
		w.Heal()
		w.awaitGossip()
	})
}

func TestNodesWorkFullyWhileGossipIsMute(t *testing.T) {
	in(t, 3, Gossiping, func(t *testing.T, w *World) {
		w.MuteGossip(true)
		leader := w.Leader()
		leader.Crash()
		w.Others(leader)[0].MustCreate("after the leader")
		leader.Restart()
		joiner := w.Add()
		if err := joiner.Join(t.Context(), []string{w.Node(0).host}); err != nil {
			t.Fatal(err)
		}
		joiner.MustCreate("through the joiner")
		if s := w.Node(0).has(w.Node(1)); s == gossip.Alive {
			t.Errorf("the gossip is mute and has a node as %s", s)
		}
		w.MuteGossip(false)
		w.awaitGossip()
	})
}

func TestGossipKeyIsReplacedThoughANodeIsDown(t *testing.T) {
	in(t, 3, Gossiping, func(t *testing.T, w *World) {
		w.awaitGossip()
		away := w.Follower()
		away.Stop()
		w.Leader()
		for round := uint32(1); round <= 3; round++ {
			r, err := w.Others(away)[0].RotateGossip(t.Context())
			if err != nil || r.Key != round || !slices.Equal(r.Absent, []string{away.ID()}) {
				t.Fatalf("rotation %d: %+v, %v", round, r, err)
			}
		}
		away.Restart()
		w.awaitGossip()
		if r, err := away.RotateGossip(t.Context()); err != nil || r.Key != 4 || len(r.Absent) != 0 {
			t.Errorf("a rotation with all nodes: %+v, %v", r, err)
		}
		w.awaitGossip()
	})
}

func TestGossipLosesNobodyWhileItsKeyIsReplaced(t *testing.T) {
	in(t, 3, Gossiping, func(t *testing.T, w *World) {
		w.awaitGossip()
		w.settle()
		for range 3 {
			if _, err := w.Leader().RotateGossip(t.Context()); err != nil {
				t.Fatal(err)
			}
			for range 4 {
				time.Sleep(time.Second)
				for _, n := range w.nodes {
					for _, other := range w.Others(n) {
						if s := n.has(other); s != gossip.Alive {
							t.Fatalf("%s has %s as %q", n.host, other.host, s)
						}
					}
				}
			}
		}
	})
}

// TestGossipKeysComeFromTheLogThoughNobodyAsks makes the steps of a rotation without
// asking the nodes how far they are. Nobody asks the leader at all: what it has of the
// log is its own doing.
func TestGossipKeysComeFromTheLogThoughNobodyAsks(t *testing.T) {
	in(t, 3, Gossiping, func(t *testing.T, w *World) {
		w.awaitGossip()
		w.settle()
		leader := w.Leader()
		for was := (iam.Gossip{}); ; was = was.Next() {
			r, err := leader.Do(t.Context(), iam.PutGossip{Was: was, Now: was.Next()})
			if err = errors.Join(err, refusal(r)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
			if done := was.Next(); done.Oldest == done.Newest {
				break
			}
		}
		for range 30 {
			time.Sleep(time.Second)
			for _, n := range w.Others(leader) {
				if to, fro := leader.has(n), n.has(leader); to != gossip.Alive || fro != gossip.Alive {
					t.Fatalf("the leader %s has %s as %q, and is had as %q", leader.host, n.host, to, fro)
				}
			}
		}
	})
}

// TestStrangersWithoutTheKeyAreNotHeard lets somebody without the key say to be a
// member who has moved.
func TestStrangersWithoutTheKeyAreNotHeard(t *testing.T) {
	in(t, 3, Gossiping, func(t *testing.T, w *World) {
		w.awaitGossip()
		stranger, err := gossip.Start(t.Context(), gossip.Config{
			ID: w.Node(1).ID(), Cluster: w.Node(0).Status().Cluster, Address: "elsewhere", Listen: "host9", Host: "host9",
			Keys: gossip.Keys{Use: make([]byte, gossip.KeySize)}, Carrier: whisperer{carrier{w.net, "host9"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer stranger.Close()
		if err := stranger.Join(ipOf(w.Node(0).host) + ":8472"); err == nil {
			t.Error("a stranger has met the gossip")
		}
		time.Sleep(10 * time.Second)
		w.awaitGossip()
		w.Node(0).MustCreate("after the stranger")
	})
}
