package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/doorward/doorward/api/audit"
)

// AuditLog is a piece of a node's audit log.
type AuditLog struct {
	Entries []audit.Entry `json:"entries"`
	// Sequence and Head are of the newest record.
	Sequence uint64 `json:"sequence"`
	Head     string `json:"head"`
}

// Audit returns up to limit records behind a sequence, or the newest if after is nil.
func (c *Client) Audit(ctx context.Context, after *uint64, limit int) (log AuditLog, err error) {
	query := url.Values{"limit": {fmt.Sprint(limit)}}
	if after != nil {
		query.Set("after", fmt.Sprint(*after))
	}
	_, err = c.JSON(ctx, http.MethodGet, "/v1/audit?"+query.Encode(), nil, &log)
	return log, err
}
