package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/cmd/doorward/client"
	"github.com/doorward/doorward/iam"
)

// newAttach is the verb attach of users, groups and roles.
func newAttach(a *app, kind, example string, named func(string) client.Holder) *cobra.Command {
	return &cobra.Command{
		Use:   "attach NAME POLICY",
		Short: "Attach a managed policy to a " + kind,
		Long: `Attach a managed policy, by name or ARN. Attaching it again changes nothing. The
policies that every store has are readonly, writeonly and readwrite.`,
		Example: fmt.Sprintf("  doorward %[1]s attach %[2]s readonly\n  doorward %[1]s attach %[2]s arn:aws:iam::000000000000:policy/reports", kind, example),
		Args:    exactly("NAME", "POLICY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			arn, err := a.policyARN(cmd.Context(), c, args[1])
			if err != nil {
				return err
			}
			meta, err := c.AttachPolicy(cmd.Context(), named(args[0]), arn)
			if err != nil {
				return err
			}
			return a.done(meta, "attached", string(arn), "%s attached to %s %s", args[1], kind, args[0])
		},
	}
}

// newDetach is the verb detach of users, groups and roles.
func newDetach(a *app, kind, example string, named func(string) client.Holder) *cobra.Command {
	return &cobra.Command{
		Use:     "detach NAME POLICY",
		Short:   "Detach a managed policy from a " + kind,
		Example: fmt.Sprintf("  doorward %s detach %s readonly", kind, example),
		Args:    exactly("NAME", "POLICY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			arn, err := a.policyARN(cmd.Context(), c, args[1])
			if err != nil {
				return err
			}
			meta, err := c.DetachPolicy(cmd.Context(), named(args[0]), arn)
			if err != nil {
				return err
			}
			return a.done(meta, "detached", string(arn), "%s detached from %s %s", args[1], kind, args[0])
		},
	}
}

// policiesOf returns the managed and the inline policies of a user, group or role.
func policiesOf(ctx context.Context, c *client.Client, holder client.Holder) ([]client.AttachedPolicy, []string, error) {
	attached, err := c.ListAttached(ctx, holder)
	if err != nil {
		return nil, nil, err
	}
	inline, err := c.ListInline(ctx, holder)
	return attached, inline, err
}

func policyNames(policies []client.AttachedPolicy) []string {
	names := make([]string, len(policies))
	for i, p := range policies {
		names[i] = p.Name
	}
	return names
}

// attachAll attaches policies to what has just been created. A failure says what
// there is by then and how to go on.
func attachAll(ctx context.Context, c *client.Client, kind string, to client.Holder, arns []iam.ARN, meta client.Meta) (client.Meta, error) {
	for _, arn := range arns {
		attached, err := c.AttachPolicy(ctx, to, arn)
		if err != nil {
			return meta, withHint(fmt.Errorf("%s %s is created, but %s is not attached: %w", kind, to.Name, arn, err),
				"Try again with `doorward %s attach %s %s`.", kind, to.Name, arn)
		}
		meta = attached
	}
	return meta, nil
}

func orNone(items []string) string {
	if len(items) == 0 {
		return "none"
	}
	return strings.Join(items, ", ")
}
