package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/doorward/doorward/cluster/peer"
	"github.com/doorward/doorward/raft"
)

// ErrMember: a change of membership does not fit the cluster as it is. The message
// says why, and whether force would help.
var ErrMember = raft.ErrMember

// Change carries out a change of membership, at the leader wherever that is.
func (n *Node) Change(ctx context.Context, c peer.Change) error {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timeout)
	defer cancel()
	for {
		changed := n.raft.Changed()
		err := n.changeOnce(ctx, c)
		if !errors.Is(err, raft.ErrNotLeader) && !errors.Is(err, peer.ErrUnreachable) {
			return err
		}
		if !wait(ctx, changed) {
			return clusterError(errors.Join(err, ctx.Err()))
		}
	}
}

// changeOnce carries a change out here, or has the leader do so.
func (n *Node) changeOnce(ctx context.Context, c peer.Change) error {
	if n.raft.IsLeader() {
		return n.changeHere(ctx, c)
	}
	id, address := n.raft.Leader()
	if c.Passed || id == "" || n.pool == nil || id == n.ID() {
		return raft.ErrNotLeader
	}
	c.Passed = true
	return n.pool.Change(ctx, id, address, c)
}

// changeHere carries out a change on the leader. It proves first that it leads, so
// that nobody is told that he is no member by a node that was itself cut off.
func (n *Node) changeHere(ctx context.Context, c peer.Change) error {
	if _, err := n.raft.ReadIndex(ctx); err != nil {
		return err
	}
	status := n.raft.Status()
	m, known := member(status, c.ID)
	if !known && c.ID != "" && c.Op != peer.Join {
		return fmt.Errorf("%w: %s is not a member", ErrMember, c.ID)
	}
	switch c.Op {
	case peer.Join:
		if level := n.View().Level(); max(c.Level, 1) < level {
			return fmt.Errorf("%w: the build of %s knows feature level %d and the store is at %d; upgrade it first", ErrMember, c.ID, max(c.Level, 1), level)
		}
		if known {
			return n.moved(ctx, m, c.Address, status)
		}
		return n.raft.Add(ctx, c.ID, c.Address, status.Configuration)
	case peer.Announce:
		return n.moved(ctx, m, c.Address, status)
	case peer.Promote:
		return n.promote(ctx, m, c.Force, status)
	case peer.Remove:
		return n.remove(ctx, m, c.Force, status)
	case peer.Transfer:
		return n.raft.Transfer(ctx, c.ID)
	}
	return fmt.Errorf("%w: %q is not a change", ErrMember, c.Op)
}

func member(s raft.Status, id string) (raft.Member, bool) {
	for _, m := range s.Members {
		if m.ID == id {
			return m, true
		}
	}
	return raft.Member{}, false
}

func (n *Node) moved(ctx context.Context, m raft.Member, address string, s raft.Status) error {
	switch {
	case m.Address == address:
		return nil
	case m.Voter:
		return n.raft.Promote(ctx, m.ID, address, s.Configuration)
	}
	return n.raft.Add(ctx, m.ID, address, s.Configuration)
}

func (n *Node) promote(ctx context.Context, m raft.Member, force bool, s raft.Status) error {
	if m.Voter {
		return nil
	}
	if h := n.health.get(m.ID); !force && !h.caughtUp {
		return fmt.Errorf("%w: %s has not caught up with the log; wait, or use force", ErrMember, m.ID)
	}
	return n.raft.Promote(ctx, m.ID, m.Address, s.Configuration)
}

// remove takes a member out. A voter goes only if a majority of those that remain
// is well, because otherwise nothing could be written any more.
func (n *Node) remove(ctx context.Context, m raft.Member, force bool, s raft.Status) error {
	if m.Voter && !force {
		n.askAll(ctx, s) // this node may lead only since now
		voters, well := n.without(m.ID, s)
		if well < voters/2+1 {
			return fmt.Errorf("%w: without %s, %d of %d voters would be well, and %d are needed; bring them back first, or use force", ErrMember, m.ID, well, voters, voters/2+1)
		}
	}
	return n.raft.Remove(ctx, m.ID, s.Configuration)
}

// without returns how many voters there would be without a member, and how many of
// them are well.
func (n *Node) without(id string, s raft.Status) (voters, well int) {
	for _, other := range s.Members {
		if !other.Voter || other.ID == id {
			continue
		}
		voters++
		if other.ID == n.ID() || n.health.get(other.ID).well {
			well++
		}
	}
	return voters, well
}

// Join makes this node a member of the cluster that lives at one of the addresses.
// It first follows the log without a vote; the leader gives it one when it has
// caught up. The node has to be running, to belong to no other cluster, and to have
// the same root key. Join returns when the node holds the cluster's state.
func (n *Node) Join(ctx context.Context, addresses []string) error {
	n.birth.Lock()
	defer n.birth.Unlock()
	if n.pool == nil {
		return errors.New("cluster: a node that listens on no address cannot join")
	}
	select {
	case <-n.Running():
	case <-ctx.Done():
		return ctx.Err()
	}
	var reasons []error
	for _, address := range addresses {
		err := n.joinAt(ctx, address)
		if err == nil {
			return n.awaitState(ctx)
		}
		reasons = append(reasons, fmt.Errorf("join at %s: %w", address, err))
	}
	return errors.Join(reasons...)
}

func (n *Node) joinAt(ctx context.Context, address string) error {
	card, err := n.pool.Meet(ctx, address)
	if err != nil {
		return err
	}
	if card.Cluster == "" {
		return fmt.Errorf("%w: node %s belongs to no cluster itself", ErrNotInitialized, card.ID)
	}
	if n.clusterID() == "" {
		k, err := n.deriveKeys(card.Cluster)
		if err != nil {
			return err
		}
		if !k.seal.Knows(card.SealKey) {
			return errors.New("the root key of this node is not that of the cluster; copy the cluster's root key here first")
		}
		// Before the leader knows of this node: it is called for its cluster at once.
		if err := n.adopt(card.Cluster); err != nil {
			return err
		}
	}
	c := peer.Change{Op: peer.Join, ID: n.ID(), Address: n.mesh.Address(), Level: n.cfg.Level}
	for {
		err := n.pool.Change(ctx, card.ID, address, c)
		if !errors.Is(err, raft.ErrNotLeader) || !wait(ctx, nil) {
			return err
		}
	}
}

// awaitState waits until the log has brought the cluster's state.
func (n *Node) awaitState(ctx context.Context) error {
	for n.View().Store().ClusterID == "" {
		if !wait(ctx, n.feed.News()) {
			return fmt.Errorf("cluster: joined, but the state has not come yet: %w", ctx.Err())
		}
	}
	return nil
}

// Leave takes this node out of its cluster for good: leadership goes to another,
// then the leader removes it. The data directory is of no use afterwards.
func (n *Node) Leave(ctx context.Context, force bool) error {
	if err := n.handOver(ctx); err != nil && !force {
		return err
	}
	if err := n.Change(ctx, peer.Change{Op: peer.Remove, ID: n.ID(), Force: force}); err != nil {
		select {
		case <-n.removed: // the news was quicker than the answer
			return nil
		default:
			return err
		}
	}
	return n.markRemoved()
}

// handOver gives leadership away, if this node has it and another voter exists.
func (n *Node) handOver(ctx context.Context) error {
	for n.raft.IsLeader() {
		voters := 0
		for _, m := range n.raft.Status().Members {
			if m.Voter {
				voters++
			}
		}
		if voters < 2 {
			return fmt.Errorf("%w: this is the only voter", ErrMember)
		}
		changed := n.raft.Changed()
		if err := n.raft.Transfer(ctx, ""); err != nil && !errors.Is(err, raft.ErrNotLeader) {
			return err
		}
		if n.raft.IsLeader() && !wait(ctx, changed) {
			return ctx.Err()
		}
	}
	return nil
}

// handOverTime bounds the farewell of a leader that is told to stop.
const handOverTime = time.Second
