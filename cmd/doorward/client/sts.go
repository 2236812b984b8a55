package client

import (
	"context"
	"strconv"
	"time"

	"github.com/doorward/doorward/iam"
)

// Session is a temporary credential as STS hands it out.
type Session struct {
	AccessKeyID     string  `xml:"Credentials>AccessKeyId" json:"access_key_id"`
	SecretAccessKey string  `xml:"Credentials>SecretAccessKey" json:"secret_access_key"`
	SessionToken    string  `xml:"Credentials>SessionToken" json:"session_token"`
	Expiration      string  `xml:"Credentials>Expiration" json:"expiration"`
	ARN             iam.ARN `xml:"AssumedRoleUser>Arn" json:"arn,omitempty"`
}

// Credentials are what signs as the session; source says where it came from.
func (s Session) Credentials(source string) Credentials {
	return Credentials{AccessKeyID: s.AccessKeyID, SecretAccessKey: s.SecretAccessKey, SessionToken: s.SessionToken, Source: source}
}

// AssumeRole says which session is wanted.
type AssumeRole struct {
	Role     iam.ARN // empty: the caller's own identity
	Name     string  // of the session
	Policy   string  // inline session policy; empty: none
	Duration time.Duration
}

// AssumeRole asks STS for a session.
func (c *Client) AssumeRole(ctx context.Context, wanted AssumeRole) (Session, Meta, error) {
	query := form("RoleArn", string(wanted.Role), "RoleSessionName", wanted.Name, "Policy", wanted.Policy)
	if wanted.Duration > 0 {
		query.Set("DurationSeconds", strconv.Itoa(int(wanted.Duration/time.Second)))
	}
	var session Session
	meta, err := c.query(ctx, stsService, "AssumeRole", query, &session)
	return session, meta, err
}

// Identity is who the store takes the caller for.
type Identity struct {
	Account iam.AccountID `xml:"Account" json:"account"`
	ARN     iam.ARN       `xml:"Arn" json:"arn"`
	ID      string        `xml:"UserId" json:"id"`
}

// CallerIdentity asks STS who the credentials belong to.
func (c *Client) CallerIdentity(ctx context.Context) (Identity, error) {
	var identity Identity
	_, err := c.query(ctx, stsService, "GetCallerIdentity", nil, &identity)
	return identity, err
}
