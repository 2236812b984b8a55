package state

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state/btree"
)

func load(changes []iam.Change) (*View, error) {
	l := NewLoader()
	for _, c := range changes {
		l.Add(c)
	}
	return l.View(7, InTurn)
}

// same fails unless two views are alike in every table, index and sum.
func same(t interface{ Fatalf(string, ...any) }, got, want *View) {
	sameTree(t, "keys by owner", got.keysByOwner.records, want.keysByOwner.records)
	sameTree(t, "sessions by parent", got.sessionsByParent.records, want.sessionsByParent.records)
	sameTree(t, "sessions by expiry", got.sessionsByExpiry.sessions, want.sessionsByExpiry.sessions)
	sameTree(t, "service accounts by parent", got.accountsByParent.records, want.accountsByParent.records)
	sameTree(t, "members by group", got.membersByGroup.members, want.membersByGroup.members)
	sameTree(t, "uses by policy", got.entitiesByPolicy.uses, want.entitiesByPolicy.uses)
	if g, w := slices.Collect(got.All()), slices.Collect(want.All()); !reflect.DeepEqual(g, w) {
		t.Fatalf("records are %+v, want %+v", g, w)
	}
	for i := range Buckets {
		if got.BucketSum(i) != want.BucketSum(i) {
			t.Fatalf("the sum of bucket %d differs", i)
		}
	}
	if got.Records() != want.Records() || got.Index() != want.Index() || got.SecretSum() != want.SecretSum() || got.Sum() != want.Sum() {
		t.Fatalf("%d records at %d with sums %v, %v; want %d at %d with %v, %v",
			got.Records(), got.Index(), got.Sum(), got.SecretSum(), want.Records(), want.Index(), want.Sum(), want.SecretSum())
	}
}

func sameTree[T any](t interface{ Fatalf(string, ...any) }, name string, got, want *btree.Tree[T]) {
	if g, w := slices.Collect(got.All()), slices.Collect(want.All()); !reflect.DeepEqual(g, w) || got.Len() != want.Len() {
		t.Fatalf("%s: %d items %+v, want %d items %+v", name, got.Len(), g, want.Len(), w)
	}
}

// TestALoadedViewIsTheOneThatWasBuilt loads what random changes have built, and goes on
// from both.
func TestALoadedViewIsTheOneThatWasBuilt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.SliceOfN(rapid.Custom(anyChange), 0, 60)
		built := Empty().Apply(7, some.Draw(t, "changes"))
		loaded, err := load(slices.Collect(built.All()))
		if err != nil {
			t.Fatal(err)
		}
		same(t, loaded, built)
		more := some.Draw(t, "more changes")
		same(t, loaded.Apply(8, more), built.Apply(8, more))
	})
}

func TestALargeViewIsLoadedAsItWasBuilt(t *testing.T) {
	built := populated(3000).Apply(7, []iam.Change{
		key("AKIAROOT", iam.Ref{Account: acct, Kind: iam.KindRoot}),
		key("AKIASERVICE", iam.Ref{Account: acct, Kind: iam.KindServiceAccount, Name: "AKIASERVICE"}),
		key("AKIAOFNOBODY", userRef("user-0001500-and-a-half")), session("ASIA2", userRef("USER-0000002"), 9), session("ASIA1", userRef("user-0000003"), 9),
		user("twice", inGroups("ops", "Ops", "dev"), attached("arn:b", "arn:a", "arn:b"), bounded("arn:a")),
	})
	loaded, err := load(slices.Collect(built.All()))
	if err != nil {
		t.Fatal(err)
	}
	same(t, loaded, built)
}

func TestItemsInTheWrongPlaceArePutRight(t *testing.T) {
	v, err := load(slices.Collect(populated(100).All()))
	if err != nil {
		t.Fatal(err)
	}
	got := newRefIndex(ownerOfKey)
	fillRefs(places{}, got, v.accessKeys) // nothing is known
	sameTree(t, "keys by owner", got.records, v.keysByOwner.records)
	wrong := places{}
	for u := range v.users.all() {
		wrong[hashRef(u.Ref())] = uint32(len(wrong)) * 7919 % 100
	}
	got = newRefIndex(ownerOfKey)
	fillRefs(wrong, got, v.accessKeys)
	sameTree(t, "keys by owner", got.records, v.keysByOwner.records)
}

func TestRecordsOutOfOrderAreNotLoaded(t *testing.T) {
	for name, changes := range map[string][]iam.Change{
		"users":               {user("bob"), user("alice")},
		"a user twice":        {user("alice"), user("ALICE")},
		"keys":                {key("K2", userRef("a")), key("K1", userRef("a"))},
		"a session twice":     {session("S1", userRef("a"), 1), session("S1", userRef("b"), 2)},
		"accounts of a table": {{Role: &iam.Role{Account: "222222222222", Name: "a"}}, {Role: &iam.Role{Account: "111111111111", Name: "b"}}},
	} {
		if v, err := load(changes); !errors.Is(err, ErrOrder) || v != nil {
			t.Errorf("%s: %v, want ErrOrder", name, err)
		}
	}
}

// BenchmarkLoad is BenchmarkBuild with a loader.
func BenchmarkLoad(b *testing.B) {
	eachSize(b, func(b *testing.B, n int) {
		records := slices.Collect(populated(n).All())
		b.ReportAllocs()
		for b.Loop() {
			if _, err := load(records); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/identity")
	})
}
