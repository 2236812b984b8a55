package raft

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	hraft "github.com/hashicorp/raft"
)

// Member is a node in the latest configuration of the cluster.
type Member struct {
	ID      string
	Address string // host:port
	Voter   bool
	Silent  time.Duration // that this node, as the leader, has not reached it for; zero: it does
}

// Status is what a node knows about itself and its cluster.
type Status struct {
	ID            string
	Role          string // Leader, Follower, Candidate
	Term          uint64
	Leader        string // id; empty if none is known
	LeaderAddress string
	Last          uint64 // index of the last entry on the disk
	Committed     uint64
	Applied       uint64 // index of the last command in effect
	LastContact   time.Duration
	Members       []Member
	Configuration uint64        // index of the latest configuration
	Disk          time.Duration // that a write to the log takes, a moving average
	Free          uint64        // bytes that are left on the disk; zero if it cannot be asked
}

// Status returns what is known now; zero but for the id when the node does not run.
func (n *Node) Status() Status {
	s := Status{ID: n.id}
	r, err := n.ready()
	if err != nil {
		return s
	}
	s.Role, s.Term = r.State().String(), r.CurrentTerm()
	s.Leader, s.LeaderAddress = n.Leader()
	s.Last, s.Committed = r.LastIndex(), r.CommitIndex()
	s.Applied, _ = n.machine.applied.get()
	if contact := r.LastContact(); !contact.IsZero() && r.State() != hraft.Leader {
		s.LastContact = time.Since(contact)
	}
	s.Members, s.Configuration = n.members()
	s.Disk = time.Duration(n.disk.latency.Load())
	s.Free, _ = n.cfg.Free(n.cfg.Dir)
	return s
}

// Leader returns the id and address of the leader, empty if none is known.
func (n *Node) Leader() (id, address string) {
	r, err := n.ready()
	if err != nil {
		return "", ""
	}
	at, leader := r.LeaderWithID()
	_, address = splitAddress(at)
	return string(leader), address
}

// IsLeader reports whether this node leads, as far as it knows.
func (n *Node) IsLeader() bool {
	r, err := n.ready()
	return err == nil && r.State() == hraft.Leader
}

// Changed returns a channel that is closed when the role of this node or the
// leader has changed.
func (n *Node) Changed() <-chan struct{} { return n.changes.wait() }

// Applied returns the index of the last command in effect on this node.
func (n *Node) Applied() uint64 {
	applied, _ := n.machine.applied.get()
	return applied
}

func (n *Node) members() ([]Member, uint64) {
	future := n.raft.GetConfiguration()
	var members []Member
	for _, s := range future.Configuration().Servers {
		_, address := splitAddress(s.Address)
		id := string(s.ID)
		members = append(members, Member{id, address, s.Suffrage == hraft.Voter, n.contact.silentFor(id)})
	}
	return members, future.Index()
}

// admitted reports whether this node knows of a cluster.
func (n *Node) admitted() bool {
	r, err := n.ready()
	return err == nil && len(r.GetConfiguration().Configuration().Servers) > 0
}

func (n *Node) hasNonvoter() bool {
	for _, s := range n.raft.GetConfiguration().Configuration().Servers {
		if s.Suffrage != hraft.Voter {
			return true
		}
	}
	return false
}

// ErrMember: the membership change does not apply to the configuration there is.
var ErrMember = errors.New("raft: membership change refused")

// Bootstrap makes this node the only voter of a new cluster. It is refused if the
// node knows of a cluster already.
func (n *Node) Bootstrap() error {
	r, err := n.ready()
	if err != nil {
		return err
	}
	future := r.BootstrapCluster(hraft.Configuration{Servers: []hraft.Server{{
		ID: hraft.ServerID(n.id), Address: n.transport.LocalAddr(), Suffrage: hraft.Voter,
	}}})
	if err := future.Error(); err != nil {
		return fmt.Errorf("%w: bootstrap: %w", ErrMember, err)
	}
	return nil
}

// Add lets a node follow the log without a vote, or changes its address.
// A change of membership applies to the configuration at index prev only, zero for
// any; the leader alone can carry it out, and one at a time.
func (n *Node) Add(ctx context.Context, id, address string, prev uint64) error {
	return n.change(ctx, "add", func(r *hraft.Raft) hraft.IndexFuture {
		return r.AddNonvoter(hraft.ServerID(id), joinAddress(id, address), prev, changeTimeout)
	})
}

// Promote gives a node a vote, or changes a voter's address.
func (n *Node) Promote(ctx context.Context, id, address string, prev uint64) error {
	return n.change(ctx, "promote", func(r *hraft.Raft) hraft.IndexFuture {
		return r.AddVoter(hraft.ServerID(id), joinAddress(id, address), prev, changeTimeout)
	})
}

// Demote takes a node's vote.
func (n *Node) Demote(ctx context.Context, id string, prev uint64) error {
	return n.change(ctx, "demote", func(r *hraft.Raft) hraft.IndexFuture {
		return r.DemoteVoter(hraft.ServerID(id), prev, changeTimeout)
	})
}

// Remove takes a node out of the cluster. Its id is never used again.
func (n *Node) Remove(ctx context.Context, id string, prev uint64) error {
	return n.change(ctx, "remove", func(r *hraft.Raft) hraft.IndexFuture {
		return r.RemoveServer(hraft.ServerID(id), prev, changeTimeout)
	})
}

const changeTimeout = 5 * time.Second

func (n *Node) change(ctx context.Context, what string, f func(*hraft.Raft) hraft.IndexFuture) error {
	r, err := n.ready()
	if err != nil {
		return err
	}
	err = await(ctx, n, f(r))
	switch {
	case err == nil, errors.Is(err, ErrStopped):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %s: %w", ErrUnknownOutcome, what, err)
	case errors.Is(err, hraft.ErrNotLeader), errors.Is(err, hraft.ErrLeadershipTransferInProgress):
		return ErrNotLeader
	case errors.Is(err, hraft.ErrLeadershipLost):
		return fmt.Errorf("%w: %s: %w", ErrUnknownOutcome, what, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrMember, what, err)
}

// await waits for a future of the library, which knows nothing of contexts.
func await(ctx context.Context, n *Node, f hraft.Future) error {
	done := make(chan error, 1)
	go func() { done <- n.answer(f) }() // ends at the latest with the node
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-n.stopped:
		return ErrStopped
	}
}

// Transfer hands leadership to another voter, the most up to date one if id is
// empty, and returns once this node leads no longer. For half a minute after one that
// failed another is refused with [ErrMember], unless there was an election meanwhile.
func (n *Node) Transfer(ctx context.Context, id string) error {
	r, err := n.ready()
	if err != nil {
		return err
	}
	if r.State() != hraft.Leader {
		return ErrNotLeader
	}
	term := r.CurrentTerm()
	if left := n.handOver.wait(term); left > 0 {
		return fmt.Errorf("%w: transfer: the one before failed and may still be under way; try again in %v", ErrMember, left.Round(time.Second))
	}
	var future hraft.Future
	if id == "" {
		future = r.LeadershipTransfer()
	} else {
		address, ok := n.addressOf(id)
		if !ok {
			return fmt.Errorf("%w: transfer: %s is not a member", ErrMember, id)
		}
		future = r.LeadershipTransferToServer(hraft.ServerID(id), joinAddress(id, address))
	}
	if err := await(ctx, n, future); err != nil {
		n.handOver.failed(term)
		return fmt.Errorf("%w: transfer: %w", ErrMember, err)
	}
	return nil
}

// handOverPause is how long a request to a member that does not answer may take.
const handOverPause = 30 * time.Second

// handOver spaces transfers out. One that gave up leaves a question with the goroutine
// that replicates to the heir, which may be waiting for the network. If another comes
// before that has read it, and then an election, the library takes the transfer for one
// that goes on, for ever, and refuses every write when this node leads again
// (hashicorp/raft#696). Should it come to that all the same, the node stops with
// [ErrRestart].
type handOver struct {
	mu   sync.Mutex
	term uint64
	at   time.Time // when one failed in that term
}

func (h *handOver) failed(term uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.term, h.at = term, time.Now()
}

// wait returns how long it takes until a transfer may be tried in a term.
func (h *handOver) wait(term uint64) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.term != term {
		return 0
	}
	return handOverPause - time.Since(h.at)
}

func (n *Node) addressOf(id string) (string, bool) {
	members, _ := n.members()
	for _, m := range members {
		if m.ID == id {
			return m.Address, true
		}
	}
	return "", false
}

// TakeSnapshot writes a snapshot now and takes old entries off the log. That there
// is nothing new to write is no error.
func (n *Node) TakeSnapshot(ctx context.Context) error {
	r, err := n.ready()
	if err != nil {
		return err
	}
	// The library would write the same snapshot again, and fail within a millisecond of
	// the one before, because its name is that of the millisecond.
	if list, err := n.snaps.List(); err == nil && len(list) > 0 && list[0].Index >= r.AppliedIndex() {
		return nil
	}
	if err := await(ctx, n, r.Snapshot()); err != nil && !errors.Is(err, hraft.ErrNothingNewToSnapshot) {
		return fmt.Errorf("raft: snapshot: %w", err)
	}
	return nil
}
