package fsm

import (
	"errors"
	"strings"
	"testing"

	"github.com/doorward/doorward/iam"
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
