package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/cmd/doorward/client"
	"github.com/doorward/doorward/iam"
)

func newSTS(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "sts",
		Short:   "Get temporary credentials",
		Example: `  doorward sts assume-role --duration 15m`,
	}
	cmd.AddCommand(newAssumeRole(a))
	return cmd
}

// assumption is which session is wanted and who asks: the flags that `sts
// assume-role`, `creds` and `exec` share.
type assumption struct {
	role     string
	name     string
	policy   string
	duration time.Duration
	key      string
	secret   secretFlags
}

func (s *assumption) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.role, "role", "", "`ROLE` to assume, by name or ARN (default: the caller itself)")
	f.StringVar(&s.name, "session-name", "doorward-cli", "`NAME` of the session in ARNs and logs")
	f.StringVar(&s.policy, "policy", "", "`FILE` of a session policy that takes rights away, or - for standard input")
	f.DurationVar(&s.duration, "duration", 0, "life of the session as a `DURATION`, 15m to 168h; a role sets its own limit (default: 1h)")
	f.StringVar(&s.key, "access-key", "", "access key `ID` to sign with instead of the usual credentials")
	s.secret.add(cmd, "the secret of --access-key")
}

// begin asks the store for the session.
func (s *assumption) begin(cmd *cobra.Command, a *app) (client.Session, client.Meta, error) {
	c, wanted, err := s.prepare(cmd, a)
	if err != nil {
		return client.Session{}, client.Meta{}, err
	}
	return assume(cmd.Context(), c, wanted)
}

// assume asks for a session. A role is an ARN, or the name of a role of the caller's
// account with its path if it has one. The store gives who names no role that exists a
// session of their own identity; here who asks for a role gets that or nothing.
func assume(ctx context.Context, c *client.Client, wanted client.AssumeRole) (client.Session, client.Meta, error) {
	role := wanted.Role
	if role != "" && !strings.HasPrefix(string(role), "arn:") {
		self, err := c.CallerIdentity(ctx)
		if err != nil {
			return client.Session{}, client.Meta{}, err
		}
		wanted.Role = iam.ARN(fmt.Sprintf("arn:aws:iam::%s:role/%s", self.Account, strings.TrimPrefix(string(role), "/")))
	}
	session, meta, err := c.AssumeRole(ctx, wanted)
	if err == nil && role != "" && !strings.Contains(string(session.ARN), ":assumed-role/") {
		return client.Session{}, meta, withHint(&client.Error{Code: iam.NoSuchEntity, Message: fmt.Sprintf("There is no role %s.", role)},
			"See what there is with `doorward role list`; a role with a path is PATH/NAME. Without --role the session is the caller's own.")
	}
	return session, meta, err
}

// prepare reads what the flags name, and asks nobody but the user.
func (s *assumption) prepare(cmd *cobra.Command, a *app) (*client.Client, client.AssumeRole, error) {
	wanted := client.AssumeRole{Role: iam.ARN(s.role), Name: s.name, Duration: s.duration}
	if s.duration%time.Second != 0 {
		return nil, client.AssumeRole{}, withHint(fmt.Errorf("duration %v is not in whole seconds", s.duration),
			"For example --duration 15m or --duration 900s.")
	}
	if s.policy != "" {
		document, err := a.readDocument(s.policy)
		if err != nil {
			return nil, client.AssumeRole{}, err
		}
		wanted.Policy = document
	}
	c, err := s.client(cmd, a)
	return c, wanted, err
}

// client returns a client that signs as the flags say.
func (s *assumption) client(cmd *cobra.Command, a *app) (*client.Client, error) {
	if s.key == "" {
		return a.client()
	}
	secret, err := s.secret.read(cmd.Context(), a, "Secret key of "+s.key+": ", false)
	if err != nil {
		return nil, err
	}
	return a.clientFor(client.Credentials{AccessKeyID: s.key, SecretAccessKey: secret, Source: "--access-key"})
}

func newAssumeRole(a *app) *cobra.Command {
	var flags assumption
	cmd := &cobra.Command{
		Use:   "assume-role",
		Short: "Get temporary credentials for a role, or for the caller itself",
		Long: `Get an access key, secret and session token that end by themselves. Without --role
they stand for the caller itself; a session policy can take rights away, never add
any.

The call is signed with the usual credentials, or with --access-key and a secret
that is asked for if it isn't given: with the name and secret of a user, for
example.`,
		Example: `  doorward sts assume-role
  doorward sts assume-role --access-key alice --duration 15m
  doorward sts assume-role --role backup --session-name nightly
  doorward sts assume-role --policy read-one-bucket.json --output json`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			session, meta, err := flags.begin(cmd, a)
			if err != nil {
				return err
			}
			return a.record(struct {
				client.Session
				Index iam.Index `json:"index"`
			}{session, meta.Index},
				field{"Access key id", session.AccessKeyID},
				field{"Secret access key", session.SecretAccessKey},
				field{"Session token", session.SessionToken},
				field{"Expiration", session.Expiration},
				field{"ARN", string(session.ARN)})
		},
	}
	flags.add(cmd)
	return cmd
}
