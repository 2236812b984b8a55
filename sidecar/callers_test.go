package sidecar

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
)

// TestCallersAreRetiredByEveryRecordTheyWereMadeFrom looks access keys up and changes
// records at random, in a table that is too small for all, and asks each time that what is
// found is what the view says, and that the lists by record hold exactly the callers that
// are in the table and not retired.
func TestCallersAreRetiredByEveryRecordTheyWereMadeFrom(t *testing.T) {
	const people = 12
	account := iam.FirstAccount
	name := func(i int) string { return fmt.Sprint("user", i) }
	policy := func(i int) iam.ARN { return iam.ARN(fmt.Sprint("arn:aws:iam::000000000000:policy/p", i%3)) }
	user := func(i, edit int) iam.Change {
		return iam.Change{User: &iam.User{
			Account: account, Name: name(i), Path: "/", ID: iam.UniqueID(fmt.Sprint("AIDA", edit)), Status: iam.Active,
			Groups: []string{"all"}, Attached: []iam.ARN{policy(i), policy(i)},
		}}
	}
	key := func(i int) iam.AccessKeyID { return iam.AccessKeyID(fmt.Sprint("AKIA", i)) }
	rapid.Check(t, func(t *rapid.T) {
		b := state.NewNarrowBuilder()
		for i := range people {
			b.Add([]iam.Change{user(i, 0), {AccessKey: &iam.AccessKey{ID: key(i), Owner: iam.Ref{Account: account, Kind: iam.KindUser, Name: name(i)}, Status: iam.Active}}})
		}
		v := b.View(1)
		table := newCallers(v.Index(), waysPerSet)
		for edit := range rapid.IntRange(1, 60).Draw(t, "steps") {
			i := rapid.IntRange(0, people-1).Draw(t, "who")
			var change iam.Change
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				change = user(i, edit+1)
			case 1:
				change = iam.Change{Group: &iam.Group{Account: account, Name: "all", Path: fmt.Sprint("/", edit, "/")}}
			case 2:
				change = iam.Change{Policy: &iam.Policy{
					Account: account, Name: fmt.Sprint("p", i%3), Path: "/", Default: 1,
					Versions: []iam.PolicyVersion{{Number: 1, Document: document(readAll), Created: iam.Time(edit)}},
				}}
			default:
				checkCaller(t, table, v, key(i))
				continue
			}
			v = v.Apply(v.Index()+1, []iam.Change{change})
			table.retire(v.Index(), &change)
			checkUses(t, table)
		}
	})
}

func checkCaller(t *rapid.T, table *callers, v *state.View, id iam.AccessKeyID) {
	c := table.find(v, id)
	want, ok := authz.Resolve(v, id)
	if c == nil || !ok || c.identity.UserID() != want.UserID() || len(c.identity.Policies.Identity) != len(want.Policies.Identity) {
		t.Fatalf("caller %s is %+v, want %+v", id, c, want)
	}
	checkUses(t, table)
}

func checkUses(t *rapid.T, table *callers) {
	want := 0
	held := map[*caller]bool{}
	for i := range table.ways {
		if c := table.ways[i].Load(); c != nil && c.retiredAt.Load() == 0 {
			held[c] = true
			want += len(c.identity.Records)
		}
	}
	for record, first := range table.uses {
		var before *use
		for u := first; u != nil; before, u = u, u.next {
			if !held[u.caller] || u.prev != before {
				t.Fatalf("%+v is used by %s, which is not in the table, or the list is broken", record, u.caller.id)
			}
			want--
		}
		if first == nil {
			t.Fatalf("%+v is used by nobody and in the table", record)
		}
	}
	if want != 0 {
		t.Fatalf("%d uses are missing", want)
	}
}
