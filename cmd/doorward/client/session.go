package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/doorward/doorward/iam"
)

// IssuedSession is a session as the store lists it, without its secrets.
type IssuedSession struct {
	ID             iam.AccessKeyID `json:"access_key_id"`
	Kind           string          `json:"kind"` // self, role, token or federated
	Parent         iam.ARN         `json:"parent"`
	Name           string          `json:"name,omitempty"`
	Policies       []string        `json:"policies,omitempty"`
	PolicyARNs     []iam.ARN       `json:"policy_arns,omitempty"`
	Tags           []Tag           `json:"tags,omitempty"`
	SourceIdentity string          `json:"source_identity,omitempty"`
	Issuer         iam.AccessKeyID `json:"issuer"`
	Issued         string          `json:"issued"`
	Expires        string          `json:"expires"`
}

// SessionsOf says whose sessions are meant: one field is set, or none for all.
type SessionsOf struct {
	User string `json:"user,omitempty"`
	Role string `json:"role,omitempty"`
}

// ListSessions returns the sessions that have not ended.
func (c *Client) ListSessions(ctx context.Context, of SessionsOf) ([]IssuedSession, error) {
	return pages(ctx, c, "/v1/sessions", form("user", of.User, "role", of.Role), func(answer *struct {
		Sessions []IssuedSession `json:"sessions"`
	}) []IssuedSession {
		return answer.Sessions
	})
}

// RevokeSession ends one session.
func (c *Client) RevokeSession(ctx context.Context, key iam.AccessKeyID) (Meta, error) {
	return c.JSON(ctx, http.MethodDelete, "/v1/sessions/"+url.PathEscape(string(key)), nil, nil)
}

// RevokeSessions ends the sessions of a user or role that were issued before an
// instant, in RFC 3339; empty means until now.
func (c *Client) RevokeSessions(ctx context.Context, of SessionsOf, issuedBefore string) (Meta, error) {
	return c.JSON(ctx, http.MethodPost, "/v1/sessions/revoke", struct {
		SessionsOf
		IssuedBefore string `json:"issued_before,omitempty"`
	}{of, issuedBefore}, nil)
}
