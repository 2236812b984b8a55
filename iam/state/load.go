package state

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state/btree"
)

// ErrOrder says that records were not in the order of [View.All].
var ErrOrder = errors.New("state: records out of order")

// Loader makes a view out of records that come as [View.All] yields them. It makes the
// same view as a [Builder], in a third of the time: trees are built of sorted runs, and
// those that lead from one record to others are sorted by the place of what they lead
// from, so that names are hardly compared. A loader has one user.
type Loader struct {
	sums *Builder // holds no records but settings and store

	users           []row[iam.User]
	groups          []row[iam.Group]
	roles           []row[iam.Role]
	policies        []row[iam.Policy]
	providers       []row[iam.Provider]
	accessKeys      []globalRow[iam.AccessKey]
	serviceAccounts []globalRow[iam.ServiceAccount]
	sessions        []globalRow[iam.Session]
	buckets         []globalRow[iam.Bucket]
	enrolments      []globalRow[iam.Enrolment]
	authorities     []globalRow[iam.Authority]
	levels          []globalRow[iam.Level]
}

// NewLoader returns a loader without records.
func NewLoader() *Loader { return &Loader{sums: NewBuilder()} }

// Add takes the next record, which becomes the view's: the caller no longer writes to it.
func (l *Loader) Add(c iam.Change) {
	_, account, name := KeyOf(c)
	switch b := l.sums; {
	case c.User != nil:
		l.users = loadRow(b, userForm, l.users, account, name, c.User)
	case c.Group != nil:
		l.groups = loadRow(b, groupForm, l.groups, account, name, c.Group)
	case c.Role != nil:
		l.roles = loadRow(b, roleForm, l.roles, account, name, c.Role)
	case c.Policy != nil:
		l.policies = loadRow(b, policyForm, l.policies, account, name, c.Policy)
	case c.Provider != nil:
		l.providers = loadRow(b, providerForm, l.providers, account, name, c.Provider)
	case c.AccessKey != nil:
		l.accessKeys = loadGlobal(b, accessKeyForm, l.accessKeys, name, c.AccessKey)
		b.secret(iam.TableAccessKeys, name, nil, secretOfKey(c.AccessKey))
	case c.ServiceAccount != nil:
		l.serviceAccounts = loadGlobal(b, serviceAccountForm, l.serviceAccounts, name, c.ServiceAccount)
	case c.Session != nil:
		l.sessions = loadGlobal(b, sessionForm, l.sessions, name, c.Session)
		b.secret(iam.TableSessions, name, nil, secretOfSession(c.Session))
	case c.Bucket != nil:
		l.buckets = loadGlobal(b, bucketForm, l.buckets, name, c.Bucket)
	case c.Enrolment != nil:
		l.enrolments = loadGlobal(b, enrolmentForm, l.enrolments, name, c.Enrolment)
	case c.Authority != nil:
		l.authorities = loadGlobal(b, authorityForm, l.authorities, name, c.Authority)
		b.secret(iam.TableAuthorities, name, nil, secretOfAuthority(c.Authority))
	case c.Level != nil:
		l.levels = loadGlobal(b, levelForm, l.levels, name, c.Level)
	default: // settings and store are not in trees
		b.apply(&c)
	}
}

func loadRow[R any](b *Builder, form *form[R], rows []row[R], account iam.AccountID, name string, r *R) []row[R] {
	tally(b, form, account, name, nil, r)
	return append(rows, row[R]{account, name, r})
}

func loadGlobal[R any](b *Builder, form *form[R], rows []globalRow[R], name string, r *R) []globalRow[R] {
	tally(b, form, "", name, nil, r)
	return append(rows, globalRow[R]{name, r})
}

// View returns what was loaded, at the given index. The loader is used up. The error
// wraps [ErrOrder].
func (l *Loader) View(index iam.Index) (*View, error) {
	v := l.sums.View(index)
	err := errors.Join(
		fillTable(v.users, l.users), fillTable(v.groups, l.groups), fillTable(v.roles, l.roles),
		fillTable(v.policies, l.policies), fillTable(v.providers, l.providers),
		fillGlobal(v.accessKeys, l.accessKeys), fillGlobal(v.serviceAccounts, l.serviceAccounts),
		fillGlobal(v.sessions, l.sessions), fillGlobal(v.buckets, l.buckets),
		fillGlobal(v.enrolments, l.enrolments), fillGlobal(v.authorities, l.authorities), fillGlobal(v.levels, l.levels))
	if err != nil {
		return nil, err
	}
	return v, errors.Join(l.indexOwners(v), l.indexExpiry(v), l.indexMembers(v), l.indexUses(v))
}

func fillTable[R any](t records[R], rows []row[R]) error {
	own := t.(table[R])
	return fillTree(own.rows, rows, fmt.Sprintf("table %d", own.form.table))
}

func fillGlobal[R any](t records[R], rows []globalRow[R]) error {
	own := t.(global[R])
	return fillTree(own.rows, rows, fmt.Sprintf("table %d", own.form.table))
}

func fillTree[T any](tree *btree.Tree[T], items []T, what string) error {
	if !tree.Load(items) {
		return fmt.Errorf("%w: %s", ErrOrder, what)
	}
	return nil
}

// places are the users and roles, in the order of compareRef. Names are folded.
type places map[iam.Ref]uint32

func (l *Loader) places() places {
	p := make(places, len(l.users)+len(l.roles))
	for _, u := range l.users {
		p[iam.Ref{Account: u.account, Kind: iam.KindUser, Name: u.name}] = uint32(len(p))
	}
	for _, r := range l.roles {
		p[iam.Ref{Account: r.account, Kind: iam.KindRole, Name: r.name}] = uint32(len(p))
	}
	return p
}

func (l *Loader) indexOwners(v *View) error {
	p := l.places()
	return errors.Join(
		fillRefs(p, v.keysByOwner, l.accessKeys, "keys by owner"),
		fillRefs(p, v.sessionsByParent, l.sessions, "sessions by parent"),
		fillRefs(p, v.accountsByParent, l.serviceAccounts, "service accounts by parent"))
}

// fillRefs fills x with records that are in order of their keys.
func fillRefs[R any](p places, x refIndex[R], rows []globalRow[R], what string) error {
	var placed []uint64 // the place of the owner, then that of the record
	var others []*R     // of root, of service accounts, of nobody who is there
	for i, r := range rows {
		owner := x.owner(r.record)
		owner.Name = iam.Fold(owner.Name)
		if place, ok := p[owner]; ok {
			placed = append(placed, uint64(place)<<32|uint64(i))
		} else {
			others = append(others, r.record)
		}
	}
	slices.Sort(placed)
	slices.SortFunc(others, x.compare)
	sorted := make([]*R, 0, len(rows))
	for _, at := range placed {
		r := rows[uint32(at)].record
		for len(others) > 0 && x.compare(others[0], r) < 0 {
			sorted, others = append(sorted, others[0]), others[1:]
		}
		sorted = append(sorted, r)
	}
	return fillTree(x.records, append(sorted, others...), what)
}

func (l *Loader) indexExpiry(v *View) error {
	sorted := make([]*iam.Session, len(l.sessions))
	for i, s := range l.sessions {
		sorted[i] = s.record
	}
	slices.SortFunc(sorted, compareExpiry)
	return fillTree(v.sessionsByExpiry.sessions, sorted, "sessions by expiry")
}

func (l *Loader) indexMembers(v *View) error {
	var members []member
	for _, u := range l.users {
		for _, g := range u.record.Groups {
			members = append(members, member{u.account, iam.Fold(g), u.name})
		}
	}
	type group struct {
		account iam.AccountID
		name    string
	}
	sorted := gather(members, func(m member) group { return group{m.account, m.group} }, func(a, b group) int {
		return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.name, b.name))
	})
	return fillTree(v.membersByGroup.members, slices.Compact(sorted), "members by group")
}

func (l *Loader) indexUses(v *View) error {
	var all []use
	add := func(u uses) {
		for one := range u.all() {
			all = append(all, one)
		}
	}
	for _, u := range l.users { // in the order of compareRef
		add(usesOfUser(u.record))
	}
	for _, g := range l.groups {
		add(usesOfGroup(g.record))
	}
	for _, r := range l.roles {
		add(usesOfRole(r.record))
	}
	for _, s := range l.sessions {
		add(usesOfSession(s.record))
	}
	type how struct {
		policy iam.ARN
		as     useKind
	}
	sorted := gather(all, func(u use) how { return how{u.policy, u.as} }, func(a, b how) int {
		return cmp.Or(cmp.Compare(a.policy, b.policy), cmp.Compare(a.as, b.as))
	})
	return fillTree(v.entitiesByPolicy.uses, slices.Compact(sorted), "uses by policy")
}

// gather returns the items in the order of their groups, and those of a group as they
// were. It compares no items, so that few groups of many items cost little.
func gather[T any, G comparable](items []T, of func(T) G, compare func(a, b G) int) []T {
	var groups []G
	var sizes []int
	number := map[G]int{}
	numbers := make([]int, len(items))
	for i, item := range items {
		g := of(item)
		n, ok := number[g]
		if !ok {
			n = len(groups)
			number[g], groups, sizes = n, append(groups, g), append(sizes, 0)
		}
		numbers[i] = n
		sizes[n]++
	}
	slices.SortFunc(groups, compare)
	begins, at := make([]int, len(sizes)), 0
	for _, g := range groups {
		n := number[g]
		begins[n], at = at, at+sizes[n]
	}
	gathered := make([]T, len(items))
	for i, item := range items {
		n := numbers[i]
		gathered[begins[n]] = item
		begins[n]++
	}
	return gathered
}
