package client

import (
	"context"
	"net/http"
)

// Authorities is how far the replacement of the members' authority has come.
type Authorities struct {
	Authorities []Authority `json:"authorities"` // the one that signs first
	Next        string      `json:"next"`        // stage, use or drop
	Behind      []Straggler `json:"behind"`      // the first of those for whom that is too early
	BehindTotal int         `json:"behind_total"`
	ByHand      []string    `json:"by_hand"`
}

// Authority signs the certificates of members, or is to, or did.
type Authority struct {
	Fingerprint string `json:"fingerprint"`
	Duty        string `json:"duty"` // signing, staged, former
	Since       string `json:"since,omitempty"`
	Expires     string `json:"expires"`
	Certificate string `json:"certificate"`
}

// Straggler is a member for whom a step is too early.
type Straggler struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// DescribeAuthorities tells how far the replacement has come.
func (c *Client) DescribeAuthorities(ctx context.Context) (Authorities, error) {
	var a Authorities
	_, err := c.JSON(ctx, http.MethodGet, "/v1/cluster/authorities", nil, &a)
	return a, err
}

// StageAuthority makes an authority that is to replace the one that signs.
func (c *Client) StageAuthority(ctx context.Context) error {
	_, err := c.JSON(ctx, http.MethodPost, "/v1/cluster/authorities/stage", map[string]bool{}, nil)
	return err
}

// UseAuthority has the authority sign that was staged.
func (c *Client) UseAuthority(ctx context.Context, force bool) error {
	_, err := c.JSON(ctx, http.MethodPost, "/v1/cluster/authorities/use", map[string]bool{"force": force}, nil)
	return err
}

// DropAuthority ends the trust in the authority that is named; empty: in the one that
// signed before.
func (c *Client) DropAuthority(ctx context.Context, fingerprint string, force bool) error {
	_, err := c.JSON(ctx, http.MethodPost, "/v1/cluster/authorities/drop", map[string]any{"force": force, "fingerprint": fingerprint}, nil)
	return err
}
