package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func newGossip(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "gossip",
		Short:   "See to the channel on which nodes tell one another who is alive",
		Example: `  doorward cluster gossip rotate`,
	}
	cmd.AddCommand(newGossipRotate(a))
	return cmd
}

func newGossipRotate(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "rotate",
		Short: "Replace the key that encrypts the gossip",
		Long: `Replace the key that encrypts the gossip, while the store serves: every node can read
the new key before one uses it, and every node uses it before the old one goes. Nodes
derive it from the root key, so nothing is handed over. A node that is down learns of
it from the log when it is back. A rotation that was cut short is taken up.`,
		Example: `  doorward cluster gossip rotate`,
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			r, err := c.RotateGossip(cmd.Context())
			if err != nil {
				return err
			}
			absent := strings.Join(r.Absent, ", ")
			if absent == "" {
				absent = "none"
			}
			return a.record(r, field{"Key in use", fmt.Sprint(r.Key)}, field{"Nodes that were away", absent})
		},
	}
}
