package cluster

import (
	"context"
	"time"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
)

// expireLoop makes the leader remove sessions that are over.
func (n *Node) expireLoop(ctx context.Context) error {
	tick := time.NewTicker(n.cfg.ExpireEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			n.expire(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// expire proposes batches until nothing is left that is over by the clock of this
// node. A failure waits for the next tick.
func (n *Node) expire(ctx context.Context) {
	for n.raft.IsLeader() {
		now := iam.At(n.cfg.Now())
		if !anyExpired(n.View(), now) {
			return
		}
		result, err := n.Propose(ctx, iam.Envelope{
			Command: iam.ExpireSessions{Cutoff: now, Max: n.cfg.ExpireBatch},
			Actor:   n.actor(), Time: now,
		})
		if err != nil || result.Err != nil || result.Count == 0 {
			n.log.Warn("could not remove expired sessions", "error", err, "refusal", result.Err)
			return
		}
		n.log.Debug("removed expired sessions", "count", result.Count, "index", result.Index)
	}
}

func anyExpired(v *state.View, now iam.Time) bool {
	for range v.Expiring(now) {
		return true
	}
	return false
}

// actor is who asks for what the store does by itself.
func (n *Node) actor() iam.ARN {
	return iam.ARN("arn:aws:iam::" + string(n.View().Store().Account) + ":doorward/node/" + n.ID())
}
