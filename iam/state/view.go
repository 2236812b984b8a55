package state

import (
	"iter"
	"strings"

	"github.com/doorward/doorward/iam"
)

// View is the content of a store at one index. It never changes.
//
// Anyone may read a view, from any number of goroutines and for as long as they
// like; the records that it hands out are shared with every other view and must
// not be changed. A view keeps its own memory alive: what a reader pins costs
// what has changed since, so a decision pins one for its duration, a snapshot for
// minutes, and nothing pins one for ever. [View.Apply] is for the owner of the
// newest view alone, one call at a time.
type View struct {
	index    iam.Index
	store    iam.Store
	settings iam.Settings

	users           records[iam.User]
	groups          records[iam.Group]
	roles           records[iam.Role]
	policies        records[iam.Policy]
	accessKeys      records[iam.AccessKey]
	serviceAccounts records[iam.ServiceAccount]
	sessions        records[iam.Session]
	buckets         records[iam.Bucket]
	providers       records[iam.Provider]
	enrolments      records[iam.Enrolment]
	authorities     records[iam.Authority]
	levels          records[iam.Level]

	// What follows leads back from an entity to those who have to do with it. Narrow
	// views are without.
	narrow           bool
	keysByOwner      refIndex[iam.AccessKey]
	sessionsByParent refIndex[iam.Session]
	sessionsByExpiry expiryIndex
	accountsByParent refIndex[iam.ServiceAccount]
	membersByGroup   memberIndex
	entitiesByPolicy useIndex

	public  sums
	secrets Sum
}

// Empty returns the view before the first entry of a log.
func Empty() *View {
	return &View{
		users:            newTable(userForm),
		groups:           newTable(groupForm),
		roles:            newTable(roleForm),
		policies:         newTable(policyForm),
		accessKeys:       newGlobal(accessKeyForm),
		serviceAccounts:  newGlobal(serviceAccountForm),
		sessions:         newGlobal(sessionForm),
		buckets:          newGlobal(bucketForm),
		providers:        newTable(providerForm),
		enrolments:       newGlobal(enrolmentForm),
		authorities:      newGlobal(authorityForm),
		levels:           newGlobal(levelForm),
		keysByOwner:      newRefIndex(ownerOfKey),
		sessionsByParent: newRefIndex(parentOfSession),
		sessionsByExpiry: newExpiryIndex(),
		accountsByParent: newRefIndex(parentOfServiceAccount),
		membersByGroup:   newMemberIndex(),
		entitiesByPolicy: newUseIndex(),
	}
}

// wide returns v, which must not be narrow: an answer from a narrow one would be
// empty and wrong.
func (v *View) wide() *View {
	if v.narrow {
		panic("state: a narrow view does not know who has to do with an entity")
	}
	return v
}

// Index returns the log index that the view is at, zero before the first.
func (v *View) Index() iam.Index { return v.index }

// Store returns the identity of the store, zero before it is initialised.
func (v *View) Store() iam.Store { return v.store }

// Settings returns the settings; zero fields mean the defaults.
func (v *View) Settings() iam.Settings { return v.settings }

// User returns the user of that name, ignoring case.
func (v *View) User(account iam.AccountID, name string) (*iam.User, bool) {
	return v.users.get(account, iam.Fold(name))
}

// Group returns the group of that name, ignoring case.
func (v *View) Group(account iam.AccountID, name string) (*iam.Group, bool) {
	return v.groups.get(account, iam.Fold(name))
}

// Role returns the role of that name, ignoring case.
func (v *View) Role(account iam.AccountID, name string) (*iam.Role, bool) {
	return v.roles.get(account, iam.Fold(name))
}

// Policy returns the managed policy with exactly that ARN, path and case included.
func (v *View) Policy(arn iam.ARN) (*iam.Policy, bool) {
	resource := string(arn.Resource())
	p, ok := v.PolicyNamed(arn.Account(), resource[strings.LastIndexByte(resource, '/')+1:])
	if !ok || p.ARN() != arn {
		return nil, false
	}
	return p, true
}

// PolicyNamed returns the managed policy of that name, ignoring case and path.
func (v *View) PolicyNamed(account iam.AccountID, name string) (*iam.Policy, bool) {
	return v.policies.get(account, iam.Fold(name))
}

// AccessKey returns the long-term key with exactly that id.
func (v *View) AccessKey(id iam.AccessKeyID) (*iam.AccessKey, bool) {
	return v.accessKeys.get("", string(id))
}

// ServiceAccount returns the service account whose key has exactly that id.
func (v *View) ServiceAccount(id iam.AccessKeyID) (*iam.ServiceAccount, bool) {
	return v.serviceAccounts.get("", string(id))
}

// Session returns the session with exactly that key.
func (v *View) Session(id iam.AccessKeyID) (*iam.Session, bool) {
	return v.sessions.get("", string(id))
}

// Bucket returns the record of a bucket.
func (v *View) Bucket(name string) (*iam.Bucket, bool) { return v.buckets.get("", name) }

// Enrolment returns the enrolment with exactly that id.
func (v *View) Enrolment(id string) (*iam.Enrolment, bool) { return v.enrolments.get("", id) }

// Enrolments yields the enrolments, by id.
func (v *View) Enrolments() iter.Seq[*iam.Enrolment] { return v.enrolments.all() }

// Authorities yields the authorities whose certificates are trusted, by fingerprint.
func (v *View) Authorities() iter.Seq[*iam.Authority] { return v.authorities.all() }

// Authority returns the authority that signs: the one that was the last to begin. Nil
// if there is none.
func (v *View) Authority() (signs *iam.Authority) {
	for a := range v.Authorities() {
		if a.Signing != 0 && (signs == nil || a.Signing >= signs.Signing) {
			signs = a
		}
	}
	return signs
}

// Level returns the feature level that the store is at, 1 or more.
func (v *View) Level() uint16 {
	if l, ok := v.levels.get("", ""); ok {
		return l.Number
	}
	return 1
}

// Provider returns the identity provider of exactly that URL, without its scheme.
func (v *View) Provider(account iam.AccountID, url string) (*iam.Provider, bool) {
	return v.providers.get(account, url)
}

// Providers yields the identity providers of an account whose URL comes after the
// given one, in byte order.
func (v *View) Providers(account iam.AccountID, after string) iter.Seq[*iam.Provider] {
	return v.providers.in(account, after)
}

// Users yields the users of an account that come after a name (exclusive; empty:
// from the first), in order of their folded names.
func (v *View) Users(account iam.AccountID, after string) iter.Seq[*iam.User] {
	return v.users.in(account, iam.Fold(after))
}

// Groups yields the groups of an account, as [View.Users] does.
func (v *View) Groups(account iam.AccountID, after string) iter.Seq[*iam.Group] {
	return v.groups.in(account, iam.Fold(after))
}

// Roles yields the roles of an account, as [View.Users] does.
func (v *View) Roles(account iam.AccountID, after string) iter.Seq[*iam.Role] {
	return v.roles.in(account, iam.Fold(after))
}

// Policies yields the managed policies of an account, as [View.Users] does.
func (v *View) Policies(account iam.AccountID, after string) iter.Seq[*iam.Policy] {
	return v.policies.in(account, iam.Fold(after))
}

// AccessKeys yields the long-term keys of all accounts whose id comes after the
// given one, in byte order.
func (v *View) AccessKeys(after iam.AccessKeyID) iter.Seq[*iam.AccessKey] {
	return v.accessKeys.in("", string(after))
}

// ServiceAccounts yields the service accounts of all accounts, as
// [View.AccessKeys] does.
func (v *View) ServiceAccounts(after iam.AccessKeyID) iter.Seq[*iam.ServiceAccount] {
	return v.serviceAccounts.in("", string(after))
}

// Sessions yields the sessions of all accounts, expired ones included until they
// are tidied away, as [View.AccessKeys] does.
func (v *View) Sessions(after iam.AccessKeyID) iter.Seq[*iam.Session] {
	return v.sessions.in("", string(after))
}

// Buckets yields the bucket records that come after a name, in byte order.
func (v *View) Buckets(after string) iter.Seq[*iam.Bucket] { return v.buckets.in("", after) }

// KeysOf yields the long-term keys of a user, service account or root, by id.
func (v *View) KeysOf(owner iam.Ref) iter.Seq[*iam.AccessKey] { return v.wide().keysByOwner.of(owner) }

// SessionsOf yields the sessions of a parent, by key.
func (v *View) SessionsOf(parent iam.Ref) iter.Seq[*iam.Session] {
	return v.wide().sessionsByParent.of(parent)
}

// ServiceAccountsOf yields the service accounts of a user, by key.
func (v *View) ServiceAccountsOf(account iam.AccountID, user string) iter.Seq[*iam.ServiceAccount] {
	return v.wide().accountsByParent.of(iam.Ref{Account: account, Kind: iam.KindUser, Name: user})
}

// MembersOf yields the users of a group, in order of their folded names.
func (v *View) MembersOf(account iam.AccountID, group string) iter.Seq[*iam.User] {
	return func(yield func(*iam.User) bool) {
		for name := range v.wide().membersByGroup.of(account, iam.Fold(group)) {
			if u, ok := v.User(account, name); ok && !yield(u) {
				return
			}
		}
	}
}

// AttachedTo yields the users, groups and roles that a managed policy is attached
// to, users first, then groups, then roles, each in order of account and name.
// Boundaries are not attachments: see [View.BoundaryOf].
func (v *View) AttachedTo(policy iam.ARN) iter.Seq[iam.Ref] {
	return v.wide().entitiesByPolicy.of(policy, useAttached)
}

// BoundaryOf yields the users and roles whose permissions boundary a managed
// policy is.
func (v *View) BoundaryOf(policy iam.ARN) iter.Seq[iam.Ref] {
	return v.wide().entitiesByPolicy.of(policy, useBoundary)
}

// SessionsUsing yields the sessions that name a managed policy as a session
// policy, by key.
func (v *View) SessionsUsing(policy iam.ARN) iter.Seq[*iam.Session] {
	return func(yield func(*iam.Session) bool) {
		for ref := range v.wide().entitiesByPolicy.of(policy, useSession) {
			if s, ok := v.Session(iam.AccessKeyID(ref.Name)); ok && !yield(s) {
				return
			}
		}
	}
}

// Expiring yields the sessions whose end lies at or before cutoff, soonest first.
func (v *View) Expiring(cutoff iam.Time) iter.Seq[*iam.Session] {
	return v.wide().sessionsByExpiry.until(cutoff)
}

// Records returns the number of records in all tables, which is that of [View.All].
func (v *View) Records() (n int) {
	for t := iam.TableUsers; t <= iam.LastTable; t++ {
		n += v.Len(t)
	}
	return n
}

// Len returns the number of records in a table.
func (v *View) Len(t iam.Table) int {
	switch t {
	case iam.TableUsers:
		return v.users.len()
	case iam.TableGroups:
		return v.groups.len()
	case iam.TableRoles:
		return v.roles.len()
	case iam.TablePolicies:
		return v.policies.len()
	case iam.TableAccessKeys:
		return v.accessKeys.len()
	case iam.TableServiceAccounts:
		return v.serviceAccounts.len()
	case iam.TableSessions:
		return v.sessions.len()
	case iam.TableBuckets:
		return v.buckets.len()
	case iam.TableProviders:
		return v.providers.len()
	case iam.TableEnrolments:
		return v.enrolments.len()
	case iam.TableAuthorities:
		return v.authorities.len()
	case iam.TableLevels:
		return v.levels.len()
	case iam.TableSettings, iam.TableStore:
		return 1
	}
	return 0
}

// All yields every record as the change that would write it, tables in order of
// their numbers, records in order of their keys: equal views yield equal
// sequences. Settings and store are there even if nobody wrote them. What a narrow view
// has packed comes in no order.
func (v *View) All() iter.Seq[iam.Change] {
	return func(yield func(iam.Change) bool) {
		for t := iam.TableUsers; t <= iam.LastTable; t++ {
			for c := range v.Table(t) {
				if !yield(c) {
					return
				}
			}
		}
	}
}

// Table yields the records of one table as [View.All] does.
func (v *View) Table(t iam.Table) iter.Seq[iam.Change] {
	switch t {
	case iam.TableUsers:
		return changes(v.users.all(), func(r *iam.User) iam.Change { return iam.Change{User: r} })
	case iam.TableGroups:
		return changes(v.groups.all(), func(r *iam.Group) iam.Change { return iam.Change{Group: r} })
	case iam.TableRoles:
		return changes(v.roles.all(), func(r *iam.Role) iam.Change { return iam.Change{Role: r} })
	case iam.TablePolicies:
		return changes(v.policies.all(), func(r *iam.Policy) iam.Change { return iam.Change{Policy: r} })
	case iam.TableAccessKeys:
		return changes(v.accessKeys.all(), func(r *iam.AccessKey) iam.Change { return iam.Change{AccessKey: r} })
	case iam.TableServiceAccounts:
		return changes(v.serviceAccounts.all(), func(r *iam.ServiceAccount) iam.Change { return iam.Change{ServiceAccount: r} })
	case iam.TableSessions:
		return changes(v.sessions.all(), func(r *iam.Session) iam.Change { return iam.Change{Session: r} })
	case iam.TableBuckets:
		return changes(v.buckets.all(), func(r *iam.Bucket) iam.Change { return iam.Change{Bucket: r} })
	case iam.TableProviders:
		return changes(v.providers.all(), func(r *iam.Provider) iam.Change { return iam.Change{Provider: r} })
	case iam.TableEnrolments:
		return changes(v.enrolments.all(), func(r *iam.Enrolment) iam.Change { return iam.Change{Enrolment: r} })
	case iam.TableAuthorities:
		return changes(v.authorities.all(), func(r *iam.Authority) iam.Change { return iam.Change{Authority: r} })
	case iam.TableLevels:
		return changes(v.levels.all(), func(r *iam.Level) iam.Change { return iam.Change{Level: r} })
	case iam.TableSettings:
		settings := v.settings
		return one(iam.Change{Settings: &settings})
	case iam.TableStore:
		store := v.store
		return one(iam.Change{Store: &store})
	}
	return func(func(iam.Change) bool) {}
}

func changes[R any](records iter.Seq[*R], as func(*R) iam.Change) iter.Seq[iam.Change] {
	return func(yield func(iam.Change) bool) {
		for r := range records {
			if !yield(as(r)) {
				return
			}
		}
	}
}

func one(c iam.Change) iter.Seq[iam.Change] {
	return func(yield func(iam.Change) bool) { yield(c) }
}
