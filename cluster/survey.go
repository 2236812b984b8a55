package cluster

import (
	"context"
	"sync"

	"github.com/doorward/doorward/cluster/gossip"
	"github.com/doorward/doorward/cluster/peer"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/raft"
)

// Survey is the state of the cluster as its members tell it.
type Survey struct {
	Cluster string // id; empty if this node belongs to none
	Epoch   uint64
	Node    string // that was asked
	Leader  string // id; empty if this node knows of none
	Term    uint64
	Level   uint16 // feature level of the store
	Index   iam.Index
	SealKey string // id of the key that seals
	Members []MemberState
}

// MemberState is a member and what it says of itself.
type MemberState struct {
	raft.Member
	peer.Health
	Lag     uint64       // commands that the furthest member has put into effect and this one has not
	Whisper gossip.State // what the gossip of the node that was asked has about it; empty: nothing
	Gone    string       // why it did not answer; empty: it did
}

// Well reports whether the member answers and has no trouble.
func (m *MemberState) Well() bool { return m.Gone == "" && m.Trouble == "" }

// Survey asks every member how it is doing. It works without a leader, too.
func (n *Node) Survey(ctx context.Context) Survey {
	status, v := n.raft.Status(), n.View()
	s := Survey{
		Cluster: n.clusterID(), Epoch: v.Store().Epoch, Node: n.ID(), Leader: status.Leader,
		Term: status.Term, Level: v.Level(), Index: v.Index(), Members: make([]MemberState, len(status.Members)),
	}
	if k := n.keys.Load(); k != nil {
		s.SealKey = k.seal.ID()
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	var asked sync.WaitGroup
	for i, m := range status.Members {
		s.Members[i].Member = m
		asked.Go(func() { n.survey(ctx, &s.Members[i]) }) // ends after askTime
	}
	asked.Wait()
	furthest := uint64(0)
	for i := range s.Members {
		furthest = max(furthest, s.Members[i].Applied)
	}
	heard := n.Heard()
	for i := range s.Members {
		s.Members[i].Lag = furthest - s.Members[i].Applied
		s.Members[i].Whisper = heard[s.Members[i].Member.ID]
	}
	return s
}

func (n *Node) survey(ctx context.Context, m *MemberState) {
	if m.Member.ID == n.ID() {
		m.Health = handler{n}.Health()
		return
	}
	answer, err := n.pool.Health(ctx, m.Member.ID, m.Address)
	if m.Health = answer; err != nil {
		m.Gone = err.Error()
	}
}
