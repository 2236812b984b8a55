package api

import (
	"errors"
	"slices"
	"time"

	"github.com/doorward/doorward/api/portable"
	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/fsm"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/wire"
)

// maxImport is the largest body of an import, in bytes: some twenty thousand users.
const maxImport = 8 << 20

// importIdentities plans a document of identities against the store and, unless
// only the plan is asked for, takes all of it over in one command or nothing.
//
// The caller needs doorward:Import, and for each thing that is made or changed the
// permission that the call for it alone needs. Service accounts are made here by
// somebody else than their user, which no other call does; one that exists is left
// to its user. What is there is added to and brought up to date, never taken from.
func importIdentities(c *call) (any, error) {
	var in struct {
		DryRun bool `json:"dry_run"`
		portable.Document
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Format != portable.Format {
		return nil, iam.Errorf(iam.InvalidInput, "The document is of format %q; %q is known.", in.Format, portable.Format)
	}
	base := c.view
	i := &importing{call: c, rehearsal: fsm.Rehearse(base, c.now)}
	i.document(&in.Document)
	c.view = base
	plan := portable.Plan{Items: i.items, Index: uint64(base.Index())}
	if in.DryRun || i.refused == nil && len(i.commands) == 0 {
		return plan, nil
	}
	if i.refused != nil {
		return nil, i.refused
	}
	if err := i.commit(); err != nil {
		return nil, err
	}
	plan.Applied, plan.Index = true, uint64(c.index)
	return plan, nil
}

// importing is an import being planned: each item is worked out on top of those
// before it, by the rules of the replicas.
type importing struct {
	*call
	rehearsal *fsm.Rehearsal
	commands  []iam.Command
	items     []portable.Item
	refused   error // the first refusal
}

// wish is one item on its way into the plan.
type wish struct {
	i        *importing
	commands []iam.Command
	item     portable.Item
	err      error
}

func (i *importing) document(d *portable.Document) {
	for _, p := range d.Policies {
		i.plan("policy", p.Name, func(w *wish) { w.policy(p) })
	}
	for _, g := range d.Groups {
		i.plan("group", g.Name, func(w *wish) { w.group(g) })
	}
	for _, r := range d.Roles {
		i.plan("role", r.Name, func(w *wish) { w.role(r) })
	}
	for _, u := range d.Users {
		i.plan("user", u.Name, func(w *wish) { w.user(u) })
	}
	for _, s := range d.ServiceAccounts {
		i.plan("service account", s.ID, func(w *wish) { w.serviceAccount(s) })
	}
}

func (i *importing) plan(kind, name string, work func(*wish)) {
	w := &wish{i: i, item: portable.Item{Kind: kind, Name: name, Action: portable.Same}}
	i.view = i.rehearsal.View()
	work(w)
	if w.err == nil && len(w.commands) > 0 {
		if err := i.rehearsal.Do(w.commands...); err != nil {
			w.err = err
		}
	}
	if w.err != nil {
		told := refusalOf(w.err)
		w.item.Action, w.item.Detail, w.item.Reason = portable.Refuse, nil, string(told.code)+": "+told.message
		if i.refused == nil {
			i.refused = iam.Errorf(told.code, "Nothing was imported, because of %s %s: %s", kind, name, told.message)
		}
	} else {
		i.commands = append(i.commands, w.commands...)
	}
	i.items = append(i.items, w.item)
}

// commit has all commands take effect together.
func (i *importing) commit() error {
	batch := iam.Batch{Commands: i.commands}
	_, err := wire.AppendEntry(nil, iam.Envelope{Command: batch, Actor: i.caller.arn})
	if errors.Is(err, wire.ErrTooLarge) {
		return iam.Errorf(iam.LimitExceeded, "The import is more than fits into one entry of the log. Split it; what one part needs of another has to be in the same part or in an earlier one.")
	}
	if err != nil {
		return err
	}
	return i.proposeSecret(batch)
}

// do adds a command, and says what it is for if that is not plain.
func (w *wish) do(detail string, c iam.Command) {
	w.commands = append(w.commands, c)
	w.note(detail)
}

func (w *wish) note(detail string) {
	if detail != "" {
		w.item.Detail = append(w.item.Detail, detail)
	}
}

// check remembers the first error and reports whether there was none so far.
func (w *wish) check(errs ...error) bool {
	for _, err := range errs {
		if w.err == nil && err != nil {
			w.err = err
		}
	}
	return w.err == nil
}

// need asks for a permission of the caller as the call for this thing alone would;
// fields are the parameters that condition keys repeat.
func (w *wish) need(permission string, t target, fields map[string]string) bool {
	if w.err != nil {
		return false
	}
	saved := w.i.form
	w.i.form = form{}
	for name, value := range fields {
		if value != "" {
			w.i.form[name] = value
		}
	}
	w.err = w.i.call.need(permission, t)
	w.i.form = saved
	return w.err == nil
}

// policyNamed returns the ARN of a managed policy by its name.
func (w *wish) policyNamed(name string) iam.ARN {
	p, ok := w.i.view.PolicyNamed(w.i.caller.account, name)
	if !ok {
		w.check(iam.Errorf(iam.NoSuchEntity, "Policy %s does not exist.", name))
		return ""
	}
	return p.ARN()
}

func (w *wish) policiesNamed(names []string) (arns []iam.ARN) {
	for _, name := range names {
		if arn := w.policyNamed(name); arn != "" && !slices.Contains(arns, arn) {
			arns = append(arns, arn)
		}
	}
	return arns
}

// same reports whether two documents say the same.
func same(kind policy.Kind, a, b string) bool {
	if a == b {
		return true
	}
	x, err := policy.Parse([]byte(a), kind)
	if err != nil {
		return false
	}
	y, err := policy.Parse([]byte(b), kind)
	return err == nil && string(policy.Print(x)) == string(policy.Print(y))
}

func (w *wish) policy(p portable.Policy) {
	c := w.i.call
	if !w.check(check(policyName.required(), p.Name), check(path.policyPath(), orRoot(p.Path)), check(description, p.Description),
		checkTagSet(p.Tags), c.checkDocument(policy.Identity, p.Document)) {
		return
	}
	old, exists := c.view.PolicyNamed(c.caller.account, p.Name)
	switch {
	case !exists:
		w.item.Action = portable.Create
		made := iam.Policy{
			Account: c.caller.account, Name: p.Name, Path: orRoot(p.Path), ID: c.newUniqueID("ANPA"), Description: p.Description,
			Created: c.now, Updated: c.now, Versions: []iam.PolicyVersion{{Number: 1, Document: p.Document, Created: c.now}},
			Default: 1, Next: 2, Tags: tagsOf(p.Tags),
		}
		w.need("iam:CreatePolicy", target{arn: made.ARN()}, nil)
		w.do("", iam.CreatePolicy{Policy: made})
	case same(policy.Identity, old.InForce(), p.Document):
	case old.Builtin:
		w.check(iam.Errorf(iam.UnmodifiableEntity, "Policy %s is built in with another text. Import it under another name.", p.Name))
	default:
		w.item.Action = portable.Update
		w.need("iam:CreatePolicyVersion", target{arn: old.ARN(), tags: old.Tags}, nil)
		w.do("a new version in force", iam.CreatePolicyVersion{Policy: old.ARN(), Document: p.Document, MakeDefault: true, Created: c.now})
	}
}

// holding adds the policies that a user, group or role that exists lacks.
func (w *wish) holding(kind string, e entity, arns []iam.ARN, inline []portable.Inline) {
	for _, arn := range arns {
		if !slices.Contains(e.attached, arn) {
			w.need("iam:Attach"+kind+"Policy", targetOf(e), map[string]string{"PolicyArn": string(arn)})
			w.do("attach "+string(arn), iam.AttachPolicy{To: e.ref, Policy: arn})
		}
	}
	for _, p := range inline {
		had := slices.ContainsFunc(e.inline, func(q iam.InlinePolicy) bool {
			return q.Name == p.Name && same(policy.Identity, q.Document, p.Document)
		})
		if !had {
			w.need("iam:Put"+kind+"Policy", targetOf(e), nil)
			w.do("inline policy "+p.Name, iam.PutInlinePolicy{On: e.ref, Policy: iam.InlinePolicy(p)})
		}
	}
}

// born asks for the permissions to make a user, group or role with its policies.
func (w *wish) born(kind string, t target, tags []portable.Tag, arns []iam.ARN, inline []portable.Inline) (policies []iam.InlinePolicy) {
	fields := map[string]string{"PermissionsBoundary": string(t.boundary)}
	for n, tag := range tags {
		fields[listName("Tags", n, "Key")], fields[listName("Tags", n, "Value")] = tag.Key, tag.Value
	}
	w.need("iam:Create"+kind, t, fields)
	for _, arn := range arns {
		w.need("iam:Attach"+kind+"Policy", t, map[string]string{"PolicyArn": string(arn)})
	}
	for _, p := range inline {
		w.need("iam:Put"+kind+"Policy", t, nil)
		policies = append(policies, iam.InlinePolicy(p))
	}
	return policies
}

func (w *wish) checkInline(inline []portable.Inline) bool {
	for _, p := range inline {
		w.check(check(policyName.required(), p.Name), w.i.checkDocument(policy.Identity, p.Document))
	}
	return w.err == nil
}

func (w *wish) group(g portable.Group) {
	c := w.i.call
	arns := w.policiesNamed(g.Policies)
	if !w.check(check(groupName.required(), g.Name), check(path, orRoot(g.Path))) || !w.checkInline(g.Inline) {
		return
	}
	if old, exists := c.view.Group(c.caller.account, g.Name); exists {
		w.holding("Group", entityOfGroup(old), arns, g.Inline)
		w.updated()
		return
	}
	w.item.Action = portable.Create
	made := iam.Group{Account: c.caller.account, Name: g.Name, Path: orRoot(g.Path), ID: c.newUniqueID("AGPA"), Created: c.now, Attached: arns}
	made.Inline = w.born("Group", target{arn: made.ARN()}, nil, arns, g.Inline)
	w.do("", iam.CreateGroup{Group: made})
}

// updated is the action of what exists, once it is known what it lacks.
func (w *wish) updated() {
	if len(w.commands) > 0 {
		w.item.Action = portable.Update
	}
}

func (w *wish) role(r portable.Role) {
	c := w.i.call
	arns := w.policiesNamed(r.Policies)
	var boundary iam.ARN
	if r.Boundary != "" {
		boundary = w.policyNamed(r.Boundary)
	}
	lasts := iam.Or(r.MaxSession, defaultMaxSession)
	if lasts < 3600 || lasts > 43200 {
		w.check(iam.Errorf(iam.ValidationError, "The longest session is of %d seconds; 3600 to 43200 are allowed.", lasts))
	}
	if !w.check(check(roleName.required(), r.Name), check(path, orRoot(r.Path)), check(description, r.Description),
		checkTagSet(r.Tags), c.checkTrust(r.Trust)) || !w.checkInline(r.Inline) {
		return
	}
	old, exists := c.view.Role(c.caller.account, r.Name)
	if !exists {
		w.item.Action = portable.Create
		made := iam.Role{
			Account: c.caller.account, Name: r.Name, Path: orRoot(r.Path), ID: c.newUniqueID("AROA"), Created: c.now, Description: r.Description,
			Trust: r.Trust, MaxSession: lasts, Tags: tagsOf(r.Tags), Attached: arns, Boundary: boundary,
		}
		made.Inline = w.born("Role", target{arn: made.ARN(), tags: made.Tags, boundary: boundary}, r.Tags, arns, r.Inline)
		w.do("", iam.CreateRole{Role: made})
		return
	}
	e := entityOfRole(old)
	if !same(policy.Trust, old.Trust, r.Trust) {
		w.need("iam:UpdateAssumeRolePolicy", targetOf(e), nil)
		w.do("trust policy", iam.UpdateRole{Role: e.ref, Trust: r.Trust})
	}
	if r.MaxSession != 0 && r.MaxSession != old.MaxSession || r.Description != "" && r.Description != old.Description {
		w.need("iam:UpdateRole", targetOf(e), nil)
		w.do("description and longest session", iam.UpdateRole{
			Role: e.ref, SetDescription: r.Description != "", Description: r.Description, MaxSession: r.MaxSession,
		})
	}
	w.bounded("Role", e, boundary)
	w.tagged("Role", e, r.Tags)
	w.holding("Role", e, arns, r.Inline)
	w.updated()
}

func (w *wish) bounded(kind string, e entity, boundary iam.ARN) {
	if boundary != "" && boundary != e.boundary {
		w.need("iam:Put"+kind+"PermissionsBoundary", targetOf(e), map[string]string{"PermissionsBoundary": string(boundary)})
		w.do("permissions boundary "+string(boundary), iam.SetBoundary{On: e.ref, Policy: boundary})
	}
}

func (w *wish) tagged(kind string, e entity, tags []portable.Tag) {
	var set []iam.Tag
	for _, t := range tagsOf(tags) {
		if !slices.Contains(e.tags, t) {
			set = append(set, t)
		}
	}
	if len(set) > 0 {
		w.need("iam:Tag"+kind, targetOf(e), nil)
		w.do("tags", iam.SetTags{On: e.ref, Set: set})
	}
}

func orRoot(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

func tagsOf(tags []portable.Tag) (out []iam.Tag) {
	for _, t := range tags {
		out = append(out, iam.Tag(t))
	}
	return out
}

func checkTagSet(list []portable.Tag) error {
	f := form{}
	for n, t := range list {
		f[listName("Tags", n, "Key")], f[listName("Tags", n, "Value")] = t.Key, t.Value
	}
	return validate(f, []param{tags})
}

// expiry reads the end of a service account.
func expiry(text string) (iam.Time, error) {
	if text == "" {
		return 0, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, iam.Errorf(iam.ValidationError, "The expiry %q is no time of RFC 3339, such as 2027-01-31T12:00:00Z.", text)
	}
	return iam.At(at), nil
}
