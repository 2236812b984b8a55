package fsm

import (
	"errors"
	"strings"
	"testing"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
)

func user(name string, groups ...string) iam.CreateUser {
	return iam.CreateUser{User: iam.User{Account: iam.FirstAccount, Name: name, Path: "/", ID: iam.UniqueID("AIDA" + name), Groups: groups}}
}

func group(name string) iam.CreateGroup {
	return iam.CreateGroup{Group: iam.Group{Account: iam.FirstAccount, Name: name, Path: "/", ID: iam.UniqueID("AGPA" + name)}}
}

func begun(t *testing.T) *Machine {
	t.Helper()
	m := New()
	result := apply(t, m, 1, birth)
	if result.Err != nil {
		t.Fatal(result.Err)
	}
	return m
}

func apply(t *testing.T, m *Machine, index iam.Index, c iam.Command) iam.Result {
	t.Helper()
	applied, err := m.Apply([]Entry{{index, [][]byte{mustEntry(t, iam.Envelope{Command: c})}}})
	if err != nil || len(applied[0].Alarms) > 0 {
		t.Fatal(err, applied)
	}
	return applied[0].Results[0]
}

// TestABatchBuildsOnItself holds that each command of a batch sees those before it,
// and that the replicas are where the commands one by one would have brought them.
func TestABatchBuildsOnItself(t *testing.T) {
	together, apart := begun(t), begun(t)
	commands := []iam.Command{group("eng"), user("alice", "eng"), iam.RemoveUserFromGroup{
		User: iam.Ref{Account: iam.FirstAccount, Kind: iam.KindUser, Name: "alice"}, Group: iam.Ref{Account: iam.FirstAccount, Kind: iam.KindGroup, Name: "eng"},
	}, user("bob", "eng")}
	if r := apply(t, together, 2, iam.Batch{Commands: commands}); r.Err != nil || r.Count != len(commands) {
		t.Fatalf("%+v", r)
	}
	for i, c := range commands {
		if r := apply(t, apart, iam.Index(2+i), c); r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	if got, want := together.View().Sum(), apart.View().Sum(); got != want {
		t.Errorf("state sum %x, one by one %x", got, want)
	}
}

// TestARefusedBatchChangesNothing asks for the place of the refusal as well.
func TestARefusedBatchChangesNothing(t *testing.T) {
	for name, last := range map[string]struct {
		command iam.Command
		code    iam.Code
		says    string
	}{
		"a name that the batch itself has taken": {user("ALICE"), iam.EntityAlreadyExists, "Command 3 of 3: "},
		"a group that is not there":              {user("bob", "ops"), iam.NoSuchEntity, "Command 3 of 3: "},
	} {
		m := begun(t)
		before := m.View().Sum()
		r := apply(t, m, 2, iam.Batch{Commands: []iam.Command{group("eng"), user("alice", "eng"), last.command}})
		if !errors.Is(r.Err, &iam.Error{Code: last.code}) || !strings.Contains(r.Err.Error(), last.says) {
			t.Errorf("%s: %+v, want %s", name, r, last.code)
		}
		if m.View().Sum() != before {
			t.Errorf("%s: the state has changed", name)
		}
	}
}

// TestAGuardedCommandWantsWhatItsProposerSaw changes a record between the look and the
// command: a user that the command depends on, and one that it does not.
func TestAGuardedCommandWantsWhatItsProposerSaw(t *testing.T) {
	for name, row := range map[string]struct {
		meanwhile iam.Command
		want      iam.Code
	}{
		"nothing changed":          {group("eng"), ""},
		"what it depends on has":   {iam.DeleteUser{User: iam.Ref{Account: iam.FirstAccount, Kind: iam.KindUser, Name: "bob"}}, iam.ConcurrentModification},
		"a command without change": {iam.RaiseLevel{Level: 1}, ""},
	} {
		m := begun(t)
		apply(t, m, 2, user("alice"))
		apply(t, m, 3, user("bob"))
		bob, _ := m.View().User(iam.FirstAccount, "bob")
		bucket := state.BucketOf(iam.Change{User: bob})
		guarded := iam.Guarded{
			Parts:   []iam.Part{{Bucket: uint16(bucket), Sum: m.View().BucketSum(bucket)}},
			Command: iam.DeleteUser{User: iam.Ref{Account: iam.FirstAccount, Kind: iam.KindUser, Name: "alice"}},
		}
		apply(t, m, 4, row.meanwhile)
		r := apply(t, m, 5, guarded)
		_, there := m.View().User(iam.FirstAccount, "alice")
		var got iam.Code
		if r.Err != nil {
			got = r.Err.Code
		}
		if got != row.want || there != (row.want != "") {
			t.Errorf("%s: %q, want %q; alice is there: %t", name, got, row.want, there)
		}
	}
}

// TestAGuardedCommandHoldsNoOther refuses what would nest, and a part that cannot be.
func TestAGuardedCommandHoldsNoOther(t *testing.T) {
	m := begun(t)
	for _, c := range []iam.Guarded{{}, {Command: birth}, {Command: iam.Guarded{}}, {Command: group("eng"), Parts: []iam.Part{{Bucket: state.Buckets}}}} {
		if err := Rehearse(m.View(), 0).Do(c); !errors.Is(err, &iam.Error{Code: iam.InvalidInput}) {
			t.Errorf("%+v: %v, want InvalidInput", c, err)
		}
	}
}

func TestABatchHoldsNoBatch(t *testing.T) {
	m := begun(t)
	for _, c := range []iam.Command{iam.Batch{}, birth} {
		if err := Rehearse(m.View(), 0).Do(iam.Batch{Commands: []iam.Command{c}}); !errors.Is(err, &iam.Error{Code: iam.InvalidInput}) {
			t.Errorf("%T: %v", c, err)
		}
	}
}

// TestARehearsalDisturbsNobody runs beside the machine, for the race detector.
func TestARehearsalDisturbsNobody(t *testing.T) {
	m := begun(t)
	base := m.View()
	before := base.Sum()
	done := make(chan *iam.Error)
	go func() { // ends with its send
		r := Rehearse(base, 0)
		err := r.Do(group("eng"), user("alice", "eng"))
		if _, there := r.View().User(iam.FirstAccount, "alice"); !there && err == nil {
			err = iam.Errorf(iam.NoSuchEntity, "the rehearsal does not see what it did")
		}
		done <- err
	}()
	if r := apply(t, m, 2, user("bob")); r.Err != nil {
		t.Fatal(r.Err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if base.Sum() != before {
		t.Error("the view that was rehearsed on has changed")
	}
	if _, there := m.View().User(iam.FirstAccount, "alice"); there {
		t.Error("the rehearsal reached the machine")
	}
}
