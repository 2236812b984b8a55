package state

import (
	"cmp"
	"iter"
	"strings"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state/btree"
)

// refIndex orders records by the entity that they belong to, then by key. It holds
// bare pointers (eight bytes a record) and looks into the records to compare, so a
// record that is replaced is replaced here too.
type refIndex[R any] struct {
	records *btree.Tree[*R]
	belongs[R]
}

// belongs tells a refIndex how to read a record and how to make one to look for.
type belongs[R any] struct {
	owner func(*R) iam.Ref
	key   func(*R) iam.AccessKeyID
	probe func(iam.Ref) *R
}

var ownerOfKey = belongs[iam.AccessKey]{
	owner: func(k *iam.AccessKey) iam.Ref { return k.Owner },
	key:   func(k *iam.AccessKey) iam.AccessKeyID { return k.ID },
	probe: func(r iam.Ref) *iam.AccessKey { return &iam.AccessKey{Owner: r} },
}

var parentOfSession = belongs[iam.Session]{
	owner: func(s *iam.Session) iam.Ref { return s.Parent },
	key:   func(s *iam.Session) iam.AccessKeyID { return s.Key },
	probe: func(r iam.Ref) *iam.Session { return &iam.Session{Parent: r} },
}

var parentOfServiceAccount = belongs[iam.ServiceAccount]{
	owner: func(s *iam.ServiceAccount) iam.Ref { return s.ParentRef() },
	key:   func(s *iam.ServiceAccount) iam.AccessKeyID { return s.Key },
	probe: func(r iam.Ref) *iam.ServiceAccount {
		return &iam.ServiceAccount{Account: r.Account, Parent: r.Name}
	},
}

func newRefIndex[R any](b belongs[R]) refIndex[R] {
	return refIndex[R]{btree.New(b.compare), b}
}

func (b belongs[R]) compare(x, y *R) int {
	if c := compareRef(b.owner(x), b.owner(y)); c != 0 {
		return c
	}
	return strings.Compare(string(b.key(x)), string(b.key(y)))
}

func (x refIndex[R]) of(owner iam.Ref) iter.Seq[*R] {
	return func(yield func(*R) bool) {
		for r := range x.records.Ascend(x.probe(owner)) {
			if compareRef(x.owner(r), owner) != 0 || !yield(r) {
				return
			}
		}
	}
}

func (x refIndex[R]) clone() refIndex[R] { x.records = x.records.Clone(); return x }

// replace takes out the old record and puts in the new one; either may be nil.
func replace[R any](tree *btree.Tree[*R], old, new *R) {
	if old != nil {
		tree.Delete(old)
	}
	if new != nil {
		tree.Set(new)
	}
}

// compareRef orders references by kind, account and name. Names of service
// accounts and sessions (kind zero) are exact, all others ignore case.
func compareRef(a, b iam.Ref) int {
	if c := cmp.Compare(a.Kind, b.Kind); c != 0 {
		return c
	}
	if c := strings.Compare(string(a.Account), string(b.Account)); c != 0 {
		return c
	}
	if a.Kind == iam.KindServiceAccount || a.Kind == 0 {
		return strings.Compare(a.Name, b.Name)
	}
	return compareFolded(a.Name, b.Name)
}

// compareFolded is cmp.Compare(iam.Fold(a), iam.Fold(b)) without making them.
func compareFolded(a, b string) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		if c := cmp.Compare(lower(a[i]), lower(b[i])); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// expiryIndex orders sessions by the instant of their end, then by key.
type expiryIndex struct{ sessions *btree.Tree[*iam.Session] }

func newExpiryIndex() expiryIndex {
	return expiryIndex{btree.New(compareExpiry)}
}

func compareExpiry(a, b *iam.Session) int {
	if c := cmp.Compare(a.Expires, b.Expires); c != 0 {
		return c
	}
	return strings.Compare(string(a.Key), string(b.Key))
}

func (x expiryIndex) until(cutoff iam.Time) iter.Seq[*iam.Session] {
	return func(yield func(*iam.Session) bool) {
		for s := range x.sessions.All() {
			if s.Expires > cutoff || !yield(s) {
				return
			}
		}
	}
}

func (x expiryIndex) clone() expiryIndex { return expiryIndex{x.sessions.Clone()} }

// member says that a user is in a group; both names are folded.
type member struct {
	account     iam.AccountID
	group, user string
}

// memberIndex is the reverse of User.Groups.
type memberIndex struct{ members *btree.Tree[member] }

func newMemberIndex() memberIndex {
	return memberIndex{btree.New(func(a, b member) int {
		if c := strings.Compare(string(a.account), string(b.account)); c != 0 {
			return c
		}
		if c := strings.Compare(a.group, b.group); c != 0 {
			return c
		}
		return strings.Compare(a.user, b.user)
	})}
}

func (x memberIndex) of(account iam.AccountID, group string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for m := range x.members.Ascend(member{account: account, group: group}) {
			if m.account != account || m.group != group || !yield(m.user) {
				return
			}
		}
	}
}

// replace puts new's memberships in place of old's; either may be nil.
func (x memberIndex) replace(old, new *iam.User) {
	if old != nil {
		for _, g := range old.Groups {
			x.members.Delete(member{old.Account, iam.Fold(g), iam.Fold(old.Name)})
		}
	}
	if new != nil {
		for _, g := range new.Groups {
			x.members.Set(member{new.Account, iam.Fold(g), iam.Fold(new.Name)})
		}
	}
}

func (x memberIndex) clone() memberIndex { return memberIndex{x.members.Clone()} }

// use says that an entity has a managed policy attached or as its boundary, or a
// session as its session policy.
type use struct {
	policy  iam.ARN
	as      useKind
	kind    iam.Kind
	account iam.AccountID
	name    string // as the entity spells it; compared ignoring case
}

type useKind uint8

const (
	useAttached useKind = 1
	useBoundary useKind = 2
	useSession  useKind = 3 // by a session, whose key is the name; the kind is zero
)

// useIndex is the reverse of Attached and Boundary of users, groups and roles, and
// of PolicyARNs of sessions.
type useIndex struct{ uses *btree.Tree[use] }

func newUseIndex() useIndex {
	return useIndex{btree.New(func(a, b use) int {
		if c := strings.Compare(string(a.policy), string(b.policy)); c != 0 {
			return c
		}
		if c := cmp.Compare(a.as, b.as); c != 0 {
			return c
		}
		return compareRef(a.ref(), b.ref())
	})}
}

func (u use) ref() iam.Ref { return iam.Ref{Account: u.account, Kind: u.kind, Name: u.name} }

func (x useIndex) of(policy iam.ARN, as useKind) iter.Seq[iam.Ref] {
	return func(yield func(iam.Ref) bool) {
		for u := range x.uses.Ascend(use{policy: policy, as: as}) {
			if u.policy != policy || u.as != as || !yield(u.ref()) {
				return
			}
		}
	}
}

// uses is what an entity has attached and as its boundary, or a session as its
// session policies.
type uses struct {
	ref      iam.Ref
	as       useKind // of attached
	attached []iam.ARN
	boundary iam.ARN
}

func usesOfUser(u *iam.User) uses {
	if u == nil {
		return uses{}
	}
	return uses{u.Ref(), useAttached, u.Attached, u.Boundary}
}

func usesOfGroup(g *iam.Group) uses {
	if g == nil {
		return uses{}
	}
	return uses{g.Ref(), useAttached, g.Attached, ""}
}

func usesOfRole(r *iam.Role) uses {
	if r == nil {
		return uses{}
	}
	return uses{r.Ref(), useAttached, r.Attached, r.Boundary}
}

func usesOfSession(s *iam.Session) uses {
	if s == nil || len(s.PolicyARNs) == 0 {
		return uses{}
	}
	return uses{iam.Ref{Name: string(s.Key)}, useSession, s.PolicyARNs, ""}
}

// replace puts new's uses in place of old's; the zero value stands for none.
func (x useIndex) replace(old, new uses) {
	for u := range old.all() {
		x.uses.Delete(u)
	}
	for u := range new.all() {
		x.uses.Set(u)
	}
}

func (u uses) all() iter.Seq[use] {
	return func(yield func(use) bool) {
		for _, arn := range u.attached {
			if !yield(use{arn, u.as, u.ref.Kind, u.ref.Account, u.ref.Name}) {
				return
			}
		}
		if u.boundary != "" {
			yield(use{u.boundary, useBoundary, u.ref.Kind, u.ref.Account, u.ref.Name})
		}
	}
}

func (x useIndex) clone() useIndex { return useIndex{x.uses.Clone()} }
