package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/cmd/doorward/client"
	"github.com/doorward/doorward/iam"
)

func newServiceAccount(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "service-account",
		Aliases: []string{"sa"},
		Short:   "Create, change and show the caller's own service accounts",
		Long: `Service accounts are children of a user, with a key pair each for an application.
They may do what their user may, or less. They are managed with the user's own
keys: not by an administrator, and not with temporary credentials.`,
		Example: `  doorward service-account create --description 'nightly backup'
  doorward service-account list`,
		// What to do next, by the code of a refusal.
		Annotations: map[string]string{string(iam.AccessDenied): "Sign with the access key of the user whose service account it is (--profile). " +
			"Root, sessions and service accounts have none; make a user with `doorward user create`."},
	}
	cmd.AddCommand(newServiceAccountCreate(a), newServiceAccountList(a), newServiceAccountShow(a),
		newServiceAccountUpdate(a), newServiceAccountRotate(a), newServiceAccountDelete(a))
	return cmd
}

// serviceAccountFlags are what can be set of a service account.
type serviceAccountFlags struct {
	description string
	policy      string
	expires     string
	forever     bool
	whole       bool
	enable      bool
	disable     bool
}

// change returns what the flags set. Times are checked here, so that a mistake is
// found before anything is sent.
func (f *serviceAccountFlags) change(cmd *cobra.Command, a *app) (change client.ServiceAccountChange, err error) {
	if cmd.Flags().Changed("description") {
		change.Description = &f.description
	}
	switch {
	case f.whole:
		change.Policy = new(string)
	case f.policy != "":
		document, err := a.readDocument(f.policy)
		if err != nil {
			return change, err
		}
		change.Policy = &document
	}
	switch {
	case f.forever:
		change.Expires = new(client.Expiry)
	case f.expires != "":
		at, err := instant(f.expires, time.Now())
		if err != nil {
			return change, err
		}
		change.Expires = (*client.Expiry)(&at)
	}
	switch {
	case f.enable:
		change.Status = iam.Active.String()
	case f.disable:
		change.Status = iam.Inactive.String()
	}
	return change, nil
}

// instant reads a time to come, as RFC 3339 or as a duration from now, and returns
// it as RFC 3339.
func instant(text string, now time.Time) (string, error) {
	if after, err := time.ParseDuration(text); err == nil {
		return now.Add(after).UTC().Format(time.RFC3339), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return "", withHint(fmt.Errorf("time %q is neither a time nor a duration", text), "For example 2027-01-31T12:00:00Z or 720h.")
	}
	return at.UTC().Format(time.RFC3339), nil
}

func newServiceAccountCreate(a *app) *cobra.Command {
	var flags serviceAccountFlags
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make a service account of the caller, and show its secret once",
		Example: `  doorward service-account create --description 'nightly backup'
  doorward service-account create --policy one-bucket.json --expires 720h`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			wanted, err := flags.change(cmd, a)
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			made, meta, err := c.CreateServiceAccount(cmd.Context(), wanted)
			if err != nil {
				return err
			}
			return a.showServiceAccountSecret(made, meta)
		},
	}
	cmd.Flags().StringVar(&flags.description, "description", "", "`TEXT` that says what the service account is for")
	cmd.Flags().StringVar(&flags.policy, "policy", "", "`FILE` of a policy that narrows what the user may, or - for standard input")
	cmd.Flags().StringVar(&flags.expires, "expires", "", "`TIME` of its end, in RFC 3339 or as a duration from now (default: never)")
	return cmd
}

func (a *app) showServiceAccountSecret(s client.ServiceAccount, meta client.Meta) error {
	err := a.record(struct {
		client.ServiceAccount
		Index iam.Index `json:"index"`
	}{s, meta.Index},
		field{"Access key id", string(s.ID)},
		field{"Secret access key", s.Secret},
		field{"Expires", s.Expires})
	if err == nil {
		a.say("The secret is shown this once. Keep it now.")
	}
	return err
}

func newServiceAccountList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the caller's own service accounts",
		Example: `  doorward service-account list
  doorward service-account list --output json`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			accounts, err := c.ListServiceAccounts(cmd.Context())
			if err != nil {
				return err
			}
			t := &table{header: []string{"ACCESS KEY ID", "STATUS", "CREATED", "EXPIRES", "DESCRIPTION"}}
			for _, s := range accounts {
				t.add(string(s.ID), s.Status, s.Created, orNever(s.Expires), s.Description)
			}
			return a.list(accounts, t)
		},
	}
}

func orNever(expires string) string {
	if expires == "" {
		return "never"
	}
	return expires
}

func newServiceAccountShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "show ACCESS-KEY-ID",
		Short:   "Show one of the caller's own service accounts",
		Example: `  doorward service-account show AKIAEXAMPLE000000001`,
		Args:    exactly("ACCESS-KEY-ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			s, err := c.GetServiceAccount(cmd.Context(), iam.AccessKeyID(args[0]))
			if err != nil {
				return err
			}
			narrowed := "all that the user may"
			if s.Policy != "" {
				narrowed = "narrowed by the policy below"
			}
			if err := a.record(s,
				field{"Access key id", string(s.ID)},
				field{"User", s.Parent},
				field{"Description", s.Description},
				field{"Status", s.Status},
				field{"Created", s.Created},
				field{"Expires", orNever(s.Expires)},
				field{"Rights", narrowed},
			); err != nil || s.Policy == "" || a.output == outputJSON {
				return err
			}
			_, err = fmt.Fprintf(a.Out, "\n%s\n", indented(s.Policy))
			return err
		},
	}
}

func newServiceAccountUpdate(a *app) *cobra.Command {
	var flags serviceAccountFlags
	cmd := &cobra.Command{
		Use:   "update ACCESS-KEY-ID",
		Short: "Change the description, policy, expiry or status of a service account",
		Example: `  doorward service-account update AKIAEXAMPLE000000001 --disable
  doorward service-account update AKIAEXAMPLE000000001 --policy one-bucket.json --no-expiry`,
		Args: exactly("ACCESS-KEY-ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			change, err := flags.change(cmd, a)
			if err != nil {
				return err
			}
			if (change == client.ServiceAccountChange{}) {
				return withHint(errors.New("nothing to change"), "See `doorward service-account update --help`.")
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			meta, err := c.UpdateServiceAccount(cmd.Context(), iam.AccessKeyID(args[0]), change)
			if err != nil {
				return err
			}
			return a.done(meta, "updated", args[0], "service account %s updated", args[0])
		},
	}
	f := cmd.Flags()
	f.StringVar(&flags.description, "description", "", "`TEXT` that says what the service account is for")
	f.StringVar(&flags.policy, "policy", "", "`FILE` of a policy that narrows what the user may, or - for standard input")
	f.BoolVar(&flags.whole, "no-policy", false, "let it do all that the user may")
	f.StringVar(&flags.expires, "expires", "", "`TIME` of its end, in RFC 3339 or as a duration from now")
	f.BoolVar(&flags.forever, "no-expiry", false, "let it live until it is deleted")
	f.BoolVar(&flags.enable, "enable", false, "let it be used again")
	f.BoolVar(&flags.disable, "disable", false, "refuse it until it is enabled again")
	cmd.MarkFlagsMutuallyExclusive("policy", "no-policy")
	cmd.MarkFlagsMutuallyExclusive("expires", "no-expiry")
	cmd.MarkFlagsMutuallyExclusive("enable", "disable")
	return cmd
}

func newServiceAccountDelete(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "delete ACCESS-KEY-ID",
		Aliases: []string{"rm"},
		Short:   "Delete one of the caller's own service accounts",
		Example: `  doorward service-account delete AKIAEXAMPLE000000001`,
		Args:    exactly("ACCESS-KEY-ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			meta, err := c.DeleteServiceAccount(cmd.Context(), iam.AccessKeyID(args[0]))
			if err != nil {
				return err
			}
			return a.done(meta, "deleted", args[0], "service account %s deleted", args[0])
		},
	}
}
