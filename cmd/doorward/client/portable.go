package client

import (
	"context"
	"net/http"

	"github.com/doorward/doorward/api/portable"
)

// Import plans a document against the store and, unless only the plan is asked for,
// has all of it taken over, or nothing.
func (c *Client) Import(ctx context.Context, d portable.Document, planOnly bool) (portable.Plan, Meta, error) {
	in := struct {
		DryRun bool `json:"dry_run"`
		portable.Document
	}{planOnly, d}
	var plan portable.Plan
	meta, err := c.JSON(ctx, http.MethodPost, "/v1/import", in, &plan)
	return plan, meta, err
}

// Export returns the identities of the store, without secrets.
func (c *Client) Export(ctx context.Context) (portable.Document, error) {
	var d portable.Document
	_, err := c.JSON(ctx, http.MethodGet, "/v1/export", nil, &d)
	return d, err
}
