package cluster

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/doorward/doorward/cluster/gossip"
	"github.com/doorward/doorward/iam"
)

// whispers is the node's part in the gossip, and the keys that it has now.
type whispers struct {
	*gossip.Gossip
	mu   sync.Mutex
	keys iam.Gossip
}

// gossipLoop takes part in the gossip: it finds those members there that it has not
// heard of, and believes what they say about where they live as long as they are met
// there. A port that cannot be had is tried again; the node works without.
func (n *Node) gossipLoop(ctx context.Context) error {
	tick := time.NewTicker(n.cfg.ReconcileEvery)
	defer tick.Stop()
	defer func() {
		if g := n.gossip.Swap(nil); g != nil {
			g.Close()
		}
	}()
	complaint := ""
	for sought := time.Now(); ; {
		g := n.gossip.Load()
		switch {
		case g != nil && time.Since(sought) >= n.cfg.MeetEvery:
			n.seek(ctx, g)
			sought = time.Now()
		case g == nil && n.View().Store().ClusterID != "":
			if err := n.startGossip(ctx); err != nil && err.Error() != complaint {
				complaint = err.Error()
				n.log.Warn("no gossip; the node works without", "error", err)
			}
			sought = time.Time{}
		}
		n.gossipKeys()
		if g := n.gossip.Load(); g != nil {
			n.book.hear(g.Members(), n.raft.Status().Members)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (n *Node) startGossip(ctx context.Context) error {
	k, now := n.keys.Load(), n.View().Store().Gossip
	host, _, err := net.SplitHostPort(n.mesh.Address())
	if err != nil {
		host = n.mesh.Address()
	}
	g, err := gossip.Start(ctx, gossip.Config{
		ID: n.ID(), Cluster: k.cluster, Address: n.mesh.Address(), Listen: n.cfg.Gossip, Host: host,
		Keys: k.gossip(now), Carrier: n.cfg.GossipCarrier, Logger: n.log,
	})
	if err != nil {
		return err
	}
	n.gossip.Store(&whispers{Gossip: g, keys: now})
	return nil
}

// gossip derives the keys of the gossip. While one root key replaces another, each
// node encrypts with what its own gives, and all can read it.
func (k *keys) gossip(g iam.Gossip) gossip.Keys {
	var keys gossip.Keys
	for i, root := range k.roots {
		for number := g.Oldest; number <= g.Newest; number++ {
			key := root.Derive(fmt.Sprintf("gossip key %d %s", number, k.cluster), gossip.KeySize)
			keys.Accept = append(keys.Accept, key)
			if i == 0 && number == g.Current {
				keys.Use = key
			}
		}
	}
	return keys
}

// gossipKeys puts the keys into use that the log says, and returns which they are.
func (n *Node) gossipKeys() iam.Gossip {
	now := n.View().Store().Gossip
	g, k := n.gossip.Load(), n.keys.Load()
	if g == nil || k == nil {
		return now
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.keys == now {
		return now
	}
	if err := g.SetKeys(k.gossip(now)); err != nil {
		n.log.Warn("cannot change the keys of the gossip", "error", err)
		return g.keys
	}
	g.keys = now
	return now
}

// seek meets the gossip of those members that it does not know to be alive.
func (n *Node) seek(ctx context.Context, g *whispers) {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timeout)
	defer cancel()
	heard := n.Heard()
	for _, m := range n.raft.Status().Members {
		if s := heard[m.ID]; s == gossip.Alive || s == gossip.Suspect {
			continue
		}
		card, err := n.pool.Meet(ctx, n.book.lookup(m.ID, m.Address))
		if err != nil || card.ID != m.ID || card.Gossip == "" {
			continue
		}
		if err := g.Join(card.Gossip); err != nil {
			n.log.Debug("no gossip with a node", "node", m.ID, "error", err)
		}
	}
}

// Heard returns what the gossip has about each member, empty while there is none.
func (n *Node) Heard() map[string]gossip.State {
	g := n.gossip.Load()
	if g == nil {
		return nil
	}
	states := map[string]gossip.State{n.ID(): gossip.Alive}
	all := make(map[string]gossip.State)
	for _, m := range g.Members() {
		all[m.ID] = m.State
	}
	for _, m := range n.raft.Status().Members {
		if s, ok := all[m.ID]; ok {
			states[m.ID] = s
		}
	}
	return states
}

// GossipRotation is what a rotation of the gossip's keys came to.
type GossipRotation struct {
	Key    uint32   // number of the key that is in use, and no other
	Absent []string // ids of nodes that did not answer; the log tells them once they do
}

// RotateGossip replaces the key of the gossip in three steps, each of which every node
// that answers has made before the next: all can read the new key, all use it, none
// has the old one. A node that is down learns of it from the log, which needs no
// gossip. A rotation that was cut short is taken up where it ended. The error is one
// of [Node.Propose], or an iam.Error if somebody else rotates at the same time.
func (n *Node) RotateGossip(ctx context.Context) (GossipRotation, error) {
	v, err := n.Consistent(ctx)
	if err != nil {
		return GossipRotation{}, err
	}
	for was := v.Store().Gossip; ; was = was.Next() {
		result, err := n.Propose(ctx, iam.Envelope{
			Command: iam.PutGossip{Was: was, Now: was.Next()}, Request: newRequest(), Actor: n.actor(), Time: iam.At(n.cfg.Now()),
		})
		if err != nil {
			return GossipRotation{}, err
		}
		if result.Err != nil {
			return GossipRotation{}, result.Err
		}
		absent := n.awaitGossip(ctx, was.Next())
		if done := was.Next(); done.Oldest == done.Newest {
			n.log.Info("key of the gossip replaced", "key", done.Current, "absent", absent)
			return GossipRotation{done.Current, absent}, nil
		}
	}
}

// awaitGossip waits until every member that answers has those keys, and returns those
// that do not answer.
func (n *Node) awaitGossip(ctx context.Context, keys iam.Gossip) []string {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timeout)
	defer cancel()
	for {
		var absent, behind []string
		for _, m := range n.Survey(ctx).Members {
			switch {
			case m.Gone != "":
				absent = append(absent, m.Member.ID)
			case m.Health.Gossip != keys:
				behind = append(behind, m.Member.ID)
			}
		}
		if len(behind) == 0 || !wait(ctx, nil) {
			return append(absent, behind...)
		}
	}
}
