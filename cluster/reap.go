package cluster

import (
	"context"
	"time"

	"github.com/doorward/doorward/cluster/gossip"
	"github.com/doorward/doorward/cluster/peer"
	"github.com/doorward/doorward/raft"
)

// fewestVoters is how many voters a removal of a dead one leaves at least, unless
// another member stands by to vote in its place: two voters survive no failure, and
// the dead one might come back.
const fewestVoters = 3

// reap removes one member that is dead, if there is one and the store is better off
// without it.
func (n *Node) reap(ctx context.Context, s raft.Status) {
	id := n.deadMember(s)
	if id == "" {
		return
	}
	n.reaped = time.Now()
	if err := n.Change(ctx, peer.Change{Op: peer.Remove, ID: id}); err != nil {
		n.log.Warn("cannot remove a dead node", "node", id, "error", err)
		return
	}
	n.log.Warn("dead node removed", "node", id, "silent_for", n.cfg.RemoveDeadAfter.String())
}

// deadMember returns a member that should be removed now, empty if there is none: one
// without a vote before one with. One is removed at a time, and the next after the
// others have been stable without it.
func (n *Node) deadMember(s raft.Status) string {
	if n.cfg.RemoveDeadAfter == 0 || time.Since(n.reaped) < n.cfg.Stable {
		return ""
	}
	heard := n.Heard()
	if n.cfg.Gossip != "" && !hearsAnybody(heard, n.ID()) {
		return "" // blind: nobody could object
	}
	dead := ""
	for _, m := range s.Members {
		switch {
		case m.ID == n.ID() || !n.isDead(m, heard[m.ID]):
		case !m.Voter:
			return m.ID
		case dead == "" && n.dispensable(m, s):
			dead = m.ID
		}
	}
	return dead
}

// isDead reports whether a member has been silent to the log and to questions of this
// leader for long enough. The gossip may object: it hears from those that the leader
// alone does not reach.
func (n *Node) isDead(m raft.Member, heard gossip.State) bool {
	since := n.health.get(m.ID).silentSince
	silent := !since.IsZero() && time.Since(since) >= n.cfg.RemoveDeadAfter && m.Silent >= n.cfg.RemoveDeadAfter
	return silent && heard != gossip.Alive && heard != gossip.Suspect
}

// dispensable reports whether a majority of the other voters is well, and there are
// enough of them or somebody who stands by.
func (n *Node) dispensable(m raft.Member, s raft.Status) bool {
	voters, well := n.without(m.ID, s)
	_, ready := n.ready(s)
	return well >= voters/2+1 && (voters >= fewestVoters || len(ready) > 0)
}

func hearsAnybody(heard map[string]gossip.State, but string) bool {
	for id, state := range heard {
		if id != but && state == gossip.Alive {
			return true
		}
	}
	return false
}
