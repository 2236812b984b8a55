package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/internal/seal"
)

func newOperator(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "operator",
		Short: "Make and replace the root key that seals a store's secrets",
		Example: `  doorward operator key new-root.key
  doorward operator rotate`,
	}
	cmd.AddCommand(newOperatorKey(a), newOperatorRotate(a))
	return cmd
}

func newOperatorKey(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "key FILE",
		Short:   "Make a root key in a new file",
		Example: `  doorward operator key /etc/doorward/new-root.key`,
		Args:    exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := seal.CreateRootFile(args[0]); err != nil {
				return err
			}
			a.say("A new root key is in %s. Keep a copy elsewhere.", args[0])
			return nil
		},
	}
}

func newOperatorRotate(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "rotate",
		Short: "Seal every secret anew with the current root key",
		Long: `Seal every secret anew with the current root key, while the store serves. Before, give
every node both keys: first the new one as former_root_key, then, once all nodes have
it, the new one as root_key and the old one as former_root_key, restarting one node
after the other each time. Afterwards the old key opens nothing that is in the store;
session tokens that were made with it are good while it is a node's former key.`,
		Example: `  doorward operator rotate`,
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			total := 0
			for {
				r, err := c.RotateRootKey(cmd.Context())
				if err != nil {
					return err
				}
				if total += r.Resealed; r.Stale > 0 {
					if r.Resealed == 0 {
						return errors.New("no secret was sealed anew, and some are still to do; somebody else rotates at the same time")
					}
					a.say("%d secrets sealed anew, %d to go", total, r.Stale)
					continue
				}
				r.Resealed = total
				return a.record(r, field{"Seal key", r.SealKey}, field{"Sealed anew", fmt.Sprint(total)})
			}
		},
	}
}
