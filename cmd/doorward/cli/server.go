package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/cluster"
	"github.com/doorward/doorward/cmd/doorward/config"
	"github.com/doorward/doorward/cmd/doorward/server"
	"github.com/doorward/doorward/internal/seal"
)

// configVariable names the configuration file of a node.
const configVariable = "DOORWARD_CONFIG"

// settingFlags are settings as flags, and the file that the rest of them is in.
type settingFlags[C any] struct {
	settings []config.Setting[C]
	file     string
	values   map[string]*string // by setting
}

func (f *settingFlags[C]) add(a *app, cmd *cobra.Command, variable string, settings []config.Setting[C], defaults C) {
	f.settings, f.values = settings, map[string]*string{}
	flags := cmd.Flags()
	flags.StringVar(&f.file, "config", a.Getenv(variable), "`FILE` of settings, YAML ("+variable+")")
	flags.Lookup("config").DefValue = ""
	for _, setting := range settings {
		f.values[setting.Name] = flags.String(setting.Flag(), "", setting.Usage+" ("+setting.Variable()+")")
		flag := flags.Lookup(setting.Flag())
		if flag.DefValue = setting.Value(&defaults); setting.Switch() {
			flag.NoOptDefVal = "true"
		}
	}
	flags.SortFlags = false
}

// given returns the text of the flags that were given, by setting.
func (f *settingFlags[C]) given(cmd *cobra.Command) map[string]string {
	given := map[string]string{}
	for _, setting := range f.settings {
		if cmd.Flags().Changed(setting.Flag()) {
			given[setting.Name] = *f.values[setting.Name]
		}
	}
	return given
}

// serverFlags are the settings of a node as flags.
type serverFlags struct{ settingFlags[config.Server] }

func (f *serverFlags) add(a *app, cmd *cobra.Command) {
	f.settingFlags.add(a, cmd, configVariable, config.Settings, config.Default())
}

// load reads file, environment and flags.
func (f *serverFlags) load(a *app, cmd *cobra.Command) (*config.Loaded, error) {
	return config.Load(f.file, a.Getenv, f.given(cmd))
}

// loadValid is load for those who act on the result.
func (f *serverFlags) loadValid(a *app, cmd *cobra.Command) (*config.Loaded, error) {
	loaded, err := f.load(a, cmd)
	if err != nil {
		return nil, err
	}
	if err := loaded.Validate(); err != nil {
		return nil, withHint(err, "See where each setting comes from with `doorward config print`.")
	}
	return loaded, nil
}

func newServer(a *app) *cobra.Command {
	var flags serverFlags
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Run a store node",
		Long: `Run a store node until an interrupt or SIGTERM. Settings come from --config, then
the environment, then flags, each over the one before. A new node first becomes the
first of a store with ` + "`doorward init`" + `, or a member of one with ` + "`doorward join`" + `.`,
		Example: `  doorward server --config /etc/doorward/server.yaml
  doorward server --data ./node --root-key-file root.key --listen 127.0.0.1:8470`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := flags.loadValid(a, cmd)
			if err != nil {
				return err
			}
			return server.Run(cmd.Context(), &loaded.Server, buildVersion(), a.logger(loaded.LogLevel, loaded.LogFormat))
		},
	}
	flags.add(a, cmd)
	return cmd
}

// logger is the log of a node or sidecar on standard error. The settings are valid.
func (a *app) logger(named, format string) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(named))
	options := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(a.Err, options))
	}
	return slog.New(slog.NewTextHandler(a.Err, options))
}

// quietLogger logs errors only, for nodes that run briefly.
func (a *app) quietLogger() *slog.Logger {
	return slog.New(slog.NewTextHandler(a.Err, &slog.HandlerOptions{Level: slog.LevelError}))
}

func newInit(a *app) *cobra.Command {
	var flags serverFlags
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make this node the first of a new store, and show the root key pair once",
		Long: `Make this node the first of a new store. The root key pair is shown this once and
not kept in readable form; it may do everything. If root_key.file names a file that
does not exist, a root key is made there: every node of the store needs a copy, and
without it nothing in the store can be read.

The node must not be running. Start it afterwards with ` + "`doorward server`" + `.`,
		Example: `  doorward init --config /etc/doorward/server.yaml
  doorward init --data ./node --root-key-file root.key --listen 127.0.0.1:8470 --output json`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := flags.loadValid(a, cmd)
			if err != nil {
				return err
			}
			if err := a.makeRootKey(loaded.RootKey.File); err != nil {
				return err
			}
			key, err := server.Init(cmd.Context(), &loaded.Server, buildVersion(), a.quietLogger())
			if errors.Is(err, cluster.ErrInitialized) {
				return withHint(err, "Start it with `doorward server`. The root key pair was shown when it was made.")
			}
			if err != nil {
				return err
			}
			return a.showRootKey(key)
		},
	}
	flags.add(a, cmd)
	return cmd
}

// makeRootKey makes the root key in a file that is not there yet.
func (a *app) makeRootKey(file string) error {
	if file == "" {
		return nil
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := seal.CreateRootFile(file); err != nil {
		return fmt.Errorf("make root key: %w", err)
	}
	a.say("A new root key is in %s. Keep a copy elsewhere: without it nothing in the store can be read.", file)
	return nil
}

func (a *app) showRootKey(key cluster.RootKey) error {
	secret := string(key.Secret.Reveal())
	err := a.record(struct {
		ID     string `json:"access_key_id"`
		Secret string `json:"secret_access_key"`
	}{string(key.ID), secret}, field{"Access key id", string(key.ID)}, field{"Secret access key", secret})
	if err == nil {
		a.say("This is the root key pair, shown this once. Keep it now, then start the node: doorward server")
	}
	return err
}

// tokenVariable holds a join token.
const tokenVariable = "DOORWARD_JOIN_TOKEN"

// joinToken reads the token from the file that is named, "-" for standard input, or
// from the environment; empty if there is none. It is no flag: the process list
// would show it.
func (a *app) joinToken(file string) (string, error) {
	switch {
	case file == "-":
		return secretFrom(a.In, "standard input")
	case file != "":
		return secretFile(file)
	}
	return a.Getenv(tokenVariable), nil
}

func newJoin(a *app) *cobra.Command {
	var flags serverFlags
	var tokenFile string
	cmd := &cobra.Command{
		Use:   "join ADDRESS...",
		Short: "Make this node a member of a store that exists",
		Long: `Make this node a member of the store that has a node at one of the addresses (their
peer.listen). It needs a copy of the store's root key, and a token that an
administrator makes with ` + "`doorward cluster token create --kind node`" + `, in a file or in
` + tokenVariable + `. With peer.certificate set it needs no token, but that certificate.
The node must not be running; start it afterwards with ` + "`doorward server`" + `. Joining
that was cut short is taken up where it ended, with the same token.`,
		Example: `  doorward join --config /etc/doorward/server.yaml --token-file join.token store-1:8471 store-2:8471`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return withHint(errors.New("doorward join: ADDRESS is missing"), "Name one node of the store or more, such as store-1:8471.")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			loaded, err := flags.loadValid(a, cmd)
			if err != nil {
				return err
			}
			if loaded.Peer.Listen == "" {
				return withHint(errors.New("peer.listen is empty, so no other node could reach this one"), "Set it, such as :8471.")
			}
			token, err := a.joinToken(tokenFile)
			if err != nil {
				return err
			}
			err = server.Join(cmd.Context(), &loaded.Server, buildVersion(), a.quietLogger(), token, args)
			if errors.Is(err, server.ErrNoToken) {
				return withHint(err, "Make one with `doorward cluster token create --kind node`, and name its file with --token-file.")
			}
			if err != nil {
				return err
			}
			a.say("The node is a member. Start it: doorward server")
			return nil
		},
	}
	cmd.Flags().StringVar(&tokenFile, "token-file", "", "`FILE` that holds the token; - is standard input ("+tokenVariable+" holds the token itself)")
	flags.add(a, cmd)
	return cmd
}

func newConfig(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check and show the settings of a store node",
		Example: `  doorward config check --config /etc/doorward/server.yaml
  doorward config print`,
	}
	cmd.AddCommand(newConfigCheck(a), newConfigPrint(a))
	return cmd
}

func newConfigCheck(a *app) *cobra.Command {
	var flags serverFlags
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Say whether a node could start with these settings",
		Long: `Read the settings as ` + "`doorward server`" + ` would and say what is wrong with them. Unknown
names are refused, with their place. Files that settings name are not opened.`,
		Example: `  doorward config check --config /etc/doorward/server.yaml`,
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := flags.loadValid(a, cmd); err != nil {
				return err
			}
			a.say("The settings are valid.")
			return nil
		},
	}
	flags.add(a, cmd)
	return cmd
}

// shownSetting is the JSON form of a setting.
type shownSetting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	From  string `json:"from"`
}

func newConfigPrint(a *app) *cobra.Command {
	var flags serverFlags
	cmd := &cobra.Command{
		Use:   "print",
		Short: "Show each setting and where it comes from",
		Example: `  doorward config print --config /etc/doorward/server.yaml
  DOORWARD_LISTEN=:9000 doorward config print --output json`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := flags.load(a, cmd)
			if err != nil {
				return err
			}
			var shown []shownSetting
			t := &table{header: []string{"SETTING", "VALUE", "FROM"}}
			for _, setting := range config.Settings {
				s := shownSetting{setting.Name, setting.Value(&loaded.Server), loaded.Origin[setting.Name]}
				shown = append(shown, s)
				t.add(s.Name, s.Value, s.From)
			}
			return a.list(shown, t)
		},
	}
	flags.add(a, cmd)
	return cmd
}
