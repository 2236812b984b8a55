package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/wire"
)

// upkeepLoop keeps what has to be in order for the node to go on working: the
// feature level of the store, and the node's certificate.
func (n *Node) upkeepLoop(ctx context.Context) error {
	tick := time.NewTicker(n.cfg.ReconcileEvery)
	defer tick.Stop()
	for {
		if err := n.upkeep(ctx); err != nil && ctx.Err() == nil {
			n.log.Warn("upkeep", "error", err)
		}
		// The state may come right after the start.
		born := n.feed.News()
		if n.View().Store().ClusterID != "" {
			born = nil
		}
		select {
		case <-born:
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (n *Node) upkeep(ctx context.Context) error {
	if n.View().Store().ClusterID == "" {
		return nil
	}
	n.keeping.Lock() // Init keeps up, too, and two would make two authorities
	defer n.keeping.Unlock()
	err := errors.Join(n.raiseLevel(ctx), n.keepCertificate(ctx))
	if n.mesh != nil {
		n.mesh.Review()
	}
	return err
}

// opens reports whether the root key opens the secrets of the store. A node with
// another root key replicates and votes, but can verify no signature, so it is not
// fit for service. While the log is replayed the answer may be no, about secrets that
// have been sealed anew since; a yes is final.
func (n *Node) opens() bool {
	k := n.keys.Load()
	if n.opened.Load() || k == nil {
		return true
	}
	for s := range k.secrets(n.View()) {
		if _, err := k.seal.Open(s.of, s.sealed); err != nil {
			return false
		}
		n.opened.Store(true)
		break
	}
	return true
}

// raiseLevel makes the leader allow what this build knows as soon as every member
// has said that it knows it too. A member that does not answer is waited for.
func (n *Node) raiseLevel(ctx context.Context) error {
	if n.View().Level() >= n.cfg.Level || !n.raft.IsLeader() {
		return nil
	}
	for _, m := range n.raft.Status().Members {
		if m.ID != n.ID() && n.health.get(m.ID).Level < n.cfg.Level {
			return nil
		}
	}
	result, err := n.Propose(ctx, iam.Envelope{
		Command: iam.RaiseLevel{Level: n.cfg.Level}, Actor: n.actor(), Time: iam.At(n.cfg.Now()),
	})
	if err == nil && result.Err == nil {
		n.log.Info("feature level raised", "level", n.cfg.Level, "index", result.Index)
	}
	return err
}

// spoken takes the guard off a command that not every node knows how to keep yet:
// while builds without guards are members, the store does as they do.
func (n *Node) spoken(c iam.Command) iam.Command {
	if g, guarded := c.(iam.Guarded); guarded && wire.LevelOf(c) > n.View().Level() {
		return g.Command
	}
	return c
}

// mayPropose refuses the commands of a node that has lost its way, and those that not
// every node of the store can be relied on to know. What raises the level is itself
// proposed only when all know it.
func (n *Node) mayPropose(c iam.Command) error {
	if n.diverged.Load() {
		return ErrDiverged
	}
	if _, raises := c.(iam.RaiseLevel); raises || wire.LevelOf(c) <= n.View().Level() {
		return nil
	}
	return ErrLevel
}
