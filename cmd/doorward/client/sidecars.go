package client

import (
	"context"
	"net/http"

	"github.com/doorward/doorward/iam"
)

// Sidecar is an authorizer that follows the store, or did lately.
type Sidecar struct {
	Name      string    `json:"name"`
	Version   string    `json:"version"`
	Address   string    `json:"address,omitempty"` // of its connection; empty: in a node's process
	Connected bool      `json:"connected"`
	Index     iam.Index `json:"index"`
	Lag       uint64    `json:"lag"` // entries that the node which answers is ahead
	Staleness float64   `json:"staleness_seconds"`
	Rate      uint32    `json:"decisions_per_second"`
	Until     string    `json:"serves_until,omitempty"` // unless it hears from the store again; empty: it does not serve
}

// Sidecars returns the sidecars, and the nodes that were asked in vain for theirs.
func (c *Client) Sidecars(ctx context.Context) (sidecars []Sidecar, silent []string, err error) {
	var answer struct {
		Sidecars []Sidecar `json:"sidecars"`
		Silent   []string  `json:"silent_nodes"`
	}
	_, err = c.JSON(ctx, http.MethodGet, "/v1/sidecars", nil, &answer)
	return answer.Sidecars, answer.Silent, err
}
