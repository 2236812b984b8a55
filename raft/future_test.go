package raft

import (
	"context"
	"reflect"
	"syscall"
	"testing"
	"testing/synctest"

	hraft "github.com/hashicorp/raft"
)

// TestQuestionsAreAbandonedWithALibraryThatHasLostItsMainGoroutine ends that goroutine,
// as a disk does that cannot store a term, while a reader's question waits for it.
func TestQuestionsAreAbandonedWithALibraryThatHasLostItsMainGoroutine(t *testing.T) {
	// The goroutine reads what waits for it in any order, so the question may be early.
	for range 10 {
		synctest.Test(t, func(t *testing.T) {
			busy, free := make(chan struct{}), make(chan struct{})
			var hung, failing bool
			cfg := fast(t.TempDir())
			cfg.Disk = func(op DiskOp) error {
				switch {
				case op == OpAppend && hung:
					hung = false
					close(busy)
					<-free
				case op == OpVote && failing:
					return syscall.EIO
				}
				return nil
			}
			n := open(t, cfg, newLedger())
			if err := n.Bootstrap(); err != nil {
				t.Fatal(err)
			}
			n.lead(t)
			hung, failing = true, true
			go n.Propose(t.Context(), []byte("x"))
			<-busy
			go n.ReadIndex(context.Background())
			synctest.Wait() // its question waits
			peer := n.transport.LocalAddr()
			_, caller := hraft.NewInmemTransport("caller")
			caller.Connect(peer, n.transport)
			go caller.AppendEntries("", peer, &hraft.AppendEntriesRequest{RPCHeader: hraft.RPCHeader{ProtocolVersion: hraft.ProtocolVersionMax}, Term: 99}, &hraft.AppendEntriesResponse{})
			synctest.Wait()
			close(free)
			<-n.done
			n.Close()
		})
	}
}

func TestFuturesOfTheLibraryCanBeAbandoned(t *testing.T) {
	n := alone(t, t.TempDir(), newLedger())
	for name, f := range map[string]hraft.Future{
		"verify":   n.raft.VerifyLeader(),
		"barrier":  n.raft.Barrier(0),
		"apply":    n.raft.Apply(nil, 0),
		"snapshot": n.raft.Snapshot(),
		"transfer": n.raft.LeadershipTransfer(),
		"member":   n.raft.RemoveServer("nobody", 0, 0),
	} {
		if c := abandoned(f); c.IsValid() && (!c.CanSet() || c.Type() != reflect.TypeFor[chan struct{}]()) {
			t.Errorf("%s: %v", name, c)
		} else if !c.IsValid() && reflect.TypeOf(f).Kind() == reflect.Pointer {
			t.Errorf("%s: has no channel", name)
		}
	}
}
