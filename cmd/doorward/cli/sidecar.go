package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/cmd/doorward/config"
	"github.com/doorward/doorward/cmd/doorward/sidecar"
	"github.com/doorward/doorward/embed"
)

// sidecarVariable names the configuration file of a sidecar.
const sidecarVariable = "DOORWARD_SIDECAR_CONFIG"

func newSidecar(a *app) *cobra.Command {
	var flags settingFlags[config.Sidecar]
	var tokenFile string
	var check bool
	cmd := &cobra.Command{
		Use:   "sidecar",
		Short: "Run an authorizer beside an S3 server",
		Long: `Run an authorizer until an interrupt or SIGTERM: it follows a store over the network
and answers the S3 servers of this host from memory, with the store unreachable if
need be. Settings come from --config, then the environment, then flags, each over
the one before.

At its first start it joins with a token that an administrator makes with
` + "`doorward cluster token create --kind sidecar`" + `, in a file or in ` + tokenVariable + `;
later it renews its certificate by itself. It keeps a sealed snapshot and starts from
it, with the store down if need be, for as long as the store's max staleness allows.

At SIGUSR2 it begins anew, as the same process: with the program and the settings that
are there by then, and with its sockets, so that who asks meanwhile waits and nobody is
refused. If the new one could not start, it says so and goes on as it is.`,
		Example: `  doorward sidecar --config /etc/doorward/sidecar.yaml
  doorward sidecar --nodes store-1:8471,store-2:8471 --token-file join.token --users versitygw
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
			if check {
				a.say("The settings are valid.")
				return nil
			}
			token, err := a.joinToken(tokenFile)
			if err != nil {
				return err
			}
			err = sidecar.Run(cmd.Context(), &loaded.Sidecar, sidecar.Process{
				Version: buildVersion(), Out: a.Out, Log: a.logger(loaded.LogLevel, loaded.LogFormat), Getenv: a.Getenv, Token: token, Args: a.Args,
			})
			if errors.Is(err, embed.ErrNoToken) {
				return withHint(err, "Make one with `doorward cluster token create --kind sidecar`, and name its file with --token-file.")
			}
			return err
		},
	}
	flags.add(a, cmd, sidecarVariable, config.SidecarSettings, config.DefaultSidecar())
	cmd.Flags().BoolVar(&check, strings.TrimPrefix(sidecar.CheckFlag, "--"), false, "only say whether it could start with these settings")
	cmd.Flags().StringVar(&tokenFile, "token-file", "", "`FILE` that holds the token; - is standard input ("+tokenVariable+" holds the token itself)")
	return cmd
}
