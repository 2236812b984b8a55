package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/doorward/doorward/cluster/feed"
	"github.com/doorward/doorward/fsm"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/raft"
)

// Node is one member of the store. All methods are safe for concurrent use.
type Node struct {
	cfg     Config
	log     *slog.Logger
	machine *fsm.Machine
	feed    *feed.Feed
	raft    *raft.Node
	keys    atomic.Pointer[keys] // nil until the node belongs to a cluster
	birth   sync.Mutex           // held by Init
}

// Open makes a node from its data directory and reads the root key. It refuses a
// directory that another process uses and damaged files, as raft.Open does. It
// starts nothing; a node that is not run has to be closed.
func Open(cfg Config) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.setDefaults()
	n := &Node{cfg: cfg, log: cfg.Logger, machine: fsm.New()}
	cluster, err := readCluster(cfg.Dir)
	if err != nil {
		return nil, err
	}
	if cluster != "" {
		k, err := n.deriveKeys(cluster)
		if err != nil {
			return nil, err
		}
		n.keys.Store(k)
	}
	r := &replica{machine: n.machine, log: n.log}
	if n.raft, err = raft.Open(cfg.Raft, r); err != nil {
		return nil, err
	}
	n.feed = feed.New(feed.Config{
		Node: n.raft.ID(), View: n.machine.View, TokenKeys: n.tokenKeys, OpenSecret: n.OpenSecret,
		Now: cfg.Now, Regions: cfg.Regions,
	})
	r.feed = n.feed
	return n, nil
}

// Run works until ctx is done, which gives nil, or the node cannot go on safely,
// which gives the reason. It leaves nothing running. After an error the process
// should end: a disk that hangs may hold a goroutine for ever.
func (n *Node) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var parts sync.WaitGroup
	// The log goes last, so that what the others have proposed is still answered.
	for _, part := range []func(context.Context) error{n.feed.Run, n.expireLoop} {
		parts.Go(func() { part(ctx) }) // ended by stop
	}
	log, stopLog := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLog()
	failed := make(chan error, 1)
	go func() { failed <- n.raft.Run(log) }() // ended by stopLog
	select {
	case err := <-failed:
		stop()
		parts.Wait()
		return err
	case <-ctx.Done():
		parts.Wait()
		stopLog()
		return <-failed
	}
}

// Close releases a node that was never run, and waits for one whose Run is ending.
func (n *Node) Close() error { return n.raft.Close() }

// Running is closed once the node takes part in its cluster.
func (n *Node) Running() <-chan struct{} { return n.raft.Running() }

// ID returns the id of the node, which belongs to its data directory.
func (n *Node) ID() string { return n.raft.ID() }

// View returns the newest local view, without waiting for anything.
func (n *Node) View() *state.View { return n.machine.View() }

// Consistent returns a view that holds every command whose outcome anyone was told
// before the call (linearizable). The error is [ErrUnavailable], [ErrStopped] or
// ctx's.
func (n *Node) Consistent(ctx context.Context) (*state.View, error) {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timeout)
	defer cancel()
	index, err := n.readIndex(ctx)
	if err != nil {
		return nil, err
	}
	return n.WaitFor(ctx, index)
}

// WaitFor returns a local view at or past index. The error is [ErrUnavailable],
// [ErrStopped] or ctx's.
func (n *Node) WaitFor(ctx context.Context, index iam.Index) (*state.View, error) {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timeout)
	defer cancel()
	if err := n.raft.WaitApplied(ctx, uint64(index)); err != nil {
		return nil, clusterError(err)
	}
	return n.View(), nil
}

// clusterError says what an error of the log means to the callers of a node.
func clusterError(err error) error {
	for _, pair := range [][2]error{
		{raft.ErrUnknownOutcome, ErrUnknownOutcome},
		{raft.ErrOverloaded, ErrOverloaded},
		{raft.ErrDiskFull, ErrDiskFull},
		{raft.ErrTooLarge, ErrTooLarge},
		{raft.ErrStopped, ErrStopped},
		{raft.ErrNotLeader, ErrUnavailable},
		{raft.ErrCancelled, ErrUnavailable},
		{context.DeadlineExceeded, ErrUnavailable},
	} {
		if errors.Is(err, pair[0]) {
			return fmt.Errorf("%w: %w", pair[1], err)
		}
	}
	return err
}
