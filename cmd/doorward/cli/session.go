package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/cmd/doorward/client"
	"github.com/doorward/doorward/iam"
)

func newSession(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "session",
		Short: "List and revoke temporary credentials",
		Example: `  doorward session list --user alice
  doorward session revoke --user alice`,
	}
	cmd.AddCommand(newSessionList(a), newSessionRevoke(a))
	return cmd
}

func newSessionList(a *app) *cobra.Command {
	var of client.SessionsOf
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the sessions that have not ended",
		Example: `  doorward session list
  doorward session list --role backup --output json`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			sessions, err := c.ListSessions(cmd.Context(), of)
			if err != nil {
				return err
			}
			t := &table{header: []string{"ACCESS KEY ID", "KIND", "PARENT", "NAME", "ISSUED", "EXPIRES"}}
			for _, s := range sessions {
				t.add(string(s.ID), s.Kind, string(s.Parent), s.Name, s.Issued, s.Expires)
			}
			return a.list(sessions, t)
		},
	}
	addSessionsOf(cmd, &of)
	return cmd
}

func addSessionsOf(cmd *cobra.Command, of *client.SessionsOf) {
	cmd.Flags().StringVar(&of.User, "user", "", "only sessions of the user `NAME`")
	cmd.Flags().StringVar(&of.Role, "role", "", "only sessions of the role `NAME`")
	cmd.MarkFlagsMutuallyExclusive("user", "role")
}

func newSessionRevoke(a *app) *cobra.Command {
	var of client.SessionsOf
	var before string
	cmd := &cobra.Command{
		Use:   "revoke [ACCESS-KEY-ID]",
		Short: "End one session, or those of a user or role",
		Long: `End a session by its access key id, or all sessions of a user or role, or those of
them that were issued before a time.`,
		Example: `  doorward session revoke ASIAEXAMPLE000000001
  doorward session revoke --user alice
  doorward session revoke --role backup --issued-before 2026-11-01T00:00:00Z`,
		Args: func(cmd *cobra.Command, args []string) error {
			whose := of != client.SessionsOf{}
			if len(args) > 1 || (len(args) == 1) == whose {
				return withHint(errors.New("name one access key id, or --user, or --role"), "See `doorward session revoke --help`.")
			}
			if before != "" && !whose {
				return withHint(errors.New("--issued-before needs --user or --role"), "See `doorward session revoke --help`.")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := time.Parse(time.RFC3339, before); before != "" && err != nil {
				return withHint(fmt.Errorf("time %q is not in RFC 3339", before), "For example 2026-11-01T00:00:00Z.")
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				meta, err := c.RevokeSession(cmd.Context(), iam.AccessKeyID(args[0]))
				if err != nil {
					return err
				}
				return a.done(meta, "revoked", args[0], "session %s revoked", args[0])
			}
			meta, err := c.RevokeSessions(cmd.Context(), of, before)
			if err != nil {
				return err
			}
			return a.done(meta, "revoked", of.User+of.Role, "sessions of %s revoked", of.User+of.Role)
		},
	}
	addSessionsOf(cmd, &of)
	cmd.Flags().StringVar(&before, "issued-before", "", "only sessions issued before `TIME`, in RFC 3339 (default: now)")
	return cmd
}
