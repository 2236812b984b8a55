package raft

import (
	"context"
	"fmt"
	"sync"
	"time"

	hraft "github.com/hashicorp/raft"
)

// watch stops the node when its disk does not answer.
//
// A leader that hangs in a write keeps its followers loyal, because heartbeats come
// from other goroutines, and cannot step down, because the goroutine that would is
// the one that hangs (hashicorp/raft#503). Only the end of the process helps.
func (n *Node) watch(ctx context.Context) {
	tick := time.NewTicker(n.cfg.StallWarning / 20)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			n.checkStall(now)
		}
	}
}

func (n *Node) checkStall(now time.Time) {
	worst, waited := n.disk.slow(now)
	if worst == nil || waited < n.cfg.StallWarning {
		return
	}
	limit := n.cfg.FollowerStall
	if n.raft.State() == hraft.Leader {
		limit = n.cfg.LeaderStall
	}
	if waited >= limit {
		n.fail(fmt.Errorf("%w: %s has not returned for %v", ErrDiskStalled, worst.op, waited.Round(time.Millisecond)))
		return
	}
	if !worst.warned {
		worst.warned = true // only this goroutine touches it
		n.log.Warn("disk is slow", "op", string(worst.op), "waited", waited)
	}
}

// observe tells waiters when the role of this node or the leader changes.
func (n *Node) observe(ctx context.Context) {
	events := make(chan hraft.Observation, 16)
	observer := hraft.NewObserver(events, false, func(o *hraft.Observation) bool {
		switch o.Data.(type) {
		case hraft.RaftState, hraft.LeaderObservation:
			return true
		}
		return false
	})
	n.raft.RegisterObserver(observer)
	defer n.raft.DeregisterObserver(observer)
	n.changes.notify()
	for {
		select {
		case <-ctx.Done():
			return
		case <-events:
			n.changes.notify()
		}
	}
}

// notifier wakes everybody who waits.
type notifier struct {
	mu   sync.Mutex
	next chan struct{}
}

func newNotifier() *notifier { return &notifier{next: make(chan struct{})} }

func (c *notifier) wait() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.next
}

func (c *notifier) notify() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.next)
	c.next = make(chan struct{})
}
