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

// observe tells waiters when the role of this node or the leader changes, and keeps
// note of whom this node does not reach as leader.
func (n *Node) observe(ctx context.Context) {
	events := make(chan hraft.Observation, 64)
	observer := hraft.NewObserver(events, false, func(o *hraft.Observation) bool {
		switch o.Data.(type) {
		case hraft.RaftState, hraft.LeaderObservation, hraft.FailedHeartbeatObservation, hraft.ResumedHeartbeatObservation:
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
		case event := <-events:
			switch o := event.Data.(type) {
			case hraft.FailedHeartbeatObservation:
				n.contact.failed(string(o.PeerID), o.LastContact)
				continue
			case hraft.ResumedHeartbeatObservation:
				n.contact.resumed(string(o.PeerID))
				continue
			case hraft.RaftState:
				n.contact.begin()
			}
			n.changes.notify()
		}
	}
}

// contact is whom a leader has not reached, since when. It forgets with each role.
type contact struct {
	mu     sync.Mutex
	began  time.Time
	silent map[string]time.Time // by id
}

func (c *contact) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.began, c.silent = time.Now(), nil
}

// failed notes a member that did not answer, who was last heard at some time, possibly
// by nobody in this role.
func (c *contact) failed(id string, last time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last.Before(c.began) {
		last = c.began
	}
	if c.silent == nil {
		c.silent = make(map[string]time.Time)
	}
	c.silent[id] = last
}

func (c *contact) resumed(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.silent, id)
}

func (c *contact) silentFor(id string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	since, silent := c.silent[id]
	if !silent {
		return 0
	}
	return time.Since(since)
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
