package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/cmd/doorward/config"
	"github.com/doorward/doorward/cmd/doorward/sidecar"
)

// sidecarVariable names the configuration file of a sidecar.
const sidecarVariable = "DOORWARD_SIDECAR_CONFIG"

func newSidecar(a *app) *cobra.Command {
	var flags settingFlags[config.Sidecar]
	cmd := &cobra.Command{
		Use:   "sidecar",
		Short: "Run an authorizer beside an S3 server",
		Long: `Run an authorizer until an interrupt or SIGTERM: it follows a store over the network
and answers the S3 servers of this host from memory, with the store unreachable if
need be. Settings come from --config, then the environment, then flags, each over
the one before.`,
		Example: `  doorward sidecar --config /etc/doorward/sidecar.yaml
  doorward sidecar --nodes store-1:8471,store-2:8471 --name s3-1 --users versitygw
  doorward sidecar --nodes 127.0.0.1:8471 --plain --state ./sidecar --socket ./sidecar.sock`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := config.LoadSidecar(flags.file, a.Getenv, flags.given(cmd))
			if err != nil {
				return err
			}
			hostname, err := os.Hostname()
			if err != nil && loaded.Name == "" {
				return withHint(fmt.Errorf("the host has no name: %w", err), "Name the sidecar with --name.")
			}
			loaded.Complete(hostname)
			if err := loaded.Validate(); err != nil {
				return err
			}
			return sidecar.Run(cmd.Context(), &loaded.Sidecar, sidecar.Process{
				Version: buildVersion(), Out: a.Out, Log: a.logger(loaded.LogLevel, loaded.LogFormat), Getenv: a.Getenv,
			})
		},
	}
	flags.add(a, cmd, sidecarVariable, config.SidecarSettings, config.DefaultSidecar())
	return cmd
}
