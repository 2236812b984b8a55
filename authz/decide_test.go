package authz

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/iam"
)

// The callers and documents of the tables below.
var (
	callerAlice = Principal{Type: User, Account: "111122223333", ARN: "arn:aws:iam::111122223333:user/alice"}
	session     = Principal{Type: AssumedRole, Account: "111122223333", ARN: "arn:aws:sts::111122223333:assumed-role/r/s", RoleARN: "arn:aws:iam::111122223333:role/path/r"}
	federated   = Principal{Type: FederatedUser, Account: "111122223333", ARN: "arn:aws:sts::111122223333:federated-user/f", UserARN: "arn:aws:iam::111122223333:user/alice"}
	root        = Principal{Type: Root, Account: "111122223333", ARN: "arn:aws:iam::111122223333:root"}
	nobody      = Principal{}
	bearer      = Principal{Type: WebIdentity, ARN: "arn:aws:iam::111122223333:oidc-provider/idp.example.com"}
)

const (
	all      = `{"Version":"2012-10-17","Statement":{"Sid":"All","Effect":"Allow","Action":"*","Resource":"*"}}`
	little   = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetBucketAbac","Resource":"*"}}`
	denyAll  = `{"Version":"2012-10-17","Statement":{"Sid":"None","Effect":"Deny","Action":"*","Resource":"*"}}`
	tagged   = `{"Version":"2012-10-17","Statement":{"Sid":"Tagged","Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"s3:ExistingObjectTag/team":"a"}}}}`
	denyTag  = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"s3:ExistingObjectTag/secret":"yes"}}}}`
	denyHold = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"s3:object-lock-legal-hold":"ON"}}}}`
)

// grantTo is a bucket policy that allows everything to a principal.
func grantTo(principal string) *Policy {
	if principal != `"*"` {
		principal = `{"AWS":"` + principal + `"}`
	}
	return &Policy{"bucket", `{"Version":"2012-10-17","Statement":{"Sid":"Grant","Effect":"Allow","Principal":` + principal + `,"Action":"*","Resource":"*"}}`}
}

// federatedGrant is a policy with statements about an identity provider, each EFFECT
// and its principal element.
func federatedGrant(statements ...string) *Policy {
	var list []string
	for n, st := range statements {
		effect, principal, _ := strings.Cut(st, " ")
		principal = strings.ReplaceAll(strings.ReplaceAll(principal, "IDP", string(bearer.ARN)), "'", `"`)
		list = append(list, fmt.Sprintf(`{"Sid":"S%d","Effect":%q,%s,"Action":"*","Resource":"*"}`, n, effect, principal))
	}
	return &Policy{"bucket", `{"Version":"2012-10-17","Statement":[` + strings.Join(list, ",") + `]}`}
}

func one(document string) PolicySet { return PolicySet{{"p", document}} }

func ptr(s PolicySet) *PolicySet { return &s }

func TestDecisions(t *testing.T) {
	boundary := func(document string) *Policy { return &Policy{"b", document} }
	const other iam.AccountID = "444455556666"
	for _, row := range []struct {
		name     string
		who      Principal
		owner    iam.AccountID
		policies Policies
		open     Facts
		want     string
	}{
		{"no policy, no access", callerAlice, "", Policies{}, 0, "DENY identity"},
		{"an Allow lets in and is named", callerAlice, "", Policies{Identity: one(all)}, 0, "ALLOW identity p#0 All"},
		{"a Deny wins and is named", callerAlice, "", Policies{Identity: append(one(all), one(denyAll)...)}, 0, "DENY explicit identity p#0 None"},
		{"a boundary limits", callerAlice, "", Policies{Identity: one(all), Boundary: boundary(little)}, 0, "DENY boundary"},
		{"a Deny in a boundary is explicit", callerAlice, "", Policies{Identity: one(all), Boundary: boundary(denyAll)}, 0, "DENY explicit boundary b#0 None"},
		{"a session policy limits", session, "", Policies{Identity: one(all), Session: ptr(one(little))}, 0, "DENY session"},
		{"session policies are one set", session, "", Policies{Identity: one(all), Session: ptr(append(one(little), one(all)...))}, 0, "ALLOW identity p#0 All"},
		{"a session policy adds nothing", session, "", Policies{Identity: one(little), Session: ptr(one(all))}, 0, "DENY identity"},
		{"a session policy without statements that allow leaves nothing", session, "", Policies{Identity: one(all), Session: ptr(nil)}, 0, "DENY session"},
		{"a federated session without policy has no rights", federated, "", Policies{Identity: one(all)}, 0, "DENY session"},
		{"a federated session with policy has the user's", federated, "", Policies{Identity: one(all), Session: ptr(one(all))}, 0, "ALLOW identity p#0 All"},
		{"each level of guard rails has to allow", callerAlice, "", Policies{Identity: one(all), ServiceControl: []PolicySet{one(all), one(little), one(all)}}, 0, "DENY service-control"},
		{"a level without policies allows nothing", callerAlice, "", Policies{Identity: one(all), ServiceControl: []PolicySet{one(all), {}}}, 0, "DENY service-control"},
		{"a level allows by any of its policies", callerAlice, "", Policies{Identity: one(all), ServiceControl: []PolicySet{append(one(little), one(all)...)}}, 0, "ALLOW identity p#0 All"},
		{"a Deny in a guard rail is explicit", callerAlice, "", Policies{Identity: one(all), ServiceControl: []PolicySet{one(denyAll)}}, 0, "DENY explicit service-control p#0 None"},

		{"a service account has what its user has", callerAlice, "", Policies{Identity: one(all), Parent: ptr(one(all))}, 0, "ALLOW identity p#0 All"},
		{"a service account has no more than its user", callerAlice, "", Policies{Identity: one(all), Parent: ptr(one(little))}, 0, "DENY parent"},
		{"a service account of a user without policies has nothing", callerAlice, "", Policies{Identity: one(all), Parent: ptr(nil)}, 0, "DENY parent"},
		{"a service account's own policy narrows", callerAlice, "", Policies{Identity: one(little), Parent: ptr(one(all))}, 0, "DENY identity"},
		{"a grant to the user does not pass by the service account's policy", callerAlice, "", Policies{Identity: one(little), Parent: ptr(one(all)), Resource: grantTo(string(callerAlice.ARN))}, 0, "DENY identity"},
		{"a grant to the user stands in for the user's policies", callerAlice, "", Policies{Identity: one(all), Parent: ptr(one(little)), Resource: grantTo(string(callerAlice.ARN))}, 0, "ALLOW resource bucket#0 Grant"},

		{"a grant to the user passes by identity and boundary", callerAlice, "", Policies{Boundary: boundary(little), Resource: grantTo(string(callerAlice.ARN))}, 0, "ALLOW resource bucket#0 Grant"},
		{"a grant to the user is limited by a session policy", callerAlice, "", Policies{Session: ptr(one(little)), Resource: grantTo(string(callerAlice.ARN))}, 0, "DENY identity"},
		{"a grant to the role passes by identity", session, "", Policies{Resource: grantTo(string(session.RoleARN))}, 0, "ALLOW resource bucket#0 Grant"},
		{"a grant to the role is limited by the boundary", session, "", Policies{Identity: one(all), Boundary: boundary(little), Resource: grantTo(string(session.RoleARN))}, 0, "DENY boundary"},
		{"a grant to the role is limited by the session policy", session, "", Policies{Identity: one(all), Session: ptr(one(little)), Resource: grantTo(string(session.RoleARN))}, 0, "DENY session"},
		{"a grant to the session passes by everything", session, "", Policies{Boundary: boundary(little), Session: ptr(one(little)), Resource: grantTo(string(session.ARN))}, 0, "ALLOW resource bucket#0 Grant"},
		{"a grant to the federated session passes by everything", federated, "", Policies{Boundary: boundary(little), Resource: grantTo(string(federated.ARN))}, 0, "ALLOW resource bucket#0 Grant"},
		{"a grant to the user reaches the federated session within its policy", federated, "", Policies{Session: ptr(one(all)), Resource: grantTo(string(callerAlice.ARN))}, 0, "ALLOW resource bucket#0 Grant"},
		{"a grant to the user is limited by the federated session's policy", federated, "", Policies{Identity: one(all), Resource: grantTo(string(callerAlice.ARN))}, 0, "DENY session"},
		{"a grant to the account needs an identity policy", callerAlice, "", Policies{Resource: grantTo("111122223333")}, 0, "DENY identity"},
		{"a grant to the account's root is one to the account", callerAlice, "", Policies{Identity: one(all), Resource: grantTo("arn:aws:iam::111122223333:root")}, 0, "ALLOW identity p#0 All"},
		{"a grant to everyone passes by identity and boundary", callerAlice, "", Policies{Boundary: boundary(little), Resource: grantTo(`"*"`)}, 0, "ALLOW resource bucket#0 Grant"},
		{"a grant to everyone is limited by a session policy", session, "", Policies{Identity: one(all), Session: ptr(one(little)), Resource: grantTo(`"*"`)}, 0, "DENY session"},
		{"a grant to somebody else is none", callerAlice, "", Policies{Resource: grantTo("arn:aws:iam::111122223333:user/Alice")}, 0, "DENY identity"},
		{"a grant in spite of a guard rail is none", callerAlice, "", Policies{ServiceControl: []PolicySet{one(little)}, Resource: grantTo(string(callerAlice.ARN))}, 0, "DENY service-control"},

		{"across accounts the bucket has to allow", callerAlice, other, Policies{Identity: one(all)}, 0, "DENY resource"},
		{"across accounts identity has to allow", callerAlice, other, Policies{Resource: grantTo(string(callerAlice.ARN))}, 0, "DENY identity"},
		{"across accounts both are enough", callerAlice, other, Policies{Identity: one(all), Resource: grantTo("111122223333")}, 0, "ALLOW identity p#0 All"},
		{"across accounts a session policy limits a grant to the session", session, other, Policies{Identity: one(all), Session: ptr(one(little)), Resource: grantTo(string(session.ARN))}, 0, "DENY session"},

		{"anonymous without bucket policy", nobody, "111122223333", Policies{Identity: one(all)}, 0, "DENY resource"},
		{"anonymous by a grant to everyone", nobody, "111122223333", Policies{Resource: grantTo(`"*"`)}, 0, "ALLOW resource bucket#0 Grant"},
		{"anonymous by a grant to an account", nobody, "111122223333", Policies{Resource: grantTo("111122223333")}, 0, "DENY resource"},
		{"the root user needs no policy", root, "111122223333", Policies{Identity: one(denyAll)}, 0, "ALLOW root"},
		{"the root user is under the guard rails", root, "", Policies{ServiceControl: []PolicySet{one(little)}}, 0, "DENY service-control"},
		{"the root user is under the bucket policy's Deny", root, "", Policies{Resource: &Policy{"bucket", `{"Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}}`}}, 0, "DENY explicit resource bucket#0 "},
		{"the root user of another account needs a grant", root, other, Policies{}, 0, "DENY resource"},
		{"the root user of another account with a grant", root, other, Policies{Resource: grantTo("111122223333")}, 0, "ALLOW resource bucket#0 Grant"},

		{"who has a provider's token is let in by the provider's name", bearer, "", Policies{Resource: federatedGrant(`Allow 'Principal':{'Federated':'IDP'}`)}, 0, "ALLOW resource bucket#0 S0"},
		{"a provider among other principals", bearer, "", Policies{Resource: federatedGrant(`Allow 'Principal':{'AWS':'*','Federated':['arn:aws:iam::111122223333:oidc-provider/x','IDP']}`)}, 0, "ALLOW resource bucket#0 S0"},
		{"another provider is none", bearer, "", Policies{Resource: federatedGrant(`Allow 'Principal':{'Federated':'IDP/x'}`)}, 0, "DENY resource"},
		{"a provider's ARN is no AWS principal", bearer, "", Policies{Resource: federatedGrant(`Allow 'Principal':{'AWS':'IDP'}`)}, 0, "DENY resource"},
		{"a grant to everyone lets no token in", bearer, "", Policies{Resource: federatedGrant(`Allow 'Principal':'*'`)}, 0, "DENY resource"},
		{"nor does a grant to all but somebody", bearer, "", Policies{Resource: federatedGrant(`Allow 'NotPrincipal':{'AWS':'444455556666'}`)}, 0, "DENY resource"},
		{"nor to all but the provider", bearer, "", Policies{Resource: federatedGrant(`Allow 'NotPrincipal':{'Federated':'IDP'}`)}, 0, "DENY resource"},
		{"a Deny for everyone is for tokens too", bearer, "", Policies{Resource: federatedGrant(`Allow 'Principal':{'Federated':'IDP'}`, `Deny 'Principal':'*'`)}, 0, "DENY explicit resource bucket#1 S1"},
		{"a Deny for a provider", bearer, "", Policies{Resource: federatedGrant(`Allow 'Principal':{'Federated':'IDP'}`, `Deny 'Principal':{'Federated':'IDP'}`)}, 0, "DENY explicit resource bucket#1 S1"},
		{"a Deny for an account is not for its provider", bearer, "", Policies{Resource: federatedGrant(`Allow 'Principal':{'Federated':'IDP'}`, `Deny 'Principal':{'AWS':'111122223333'}`)}, 0, "ALLOW resource bucket#0 S0"},
		{"a Deny for all but the provider", bearer, "", Policies{Resource: federatedGrant(`Allow 'Principal':{'Federated':'IDP'}`, `Deny 'NotPrincipal':{'Federated':'IDP'}`)}, 0, "ALLOW resource bucket#0 S0"},
		{"a Deny for all but another", bearer, "", Policies{Resource: federatedGrant(`Allow 'Principal':{'Federated':'IDP'}`, `Deny 'NotPrincipal':{'Federated':'IDP/x'}`)}, 0, "DENY explicit resource bucket#1 S1"},
		{"a token has no policies, and no guard rail speaks on it", bearer, "", Policies{Identity: one(denyAll), ServiceControl: []PolicySet{one(denyAll)}, Resource: federatedGrant(`Allow 'Principal':{'Federated':'IDP'}`)}, 0, "ALLOW resource bucket#0 S0"},
		{"a user is not the provider", callerAlice, "", Policies{Resource: federatedGrant(`Allow 'Principal':{'Federated':'IDP'}`)}, 0, "DENY identity"},

		{"an open Allow needs its facts", callerAlice, "", Policies{Identity: one(tagged)}, AllFacts, "NEED s3:ExistingObjectTag/*"},
		{"facts that were not left open are missing", callerAlice, "", Policies{Identity: one(tagged)}, ObjectLock, "DENY identity"},
		{"an open Deny needs its facts", callerAlice, "", Policies{Identity: append(one(all), one(denyTag)...)}, AllFacts, "NEED s3:ExistingObjectTag/*"},
		{"open Deny and Allow need both", callerAlice, "", Policies{Identity: append(one(tagged), one(denyHold)...)}, AllFacts, "NEED s3:ExistingObjectTag/*,s3:object-lock-*"},
		{"another Allow makes an open one idle", callerAlice, "", Policies{Identity: append(one(tagged), one(all)...)}, AllFacts, "ALLOW identity p#0 All"},
		{"an open Deny is idle if nothing allows", callerAlice, "", Policies{Identity: one(denyTag)}, AllFacts, "DENY identity"},
		{"an open Deny is idle beside another", callerAlice, "", Policies{Identity: append(one(denyTag), one(denyAll)...)}, AllFacts, "DENY explicit identity p#0 None"},
		{"an open layer is idle if another refuses", callerAlice, "", Policies{Identity: one(tagged), Boundary: boundary(little)}, AllFacts, "DENY boundary"},
		{"a grant makes an open identity policy idle", callerAlice, "", Policies{Identity: one(tagged), Resource: grantTo(string(callerAlice.ARN))}, AllFacts, "ALLOW resource bucket#0 Grant"},

		{"an unknown construct in an Allow never applies", callerAlice, "", Policies{Identity: one(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Unless":1}}`)}, 0, "DENY identity"},
		{"an unknown construct in a Deny applies", callerAlice, "", Policies{Identity: append(one(all), one(`{"Statement":{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringIs":{"a:b":"c"}}}}`)...)}, 0, "DENY explicit identity p#0 "},
		{"a Deny that was not understood still excludes by what was", callerAlice, "", Policies{Identity: append(one(all), one(`{"Statement":{"Effect":"Deny","Action":"s3:PutObject","Resource":"*","Unless":1}}`)...)}, 0, "ALLOW identity p#0 All"},
		{"a text that is no policy denies", callerAlice, "", Policies{Identity: append(one(all), one(`rubbish`)...)}, 0, "DENY explicit identity p#0 "},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := &Request{Principal: row.who, Action: "s3:GetObject", Resource: "arn:aws:s3:::bucket/key", ResourceAccount: row.owner, Context: &Context{}}
			r.Context.Leave(row.open)
			want := Reference(row.policies, r)
			got, err := newEngines(row.policies).decide(r)
			if err != nil {
				t.Error(err)
			}
			for _, d := range []Decision{want, got} {
				if tell(d) != row.want {
					t.Errorf("got %q, want %q", tell(d), row.want)
				}
			}
			if got.Allowed() != (got.Effect == Allow) {
				t.Error("Allowed tells otherwise than Effect")
			}
		})
	}
}

// tell writes a decision in one line.
func tell(d Decision) string {
	s := d.Effect.String()
	if d.Explicit {
		s += " explicit"
	}
	if d.Effect == Need {
		return s + " " + d.Missing.String()
	}
	s += " " + d.Layer.String()
	if d.Statement >= 0 {
		s += fmt.Sprintf(" %s#%d %s", d.Policy, d.Statement, d.Sid)
	}
	return s
}

func TestTrustPolicies(t *testing.T) {
	trust := func(principal string) *Policy {
		return &Policy{"trust", `{"Version":"2012-10-17","Statement":{"Sid":"T","Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":"sts:AssumeRole"}}`}
	}
	for _, row := range []struct {
		name     string
		owner    iam.AccountID
		policies Policies
		want     string
	}{
		{"identity alone does not let a user into a role", "111122223333", Policies{Identity: one(all), Trust: trust("arn:aws:iam::111122223333:user/bob")}, "DENY resource"},
		{"a trust policy that names the user does", "111122223333", Policies{Trust: trust(string(callerAlice.ARN))}, "ALLOW resource trust#0 T"},
		{"one that names the account needs identity", "111122223333", Policies{Trust: trust("111122223333")}, "DENY identity"},
		{"one that names the account with identity does", "111122223333", Policies{Identity: one(all), Trust: trust("111122223333")}, "ALLOW identity p#0 All"},
		{"across accounts both are needed", "444455556666", Policies{Trust: trust(string(callerAlice.ARN))}, "DENY identity"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := &Request{Principal: callerAlice, Action: "sts:AssumeRole", Resource: "arn:aws:iam::111122223333:role/r", ResourceAccount: row.owner}
			if got := tell(Reference(row.policies, r)); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestNotPrincipal(t *testing.T) {
	except := func(principals string) Policies {
		return Policies{Identity: one(all), Resource: &Policy{"bucket", `{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":[` + principals + `],"CanonicalUser":"79a5"},"Action":"*","Resource":"*"}}`}}
	}
	q := func(s ...iam.ARN) (list string) {
		for i, a := range s {
			if i > 0 {
				list += ","
			}
			list += `"` + string(a) + `"`
		}
		return list
	}
	canonical := callerAlice
	canonical.Canonical = "79a5"
	bounded := except(q(callerAlice.ARN, "111122223333"))
	bounded.Boundary = &Policy{"b", all}
	for _, row := range []struct {
		name     string
		who      Principal
		policies Policies
		denied   bool
	}{
		{"a user listed with its account is spared", callerAlice, except(q(callerAlice.ARN, "111122223333")), false},
		{"a user listed without its account is not", callerAlice, except(q(callerAlice.ARN)), true},
		{"a user of a listed account is not", callerAlice, except(q("111122223333")), true},
		{"a user with a boundary never is", callerAlice, bounded, true},
		{"a user by its account's canonical id", canonical, except(q(callerAlice.ARN)), false},
		{"a role session listed in full is spared", session, except(q(session.ARN, session.RoleARN, session.Account.Root())), false},
		{"a role session listed without its role is not", session, except(q(session.ARN, session.Account.Root())), true},
		{"a role session listed by its role alone is not", session, except(q(session.RoleARN, session.Account.Root())), true},
		{"the root user is spared with its account", root, except(q("111122223333")), false},
		{"everyone listed spares everyone", session, except(`"*"`), false},
		{"an anonymous caller is not spared", nobody, except(q("111122223333")), true},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := &Request{Principal: row.who, Action: "s3:GetObject", Resource: "arn:aws:s3:::bucket/key"}
			got, err := newEngines(row.policies).decide(r)
			if err != nil {
				t.Error(err)
			}
			if got.Explicit != row.denied {
				t.Errorf("got %s", tell(got))
			}
		})
	}
}

func TestAnAuthorityIsNotNeeded(t *testing.T) {
	r := &Request{Principal: nobody, Action: "s3:GetObject", Resource: "arn:aws:s3:::bucket/key"}
	var a *Authority
	if got := tell(a.Decide(r, NewCompiler().Bucket(*grantTo(`"*"`)))); got != "ALLOW resource bucket#0 Grant" {
		t.Errorf("got %q", got)
	}
	if got := tell(a.Decide(r, nil)); got != "DENY resource" {
		t.Errorf("got %q", got)
	}
}

func TestDecideAllocatesNothing(t *testing.T) {
	document := `{"Version":"2012-10-17","Statement":[
	  {"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::*/${aws:username}?x*","Condition":{"DateLessThan":{"aws:CurrentTime":"2020-01-01"},"StringLike":{"aws:userid":"*${aws:username}?*"}}},
	  {"Effect":"Deny","NotAction":"s3:*","NotResource":"arn:aws:s3:::other/*"},
	  {"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:user/${aws:username}"}}},
	  {"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::bucket/home/${aws:username}/*","Condition":{
	    "IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"StringEqualsIgnoreCase":{"s3:authType":["rest-header","${aws:username}-${aws:userid}"]},"NumericLessThanIfExists":{"s3:max-keys":"10"},
	    "Bool":{"aws:SecureTransport":"true"},"Null":{"aws:TokenIssueTime":"true"},"StringNotLike":{"aws:username":"*z?z*"}}}]}`
	a := NewCompiler().Authority(Policies{Identity: one(document), Boundary: &Policy{"b", all}, ServiceControl: []PolicySet{one(all)}})
	r := mixRequest("arn:aws:s3:::bucket/home/alice/x")
	bucket := NewCompiler().Bucket(*grantTo("111122223333"))
	if got := tell(a.Decide(r, bucket)); got != "ALLOW identity p#3 " {
		t.Fatalf("got %q", got)
	}
	if n := testing.AllocsPerRun(100, func() { a.Decide(r, bucket) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestTheCompilerForgetsWhatNobodyHolds(t *testing.T) {
	c := NewCompiler()
	kept := c.Authority(Policies{Identity: one(all)})
	for i := range 10 * firstSweep {
		c.Authority(Policies{Identity: one(fmt.Sprintf(`{"Statement":{"Effect":"Allow","Action":"s3:Get%d","Resource":"*"}}`, i))})
		if i%firstSweep == 0 {
			runtime.GC()
		}
	}
	runtime.GC()
	c.documents.sweep()
	if n := len(c.documents.objects); n > 2*firstSweep {
		t.Errorf("%d documents are remembered", n)
	}
	if c.Authority(Policies{Identity: one(all)}) != kept {
		t.Error("an authority in use was compiled again")
	}
	runtime.KeepAlive(kept)
}

func TestContextKeepsEveryKindOfKey(t *testing.T) {
	var c Context
	c.SetNamed("AWS:USERNAME", "alice")
	c.Set(policy.SourceIP, "10.0.0.1")
	c.SetList(policy.CalledVia, []string{"a", "b"})
	c.SetNamedList("aws:TagKeys", nil)
	c.SetNamed("aws:PrincipalTag/Team", "x")
	c.SetNamed("aws:principaltag/team", "y")
	c.SetNamed("s3:ExistingObjectTag/Team", "1")
	c.SetNamed("s3:ExistingObjectTag/team", "2")
	c.SetNamedList("aws:PrincipalTag/list", []string{"p"})
	c.SetNamed("x:custom", "1")
	c.SetNamed("X:Custom", "2")
	c.SetTags(policy.RequestTag, []Tag{{"k", "v"}})
	c.Leave(ExistingObjectTags | RequestTags)
	for _, row := range []struct {
		key    string
		values []string
		multi  bool
		open   Facts
	}{
		{"aws:username", []string{"alice"}, false, 0},
		{"aws:SourceIp", []string{"10.0.0.1"}, false, 0},
		{"aws:CalledVia", []string{"a", "b"}, true, 0},
		{"aws:PrincipalTag/TEAM", []string{"y"}, false, 0},
		{"s3:ExistingObjectTag/Team", []string{"1"}, false, 0},
		{"s3:ExistingObjectTag/team", []string{"2"}, false, 0},
		{"s3:ExistingObjectTag/TEAM", nil, false, ExistingObjectTags},
		{"aws:PrincipalTag/list", []string{"p"}, true, 0},
		{"x:custom", []string{"2"}, false, 0},
		{"aws:RequestTag/K", []string{"v"}, false, 0},
		{"aws:RequestTag/other", nil, false, RequestTags},
		{"aws:userid", nil, false, 0},
		{"x:other", nil, false, 0},
	} {
		v, open := c.Lookup(row.key)
		if !slices.Equal(v.Values, row.values) || v.Present != (row.values != nil) || v.Multi != row.multi || open != row.open {
			t.Errorf("%s: %+v, %v", row.key, v, open)
		}
	}
	if v, _ := c.Lookup("aws:TagKeys"); !v.Present || !v.Multi || len(v.Values) != 0 {
		t.Errorf("an empty list is %+v", v)
	}
	if c.Unresolved() != ExistingObjectTags|RequestTags {
		t.Errorf("open are %v", c.Unresolved())
	}
	c.Reset()
	if v, open := c.Lookup("x:custom"); v.Present || open != 0 || c.Unresolved() != 0 {
		t.Error("Reset left something")
	}
}
