package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/doorward/doorward/cmd/doorward/client"
)

// completeWithin is how long a shell waits for the store's answer to a Tab.
const completeWithin = 2 * time.Second

// completeArguments has every command below cmd complete the names that its usage line
// asks for, from the store. Where the store does not answer, nothing is offered.
func (a *app) completeArguments(cmd *cobra.Command) {
	for _, verb := range cmd.Commands() {
		a.completeArguments(verb)
	}
	a.completeFlags(cmd)
	places := strings.Fields(cmd.Use)[1:]
	if !cmd.Runnable() || cmd.ValidArgs != nil || cmd.Name() == "create" && cmd.Parent().Name() != "access-key" {
		return
	}
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= len(places) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		kind := strings.Trim(places[len(args)], "[]")
		if kind == "NAME" {
			kind = strings.ToUpper(cmd.Parent().Name())
		}
		offer, known := offers[kind]
		if !known {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return a.offered(offer, cmd, args, typed), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFlags has the flags of cmd that name something of the store complete it.
func (a *app) completeFlags(cmd *cobra.Command) {
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		kind, _ := pflag.UnquoteUsage(f)
		if f.Name == "user" || f.Name == "group" || f.Name == "role" {
			kind = strings.ToUpper(f.Name)
		}
		offer, known := offers[kind]
		if !known {
			return
		}
		cmd.RegisterFlagCompletionFunc(f.Name, func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return a.offered(offer, cmd, args, typed), cobra.ShellCompDirectiveNoFileComp
		})
	})
}

// offer lists what can stand in a place of a command line.
type offer func(ctx context.Context, c *client.Client, cmd *cobra.Command, args []string) []string

// offered are those of an offer that begin with what is typed.
func (a *app) offered(from offer, cmd *cobra.Command, args []string, typed string) (found []cobra.Completion) {
	c, err := a.client()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	for _, name := range from(ctx, c, cmd, args) {
		if strings.HasPrefix(name, typed) {
			found = append(found, name)
		}
	}
	return found
}

// offers list what can stand in the place of a word of a usage line.
var offers = map[string]offer{
	"USER": func(ctx context.Context, c *client.Client, _ *cobra.Command, _ []string) []string {
		users, _ := c.ListUsers(ctx, "")
		return names(users, func(u client.User) string { return u.Name })
	},
	"GROUP": func(ctx context.Context, c *client.Client, _ *cobra.Command, _ []string) []string {
		groups, _ := c.ListGroups(ctx, "")
		return names(groups, func(g client.Group) string { return g.Name })
	},
	"ROLE": func(ctx context.Context, c *client.Client, _ *cobra.Command, _ []string) []string {
		roles, _ := c.ListRoles(ctx, "")
		return names(roles, func(r client.Role) string { return r.Name })
	},
	"POLICY": func(ctx context.Context, c *client.Client, _ *cobra.Command, _ []string) []string {
		policies, _ := c.ListPolicies(ctx, false)
		return names(policies, func(p client.Policy) string { return p.Name })
	},
	"ACCESS-KEY-ID": func(ctx context.Context, c *client.Client, cmd *cobra.Command, args []string) []string {
		if cmd.Parent().Name() == "service-account" {
			own, _ := c.ListServiceAccounts(ctx)
			return names(own, func(s client.ServiceAccount) string { return string(s.ID) })
		}
		if len(args) == 0 || cmd.Name() == "import" {
			return nil
		}
		keys, _ := c.ListAccessKeys(ctx, args[0])
		return names(keys, func(k client.AccessKey) string { return string(k.ID) })
	},
}

func names[T any](list []T, name func(T) string) []string {
	out := make([]string, len(list))
	for i, item := range list {
		out[i] = name(item)
	}
	return out
}
