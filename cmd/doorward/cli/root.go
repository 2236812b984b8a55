package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/cmd/doorward/client"
)

// usageTemplate is what help shows below the description.
const usageTemplate = `Usage:
  {{if .HasAvailableSubCommands}}{{.CommandPath}} COMMAND{{else}}{{.UseLine}} [flags]{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}

Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

Flags of every command:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}
`

// defaultEndpoint is where `doorward dev` and a store's API listen.
const defaultEndpoint = "http://127.0.0.1:8470"

// Process is what a command knows of the world outside.
type Process struct {
	Args   []string // without the program's name
	In     *os.File
	Out    io.Writer // data
	Err    io.Writer // messages
	Getenv func(string) string
}

// app is one run of the command line.
type app struct {
	Process
	endpoint string
	profile  string
	output   string
	caBundle string
	timeout  time.Duration
	noWait   bool
	signer   client.Credentials // that sign, for messages
	warned   bool               // that the key that signs ends soon
}

// Main runs a command and returns its exit code.
func Main(ctx context.Context, p Process) int {
	a := &app{Process: p}
	root := newRoot(a)
	root.SetArgs(p.Args)
	root.SetIn(p.In)
	root.SetOut(p.Out)
	root.SetErr(p.Err)
	return a.report(root.ExecuteContextC(ctx))
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "doorward",
		Short: "An identity store for S3-compatible storage, and the authorizer beside it",
		Long: `Doorward keeps users, keys, policies and sessions for S3-compatible storage,
and answers S3 servers' questions: who signed this request, and may they do it?

Commands that talk to a store sign with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
and AWS_SESSION_TOKEN, or with a profile of the AWS credentials file.

Data goes to standard output, messages go to standard error. Exit codes: 0 done,
1 wrong usage or a local error, 2 the store refused, 3 the store is unavailable
or did not answer in time.`,
		Example: `  doorward dev                                 a store and an authorizer on this machine
  doorward user create alice --generate        a user who signs with name and secret
  doorward user attach alice readonly          what alice may do`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.checkGlobals(); err != nil {
				return err
			}
			return checkFlags(cmd)
		},
	}
	a.addGlobals(root)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return withHint(err, "See `%s --help`.", cmd.CommandPath())
	})
	root.AddCommand(
		newUser(a), newGroup(a), newRole(a), newPolicy(a), newAccessKey(a), newServiceAccount(a),
		newSTS(a), newSession(a), newCreds(a), newExec(a), newWhoami(a), newSimulate(a), newExplain(a), newAudit(a), newSettings(a), newImport(a), newExport(a),
		newDev(a), newServer(a), newSidecar(a), newSidecars(a), newInit(a), newJoin(a), newCluster(a), newOperator(a), newTLS(a),
		newConfig(a), newHealth(a), newBench(a), newVersion(a), newCompletion(a),
	)
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetUsageTemplate(usageTemplate)
	askForVerbs(root)
	a.completeArguments(root)
	return root
}

func (a *app) addGlobals(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.StringVar(&a.endpoint, "endpoint", a.envOr("DOORWARD_ENDPOINT", defaultEndpoint), "`URL` of the store's API (DOORWARD_ENDPOINT)")
	flags.StringVar(&a.profile, "profile", "", "`NAME` of the profile in the AWS credentials file to sign with (AWS_PROFILE)")
	flags.StringVarP(&a.output, "output", "o", a.envOr("DOORWARD_OUTPUT", outputTable), "`FORM` of the output: table or json (DOORWARD_OUTPUT)")
	flags.StringVar(&a.caBundle, "ca-bundle", a.Getenv("AWS_CA_BUNDLE"), "`FILE` of PEM certificates to trust for https endpoints (AWS_CA_BUNDLE)")
	flags.DurationVar(&a.timeout, "timeout", 30*time.Second, "`DURATION` to wait for one answer of the store")
	flags.BoolVar(&a.noWait, "no-wait", false, "do not wait, after a change that takes something away, until every sidecar has followed it")
	for name, value := range map[string]string{"endpoint": defaultEndpoint, "output": outputTable, "ca-bundle": ""} {
		// The reference describes the product, not the environment that it is printed in.
		flags.Lookup(name).DefValue = value
	}
	root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{outputTable, outputJSON}, cobra.ShellCompDirectiveNoFileComp))
}

func (a *app) envOr(name, byDefault string) string {
	if value := a.Getenv(name); value != "" {
		return value
	}
	return byDefault
}

func (a *app) checkGlobals() error {
	if a.output != outputTable && a.output != outputJSON {
		return withHint(fmt.Errorf("output %q is not known", a.output), "Say --output table or --output json.")
	}
	return nil
}

// askForVerbs makes cmd and the commands below it that only group others show
// their help, and refuse words that name no command with the nearest that do.
func askForVerbs(cmd *cobra.Command) {
	for _, verb := range cmd.Commands() {
		askForVerbs(verb)
	}
	if cmd.Runnable() {
		cmd.DisableFlagsInUseLine = true
		return
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return withHint(fmt.Errorf("unknown command %q", cmd.CommandPath()+" "+args[0]), "%s", suggestion(cmd, args[0]))
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

func suggestion(cmd *cobra.Command, typed string) string {
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(typed); len(near) > 0 {
		return fmt.Sprintf("Did you mean `%s %s`?", cmd.CommandPath(), strings.Join(near, "` or `"))
	}
	return fmt.Sprintf("See `%s --help`.", cmd.CommandPath())
}

// client returns a client that signs with the caller's credentials.
func (a *app) client() (*client.Client, error) {
	creds, err := client.Lookup(a.Getenv, a.profile)
	if err != nil {
		return nil, err
	}
	return a.clientFor(creds)
}

// clientFor returns a client that signs with creds, or not at all if they are
// zero.
func (a *app) clientFor(creds client.Credentials) (*client.Client, error) {
	a.signer = creds
	return client.New(client.Config{
		Endpoint:    a.endpoint,
		Credentials: creds,
		Timeout:     a.timeout,
		NoWait:      a.noWait,
		CABundle:    a.caBundle,
		UserAgent:   "doorward/" + buildVersion(),
		KeyEnds:     a.keyEnds,
	})
}

// keyEnds warns, once, that the key that signs has not long to live.
func (a *app) keyEnds(at string) {
	if !a.warned {
		a.say("The access key %s ends at %s. Replace it: see `doorward access-key rotate --help`.", a.signer, at)
	}
	a.warned = true
}

// exactly asks for the named arguments, no more and no fewer.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		usage := fmt.Sprintf("Usage: %s. See `%s --help`.", cmd.UseLine(), cmd.CommandPath())
		if len(args) > len(names) {
			return withHint(fmt.Errorf("%s: too many arguments, from %q on", cmd.CommandPath(), args[len(names)]), "%s", usage)
		}
		return withHint(fmt.Errorf("%s: %s is missing", cmd.CommandPath(), names[len(args)]), "%s", usage)
	}
}
