package state

import (
	"bytes"
	"slices"

	"github.com/doorward/doorward/iam"
)

// Apply returns the view that follows v: its content with the changes made in
// order, at the given index. v stays as it is, and so do the records of both; the
// changes' records become the new view's, so the caller no longer writes to them.
//
// A deletion of what is not there changes nothing. Only the owner of the newest
// view calls Apply; readers of v, and builders that others began on it, are not
// disturbed.
func (v *View) Apply(index iam.Index, changes []iam.Change) *View {
	b := v.Edit()
	b.Add(changes)
	return b.View(index)
}

// Builder makes the next view out of many changes, or a view out of very many
// without ever holding them all: a snapshot is read into one, aside from whatever
// view is in use. A builder has one user.
type Builder struct {
	view    *View
	owned   uint32 // bit per tree that is already the new view's own
	chunks  uint64 // bit per chunk of bucket sums, likewise
	scratch []byte // reused to write records for hashing
	// Reused for packed records: what is kept of one, and all of it.
	packing, whole []byte
}

// NewBuilder returns a builder that holds what [Empty] does.
func NewBuilder() *Builder { return Empty().Edit() }

// NewNarrowBuilder returns a builder of narrow views: see narrow.go.
func NewNarrowBuilder() *Builder { return emptyNarrow().Edit() }

// Edit returns a builder that holds what v does, under the rules of [View.Apply].
// What many changes have in common is copied once, so one builder for a hundred
// changes costs a third of a hundred steps.
func (v *View) Edit() *Builder {
	next := *v
	return &Builder{view: &next}
}

// Peek returns what is there so far, at v's index. It is good until the next Add.
func (b *Builder) Peek() *View { return b.view }

// Add makes changes in order, as [View.Apply] does.
func (b *Builder) Add(changes []iam.Change) {
	for i := range changes {
		b.apply(&changes[i])
	}
}

// View returns what was built, at the given index. The builder is used up.
func (b *Builder) View(index iam.Index) *View {
	v := b.view
	b.view = nil
	v.index = index
	return v
}

// KeyOf returns what identifies the record of a change: its table, its account
// (empty where names are global) and its name in the form that compares.
func KeyOf(c iam.Change) (iam.Table, iam.AccountID, string) {
	switch {
	case c.User != nil:
		return iam.TableUsers, c.User.Account, iam.Fold(c.User.Name)
	case c.Group != nil:
		return iam.TableGroups, c.Group.Account, iam.Fold(c.Group.Name)
	case c.Role != nil:
		return iam.TableRoles, c.Role.Account, iam.Fold(c.Role.Name)
	case c.Policy != nil:
		return iam.TablePolicies, c.Policy.Account, iam.Fold(c.Policy.Name)
	case c.AccessKey != nil:
		return iam.TableAccessKeys, "", string(c.AccessKey.ID)
	case c.ServiceAccount != nil:
		return iam.TableServiceAccounts, "", string(c.ServiceAccount.Key)
	case c.Session != nil:
		return iam.TableSessions, "", string(c.Session.Key)
	case c.Bucket != nil:
		return iam.TableBuckets, "", c.Bucket.Name
	case c.Settings != nil:
		return iam.TableSettings, "", ""
	case c.Store != nil:
		return iam.TableStore, "", ""
	case c.Provider != nil:
		return iam.TableProviders, c.Provider.Account, c.Provider.URL
	case c.Enrolment != nil:
		return iam.TableEnrolments, "", c.Enrolment.ID
	case c.Authority != nil:
		return iam.TableAuthorities, "", c.Authority.Fingerprint
	case c.Level != nil:
		return iam.TableLevels, "", ""
	case c.Delete != nil:
		return keyOfDeletion(*c.Delete)
	}
	return 0, "", ""
}

func keyOfDeletion(d iam.Deletion) (iam.Table, iam.AccountID, string) {
	switch d.Table {
	case iam.TableUsers, iam.TableGroups, iam.TableRoles, iam.TablePolicies:
		return d.Table, d.Account, iam.Fold(d.Name)
	case iam.TableSettings, iam.TableStore, iam.TableLevels:
		return d.Table, "", ""
	case iam.TableProviders:
		return d.Table, d.Account, d.Name
	}
	return d.Table, "", d.Name
}

// The trees that are cloned separately.
const (
	treeUsers = 1 << iota
	treeGroups
	treeRoles
	treePolicies
	treeAccessKeys
	treeServiceAccounts
	treeSessions
	treeBuckets
	treeMembers
	treeUses
	treeProviders
	treeEnrolments
	treeAuthorities
	treeLevels
)

// own reports whether tree must be cloned now, and notes that it will have been.
func (b *Builder) own(tree uint32) bool {
	first := b.owned&tree == 0
	b.owned |= tree
	return first
}

func (b *Builder) apply(c *iam.Change) {
	table, account, name := KeyOf(*c)
	switch table {
	case iam.TableUsers:
		b.user(account, name, c.User)
	case iam.TableGroups:
		b.group(account, name, c.Group)
	case iam.TableRoles:
		b.role(account, name, c.Role)
	case iam.TablePolicies:
		b.policy(account, name, c.Policy)
	case iam.TableAccessKeys:
		b.accessKey(name, c.AccessKey)
	case iam.TableServiceAccounts:
		b.serviceAccount(name, c.ServiceAccount)
	case iam.TableSessions:
		b.session(name, c.Session)
	case iam.TableBuckets:
		b.bucket(name, c.Bucket)
	case iam.TableSettings:
		b.settings(c.Settings)
	case iam.TableStore:
		b.store(c.Store)
	case iam.TableProviders:
		b.provider(account, name, c.Provider)
	case iam.TableEnrolments:
		b.enrolment(name, c.Enrolment)
	case iam.TableAuthorities:
		b.authority(name, c.Authority)
	case iam.TableLevels:
		b.level(name, c.Level)
	}
}

func (b *Builder) user(account iam.AccountID, name string, new *iam.User) {
	v := b.view
	if b.own(treeUsers) {
		v.users = v.users.clone()
	}
	old := v.users.set(b, account, name, new)
	b.memberships(old, new)
	b.uses(usesOfUser(old), usesOfUser(new))
}

func (b *Builder) memberships(old, new *iam.User) {
	if b.view.narrow || old != nil && new != nil && slices.Equal(old.Groups, new.Groups) {
		return
	}
	if b.own(treeMembers) {
		b.view.membersByGroup = b.view.membersByGroup.clone()
	}
	b.view.membersByGroup.replace(old, new)
}

func (b *Builder) uses(old, new uses) {
	if b.view.narrow || old.ref == new.ref && slices.Equal(old.attached, new.attached) && old.boundary == new.boundary {
		return
	}
	if b.own(treeUses) {
		b.view.entitiesByPolicy = b.view.entitiesByPolicy.clone()
	}
	b.view.entitiesByPolicy.replace(old, new)
}

func (b *Builder) group(account iam.AccountID, name string, new *iam.Group) {
	v := b.view
	if b.own(treeGroups) {
		v.groups = v.groups.clone()
	}
	old := v.groups.set(b, account, name, new)
	b.uses(usesOfGroup(old), usesOfGroup(new))
}

func (b *Builder) role(account iam.AccountID, name string, new *iam.Role) {
	v := b.view
	if b.own(treeRoles) {
		v.roles = v.roles.clone()
	}
	old := v.roles.set(b, account, name, new)
	b.uses(usesOfRole(old), usesOfRole(new))
}

func (b *Builder) policy(account iam.AccountID, name string, new *iam.Policy) {
	if b.own(treePolicies) {
		b.view.policies = b.view.policies.clone()
	}
	b.view.policies.set(b, account, name, new)
}

func (b *Builder) accessKey(name string, new *iam.AccessKey) {
	v := b.view
	if b.own(treeAccessKeys) {
		v.accessKeys, v.keysByOwner = v.accessKeys.clone(), v.keysByOwner.clone()
	}
	old := v.accessKeys.set(b, "", name, new)
	if !v.narrow {
		replace(v.keysByOwner.records, old, new)
	}
	b.secret(iam.TableAccessKeys, name, secretOfKey(old), secretOfKey(new))
}

func (b *Builder) serviceAccount(name string, new *iam.ServiceAccount) {
	v := b.view
	if b.own(treeServiceAccounts) {
		v.serviceAccounts, v.accountsByParent = v.serviceAccounts.clone(), v.accountsByParent.clone()
	}
	old := v.serviceAccounts.set(b, "", name, new)
	if !v.narrow {
		replace(v.accountsByParent.records, old, new)
	}
}

func (b *Builder) session(name string, new *iam.Session) {
	v := b.view
	if b.own(treeSessions) {
		v.sessions = v.sessions.clone()
		v.sessionsByParent, v.sessionsByExpiry = v.sessionsByParent.clone(), v.sessionsByExpiry.clone()
	}
	old := v.sessions.set(b, "", name, new)
	if !v.narrow {
		replace(v.sessionsByParent.records, old, new)
		replace(v.sessionsByExpiry.sessions, old, new)
	}
	b.uses(usesOfSession(old), usesOfSession(new))
	b.secret(iam.TableSessions, name, secretOfSession(old), secretOfSession(new))
}

func (b *Builder) bucket(name string, new *iam.Bucket) {
	if b.own(treeBuckets) {
		b.view.buckets = b.view.buckets.clone()
	}
	b.view.buckets.set(b, "", name, new)
}

func (b *Builder) provider(account iam.AccountID, name string, new *iam.Provider) {
	if b.own(treeProviders) {
		b.view.providers = b.view.providers.clone()
	}
	b.view.providers.set(b, account, name, new)
}

func (b *Builder) enrolment(name string, new *iam.Enrolment) {
	if b.own(treeEnrolments) {
		b.view.enrolments = b.view.enrolments.clone()
	}
	b.view.enrolments.set(b, "", name, new)
}

func (b *Builder) authority(name string, new *iam.Authority) {
	if b.own(treeAuthorities) {
		b.view.authorities = b.view.authorities.clone()
	}
	old := b.view.authorities.set(b, "", name, new)
	b.secret(iam.TableAuthorities, name, secretOfAuthority(old), secretOfAuthority(new))
}

func (b *Builder) level(name string, new *iam.Level) {
	if b.own(treeLevels) {
		b.view.levels = b.view.levels.clone()
	}
	b.view.levels.set(b, "", name, new)
}

// The settings and the store record are always there: before the first write they
// are zero, and deleting them makes them zero again.
func (b *Builder) settings(new *iam.Settings) {
	if new == nil {
		new = &iam.Settings{}
	}
	old := b.view.settings
	tally(b, settingsForm, "", "", &old, new)
	b.view.settings = *new
}

func (b *Builder) store(new *iam.Store) {
	if new == nil {
		new = &iam.Store{}
	}
	old := b.view.store
	tally(b, storeForm, "", "", &old, new)
	b.secret(iam.TableStore, "", hiddenOfStore(&old), hiddenOfStore(new))
	b.view.store = *new
}

// tally takes old out of the sums and puts new in; either may be nil.
func tally[R any](b *Builder, form *form[R], acct iam.AccountID, name string, old, new *R) {
	key := appendKey(b.scratch[:0], form.table, acct, name)
	bucket, length := bucketOf(key), len(key)
	var change Sum
	if old != nil {
		key = form.write(key[:length], old)
		change = change.Sub(SumOf(key))
	}
	if new != nil {
		key = form.write(key[:length], new)
		change = change.Add(SumOf(key))
	}
	b.scratch = key
	b.addToBucket(bucket, change)
}

func (b *Builder) addToBucket(i int, change Sum) {
	s := &b.view.public
	s.total = s.total.Add(change)
	chunk := i / bucketsPerChunk
	if b.chunks&(1<<chunk) == 0 {
		b.chunks |= 1 << chunk
		var own [bucketsPerChunk]Sum
		if shared := s.chunks[chunk]; shared != nil {
			own = *shared
		}
		s.chunks[chunk] = &own
	}
	sum := &s.chunks[chunk][i%bucketsPerChunk]
	*sum = sum.Add(change)
}

// secret accounts for a sealed secret that replaces another; empty is none.
func (b *Builder) secret(id iam.Table, name string, old, new iam.Sealed) {
	if b.view.narrow || bytes.Equal(old, new) {
		return
	}
	key := appendKey(b.scratch[:0], id, "", name)
	length := len(key)
	if len(old) > 0 {
		key = append(key[:length], old...)
		b.view.secrets = b.view.secrets.Sub(SumOf(key))
	}
	if len(new) > 0 {
		key = append(key[:length], new...)
		b.view.secrets = b.view.secrets.Add(SumOf(key))
	}
	b.scratch = key
}

func secretOfKey(k *iam.AccessKey) iam.Sealed {
	if k == nil {
		return nil
	}
	return k.Secret
}

func secretOfSession(s *iam.Session) iam.Sealed {
	if s == nil {
		return nil
	}
	return s.Secret
}

func secretOfAuthority(a *iam.Authority) iam.Sealed {
	if a == nil {
		return nil
	}
	return a.Key
}

// hiddenOfStore is what sidecars are not told of the store, empty if it is zero.
func hiddenOfStore(s *iam.Store) []byte {
	g := s.Gossip
	if g == (iam.Gossip{}) {
		return nil
	}
	return canonical(nil).number(uint64(g.Oldest)).number(uint64(g.Newest)).number(uint64(g.Current))
}
