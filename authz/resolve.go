package authz

import (
	"slices"
	"strconv"
	"strings"

	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
)

// Identity is who an access key stands for and what that principal may do, as of
// one view. It shares the view's records and does not change.
type Identity struct {
	// Principal and Policies are what decisions are made with. Of a key that is
	// unusable whatever the time they are zero, which allows nothing but what a
	// bucket policy allows to everybody: ask [Identity.Refused] first.
	Principal Principal
	Policies  Policies

	Key     *iam.AccessKey // nil for a session
	Session *iam.Session   // nil for a long-term key

	// User is the user that the key belongs to, of a service account its parent,
	// of a federated user who made it. Nil for roles and the root.
	User           *iam.User
	ServiceAccount *iam.ServiceAccount // the key's or the session's, nil if it is none's
	Role           *iam.Role           // of a session, nil if it is none's

	// Expires is when the key ends: its own expiry, that of its service account,
	// or the greatest age of the settings, whatever comes first. Zero: never.
	Expires iam.Time

	// Records are the records that the identity was made from. It is the same in
	// every later view until one of them changes, appears or disappears.
	Records []Record

	fault  Fault
	userID string
	tags   []Tag
}

// Record names a record of a view as state.KeyOf does.
type Record struct {
	Table   iam.Table
	Account iam.AccountID
	Name    string
}

// Fault says why an access key may not be used.
type Fault uint8

// The faults. The first two end with the key itself, the others lie with whom it
// belongs to.
const (
	NoFault Fault = iota
	// Expired: the end of the key or session has come.
	Expired
	// KeyInactive: the key is inactive.
	KeyInactive
	// OwnerInactive: the user or service account is inactive.
	OwnerInactive
	// OwnerGone: there is no such user, service account or role.
	OwnerGone
	// OwnerReplaced: the parent of the session was deleted, and somebody else has
	// its name now.
	OwnerReplaced
	// KindUnknown: the session is of a kind, or the key of an owner, that this build
	// does not know or that cannot be.
	KindUnknown
)

var faultNames = [...]string{"none", "expired", "key inactive", "owner inactive", "owner gone", "owner replaced", "kind unknown"}

// String returns the fault in lower case, for messages and logs.
func (f Fault) String() string { return faultNames[f] }

// Resolve returns who an access key stands for, false if the view has no such
// key. That is no verdict on the key: a view may lag behind.
func Resolve(v *state.View, id iam.AccessKeyID) (*Identity, bool) {
	r := resolver{view: v, Identity: &Identity{}}
	r.read(iam.TableSettings, "", "")
	if key, ok := v.AccessKey(id); ok {
		r.read(iam.TableAccessKeys, "", string(id))
		r.longTerm(key)
	} else if session, ok := v.Session(id); ok {
		r.read(iam.TableSessions, "", string(id))
		r.temporary(session)
	} else {
		return nil, false
	}
	return r.finish(), true
}

// ResolveRef returns a user, a service account, the root, or a role as a session
// of it would be, without a key: for simulations. It is false if there is none.
func ResolveRef(v *state.View, ref iam.Ref) (*Identity, bool) {
	r := resolver{view: v, Identity: &Identity{}}
	r.read(iam.TableSettings, "", "")
	if r.owner(ref); r.fault == OwnerGone || r.fault == KindUnknown {
		return nil, false
	}
	return r.finish(), true
}

// Refused returns why the key may not be used at an instant, [NoFault] if it may.
func (i *Identity) Refused(now iam.Time) Fault {
	if i.Expires != 0 && i.Expires <= now {
		return Expired
	}
	return i.fault
}

// UserID returns aws:userid, which is also the UserId of GetCallerIdentity.
func (i *Identity) UserID() string { return i.userID }

// Username returns aws:username, empty for a principal that has none: only users
// have one, with whatever kind of credential, but federated users do not.
func (i *Identity) Username() string {
	if i.User == nil || i.Principal.Type != User {
		return ""
	}
	return i.User.Name
}

// Tags returns the principal's tags, those of a session in the place of namesakes.
func (i *Identity) Tags() []Tag { return i.tags }

// POSIX returns the owner of the files behind the principal's objects, nil for the
// S3 server's anonymous ids.
func (i *Identity) POSIX() *iam.POSIX {
	switch {
	case i.Role != nil:
		return i.Role.POSIX
	case i.User != nil:
		return i.User.POSIX
	}
	return nil
}

// Describe sets the condition keys that say who asks (IAM user guide, "AWS global
// condition context keys", properties of the principal and of the role session).
func (i *Identity) Describe(ctx *Context) {
	ctx.Set(policy.PrincipalTypeKey, i.typeName())
	ctx.Set(policy.UserID, i.userID)
	ctx.Set(policy.PrincipalAccount, string(i.Principal.Account))
	ctx.Set(policy.PrincipalARN, string(i.principalARN()))
	ctx.Set(policy.PrincipalIsAWSService, "false")
	ctx.SetTags(policy.PrincipalTag, i.tags)
	if name := i.Username(); name != "" {
		ctx.Set(policy.Username, name)
	}
	s := i.Session
	if s == nil {
		return
	}
	ctx.Set(policy.TokenIssueTime, s.Issued.ISO())
	ctx.Set(policy.MultiFactorAuthPresent, "false")
	if s.SourceIdentity != "" {
		ctx.Set(policy.SourceIdentity, s.SourceIdentity)
	}
	if i.Role != nil {
		ctx.Set(policy.RoleSessionName, s.Name)
	}
}

// principalARN is aws:PrincipalArn: of a role session it is the role's ARN with
// its path, of everybody else the caller's own.
func (i *Identity) principalARN() iam.ARN {
	if i.Principal.Type == AssumedRole {
		return i.Principal.RoleARN
	}
	return i.Principal.ARN
}

func (i *Identity) typeName() string {
	switch {
	case i.Principal.Type == FederatedUser:
		return "FederatedUser"
	case i.Role != nil:
		return "AssumedRole"
	case i.User != nil:
		return "User"
	}
	return "Account"
}

// resolver makes an identity and notes each record that it reads.
type resolver struct {
	view *state.View
	*Identity
}

func (r *resolver) read(table iam.Table, account iam.AccountID, name string) {
	r.Records = append(r.Records, Record{table, account, name})
}

// refuse notes a fault; the first one counts.
func (r *resolver) refuse(f Fault) {
	if r.fault == NoFault {
		r.fault = f
	}
}

func (r *resolver) until(end iam.Time) {
	if end != 0 && (r.Expires == 0 || end < r.Expires) {
		r.Expires = end
	}
}

// KeyExpires is when a long-term key ends: its own expiry, or the greatest age that
// the settings let its secret have, whatever comes first. Zero: never. The root key
// has no greatest age, for nobody could let the root in again.
func KeyExpires(key *iam.AccessKey, set iam.Settings) iam.Time {
	if set.KeyMaxAge == 0 || key.Owner.Kind == iam.KindRoot {
		return key.Expires
	}
	oldest := key.Created + iam.Time(set.KeyMaxAge)*1000
	if key.Expires == 0 {
		return oldest
	}
	return min(key.Expires, oldest)
}

// finish adds the guard rails, which cut everybody, and takes away what a faulty
// identity must not have.
func (r *resolver) finish() *Identity {
	if r.fault != NoFault {
		r.Principal, r.Policies = Principal{}, Policies{}
		return r.Identity
	}
	for n, level := range r.view.Settings().GuardRails {
		kind := "guard rail " + strconv.Itoa(n+1) + "."
		r.Policies.ServiceControl = append(r.Policies.ServiceControl, numbered(kind, level))
	}
	return r.Identity
}

func (r *resolver) longTerm(key *iam.AccessKey) {
	r.Key = key
	r.until(KeyExpires(key, r.view.Settings()))
	if key.Status != iam.Active {
		r.refuse(KeyInactive)
	}
	if key.Owner.Kind == iam.KindRole { // a role has sessions only
		r.refuse(KindUnknown)
		return
	}
	r.owner(key.Owner)
}

// owner fills in the principal and returns its unique id, which no namesake has.
func (r *resolver) owner(ref iam.Ref) iam.UniqueID {
	switch ref.Kind {
	case iam.KindRoot:
		r.Principal = Principal{Type: Root, Account: ref.Account, ARN: ref.Account.Root()}
		r.userID = string(ref.Account)
		return iam.UniqueID(ref.Account)
	case iam.KindUser:
		return r.user(ref.Account, ref.Name)
	case iam.KindServiceAccount:
		return r.serviceAccount(iam.AccessKeyID(ref.Name))
	case iam.KindRole:
		return r.role(ref)
	}
	r.refuse(KindUnknown)
	return ""
}

// user fills in a user: its policies and those of its groups.
func (r *resolver) user(account iam.AccountID, name string) iam.UniqueID {
	r.read(iam.TableUsers, account, iam.Fold(name))
	u, ok := r.view.User(account, name)
	if !ok {
		r.refuse(OwnerGone)
		return ""
	}
	if u.Status != iam.Active {
		r.refuse(OwnerInactive)
	}
	r.User = u
	r.Principal = Principal{Type: User, Account: account, ARN: u.ARN()}
	r.userID, r.tags = string(u.ID), tagsOf(u.Tags)
	r.Policies.Identity = r.policies(u.Attached, u.Inline)
	for _, g := range u.Groups {
		r.read(iam.TableGroups, account, iam.Fold(g))
		if group, ok := r.view.Group(account, g); ok {
			r.Policies.Identity = append(r.Policies.Identity, r.policies(group.Attached, group.Inline)...)
		}
	}
	r.boundary(u.Boundary)
	return u.ID
}

// serviceAccount is its user, narrowed by its own policy if it has one.
func (r *resolver) serviceAccount(id iam.AccessKeyID) iam.UniqueID {
	r.read(iam.TableServiceAccounts, "", string(id))
	sa, ok := r.view.ServiceAccount(id)
	if !ok {
		r.refuse(OwnerGone)
		return ""
	}
	if sa.Status != iam.Active {
		r.refuse(OwnerInactive)
	}
	r.ServiceAccount = sa
	r.until(sa.Expires)
	unique := r.user(sa.Account, sa.Parent)
	if sa.Policy != "" {
		parent := r.Policies.Identity
		r.Policies.Parent = &parent
		r.Policies.Identity = PolicySet{{Name: "service account " + string(sa.Key), Document: sa.Policy}}
	}
	return unique
}

func (r *resolver) role(ref iam.Ref) iam.UniqueID {
	r.read(iam.TableRoles, ref.Account, iam.Fold(ref.Name))
	role, ok := r.view.Role(ref.Account, ref.Name)
	if !ok {
		r.refuse(OwnerGone)
		return ""
	}
	r.Role = role
	r.Principal = Principal{Type: AssumedRole, Account: ref.Account, RoleARN: role.ARN()}
	r.userID, r.tags = string(role.ID), tagsOf(role.Tags)
	r.Policies.Identity = r.policies(role.Attached, role.Inline)
	r.boundary(role.Boundary)
	return role.ID
}

// temporary fills in a session: its parent's authority of now, cut by its own.
func (r *resolver) temporary(s *iam.Session) {
	r.Session = s
	r.until(s.Expires)
	if unique := r.owner(s.Parent); unique != s.ParentID {
		r.refuse(OwnerReplaced)
	}
	r.sessionPolicies(s)
	switch s.Kind {
	case iam.SessionSelf, iam.SessionRole, iam.SessionToken:
		r.tags = overlay(r.tags, s.Tags)
		if r.Role != nil {
			r.Principal.ARN = stsARN(r.Role.Account, "assumed-role/"+r.Role.Name+"/"+s.Name)
			r.userID += ":" + s.Name
		}
	case iam.SessionFederated:
		r.federated(s)
	default:
		r.refuse(KindUnknown)
	}
	if r.Principal.Type == Root && r.Policies.Session != nil {
		// No policy cuts the root user, but a session of its own asking is cut: it
		// goes on as a user of that ARN who is allowed everything.
		r.Principal.Type = User
		r.Policies.Identity = PolicySet{{Name: "root", Document: allowAll}}
	}
}

// allowAll is the right of the root user as a policy.
const allowAll = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`

// federated makes the principal a federated user: somebody else than the user who
// made the session, with the user's rights as far as the session policies go.
func (r *resolver) federated(s *iam.Session) {
	account := r.Principal.Account
	if r.Principal.Type == Root {
		r.Policies.Identity = PolicySet{{Name: "root", Document: allowAll}}
	}
	r.Principal = Principal{
		Type: FederatedUser, Account: account, UserARN: r.Principal.ARN,
		ARN: stsARN(account, "federated-user/"+s.Name),
	}
	r.userID, r.tags = string(account)+":"+s.Name, tagsOf(s.Tags)
}

// sessionPolicies cut the parent's rights by their union. A federated user without
// any has no rights of its own. A policy that no longer exists may have denied, so
// in its place stands the empty text, which denies everything.
func (r *resolver) sessionPolicies(s *iam.Session) {
	if len(s.Policies)+len(s.PolicyARNs) == 0 && s.Kind != iam.SessionFederated {
		return
	}
	set := numbered("session policy ", s.Policies)
	for _, arn := range s.PolicyARNs {
		p, _ := r.managed(arn)
		set = append(set, p)
	}
	r.Policies.Session = &set
}

// boundary cuts by a managed policy; one that no longer exists cuts everything.
func (r *resolver) boundary(arn iam.ARN) {
	if arn != "" {
		p, _ := r.managed(arn)
		r.Policies.Boundary = &p
	}
}

// policies are what a user, group or role holds. An attached policy that does not
// exist grants nothing, and so is left out.
func (r *resolver) policies(attached []iam.ARN, inline []iam.InlinePolicy) PolicySet {
	set := make(PolicySet, 0, len(attached)+len(inline))
	for _, arn := range attached {
		if p, ok := r.managed(arn); ok {
			set = append(set, p)
		}
	}
	for _, p := range inline {
		set = append(set, Policy{Name: p.Name, Document: p.Document})
	}
	return set
}

// managed returns a managed policy, without a text if it does not exist.
func (r *resolver) managed(arn iam.ARN) (Policy, bool) {
	resource := string(arn.Resource())
	r.read(iam.TablePolicies, arn.Account(), iam.Fold(resource[strings.LastIndexByte(resource, '/')+1:]))
	p, ok := r.view.Policy(arn)
	if !ok {
		return Policy{Name: string(arn)}, false
	}
	return Policy{Name: string(arn), Document: p.InForce()}, true
}

// numbered names documents that have no name of their own.
func numbered(kind string, documents []string) PolicySet {
	set := make(PolicySet, len(documents))
	for n, document := range documents {
		set[n] = Policy{Name: kind + strconv.Itoa(n+1), Document: document}
	}
	return set
}

func stsARN(account iam.AccountID, resource string) iam.ARN {
	return iam.ARN("arn:aws:sts::" + string(account) + ":" + resource)
}

func tagsOf(tags []iam.Tag) []Tag {
	out := make([]Tag, len(tags))
	for i, t := range tags {
		out[i] = Tag{Name: t.Key, Value: t.Value}
	}
	return out
}

// overlay returns tags with those of a session in the place of namesakes, ignoring
// case. It owns tags.
func overlay(tags []Tag, session []iam.Tag) []Tag {
	for _, t := range tagsOf(session) {
		same := func(o Tag) bool { return strings.EqualFold(o.Name, t.Name) }
		if i := slices.IndexFunc(tags, same); i >= 0 {
			tags[i] = t
		} else {
			tags = append(tags, t)
		}
	}
	return tags
}
