package cli

import (
	"github.com/spf13/cobra"

	"github.com/doorward/doorward/cmd/doorward/client"
)

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
			return a.record(struct {
				client.Identity
				AccessKeyID string `json:"access_key_id"`
				Source      string `json:"source"` // of the credentials
			}{identity, a.signer.AccessKeyID, a.signer.Source},
				field{"ARN", string(identity.ARN)},
				field{"Account", string(identity.Account)},
				field{"Id", identity.ID},
				field{"Access key", a.signer.String()})
		},
	}
}
