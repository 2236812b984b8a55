package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/cmd/doorward/client"
)

func newCreds(a *app) *cobra.Command {
	var flags assumption
	var format string
	cmd := &cobra.Command{
		Use:   "creds",
		Short: "Print temporary credentials in the form that AWS tools read",
		Long: `Print temporary credentials for other programs. --format process is what the
credential_process line of an AWS profile calls; the SDK calls again before the
session ends. --format env prints lines for a shell to evaluate.`,
		Example: `  doorward creds --role arn:aws:iam::000000000000:role/backup
  eval "$(doorward creds --format env --duration 15m)"

  # in ~/.aws/config:
  #   [profile backup]
  #   credential_process = doorward creds --profile me --role arn:aws:iam::000000000000:role/backup`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "process" && format != "env" {
				return withHint(fmt.Errorf("format %q is not known", format), "Say --format process or --format env.")
			}
			session, _, err := flags.begin(cmd, a)
			if err != nil {
				return err
			}
			if format == "process" {
				return a.json(credentialProcess(session))
			}
			for _, variable := range environment(session) {
				fmt.Fprintf(a.Out, "export %s\n", variable)
			}
			return nil
		},
	}
	flags.add(cmd)
	cmd.AddCommand(newCredsServe(a))
	cmd.Flags().StringVar(&format, "format", "process", "`FORM` of the output: process or env")
	cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"process", "env"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// processCredentials is what AWS SDKs read from a credential_process. Source: AWS
// SDKs and Tools Reference Guide, process credential provider.
type processCredentials struct {
	Version         int
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
}

func credentialProcess(s client.Session) processCredentials {
	return processCredentials{1, s.AccessKeyID, s.SecretAccessKey, s.SessionToken, s.Expiration}
}

// environment is what AWS tools read from the environment. The values need no
// quoting in a shell: they are of the base64 alphabet.
func environment(s client.Session) []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + s.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + s.SecretAccessKey,
		"AWS_SESSION_TOKEN=" + s.SessionToken,
	}
}

func newExec(a *app) *cobra.Command {
	var flags assumption
	cmd := &cobra.Command{
		Use:   "exec -- COMMAND [ARG...]",
		Short: "Run a command with temporary credentials in its environment",
		Long: `Run a command with temporary credentials in AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, and without the long-term ones. The
command takes this process's place, so its end is this command's.`,
		Example: `  doorward exec -- aws s3 ls
  doorward exec --role arn:aws:iam::000000000000:role/backup --duration 2h -- restic backup /srv`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return withHint(errors.New("no command given"), "For example: doorward exec -- aws s3 ls.")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := exec.LookPath(args[0])
			if err != nil {
				return err
			}
			session, _, err := flags.begin(cmd, a)
			if err != nil {
				return err
			}
			return fmt.Errorf("run %s: %w", path, syscall.Exec(path, args, withSession(os.Environ(), session)))
		},
	}
	flags.add(cmd)
	return cmd
}

// withSession returns the environment with the session in place of whatever
// credentials are in it. AWS_PROFILE goes too, because some tools prefer it.
func withSession(environ []string, s client.Session) []string {
	environ = slices.DeleteFunc(environ, func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains([]string{
			"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", secretVariable,
		}, name)
	})
	return append(environ, environment(s)...)
}
