package cluster

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/doorward/doorward/cluster/peer"
	"github.com/doorward/doorward/raft"
)

// MemberHealth is what the leader knows about a member.
type MemberHealth struct {
	peer.Health
	Seen time.Time // of the last answer

	well        bool      // it answered lately, and has no trouble
	caughtUp    bool      // it is close behind the leader
	stableSince time.Time // since when it has been both; zero: it is not
	silentSince time.Time // since when it has not answered this leader; zero: it does
}

// healths is what the leader has heard from each member.
type healths struct {
	mu  sync.Mutex
	all map[string]MemberHealth
}

func (h *healths) get(id string) MemberHealth {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all[id]
}

// replace keeps what is known about those who are members.
func (h *healths) replace(all map[string]MemberHealth) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = all
}

// reconcileLoop makes the leader look after the members: it asks each how it is,
// gives a vote to those that follow well, and removes those that are dead.
func (n *Node) reconcileLoop(ctx context.Context) error {
	tick := time.NewTicker(n.cfg.ReconcileEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if !n.raft.IsLeader() {
			n.health.replace(nil)
			continue
		}
		status := n.raft.Status()
		n.askAll(ctx, status)
		if id := n.candidate(status); id != "" {
			if err := n.Change(ctx, peer.Change{Op: peer.Promote, ID: id}); err != nil {
				n.log.Warn("cannot give a node a vote", "node", id, "error", err)
			} else {
				n.log.Info("node has a vote", "node", id)
			}
		}
		n.reap(ctx, status)
	}
}

// askTime is how long a member has to say how it is.
const askTime = time.Second

// askAll asks every other member how it is, all at the same time.
func (n *Node) askAll(ctx context.Context, s raft.Status) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	var mu sync.Mutex
	all := make(map[string]MemberHealth)
	var asked sync.WaitGroup
	for _, m := range s.Members {
		if m.ID == n.ID() {
			continue
		}
		asked.Go(func() {
			h := n.ask(ctx, m)
			mu.Lock()
			defer mu.Unlock()
			all[m.ID] = h
		})
	}
	asked.Wait()
	n.health.replace(all)
}

func (n *Node) ask(ctx context.Context, m raft.Member) MemberHealth {
	h := n.health.get(m.ID)
	h.well, h.caughtUp = false, false
	if answer, err := n.pool.Health(ctx, m.ID, m.Address); err == nil {
		h.Health, h.Seen = answer, n.cfg.Now()
		h.well = answer.Trouble == ""
		h.caughtUp = h.well && answer.Applied+n.cfg.CatchUp >= n.raft.Applied()
		h.silentSince = time.Time{}
	} else if h.silentSince.IsZero() {
		h.silentSince = time.Now()
	}
	switch {
	case !h.caughtUp:
		h.stableSince = time.Time{}
	case h.stableSince.IsZero():
		h.stableSince = time.Now()
	}
	return h
}

// candidate returns the member that should get a vote now, empty if none. Voters
// come in odd numbers, because an even number survives no more failures than one
// less and needs one more answer for each write: so a pair is waited for, unless
// the number is even already.
func (n *Node) candidate(s raft.Status) string {
	voters, ready := n.ready(s)
	if len(ready) == 0 || voters >= n.cfg.MaxVoters || voters%2 == 1 && len(ready) < 2 {
		return ""
	}
	return ready[0]
}

// ready returns the number of voters, and those members that could be one, too.
func (n *Node) ready(s raft.Status) (voters int, ready []string) {
	for _, m := range s.Members {
		if m.Voter {
			voters++
			continue
		}
		h := n.health.get(m.ID)
		if !h.stableSince.IsZero() && time.Since(h.stableSince) >= n.cfg.Stable {
			ready = append(ready, m.ID)
		}
	}
	return voters, ready
}

// compareLoop compares this node's state with the others'. Replicas that have applied
// the same log cannot differ; if they do, the few are wrong. A node that is says so
// in its log and in Trouble, which readiness follows, gives leadership away, and
// answers no consistent read and no write any more. The sum covers what sidecars see;
// sealed secrets and remembered requests it does not.
func (n *Node) compareLoop(ctx context.Context) error {
	tick := time.NewTicker(n.cfg.CompareEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			n.compare(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// compare asks every member for its sum where this node is now. Those that are not
// there yet, or not any more, do not count.
func (n *Node) compare(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timeout)
	defer cancel()
	if n.diverged.Load() {
		n.abdicate(ctx) // it may have been elected again
		return
	}
	index, sum := n.feed.Head()
	mine := sum.String()
	leader, _ := n.raft.Leader()
	var mu sync.Mutex
	holders := map[string][]string{mine: {n.ID()}}
	var asked sync.WaitGroup
	for _, m := range n.raft.Status().Members {
		if m.ID == n.ID() {
			continue
		}
		asked.Go(func() { // ends with ctx
			theirs, err := n.pool.SumAt(ctx, m.ID, m.Address, uint64(index))
			if err != nil || theirs == "" {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			holders[theirs] = append(holders[theirs], m.ID)
		})
	}
	asked.Wait()
	for theirs, ids := range holders {
		more := len(ids) > len(holders[mine])
		if theirs != mine && (more || len(ids) == len(holders[mine]) && slices.Contains(ids, leader)) {
			n.diverge(uint64(index), mine, theirs, ids)
			n.abdicate(ctx)
			return
		}
	}
}

// diverge takes this node out of service.
func (n *Node) diverge(index uint64, mine, theirs string, ids []string) {
	n.log.Error("state differs from that of other nodes", "node", n.ID(), "index", index, "sum", mine, "other_sum", theirs, "others", ids)
	trouble := fmt.Sprintf("the state at index %d differs from that of %d other nodes; move the data directory away and join again", index, len(ids))
	n.trouble.Store(&trouble)
	n.diverged.Store(true)
}

// abdicate gives leadership away, if this node has it.
func (n *Node) abdicate(ctx context.Context) {
	if err := n.handOver(ctx); err != nil {
		n.log.Error("cannot give leadership away", "error", err)
	}
}
