package parts

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/doorward/doorward/api"
	"github.com/doorward/doorward/cluster"
	"github.com/doorward/doorward/cluster/peer"
	"github.com/doorward/doorward/iam"
)

// members shows a node's membership to the API.
type members struct{ node *cluster.Node }

var _ api.Cluster = members{}

// refused makes what the caller can do something about a refusal.
func refused(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, cluster.ErrMember), errors.Is(err, cluster.ErrAuthority), errors.Is(err, cluster.ErrNoAuthority), errors.Is(err, cluster.ErrLevel):
		return iam.Errorf(iam.EntityTemporarilyUnmodifiable, "%s.", reason(err))
	}
	if refusal, ok := errors.AsType[*iam.Error](err); ok {
		return refusal
	}
	return iam.Errorf(iam.ServiceUnavailable, "The cluster did not change: %w. Try again.", err)
}

// reason is an error's text without the names of packages.
func reason(err error) string {
	text := err.Error()
	for _, name := range []string{"cluster: ", "raft: ", "peer: ", "mesh: "} {
		text = strings.ReplaceAll(text, name, "")
	}
	return text
}

// NewJoinToken makes a token for a new member.
func (m members) NewJoinToken() (id, text string, hash []byte, err error) {
	id, text, hash, err = m.node.NewJoinToken()
	return id, text, hash, refused(err)
}

// Describe asks all members how they are doing.
func (m members) Describe(ctx context.Context) api.ClusterStatus {
	s := m.node.Survey(ctx)
	status := api.ClusterStatus{
		ClusterID: s.Cluster, Epoch: s.Epoch, Node: s.Node, Leader: s.Leader, Term: s.Term, Index: s.Index,
		FeatureLevel: s.Level, SealKey: s.SealKey, Healthy: s.Leader != "",
	}
	for i := range s.Members {
		member := describe(&s.Members[i], s.Leader)
		if s.Members[i].Voter {
			status.Voters++
		}
		status.Healthy = status.Healthy && member.Healthy
		status.Members = append(status.Members, member)
	}
	return status
}

func describe(m *cluster.MemberState, leader string) api.MemberStatus {
	role := "follower"
	switch {
	case m.Member.ID == leader:
		role = "leader"
	case m.Voter:
		role = "voter"
	}
	why := m.Trouble
	if m.Gone != "" {
		why = "it does not answer: " + m.Gone
	}
	return api.MemberStatus{
		ID: m.Member.ID, Address: m.Address, Role: role, Version: m.Version, FeatureLevel: m.Health.Level, Term: m.Term,
		Index: m.Applied, Lag: m.Lag, DiskMillis: float64(m.Disk.Round(10*time.Microsecond)) / float64(time.Millisecond),
		FreeBytes: m.Free, Healthy: m.Well(), Reason: why, Gossip: string(m.Whisper),
	}
}

// Promote gives a member a vote.
func (m members) Promote(ctx context.Context, id string, force bool) error {
	return refused(m.node.Change(ctx, peer.Change{Op: peer.Promote, ID: id, Force: force}))
}

// Remove takes a member out for good.
func (m members) Remove(ctx context.Context, id string, force bool) error {
	return refused(m.node.Change(ctx, peer.Change{Op: peer.Remove, ID: id, Force: force}))
}

// Transfer lets another voter lead.
func (m members) Transfer(ctx context.Context, id string) error {
	return refused(m.node.Change(ctx, peer.Change{Op: peer.Transfer, ID: id}))
}

// WriteSnapshot writes the state of the store.
func (m members) WriteSnapshot(ctx context.Context, w io.Writer, stale bool) error {
	return m.node.WriteSnapshot(ctx, w, stale)
}

// Reseal seals secrets anew.
func (m members) Reseal(ctx context.Context, limit int) (api.Rotation, error) {
	r, err := m.node.Reseal(ctx, limit)
	return api.Rotation{SealKey: r.SealKey, Resealed: r.Resealed, Stale: r.Stale}, refused(err)
}

// RotateGossip replaces the key of the nodes' gossip.
func (m members) RotateGossip(ctx context.Context) (api.GossipRotation, error) {
	r, err := m.node.RotateGossip(ctx)
	return api.GossipRotation{Key: r.Key, Absent: append([]string{}, r.Absent...)}, refused(err)
}

// maxStragglers is how many members an answer names for whom a step is too early.
const maxStragglers = 100

// Authorities tells how far the replacement of the members' authority has come.
func (m members) Authorities(ctx context.Context) (api.Authorities, error) {
	a, err := m.node.Authorities(ctx)
	if err != nil {
		return api.Authorities{}, refused(err)
	}
	told := api.Authorities{
		Next: string(a.Next), Behind: []api.Straggler{}, BehindTotal: len(a.Behind), ByHand: append([]string{}, a.ByHand...),
	}
	for _, one := range a.All {
		x := api.Authority{
			Fingerprint: one.Fingerprint, Duty: string(one.Duty), Expires: iam.At(one.Until).ISO(), Certificate: one.Certificate,
		}
		if one.Since != 0 {
			x.Since = one.Since.ISO()
		}
		told.Authorities = append(told.Authorities, x)
	}
	for _, b := range a.Behind[:min(len(a.Behind), maxStragglers)] {
		told.Behind = append(told.Behind, api.Straggler{Kind: string(b.Role), Name: b.Name, Reason: b.Reason})
	}
	return told, nil
}

// StageAuthority makes an authority that is to replace the one that signs.
func (m members) StageAuthority(ctx context.Context) error {
	return refused(m.node.StageAuthority(ctx))
}

// UseAuthority has the authority sign that was staged.
func (m members) UseAuthority(ctx context.Context, force bool) error {
	return refused(m.node.UseAuthority(ctx, force))
}

// DropAuthority ends the trust in an authority.
func (m members) DropAuthority(ctx context.Context, fingerprint string, force bool) error {
	return refused(m.node.DropAuthority(ctx, fingerprint, force))
}

// Leave takes this node out for good.
func (m members) Leave(ctx context.Context, force bool) error {
	return refused(m.node.Leave(ctx, force))
}
