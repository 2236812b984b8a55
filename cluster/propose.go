package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/doorward/doorward/cluster/peer"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/wire"
	"github.com/doorward/doorward/raft"
)

// retryPause bounds the wait for news of a leader before the next attempt.
const retryPause = 50 * time.Millisecond

// Propose writes: it returns once the command is committed and in effect on this
// node, so that [Node.View] shows it. Any node will do. While there is no leader it
// waits for one, up to Config.Timeout.
//
// A refused command is a Result with Err set. The error is [ErrUnavailable],
// [ErrOverloaded], [ErrDiskFull], [ErrTooLarge], [ErrLevel] or [ErrStopped], all of
// which say that nothing happened, or [ErrUnknownOutcome]. A command with a request id is
// tried again by itself where its outcome is not known, because it cannot take
// effect twice.
func (n *Node) Propose(ctx context.Context, e iam.Envelope) (iam.Result, error) {
	e.Command = n.spoken(e.Command)
	if err := n.mayPropose(e.Command); err != nil {
		return iam.Result{}, err
	}
	command, err := wire.AppendEntry(nil, e)
	if errors.Is(err, wire.ErrTooLarge) {
		return iam.Result{}, fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	if err != nil {
		return iam.Result{}, fmt.Errorf("cluster: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timeout)
	defer cancel()
	repeatable := e.Request != [16]byte{}
	var unknown error // set once an attempt may have taken effect
	for {
		changed := n.raft.Changed()
		result, err := n.attempt(ctx, command)
		switch {
		case err == nil:
			return result, nil
		case errors.Is(err, raft.ErrUnknownOutcome), errors.Is(err, peer.ErrNoAnswer):
			unknown = err
			if !repeatable {
				return iam.Result{}, clusterError(err)
			}
		case !errors.Is(err, raft.ErrNotLeader) && !errors.Is(err, peer.ErrUnreachable):
			return iam.Result{}, clusterError(errors.Join(unknown, err))
		}
		if !wait(ctx, changed) {
			return iam.Result{}, clusterError(errors.Join(unknown, err, ctx.Err()))
		}
	}
}

// attempt gives a command to the leader once, and waits until it is in effect here.
func (n *Node) attempt(ctx context.Context, command []byte) (iam.Result, error) {
	id, address := n.raft.Leader()
	if n.raft.IsLeader() || id == "" || id == n.ID() || n.pool == nil {
		outcome, err := n.raft.Propose(ctx, command)
		if err != nil {
			return iam.Result{}, err
		}
		return outcome.Result.(iam.Result), nil
	}
	leads, stop := n.whileLeads(ctx, id)
	defer stop()
	result, err := n.pool.Propose(ctx, leads.Done(), id, address, command)
	if err != nil {
		return iam.Result{}, err
	}
	if err := n.raft.WaitApplied(ctx, uint64(result.Index)); err != nil {
		return iam.Result{}, fmt.Errorf("%w: it is done, but not in effect on this node yet: %w", raft.ErrUnknownOutcome, err)
	}
	return result, nil
}

// whileLeads returns a context that ends when a node leads no longer, as far as
// this one knows: a question to a leader that is cut off would get no answer.
func (n *Node) whileLeads(ctx context.Context, id string) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() { // ends with the context
		defer cancel()
		for {
			changed := n.raft.Changed()
			if leader, _ := n.raft.Leader(); leader != id {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, cancel
}

// wait pauses until there is news of a leader. It reports false when ctx is done.
func wait(ctx context.Context, changed <-chan struct{}) bool {
	pause := time.NewTimer(retryPause)
	defer pause.Stop()
	select {
	case <-changed:
	case <-pause.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// readIndex returns an index at or past every command whose outcome anyone was told
// before the call. A question that got no answer is asked again: it changes nothing.
func (n *Node) readIndex(ctx context.Context) (iam.Index, error) {
	for {
		changed := n.raft.Changed()
		index, err := n.readIndexOnce(ctx)
		if err == nil {
			return iam.Index(index), nil
		}
		again := errors.Is(err, raft.ErrNotLeader) || errors.Is(err, peer.ErrUnreachable) || errors.Is(err, peer.ErrNoAnswer)
		if !again || !wait(ctx, changed) {
			return 0, readError(err)
		}
	}
}

func (n *Node) readIndexOnce(ctx context.Context) (uint64, error) {
	id, address := n.raft.Leader()
	if n.raft.IsLeader() || id == "" || id == n.ID() || n.pool == nil {
		return n.raft.ReadIndex(ctx)
	}
	leads, stop := n.whileLeads(ctx, id)
	defer stop()
	return n.pool.ReadIndex(ctx, leads.Done(), id, address)
}

// readError is [clusterError] for a question that can have changed nothing.
func readError(err error) error {
	if err = clusterError(err); errors.Is(err, ErrUnknownOutcome) {
		return fmt.Errorf("%w: %v", ErrUnavailable, err)
	}
	return err
}
