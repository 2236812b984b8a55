package cli

import "github.com/spf13/cobra"

func newWhoami(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "whoami",
		Short: "Show who the store takes the caller for",
		Example: `  doorward whoami
  doorward whoami --profile backup --output json`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			identity, err := c.CallerIdentity(cmd.Context())
			if err != nil {
				return err
			}
			return a.record(identity,
				field{"ARN", string(identity.ARN)},
				field{"Account", string(identity.Account)},
				field{"Id", identity.ID},
				field{"Access key", a.signer})
		},
	}
}
