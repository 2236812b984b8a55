package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/cmd/doorward/client"
	"github.com/doorward/doorward/iam"
)

// simulation collects the flags of `simulate`.
type simulation struct {
	user, group, role string
	actions           []string
	resources         []string
	context           []string
	policies          []string
	bucket            string
	expect            string
}

func newSimulate(a *app) *cobra.Command {
	var flags simulation
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Ask how requests of a user, group or role would be decided",
		Long: `Ask how requests would be decided under the policies as they are, or with more of
them (--policy), without making a request. Each action is asked about on each
resource. A resource is an ARN, or BUCKET or BUCKET/KEY for short.

With --expect the exit code is 1 if one decision is another, for scripts.`,
		Example: `  doorward simulate --user alice --action s3:GetObject --resource reports/2026.csv
  doorward simulate --role backup --action s3:PutObject,s3:DeleteObject --resource 'backups/*' --expect allowed
  doorward simulate --user alice --action s3:GetObject --resource reports/x --context aws:SourceIp=10.0.0.7`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.simulate(cmd, flags) },
	}
	f := cmd.Flags()
	f.StringVar(&flags.user, "user", "", "ask about the user `NAME`")
	f.StringVar(&flags.group, "group", "", "ask about the group `NAME`")
	f.StringVar(&flags.role, "role", "", "ask about the role `NAME`")
	f.StringSliceVar(&flags.actions, "action", nil, "`ACTION` to ask about, such as s3:GetObject; commas between several")
	f.StringSliceVar(&flags.resources, "resource", nil, "`RESOURCE` to ask about; commas between several (default: *)")
	f.StringArrayVar(&flags.context, "context", nil, "condition key `KEY=VALUE`; may be given again, also for more values of a key")
	f.StringArrayVar(&flags.policies, "policy", nil, "`FILE` of a policy that counts as attached; may be given again")
	f.StringVar(&flags.bucket, "bucket-policy", "", "`FILE` of a bucket policy that counts too")
	f.StringVar(&flags.expect, "expect", "", "`DECISION` that all have to be: allowed or denied")
	cmd.MarkFlagsMutuallyExclusive("user", "group", "role")
	return cmd
}

func (a *app) simulate(cmd *cobra.Command, flags simulation) error {
	wanted, err := flags.questions(a)
	if err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	if wanted.Source, err = flags.source(cmd.Context(), c); err != nil {
		return err
	}
	answers, err := c.Simulate(cmd.Context(), wanted)
	if err != nil {
		return err
	}
	t := &table{header: []string{"DECISION", "ACTION", "RESOURCE", "BY"}}
	for _, answer := range answers {
		by := "no policy allows it"
		if len(answer.By) > 0 {
			by = answer.By[0].Policy
		}
		t.add(answer.Decision, answer.Action, answer.Resource, by)
		if len(answer.Missing) > 0 && a.output != outputJSON {
			a.say("%s on %s: the policies also ask for %s; say it with --context", answer.Action, answer.Resource, strings.Join(answer.Missing, ", "))
		}
	}
	if err := a.list(answers, t); err != nil {
		return err
	}
	return expected(answers, flags.expect)
}

// questions returns what the flags ask, but for whom.
func (f simulation) questions(a *app) (s client.Simulation, err error) {
	switch {
	case f.user+f.group+f.role == "":
		return s, withHint(errors.New("nobody to ask about"), "Say --user, --group or --role.")
	case len(f.actions) == 0:
		return s, withHint(errors.New("no action to ask about"), "For example --action s3:GetObject.")
	case f.expect != "" && f.expect != "allowed" && f.expect != "denied":
		return s, withHint(fmt.Errorf("decision %q is not known", f.expect), "Say --expect allowed or --expect denied.")
	}
	s.Actions = f.actions
	for _, resource := range f.resources {
		s.Resources = append(s.Resources, resourceARN(resource))
	}
	for _, text := range f.context {
		pair, err := contextPair(text)
		if err != nil {
			return s, err
		}
		s.Context = append(s.Context, pair)
	}
	for _, name := range f.policies {
		document, err := a.readDocument(name)
		if err != nil {
			return s, err
		}
		s.Policies = append(s.Policies, document)
	}
	if f.bucket != "" {
		s.Bucket, err = a.readDocument(f.bucket)
	}
	return s, err
}

// resourceARN spells BUCKET and BUCKET/KEY out.
func resourceARN(text string) string {
	if text == "*" || strings.HasPrefix(text, "arn:") {
		return text
	}
	return "arn:aws:s3:::" + text
}

// source is the ARN of whoever is asked about.
func (f simulation) source(ctx context.Context, c *client.Client) (iam.ARN, error) {
	switch {
	case f.user != "":
		user, err := c.GetUser(ctx, f.user)
		return user.ARN, err
	case f.group != "":
		group, _, err := c.GetGroup(ctx, f.group)
		return group.ARN, err
	}
	role, err := c.GetRole(ctx, f.role)
	return role.ARN, err
}

// expected is an error if one decision is not the wanted one; empty wants any.
func expected(answers []client.Simulated, want string) error {
	other := 0
	for _, answer := range answers {
		if want != "" && (answer.Decision == "allowed") != (want == "allowed") {
			other++
		}
	}
	if other > 0 {
		return fmt.Errorf("%d of %d decisions are not %s", other, len(answers), want)
	}
	return nil
}
