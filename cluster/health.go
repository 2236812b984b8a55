package cluster

import (
	"context"
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
// and gives a vote to those that follow well.
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
	voters := 0
	var ready []string
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
	if len(ready) == 0 || voters >= n.cfg.MaxVoters || voters%2 == 1 && len(ready) < 2 {
		return ""
	}
	return ready[0]
}

// compareLoop compares this node's state with the leader's. Two replicas that have
// applied the same log cannot differ; if they do, this node says so in its log and
// in Trouble, which readiness follows. It goes on answering whoever asks it anyway.
// The sum covers what sidecars see; sealed secrets and remembered requests it does
// not.
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

func (n *Node) compare(ctx context.Context) {
	id, address := n.raft.Leader()
	if id == "" || id == n.ID() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timeout)
	defer cancel()
	index, mine := n.feed.Head()
	theirs, err := n.pool.SumAt(ctx, id, address, uint64(index))
	if err != nil || theirs == "" {
		return // the leader no longer knows, or not yet
	}
	if theirs != mine.String() {
		trouble := "the state differs from the leader's; move the data directory away and join again"
		n.trouble.Store(&trouble)
		n.log.Error("state differs from the leader's", "node", n.ID(), "leader", id, "index", index, "sum", mine.String(), "leader_sum", theirs)
	}
}
