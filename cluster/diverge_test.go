package cluster

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/doorward/doorward/cluster/peer"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/iam/wire"
)

// haunted starts a node that holds a user that no log ever made.
func haunted(t *testing.T, cfg Config) *started {
	t.Helper()
	n, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ghost := state.Empty().Apply(0, []iam.Change{{User: &iam.User{Account: iam.FirstAccount, Name: "ghost", Path: "/"}}})
	n.machine.Load(&wire.Snapshot{View: ghost})
	ctx, cancel := context.WithCancel(context.Background())
	s := &started{Node: n, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		s.err = n.Run(ctx)
	}()
	t.Cleanup(func() { s.stop(t) })
	<-n.Running()
	return s
}

func TestANodeThatDiffersFromTheOthersLeavesService(t *testing.T) {
	for name, leads := range map[string]bool{"a node that follows": false, "a node that leads": true} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t)
			first, _ := newStore(t, w.config(0))
			wrong := haunted(t, w.config(1))
			third := start(t, w.config(2))
			w.nodes = []*started{first, wrong, third}
			for _, s := range w.nodes[1:] {
				if err := s.Join(t.Context(), []string{first.Address()}); err != nil {
					t.Fatal(err)
				}
			}
			if leads {
				for _, s := range w.nodes { // it finds out by itself once it leads
					if err := first.Change(t.Context(), peer.Change{Op: peer.Promote, ID: s.ID(), Force: true}); err != nil {
						t.Fatal(err)
					}
				}
				// It may have found out before; then it refuses to lead for long.
				if err := first.Change(t.Context(), peer.Change{Op: peer.Transfer, ID: wrong.ID()}); err != nil && !errors.Is(err, ErrMember) {
					t.Fatal(err)
				}
			}
			w.until("it notices", func() bool { return wrong.Trouble() != "" })
			if _, err := wrong.Consistent(t.Context()); !errors.Is(err, ErrDiverged) {
				t.Errorf("a consistent read: %v", err)
			}
			if _, err := wrong.Propose(t.Context(), iam.Envelope{Command: createUser("alice"), Time: iam.At(time.Now())}); !errors.Is(err, ErrDiverged) {
				t.Errorf("a write: %v", err)
			}
			w.until("another leads", func() bool { return first.raft.IsLeader() || third.raft.IsLeader() })
			first.do(t, createUser("bob"))
			if first.Trouble() != "" || third.Trouble() != "" {
				t.Errorf("the others are in trouble, too: %q, %q", first.Trouble(), third.Trouble())
			}
		})
	}
}
