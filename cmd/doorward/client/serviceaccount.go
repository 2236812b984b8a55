package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/doorward/doorward/iam"
)

// ServiceAccount is a child of a user with a key pair of its own. Secret is known
// in the answer to its creation and rotation only.
type ServiceAccount struct {
	ID          iam.AccessKeyID `json:"access_key_id"`
	Secret      string          `json:"secret_access_key,omitempty"`
	Parent      string          `json:"parent"`
	Description string          `json:"description,omitempty"`
	Policy      string          `json:"policy,omitempty"`
	Status      string          `json:"status"`
	Created     string          `json:"created"`
	Expires     string          `json:"expires,omitempty"`
}

// ServiceAccountChange is what to set of a service account; nil fields stay as they
// are.
type ServiceAccountChange struct {
	Description *string `json:"description,omitempty"`
	Policy      *string `json:"policy,omitempty"`  // empty: all that the user may
	Status      string  `json:"status,omitempty"`  // Active or Inactive
	Expires     *Expiry `json:"expires,omitempty"` // the zero Expiry: never
}

// Expiry is an instant as RFC 3339 text, or empty for never, which is null in JSON.
type Expiry string

// MarshalJSON implements json.Marshaler.
func (e Expiry) MarshalJSON() ([]byte, error) {
	if e == "" {
		return []byte("null"), nil
	}
	return []byte(`"` + e + `"`), nil
}

const serviceAccounts = "/v1/service-accounts"

func serviceAccount(key iam.AccessKeyID) string {
	return serviceAccounts + "/" + url.PathEscape(string(key))
}

// CreateServiceAccount makes a service account of the caller.
func (c *Client) CreateServiceAccount(ctx context.Context, wanted ServiceAccountChange) (ServiceAccount, Meta, error) {
	var made ServiceAccount
	meta, err := c.JSON(ctx, http.MethodPost, serviceAccounts, wanted, &made)
	return made, meta, err
}

// ListServiceAccounts returns the caller's own.
func (c *Client) ListServiceAccounts(ctx context.Context) ([]ServiceAccount, error) {
	return pages(ctx, c, serviceAccounts, url.Values{}, func(answer *struct {
		ServiceAccounts []ServiceAccount `json:"service_accounts"`
	}) []ServiceAccount {
		return answer.ServiceAccounts
	})
}

// GetServiceAccount returns one of the caller's own.
func (c *Client) GetServiceAccount(ctx context.Context, key iam.AccessKeyID) (ServiceAccount, error) {
	var found ServiceAccount
	_, err := c.JSON(ctx, http.MethodGet, serviceAccount(key), nil, &found)
	return found, err
}

// UpdateServiceAccount changes one of the caller's own.
func (c *Client) UpdateServiceAccount(ctx context.Context, key iam.AccessKeyID, change ServiceAccountChange) (Meta, error) {
	return c.JSON(ctx, http.MethodPatch, serviceAccount(key), change, nil)
}

// RotateServiceAccount gives one of the caller's own a new secret.
func (c *Client) RotateServiceAccount(ctx context.Context, key iam.AccessKeyID) (ServiceAccount, Meta, error) {
	var rotated ServiceAccount
	meta, err := c.JSON(ctx, http.MethodPost, serviceAccount(key)+"/rotate", nil, &rotated)
	return rotated, meta, err
}

// DeleteServiceAccount deletes one of the caller's own.
func (c *Client) DeleteServiceAccount(ctx context.Context, key iam.AccessKeyID) (Meta, error) {
	return c.JSON(ctx, http.MethodDelete, serviceAccount(key), nil, nil)
}
