package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/doorward/doorward/cluster/gossip"
	"github.com/doorward/doorward/cluster/mesh"
	"github.com/doorward/doorward/cluster/peer"
	"github.com/doorward/doorward/raft"
)

// book knows addresses that are newer than those in the log's configuration: a
// whole cluster may have moved, and then no leader can be reached to say so. Once the
// configuration says something else than when an address was learnt, it is the newer.
type book struct {
	mu    sync.Mutex
	known map[string]entry // by id
}

// entry is where a member is said to live, and where the configuration said that it
// lives. Whoever said it may be wrong: after a failure the other of the two is tried.
type entry struct {
	address, configured string
	doubted             bool
}

func (b *book) learn(id, address, configured string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known == nil {
		b.known = make(map[string]entry)
	}
	if e, ok := b.known[id]; !ok || e.address != address || e.configured != configured {
		b.known[id] = entry{address: address, configured: configured}
	}
}

// lookup returns the newest address of a member, given what the configuration says.
func (b *book) lookup(id, configured string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.known[id]
	switch {
	case ok && e.configured == configured && !e.doubted:
		return e.address
	case ok && e.configured != configured && e.address != configured:
		delete(b.known, id)
	}
	return configured
}

// hear learns from the gossip where members live that the configuration has elsewhere.
func (b *book) hear(said []gossip.Member, members []raft.Member) {
	where := make(map[string]string)
	for _, s := range said {
		if s.State == gossip.Alive && s.Address != "" {
			where[s.ID] = s.Address
		}
	}
	for _, m := range members {
		if address, ok := where[m.ID]; ok && address != m.Address {
			b.learn(m.ID, address, m.Address)
		}
	}
}

// missed notes that a member could not be reached at an address.
func (b *book) missed(id, address string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e, ok := b.known[id]; ok {
		e.doubted = e.address == address
		b.known[id] = e
	}
}

// raftNetwork carries the log over the mesh.
type raftNetwork struct {
	net.Listener
	node *Node
}

// DialPeer connects to a node under the newest address that is known.
func (r raftNetwork) DialPeer(ctx context.Context, id, address string) (net.Conn, error) {
	return r.node.dialMember(ctx, mesh.Raft, id, address)
}

// dialMember connects to a member at the newest address that is known; without an id,
// to whoever is at the address.
func (n *Node) dialMember(ctx context.Context, p mesh.Protocol, id, configured string) (net.Conn, error) {
	address := n.book.lookup(id, configured)
	conn, err := n.mesh.Dial(ctx, p, id, address)
	if err != nil {
		n.book.missed(id, address)
		return nil, err
	}
	return conn, nil
}

// openMesh binds the port and returns the part of it that carries the log.
func (n *Node) openMesh(id string) (_ raft.Network, err error) {
	n.mesh, err = mesh.New(mesh.Config{
		ID: id, Cluster: n.clusterID, Listen: n.cfg.Listen, Advertise: n.cfg.Advertise,
		TLS: n.cfg.TLS, Admitted: n.admitted, Carrier: n.cfg.Carrier, Logger: n.log,
	})
	if err != nil {
		return nil, err
	}
	n.pool = peer.NewPool(func(ctx context.Context, id, address string) (net.Conn, error) {
		return n.dialMember(ctx, mesh.RPC, id, address)
	})
	return raftNetwork{n.mesh.Listener(mesh.Raft), n}, nil
}

// clusterID returns the cluster that the node belongs to, empty if none.
func (n *Node) clusterID() string {
	if k := n.keys.Load(); k != nil {
		return k.cluster
	}
	return ""
}

// meetLoop asks at the addresses that the operator named who lives there, as long
// as this node knows of no leader, and tells the leader where this node lives.
func (n *Node) meetLoop(ctx context.Context) error {
	for {
		changed := n.raft.Changed()
		if leader, _ := n.raft.Leader(); leader == "" {
			n.meetPeers(ctx)
		} else if err := n.announce(ctx); err != nil && ctx.Err() == nil {
			n.log.Warn("cannot tell the leader where this node lives", "error", err)
		}
		pause := time.NewTimer(n.cfg.MeetEvery)
		select {
		case <-changed:
		case <-pause.C:
		case <-ctx.Done():
		}
		pause.Stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// meetPeers asks everywhere. Whoever belongs to this cluster can also say whether
// this node still does: a member that was taken out while it was away hears
// nothing from the others any more.
func (n *Node) meetPeers(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timeout)
	defer cancel()
	members := n.raft.Status().Members
	addresses := append([]string(nil), n.cfg.Peers...)
	for _, m := range members {
		addresses = append(addresses, m.Address)
	}
	for _, address := range addresses {
		if address == n.mesh.Address() || n.clusterID() == "" {
			continue
		}
		card, err := n.pool.Meet(ctx, address)
		if err != nil || card.Cluster != n.clusterID() {
			continue
		}
		m, _ := member(raft.Status{Members: members}, card.ID)
		n.book.learn(card.ID, address, m.Address)
		if len(members) == 0 {
			continue // not let in yet
		}
		err = n.pool.Change(ctx, card.ID, address, peer.Change{Op: peer.Announce, ID: n.ID(), Address: n.mesh.Address()})
		if errors.Is(err, ErrMember) {
			n.log.Error("node was removed from its cluster", "node", n.ID(), "says", card.ID)
			if err := n.markRemoved(); err != nil {
				n.log.Error("cannot note that", "error", err)
			}
			return
		}
	}
}

// announce makes the configuration say where this node lives, if it says otherwise.
func (n *Node) announce(ctx context.Context) error {
	members := n.raft.Status().Members
	for _, m := range members {
		if m.ID != n.ID() || m.Address == n.mesh.Address() {
			continue
		}
		err := n.Change(ctx, peer.Change{Op: peer.Announce, ID: n.ID(), Address: n.mesh.Address()})
		if err != nil {
			return fmt.Errorf("cluster: announce: %w", err)
		}
		n.log.Info("address changed", "node", n.ID(), "from", m.Address, "to", n.mesh.Address())
	}
	return nil
}
