package cluster

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/doorward/doorward/cluster/feed"
	"github.com/doorward/doorward/cluster/mesh"
	"github.com/doorward/doorward/cluster/pki"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/raft"
)

// Sidecars are the followers of all nodes, and the nodes that could not be asked
// for theirs.
type Sidecars struct {
	Followers []feed.Follower
	// Silent are the ids of nodes that did not answer. Who follows one of them is not
	// among Followers, unless it did so before elsewhere.
	Silent []string
}

// followPort serves the feed to sidecars on the node's port, until the port ends.
func (n *Node) followPort(ctx context.Context) error {
	port := n.mesh.Listener(mesh.Feed)
	var serving sync.WaitGroup
	defer serving.Wait()
	for {
		conn, err := port.Accept()
		if err != nil {
			return ctx.Err()
		}
		serving.Go(func() { n.followed(ctx, conn) }) // ends with ctx, or the connection
	}
}

func (n *Node) followed(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	var who feed.Peer
	if c, ok := conn.(*mesh.Conn); ok {
		who = feed.Peer{Name: c.Peer.ID, Signer: c.Peer.Signer}
	}
	n.log.Info("sidecar connected", "sidecar", who.Name, "from", conn.RemoteAddr().String())
	err := n.feed.Serve(ctx, conn, who)
	n.log.Info("sidecar disconnected", "sidecar", who.Name, "reason", err)
}

// feedNodes returns where the feed can be had, this node first.
func (n *Node) feedNodes() []string {
	if n.mesh == nil || n.raft == nil {
		return nil
	}
	addresses := []string{n.mesh.Address()}
	for _, m := range n.raft.Status().Members {
		if m.ID != n.ID() {
			addresses = append(addresses, n.book.lookup(m.ID, m.Address))
		}
	}
	return addresses
}

// Sidecars returns who follows any node of the cluster now, and who did lately and
// may still serve.
func (n *Node) Sidecars(ctx context.Context) Sidecars { return n.Fence(ctx, 0, 0) }

// Fence waits until every sidecar that is connected to any node has applied index,
// or until limit is over, and returns them all: those at a lower index have not, and
// stop to serve when their Proved is older than the store's max staleness.
func (n *Node) Fence(ctx context.Context, index iam.Index, limit time.Duration) Sidecars {
	var all Sidecars
	var mu sync.Mutex
	var asked sync.WaitGroup
	for _, m := range n.others() {
		asked.Go(func() {
			followers, err := n.fenceAt(ctx, m, index, limit)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				all.Silent = append(all.Silent, m.ID)
			}
			all.Followers = append(all.Followers, followers...)
		})
	}
	own := n.fenceHere(ctx, index, limit)
	asked.Wait()
	all.Followers = feed.Latest(append(all.Followers, own...))
	return all
}

// MaxStaleness is for how long a sidecar may serve that is cut off.
func (n *Node) MaxStaleness() time.Duration { return n.feed.MaxStaleness() }

// fenceAnswer is how much longer than the limit the answer of another node may take.
const fenceAnswer = time.Second

func (n *Node) fenceAt(ctx context.Context, m raft.Member, index iam.Index, limit time.Duration) ([]feed.Follower, error) {
	ctx, cancel := context.WithTimeout(ctx, limit+fenceAnswer)
	defer cancel()
	return n.pool.Fence(ctx, m.ID, m.Address, index, limit)
}

func (n *Node) fenceHere(ctx context.Context, index iam.Index, limit time.Duration) []feed.Follower {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return n.feed.Fence(ctx, index)
}

func (n *Node) others() (others []raft.Member) {
	if n.pool == nil {
		return nil
	}
	for _, m := range n.raft.Status().Members {
		if m.ID != n.ID() {
			others = append(others, m)
		}
	}
	return others
}

// maxUses bounds the access keys whose use waits to be recorded; what is beyond it
// is reported by its sidecar another day.
const maxUses = 1 << 16

// uses collects what sidecars say of keys in use.
type uses struct {
	mu   sync.Mutex
	days map[iam.AccessKeyID]iam.Time
}

const oneDay = iam.Time(24 * time.Hour / time.Millisecond)

// add takes uses that the view does not have yet.
func (u *uses) add(n *Node, reported []iam.Use) {
	v, today := n.View(), iam.At(n.cfg.Now())
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, use := range reported {
		day := min(use.Time, today)
		day -= day % oneDay
		key, ok := v.AccessKey(use.Key)
		if !ok || key.LastUsed >= day || len(u.days) >= maxUses && u.days[use.Key] == 0 {
			continue
		}
		if u.days == nil {
			u.days = make(map[iam.AccessKeyID]iam.Time)
		}
		u.days[use.Key] = max(u.days[use.Key], day)
	}
}

// RecordUses takes the access keys that an authorizer in this process has seen in use.
func (n *Node) RecordUses(used []iam.Use) { n.uses.add(n, used) }

// take returns up to most uses, which are forgotten.
func (u *uses) take(most int) (batch []iam.Use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, day := range u.days {
		if len(batch) == most {
			break
		}
		batch = append(batch, iam.Use{Key: id, Time: day})
		delete(u.days, id)
	}
	return batch
}

// usesBatch is how many last uses a command records.
const usesBatch = 1024

// useLoop records when keys were last used, as sidecars say, in batches. What cannot
// be written is lost: the key will be used again.
func (n *Node) useLoop(ctx context.Context) error {
	tick := time.NewTicker(n.cfg.RecordUsesEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		for batch := n.uses.take(usesBatch); len(batch) > 0; batch = n.uses.take(usesBatch) {
			_, err := n.Propose(ctx, iam.Envelope{
				Command: iam.RecordLastUsed{Uses: batch}, Actor: n.View().Store().Account.Root(), Time: iam.At(n.cfg.Now()),
			})
			if err != nil && !errors.Is(err, context.Canceled) {
				n.log.Warn("last use of access keys not recorded", "keys", len(batch), "error", err)
			}
		}
	}
}

// SidecarDialer returns a function that connects a sidecar to a node; a nil carrier means
// TCP.
func SidecarDialer(name string, files *pki.Files, carrier mesh.Carrier) func(ctx context.Context, address string) (net.Conn, error) {
	member := mesh.Config{ID: name, Cluster: func() string { return "" }, TLS: files, Carrier: carrier}
	return func(ctx context.Context, address string) (net.Conn, error) {
		conn, err := mesh.Dial(ctx, member, mesh.Feed, "", address)
		if err != nil {
			return nil, err
		}
		return conn, nil
	}
}
