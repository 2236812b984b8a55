package cluster

import (
	"context"

	"github.com/doorward/doorward/cluster/feed"
	"github.com/doorward/doorward/iam"
)

// Source is what a sidecar in the same process follows. It has the methods that
// the sidecar asks for, and a sidecar elsewhere gets the same over the network.
type Source struct {
	*feed.Feed
	node *Node
}

// Feed returns what sidecars follow.
func (n *Node) Feed() *Source { return &Source{n.feed, n} }

// Confirm returns an index at or past every write that was acknowledged before the
// call. Questions at the same time share one answer.
func (s *Source) Confirm(ctx context.Context) (iam.Index, error) { return s.node.readIndex(ctx) }
