package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/cmd/doorward/client"
	"github.com/doorward/doorward/iam"
)

func newRole(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "role",
		Short: "Create, change and show roles, and attach policies to them",
		Example: `  doorward role create backup --trust trust.json --policy readonly
  doorward sts assume-role --role arn:aws:iam::000000000000:role/backup`,
	}
	cmd.AddCommand(newRoleCreate(a), newRoleList(a), newRoleShow(a), newRoleUpdate(a), newRoleDelete(a),
		newAttach(a, "role", "backup", client.RoleNamed), newDetach(a, "role", "backup", client.RoleNamed))
	return cmd
}

func newRoleCreate(a *app) *cobra.Command {
	var role client.NewRole
	var trust string
	var policies []string
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a role that its trust policy lets others assume",
		Long: `Create a role. The trust policy is a JSON document that says who may assume it:
an Allow of sts:AssumeRole with a Principal.`,
		Example: `  doorward role create backup --trust trust.json --policy readonly
  doorward role create nightly --trust trust.json --max-session 12h --description 'nightly jobs'`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if trust == "" {
				return withHint(errors.New("no trust policy given"), "Say --trust FILE, or --trust - for standard input.")
			}
			if role.MaxSession%time.Second != 0 {
				return withHint(fmt.Errorf("max-session %v is not in whole seconds", role.MaxSession), "For example --max-session 4h.")
			}
			var err error
			if role.Trust, err = a.readDocument(trust); err != nil {
				return err
			}
			role.Name = args[0]
			return a.createRole(cmd, role, policies)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&trust, "trust", "", "`FILE` that holds the trust policy, or - for standard input")
	flags.StringVar(&role.Path, "path", "", "`PATH` that sorts roles, such as /ci/ (default /)")
	flags.StringVar(&role.Description, "description", "", "`TEXT` that says what the role is for")
	flags.DurationVar(&role.MaxSession, "max-session", 0, "longest life of a session as a `DURATION`, 1h to 12h (default: 1h)")
	flags.StringArrayVar(&policies, "policy", nil, "managed `POLICY` to attach, by name or ARN; may be given again")
	return cmd
}

func (a *app) createRole(cmd *cobra.Command, role client.NewRole, policies []string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	arns, err := a.policyARNs(cmd.Context(), c, policies)
	if err != nil {
		return err
	}
	made, meta, err := c.CreateRole(cmd.Context(), role)
	if err != nil {
		return err
	}
	if meta, err = attachAll(cmd.Context(), c, "role", client.RoleNamed(role.Name), arns, meta); err != nil {
		return err
	}
	return a.record(struct {
		client.Role
		Policies []iam.ARN `json:"policies,omitempty"`
		Index    iam.Index `json:"index"`
	}{made, arns, meta.Index}, field{"Role", made.Name}, field{"ARN", string(made.ARN)})
}

func newRoleList(a *app) *cobra.Command {
	var prefix string
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the roles",
		Example: `  doorward role list
  doorward role list --output json`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			roles, err := c.ListRoles(cmd.Context(), prefix)
			if err != nil {
				return err
			}
			t := &table{header: []string{"NAME", "PATH", "CREATED", "DESCRIPTION"}}
			for _, r := range roles {
				t.add(r.Name, r.Path, r.Created, r.Description)
			}
			return a.list(roles, t)
		},
	}
	cmd.Flags().StringVar(&prefix, "path-prefix", "", "only roles whose path begins with `PATH`, such as /ci/")
	return cmd
}

func newRoleShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Show a role with its trust policy and policies",
		Example: `  doorward role show backup`,
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			role, err := c.GetRole(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			attached, inline, err := policiesOf(cmd.Context(), c, client.RoleNamed(args[0]))
			if err != nil {
				return err
			}
			if err := a.record(struct {
				client.Role
				Policies []client.AttachedPolicy `json:"policies"`
				Inline   []string                `json:"inline_policies"`
			}{role, attached, inline},
				field{"Role", role.Name},
				field{"ARN", string(role.ARN)},
				field{"Id", role.ID},
				field{"Description", role.Description},
				field{"Longest session", (time.Duration(role.MaxSession) * time.Second).String()},
				field{"Created", role.Created},
				field{"Policies", orNone(policyNames(attached))},
				field{"Inline policies", orNone(inline)},
			); err != nil || a.output == outputJSON {
				return err
			}
			_, err = fmt.Fprintf(a.Out, "\n%s\n", indented(role.Trust))
			return err
		},
	}
}

func newRoleUpdate(a *app) *cobra.Command {
	var change client.RoleChange
	var trust string
	cmd := &cobra.Command{
		Use:   "update NAME",
		Short: "Change a role's trust policy, description or longest session",
		Example: `  doorward role update backup --trust trust.json
  doorward role update backup --max-session 8h`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if trust != "" {
				if change.Trust, err = a.readDocument(trust); err != nil {
					return err
				}
			}
			if (change == client.RoleChange{}) {
				return withHint(errors.New("nothing to change"), "See `doorward role update --help`.")
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			meta, err := c.UpdateRole(cmd.Context(), args[0], change)
			if err != nil {
				return err
			}
			return a.done(meta, "updated", args[0], "role %s updated", args[0])
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&trust, "trust", "", "`FILE` that holds the new trust policy, or - for standard input")
	flags.StringVar(&change.Description, "description", "", "`TEXT` that says what the role is for")
	flags.DurationVar(&change.MaxSession, "max-session", 0, "longest life of a session as a `DURATION`, 1h to 12h")
	return cmd
}

func newRoleDelete(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "delete NAME",
		Aliases: []string{"rm"},
		Short:   "Delete a role that has no policies; its sessions end",
		Example: `  doorward role delete backup`,
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			meta, err := c.DeleteRole(cmd.Context(), args[0])
			if errors.Is(err, &client.Error{Code: iam.DeleteConflict}) {
				return withHint(err, "Detach its policies first: see `doorward role show %s`.", args[0])
			}
			if err != nil {
				return err
			}
			return a.done(meta, "deleted", args[0], "role %s deleted", args[0])
		},
	}
}
