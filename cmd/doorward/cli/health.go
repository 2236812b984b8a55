package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/cmd/doorward/client"
)

// healthPause lies between two questions of `health --wait`.
const healthPause = 100 * time.Millisecond

func newHealth(a *app) *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask whether a store serves",
		Long: `Ask /readyz of the store. Exit code 0: it serves. 3: it doesn't, or did not
answer. No credentials are needed.`,
		Example: `  doorward health
  doorward health --endpoint http://store-2:8470 --timeout 2s
  doorward health --wait 30s            until it serves`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.clientFor(client.Credentials{})
			if err != nil {
				return err
			}
			if err := ready(cmd.Context(), c, wait); err != nil {
				return err
			}
			health := struct {
				Endpoint string `json:"endpoint"`
				Ready    bool   `json:"ready"`
			}{a.endpoint, true}
			return a.record(health, field{"Endpoint", a.endpoint}, field{"Ready", "yes"})
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", 0, "keep asking for `DURATION` before giving up")
	return cmd
}

// ready asks until the store is ready, or for as long as wait.
func ready(ctx context.Context, c *client.Client, wait time.Duration) error {
	patience, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		_, err := c.Ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-patience.Done():
			if wait > 0 {
				return fmt.Errorf("not ready after %v: %w", wait, err)
			}
			return err
		case <-time.After(healthPause):
		}
	}
}
