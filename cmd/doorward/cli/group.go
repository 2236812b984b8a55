package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/cmd/doorward/client"
	"github.com/doorward/doorward/iam"
)

func newGroup(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "group",
		Short: "Create, change and show groups, their members and policies",
		Example: `  doorward group create analysts --policy readonly
  doorward group add analysts alice`,
	}
	cmd.AddCommand(newGroupCreate(a), newGroupList(a), newGroupShow(a), newGroupUpdate(a), newGroupDelete(a),
		newGroupAdd(a), newGroupRemove(a),
		newAttach(a, "group", "analysts", client.GroupNamed), newDetach(a, "group", "analysts", client.GroupNamed))
	return cmd
}

func newGroupCreate(a *app) *cobra.Command {
	var path string
	var policies []string
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a group",
		Example: `  doorward group create analysts
  doorward group create builders --path /ci/ --policy writeonly`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			arns, err := a.policyARNs(cmd.Context(), c, policies)
			if err != nil {
				return err
			}
			group, meta, err := c.CreateGroup(cmd.Context(), args[0], path)
			if err != nil {
				return err
			}
			if meta, err = attachAll(cmd.Context(), c, "group", client.GroupNamed(args[0]), arns, meta); err != nil {
				return err
			}
			return a.record(struct {
				client.Group
				Policies []iam.ARN `json:"policies,omitempty"`
				Index    iam.Index `json:"index"`
			}{group, arns, meta.Index}, field{"Group", group.Name}, field{"ARN", string(group.ARN)})
		},
	}
	cmd.Flags().StringVar(&path, "path", "", "`PATH` that sorts groups, such as /ci/ (default /)")
	cmd.Flags().StringArrayVar(&policies, "policy", nil, "managed `POLICY` to attach, by name or ARN; may be given again")
	return cmd
}

func newGroupList(a *app) *cobra.Command {
	var prefix string
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the groups",
		Example: `  doorward group list
  doorward group list --path-prefix /ci/ --output json`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			groups, err := c.ListGroups(cmd.Context(), prefix)
			if err != nil {
				return err
			}
			t := &table{header: []string{"NAME", "PATH", "CREATED", "ID"}}
			for _, g := range groups {
				t.add(g.Name, g.Path, g.Created, g.ID)
			}
			return a.list(groups, t)
		},
	}
	cmd.Flags().StringVar(&prefix, "path-prefix", "", "only groups whose path begins with `PATH`, such as /ci/")
	return cmd
}

func newGroupShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Show a group with its members and policies",
		Example: `  doorward group show analysts`,
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			group, users, err := c.GetGroup(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			attached, inline, err := policiesOf(cmd.Context(), c, client.GroupNamed(args[0]))
			if err != nil {
				return err
			}
			members := []string{}
			for _, u := range users {
				members = append(members, u.Name)
			}
			return a.record(struct {
				client.Group
				Members  []string                `json:"members"`
				Policies []client.AttachedPolicy `json:"policies"`
				Inline   []string                `json:"inline_policies"`
			}{group, members, attached, inline},
				field{"Group", group.Name},
				field{"ARN", string(group.ARN)},
				field{"Id", group.ID},
				field{"Created", group.Created},
				field{"Members", orNone(members)},
				field{"Policies", orNone(policyNames(attached))},
				field{"Inline policies", orNone(inline)})
		},
	}
}

func newGroupUpdate(a *app) *cobra.Command {
	var name, path string
	cmd := &cobra.Command{
		Use:     "update NAME",
		Short:   "Rename or move a group",
		Example: `  doorward group update analysts --new-name science --new-path /staff/`,
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if name == "" && path == "" {
				return withHint(errors.New("nothing to change"), "Say --new-name or --new-path.")
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			meta, err := c.UpdateGroup(cmd.Context(), args[0], name, path)
			if err != nil {
				return err
			}
			return a.done(meta, "updated", args[0], "group %s updated", args[0])
		},
	}
	cmd.Flags().StringVar(&name, "new-name", "", "new `NAME`")
	cmd.Flags().StringVar(&path, "new-path", "", "new `PATH`, such as /ci/")
	return cmd
}

func newGroupDelete(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "delete NAME",
		Aliases: []string{"rm"},
		Short:   "Delete a group that has neither members nor policies",
		Example: `  doorward group delete analysts`,
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			meta, err := c.DeleteGroup(cmd.Context(), args[0])
			if errors.Is(err, &client.Error{Code: iam.DeleteConflict}) {
				return withHint(err, "See what it holds with `doorward group show %s`, then detach and remove that.", args[0])
			}
			if err != nil {
				return err
			}
			return a.done(meta, "deleted", args[0], "group %s deleted", args[0])
		},
	}
}

func newGroupAdd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "add GROUP USER",
		Short:   "Make a user a member of a group",
		Example: `  doorward group add analysts alice`,
		Args:    exactly("GROUP", "USER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			meta, err := c.AddToGroup(cmd.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			return a.done(meta, "added", args[1], "user %s added to group %s", args[1], args[0])
		},
	}
}

func newGroupRemove(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "remove GROUP USER",
		Short:   "End a user's membership of a group",
		Example: `  doorward group remove analysts alice`,
		Args:    exactly("GROUP", "USER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			meta, err := c.RemoveFromGroup(cmd.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			return a.done(meta, "removed", args[1], "user %s removed from group %s", args[1], args[0])
		},
	}
}
