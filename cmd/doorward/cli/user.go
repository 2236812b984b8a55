package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/cmd/doorward/client"
	"github.com/doorward/doorward/iam"
)

func newUser(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Create, change and show users, and attach policies to them",
		Example: `  doorward user create alice --generate --policy readonly
  doorward user list`,
	}
	cmd.AddCommand(newUserCreate(a), newUserList(a), newUserShow(a), newUserUpdate(a), newUserDelete(a), newUserSecret(a),
		newAttach(a, "user", "alice", client.UserNamed), newDetach(a, "user", "alice", client.UserNamed))
	return cmd
}

// userCreation collects the flags of `user create`.
type userCreation struct {
	path     string
	generate bool
	secret   secretFlags
	posix    posixFlags
	policies []string
	tags     []string
}

func newUserCreate(a *app) *cobra.Command {
	var flags userCreation
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a user, with a secret to sign with or without",
		Long: `Create a user.

With --secret-key, --secret-key-file or --generate the user can sign at once: the
access key id is the user's name, the secret is the one given or made. A secret
has at least 8 characters, with an upper-case and a lower-case letter and a digit
or special character among them. Without any of them the user has no credentials
until ` + "`doorward access-key create`" + ` makes some.

A new user may do nothing until a policy is attached.`,
		Example: `  doorward user create alice --generate --policy readonly
  doorward user create bob --secret-key -                    ask for the secret
  doorward user create carol --secret-key-file carol.secret --posix-uid 1002 --posix-gid 100
  doorward user create deploy --path /ci/ --tag team=build`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.createUser(cmd, args[0], flags) },
	}
	f := cmd.Flags()
	f.StringVar(&flags.path, "path", "", "`PATH` that groups users, such as /ci/ (default /)")
	f.BoolVar(&flags.generate, "generate", false, "make a secret and show it once")
	flags.secret.add(cmd, "the user's secret key")
	cmd.MarkFlagsMutuallyExclusive("generate", "secret-key")
	cmd.MarkFlagsMutuallyExclusive("generate", "secret-key-file")
	flags.posix.add(cmd)
	f.StringArrayVar(&flags.policies, "policy", nil, "managed `POLICY` to attach, by name or ARN; may be given again")
	f.StringArrayVar(&flags.tags, "tag", nil, "tag `KEY=VALUE`; may be given again")
	return cmd
}

// createdUser is the JSON form of a new user.
type createdUser struct {
	client.User
	AccessKeyID string    `json:"access_key_id,omitempty"`
	Secret      string    `json:"secret_access_key,omitempty"`
	Policies    []iam.ARN `json:"policies,omitempty"`
	Index       iam.Index `json:"index"`
}

func (a *app) createUser(cmd *cobra.Command, name string, flags userCreation) error {
	wanted, err := a.newUserFrom(cmd, name, flags)
	if err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	// The policies are looked up first, so that a misspelt one stops everything
	// before the user exists.
	arns, err := a.policyARNs(cmd.Context(), c, flags.policies)
	if err != nil {
		return err
	}
	user, meta, err := c.CreateUser(cmd.Context(), wanted)
	if err != nil {
		return err
	}
	if meta, err = attachAll(cmd.Context(), c, "user", client.UserNamed(name), arns, meta); err != nil {
		return err
	}
	made := createdUser{User: user, Policies: arns, Index: meta.Index}
	if wanted.Secret != "" {
		made.AccessKeyID = name
	}
	if flags.generate {
		made.Secret = wanted.Secret
	}
	return a.showCreatedUser(made)
}

func (a *app) newUserFrom(cmd *cobra.Command, name string, flags userCreation) (client.NewUser, error) {
	wanted := client.NewUser{Name: name, Path: flags.path}
	var err error
	if wanted.POSIX, err = flags.posix.value(cmd); err != nil {
		return wanted, err
	}
	if wanted.Tags, err = parseTags(flags.tags); err != nil {
		return wanted, err
	}
	switch {
	case flags.generate:
		wanted.Secret = newSecret()
	case flags.secret.given(a):
		wanted.Secret, err = flags.secret.read(cmd.Context(), a, "Secret key for "+name+": ", true)
	}
	return wanted, err
}

func (a *app) showCreatedUser(made createdUser) error {
	policies := make([]string, len(made.Policies))
	for i, arn := range made.Policies {
		policies[i] = string(arn)
	}
	err := a.record(made,
		field{"User", made.Name},
		field{"ARN", string(made.ARN)},
		field{"Policies", strings.Join(policies, ", ")},
		field{"POSIX", made.POSIX.String()},
		field{"Access key id", made.AccessKeyID},
		field{"Secret access key", made.Secret})
	if err != nil {
		return err
	}
	if made.Secret != "" {
		a.say("The secret is shown this once. Keep it now.")
	}
	if made.AccessKeyID == "" {
		a.say("%s has no credentials yet: doorward access-key create %s", made.Name, made.Name)
	}
	if len(made.Policies) == 0 {
		a.say("%s may do nothing yet: doorward user attach %s POLICY", made.Name, made.Name)
	}
	return nil
}

func newUserList(a *app) *cobra.Command {
	var prefix string
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the users",
		Example: `  doorward user list
  doorward user list --path-prefix /ci/ --output json`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			users, err := c.ListUsers(cmd.Context(), prefix)
			if err != nil {
				return err
			}
			t := &table{header: []string{"NAME", "PATH", "CREATED", "ID"}}
			for _, u := range users {
				t.add(u.Name, u.Path, u.Created, u.ID)
			}
			return a.list(users, t)
		},
	}
	cmd.Flags().StringVar(&prefix, "path-prefix", "", "only users whose path begins with `PATH`, such as /ci/")
	return cmd
}

// shownUser is the JSON form of `user show`.
type shownUser struct {
	client.User
	Groups     []string                `json:"groups"`
	Policies   []client.AttachedPolicy `json:"policies"`
	Inline     []string                `json:"inline_policies"`
	AccessKeys []client.AccessKey      `json:"access_keys"`
}

func newUserShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Show a user with its policies and access keys",
		Example: `  doorward user show alice
  doorward user show alice --output json`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			shown, err := a.lookUpUser(cmd, args[0])
			if err != nil {
				return err
			}
			return a.showUser(shown)
		},
	}
}

func (a *app) lookUpUser(cmd *cobra.Command, name string) (shown shownUser, err error) {
	c, err := a.client()
	if err != nil {
		return shown, err
	}
	ctx, holder := cmd.Context(), client.UserNamed(name)
	if shown.User, err = c.GetUser(ctx, name); err != nil {
		return shown, err
	}
	if shown.Policies, shown.Inline, err = policiesOf(ctx, c, holder); err != nil {
		return shown, err
	}
	groups, err := c.GroupsOf(ctx, name)
	if err != nil {
		return shown, err
	}
	shown.Groups = []string{}
	for _, group := range groups {
		shown.Groups = append(shown.Groups, group.Name)
	}
	shown.AccessKeys, err = c.ListAccessKeys(ctx, name)
	return shown, err
}

func (a *app) showUser(shown shownUser) error {
	keys, tags := []string{}, []string{}
	for _, k := range shown.AccessKeys {
		keys = append(keys, fmt.Sprintf("%s (%s)", k.ID, k.Status))
	}
	for _, t := range shown.Tags {
		tags = append(tags, t.Key+"="+t.Value)
	}
	return a.record(shown,
		field{"User", shown.Name},
		field{"ARN", string(shown.ARN)},
		field{"Id", shown.ID},
		field{"Path", shown.Path},
		field{"Created", shown.Created},
		field{"Status", shown.Status},
		field{"POSIX", shown.POSIX.String()},
		field{"Tags", strings.Join(tags, ", ")},
		field{"Groups", orNone(shown.Groups)},
		field{"Policies", orNone(policyNames(shown.Policies))},
		field{"Inline policies", orNone(shown.Inline)},
		field{"Access keys", orNone(keys)})
}

func newUserUpdate(a *app) *cobra.Command {
	var change client.UserChange
	var posix posixFlags
	var enable, disable, noPOSIX bool
	cmd := &cobra.Command{
		Use:   "update NAME",
		Short: "Rename or move a user, disable it, or set its POSIX ids",
		Long: `Change a user. Access keys, policies and memberships stay.

A disabled user's credentials are all refused: access keys, service accounts and
sessions.`,
		Example: `  doorward user update alice --new-name alice.b
  doorward user update alice --disable
  doorward user update alice --posix-uid 1001 --posix-gid 100`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case enable:
				change.Status = iam.Active
			case disable:
				change.Status = iam.Inactive
			}
			ids, err := posix.value(cmd)
			if err != nil {
				return err
			}
			change.POSIX, change.SetPOSIX = ids, ids != nil || noPOSIX
			return a.updateUser(cmd, args[0], change)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&change.NewName, "new-name", "", "new `NAME`")
	flags.StringVar(&change.NewPath, "new-path", "", "new `PATH`, such as /ci/")
	flags.BoolVar(&enable, "enable", false, "let the user's credentials be used again")
	flags.BoolVar(&disable, "disable", false, "refuse all of the user's credentials")
	flags.BoolVar(&noPOSIX, "no-posix", false, "clear the POSIX ids")
	posix.add(cmd)
	cmd.MarkFlagsMutuallyExclusive("enable", "disable")
	cmd.MarkFlagsMutuallyExclusive("no-posix", "posix-uid")
	return cmd
}

func (a *app) updateUser(cmd *cobra.Command, name string, change client.UserChange) error {
	if change.IsZero() {
		return withHint(errors.New("nothing to change"), "See `doorward user update --help`.")
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	meta, err := c.UpdateUser(cmd.Context(), name, change)
	if err != nil {
		return err
	}
	return a.done(meta, "updated", name, "user %s updated", name)
}

func newUserDelete(a *app) *cobra.Command {
	var cascade bool
	cmd := &cobra.Command{
		Use:     "delete NAME",
		Aliases: []string{"rm"},
		Short:   "Delete a user",
		Long: `Delete a user. A user that still has access keys, policies or groups is refused,
unless --cascade lets them go too. The user's sessions end.`,
		Example: `  doorward user delete alice
  doorward user delete alice --cascade`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			meta, err := c.DeleteUser(cmd.Context(), args[0], cascade)
			if errors.Is(err, &client.Error{Code: iam.DeleteConflict}) {
				return withHint(err, "See what it holds with `doorward user show %s`, or delete it with all of that: --cascade.", args[0])
			}
			if err != nil {
				return err
			}
			return a.done(meta, "deleted", args[0], "user %s deleted", args[0])
		},
	}
	cmd.Flags().BoolVar(&cascade, "cascade", false, "delete the user's keys, policies, memberships and service accounts too")
	return cmd
}

func newUserSecret(a *app) *cobra.Command {
	var flags secretFlags
	var generate, remove bool
	cmd := &cobra.Command{
		Use:   "secret NAME",
		Short: "Set, make or remove the secret that a user signs with by name",
		Long: `Set the secret with which the user's name is an access key id. An old one is refused
from then on. Without a flag the secret is asked for.`,
		Example: `  doorward user secret alice
  doorward user secret alice --generate
  doorward user secret alice --remove`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if remove {
				return a.removeSecret(cmd, args[0])
			}
			secret := newSecret()
			if !generate {
				var err error
				if secret, err = flags.read(cmd.Context(), a, "Secret key for "+args[0]+": ", true); err != nil {
					return err
				}
			}
			return a.setSecret(cmd, args[0], secret, generate)
		},
	}
	flags.add(cmd, "the user's secret key")
	cmd.Flags().BoolVar(&generate, "generate", false, "make a secret and show it once")
	cmd.Flags().BoolVar(&remove, "remove", false, "let the user's name be no access key id any more")
	cmd.MarkFlagsMutuallyExclusive("generate", "remove", "secret-key", "secret-key-file")
	return cmd
}

func (a *app) setSecret(cmd *cobra.Command, name, secret string, show bool) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	meta, err := c.SetSecret(cmd.Context(), name, secret)
	if err != nil {
		return err
	}
	if !show {
		return a.done(meta, "set", name, "secret of user %s set", name)
	}
	err = a.record(struct {
		ID     string    `json:"access_key_id"`
		Secret string    `json:"secret_access_key"`
		Index  iam.Index `json:"index"`
	}{name, secret, meta.Index}, field{"Access key id", name}, field{"Secret access key", secret})
	if err == nil {
		a.say("The secret is shown this once. Keep it now.")
	}
	return err
}

func (a *app) removeSecret(cmd *cobra.Command, name string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	meta, err := c.RemoveSecret(cmd.Context(), name)
	if err != nil {
		return err
	}
	return a.done(meta, "removed", name, "secret of user %s removed", name)
}
