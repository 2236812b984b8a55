package authz

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
)

const (
	home       = iam.FirstAccount
	readonlyID = iam.ARN("arn:aws:iam::000000000000:policy/readonly")
	dangling   = iam.ARN("arn:aws:iam::000000000000:policy/dangling")
)

func refTo(kind iam.Kind, name string) iam.Ref { return iam.Ref{Account: home, Kind: kind, Name: name} }

// household is a store with one of everything; edit changes it before it is read.
func household(edit ...iam.Change) *state.View {
	changes := []iam.Change{
		{Policy: &iam.Policy{Account: home, Name: "readonly", Path: "/", Default: 1, Versions: []iam.PolicyVersion{{Number: 1, Document: "{read}"}}}},
		{Group: &iam.Group{Account: home, Name: "Ops", Path: "/", Attached: []iam.ARN{readonlyID}, Inline: []iam.InlinePolicy{{Name: "group-inline", Document: "{gi}"}}}},
		{User: alice()},
		{AccessKey: &iam.AccessKey{ID: "AKIAROOT", Owner: refTo(iam.KindRoot, ""), Status: iam.Active, Created: 100}},
		{AccessKey: &iam.AccessKey{ID: "AKIAALICE", Owner: refTo(iam.KindUser, "Alice"), Status: iam.Active, Created: 100}},
		{ServiceAccount: &iam.ServiceAccount{Account: home, Key: "AKIASA", Parent: "Alice", Status: iam.Active, Expires: 5000}},
		{AccessKey: &iam.AccessKey{ID: "AKIASA", Owner: refTo(iam.KindServiceAccount, "AKIASA"), Status: iam.Active, Expires: 5000}},
		{ServiceAccount: &iam.ServiceAccount{Account: home, Key: "AKIANARROW", Parent: "Alice", Status: iam.Active, Policy: "{narrow}"}},
		{AccessKey: &iam.AccessKey{ID: "AKIANARROW", Owner: refTo(iam.KindServiceAccount, "AKIANARROW"), Status: iam.Active}},
		{Role: &iam.Role{Account: home, Name: "Reader", Path: "/team/", ID: "AROAR", Attached: []iam.ARN{readonlyID}, Boundary: readonlyID, Tags: []iam.Tag{{Key: "team", Value: "red"}, {Key: "env", Value: "prod"}}, POSIX: &iam.POSIX{UID: 7, GID: 8}}},
	}
	return state.Empty().Apply(1, append(changes, edit...))
}

func alice(edit ...func(*iam.User)) *iam.User {
	u := &iam.User{
		Account: home, Name: "Alice", Path: "/eng/", ID: "AIDAA", Status: iam.Active, Groups: []string{"Ops"},
		Attached: []iam.ARN{dangling, readonlyID}, Inline: []iam.InlinePolicy{{Name: "own", Document: "{own}"}},
		Tags: []iam.Tag{{Key: "Team", Value: "blue"}}, POSIX: &iam.POSIX{UID: 1000, GID: 100},
	}
	for _, e := range edit {
		e(u)
	}
	return u
}

func temporary(kind iam.SessionKind, parent iam.Ref, id iam.UniqueID, edit ...func(*iam.Session)) iam.Change {
	s := &iam.Session{Key: "ASIA", Kind: kind, Parent: parent, ParentID: id, Name: "sess", Issued: 1_700_000_000_000, Expires: 1_700_003_600_000}
	for _, e := range edit {
		e(s)
	}
	return iam.Change{Session: s}
}

func settings(s iam.Settings) iam.Change { return iam.Change{Settings: &s} }

// alicesPolicies are what Alice holds herself and by her group, without the
// attached policy that does not exist.
var alicesPolicies = PolicySet{
	{string(readonlyID), "{read}"}, {"own", "{own}"}, {string(readonlyID), "{read}"}, {"group-inline", "{gi}"},
}

var (
	aliceItself  = Principal{Type: User, Account: home, ARN: "arn:aws:iam::000000000000:user/eng/Alice"}
	rootItself   = Principal{Type: Root, Account: home, ARN: "arn:aws:iam::000000000000:root"}
	readerItself = Principal{Type: AssumedRole, Account: home, ARN: "arn:aws:sts::000000000000:assumed-role/Reader/sess", RoleARN: "arn:aws:iam::000000000000:role/team/Reader"}
	rootsRights  = PolicySet{{"root", allowAll}}
	readerOwn    = Policies{Identity: PolicySet{{string(readonlyID), "{read}"}}, Boundary: &Policy{string(readonlyID), "{read}"}}
)

func TestWhoAKeyStandsFor(t *testing.T) {
	user, role := refTo(iam.KindUser, "alice"), refTo(iam.KindRole, "reader")
	narrowed := func(s *iam.Session) { s.Policies = []string{"{one}"}; s.PolicyARNs = []iam.ARN{readonlyID} }
	cut := &PolicySet{{"session policy 1", "{one}"}, {string(readonlyID), "{read}"}}
	for _, row := range []struct {
		name      string
		view      *state.View
		key       iam.AccessKeyID
		principal Principal
		policies  Policies
		keys      string // the principal's condition keys
	}{
		{"the root is held by no policy", household(), "AKIAROOT", rootItself, Policies{},
			"aws:PrincipalType=Account aws:userid=000000000000 aws:PrincipalArn=arn:aws:iam::000000000000:root"},
		{"a user has its own policies and its groups'", household(), "AKIAALICE", aliceItself, Policies{Identity: alicesPolicies},
			"aws:PrincipalType=User aws:userid=AIDAA aws:PrincipalArn=arn:aws:iam::000000000000:user/eng/Alice aws:username=Alice aws:PrincipalTag/Team=blue"},
		{"a boundary cuts", household(iam.Change{User: alice(func(u *iam.User) { u.Boundary = readonlyID })}), "AKIAALICE", aliceItself,
			Policies{Identity: alicesPolicies, Boundary: &Policy{string(readonlyID), "{read}"}}, ""},
		{"a boundary that does not exist denies", household(iam.Change{User: alice(func(u *iam.User) { u.Boundary = dangling })}), "AKIAALICE", aliceItself,
			Policies{Identity: alicesPolicies, Boundary: &Policy{string(dangling), ""}}, ""},
		{"a service account is its user", household(), "AKIASA", aliceItself, Policies{Identity: alicesPolicies},
			"aws:PrincipalType=User aws:userid=AIDAA aws:PrincipalArn=arn:aws:iam::000000000000:user/eng/Alice aws:username=Alice aws:PrincipalTag/Team=blue"},
		{"a service account's own policy cuts its user's", household(), "AKIANARROW", aliceItself,
			Policies{Identity: PolicySet{{"service account AKIANARROW", "{narrow}"}}, Parent: &alicesPolicies}, ""},
		{"a session of oneself stays the user", household(temporary(iam.SessionSelf, user, "AIDAA")), "ASIA", aliceItself, Policies{Identity: alicesPolicies},
			"aws:PrincipalType=User aws:userid=AIDAA aws:PrincipalArn=arn:aws:iam::000000000000:user/eng/Alice aws:username=Alice aws:PrincipalTag/Team=blue aws:TokenIssueTime=2023-11-14T22:13:20Z aws:MultiFactorAuthPresent=false"},
		{"a session of GetSessionToken stays the user", household(temporary(iam.SessionToken, user, "AIDAA")), "ASIA", aliceItself, Policies{Identity: alicesPolicies}, ""},
		{"session policies are one set that cuts", household(temporary(iam.SessionSelf, user, "AIDAA", narrowed)), "ASIA", aliceItself,
			Policies{Identity: alicesPolicies, Session: cut}, ""},
		{"a session policy that does not exist denies", household(temporary(iam.SessionSelf, user, "AIDAA", func(s *iam.Session) { s.PolicyARNs = []iam.ARN{dangling} })), "ASIA", aliceItself,
			Policies{Identity: alicesPolicies, Session: &PolicySet{{string(dangling), ""}}}, ""},
		{"a session of a narrowed service account is cut by both", household(temporary(iam.SessionSelf, refTo(iam.KindServiceAccount, "AKIANARROW"), "AIDAA", narrowed)), "ASIA", aliceItself,
			Policies{Identity: PolicySet{{"service account AKIANARROW", "{narrow}"}}, Parent: &alicesPolicies, Session: cut}, ""},
		{"a session of a role is the role", household(temporary(iam.SessionRole, role, "AROAR", func(s *iam.Session) {
			s.Tags = []iam.Tag{{Key: "TEAM", Value: "green"}, {Key: "new", Value: "1"}}
			s.SourceIdentity = "me"
		})), "ASIA", readerItself, readerOwn,
			"aws:PrincipalType=AssumedRole aws:userid=AROAR:sess aws:PrincipalArn=arn:aws:iam::000000000000:role/team/Reader aws:PrincipalTag/TEAM=green aws:PrincipalTag/env=prod aws:PrincipalTag/new=1 " +
				"aws:TokenIssueTime=2023-11-14T22:13:20Z aws:MultiFactorAuthPresent=false aws:SourceIdentity=me aws:RoleSessionName=sess"},
		{"a session of a role's own asking stays the role", household(temporary(iam.SessionSelf, role, "AROAR")), "ASIA", readerItself, readerOwn, ""},
		{"a federated user has its maker's rights as far as its policies go", household(temporary(iam.SessionFederated, user, "AIDAA", narrowed)), "ASIA",
			Principal{Type: FederatedUser, Account: home, ARN: "arn:aws:sts::000000000000:federated-user/sess", UserARN: aliceItself.ARN},
			Policies{Identity: alicesPolicies, Session: cut},
			"aws:PrincipalType=FederatedUser aws:userid=000000000000:sess aws:PrincipalArn=arn:aws:sts::000000000000:federated-user/sess aws:TokenIssueTime=2023-11-14T22:13:20Z aws:MultiFactorAuthPresent=false"},
		{"a federated user without policies has no rights", household(temporary(iam.SessionFederated, user, "AIDAA")), "ASIA",
			Principal{Type: FederatedUser, Account: home, ARN: "arn:aws:sts::000000000000:federated-user/sess", UserARN: aliceItself.ARN},
			Policies{Identity: alicesPolicies, Session: &PolicySet{}}, ""},
		{"a session of the root is the root", household(temporary(iam.SessionSelf, refTo(iam.KindRoot, ""), "000000000000")), "ASIA", rootItself, Policies{},
			"aws:PrincipalType=Account aws:userid=000000000000 aws:PrincipalArn=arn:aws:iam::000000000000:root aws:TokenIssueTime=2023-11-14T22:13:20Z aws:MultiFactorAuthPresent=false"},
		{"a session of the root with a policy is cut", household(temporary(iam.SessionSelf, refTo(iam.KindRoot, ""), "000000000000", narrowed)), "ASIA",
			Principal{Type: User, Account: home, ARN: rootItself.ARN}, Policies{Identity: rootsRights, Session: cut},
			"aws:PrincipalType=Account aws:userid=000000000000 aws:PrincipalArn=arn:aws:iam::000000000000:root aws:TokenIssueTime=2023-11-14T22:13:20Z aws:MultiFactorAuthPresent=false"},
		{"guard rails cut everybody, the root too", household(settings(iam.Settings{GuardRails: [][]string{{"{a}"}, {"{b}", "{c}"}}})), "AKIAROOT", rootItself,
			Policies{ServiceControl: []PolicySet{{{"guard rail 1.1", "{a}"}}, {{"guard rail 2.1", "{b}"}, {"guard rail 2.2", "{c}"}}}}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			who, ok := Resolve(row.view, row.key)
			if !ok || who.Refused(1_700_000_000_001) != NoFault && row.key == "ASIA" {
				t.Fatalf("found %v, refused %v", ok, who.Refused(1_700_000_000_001))
			}
			if diff := cmp.Diff(row.principal, who.Principal); diff != "" {
				t.Errorf("principal (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(row.policies, who.Policies, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("policies (-want +got):\n%s", diff)
			}
			if (row.policies.Session == nil) != (who.Policies.Session == nil) {
				t.Errorf("session policies %v, want %v", who.Policies.Session, row.policies.Session)
			}
			if row.keys != "" {
				checkKeys(t, who, row.keys)
			}
		})
	}
}

// principalKeys are all keys that [Identity.Describe] may set, tags aside.
var principalKeys = []string{
	"aws:PrincipalType", "aws:userid", "aws:PrincipalArn", "aws:PrincipalAccount", "aws:PrincipalIsAWSService", "aws:username",
	"aws:TokenIssueTime", "aws:MultiFactorAuthPresent", "aws:SourceIdentity", "aws:RoleSessionName",
}

func checkKeys(t *testing.T, who *Identity, keys string) {
	t.Helper()
	want := map[string]string{"aws:PrincipalAccount": "000000000000", "aws:PrincipalIsAWSService": "false"}
	for pair := range strings.FieldsSeq(keys) {
		name, value, _ := strings.Cut(pair, "=")
		want[name] = value
	}
	var ctx Context
	who.Describe(&ctx)
	got := map[string]string{}
	for _, name := range principalKeys {
		if v, _ := ctx.Lookup(name); v.Present {
			got[name] = v.Values[0]
		}
	}
	for _, tag := range who.Tags() {
		got["aws:PrincipalTag/"+tag.Name] = tag.Value
		if v, _ := ctx.Lookup("aws:PrincipalTag/" + tag.Name); !v.Present || v.Values[0] != tag.Value {
			t.Errorf("tag %s is not in the context", tag.Name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("condition keys (-want +got):\n%s", diff)
	}
}

func TestWhyAKeyIsRefused(t *testing.T) {
	user := refTo(iam.KindUser, "Alice")
	inactive := iam.Change{User: alice(func(u *iam.User) { u.Status = iam.Inactive })}
	gone := func(table iam.Table, name string) iam.Change {
		return iam.Change{Delete: &iam.Deletion{Table: table, Account: home, Name: name}}
	}
	key := func(edit func(*iam.AccessKey)) iam.Change {
		k := &iam.AccessKey{ID: "AKIAALICE", Owner: user, Status: iam.Active, Created: 1000}
		edit(k)
		return iam.Change{AccessKey: k}
	}
	again := iam.Change{User: alice(func(u *iam.User) { u.ID = "AIDAOTHER" })}
	self := temporary(iam.SessionSelf, user, "AIDAA")
	for _, row := range []struct {
		name string
		view *state.View
		key  iam.AccessKeyID
		now  iam.Time
		want Fault
	}{
		{"a good key", household(), "AKIAALICE", 1, NoFault},
		{"a good session", household(self), "ASIA", 1_700_003_599_999, NoFault},
		{"an inactive key", household(key(func(k *iam.AccessKey) { k.Status = iam.Inactive })), "AKIAALICE", 1, KeyInactive},
		{"a key of a status that is not known", household(key(func(k *iam.AccessKey) { k.Status = 9 })), "AKIAALICE", 1, KeyInactive},
		{"a key a moment before its end", household(key(func(k *iam.AccessKey) { k.Expires = 50 })), "AKIAALICE", 49, NoFault},
		{"a key at its end", household(key(func(k *iam.AccessKey) { k.Expires = 50 })), "AKIAALICE", 50, Expired},
		{"a key that is not too old", household(key(func(*iam.AccessKey) {}), settings(iam.Settings{KeyMaxAge: 10})), "AKIAALICE", 10_999, NoFault},
		{"a key that is too old", household(key(func(*iam.AccessKey) {}), settings(iam.Settings{KeyMaxAge: 10})), "AKIAALICE", 11_000, Expired},
		{"a key of an inactive user", household(inactive), "AKIAALICE", 1, OwnerInactive},
		{"a key of a user who is gone", household(gone(iam.TableUsers, "alice")), "AKIAALICE", 1, OwnerGone},
		{"a key of nobody that is known", household(key(func(k *iam.AccessKey) { k.Owner.Kind = iam.KindProvider })), "AKIAALICE", 1, KindUnknown},
		{"a long-term key of a role", household(key(func(k *iam.AccessKey) { k.Owner = refTo(iam.KindRole, "Reader") })), "AKIAALICE", 1, KindUnknown},
		{"a service account of an inactive user", household(inactive), "AKIASA", 1, OwnerInactive},
		{"a service account at its end", household(), "AKIASA", 5000, Expired},
		{"a service account that is gone while its key is there", household(gone(iam.TableServiceAccounts, "AKIASA")), "AKIASA", 1, OwnerGone},
		{"a service account of a user who is gone", household(gone(iam.TableUsers, "alice")), "AKIASA", 1, OwnerGone},
		{"an inactive service account", household(iam.Change{ServiceAccount: &iam.ServiceAccount{Account: home, Key: "AKIASA", Parent: "Alice", Status: iam.Inactive}}), "AKIASA", 1, OwnerInactive},
		{"a session at its end", household(self), "ASIA", 1_700_003_600_000, Expired},
		{"a session of an inactive user", household(self, inactive), "ASIA", 1, OwnerInactive},
		{"a session of a user who is gone", household(self, gone(iam.TableUsers, "alice")), "ASIA", 1, OwnerGone},
		{"a session of a user who was created again", household(self, again), "ASIA", 1, OwnerReplaced},
		{"a session that names no parent's id", household(temporary(iam.SessionSelf, user, "")), "ASIA", 1, OwnerReplaced},
		{"a session of a role that is gone", household(temporary(iam.SessionRole, refTo(iam.KindRole, "reader"), "AROAR"), gone(iam.TableRoles, "Reader")), "ASIA", 1, OwnerGone},
		{"a session of a role that was created again", household(temporary(iam.SessionRole, refTo(iam.KindRole, "reader"), "AROAOLD")), "ASIA", 1, OwnerReplaced},
		{"a session ends with its service account", household(temporary(iam.SessionSelf, refTo(iam.KindServiceAccount, "AKIASA"), "AIDAA")), "ASIA", 5000, Expired},
		{"a session of a kind that is not known", household(temporary(99, user, "AIDAA")), "ASIA", 1, KindUnknown},
		{"a session of a group", household(temporary(iam.SessionSelf, refTo(iam.KindGroup, "Ops"), "")), "ASIA", 1, KindUnknown},
	} {
		t.Run(row.name, func(t *testing.T) {
			who, ok := Resolve(row.view, row.key)
			if !ok {
				t.Fatal("not found")
			}
			if got := who.Refused(row.now); got != row.want {
				t.Errorf("refused as %v, want %v", got, row.want)
			}
			if row.want > Expired && (who.Principal != Principal{} || !cmp.Equal(who.Policies, Policies{})) {
				t.Errorf("a faulty identity is still %+v with %+v", who.Principal, who.Policies)
			}
		})
	}
}

func TestUnknownKeysAreNobody(t *testing.T) {
	for _, id := range []iam.AccessKeyID{"", "AKIANONE", "akiaalice"} {
		if who, ok := Resolve(household(), id); ok {
			t.Errorf("%q stands for %+v", id, who)
		}
	}
}

func TestResolveRefNeedsNoKey(t *testing.T) {
	v := household()
	for r, want := range map[iam.Ref]Principal{
		refTo(iam.KindUser, "ALICE"):            aliceItself,
		refTo(iam.KindServiceAccount, "AKIASA"): aliceItself,
		refTo(iam.KindRoot, ""):                 rootItself,
		refTo(iam.KindRole, "reader"):           {Type: AssumedRole, Account: home, RoleARN: readerItself.RoleARN},
	} {
		if who, ok := ResolveRef(v, r); !ok || who.Principal != want {
			t.Errorf("%v: %v, %+v, want %+v", r, ok, who, want)
		}
	}
	for _, r := range []iam.Ref{refTo(iam.KindUser, "nobody"), refTo(iam.KindGroup, "Ops"), refTo(iam.KindRole, "none"), {}} {
		if who, ok := ResolveRef(v, r); ok {
			t.Errorf("%v is %+v", r, who)
		}
	}
}

// TestDanglingPoliciesDeny asks the evaluator itself.
func TestDanglingPoliciesDeny(t *testing.T) {
	all := iam.Change{Policy: &iam.Policy{Account: home, Name: "readonly", Path: "/", Default: 1, Versions: []iam.PolicyVersion{{Number: 1, Document: allowAll}}}}
	plain := func(u *iam.User) { u.Inline, u.Groups = nil, nil }
	for _, row := range []struct {
		name string
		view *state.View
		want Effect
	}{
		{"attached to the user it is ignored", household(all, iam.Change{User: alice(plain)}), Allow},
		{"as the boundary it denies", household(all, iam.Change{User: alice(plain, func(u *iam.User) { u.Boundary = dangling })}), Deny},
		{"as one of two session policies it denies", household(all, iam.Change{User: alice(plain)}, temporary(iam.SessionSelf, refTo(iam.KindUser, "alice"), "AIDAA", func(s *iam.Session) {
			s.Key, s.PolicyARNs = "AKIAALICE", []iam.ARN{readonlyID, dangling}
		}), iam.Change{Delete: &iam.Deletion{Table: iam.TableAccessKeys, Name: "AKIAALICE"}}), Deny},
	} {
		who, ok := Resolve(row.view, "AKIAALICE")
		if !ok {
			t.Fatal("not found")
		}
		var ctx Context
		who.Describe(&ctx)
		r := &Request{Principal: who.Principal, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", Context: &ctx}
		if d := Reference(who.Policies, r); d.Effect != row.want {
			t.Errorf("%s: %+v, want %v", row.name, d, row.want)
		}
	}
}

// someChange draws changes among few names, so that references often hold, often
// dangle, and often begin or cease to.
func someChange(t *rapid.T) iam.Change {
	name := rapid.SampledFrom([]string{"alice", "Bob"}).Draw(t, "name")
	group := rapid.SampledFrom([]string{"ops", "audit"}).Draw(t, "group")
	arn := iam.ARN("arn:aws:iam::000000000000:policy/" + rapid.SampledFrom([]string{"p", "q"}).Draw(t, "policy"))
	id := iam.AccessKeyID(rapid.SampledFrom([]string{"K1", "K2", "K3"}).Draw(t, "key"))
	sid := iam.AccessKeyID(rapid.SampledFrom([]string{"S1", "S2"}).Draw(t, "session"))
	n := rapid.IntRange(0, 2).Draw(t, "n")
	arns := slices.Repeat([]iam.ARN{arn}, n%2)
	document := fmt.Sprint("{", n, "}")
	parents := []iam.Ref{refTo(iam.KindUser, name), refTo(iam.KindServiceAccount, string(id)), refTo(iam.KindRole, name), refTo(iam.KindRoot, "")}
	owner := rapid.SampledFrom(parents).Draw(t, "owner")
	ids := map[iam.Kind]iam.UniqueID{iam.KindUser: "U", iam.KindServiceAccount: "U", iam.KindRole: "R", iam.KindRoot: "000000000000"}
	boundary := rapid.SampledFrom([]iam.ARN{"", arn}).Draw(t, "boundary")
	table := iam.Table(rapid.IntRange(1, 9).Draw(t, "table"))
	if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
		gone := map[iam.Table]string{
			iam.TableUsers: name, iam.TableRoles: name, iam.TableGroups: group, iam.TablePolicies: strings.TrimPrefix(string(arn.Resource()), "policy/"),
			iam.TableAccessKeys: string(id), iam.TableServiceAccounts: string(id), iam.TableSessions: string(sid),
		}
		return iam.Change{Delete: &iam.Deletion{Table: table, Account: home, Name: gone[table]}}
	}
	switch table {
	case iam.TableUsers:
		return iam.Change{User: &iam.User{Account: home, Name: name, ID: "U", Status: iam.Active, Groups: slices.Repeat([]string{group}, (n+1)%2), Attached: arns, Boundary: boundary, Inline: []iam.InlinePolicy{{Name: "i", Document: document}}}}
	case iam.TableGroups:
		return iam.Change{Group: &iam.Group{Account: home, Name: group, Attached: arns, Inline: []iam.InlinePolicy{{Name: "i", Document: document}}}}
	case iam.TableRoles:
		return iam.Change{Role: &iam.Role{Account: home, Name: name, ID: "R", Attached: arns, Boundary: boundary}}
	case iam.TablePolicies:
		return iam.Change{Policy: &iam.Policy{Account: home, Name: strings.TrimPrefix(string(arn.Resource()), "policy/"), Default: 1, Versions: []iam.PolicyVersion{{Number: 1, Document: document}}}}
	case iam.TableAccessKeys:
		return iam.Change{AccessKey: &iam.AccessKey{ID: id, Owner: owner, Status: iam.Active, Expires: iam.Time(n)}}
	case iam.TableServiceAccounts:
		return iam.Change{ServiceAccount: &iam.ServiceAccount{Account: home, Key: id, Parent: name, Status: iam.Active, Policy: document}}
	case iam.TableSessions:
		return iam.Change{Session: &iam.Session{Key: sid, Kind: iam.SessionSelf, Parent: owner, ParentID: ids[owner.Kind], PolicyARNs: arns, Expires: 9}}
	default:
		return iam.Change{Settings: &iam.Settings{GuardRails: [][]string{{document}}}}
	}
}

// TestNobodyIsForgottenWhenSomethingChanges makes random changes and compares
// every identity before and after: whoever differs must be among those affected,
// and must have been made from the record that changed.
func TestNobodyIsForgottenWhenSomethingChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := state.Empty().Apply(1, rapid.SliceOfN(rapid.Custom(someChange), 0, 40).Draw(t, "start"))
		for range 10 {
			c := someChange(t)
			after := before.Apply(before.Index()+1, []iam.Change{c})
			affected := map[iam.AccessKeyID]bool{}
			everybody := false
			for _, v := range []*state.View{before, after} {
				keys, all := Affected(v, c)
				everybody = everybody || all
				for id := range keys {
					affected[id] = true
				}
			}
			table, account, name := state.KeyOf(c)
			for _, id := range []iam.AccessKeyID{"K1", "K2", "K3", "S1", "S2"} {
				old, was := Resolve(before, id)
				now, is := Resolve(after, id)
				if was == is && (!was || sameIdentity(old, now)) {
					continue
				}
				if !everybody && !affected[id] {
					t.Fatalf("%v %s changed %s, but only %v are affected", table, name, id, slices.Collect(maps.Keys(affected)))
				}
				if was && !slices.Contains(old.Records, Record{table, account, name}) {
					t.Fatalf("%v %s changed %s, which was made from %v", table, name, id, old.Records)
				}
			}
			before = after
		}
	})
}

func sameIdentity(a, b *Identity) bool {
	return a.Principal == b.Principal && cmp.Equal(a.Policies, b.Policies) && a.Refused(0) == b.Refused(0) &&
		a.Expires == b.Expires && a.UserID() == b.UserID() && cmp.Equal(a.Tags(), b.Tags())
}

// Whoever walks to the affected keys can stop at any of them.
func TestTheWalkToAffectedKeysStops(t *testing.T) {
	bounded := func(u *iam.User) { u.Boundary = readonlyID }
	v := household(iam.Change{User: alice(bounded)}, temporary(iam.SessionSelf, refTo(iam.KindUser, "alice"), "AIDAA", func(s *iam.Session) { s.PolicyARNs = []iam.ARN{readonlyID} }))
	all := 0
	for c := range v.All() {
		keys, _ := Affected(v, c)
		whole := slices.Collect(keys)
		all += len(whole)
		for stop := range whole {
			var part []iam.AccessKeyID
			for id := range keys {
				if part = append(part, id); len(part) == stop+1 {
					break
				}
			}
			if !slices.Equal(part, whole[:stop+1]) {
				t.Errorf("the first %d keys of %v are %v", stop+1, whole, part)
			}
		}
	}
	if all < 10 {
		t.Errorf("only %d keys are affected by anything", all)
	}
}

func TestFilesBelongToTheUserOrTheRole(t *testing.T) {
	v := household(temporary(iam.SessionRole, refTo(iam.KindRole, "reader"), "AROAR"))
	for id, want := range map[iam.AccessKeyID]*iam.POSIX{
		"AKIAALICE": {UID: 1000, GID: 100}, "AKIASA": {UID: 1000, GID: 100}, "ASIA": {UID: 7, GID: 8}, "AKIAROOT": nil,
	} {
		who, ok := Resolve(v, id)
		if !ok {
			t.Fatalf("%s is nobody", id)
		}
		if got := who.POSIX(); !cmp.Equal(got, want) {
			t.Errorf("%s: %v, want %v", id, got, want)
		}
	}
}

func TestAFederatedUserOfTheRootIsCutByItsPolicies(t *testing.T) {
	v := household(temporary(iam.SessionFederated, refTo(iam.KindRoot, ""), "000000000000", func(s *iam.Session) { s.Policies = []string{"{cut}"} }))
	who, ok := Resolve(v, "ASIA")
	if !ok {
		t.Fatal("nobody")
	}
	if !cmp.Equal(who.Policies.Identity, rootsRights) || !cmp.Equal(who.Policies.Session, &PolicySet{{"session policy 1", "{cut}"}}) {
		t.Errorf("%+v", who.Policies)
	}
}

func TestFaultsHaveNames(t *testing.T) {
	for f := NoFault; f <= KindUnknown; f++ {
		if f.String() == "" {
			t.Errorf("fault %d has no name", f)
		}
	}
}

func BenchmarkResolve(b *testing.B) {
	v := household()
	b.ReportAllocs()
	for b.Loop() {
		Resolve(v, "AKIAALICE")
	}
}

func TestAKeyEndsWithItsExpiryOrItsAge(t *testing.T) {
	user := iam.Ref{Account: iam.FirstAccount, Kind: iam.KindUser, Name: "alice"}
	root := iam.Ref{Account: iam.FirstAccount, Kind: iam.KindRoot}
	for _, tt := range []struct {
		name    string
		owner   iam.Ref
		expires iam.Time
		age     uint32 // seconds
		want    iam.Time
	}{
		{"without either it never ends", user, 0, 0, 0},
		{"it expires", user, 5000, 0, 5000},
		{"it grows too old", user, 0, 60, 61_000},
		{"it expires before it is too old", user, 5000, 60, 5000},
		{"it is too old before it expires", user, 70_000, 60, 61_000},
		{"the root key does not age", root, 0, 60, 0},
	} {
		key := &iam.AccessKey{Owner: tt.owner, Created: 1000, Expires: tt.expires}
		if got := KeyExpires(key, iam.Settings{KeyMaxAge: tt.age}); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}
