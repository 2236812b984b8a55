package state

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/doorward/doorward/iam"
)

// roundTrip writes a filled record and reads it again, whole and cut short.
func roundTrip[R any](t *testing.T, form *form[R]) {
	t.Helper()
	var want R
	fill(reflect.ValueOf(&want).Elem())
	for i := range reflect.TypeFor[R]().NumField() {
		if f := reflect.ValueOf(&want).Elem().Field(i); f.Type() == reflect.TypeFor[iam.Sealed]() {
			f.SetZero()
		}
	}
	table := packedTable[R]{form: form}
	record := form.write(nil, &want)
	for _, name := range []string{"x", "else"} { // the record's own, and one that it does not begin with
		for _, account := range []iam.AccountID{"", "x"} {
			key := appendKey(nil, form.table, account, name)
			b := packValue(nil, key, record)
			if got, ok := table.read(key, b); !ok || !reflect.DeepEqual(got, &want) {
				t.Errorf("%T is read as %+v (%v), want %+v", want, got, ok, want)
			}
			for n := range b {
				if got, ok := table.read(key, b[:n]); ok || got != nil {
					t.Errorf("%d of %d bytes of a %T are read as one", n, len(b), want)
				}
			}
		}
	}
	var empty R
	key := appendKey(nil, form.table, "", "")
	if got, ok := table.read(key, packValue(nil, key, form.write(nil, &empty))); !ok || !reflect.DeepEqual(got, &empty) {
		t.Errorf("an empty %T is read as %+v, %v", empty, got, ok)
	}
	if _, ok := table.read(key, append([]byte{packedBehind + 1}, record...)); ok {
		t.Errorf("a %T of a form that is not known is read", want)
	}
}

func TestPackedRecordsAreReadAsTheyWereWritten(t *testing.T) {
	roundTrip(t, userForm)
	roundTrip(t, accessKeyForm)
	roundTrip(t, serviceAccountForm)
	roundTrip(t, sessionForm)
}

// TestNarrowViewAgreesWithTheWideOne applies random changes to both, and compares every
// step by record and sum, also with a narrow view that is made of the packed bytes.
func TestNarrowViewAgreesWithTheWideOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wide, narrow := Empty(), NewNarrowBuilder().View(0)
		type step struct{ wide, narrow *View }
		var steps []step
		for i := range rapid.IntRange(1, 30).Draw(t, "steps") {
			changes := rapid.SliceOfN(rapid.Custom(anyChange), 0, 4).Draw(t, "changes")
			wide, narrow = wide.Apply(iam.Index(i+1), changes), narrow.Apply(iam.Index(i+1), changes)
			steps = append(steps, step{wide, narrow})
		}
		for _, s := range steps {
			agree(t, s.wide, s.narrow)
			agree(t, s.wide, unpacked(t, s.narrow))
		}
	})
}

func agree(t *rapid.T, wide, narrow *View) {
	must(t, wide.Records() == narrow.Records(), "%d records, want %d", narrow.Records(), wide.Records())
	for i := range Buckets {
		must(t, wide.BucketSum(i) == narrow.BucketSum(i), "sum of bucket %d differs", i)
	}
	must(t, wide.Sum() == narrow.Sum() && narrow.SecretSum() == Sum{}, "sums differ, or secrets count")
	seen := 0
	for range narrow.All() {
		seen++
	}
	must(t, seen == wide.Records(), "All yields %d records of %d", seen, wide.Records())
	for c := range wide.All() {
		var want, got any
		switch {
		case c.User != nil:
			want, got = c.User, found(narrow.User(c.User.Account, c.User.Name))
		case c.AccessKey != nil:
			bare := *c.AccessKey
			bare.Secret = nil
			want, got = &bare, found(narrow.AccessKey(c.AccessKey.ID))
		case c.ServiceAccount != nil:
			want, got = c.ServiceAccount, found(narrow.ServiceAccount(c.ServiceAccount.Key))
		case c.Session != nil:
			bare := *c.Session
			bare.Secret = nil
			want, got = &bare, found(narrow.Session(c.Session.Key))
		case c.Group != nil:
			want, got = c.Group, found(narrow.Group(c.Group.Account, c.Group.Name))
		}
		must(t, reflect.DeepEqual(clean(got), clean(want)), "%+v, want %+v", got, want)
	}
}

func found[R any](r *R, ok bool) any {
	if !ok {
		return "nothing"
	}
	return r
}

// clean makes empty lists nil, as they are read.
func clean(record any) any {
	v := reflect.ValueOf(record)
	if v.Kind() != reflect.Pointer {
		return record
	}
	bare := reflect.New(v.Type().Elem())
	bare.Elem().Set(v.Elem())
	for i := range bare.Elem().NumField() {
		if f := bare.Elem().Field(i); f.Kind() == reflect.Slice && f.Len() == 0 {
			f.SetZero()
		}
	}
	return bare.Interface()
}

// unpacked makes a narrow view of what another yields.
func unpacked(t *rapid.T, v *View) *View {
	b := NewNarrowBuilder()
	for c := range v.Unpacked() {
		b.Add([]iam.Change{c})
	}
	for key, value := range v.Packed() {
		if err := b.AddPacked(append(key, value...), len(key)); err != nil {
			t.Fatal(err)
		}
	}
	return b.View(v.Index())
}

func TestPackedRecordsOfOtherTablesAreRefused(t *testing.T) {
	group := appendKey(nil, iam.TableGroups, acct, "ops")
	user := appendKey(nil, iam.TableUsers, acct, "alice")
	narrow := NewNarrowBuilder()
	for name, err := range map[string]error{
		"a group":             narrow.AddPacked(group, len(group)),
		"no key":              narrow.AddPacked(user, 0),
		"a view that is wide": NewBuilder().AddPacked(user, len(user)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if narrow.View(1).Sum() != (Sum{}) {
		t.Error("something was added")
	}
}

func TestNarrowViewAnswersForRecordsOnly(t *testing.T) {
	v := NewNarrowBuilder().View(1)
	for name, ask := range map[string]func(){
		"the keys of a user": func() { v.KeysOf(iam.Ref{}) },
		"users in order":     func() { v.Users(acct, "") },
		"sessions in order":  func() { v.Sessions("") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("it answers for %s", name)
				}
			}()
			ask()
		}()
	}
}
