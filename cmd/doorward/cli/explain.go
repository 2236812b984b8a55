package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/cmd/doorward/client"
	"github.com/doorward/doorward/iam"
)

// explanation collects the flags of `explain`.
type explanation struct {
	asked            client.Question
	principal, role  string
	action, resource string
	owner            string
	context          []string
	policies, parent []string
	session, guard   []string
	boundary, bucket string
}

func newExplain(a *app) *cobra.Command {
	var flags explanation
	cmd := &cobra.Command{
		Use:   "explain",
		Short: "Say why a request is decided as it is",
		Long: `Say why a request is decided as it is: what each layer of policies says, which
statement decides, and what the statements that nearly apply expected and got.

With --user, --role or --access-key the store is asked, about the policies that it
holds; an access key brings along all that narrows it. With --principal, an ARN or
"anonymous", everything is read from files and flags, and no store is asked.

The condition keys that follow from the principal, such as aws:username, are filled
in; all others are those of --context. A resource is an ARN, or BUCKET or BUCKET/KEY
for short.`,
		Example: `  doorward explain --user alice --action s3:GetObject --resource reports/2026.csv --context aws:SourceIp=10.0.0.7
  doorward explain --principal arn:aws:iam::000000000000:user/alice --policy reports.json \
      --action s3:GetObject --resource reports/2026.csv --context aws:SourceIp=10.0.0.7
  doorward explain --principal anonymous --bucket-policy public.json --action s3:GetObject --resource reports/x`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.explain(cmd.Context(), flags) },
	}
	f := cmd.Flags()
	f.StringVar(&flags.asked.User, "user", "", "ask the store about the user `NAME`")
	f.StringVar(&flags.asked.Role, "role", "", "ask the store about a session of the role `NAME`")
	f.StringVar((*string)(&flags.asked.AccessKeyID), "access-key", "", "ask the store about whoever has the access key `ID`")
	f.StringVar(&flags.principal, "principal", "", "`ARN` of who asks: a user, role session, federated user or root; or anonymous")
	f.StringVar(&flags.role, "role-arn", "", "`ARN` of the role of a session, if it has a path")
	f.StringVar(&flags.action, "action", "", "`ACTION` to ask about, such as s3:GetObject")
	f.StringVar(&flags.resource, "resource", "*", "`RESOURCE` to ask about")
	f.StringVar(&flags.owner, "owner", "", "`ACCOUNT` that owns the resource (default: the principal's)")
	f.StringArrayVar(&flags.context, "context", nil, "condition key `KEY=VALUE`; may be given again, also for more values of a key")
	f.StringArrayVar(&flags.policies, "policy", nil, "`FILE` of an identity policy; may be given again")
	f.StringArrayVar(&flags.parent, "parent-policy", nil, "`FILE` of a policy of a service account's user; may be given again")
	f.StringVar(&flags.boundary, "boundary", "", "`FILE` of the permissions boundary")
	f.StringArrayVar(&flags.session, "session-policy", nil, "`FILE` of a session policy; may be given again")
	f.StringVar(&flags.bucket, "bucket-policy", "", "`FILE` of the bucket policy")
	f.StringArrayVar(&flags.guard, "guard-rail", nil, "`FILE` of a level of guard rails, from the root down; may be given again")
	cmd.MarkFlagsMutuallyExclusive("user", "role", "access-key", "principal")
	for _, ask := range []string{"user", "role", "access-key"} {
		for _, file := range []string{"role-arn", "owner", "policy", "parent-policy", "boundary", "session-policy", "bucket-policy", "guard-rail"} {
			cmd.MarkFlagsMutuallyExclusive(ask, file)
		}
	}
	return cmd
}

func (a *app) explain(ctx context.Context, flags explanation) error {
	if q := flags.asked; q.User != "" || q.Role != "" || q.AccessKeyID != "" {
		return a.explainStored(ctx, flags)
	}
	request, err := flags.request()
	if err != nil {
		return err
	}
	policies, err := flags.read(a)
	if err != nil {
		return err
	}
	x := authz.Explain(policies, request)
	if a.output == outputJSON {
		return a.json(x)
	}
	_, err = fmt.Fprint(a.Out, x)
	return err
}

// explainStored asks the store.
func (a *app) explainStored(ctx context.Context, flags explanation) error {
	if flags.action == "" {
		return errNoAction
	}
	q := flags.asked
	q.Action, q.Resource = flags.action, resourceARN(flags.resource)
	var err error
	if q.Context, err = contextValues(flags.context); err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	x, err := c.Explain(ctx, q)
	if err != nil {
		return err
	}
	if a.output == outputJSON {
		return a.json(x)
	}
	if x.Fault != "" {
		a.say("The credential itself is refused (%s), whatever the policies say.", x.Fault)
	}
	_, err = fmt.Fprint(a.Out, x.Explanation)
	return err
}

var errNoAction = withHint(errors.New("no action to ask about"), "For example --action s3:GetObject.")

func (f *explanation) request() (*authz.Request, error) {
	if f.action == "" {
		return nil, errNoAction
	}
	principal, err := principalOf(f.principal, f.role)
	if err != nil {
		return nil, err
	}
	r := &authz.Request{
		Principal: principal, Action: f.action, Resource: resourceARN(f.resource),
		ResourceAccount: iam.AccountID(f.owner), Context: &authz.Context{},
	}
	describePrincipal(r)
	return r, addContext(r.Context, f.context)
}

// principalOf reads who asks from an ARN.
func principalOf(arn, role string) (authz.Principal, error) {
	if arn == "anonymous" {
		return authz.Principal{}, nil
	}
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" {
		return authz.Principal{}, withHint(fmt.Errorf("principal %q is not an ARN", arn), "For example --principal arn:aws:iam::000000000000:user/alice, or anonymous.")
	}
	p := authz.Principal{ARN: iam.ARN(arn), Account: iam.AccountID(parts[4])}
	kind, name, _ := strings.Cut(parts[5], "/")
	switch parts[2] + ":" + kind {
	case "iam:user":
		p.Type = authz.User
	case "iam:root":
		p.Type = authz.Root
	case "sts:federated-user":
		p.Type = authz.FederatedUser
	case "sts:assumed-role":
		p.Type = authz.AssumedRole
		name, _, _ = strings.Cut(name, "/")
		if p.RoleARN = iam.ARN(role); role == "" {
			p.RoleARN = iam.ARN("arn:" + parts[1] + ":iam::" + parts[4] + ":role/" + name)
		}
	default:
		return p, withHint(fmt.Errorf("principal %q does not ask", arn), "Name a user, assumed-role, federated-user or root; roles ask through a session, arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION.")
	}
	return p, nil
}

// describePrincipal sets the condition keys that follow from the principal's
// ARN (IAM user guide, "AWS global condition context keys").
func describePrincipal(r *authz.Request) {
	p, c := &r.Principal, r.Context
	names := [...]string{authz.Anonymous: "Anonymous", authz.User: "User", authz.AssumedRole: "AssumedRole", authz.FederatedUser: "FederatedUser", authz.Root: "Account"}
	c.Set(policy.PrincipalTypeKey, names[p.Type])
	if p.Type == authz.Anonymous {
		c.Set(policy.UserID, "anonymous")
		return
	}
	c.Set(policy.PrincipalAccount, string(p.Account))
	c.Set(policy.PrincipalARN, string(p.ARN))
	switch p.Type {
	case authz.User:
		c.Set(policy.Username, string(p.ARN[strings.LastIndex(string(p.ARN), "/")+1:]))
	case authz.AssumedRole:
		c.Set(policy.PrincipalARN, string(p.RoleARN))
	}
}

// contextValues reads condition keys from KEY=VALUE texts. A key that is given again
// has several values.
func contextValues(texts []string) (map[string][]string, error) {
	values := map[string][]string{}
	for _, text := range texts {
		pair, err := contextPair(text)
		if err != nil {
			return nil, err
		}
		values[pair.Key] = append(values[pair.Key], pair.Value)
	}
	return values, nil
}

// addContext sets condition keys. One with several values, or that can have them, is
// a list.
func addContext(c *authz.Context, texts []string) error {
	values, err := contextValues(texts)
	if err != nil {
		return err
	}
	for key, list := range values {
		known, ok := policy.KeyOf(key)
		if len(list) > 1 || ok && known.Info().Multi {
			c.SetNamedList(key, list)
		} else {
			c.SetNamed(key, list[0])
		}
	}
	return nil
}

// read reads the layers of policies. Their files are their names.
func (f *explanation) read(a *app) (p authz.Policies, err error) {
	if p.Identity, err = a.policySet(policy.Identity, f.policies...); err != nil {
		return p, err
	}
	for _, name := range f.guard {
		level, err := a.policySet(policy.ServiceControl, name)
		if err != nil {
			return p, err
		}
		p.ServiceControl = append(p.ServiceControl, level)
	}
	for _, layer := range []struct {
		kind  policy.Kind
		names []string
		set   func(authz.PolicySet)
	}{
		{policy.Identity, f.parent, func(s authz.PolicySet) { p.Parent = &s }},
		{policy.Session, f.session, func(s authz.PolicySet) { p.Session = &s }},
		{policy.Boundary, named(f.boundary), func(s authz.PolicySet) { p.Boundary = &s[0] }},
		{policy.Resource, named(f.bucket), func(s authz.PolicySet) { p.Resource = &s[0] }},
	} {
		if len(layer.names) == 0 {
			continue
		}
		set, err := a.policySet(layer.kind, layer.names...)
		if err != nil {
			return p, err
		}
		layer.set(set)
	}
	return p, nil
}

// named is a list of one name, or none if it is empty.
func named(name string) []string {
	if name == "" {
		return nil
	}
	return []string{name}
}

// policySet reads policy files, and refuses what the store would refuse.
func (a *app) policySet(kind policy.Kind, names ...string) (authz.PolicySet, error) {
	var set authz.PolicySet
	for _, name := range names {
		document, err := a.readDocument(name)
		if err != nil {
			return nil, err
		}
		if _, err := policy.Parse([]byte(document), kind); err != nil {
			return nil, withHint(fmt.Errorf("%s: %w", name, err), "See `doorward policy lint %s`.", name)
		}
		set = append(set, authz.Policy{Name: name, Document: document})
	}
	return set, nil
}
