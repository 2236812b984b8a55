package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/cmd/doorward/client"
	"github.com/doorward/doorward/iam"
)

func newCluster(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cluster",
		Short: "See and change the nodes of the store",
		Example: `  doorward cluster status
  doorward cluster token create --kind node`,
	}
	cmd.AddCommand(
		newClusterStatus(a), newClusterWait(a), newClusterToken(a), newClusterPromote(a), newClusterTransfer(a),
		newClusterRemove(a), newClusterLeave(a), newGossip(a), newAuthority(a), newSnapshot(a), newRecover(a),
	)
	return cmd
}

func newClusterStatus(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show every node: role, index, lag, version, disk and health",
		Long: `Show every node as it describes itself to the node that is asked, which needs no
leader for it. LAG is how many commands a node is behind the furthest; DISK is how
long a write to its log takes. GOSSIP is what the asked node has heard: alive, suspect
(it does not answer), left (it said that it stops), dead, or nothing; it is a hint, and
HEALTH is what counts.`,
		Example: `  doorward cluster status
  doorward cluster status --output json`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			status, err := c.DescribeCluster(cmd.Context())
			if err != nil {
				return err
			}
			t := &table{header: []string{"NODE", "ADDRESS", "ROLE", "TERM", "INDEX", "LAG", "VERSION", "DISK", "GOSSIP", "HEALTH"}}
			for _, m := range status.Members {
				health := "well"
				if !m.Healthy {
					health = m.Reason
				}
				t.add(m.ID, m.Address, m.Role, strconv.FormatUint(m.Term, 10), strconv.FormatUint(m.Index, 10),
					strconv.FormatUint(m.Lag, 10), m.Version, fmt.Sprintf("%.2fms", m.DiskMillis), cmp.Or(m.Gossip, "-"), health)
			}
			if err := a.list(status, t); err != nil || a.output == outputJSON {
				return err
			}
			leader := status.Leader
			if leader == "" {
				leader = "none"
			}
			a.say("Cluster %s, leader %s, index %d, feature level %d, seal key %s", status.ClusterID, leader, status.Index, status.FeatureLevel, status.SealKey)
			return nil
		},
	}
}

// pollEvery is how often wait asks.
const pollEvery = 200 * time.Millisecond

func newClusterWait(a *app) *cobra.Command {
	var voters int
	var patience time.Duration
	cmd := &cobra.Command{
		Use:   "wait",
		Short: "Wait until every node is well and has caught up",
		Long: `Wait until there is a leader, every node is well, has caught up, and as many nodes
vote as --voters says. Exit code 3 if that does not happen in time.`,
		Example: `  doorward cluster wait --voters 3
  doorward cluster wait --patience 5m`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), patience)
			defer cancel()
			status, missing := awaitCluster(ctx, c, voters)
			if missing != nil {
				return withHint(fmt.Errorf("after %v: %w", patience, missing), "See `doorward cluster status`.")
			}
			if a.output == outputJSON {
				return a.json(status)
			}
			a.say("%d nodes are well, %d vote.", len(status.Members), status.Voters)
			return nil
		},
	}
	cmd.Flags().IntVar(&voters, "voters", 0, "`NUMBER` of nodes that have to vote; 0: any")
	cmd.Flags().DurationVar(&patience, "patience", time.Minute, "`DURATION` to wait at most")
	return cmd
}

// awaitCluster asks until nothing is missing, or says what still is when ctx ends.
func awaitCluster(ctx context.Context, c *client.Client, voters int) (client.ClusterStatus, error) {
	var missing error // as far as the store said
	for {
		status, err := c.DescribeCluster(ctx)
		if refused, ok := errors.AsType[*client.Error](err); ok && refused.Code != iam.ServiceUnavailable {
			return status, err
		}
		if err == nil {
			if err = lacks(status, voters); err == nil {
				return status, nil
			}
			// Not there in time is unavailable, whatever it is that lacks.
			missing = errors.Join(err, context.DeadlineExceeded)
		} else if missing == nil || ctx.Err() == nil {
			missing = err
		}
		pause := time.NewTimer(pollEvery)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return status, missing
		}
	}
}

func lacks(status client.ClusterStatus, voters int) error {
	switch {
	case status.Leader == "":
		return errors.New("there is no leader")
	case voters > 0 && status.Voters != voters:
		return fmt.Errorf("%d nodes vote, not %d", status.Voters, voters)
	}
	for _, m := range status.Members {
		switch {
		case !m.Healthy:
			return fmt.Errorf("node %s: %s", m.ID, m.Reason)
		case m.Lag > 0:
			return fmt.Errorf("node %s is %d commands behind", m.ID, m.Lag)
		}
	}
	return nil
}

// member finds the node that a person means: by id, by the beginning of an id, or
// by address.
func (a *app) member(ctx context.Context, c *client.Client, meant string) (string, error) {
	status, err := c.DescribeCluster(ctx)
	if err != nil {
		return "", err
	}
	var found []string
	for _, m := range status.Members {
		if strings.HasPrefix(m.ID, meant) || m.Address == meant {
			found = append(found, m.ID)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	return "", withHint(fmt.Errorf("%q names %d nodes, not one", meant, len(found)), "Name a node by its id, the beginning of it, or its address: see `doorward cluster status`.")
}

// memberVerb is a command about one node.
func memberVerb(a *app, cmd *cobra.Command, done string, change func(context.Context, *client.Client, string) error) *cobra.Command {
	cmd.Args = exactly("NODE")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		id, err := a.member(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		if err := change(cmd.Context(), c, id); err != nil {
			return err
		}
		return a.changedMember(id, done)
	}
	return cmd
}

func (a *app) changedMember(id, done string) error {
	if a.output == outputJSON {
		return a.json(struct {
			Action string `json:"action"`
			On     string `json:"on"`
		}{done, id})
	}
	a.say("node %s: %s", id, done)
	return nil
}

func newClusterPromote(a *app) *cobra.Command {
	var force bool
	cmd := memberVerb(a, &cobra.Command{
		Use:   "promote NODE",
		Short: "Give a node a vote now",
		Long: `Give a node that follows a vote. The leader does so by itself, two at a time, when
they have kept up for ten seconds; this is for an even number of voters, or for
haste. --force does not wait until the node has caught up.`,
		Example: `  doorward cluster promote 4kq2`,
	}, "promoted", func(ctx context.Context, c *client.Client, id string) error { return c.PromoteMember(ctx, id, force) })
	cmd.Flags().BoolVar(&force, "force", false, "although it has not caught up")
	return cmd
}

func newClusterTransfer(a *app) *cobra.Command {
	return memberVerb(a, &cobra.Command{
		Use:     "transfer NODE",
		Short:   "Let a node that votes lead",
		Example: `  doorward cluster transfer 4kq2`,
	}, "leads", func(ctx context.Context, c *client.Client, id string) error { return c.TransferLeadership(ctx, id) })
}

func newClusterRemove(a *app) *cobra.Command {
	var force bool
	cmd := memberVerb(a, &cobra.Command{
		Use:   "remove NODE",
		Short: "Take a node out of the store for good",
		Long: `Take a node out of the store for good, usually one that is lost. Its data directory
is of no use afterwards, under its old id. A node that votes goes only if a majority
of those that remain is well; --force does it all the same.`,
		Example: `  doorward cluster remove 4kq2`,
	}, "removed", func(ctx context.Context, c *client.Client, id string) error { return c.RemoveMember(ctx, id, force) })
	cmd.Flags().BoolVar(&force, "force", false, "although too few would be well")
	return cmd
}

func newClusterLeave(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "leave",
		Short: "Take the node at --endpoint out of the store for good",
		Long: `Take the node at --endpoint out of the store for good: it hands leadership over, is
removed, and stops. To restart a node there is nothing to do: a node that is told
to stop hands over and stays a member.`,
		Example: `  doorward cluster leave --endpoint https://store-3:8470`,
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			status, err := c.DescribeCluster(cmd.Context())
			if err != nil {
				return err
			}
			if err := c.LeaveCluster(cmd.Context(), force); err != nil {
				return err
			}
			return a.changedMember(status.Node, "left")
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "although too few would be well")
	return cmd
}

func newClusterToken(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Let a node or sidecar become a member, once",
		Example: `  doorward cluster token create --kind sidecar --name s3-host-1
  doorward cluster token list`,
	}
	cmd.AddCommand(newTokenCreate(a), newTokenList(a), newTokenDelete(a))
	return cmd
}

func newTokenCreate(a *app) *cobra.Command {
	var kind, name string
	var ttl time.Duration
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make a token that lets one member in, and show it once",
		Long: `Make a token that lets one node or sidecar in. The token is shown this once: the
store knows its hash only. It names the store's authority, so that whoever brings it
recognises the store. Hand it over in a file or a variable, not on a command line.`,
		Example: `  doorward cluster token create --kind node >join.token
  doorward cluster token create --kind sidecar --name s3-host-1 --ttl 10m`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if ttl < time.Second || ttl > 7*24*time.Hour {
				return fmt.Errorf("--ttl is %v: want one second to seven days", ttl)
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			token, err := c.CreateJoinToken(cmd.Context(), kind, name, uint32(ttl/time.Second))
			if err != nil {
				return err
			}
			if a.output == outputJSON {
				return a.json(token)
			}
			fmt.Fprintln(a.Out, token.Token)
			a.say("This token lets one %s in until %s, and is shown this once (id %s).", token.Kind, token.Expires, token.ID)
			return nil
		},
	}
	cmd.Flags().StringVar(&kind, "kind", "", "`KIND` of member: node or sidecar")
	cmd.Flags().StringVar(&name, "name", "", "`NAME` that the member gets; empty: it chooses")
	cmd.Flags().DurationVar(&ttl, "ttl", time.Hour, "`DURATION` that the token is good for")
	cmd.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions([]string{"node", "sidecar"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func newTokenList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the tokens that wait and the members that used one",
		Example: `  doorward cluster token list`,
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			tokens, err := c.ListJoinTokens(cmd.Context())
			if err != nil {
				return err
			}
			t := &table{header: []string{"ID", "KIND", "NAME", "STATE", "EXPIRES", "USED"}}
			for _, token := range tokens {
				t.add(token.ID, token.Kind, token.Name, token.State, token.Expires, token.Used)
			}
			return a.list(tokens, t)
		},
	}
}

func newTokenDelete(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "delete ID",
		Short: "Take a token back, or the membership of the sidecar that used it",
		Long: `Take a token back that nobody has used. For one that was used, its member can no
longer renew its certificate, and a sidecar can no longer connect.`,
		Example: `  doorward cluster token delete 0f3b9c7tqk2m8z4d`,
		Args:    exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			meta, err := c.DeleteJoinToken(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.done(meta, "deleted", args[0], "token %s deleted", args[0])
		},
	}
}
