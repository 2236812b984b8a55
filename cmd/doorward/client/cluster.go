package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
)

// ClusterStatus is the state of a cluster as its members tell it.
type ClusterStatus struct {
	ClusterID    string          `json:"cluster_id"`
	Epoch        string          `json:"epoch"`
	Node         string          `json:"node"`
	Leader       string          `json:"leader"`
	Term         uint64          `json:"term"`
	Index        uint64          `json:"index"`
	FeatureLevel uint16          `json:"feature_level"`
	SealKey      string          `json:"seal_key"`
	Voters       int             `json:"voters"`
	Healthy      bool            `json:"healthy"`
	Members      []ClusterMember `json:"members"`
}

// ClusterMember is a node of a cluster.
type ClusterMember struct {
	ID           string  `json:"id"`
	Address      string  `json:"address"`
	Role         string  `json:"role"` // leader, voter, follower
	Version      string  `json:"version"`
	FeatureLevel uint16  `json:"feature_level"`
	Term         uint64  `json:"term"`
	Index        uint64  `json:"index"`
	Lag          uint64  `json:"lag"`
	DiskMillis   float64 `json:"disk_ms"`
	FreeBytes    uint64  `json:"free_bytes"`
	Healthy      bool    `json:"healthy"`
	Reason       string  `json:"reason,omitempty"`
	Gossip       string  `json:"gossip"` // alive, suspect, left, dead; empty: nothing
}

// JoinToken is leave to become a member.
type JoinToken struct {
	ID      string `json:"id"`
	Kind    string `json:"kind"` // node or sidecar
	Name    string `json:"name,omitempty"`
	Created string `json:"created"`
	Expires string `json:"expires"`
	By      string `json:"by"`
	Used    string `json:"used,omitempty"`
	State   string `json:"state"` // waiting, used, expired
	Token   string `json:"token,omitempty"`
}

// DescribeCluster asks for the state of the cluster.
func (c *Client) DescribeCluster(ctx context.Context) (ClusterStatus, error) {
	var status ClusterStatus
	_, err := c.JSON(ctx, http.MethodGet, "/v1/cluster", nil, &status)
	return status, err
}

// CreateJoinToken makes a token for a new member; its text comes this once.
func (c *Client) CreateJoinToken(ctx context.Context, kind, name string, seconds uint32) (JoinToken, error) {
	var token JoinToken
	_, err := c.JSON(ctx, http.MethodPost, "/v1/cluster/tokens", map[string]any{"kind": kind, "name": name, "ttl_seconds": seconds}, &token)
	return token, err
}

// ListJoinTokens returns the tokens that wait and the members that used one.
func (c *Client) ListJoinTokens(ctx context.Context) ([]JoinToken, error) {
	var answer struct {
		Tokens []JoinToken `json:"tokens"`
	}
	_, err := c.JSON(ctx, http.MethodGet, "/v1/cluster/tokens", nil, &answer)
	return answer.Tokens, err
}

// DeleteJoinToken takes a token, or the enrolment of the member that used it, back.
func (c *Client) DeleteJoinToken(ctx context.Context, id string) (Meta, error) {
	return c.JSON(ctx, http.MethodDelete, "/v1/cluster/tokens/"+url.PathEscape(id), nil, nil)
}

// PromoteMember gives a member a vote.
func (c *Client) PromoteMember(ctx context.Context, id string, force bool) error {
	return c.changeMember(ctx, id, "promote", force)
}

// RemoveMember takes a member out for good.
func (c *Client) RemoveMember(ctx context.Context, id string, force bool) error {
	return c.changeMember(ctx, id, "remove", force)
}

func (c *Client) changeMember(ctx context.Context, id, verb string, force bool) error {
	_, err := c.JSON(ctx, http.MethodPost, "/v1/cluster/members/"+url.PathEscape(id)+"/"+verb, map[string]bool{"force": force}, nil)
	return err
}

// TransferLeadership lets another voter lead, any if id is empty.
func (c *Client) TransferLeadership(ctx context.Context, id string) error {
	_, err := c.JSON(ctx, http.MethodPost, "/v1/cluster/transfer", map[string]string{"to": id}, nil)
	return err
}

// LeaveCluster takes the node that is asked out for good.
func (c *Client) LeaveCluster(ctx context.Context, force bool) error {
	_, err := c.JSON(ctx, http.MethodPost, "/v1/cluster/leave", map[string]bool{"force": force}, nil)
	return err
}

// SaveSnapshot writes the state of the store to w, secrets sealed. A snapshot that
// was cut short shows when it is read. With stale, what the node has heard of will do.
func (c *Client) SaveSnapshot(ctx context.Context, w io.Writer, stale bool) error {
	path := "/v1/cluster/snapshot"
	if stale {
		path += "?stale=true"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.endpoint.Scheme+"://"+c.endpoint.Host+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("User-Agent", c.agent)
	if err := c.sign(request, iamService.name, nil); err != nil {
		return err
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return &Unavailable{Endpoint: c.endpoint.String(), Cause: bare(err)}
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		content, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
		return errors.Join(err, c.refusal(answer, content))
	}
	_, err = io.Copy(w, answer.Body)
	return err
}

// Rotation is how far the secrets have come to be sealed with the current root key.
type Rotation struct {
	SealKey  string `json:"seal_key"`
	Resealed int    `json:"resealed"`
	Stale    int    `json:"stale"`
}

// RotateRootKey seals some secrets anew that a former root key has sealed.
func (c *Client) RotateRootKey(ctx context.Context) (Rotation, error) {
	var r Rotation
	_, err := c.JSON(ctx, http.MethodPost, "/v1/cluster/rotate", nil, &r)
	return r, err
}

// GossipRotation is what a rotation of the gossip's keys came to.
type GossipRotation struct {
	Key    uint32   `json:"key"`
	Absent []string `json:"absent"`
}

// RotateGossip replaces the key of the nodes' gossip.
func (c *Client) RotateGossip(ctx context.Context) (GossipRotation, error) {
	var r GossipRotation
	_, err := c.JSON(ctx, http.MethodPost, "/v1/cluster/gossip/rotate", nil, &r)
	return r, err
}
