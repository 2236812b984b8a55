package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

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
// [ErrOverloaded], [ErrDiskFull], [ErrTooLarge] or [ErrStopped], all of which say
// that nothing happened, or [ErrUnknownOutcome]. A command with a request id is
// tried again by itself where its outcome is not known, because it cannot take
// effect twice.
func (n *Node) Propose(ctx context.Context, e iam.Envelope) (iam.Result, error) {
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
		case errors.Is(err, raft.ErrUnknownOutcome):
			unknown = err
			if !repeatable {
				return iam.Result{}, clusterError(err)
			}
		case !errors.Is(err, raft.ErrNotLeader):
			return iam.Result{}, clusterError(errors.Join(unknown, err))
		}
		if !wait(ctx, changed) {
			return iam.Result{}, clusterError(errors.Join(unknown, err, ctx.Err()))
		}
	}
}

// attempt gives a command to the leader once.
func (n *Node) attempt(ctx context.Context, command []byte) (iam.Result, error) {
	outcome, err := n.raft.Propose(ctx, command)
	if err != nil {
		return iam.Result{}, err
	}
	return outcome.Result.(iam.Result), nil
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
// before the call.
func (n *Node) readIndex(ctx context.Context) (iam.Index, error) {
	for {
		changed := n.raft.Changed()
		index, err := n.raft.ReadIndex(ctx)
		if err == nil {
			return iam.Index(index), nil
		}
		if !errors.Is(err, raft.ErrNotLeader) || !wait(ctx, changed) {
			return 0, clusterError(err)
		}
	}
}
