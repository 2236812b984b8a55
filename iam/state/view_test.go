package state

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/doorward/doorward/iam"
)

const acct = iam.FirstAccount

func user(name string, edit ...func(*iam.User)) iam.Change {
	u := &iam.User{Account: acct, Name: name, Path: "/", ID: iam.UniqueID("AIDA" + name), Created: 1, Status: iam.Active}
	for _, e := range edit {
		e(u)
	}
	return iam.Change{User: u}
}

func inGroups(names ...string) func(*iam.User) { return func(u *iam.User) { u.Groups = names } }
func attached(arns ...iam.ARN) func(*iam.User) { return func(u *iam.User) { u.Attached = arns } }
func bounded(arn iam.ARN) func(*iam.User)      { return func(u *iam.User) { u.Boundary = arn } }
func userRef(name string) iam.Ref              { return iam.Ref{Account: acct, Kind: iam.KindUser, Name: name} }
func gone(t iam.Table, name string) iam.Change {
	return iam.Change{Delete: &iam.Deletion{Table: t, Account: acct, Name: name}}
}
func goneGlobal(t iam.Table, n string) iam.Change {
	return iam.Change{Delete: &iam.Deletion{Table: t, Name: n}}
}

func key(id iam.AccessKeyID, owner iam.Ref) iam.Change {
	return iam.Change{AccessKey: &iam.AccessKey{ID: id, Owner: owner, Status: iam.Active, Secret: iam.Sealed("sealed " + id)}}
}

func session(id iam.AccessKeyID, parent iam.Ref, expires iam.Time) iam.Change {
	return iam.Change{Session: &iam.Session{Key: id, Parent: parent, Expires: expires, Secret: iam.Sealed("sealed " + id)}}
}

func names[R any](seq iter.Seq[*R], name func(*R) string) []string {
	var out []string
	for r := range seq {
		out = append(out, name(r))
	}
	return out
}

func userNames(seq iter.Seq[*iam.User]) []string {
	return names(seq, func(u *iam.User) string { return u.Name })
}

func wantNames(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s = %q, want %q", what, got, want)
	}
}

func TestNamesAreFoundIgnoringCaseAndKeepIt(t *testing.T) {
	v := Empty().Apply(1, []iam.Change{user("Alice"), key("AKIAabc", userRef("Alice"))})
	if u, ok := v.User(acct, "aLICE"); !ok || u.Name != "Alice" {
		t.Errorf("User(aLICE) = %v, %v, want the user spelled Alice", u, ok)
	}
	if _, ok := v.User("111122223333", "Alice"); ok {
		t.Error("Alice was found in another account")
	}
	if _, ok := v.AccessKey("akiaABC"); ok {
		t.Error("an access key was found by an id that differs in case")
	}
	wantNames(t, "keys of alice", names(v.KeysOf(userRef("ALICE")), func(k *iam.AccessKey) string { return string(k.ID) }), "AKIAabc")
}

func TestPolicyIsFoundByItsExactARN(t *testing.T) {
	p := &iam.Policy{Account: acct, Name: "Audit", Path: "/ops/"}
	v := Empty().Apply(1, []iam.Change{{Policy: p}})
	for arn, want := range map[iam.ARN]bool{
		"arn:aws:iam::000000000000:policy/ops/Audit": true,
		"arn:aws:iam::000000000000:policy/ops/audit": false,
		"arn:aws:iam::000000000000:policy/Audit":     false,
		"arn:aws:iam::000000000000:role/ops/Audit":   false,
		"arn:aws:iam::111122223333:policy/ops/Audit": false,
		"Audit": false,
		"":      false,
	} {
		if _, ok := v.Policy(arn); ok != want {
			t.Errorf("Policy(%q) found: %v, want %v", arn, ok, want)
		}
	}
}

func TestPagesContinueAfterTheLastName(t *testing.T) {
	v := Empty().Apply(1, []iam.Change{user("bob"), user("Alice"), user("carol"), user("Dave")})
	wantNames(t, "all", userNames(v.Users(acct, "")), "Alice", "bob", "carol", "Dave")
	wantNames(t, "after BOB", userNames(v.Users(acct, "BOB")), "carol", "Dave")
	wantNames(t, "after one that is gone", userNames(v.Users(acct, "bobby")), "carol", "Dave")
	wantNames(t, "after the last", userNames(v.Users(acct, "dave")))
	for u := range v.Users(acct, "") {
		wantNames(t, "a loop that stops", []string{u.Name}, "Alice")
		break
	}
}

func TestOlderViewsStayAsTheyAre(t *testing.T) {
	before := Empty().Apply(1, []iam.Change{user("alice", inGroups("ops")), key("K1", userRef("alice"))})
	sum := before.Sum()
	after := before.Apply(2, []iam.Change{
		gone(iam.TableUsers, "ALICE"), goneGlobal(iam.TableAccessKeys, "K1"), user("bob", inGroups("ops")),
	})
	wantNames(t, "before", userNames(before.Users(acct, "")), "alice")
	wantNames(t, "members before", userNames(before.MembersOf(acct, "Ops")), "alice")
	wantNames(t, "after", userNames(after.Users(acct, "")), "bob")
	wantNames(t, "members after", userNames(after.MembersOf(acct, "ops")), "bob")
	if before.Sum() != sum || before.Index() != 1 || after.Index() != 2 {
		t.Errorf("the older view's sum or index changed")
	}
}

func TestAttachmentsAndBoundariesAreApart(t *testing.T) {
	const p = iam.ARN("arn:aws:iam::000000000000:policy/p")
	v := Empty().Apply(1, []iam.Change{
		user("alice", attached(p)),
		user("bob", bounded(p)),
		{Group: &iam.Group{Account: acct, Name: "ops", Attached: []iam.ARN{p}}},
		{Role: &iam.Role{Account: acct, Name: "reader", Attached: []iam.ARN{p}, Boundary: p}},
	})
	group := iam.Ref{Account: acct, Kind: iam.KindGroup, Name: "ops"}
	role := iam.Ref{Account: acct, Kind: iam.KindRole, Name: "reader"}
	if got, want := slices.Collect(v.AttachedTo(p)), []iam.Ref{userRef("alice"), group, role}; !slices.Equal(got, want) {
		t.Errorf("AttachedTo = %v, want %v", got, want)
	}
	if got, want := slices.Collect(v.BoundaryOf(p)), []iam.Ref{userRef("bob"), role}; !slices.Equal(got, want) {
		t.Errorf("BoundaryOf = %v, want %v", got, want)
	}
}

func TestSessionsExpireSoonestFirst(t *testing.T) {
	v := Empty().Apply(1, []iam.Change{
		session("ASIA3", userRef("a"), 30), session("ASIA1", userRef("a"), 10), session("ASIA2", userRef("b"), 20),
	})
	id := func(s *iam.Session) string { return string(s.Key) }
	wantNames(t, "Expiring(20)", names(v.Expiring(20), id), "ASIA1", "ASIA2")
	wantNames(t, "SessionsOf(a)", names(v.SessionsOf(userRef("a")), id), "ASIA1", "ASIA3")
	v = v.Apply(2, []iam.Change{goneGlobal(iam.TableSessions, "ASIA1")})
	wantNames(t, "Expiring(99) after one is gone", names(v.Expiring(99), id), "ASIA2", "ASIA3")
}

func TestServiceAccountsBelongToTheirParent(t *testing.T) {
	sa := func(id iam.AccessKeyID, parent string) iam.Change {
		return iam.Change{ServiceAccount: &iam.ServiceAccount{Account: acct, Key: id, Parent: parent}}
	}
	v := Empty().Apply(1, []iam.Change{sa("K2", "alice"), sa("K1", "Alice"), sa("K3", "bob")})
	id := func(s *iam.ServiceAccount) string { return string(s.Key) }
	wantNames(t, "ServiceAccountsOf(alice)", names(v.ServiceAccountsOf(acct, "alice"), id), "K1", "K2")
}

// TestReadersAreNotDisturbed is for the race detector: views are read while the
// owner makes the next ones.
func TestReadersAreNotDisturbed(t *testing.T) {
	v := populated(500)
	var readers sync.WaitGroup
	for i := range 50 {
		pinned := v
		readers.Go(func() {
			sum := pinned.Sum()
			if n := len(slices.Collect(pinned.Users(acct, ""))); n != 500 {
				t.Errorf("%d users", n)
			}
			if _, ok := pinned.AccessKey(keyOf(i)); !ok || pinned.Sum() != sum {
				t.Errorf("key %d is missing or the sum changed", i)
			}
			for range pinned.KeysOf(userRef("user-0000001")) {
			}
		})
		v = v.Apply(v.Index()+1, []iam.Change{
			user("user-0000001", inGroups("ops"), attached("arn:a")), key(keyOf(i), userRef("user-0000001")),
		})
	}
	readers.Wait()
}

func TestFoldedComparisonAgreesWithFold(t *testing.T) {
	name := rapid.StringMatching(`[A-Ca-c@_.]{0,4}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := name.Draw(t, "a"), name.Draw(t, "b")
		if got, want := compareFolded(a, b), cmp.Compare(iam.Fold(a), iam.Fold(b)); got != want {
			t.Fatalf("compareFolded(%q, %q) = %d, want %d", a, b, got, want)
		}
		if iam.Fold(a) != strings.ToLower(a) {
			t.Fatalf("Fold(%q) = %q", a, iam.Fold(a))
		}
	})
}
