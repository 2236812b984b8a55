package raft

import (
	"context"
	"fmt"
	"sync"

	hraft "github.com/hashicorp/raft"
)

// readRound is one confirmation of leadership, shared by every reader that asked
// before it began.
type readRound struct {
	done  chan struct{} // closed when index and err are set
	index uint64
	err   error
}

// readRounds hands out the next round. A round that has begun takes no more
// readers: its proof would be older than their question.
type readRounds struct {
	mu     sync.Mutex
	next   *readRound
	wanted chan struct{}

	// readyTerm is a term in which this node, as leader, has committed an entry.
	// Before that its commit index may be behind. Only readLoop touches it.
	readyTerm uint64
}

func newReadRounds() *readRounds { return &readRounds{wanted: make(chan struct{}, 1)} }

func (r *readRounds) join() *readRound {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == nil {
		r.next = &readRound{done: make(chan struct{})}
		select {
		case r.wanted <- struct{}{}:
		default:
		}
	}
	return r.next
}

func (r *readRounds) begin() *readRound {
	r.mu.Lock()
	defer r.mu.Unlock()
	round := r.next
	r.next = nil
	return round
}

// ReadIndex returns an index such that a state machine that has applied it holds
// every command whose outcome anyone was told before the call (the linearizable
// read of the Raft dissertation, section 6.4). Only the leader can; the error is
// [ErrNotLeader], [ErrStopped] or ctx's. Follow it by [Node.WaitApplied], on any
// node.
func (n *Node) ReadIndex(ctx context.Context) (uint64, error) {
	r, err := n.ready()
	if err != nil {
		return 0, err
	}
	if r.State() != hraft.Leader {
		return 0, ErrNotLeader
	}
	round := n.reads.join()
	select {
	case <-round.done:
		return round.index, round.err
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-n.stopping:
		return 0, ErrStopped
	case <-n.failed:
		return 0, ErrStopped
	}
}

// readLoop confirms leadership for one round after the other.
func (n *Node) readLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.reads.wanted:
		}
		if round := n.reads.begin(); round != nil {
			round.index, round.err = n.confirm()
			close(round.done)
		}
	}
}

// confirm proves that this node leads now and returns the index of the last
// command that was committed when the proof began.
func (n *Node) confirm() (uint64, error) {
	term := n.raft.CurrentTerm()
	if n.raft.State() != hraft.Leader {
		return 0, ErrNotLeader
	}
	if n.reads.readyTerm != term || n.hasNonvoter() {
		return n.confirmByBarrier(term)
	}
	commit := n.raft.CommitIndex()
	if err := n.answer(n.raft.VerifyLeader()); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNotLeader, err)
	}
	if n.raft.CurrentTerm() != term {
		return 0, ErrNotLeader
	}
	return n.lastCommand(commit)
}

// confirmByBarrier writes an entry, which proves leadership and brings the commit
// index up to date. It is needed once in each term, and as long as there are
// members without a vote: the library counts their heartbeats towards the majority
// when it verifies a leader.
func (n *Node) confirmByBarrier(term uint64) (uint64, error) {
	if err := n.answer(n.raft.Barrier(0)); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNotLeader, err)
	}
	// Read before the term: what was applied by now includes what the barrier waited
	// for, whichever term it is.
	applied, _ := n.machine.applied.get()
	if n.raft.CurrentTerm() == term {
		n.reads.readyTerm = term
	}
	return applied, nil
}

// lastCommand returns the index of the last command at or before commit. Entries
// of other kinds never reach the state machine, so nobody could wait for them.
func (n *Node) lastCommand(commit uint64) (uint64, error) {
	applied, _ := n.machine.applied.get()
	for index := commit; index > applied; index-- {
		var entry hraft.Log
		switch err := n.logs.GetLog(index, &entry); {
		case err == hraft.ErrLogNotFound:
			// It has made way for a snapshot, which this node has restored.
			return applied, nil
		case err != nil:
			return 0, fmt.Errorf("%w: read log entry %d: %w", ErrNotLeader, index, err)
		case entry.Type == hraft.LogCommand:
			return index, nil
		}
		applied, _ = n.machine.applied.get()
	}
	return min(commit, applied), nil
}
