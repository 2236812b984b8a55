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
// view calls Apply, one call at a time; readers of v are not disturbed.
func (v *View) Apply(index iam.Index, changes []iam.Change) *View {
	next := *v
	next.index = index
	e := editor{view: &next}
	for i := range changes {
		e.apply(&changes[i])
	}
	return &next
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
	case c.Delete != nil:
		return keyOfDeletion(*c.Delete)
	}
	return 0, "", ""
}

func keyOfDeletion(d iam.Deletion) (iam.Table, iam.AccountID, string) {
	switch d.Table {
	case iam.TableUsers, iam.TableGroups, iam.TableRoles, iam.TablePolicies:
		return d.Table, d.Account, iam.Fold(d.Name)
	}
	return d.Table, "", d.Name
}

// editor makes the next view. It clones a tree before the first write to it.
type editor struct {
	view    *View
	owned   uint32 // bit per tree that is already the new view's own
	chunks  uint64 // bit per chunk of bucket sums, likewise
	scratch []byte // reused to write records for hashing
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
)

// own reports whether tree must be cloned now, and notes that it will have been.
func (e *editor) own(tree uint32) bool {
	first := e.owned&tree == 0
	e.owned |= tree
	return first
}

func (e *editor) apply(c *iam.Change) {
	table, account, name := KeyOf(*c)
	switch table {
	case iam.TableUsers:
		e.user(account, name, c.User)
	case iam.TableGroups:
		e.group(account, name, c.Group)
	case iam.TableRoles:
		e.role(account, name, c.Role)
	case iam.TablePolicies:
		e.policy(account, name, c.Policy)
	case iam.TableAccessKeys:
		e.accessKey(name, c.AccessKey)
	case iam.TableServiceAccounts:
		e.serviceAccount(name, c.ServiceAccount)
	case iam.TableSessions:
		e.session(name, c.Session)
	case iam.TableBuckets:
		e.bucket(name, c.Bucket)
	case iam.TableSettings:
		e.settings(c.Settings)
	case iam.TableStore:
		e.store(c.Store)
	}
}

func (e *editor) user(account iam.AccountID, name string, new *iam.User) {
	v := e.view
	if e.own(treeUsers) {
		v.users = v.users.clone()
	}
	old := set(e, v.users, iam.TableUsers, account, name, new, writeUser)
	e.memberships(old, new)
	var before, after uses
	if old != nil {
		before = uses{old.Ref(), old.Attached, old.Boundary}
	}
	if new != nil {
		after = uses{new.Ref(), new.Attached, new.Boundary}
	}
	e.uses(before, after)
}

func (e *editor) memberships(old, new *iam.User) {
	if old != nil && new != nil && slices.Equal(old.Groups, new.Groups) {
		return
	}
	if e.own(treeMembers) {
		e.view.membersByGroup = e.view.membersByGroup.clone()
	}
	e.view.membersByGroup.replace(old, new)
}

func (e *editor) uses(old, new uses) {
	if old.ref == new.ref && slices.Equal(old.attached, new.attached) && old.boundary == new.boundary {
		return
	}
	if e.own(treeUses) {
		e.view.entitiesByPolicy = e.view.entitiesByPolicy.clone()
	}
	e.view.entitiesByPolicy.replace(old, new)
}

func (e *editor) group(account iam.AccountID, name string, new *iam.Group) {
	v := e.view
	if e.own(treeGroups) {
		v.groups = v.groups.clone()
	}
	old := set(e, v.groups, iam.TableGroups, account, name, new, writeGroup)
	var before, after uses
	if old != nil {
		before = uses{ref: old.Ref(), attached: old.Attached}
	}
	if new != nil {
		after = uses{ref: new.Ref(), attached: new.Attached}
	}
	e.uses(before, after)
}

func (e *editor) role(account iam.AccountID, name string, new *iam.Role) {
	v := e.view
	if e.own(treeRoles) {
		v.roles = v.roles.clone()
	}
	old := set(e, v.roles, iam.TableRoles, account, name, new, writeRole)
	var before, after uses
	if old != nil {
		before = uses{old.Ref(), old.Attached, old.Boundary}
	}
	if new != nil {
		after = uses{new.Ref(), new.Attached, new.Boundary}
	}
	e.uses(before, after)
}

func (e *editor) policy(account iam.AccountID, name string, new *iam.Policy) {
	if e.own(treePolicies) {
		e.view.policies = e.view.policies.clone()
	}
	set(e, e.view.policies, iam.TablePolicies, account, name, new, writePolicy)
}

func (e *editor) accessKey(name string, new *iam.AccessKey) {
	v := e.view
	if e.own(treeAccessKeys) {
		v.accessKeys, v.keysByOwner = v.accessKeys.clone(), v.keysByOwner.clone()
	}
	old := set(e, v.accessKeys, iam.TableAccessKeys, "", name, new, writeAccessKey)
	replace(v.keysByOwner.records, old, new)
	var before, after iam.Sealed
	if old != nil {
		before = old.Secret
	}
	if new != nil {
		after = new.Secret
	}
	e.secret(iam.TableAccessKeys, name, before, after)
}

func (e *editor) serviceAccount(name string, new *iam.ServiceAccount) {
	v := e.view
	if e.own(treeServiceAccounts) {
		v.serviceAccounts, v.accountsByParent = v.serviceAccounts.clone(), v.accountsByParent.clone()
	}
	old := set(e, v.serviceAccounts, iam.TableServiceAccounts, "", name, new, writeServiceAccount)
	replace(v.accountsByParent.records, old, new)
}

func (e *editor) session(name string, new *iam.Session) {
	v := e.view
	if e.own(treeSessions) {
		v.sessions = v.sessions.clone()
		v.sessionsByParent, v.sessionsByExpiry = v.sessionsByParent.clone(), v.sessionsByExpiry.clone()
	}
	old := set(e, v.sessions, iam.TableSessions, "", name, new, writeSession)
	replace(v.sessionsByParent.records, old, new)
	replace(v.sessionsByExpiry.sessions, old, new)
	var before, after iam.Sealed
	if old != nil {
		before = old.Secret
	}
	if new != nil {
		after = new.Secret
	}
	e.secret(iam.TableSessions, name, before, after)
}

func (e *editor) bucket(name string, new *iam.Bucket) {
	if e.own(treeBuckets) {
		e.view.buckets = e.view.buckets.clone()
	}
	set(e, e.view.buckets, iam.TableBuckets, "", name, new, writeBucket)
}

// The settings and the store record are always there: before the first write they
// are zero, and deleting them makes them zero again.
func (e *editor) settings(new *iam.Settings) {
	if new == nil {
		new = &iam.Settings{}
	}
	old := e.view.settings
	tally(e, iam.TableSettings, "", "", &old, new, writeSettings)
	e.view.settings = *new
}

func (e *editor) store(new *iam.Store) {
	if new == nil {
		new = &iam.Store{}
	}
	old := e.view.store
	tally(e, iam.TableStore, "", "", &old, new, writeStore)
	e.view.store = *new
}

// set puts new in the place that the key names, or empties the place if new is
// nil, and returns what was there.
func set[R any](e *editor, t table[R], id iam.Table, acct iam.AccountID, name string, new *R, write func(canonical, *R) canonical) *R {
	var old *R
	if new == nil {
		old = t.remove(acct, name)
	} else {
		old = t.put(acct, name, new)
	}
	tally(e, id, acct, name, old, new, write)
	return old
}

// tally takes old out of the sums and puts new in; either may be nil.
func tally[R any](e *editor, id iam.Table, acct iam.AccountID, name string, old, new *R, write func(canonical, *R) canonical) {
	key := appendKey(e.scratch[:0], id, acct, name)
	bucket, length := bucketOf(key), len(key)
	var change Sum
	if old != nil {
		key = write(key[:length], old)
		change = change.Sub(SumOf(key))
	}
	if new != nil {
		key = write(key[:length], new)
		change = change.Add(SumOf(key))
	}
	e.scratch = key
	e.addToBucket(bucket, change)
}

func (e *editor) addToBucket(i int, change Sum) {
	s := &e.view.public
	s.total = s.total.Add(change)
	chunk := i / bucketsPerChunk
	if e.chunks&(1<<chunk) == 0 {
		e.chunks |= 1 << chunk
		var own [bucketsPerChunk]Sum
		if shared := s.chunks[chunk]; shared != nil {
			own = *shared
		}
		s.chunks[chunk] = &own
	}
	b := &s.chunks[chunk][i%bucketsPerChunk]
	*b = b.Add(change)
}

// secret accounts for a sealed secret that replaces another; empty is none.
func (e *editor) secret(id iam.Table, name string, old, new iam.Sealed) {
	if bytes.Equal(old, new) {
		return
	}
	key := appendKey(e.scratch[:0], id, "", name)
	length := len(key)
	if len(old) > 0 {
		key = append(key[:length], old...)
		e.view.secrets = e.view.secrets.Sub(SumOf(key))
	}
	if len(new) > 0 {
		key = append(key[:length], new...)
		e.view.secrets = e.view.secrets.Add(SumOf(key))
	}
	e.scratch = key
}
