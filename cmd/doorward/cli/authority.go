package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/cmd/doorward/client"
	"github.com/doorward/doorward/iam"
)

func newAuthority(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "authority",
		Short: "Replace the authority that signs the certificates of nodes and sidecars",
		Long: `Replace the authority that signs the certificates of nodes and sidecars, its key
included, while the store serves. There are three steps: another authority is staged,
which all trust and which signs nothing; it is used, and everybody gets a certificate of
it; the one before is dropped, and its certificates are refused. Each step waits until
every node and every sidecar has made the one before, and names those that have not.
Between two steps everything works, for as long as you like. ` + "`rotate`" + ` makes them all.`,
		Example: `  doorward cluster authority rotate
  doorward cluster authority status`,
	}
	cmd.AddCommand(newAuthorityStatus(a), newAuthorityRotate(a), newAuthorityStage(a), newAuthorityUse(a), newAuthorityDrop(a))
	return cmd
}

func newAuthorityStatus(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show the authorities, the next step, and for whom it is too early",
		Long: `Show the authorities that are trusted, which step of a replacement comes next, and
the nodes and sidecars for whom it is too early. A sidecar counts that is connected or
has ever joined. --output json has the certificates, too.`,
		Example: `  doorward cluster authority status`,
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.showAuthorities(cmd.Context(), c)
		},
	}
}

func (a *app) showAuthorities(ctx context.Context, c *client.Client) error {
	s, err := c.DescribeAuthorities(ctx)
	if err != nil {
		return err
	}
	t := &table{header: []string{"AUTHORITY", "DUTY", "SINCE", "EXPIRES"}}
	for _, one := range s.Authorities {
		t.add(one.Fingerprint, one.Duty, cmp.Or(one.Since, "-"), one.Expires)
	}
	if err := a.list(s, t); err != nil || a.output == outputJSON {
		return err
	}
	a.say("Next step: %s", s.Next)
	a.say("%s", sayBehind(s))
	for _, id := range s.ByHand {
		a.say("Node %s has a certificate that is made by hand, which is left alone.", id)
	}
	return nil
}

// sayBehind names those for whom the next step is too early.
func sayBehind(s client.Authorities) string {
	if s.BehindTotal == 0 {
		return "Nobody is behind."
	}
	text := fmt.Sprintf("%d behind:", s.BehindTotal)
	for _, b := range s.Behind {
		text += fmt.Sprintf("\n  %s %s: %s", b.Kind, b.Name, b.Reason)
	}
	if more := s.BehindTotal - len(s.Behind); more > 0 {
		text += fmt.Sprintf("\n  and %d more", more)
	}
	return text
}

// forceUsage is the flag of the steps that can cut somebody off.
const forceUsage = "although sidecars are cut off by it, which have to join anew; never nodes"

func newAuthorityRotate(a *app) *cobra.Command {
	var force bool
	var patience time.Duration
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Replace the authority in all three steps",
		Long: `Replace the authority in all three steps, each as soon as nobody is cut off by it. If
somebody is still behind when --patience is over, they are named and the exit code is
3; everything goes on working, and the command takes the replacement up again where it
is. With --force it then goes on without sidecars that are behind, such as those that
are lost. Nodes are never left behind: start them, or remove them.`,
		Example: `  doorward cluster authority rotate
  doorward cluster authority rotate --patience 10m --force`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.rotateAuthority(cmd.Context(), c, patience, force)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, forceUsage)
	cmd.Flags().DurationVar(&patience, "patience", time.Minute, "`DURATION` to wait at each step")
	return cmd
}

// The steps as the store names them, and what they mean once they are made.
const (
	stageStep = "stage"
	useStep   = "use"
	dropStep  = "drop"
)

var stepsMade = map[string]string{
	stageStep: "Another authority is trusted.",
	useStep:   "It signs. Join tokens that nobody has used yet are void: make new ones.",
	dropStep:  "The authority before is no longer trusted.",
}

func (a *app) rotateAuthority(ctx context.Context, c *client.Client, patience time.Duration, force bool) error {
	for begun := false; ; begun = true {
		s, err := a.stepAuthority(ctx, c, patience, force, begun)
		switch {
		case err != nil:
			return err
		case s.Next == stageStep && begun:
			return a.showAuthorities(ctx, c)
		}
		a.say("%s", stepsMade[s.Next])
	}
}

// stepAuthority makes the next step when nobody is cut off by it, and returns how it was
// before; unless that was the end of a replacement that has begun.
func (a *app) stepAuthority(ctx context.Context, c *client.Client, patience time.Duration, force, begun bool) (client.Authorities, error) {
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		s, err := c.DescribeAuthorities(bounded)
		late := bounded.Err() != nil
		if err == nil && s.BehindTotal == 0 {
			if begun && s.Next == stageStep {
				return s, nil
			}
			if err = takeStep(bounded, c, s.Next, false); err == nil {
				return s, nil
			}
		}
		if refused, ok := errors.AsType[*client.Error](err); ok && !passes(refused.Code) {
			return s, err
		}
		pause := time.NewTimer(pollEvery)
		select {
		case <-pause.C:
		case <-bounded.Done():
			pause.Stop()
		}
		if !late {
			continue
		}
		return a.lateStep(ctx, c, patience, force, err)
	}
}

// passes reports whether what the store refuses may be otherwise a little later.
func passes(code iam.Code) bool {
	return code == iam.ServiceUnavailable || code == iam.EntityTemporarilyUnmodifiable
}

// lateStep goes on without sidecars if that is what force wants, or says who is behind.
func (a *app) lateStep(ctx context.Context, c *client.Client, patience time.Duration, force bool, last error) (client.Authorities, error) {
	s, err := c.DescribeAuthorities(ctx)
	if err != nil {
		return s, err
	}
	if force && s.Next != stageStep {
		return s, takeStep(ctx, c, s.Next, true)
	}
	if s.BehindTotal == 0 {
		return s, withHint(errors.Join(fmt.Errorf("after %v", patience), last), "See `doorward cluster authority status`, and run it again.")
	}
	// Not there in time is unavailable, whoever it is that lacks.
	return s, withHint(errors.Join(fmt.Errorf("after %v it is too early to %s, %s", patience, s.Next, sayBehind(s)), context.DeadlineExceeded),
		"Everything works meanwhile. See to them and run it again; --force goes on without sidecars, which then have to join anew.")
}

func takeStep(ctx context.Context, c *client.Client, step string, force bool) error {
	switch step {
	case stageStep:
		return c.StageAuthority(ctx)
	case useStep:
		return c.UseAuthority(ctx, force)
	case dropStep:
		return c.DropAuthority(ctx, "", force)
	}
	return fmt.Errorf("the store wants a step %q, which this program does not know", step)
}

func newAuthorityStage(a *app) *cobra.Command {
	return authorityVerb(a, &cobra.Command{
		Use:   "stage",
		Short: "First step: make another authority, which all trust and which does not sign yet",
		Long: `First step: make another authority, which all trust and which does not sign yet.
Again is no change. To take it back: doorward cluster authority drop FINGERPRINT.`,
		Example: `  doorward cluster authority stage`,
		Args:    exactly(),
	}, func(ctx context.Context, c *client.Client, _ []string) error { return c.StageAuthority(ctx) })
}

func newAuthorityUse(a *app) *cobra.Command {
	var force bool
	cmd := authorityVerb(a, &cobra.Command{
		Use:   "use",
		Short: "Second step: have the authority sign that was staged",
		Long: `Second step: have the authority sign that was staged. Nodes and sidecars get
certificates of it by themselves. It is refused while one of them does not trust it.
Join tokens that nobody has used yet are void then: they name the authority before.`,
		Example: `  doorward cluster authority use`,
		Args:    exactly(),
	}, func(ctx context.Context, c *client.Client, _ []string) error { return c.UseAuthority(ctx, force) })
	cmd.Flags().BoolVar(&force, "force", false, forceUsage)
	return cmd
}

func newAuthorityDrop(a *app) *cobra.Command {
	var force bool
	cmd := authorityVerb(a, &cobra.Command{
		Use:   "drop [FINGERPRINT]",
		Short: "Third step: end the trust in the authority that signed before",
		Long: `Third step: end the trust in the authority that signed before, or in one that is named
and does not sign, such as one that was staged by mistake. Certificates of it are
refused from then on, and connections that were made with one end. It is refused while
a node or a sidecar has such a certificate.`,
		Example: `  doorward cluster authority drop`,
		Args:    atMostFingerprint,
	}, func(ctx context.Context, c *client.Client, args []string) error {
		return c.DropAuthority(ctx, append(args, "")[0], force)
	})
	cmd.Flags().BoolVar(&force, "force", false, forceUsage)
	return cmd
}

func atMostFingerprint(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return exactly("FINGERPRINT")(cmd, args)
}

// authorityVerb is a command that makes one step.
func authorityVerb(a *app, cmd *cobra.Command, take func(context.Context, *client.Client, []string) error) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		if err := take(cmd.Context(), c, args); err != nil {
			return err
		}
		return a.showAuthorities(cmd.Context(), c)
	}
	return cmd
}
