package state

import (
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/doorward/doorward/iam"
)

// TestEveryFieldCounts changes each field of each record alone and asks for
// another sum. A field that was added to a record and forgotten in canonical.go
// fails here.
func TestEveryFieldCounts(t *testing.T) {
	for _, record := range []any{
		&iam.User{}, &iam.Group{}, &iam.Role{}, &iam.Policy{}, &iam.AccessKey{}, &iam.ServiceAccount{},
		&iam.Session{}, &iam.Bucket{}, &iam.Settings{}, &iam.Store{}, &iam.Provider{},
		&iam.Enrolment{}, &iam.Authority{}, &iam.Level{},
	} {
		kind := reflect.TypeOf(record).Elem()
		fill(reflect.ValueOf(record).Elem())
		base := viewOf(record)
		seen := 0
		eachLeaf(reflect.ValueOf(record).Elem(), kind.Name(), func(path string, leaf reflect.Value) {
			seen++
			old := reflect.New(leaf.Type()).Elem()
			old.Set(leaf)
			change(leaf)
			v := viewOf(record)
			switch {
			case v.Sum() == base.Sum() && v.SecretSum() == base.SecretSum():
				t.Errorf("%s does not count: write it in canonical.go", path)
			case leaf.Type() == reflect.TypeFor[iam.Sealed]() && v.Sum() != base.Sum():
				t.Errorf("%s counts in Sum, which sidecars must be able to compute", path)
			}
			leaf.Set(old)
		})
		if seen < kind.NumField() {
			t.Errorf("%s: only %d leaves were tried", kind.Name(), seen)
		}
		if viewOf(record).Sum() != base.Sum() {
			t.Fatalf("%s: the test did not put its record back", kind.Name())
		}
	}
}

func viewOf(record any) *View {
	var c iam.Change
	for i := range reflect.TypeFor[iam.Change]().NumField() {
		if f := reflect.ValueOf(&c).Elem().Field(i); f.Type() == reflect.TypeOf(record) {
			f.Set(reflect.ValueOf(record))
		}
	}
	return Empty().Apply(1, []iam.Change{c})
}

// fill gives every field a value, lists one item and pointers a target.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	default:
		change(v)
	}
}

func eachLeaf(v reflect.Value, path string, do func(string, reflect.Value)) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			eachLeaf(v.Field(i), path+"."+v.Type().Field(i).Name, do)
		}
	case reflect.Slice:
		do(path, v)
		for i := range v.Len() {
			eachLeaf(v.Index(i), path+"[]", do)
		}
	case reflect.Pointer:
		do(path, v)
		eachLeaf(v.Elem(), path, do)
	default:
		do(path, v)
	}
}

// change gives v another value than it has.
func change(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(v.Uint() + 1)
	case reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Slice, reflect.Pointer:
		v.SetZero()
	default:
		panic("a kind of field that the test does not know: " + v.Type().String())
	}
}

// anyChange draws a change over few names, so that records are often replaced,
// removed and referred to.
func anyChange(t *rapid.T) iam.Change {
	name := rapid.SampledFrom([]string{"a", "A", "b", "C", "d"})
	id := iam.AccessKeyID(rapid.SampledFrom([]string{"K1", "K2", "K3", "k3"}).Draw(t, "id"))
	account := rapid.SampledFrom([]iam.AccountID{acct, "111122223333"}).Draw(t, "account")
	arn := rapid.Custom(func(t *rapid.T) iam.ARN { return iam.ARN("arn:" + name.Draw(t, "policy")) })
	ref := iam.Ref{Account: account, Kind: iam.Kind(rapid.IntRange(1, 5).Draw(t, "kind")), Name: name.Draw(t, "of")}
	expires := iam.Time(rapid.IntRange(0, 5).Draw(t, "expires"))
	some := rapid.SliceOfNDistinct(name, 0, 3, iam.Fold)
	arns := rapid.SliceOfNDistinct(arn, 0, 3, rapid.ID)
	boundary := rapid.SampledFrom([]iam.ARN{"", "arn:a", "arn:b"}).Draw(t, "boundary")
	own := name.Draw(t, "name")
	switch table := iam.Table(rapid.IntRange(1, 2*int(iam.LastTable)).Draw(t, "table")); table {
	case iam.TableUsers:
		return iam.Change{User: &iam.User{Account: account, Name: own, Groups: some.Draw(t, "groups"), Attached: arns.Draw(t, "attached"), Boundary: boundary}}
	case iam.TableGroups:
		return iam.Change{Group: &iam.Group{Account: account, Name: own, Attached: arns.Draw(t, "attached")}}
	case iam.TableRoles:
		return iam.Change{Role: &iam.Role{Account: account, Name: own, Attached: arns.Draw(t, "attached"), Boundary: boundary}}
	case iam.TablePolicies:
		return iam.Change{Policy: &iam.Policy{Account: account, Name: own}}
	case iam.TableAccessKeys:
		return iam.Change{AccessKey: &iam.AccessKey{ID: id, Owner: ref, Secret: iam.Sealed(own)}}
	case iam.TableServiceAccounts:
		return iam.Change{ServiceAccount: &iam.ServiceAccount{Key: id, Account: account, Parent: own}}
	case iam.TableSessions:
		return iam.Change{Session: &iam.Session{Key: id, Parent: ref, Expires: expires, Secret: iam.Sealed(own), PolicyARNs: arns.Draw(t, "session policies")}}
	case iam.TableBuckets:
		return iam.Change{Bucket: &iam.Bucket{Name: own, Account: account}}
	case iam.TableSettings:
		return iam.Change{Settings: &iam.Settings{PolicySize: uint32(expires)}}
	case iam.TableStore:
		return iam.Change{Store: &iam.Store{ClusterID: own}}
	case iam.TableProviders:
		return iam.Change{Provider: &iam.Provider{Account: account, URL: own}}
	case iam.TableEnrolments:
		return iam.Change{Enrolment: &iam.Enrolment{ID: own, Used: expires}}
	case iam.TableAuthorities:
		return iam.Change{Authority: &iam.Authority{Fingerprint: own, Signing: expires, Key: iam.Sealed(id)}}
	case iam.TableLevels:
		return iam.Change{Level: &iam.Level{Number: uint16(expires)}}
	default:
		return iam.Change{Delete: &iam.Deletion{Table: table - iam.LastTable, Account: account, Name: rapid.SampledFrom([]string{own, string(id)}).Draw(t, "gone")}}
	}
}

// TestViewAgreesWithMaps applies random changes one view after the other and
// compares every view with plain maps, every index with a full scan, and every
// sum with that of a view built at once from the content.
func TestViewAgreesWithMaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		model := map[string]iam.Change{}
		v := Empty()
		for i := range rapid.IntRange(1, 40).Draw(t, "steps") {
			changes := rapid.SliceOfN(rapid.Custom(anyChange), 0, 4).Draw(t, "changes")
			for _, c := range changes {
				remember(model, c)
			}
			before := v
			v = v.Apply(iam.Index(i+1), changes)
			checkContent(t, v, model)
			checkIndexes(t, v)
			checkSums(t, v)
			checkIndexes(t, before)
			checkSums(t, before)
		}
	})
}

func remember(model map[string]iam.Change, c iam.Change) {
	table, account, name := KeyOf(c)
	k := fmt.Sprint(table, "/", account, "/", name)
	if c.Delete != nil {
		delete(model, k)
	} else {
		model[k] = c
	}
}

func checkContent(t *rapid.T, v *View, model map[string]iam.Change) {
	n := 0
	for c := range v.All() {
		table, account, name := KeyOf(c)
		want, ok := model[fmt.Sprint(table, "/", account, "/", name)]
		if !ok && (table == iam.TableSettings || table == iam.TableStore) {
			continue
		}
		n++
		if !reflect.DeepEqual(c, want) {
			t.Fatalf("%v %s/%s = %+v, want %+v", table, account, name, c, want)
		}
	}
	if n != len(model) {
		t.Fatalf("view has %d records, want %d", n, len(model))
	}
}

func checkIndexes(t *rapid.T, v *View) {
	members, uses, bounds := 0, 0, 0
	for c := range v.All() {
		switch {
		case c.User != nil:
			members += len(c.User.Groups)
			for _, g := range c.User.Groups {
				must(t, contains(v.MembersOf(c.User.Account, g), c.User), "MembersOf(%s) lacks %s", g, c.User.Name)
			}
			checkUses(t, v, c.User.Ref(), c.User.Attached, c.User.Boundary)
			uses += len(c.User.Attached)
			bounds += min(1, len(c.User.Boundary))
		case c.Group != nil:
			checkUses(t, v, c.Group.Ref(), c.Group.Attached, "")
			uses += len(c.Group.Attached)
		case c.Role != nil:
			checkUses(t, v, c.Role.Ref(), c.Role.Attached, c.Role.Boundary)
			uses += len(c.Role.Attached)
			bounds += min(1, len(c.Role.Boundary))
		case c.AccessKey != nil:
			must(t, contains(v.KeysOf(c.AccessKey.Owner), c.AccessKey), "KeysOf lacks %s", c.AccessKey.ID)
		case c.ServiceAccount != nil:
			must(t, contains(v.ServiceAccountsOf(c.ServiceAccount.Account, c.ServiceAccount.Parent), c.ServiceAccount), "ServiceAccountsOf lacks %s", c.ServiceAccount.Key)
		case c.Session != nil:
			uses += len(c.Session.PolicyARNs)
			for _, arn := range c.Session.PolicyARNs {
				must(t, contains(v.SessionsUsing(arn), c.Session), "SessionsUsing(%s) lacks %s", arn, c.Session.Key)
			}
			must(t, contains(v.SessionsOf(c.Session.Parent), c.Session), "SessionsOf lacks %s", c.Session.Key)
			must(t, contains(v.Expiring(c.Session.Expires), c.Session), "Expiring lacks %s", c.Session.Key)
			must(t, !contains(v.Expiring(c.Session.Expires-1), c.Session), "Expiring has %s too early", c.Session.Key)
		}
	}
	must(t, v.membersByGroup.members.Len() == members, "member index has %d entries, want %d", v.membersByGroup.members.Len(), members)
	must(t, v.entitiesByPolicy.uses.Len() == uses+bounds, "use index has %d entries, want %d", v.entitiesByPolicy.uses.Len(), uses+bounds)
	must(t, v.keysByOwner.records.Len() == v.Len(iam.TableAccessKeys), "key index has %d entries", v.keysByOwner.records.Len())
	must(t, v.accountsByParent.records.Len() == v.Len(iam.TableServiceAccounts), "service account index has %d entries", v.accountsByParent.records.Len())
	must(t, v.sessionsByParent.records.Len() == v.Len(iam.TableSessions), "session index has %d entries", v.sessionsByParent.records.Len())
	must(t, v.sessionsByExpiry.sessions.Len() == v.Len(iam.TableSessions), "expiry index has %d entries", v.sessionsByExpiry.sessions.Len())
}

func checkUses(t *rapid.T, v *View, ref iam.Ref, attached []iam.ARN, boundary iam.ARN) {
	for _, arn := range attached {
		found := false
		for r := range v.AttachedTo(arn) {
			found = found || r == ref
		}
		must(t, found, "AttachedTo(%s) lacks %v", arn, ref)
	}
	if boundary != "" {
		found := false
		for r := range v.BoundaryOf(boundary) {
			found = found || r == ref
		}
		must(t, found, "BoundaryOf(%s) lacks %v", boundary, ref)
	}
}

func checkSums(t *rapid.T, v *View) {
	b := NewBuilder()
	for c := range v.All() {
		b.Add([]iam.Change{c})
	}
	built := b.View(v.Index())
	must(t, built.Sum() == v.Sum(), "sum %v, built at once %v", v.Sum(), built.Sum())
	must(t, built.SecretSum() == v.SecretSum(), "sum of secrets %v, built at once %v", v.SecretSum(), built.SecretSum())
	var total Sum
	for i := range Buckets {
		total = total.Add(v.BucketSum(i))
	}
	must(t, total == v.Sum(), "buckets add up to %v, not %v", total, v.Sum())
}

func contains[R any](seq func(func(*R) bool), want *R) bool {
	for r := range seq {
		if r == want {
			return true
		}
	}
	return false
}

func must(t *rapid.T, ok bool, format string, args ...any) {
	if !ok {
		t.Fatalf(format, args...)
	}
}
