package cluster

import (
	"context"
	"time"

	"github.com/doorward/doorward/cluster/feed"
	"github.com/doorward/doorward/cluster/peer"
	"github.com/doorward/doorward/cluster/pki"
	"github.com/doorward/doorward/iam"
)

// handler answers other nodes. It never passes a command on: who asks has found
// the leader, or asks again.
type handler struct{ node *Node }

var _ peer.Handler = handler{}

func (h handler) bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), h.node.cfg.Timeout)
}

// Propose replicates commands.
func (h handler) Propose(commands [][]byte) []peer.Proposed {
	ctx, cancel := h.bounded()
	defer cancel()
	results := make([]peer.Proposed, len(commands))
	for i, p := range h.node.raft.ProposeAll(ctx, commands) {
		if results[i].Err = p.Err; p.Err == nil {
			results[i].Result = p.Result.(iam.Result)
		}
	}
	return results
}

// ReadIndex confirms that this node leads.
func (h handler) ReadIndex() (uint64, error) {
	ctx, cancel := h.bounded()
	defer cancel()
	return h.node.raft.ReadIndex(ctx)
}

// Meet says which cluster this is.
func (h handler) Meet() peer.Card {
	card := peer.Card{ID: h.node.ID()}
	if k := h.node.keys.Load(); k != nil {
		card.Cluster, card.SealKey = k.cluster, k.seal.ID()
	}
	if g := h.node.gossip.Load(); g != nil {
		card.Gossip = g.Address()
	}
	return card
}

// Change carries out a change of membership, or passes it to the leader once.
func (h handler) Change(c peer.Change) error {
	ctx, cancel := h.bounded()
	defer cancel()
	return h.node.changeOnce(ctx, c)
}

// Health says how this node is doing.
func (h handler) Health() peer.Health {
	s := h.node.raft.Status()
	sealKey := ""
	if k := h.node.keys.Load(); k != nil {
		sealKey = k.seal.ID()
	}
	var trust pki.Trust
	if h.node.cfg.TLS != nil {
		trust, _ = h.node.cfg.TLS.Trust()
	}
	return peer.Health{
		SealKey: sealKey, Trust: trust, ByHand: !h.node.cfg.OwnTLS, Gossip: h.node.gossipKeys(),
		ID: s.ID, Applied: s.Applied, Last: s.Last, Term: s.Term,
		Version: h.node.cfg.Version, Level: h.node.cfg.Level, Trouble: h.node.Trouble(),
		Role: s.Role, Disk: s.Disk, Free: s.Free,
	}
}

// Fence waits for the sidecars of this node.
func (h handler) Fence(index iam.Index, limit time.Duration) []feed.Follower {
	return h.node.fenceHere(context.Background(), index, min(limit, maxFence))
}

// maxFence bounds the wait that another node may ask for.
const maxFence = time.Minute

// SumAt returns the sum of the view at an index.
func (h handler) SumAt(index uint64) string {
	sum, ok := h.node.feed.SumAt(iam.Index(index))
	if !ok {
		return ""
	}
	return sum.String()
}
