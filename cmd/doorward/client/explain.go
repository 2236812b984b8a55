package client

import (
	"context"
	"net/http"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/iam"
)

// Question asks why a request of somebody would be decided as it is. One of User,
// Role and AccessKeyID is set.
type Question struct {
	User        string              `json:"user,omitempty"`
	Role        string              `json:"role,omitempty"`
	AccessKeyID iam.AccessKeyID     `json:"access_key_id,omitempty"`
	Action      string              `json:"action"`
	Resource    string              `json:"resource"`
	Context     map[string][]string `json:"context,omitempty"`
}

// Explanation is the answer.
type Explanation struct {
	authz.Explanation
	// Fault says why the credential is refused whatever the policies say, empty if
	// it is good.
	Fault string `json:"fault,omitempty"`
	// Index is that of the view that was asked.
	Index iam.Index `json:"index"`
}

// Explain asks the store.
func (c *Client) Explain(ctx context.Context, q Question) (x Explanation, err error) {
	_, err = c.JSON(ctx, http.MethodPost, "/v1/explain", q, &x)
	return x, err
}
