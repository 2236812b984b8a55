package client

import (
	"context"
	"encoding/json"
	"net/http"
)

// Settings are the store's settings by name, as /v1/settings gives them.
type Settings map[string]json.RawMessage

// GetSettings returns all settings, defaults filled in.
func (c *Client) GetSettings(ctx context.Context) (Settings, error) {
	var settings Settings
	_, err := c.JSON(ctx, http.MethodGet, "/v1/settings", nil, &settings)
	delete(settings, "index")
	return settings, err
}

// UpdateSettings changes the settings that are named and leaves the rest.
func (c *Client) UpdateSettings(ctx context.Context, change Settings) (Meta, error) {
	return c.JSON(ctx, http.MethodPatch, "/v1/settings", change, nil)
}
