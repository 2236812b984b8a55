package cli

import (
	"errors"
	"log/slog"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/cmd/doorward/dev"
)

func newDev(a *app) *cobra.Command {
	var config dev.Config
	var verbose bool
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a store and an authorizer on this machine, for trying and developing",
		Long: `Run one store node and one authorizer in this process, with real files and fsync.
The first start makes the root key pair and shows it once; it is not kept in
readable form. An S3 server asks over the unix socket on every request.

This is for one machine: the API speaks plain HTTP on loopback, and the key that
seals the secrets lies beside the data. It stops on an interrupt (Ctrl-C) or
SIGTERM.`,
		Example: `  doorward dev
  doorward dev --data ./store --s3-root ./objects
  doorward dev --data ./store --listen 127.0.0.1:0 --ready-file ready.json`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if config.Dir == "" {
				dir, err := a.stateDir()
				if err != nil {
					return err
				}
				config.Dir = filepath.Join(dir, "doorward", "dev")
			}
			level := slog.LevelError
			if verbose {
				level = slog.LevelInfo
			}
			config.Log = slog.New(slog.NewTextHandler(a.Err, &slog.HandlerOptions{Level: level}))
			config.JSON = a.output == outputJSON
			config.Out, config.Err = a.Out, a.Err
			config.Version = buildVersion()
			return dev.Run(cmd.Context(), config)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&config.Dir, "data", "", "`DIR` of the store's data (default: doorward/dev in $XDG_STATE_HOME or ~/.local/state)")
	flags.StringVar(&config.Objects, "s3-root", "", "`DIR` of the S3 server's objects, for the command line that is shown (default: s3 in the data directory)")
	flags.StringVar(&config.Listen, "listen", dev.DefaultListen, "loopback `ADDRESS` of the API; port 0 takes a free one")
	flags.StringVar(&config.Socket, "socket", "", "`PATH` of the unix socket that versitygw asks (default: versitygw.sock in the data directory)")
	flags.StringVar(&config.Frames, "frames-socket", "", "`PATH` of the unix socket for other S3 servers, docs/protocol.md (default: sidecar.sock in the data directory)")
	flags.StringVar(&config.HTTP, "http", "", "loopback `ADDRESS` of the authorizer's /auth, /readyz and /metrics (default: "+dev.DefaultHTTP+", or a free port if --listen takes one)")
	flags.StringVar(&config.ReadyFile, "ready-file", "", "`FILE`, readable by you only, that gets addresses and a new root key pair as JSON once all is up")
	flags.StringVar(&config.DecisionLog, "decision-log", "", "`FILE` that every decision is appended to, as JSON lines")
	flags.BoolVarP(&verbose, "verbose", "v", false, "log what the node does, not only what is wrong")
	return cmd
}

// stateDir is the user's directory for state that stays (XDG Base Directory
// Specification).
func (a *app) stateDir() (string, error) {
	if dir := a.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return dir, nil
	}
	if home := a.Getenv("HOME"); home != "" {
		return filepath.Join(home, ".local", "state"), nil
	}
	return "", withHint(errors.New("neither XDG_STATE_HOME nor HOME is set"), "Name a data directory with --data.")
}
