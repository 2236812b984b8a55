package cluster

import (
	"github.com/doorward/doorward/cluster/feed"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/raft"
)

// Status is what a node knows about itself, its cluster and its sidecars.
type Status struct {
	Cluster   string // id; empty if the node belongs to none
	Epoch     uint64
	Index     iam.Index // of the local view
	Sum       string    // of the local view
	SealKey   string    // id of the key that seals
	Log       raft.Status
	Followers []feed.Follower
}

// Status returns what is known now.
func (n *Node) Status() Status {
	v := n.View()
	s := Status{
		Epoch: v.Store().Epoch, Index: v.Index(), Sum: v.Sum().String(),
		Log: n.raft.Status(), Followers: n.feed.Followers(),
	}
	if k := n.keys.Load(); k != nil {
		s.Cluster, s.SealKey = k.cluster, k.seal.ID()
	}
	return s
}
