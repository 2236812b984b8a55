package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/cmd/doorward/client"
	"github.com/doorward/doorward/iam"
)

func newAccessKey(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "access-key",
		Short: "Create, list, replace, disable and delete access keys",
		Example: `  doorward access-key create alice
  doorward access-key list alice`,
	}
	cmd.AddCommand(newAccessKeyCreate(a), newAccessKeyImport(a), newAccessKeyList(a), newAccessKeyRotate(a),
		newAccessKeySwitch(a, "enable", iam.Active, "Let an access key be used again"),
		newAccessKeySwitch(a, "disable", iam.Inactive, "Refuse an access key until it is enabled again"),
		newAccessKeyDelete(a))
	return cmd
}

func newAccessKeyCreate(a *app) *cobra.Command {
	var expires string
	cmd := &cobra.Command{
		Use:   "create [USER]",
		Short: "Make an access key for a user, and show its secret once",
		Long: `Make an access key id and secret for a user, or for the caller if none is named. A
user has at most two, so that one can replace the other without a gap.`,
		Example: `  doorward access-key create alice
  doorward access-key create alice --expires 2160h --output json > alice-key.json`,
		Args: atMostUser,
		RunE: func(cmd *cobra.Command, args []string) error {
			if expires != "" && len(args) == 0 {
				return withHint(errors.New("--expires needs a user"), "Usage: doorward access-key create USER --expires TIME.")
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			key, meta, err := createAccessKey(cmd.Context(), c, userArg(args), expires)
			if errors.Is(err, &client.Error{Code: iam.LimitExceeded}) {
				return withHint(err, "Delete one that is no longer used: see `doorward access-key list %s`.", userArg(args))
			}
			if err != nil && len(args) == 0 && errors.Is(err, &client.Error{Code: iam.ValidationError}) {
				return withHint(err, "Name the user: doorward access-key create USER.")
			}
			if err != nil {
				return err
			}
			return a.showAccessKey(key, meta)
		},
	}
	cmd.Flags().StringVar(&expires, "expires", "", "`TIME` of its end, in RFC 3339 or as a duration from now (default: never)")
	return cmd
}

// createAccessKey makes a key through the IAM API, or with an expiry, which that
// does not know, through /v1.
func createAccessKey(ctx context.Context, c *client.Client, user, expires string) (client.AccessKey, client.Meta, error) {
	if expires == "" {
		return c.CreateAccessKey(ctx, user)
	}
	at, err := instant(expires, time.Now())
	if err != nil {
		return client.AccessKey{}, client.Meta{}, err
	}
	return c.AddAccessKey(ctx, user, client.NewAccessKey{Expires: at})
}

func (a *app) showAccessKey(key client.AccessKey, meta client.Meta) error {
	err := a.record(struct {
		client.AccessKey
		Index iam.Index `json:"index"`
	}{key, meta.Index},
		field{"User", key.User},
		field{"Access key id", string(key.ID)},
		field{"Secret access key", key.Secret},
		field{"Expires", key.Expires})
	if err == nil && key.Secret != "" {
		a.say("The secret is shown this once. Keep it now.")
	}
	return err
}

func newAccessKeyImport(a *app) *cobra.Command {
	var secret secretFlags
	cmd := &cobra.Command{
		Use:   "import USER ACCESS-KEY-ID",
		Short: "Take over an access key from elsewhere, with its id and secret",
		Long: `Give a user an access key that exists elsewhere, so that its applications go on
unchanged. The secret is asked for if it isn't given.`,
		Example: `  doorward access-key import alice AKIAEXAMPLE000000001
  doorward access-key import alice AKIAEXAMPLE000000001 --secret-key-file old.secret`,
		Args: exactly("USER", "ACCESS-KEY-ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := secret.read(cmd.Context(), a, "Secret key of "+args[1]+": ", false)
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			key, meta, err := c.AddAccessKey(cmd.Context(), args[0], client.NewAccessKey{ID: args[1], Secret: text})
			if err != nil {
				return err
			}
			return a.showAccessKey(key, meta)
		},
	}
	secret.add(cmd, "the secret of the access key")
	return cmd
}

func atMostUser(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return withHint(fmt.Errorf("%s: too many arguments, from %q on", cmd.CommandPath(), args[1]), "Usage: %s.", cmd.UseLine())
	}
	return nil
}

func userArg(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func newAccessKeyList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "list [USER]",
		Aliases: []string{"ls"},
		Short:   "List the access keys of a user, or of the caller",
		Example: `  doorward access-key list alice
  doorward access-key list --output json`,
		Args: atMostUser,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			user, err := userOrSelf(cmd.Context(), c, args)
			if err != nil {
				return err
			}
			keys, err := c.ListAccessKeys(cmd.Context(), user)
			if user == "" && errors.Is(err, &client.Error{Code: iam.ValidationError}) {
				return withHint(err, "Name the user: doorward access-key list USER.")
			}
			if err != nil {
				return err
			}
			t := &table{header: []string{"ACCESS KEY ID", "USER", "STATUS", "CREATED", "EXPIRES", "LAST USED"}}
			for _, k := range keys {
				t.add(string(k.ID), k.User, k.Status, k.Created, orNever(k.Expires), k.LastUsed)
			}
			return a.list(keys, t)
		},
	}
}

func newAccessKeySwitch(a *app, verb string, status iam.Status, short string) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " USER ACCESS-KEY-ID",
		Short:   short,
		Example: "  doorward access-key " + verb + " alice AKIAEXAMPLE000000001",
		Args:    exactly("USER", "ACCESS-KEY-ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			meta, err := c.UpdateAccessKey(cmd.Context(), args[0], iam.AccessKeyID(args[1]), status)
			if err != nil {
				return err
			}
			return a.done(meta, verb+"d", args[1], "access key %s of user %s %sd", args[1], args[0], verb)
		},
	}
}

func newAccessKeyDelete(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "delete USER ACCESS-KEY-ID",
		Aliases: []string{"rm"},
		Short:   "Delete an access key",
		Example: `  doorward access-key delete alice AKIAEXAMPLE000000001`,
		Args:    exactly("USER", "ACCESS-KEY-ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			meta, err := c.DeleteAccessKey(cmd.Context(), args[0], iam.AccessKeyID(args[1]))
			if err != nil {
				return err
			}
			return a.done(meta, "deleted", args[1], "access key %s of user %s deleted", args[1], args[0])
		},
	}
}
