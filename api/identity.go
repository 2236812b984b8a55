package api

import (
	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
)

// owner finds who stands behind a long-term key, with what policies.
func owner(view *state.View, ref iam.Ref, now iam.Time) (caller, error) {
	who := caller{account: ref.Account}
	switch ref.Kind {
	case iam.KindRoot:
		who.root = true
	case iam.KindUser:
		u, ok := view.User(ref.Account, ref.Name)
		if !ok || u.Status != iam.Active {
			return who, errUnknown
		}
		who.user = u
	case iam.KindServiceAccount:
		s, ok := view.ServiceAccount(iam.AccessKeyID(ref.Name))
		if !ok || s.Status != iam.Active || s.Expires != 0 && s.Expires <= now {
			return who, errUnknown
		}
		who, err := owner(view, iam.Ref{Account: s.Account, Kind: iam.KindUser, Name: s.Parent}, now)
		who.service = s
		who.resolve(view)
		return who, err
	default:
		return who, errUnknown
	}
	who.resolve(view)
	return who, nil
}

// identifySession finds who stands behind temporary credentials. A parent that was
// deleted and made again under the same name is somebody else.
func identifySession(view *state.View, s *iam.Session, now iam.Time) (identified, error) {
	who := caller{account: s.Parent.Account}
	if s.Parent.Kind == iam.KindRole {
		r, ok := view.Role(s.Parent.Account, s.Parent.Name)
		if !ok || r.ID != s.ParentID {
			return identified{}, errUnknown
		}
		who.role = r
	} else {
		var err error
		if who, err = owner(view, s.Parent, now); err != nil {
			return identified{}, err
		}
		if who.user != nil && who.user.ID != s.ParentID {
			return identified{}, errUnknown
		}
	}
	who.key, who.session = s.Key, s
	who.resolve(view)
	return identified{who, s.Secret}, nil
}

// resolve fills in the principal and the policies.
func (c *caller) resolve(view *state.View) {
	c.principal = authz.Principal{Account: c.account}
	c.policies = authz.Policies{ServiceControl: guardRails(view)}
	switch {
	case c.role != nil:
		c.principal.Type, c.principal.RoleARN = authz.AssumedRole, c.role.ARN()
		c.principal.ARN = assumedARN(c.role, c.session.Name)
		c.policies = withPolicies(view, c.policies, entityOfRole(c.role))
	case c.root:
		c.principal.Type, c.principal.ARN = authz.Root, c.account.Root()
	case c.user != nil:
		c.principal.Type, c.principal.ARN = authz.User, c.user.ARN()
		c.policies = withPolicies(view, c.policies, entityOfUser(c.user))
	}
	if c.service != nil && c.service.Policy != "" {
		parent := c.policies.Identity
		c.policies.Parent = &parent
		c.policies.Identity = authz.PolicySet{{Name: "service account policy", Document: c.service.Policy}}
	}
	if c.session != nil {
		c.resolveSession(view)
	}
}

// everything is the rights of the root user as a policy, for its sessions: unlike
// the root user itself they are cut by session policies.
const everything = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`

func (c *caller) resolveSession(view *state.View) {
	s := c.session
	if c.root {
		c.principal.Type = authz.User
		c.policies.Identity = authz.PolicySet{{Name: "root", Document: everything}}
	}
	if s.Kind == iam.SessionFederated {
		c.principal.Type, c.principal.UserARN = authz.FederatedUser, c.principal.ARN
		c.principal.ARN = federatedARN(c.account, s.Name)
	}
	if len(s.Policies)+len(s.PolicyARNs) == 0 {
		return
	}
	set := authz.PolicySet{}
	for _, document := range s.Policies {
		set = append(set, authz.Policy{Name: "session policy", Document: document})
	}
	c.policies.Session = new(append(set, managed(view, s.PolicyARNs)...))
}

// withPolicies adds what a user, group or role has: its own policies, those of its
// groups, and its boundary.
func withPolicies(view *state.View, p authz.Policies, e entity) authz.Policies {
	p.Identity = append(p.Identity, policiesOn(view, e)...)
	if u, ok := view.User(e.ref.Account, e.ref.Name); ok && e.ref.Kind == iam.KindUser {
		for _, name := range u.Groups {
			if g, ok := view.Group(u.Account, name); ok {
				p.Identity = append(p.Identity, policiesOn(view, entityOfGroup(g))...)
			}
		}
	}
	if e.boundary != "" {
		// A boundary that names no policy allows nothing.
		boundary := authz.Policy{Name: string(e.boundary)}
		if set := managed(view, []iam.ARN{e.boundary}); len(set) == 1 {
			boundary = set[0]
		}
		p.Boundary = &boundary
	}
	return p
}

func policiesOn(view *state.View, e entity) authz.PolicySet {
	set := managed(view, e.attached)
	for _, p := range e.inline {
		set = append(set, authz.Policy{Name: p.Name, Document: p.Document})
	}
	return set
}

func managed(view *state.View, arns []iam.ARN) (set authz.PolicySet) {
	for _, arn := range arns {
		if p, ok := view.Policy(arn); ok {
			set = append(set, authz.Policy{Name: string(arn), Document: p.InForce()})
		}
	}
	return set
}

func guardRails(view *state.View) (levels []authz.PolicySet) {
	for _, documents := range view.Settings().GuardRails {
		level := authz.PolicySet{}
		for _, document := range documents {
			level = append(level, authz.Policy{Name: "guard rail", Document: document})
		}
		levels = append(levels, level)
	}
	return levels
}

// policiesOf is what a simulated entity may do, and as whom.
func (c *call) policiesOf(e entity) (authz.Policies, authz.Principal) {
	who := authz.Principal{Type: authz.User, Account: e.ref.Account, ARN: e.arn}
	if e.ref.Kind == iam.KindRole {
		who.Type, who.RoleARN = authz.AssumedRole, e.arn
	}
	return withPolicies(c.view, authz.Policies{ServiceControl: guardRails(c.view)}, e), who
}

// ref is the parent of a session that the caller asks for as itself.
func (c *caller) ref() iam.Ref {
	switch {
	case c.service != nil:
		return c.service.Ref()
	case c.user != nil:
		return c.user.Ref()
	case c.role != nil:
		return c.role.Ref()
	}
	return iam.Ref{Account: c.account, Kind: iam.KindRoot}
}

// parentID is the identifier of the caller that no namesake has.
func (c *caller) parentID() iam.UniqueID {
	switch {
	case c.user != nil:
		return c.user.ID
	case c.role != nil:
		return c.role.ID
	}
	return iam.UniqueID(c.account)
}

// userID is the value of aws:userid, and the UserId of GetCallerIdentity.
func (c *caller) userID() string {
	switch {
	case c.session != nil && c.session.Kind == iam.SessionFederated:
		return string(c.account) + ":" + c.session.Name
	case c.role != nil:
		return string(c.role.ID) + ":" + c.session.Name
	}
	return string(c.parentID())
}

// describe sets the condition keys that say who asks.
func (c *caller) describe(ctx *authz.Context) {
	ctx.Set(policy.UserID, c.userID())
	ctx.Set(policy.PrincipalAccount, string(c.account))
	ctx.Set(policy.PrincipalTypeKey, map[authz.PrincipalType]string{
		authz.Root: "Account", authz.User: "User", authz.AssumedRole: "AssumedRole", authz.FederatedUser: "FederatedUser",
	}[c.principal.Type])
	ctx.Set(policy.PrincipalARN, string(c.principal.ARN))
	if c.principal.Type == authz.AssumedRole {
		ctx.Set(policy.PrincipalARN, string(c.principal.RoleARN))
	}
	if c.principal.Type == authz.User && c.user != nil {
		ctx.Set(policy.Username, c.user.Name)
	}
	ctx.SetTags(policy.PrincipalTag, contextTags(c.tags()))
	if s := c.session; s != nil {
		ctx.Set(policy.TokenIssueTime, s.Issued.ISO())
		ctx.Set(policy.MultiFactorAuthPresent, "false")
		if s.SourceIdentity != "" {
			ctx.Set(policy.SourceIdentity, s.SourceIdentity)
		}
		if c.role != nil {
			ctx.Set(policy.RoleSessionName, s.Name)
		}
	}
}

// tags are those of the user or role; those of a session take their place.
func (c *caller) tags() []iam.Tag {
	var tags []iam.Tag
	if c.session != nil {
		tags = append(tags, c.session.Tags...)
	}
	own := []iam.Tag(nil)
	switch {
	case c.user != nil && c.principal.Type == authz.User:
		own = c.user.Tags
	case c.role != nil:
		own = c.role.Tags
	}
	for _, t := range own {
		if _, over := tagOf(tags, t.Key); !over {
			tags = append(tags, t)
		}
	}
	return tags
}
