package clustertest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/cluster"
	"github.com/doorward/doorward/cluster/peer"
)

// TestAnInterruptedTransferRefusesNoWritesForGood is hashicorp/raft#696: a leader that
// is deposed while it tries for the second time to hand leadership over takes that for a
// transfer that goes on, when it leads again.
func TestAnInterruptedTransferRefusesNoWritesForGood(t *testing.T) {
	in(t, 3, nil, func(t *testing.T, w *World) {
		for round := range 3 {
			old, heir := w.Leader(), w.Follower()
			w.Cut(old, heir)
			old.MustCreate(fmt.Sprint("missed", round)) // by the heir
			handOver := peer.Change{Op: peer.Transfer, ID: heir.ID()}
			for _, want := range []string{"timeout", "try again in 30s"} {
				if err := old.Node.Change(t.Context(), handOver); !errors.Is(err, cluster.ErrMember) || !strings.Contains(err.Error(), want) {
					t.Errorf("a transfer to a node that cannot be reached: %v, want an ErrMember with %q", err, want)
				}
			}
			w.Isolate(old)
			w.Await("somebody else leads", time.Minute, func() bool { return w.Leader() != old })
			w.Heal()
			w.Await("it leads again", 5*time.Minute, func() bool {
				if w.Leader() != old {
					w.Change(peer.Transfer, old) // refused until it has caught up
					time.Sleep(time.Second)
				}
				return w.Leader() == old
			})
			old.MustCreate(fmt.Sprint("again", round))
		}
	})
}

// TestMembersWithoutAVoteProveNoLeader: the library counts them towards the majority
// that confirms a leader.
func TestMembersWithoutAVoteProveNoLeader(t *testing.T) {
	in(t, 3, func(c *cluster.Config) { c.Stable, c.Timeout = 20*time.Second, 3*time.Second }, func(t *testing.T, w *World) {
		leader := w.Leader()
		voters := w.Others(leader)
		for range 2 {
			if err := w.Add().Join(t.Context(), []string{leader.host}); err != nil {
				t.Fatal(err)
			}
		}
		last := leader.View().Index()
		for _, n := range w.nodes[3:] {
			if _, err := n.WaitFor(t.Context(), last); err != nil {
				t.Fatal(err)
			}
		}
		for _, n := range voters {
			w.Cut(leader, n)
		}
		if _, err := leader.Consistent(t.Context()); err == nil {
			t.Error("a consistent read was served by a leader that reaches one voter of three, itself")
		}
	})
}

// TestAFollowerThatRefusesEntriesForAWhileIsReplicatedToAgain is hashicorp/raft#612: a
// pipeline to a follower that refuses may wedge, and only heartbeats arrive from then on.
func TestAFollowerThatRefusesEntriesForAWhileIsReplicatedToAgain(t *testing.T) {
	in(t, 3, nil, func(t *testing.T, w *World) {
		leader, full := w.Leader(), w.Follower()
		for round := range 2 {
			var writes sync.WaitGroup
			for i := range 100 {
				writes.Go(func() {
					for j := range 100 {
						leader.Do(t.Context(), createUser(fmt.Sprint("pipe", round, "-", i, "-", j)))
					}
				})
			}
			time.Sleep(20 * time.Millisecond)
			full.FillDisk(1 << 10)
			time.Sleep(time.Second)
			full.FillDisk(plentyOfRoom)
			writes.Wait()
			if _, err := full.WaitFor(t.Context(), w.Leader().View().Index()); err != nil {
				t.Error(err)
			}
		}
	})
}
