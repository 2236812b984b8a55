package sidecar

import (
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
)

// caller is an access key made ready to decide: who it stands for and what that
// principal may do, as of one view. It does not change, except that it is retired
// when one of the records it was made from changes, and that it remembers proofs
// which stay true for as long as it lives (signing keys, its session token).
type caller struct {
	id      iam.AccessKeyID
	session bool
	refused bool     // unusable whatever it presents: inactive, or its owner is gone
	created iam.Time // of the key
	expires iam.Time // zero: never

	principal authz.Principal
	userID    string // aws:userid
	userName  string // aws:username; empty if the principal has none
	kind      string // aws:PrincipalType
	name      string // of the user or role, for the answer
	role      string // role session name
	source    string // aws:SourceIdentity
	issued    string // aws:TokenIssueTime; empty for a long-term key
	tags      []authz.Tag
	posix     *iam.POSIX
	authority *authority

	madeAt    iam.Index
	records   []recordKey
	retiredAt atomic.Uint64 // index of the first view that it does not hold for; zero: it holds

	ready [4]atomic.Pointer[sigv4.SigningKey] // recently used; see signingKey
	token atomic.Pointer[string]              // a session token that was opened and is this caller's
}

// recordKey names a record that a caller was made from; see state.KeyOf.
type recordKey struct {
	table   iam.Table
	account iam.AccountID
	name    string
}

// holdsFor reports whether the caller is what a view at index would give.
func (c *caller) holdsFor(index iam.Index) bool {
	retired := iam.Index(c.retiredAt.Load())
	return c.madeAt <= index && (retired == 0 || index < retired)
}

// newCaller makes the caller of an access key, nil if the view has no such key. It
// keeps no reference to id.
func newCaller(v *state.View, id iam.AccessKeyID, compile *compiler) *caller {
	m := maker{view: v, compile: compile, caller: &caller{madeAt: v.Index()}}
	if key, ok := v.AccessKey(id); ok {
		m.depend(iam.TableAccessKeys, "", string(key.ID))
		m.longTerm(key)
		return m.caller
	}
	if session, ok := v.Session(id); ok {
		m.depend(iam.TableSessions, "", string(session.Key))
		m.temporary(session)
		return m.caller
	}
	return nil
}

// maker makes a caller and notes each record that it reads.
type maker struct {
	view    *state.View
	compile *compiler
	caller  *caller
}

func (m *maker) depend(table iam.Table, account iam.AccountID, name string) {
	m.caller.records = append(m.caller.records, recordKey{table, account, name})
}

// refuse makes the caller one that is told that its key does not exist, as S3
// tells for keys that are inactive.
func (m *maker) refuse() { m.caller.refused = true }

func (m *maker) longTerm(key *iam.AccessKey) {
	c := m.caller
	c.id, c.created, c.expires = key.ID, key.Created, key.Expires
	if age := m.view.Settings().KeyMaxAge; age != 0 {
		c.expires = sooner(c.expires, key.Created+iam.Time(age)*1000)
	}
	if key.Status != iam.Active {
		m.refuse()
		return
	}
	var p authz.Policies
	m.owner(key.Owner, &p)
	m.finish(p)
}

// owner fills in the principal that a key or session belongs to.
func (m *maker) owner(owner iam.Ref, p *authz.Policies) (id iam.UniqueID) {
	switch owner.Kind {
	case iam.KindRoot:
		return m.root(owner.Account)
	case iam.KindUser:
		return m.user(owner.Account, owner.Name, p)
	case iam.KindServiceAccount:
		return m.serviceAccount(iam.AccessKeyID(owner.Name), p)
	case iam.KindRole:
		return m.roleOf(owner, p)
	}
	m.refuse()
	return ""
}

func (m *maker) root(account iam.AccountID) iam.UniqueID {
	c := m.caller
	c.principal = authz.Principal{Type: authz.Root, Account: account, ARN: account.Root()}
	c.kind, c.userID, c.name = "Account", string(account), "root"
	return ""
}

func (m *maker) user(account iam.AccountID, name string, p *authz.Policies) iam.UniqueID {
	c := m.caller
	m.depend(iam.TableUsers, account, iam.Fold(name))
	user, ok := m.view.User(account, name)
	if !ok || user.Status != iam.Active {
		m.refuse()
		return ""
	}
	c.principal = authz.Principal{Type: authz.User, Account: account, ARN: user.ARN()}
	c.kind, c.userID, c.userName, c.name = "User", string(user.ID), user.Name, user.Name
	c.tags, c.posix = tagsOf(user.Tags), user.POSIX
	p.Identity = m.policies(user.Attached, user.Inline)
	for _, g := range user.Groups {
		m.depend(iam.TableGroups, account, iam.Fold(g))
		if group, ok := m.view.Group(account, g); ok {
			p.Identity = append(p.Identity, m.policies(group.Attached, group.Inline)...)
		}
	}
	p.Boundary = m.boundary(user.Boundary)
	return user.ID
}

// serviceAccount is its parent user, narrowed by its own policy if it has one.
func (m *maker) serviceAccount(id iam.AccessKeyID, p *authz.Policies) iam.UniqueID {
	m.depend(iam.TableServiceAccounts, "", string(id))
	sa, ok := m.view.ServiceAccount(id)
	if !ok || sa.Status != iam.Active {
		m.refuse()
		return ""
	}
	m.caller.expires = sooner(m.caller.expires, sa.Expires)
	user := m.user(sa.Account, sa.Parent, p)
	if sa.Policy != "" {
		parent := p.Identity
		p.Parent = &parent
		p.Identity = authz.PolicySet{{Name: "service account " + string(sa.Key), Document: sa.Policy}}
	}
	return user
}

func (m *maker) roleOf(ref iam.Ref, p *authz.Policies) iam.UniqueID {
	c := m.caller
	m.depend(iam.TableRoles, ref.Account, iam.Fold(ref.Name))
	role, ok := m.view.Role(ref.Account, ref.Name)
	if !ok {
		m.refuse()
		return ""
	}
	c.principal = authz.Principal{Type: authz.AssumedRole, Account: ref.Account, RoleARN: role.ARN()}
	c.kind, c.name, c.userID = "AssumedRole", role.Name, string(role.ID)
	c.tags, c.posix = tagsOf(role.Tags), role.POSIX
	p.Identity = m.policies(role.Attached, role.Inline)
	p.Boundary = m.boundary(role.Boundary)
	return role.ID
}

// temporary fills in a session: its parent's authority of now, cut by its own.
func (m *maker) temporary(s *iam.Session) {
	c := m.caller
	c.id, c.session, c.created, c.expires = s.Key, true, s.Issued, s.Expires
	c.issued, c.role, c.source = s.Issued.ISO(), s.Name, s.SourceIdentity
	var p authz.Policies
	// A namesake that was created after the session began is somebody else.
	if id := m.owner(s.Parent, &p); id != s.ParentID && s.ParentID != "" {
		m.refuse()
	}
	if c.refused {
		return
	}
	if len(s.Policies) > 0 || len(s.PolicyARNs) > 0 || s.Kind == iam.SessionFederated {
		set := m.policies(s.PolicyARNs, nil)
		for i, doc := range s.Policies {
			set = append(set, authz.Policy{Name: "session policy " + strconv.Itoa(i+1), Document: doc})
		}
		p.Session = &set
	}
	account := string(c.principal.Account)
	switch s.Kind {
	case iam.SessionRole:
		c.principal.ARN = iam.ARN("arn:aws:sts::" + account + ":assumed-role/" + c.name + "/" + s.Name)
		c.userID += ":" + s.Name
		c.tags = overlay(c.tags, s.Tags)
	case iam.SessionFederated:
		c.principal.Type, c.principal.UserARN = authz.FederatedUser, c.principal.ARN
		c.principal.ARN = iam.ARN("arn:aws:sts::" + account + ":federated-user/" + s.Name)
		c.kind, c.userName, c.userID = "FederatedUser", "", account+":"+s.Name
		c.tags = tagsOf(s.Tags)
	case iam.SessionSelf, iam.SessionToken:
		c.tags = overlay(c.tags, s.Tags)
	default:
		m.refuse()
	}
	if c.principal.Type == authz.Root && p.Session != nil {
		// The evaluator lets no policy of its own cut the root user, and here one does.
		c.principal.Type = authz.User
		p.Identity = authz.PolicySet{{Name: "root", Document: everything}}
	}
	m.finish(p)
}

const everything = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

func (m *maker) finish(p authz.Policies) {
	if m.caller.refused {
		return
	}
	for i, level := range m.view.Settings().GuardRails {
		var set authz.PolicySet
		for _, doc := range level {
			set = append(set, authz.Policy{Name: "guard rail " + strconv.Itoa(i+1), Document: doc})
		}
		p.ServiceControl = append(p.ServiceControl, set)
	}
	m.caller.authority = m.compile.authority(p, m.caller.principal.Type)
}

func (m *maker) policies(attached []iam.ARN, inline []iam.InlinePolicy) authz.PolicySet {
	set := make(authz.PolicySet, 0, len(attached)+len(inline))
	for _, arn := range attached {
		set = append(set, m.managed(arn))
	}
	for _, p := range inline {
		set = append(set, authz.Policy{Name: p.Name, Document: p.Document})
	}
	return set
}

// managed returns a managed policy; one that does not exist has no text, and so
// allows nothing.
func (m *maker) managed(arn iam.ARN) authz.Policy {
	resource := string(arn.Resource())
	name := resource[strings.LastIndexByte(resource, '/')+1:]
	m.depend(iam.TablePolicies, arn.Account(), iam.Fold(name))
	p := authz.Policy{Name: string(arn)}
	if found, ok := m.view.Policy(arn); ok {
		p.Document = found.InForce()
	}
	return p
}

func (m *maker) boundary(arn iam.ARN) *authz.Policy {
	if arn == "" {
		return nil
	}
	p := m.managed(arn)
	return &p
}

func sooner(a, b iam.Time) iam.Time {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

func tagsOf(tags []iam.Tag) []authz.Tag {
	out := make([]authz.Tag, len(tags))
	for i, t := range tags {
		out[i] = authz.Tag{Name: t.Key, Value: t.Value}
	}
	return out
}

// overlay returns tags with those of a session in the place of namesakes.
func overlay(tags []authz.Tag, session []iam.Tag) []authz.Tag {
	for _, t := range session {
		replaced := false
		for i := range tags {
			if strings.EqualFold(tags[i].Name, t.Key) {
				tags[i].Value, replaced = t.Value, true
			}
		}
		if !replaced {
			tags = append(tags, authz.Tag{Name: t.Key, Value: t.Value})
		}
	}
	return tags
}

// describe sets the condition keys that say who is asking.
func (c *caller) describe(ctx *authz.Context) {
	if c == nil {
		ctx.Set(policy.PrincipalTypeKey, "Anonymous")
		ctx.Set(policy.UserID, "anonymous")
		return
	}
	ctx.Set(policy.PrincipalTypeKey, c.kind)
	ctx.Set(policy.UserID, c.userID)
	ctx.Set(policy.PrincipalAccount, string(c.principal.Account))
	ctx.Set(policy.PrincipalARN, c.conditionARN())
	ctx.Set(policy.PrincipalIsAWSService, "false")
	ctx.SetTags(policy.PrincipalTag, c.tags)
	if c.userName != "" {
		ctx.Set(policy.Username, c.userName)
	}
	if c.issued != "" {
		ctx.Set(policy.TokenIssueTime, c.issued)
		ctx.Set(policy.MultiFactorAuthPresent, "false")
	}
	if c.source != "" {
		ctx.Set(policy.SourceIdentity, c.source)
	}
	if c.role != "" && c.principal.Type == authz.AssumedRole {
		ctx.Set(policy.RoleSessionName, c.role)
	}
}

// conditionARN is aws:PrincipalArn: of a role session, the role.
func (c *caller) conditionARN() string {
	if c.principal.RoleARN != "" {
		return string(c.principal.RoleARN)
	}
	return string(c.principal.ARN)
}
