package state

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state/btree"
)

// ErrOrder says that records were not in the order of [View.All].
var ErrOrder = errors.New("state: records out of order")

// Loader makes a view out of records that come as [View.All] yields them: the view that a
// [Builder] makes, in a fraction of the time. Trees grow at their ends alone, and those
// that lead from one record to others are filled at last, sorted by the place of what they
// lead from. That order is a guess, of hashes, which the trees compare and put right. A
// loader has one user.
type Loader struct {
	b   *Builder
	err error
}

// NewLoader returns a loader without records.
func NewLoader() *Loader { return &Loader{b: NewBuilder()} }

// Add takes the next record, which becomes the view's: the caller no longer writes to it.
func (l *Loader) Add(c iam.Change) {
	v := l.b.view
	switch table, account, name := KeyOf(c); {
	case c.User != nil:
		add(l, v.users, account, name, c.User)
	case c.Group != nil:
		add(l, v.groups, account, name, c.Group)
	case c.Role != nil:
		add(l, v.roles, account, name, c.Role)
	case c.Policy != nil:
		add(l, v.policies, account, name, c.Policy)
	case c.AccessKey != nil:
		add(l, v.accessKeys, account, name, c.AccessKey)
		l.b.secret(table, name, nil, secretOfKey(c.AccessKey))
	case c.ServiceAccount != nil:
		add(l, v.serviceAccounts, account, name, c.ServiceAccount)
	case c.Session != nil:
		add(l, v.sessions, account, name, c.Session)
		l.b.secret(table, name, nil, secretOfSession(c.Session))
	case c.Bucket != nil:
		add(l, v.buckets, account, name, c.Bucket)
	case c.Provider != nil:
		add(l, v.providers, account, name, c.Provider)
	case c.Enrolment != nil:
		add(l, v.enrolments, account, name, c.Enrolment)
	case c.Authority != nil:
		add(l, v.authorities, account, name, c.Authority)
		l.b.secret(table, name, nil, secretOfAuthority(c.Authority))
	case c.Level != nil:
		add(l, v.levels, account, name, c.Level)
	default: // settings and store are not in trees
		l.b.apply(&c)
	}
}

func add[R any](l *Loader, t records[R], account iam.AccountID, name string, new *R) {
	if !t.add(l.b, account, name, new) && l.err == nil {
		l.err = fmt.Errorf("%w: %T %q", ErrOrder, new, name)
	}
}

// Together runs tasks that have nothing to do with one another, and returns when all have
// ended: [InTurn], or something that has processors to spare.
type Together func(tasks ...func())

// InTurn runs one task after the other.
func InTurn(tasks ...func()) {
	for _, task := range tasks {
		task()
	}
}

// View returns what was loaded, at the given index. The loader is used up. The error
// wraps [ErrOrder].
func (l *Loader) View(index iam.Index, together Together) (*View, error) {
	if l.err != nil {
		return nil, l.err
	}
	v := l.b.View(index)
	together(func() {
		p := placesOf(v)
		fillRefs(p, v.keysByOwner, v.accessKeys)
		fillRefs(p, v.sessionsByParent, v.sessions)
		fillRefs(p, v.accountsByParent, v.serviceAccounts)
	}, func() {
		fillTree(v.sessionsByExpiry.sessions, slices.SortedFunc(v.sessions.all(), compareExpiry))
		fillTree(v.membersByGroup.members, gather(membersOf(v), member.of, compareGroups))
		fillTree(v.entitiesByPolicy.uses, gather(usesOf(v), use.how, compareHow))
	})
	return v, nil
}

// fillTree fills a tree that is empty with items that are in its order, but for some: one
// that is there twice, as a policy may be that somebody has attached twice, and those
// whose place was a wrong guess.
func fillTree[T any](tree *btree.Tree[T], items []T) {
	for _, item := range items {
		if !tree.Append(item) {
			tree.Set(item)
		}
	}
}

// places are those of users and roles in the order of compareRef, by the hash of what
// names them.
type places map[uint64]uint32

func placesOf(v *View) places {
	p := make(places, v.users.len()+v.roles.len())
	for u := range v.users.all() {
		p[hashRef(u.Ref())] = uint32(len(p))
	}
	for r := range v.roles.all() {
		p[hashRef(r.Ref())] = uint32(len(p))
	}
	return p
}

func hashRef(r iam.Ref) uint64 {
	var space [128]byte
	return xxhash.Sum64(canonical(space[:0]).ref(iam.Ref{Account: r.Account, Kind: r.Kind, Name: iam.Fold(r.Name)}))
}

// fillRefs fills x, which is empty, with the records of a table, which are in order of
// their keys.
func fillRefs[R any](p places, x refIndex[R], from records[R]) {
	records := make([]*R, 0, from.len())
	var placed []uint64 // the place of the owner, and that of the record
	var others []*R     // of root, of service accounts, of nobody who is there
	for r := range from.all() {
		if place, ok := p[hashRef(x.owner(r))]; ok {
			placed = append(placed, uint64(place)<<32|uint64(len(records)))
		} else {
			others = append(others, r)
		}
		records = append(records, r)
	}
	slices.Sort(placed)
	slices.SortFunc(others, x.compare)
	sorted := make([]*R, 0, len(records))
	for _, at := range placed {
		r := records[uint32(at)]
		for len(others) > 0 && x.compare(others[0], r) < 0 {
			sorted, others = append(sorted, others[0]), others[1:]
		}
		sorted = append(sorted, r)
	}
	fillTree(x.records, append(sorted, others...))
}

// membersOf yields all memberships, those of each group in the order of the index.
func membersOf(v *View) iter.Seq[member] {
	return func(yield func(member) bool) {
		for u := range v.users.all() {
			for _, g := range u.Groups {
				if !yield(member{u.Account, iam.Fold(g), iam.Fold(u.Name)}) {
					return
				}
			}
		}
	}
}

type groupName struct {
	account iam.AccountID
	name    string // folded
}

func (m member) of() groupName { return groupName{m.account, m.group} }

func compareGroups(a, b groupName) int {
	return cmp.Or(strings.Compare(string(a.account), string(b.account)), strings.Compare(a.name, b.name))
}

// usesOf yields all uses, those of each policy in the order of the index: by kind of
// entity, and as their tables have them.
func usesOf(v *View) iter.Seq[use] {
	return func(yield func(use) bool) {
		_ = usesIn(v.users, usesOfUser, yield) && usesIn(v.groups, usesOfGroup, yield) &&
			usesIn(v.roles, usesOfRole, yield) && usesIn(v.sessions, usesOfSession, yield)
	}
}

func usesIn[R any](t records[R], of func(*R) uses, yield func(use) bool) bool {
	for r := range t.all() {
		for u := range of(r).all() {
			if !yield(u) {
				return false
			}
		}
	}
	return true
}

type howUsed struct {
	policy iam.ARN
	as     useKind
}

func (u use) how() howUsed { return howUsed{u.policy, u.as} }

func compareHow(a, b howUsed) int {
	return cmp.Or(strings.Compare(string(a.policy), string(b.policy)), cmp.Compare(a.as, b.as))
}

// gather returns the items group by group, groups in the order of compare, and the items
// of a group as they come. It goes through the items twice and compares none of them, so
// that many items of few groups cost little.
func gather[T any, G comparable](items iter.Seq[T], of func(T) G, compare func(a, b G) int) []T {
	type run struct {
		group G
		at    int // first the number of items, then the place of the next
	}
	var runs []*run
	by, all := map[G]*run{}, 0
	for item := range items {
		g := of(item)
		r := by[g]
		if r == nil {
			r = &run{group: g}
			by[g], runs = r, append(runs, r)
		}
		r.at++
		all++
	}
	slices.SortFunc(runs, func(a, b *run) int { return compare(a.group, b.group) })
	next := 0
	for _, r := range runs {
		r.at, next = next, next+r.at
	}
	gathered := make([]T, all)
	for item := range items {
		r := by[of(item)]
		gathered[r.at] = item
		r.at++
	}
	return gathered
}
