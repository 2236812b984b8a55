package api

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/doorward/doorward/iam"
)

// Cluster is the membership of the node, as administrators see it. Errors that a
// caller can do something about are iam.Errors.
type Cluster interface {
	// NewJoinToken makes a token for a new member: its id and text, and the hash that
	// the store may know.
	NewJoinToken() (id, text string, hash []byte, err error)
	// Describe asks all members how they are doing.
	Describe(ctx context.Context) ClusterStatus
	// Promote gives a member a vote; force does not wait until it has caught up.
	Promote(ctx context.Context, id string, force bool) error
	// Remove takes a member out for good; force does it though too few would be left.
	Remove(ctx context.Context, id string, force bool) error
	// Transfer lets another voter lead; any if id is empty.
	Transfer(ctx context.Context, id string) error
	// WriteSnapshot writes the state of the store, secrets sealed; with stale, as far as
	// this node has heard of it.
	WriteSnapshot(ctx context.Context, w io.Writer, stale bool) error
	// Reseal seals up to limit secrets anew that a former root key has sealed.
	Reseal(ctx context.Context, limit int) (Rotation, error)
	// RotateGossip replaces the key of the nodes' gossip.
	RotateGossip(ctx context.Context) (GossipRotation, error)
	// Authorities tells how far the replacement of the members' authority has come.
	Authorities(ctx context.Context) (Authorities, error)
	// StageAuthority makes one that is to replace it, UseAuthority has it sign, and
	// DropAuthority ends the trust in the one before, or in the one that is named. Each
	// is refused while it would cut a member off; force does it though sidecars would be.
	StageAuthority(ctx context.Context) error
	UseAuthority(ctx context.Context, force bool) error
	DropAuthority(ctx context.Context, fingerprint string, force bool) error
	// Leave takes this node out for good. The node stops soon afterwards.
	Leave(ctx context.Context, force bool) error
}

// ClusterStatus is the state of a cluster as its members tell it.
type ClusterStatus struct {
	ClusterID    string         `json:"cluster_id"`
	Epoch        uint64         `json:"epoch,string"`
	Node         string         `json:"node"`   // that answers
	Leader       string         `json:"leader"` // empty: none is known
	Term         uint64         `json:"term"`
	Index        iam.Index      `json:"index"`
	FeatureLevel uint16         `json:"feature_level"`
	SealKey      string         `json:"seal_key"`
	Voters       int            `json:"voters"`
	Healthy      bool           `json:"healthy"` // there is a leader, and every member is well
	Members      []MemberStatus `json:"members"`
}

// Rotation is how far the secrets have come to be sealed with the current root key.
type Rotation struct {
	SealKey  string `json:"seal_key"`
	Resealed int    `json:"resealed"` // by this call
	Stale    int    `json:"stale"`    // still sealed with a former key
}

// GossipRotation is what a rotation of the gossip's keys came to.
type GossipRotation struct {
	Key    uint32   `json:"key"`    // number of the one in use
	Absent []string `json:"absent"` // nodes that learn of it when they are back
}

// Authorities is how far the replacement of the members' authority has come.
type Authorities struct {
	Authorities []Authority `json:"authorities"` // the one that signs first
	Next        string      `json:"next"`        // stage, use or drop
	Behind      []Straggler `json:"behind"`      // the first of those for whom that is too early
	BehindTotal int         `json:"behind_total"`
	ByHand      []string    `json:"by_hand"` // nodes that have no certificate of these
}

// Authority signs the certificates of members, or is to, or did.
type Authority struct {
	Fingerprint string `json:"fingerprint"`
	Duty        string `json:"duty"`            // signing, staged, former
	Since       string `json:"since,omitempty"` // when it began to sign
	Expires     string `json:"expires"`
	Certificate string `json:"certificate"` // PEM
}

// Straggler is a member for whom a step is too early.
type Straggler struct {
	Kind   string `json:"kind"` // node or sidecar
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// MemberStatus is a member of a cluster.
type MemberStatus struct {
	ID           string  `json:"id"`
	Address      string  `json:"address"`
	Role         string  `json:"role"` // leader, voter, or follower, which has no vote
	Version      string  `json:"version"`
	FeatureLevel uint16  `json:"feature_level"`
	Term         uint64  `json:"term"`
	Index        uint64  `json:"index"`
	Lag          uint64  `json:"lag"` // commands behind the furthest member
	DiskMillis   float64 `json:"disk_ms"`
	FreeBytes    uint64  `json:"free_bytes"`
	Gossip       string  `json:"gossip"` // alive, suspect, left or dead; empty: nothing was heard of it
	Healthy      bool    `json:"healthy"`
	Reason       string  `json:"reason,omitempty"` // why it is not
}

// tokenPath is the wildcard of an enrolment's id.
var tokenPath = map[string]string{"id": "Id"}

var clusterRoutes = []route{
	{"GET /v1/cluster", "doorward:DescribeCluster", nil, false, describeCluster, nil},
	{"POST /v1/cluster/tokens", "doorward:CreateJoinToken", nil, true, createJoinToken, nil},
	{"GET /v1/cluster/tokens", "doorward:ListJoinTokens", nil, false, listJoinTokens, nil},
	{"DELETE /v1/cluster/tokens/{id}", "doorward:DeleteJoinToken", nil, true, deleteJoinToken, tokenPath},
	{"POST /v1/cluster/members/{id}/promote", "doorward:ChangeMembers", nil, true, promoteMember, tokenPath},
	{"POST /v1/cluster/members/{id}/remove", "doorward:ChangeMembers", nil, true, removeMember, tokenPath},
	{"POST /v1/cluster/transfer", "doorward:ChangeMembers", nil, true, transferLeadership, nil},
	{"GET /v1/cluster/snapshot", "doorward:SaveSnapshot", nil, false, saveSnapshot, nil},
	{"POST /v1/cluster/rotate", "doorward:RotateRootKey", nil, true, rotateRootKey, nil},
	{"POST /v1/cluster/gossip/rotate", "doorward:RotateGossipKey", nil, true, rotateGossip, nil},
	{"GET /v1/cluster/authorities", "doorward:DescribeCluster", nil, false, describeAuthorities, nil},
	{"POST /v1/cluster/authorities/stage", "doorward:ReplaceAuthority", nil, true, stageAuthority, nil},
	{"POST /v1/cluster/authorities/use", "doorward:ReplaceAuthority", nil, true, useAuthority, nil},
	{"POST /v1/cluster/authorities/drop", "doorward:ReplaceAuthority", nil, true, dropAuthority, nil},
	{"POST /v1/cluster/leave", "doorward:ChangeMembers", nil, true, leaveCluster, nil},
}

func (c *call) cluster() (Cluster, error) {
	if c.server.config.Cluster == nil {
		return nil, iam.Errorf(notFound, "This store is not a cluster.")
	}
	return c.server.config.Cluster, nil
}

func describeCluster(c *call) (any, error) {
	cluster, err := c.cluster()
	if err != nil {
		return nil, err
	}
	return cluster.Describe(c.ctx), nil
}

// tokenTime is how long a join token is good for if the caller does not say.
const tokenTime = time.Hour

var members = map[string]iam.Member{"node": iam.MemberNode, "sidecar": iam.MemberSidecar}

type joinTokenJSON struct {
	ID      string  `json:"id"`
	Kind    string  `json:"kind"`
	Name    string  `json:"name,omitempty"`
	Created string  `json:"created"`
	Expires string  `json:"expires"`
	By      iam.ARN `json:"by"`
	Used    string  `json:"used,omitempty"`
	State   string  `json:"state"` // waiting, used, expired
}

func (c *call) joinTokenJSON(e *iam.Enrolment) joinTokenJSON {
	x := joinTokenJSON{
		ID: e.ID, Kind: e.Kind.String(), Name: e.Name, Created: e.Created.ISO(), Expires: e.Expires.ISO(), By: e.By, State: "waiting",
	}
	switch {
	case e.Used != 0:
		x.State, x.Used = "used", e.Used.ISO()
	case e.Expires <= c.now:
		x.State = "expired"
	}
	return x
}

// createJoinToken is the only place where the text of a token shows.
func createJoinToken(c *call) (any, error) {
	cluster, err := c.cluster()
	if err != nil {
		return nil, err
	}
	var wanted struct {
		Kind string `json:"kind"`
		Name string `json:"name"`
		TTL  uint32 `json:"ttl_seconds"`
	}
	if err := c.decode(&wanted); err != nil {
		return nil, err
	}
	kind, known := members[wanted.Kind]
	if !known {
		return nil, iam.Errorf(iam.ValidationError, "The kind is %q; it must be node or sidecar.", wanted.Kind)
	}
	ttl := iam.Or(wanted.TTL, uint32(tokenTime/time.Second))
	id, text, hash, err := cluster.NewJoinToken()
	if err != nil {
		return nil, err
	}
	if err := c.propose(iam.CreateEnrolment{Enrolment: iam.Enrolment{
		ID: id, Kind: kind, Name: wanted.Name, Hash: hash, By: c.caller.arn, Expires: c.now + iam.Time(ttl)*1000,
	}}); err != nil {
		return nil, err
	}
	made, ok := c.view.Enrolment(id)
	if !ok {
		return nil, iam.Errorf(iam.NoSuchEntity, "The token was deleted at once by somebody else.")
	}
	return struct {
		joinTokenJSON
		Token string    `json:"token"`
		Index iam.Index `json:"index"`
	}{c.joinTokenJSON(made), text, c.index}, nil
}

func listJoinTokens(c *call) (any, error) {
	tokens := []joinTokenJSON{}
	for e := range c.view.Enrolments() {
		tokens = append(tokens, c.joinTokenJSON(e))
	}
	return struct {
		Tokens []joinTokenJSON `json:"tokens"`
		Index  iam.Index       `json:"index"`
	}{tokens, c.view.Index()}, nil
}

func deleteJoinToken(c *call) (any, error) {
	return nil, c.propose(iam.DeleteEnrolment{ID: c.form["Id"]})
}

// force is the body of changes that can endanger the cluster.
func (c *call) force() (bool, error) {
	var body struct {
		Force bool `json:"force"`
	}
	err := c.decode(&body)
	return body.Force, err
}

func promoteMember(c *call) (any, error) { return c.changeMember(Cluster.Promote) }

func removeMember(c *call) (any, error) { return c.changeMember(Cluster.Remove) }

func (c *call) changeMember(change func(Cluster, context.Context, string, bool) error) (any, error) {
	cluster, err := c.cluster()
	if err != nil {
		return nil, err
	}
	force, err := c.force()
	if err != nil {
		return nil, err
	}
	return nil, change(cluster, c.ctx, c.form["Id"], force)
}

func transferLeadership(c *call) (any, error) {
	cluster, err := c.cluster()
	if err != nil {
		return nil, err
	}
	var body struct {
		To string `json:"to"`
	}
	if err := c.decode(&body); err != nil {
		return nil, err
	}
	return nil, cluster.Transfer(c.ctx, body.To)
}

func leaveCluster(c *call) (any, error) {
	cluster, err := c.cluster()
	if err != nil {
		return nil, err
	}
	force, err := c.force()
	if err != nil {
		return nil, err
	}
	return nil, cluster.Leave(c.ctx, force)
}

// stream is an answer that is written as it comes.
type stream func(w io.Writer) error

// streamTime bounds the writing of a stream.
const streamTime = 15 * time.Minute

// serve writes the stream. A failure in the middle ends the connection, so that the
// client does not take a part for the whole.
func (s stream) serve(w http.ResponseWriter) error {
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(streamTime)); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	return s(w)
}

func saveSnapshot(c *call) (any, error) {
	cluster, err := c.cluster()
	if err != nil {
		return nil, err
	}
	stale := c.form["stale"] == "true"
	if !stale {
		// Asked before the answer begins, because nothing can be refused afterwards.
		if err := c.pin(true); err != nil {
			return nil, err
		}
	}
	ctx := c.http.Context()
	return stream(func(w io.Writer) error { return cluster.WriteSnapshot(ctx, w, stale) }), nil
}

// resealLimit is how many secrets one call seals anew; whoever calls repeats it while
// some are stale.
const resealLimit = 2048

func rotateRootKey(c *call) (any, error) {
	cluster, err := c.cluster()
	if err != nil {
		return nil, err
	}
	return cluster.Reseal(c.ctx, resealLimit)
}

func rotateGossip(c *call) (any, error) {
	cluster, err := c.cluster()
	if err != nil {
		return nil, err
	}
	return cluster.RotateGossip(c.ctx)
}

func describeAuthorities(c *call) (any, error) {
	cluster, err := c.cluster()
	if err != nil {
		return nil, err
	}
	return cluster.Authorities(c.ctx)
}

func stageAuthority(c *call) (any, error) {
	return c.replaceAuthority(func(cluster Cluster, _ authorityStep) error { return cluster.StageAuthority(c.ctx) })
}

func useAuthority(c *call) (any, error) {
	return c.replaceAuthority(func(cluster Cluster, s authorityStep) error { return cluster.UseAuthority(c.ctx, s.Force) })
}

func dropAuthority(c *call) (any, error) {
	return c.replaceAuthority(func(cluster Cluster, s authorityStep) error {
		return cluster.DropAuthority(c.ctx, s.Fingerprint, s.Force)
	})
}

// authorityStep is the body of a step.
type authorityStep struct {
	Force       bool   `json:"force"`
	Fingerprint string `json:"fingerprint"`
}

func (c *call) replaceAuthority(step func(Cluster, authorityStep) error) (any, error) {
	cluster, err := c.cluster()
	if err != nil {
		return nil, err
	}
	var s authorityStep
	if err := c.decode(&s); err != nil {
		return nil, err
	}
	return nil, step(cluster, s)
}
