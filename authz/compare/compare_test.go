package compare

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/policy"
)

// document reads statements as a policy of the kind; single quotes stand for
// double ones, and circumflexes for single ones.
func document(t rapid.TB, kind policy.Kind, statements string) *policy.Document {
	t.Helper()
	text := `{"Version":"2012-10-17","Statement":[` + strings.NewReplacer("'", `"`, "^", "'").Replace(statements) + `]}`
	d, err := policy.Parse([]byte(text), kind)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return d
}

const (
	allowRead  = `{'Effect':'Allow','Action':'s3:GetObject','Resource':'arn:aws:s3:::reports/*'}`
	allowTwo   = `{'Effect':'Allow','Action':['s3:GetObject','s3:PutObject'],'Resource':'arn:aws:s3:::reports/*'}`
	allowWrite = `{'Effect':'Allow','Action':'s3:PutObject','Resource':'arn:aws:s3:::reports/*'}`
	allowAny   = `{'Effect':'Allow','Action':'*','Resource':'*'}`
	denyWrite  = `{'Effect':'Deny','Action':'s3:PutObject','Resource':'arn:aws:s3:::reports/*'}`
)

func read(condition string) string {
	return `{'Effect':'Allow','Action':'s3:GetObject','Resource':'arn:aws:s3:::reports/*','Condition':{` + condition + `}}`
}

func readOn(resources string) string {
	return `{'Effect':'Allow','Action':'s3:GetObject','Resource':[` + resources + `]}`
}

var comparisons = []struct {
	name, old, new string
	want           Verdict
}{
	{"the same document is equal", allowRead, allowRead, Equal},
	{"an action more is wider", allowRead, allowTwo, Wider},
	{"an action less is narrower", allowTwo, allowRead, Narrower},
	{"one action for another is incomparable", allowRead, allowWrite, Incomparable},
	{"two statements say what one says", allowTwo, allowRead + "," + allowWrite, Equal},
	{"order does not matter", allowRead + "," + allowWrite, allowWrite + "," + allowRead, Equal},
	{"case of an action does not matter", allowRead, strings.Replace(allowRead, "s3:GetObject", "S3:getobject", 1), Equal},
	{"a wildcard that matches one action of the table is that action", `{'Effect':'Allow','Action':'s3:PutBucketP*y','Resource':'*'}`, `{'Effect':'Allow','Action':'s3:PutBucketPolicy','Resource':'*'}`, Equal},
	{"actions outside of the table count if they are spelled out", allowRead, `{'Effect':'Allow','Action':['s3:GetObject','s3:GetFuture'],'Resource':'arn:aws:s3:::reports/*'}`, Wider},
	{"every action of S3 is less than every action", `{'Effect':'Allow','Action':'*','Resource':'*'}`, `{'Effect':'Allow','Action':'s3:*','Resource':'*'}`, Narrower},
	{"NotAction covers other services", `{'Effect':'Allow','Action':'s3:*','Resource':'*'}`, `{'Effect':'Allow','NotAction':'iam:*','Resource':'*'}`, Wider},
	{"NotAction and Action of the same pattern are everything", `{'Effect':'Allow','Action':'iam:Get*','Resource':'*'},{'Effect':'Allow','NotAction':'iam:Get*','Resource':'*'}`, allowAny, Equal},
	{"a copy source meets a condition with its slash and one without", allowWrite,
		allowWrite + "," + read(`'StringEquals':{'s3:x-amz-copy-source':'src/a'},'StringLike':{'s3:x-amz-copy-source':'/src/*'}`), Wider},
	{"a longer prefix is narrower", readOn(`'arn:aws:s3:::a*'`), readOn(`'arn:aws:s3:::ab*'`), Narrower},
	{"a question mark is less than a star", readOn(`'arn:aws:s3:::a/*'`), readOn(`'arn:aws:s3:::a/?*'`), Narrower},
	{"stars that follow each other are one", readOn(`'arn:aws:s3:::a/*'`), readOn(`'arn:aws:s3:::a/***'`), Equal},
	{"a star and a question mark commute", readOn(`'arn:aws:s3:::a/*?'`), readOn(`'arn:aws:s3:::a/?*'`), Equal},
	{"empty and not empty are everything", readOn(`'arn:aws:s3:::a*'`), readOn(`'arn:aws:s3:::a','arn:aws:s3:::a?*'`), Equal},
	{"patterns that overlap are incomparable", readOn(`'arn:aws:s3:::a*'`), readOn(`'arn:aws:s3:::*b'`), Incomparable},
	{"a union that covers is equal", readOn(`'arn:aws:s3:::*b','arn:aws:s3:::*bb'`), readOn(`'arn:aws:s3:::*b'`), Equal},
	{"a character of several bytes is one", readOn(`'arn:aws:s3:::é'`), readOn(`'arn:aws:s3:::?'`), Wider},
	{"a short ARN is completed", readOn(`'arn:aws:s3'`), readOn(`'arn:aws:s3:*:*:*'`), Equal},
	{"wildcards stay in their segment", readOn(`'arn:aws:s3:*:x'`), readOn(`'arn:aws:s3:*:*:x'`), Incomparable},
	{"NotResource is the complement", `{'Effect':'Allow','Action':'s3:GetObject','NotResource':'arn:aws:s3:::a/*'},` + readOn(`'arn:aws:s3:::a/*'`), readOn(`'*'`), Equal},
	{"every ARN of S3 is less than everything", readOn(`'*'`), readOn(`'arn:*:s3:*:*:*'`), Narrower},
	{"buckets are listed on all of them or on *", `{'Effect':'Allow','Action':'s3:ListAllMyBuckets','Resource':'*'}`, `{'Effect':'Allow','Action':'s3:ListAllMyBuckets','Resource':['*','arn:aws:s3:::*']}`, Equal},
	{"a Deny takes away", allowTwo, allowTwo + "," + denyWrite, Narrower},
	{"a Deny counts even where nothing was allowed", allowRead, allowRead + "," + denyWrite, Narrower},
	{"a Deny for an Allow is narrower", allowTwo, allowRead + "," + denyWrite, Narrower},
	{"a Deny in two parts is one", `{'Effect':'Deny','Action':'s3:*','Resource':'*'}`, `{'Effect':'Deny','Action':'s3:Get*','Resource':'*'},{'Effect':'Deny','NotAction':['s3:Get*','sqs:*'],'Resource':'*'},{'Effect':'Deny','Action':'sqs:*','Resource':'*'}`, Narrower},
	{"a Deny of everything hides an Allow", allowAny + `,{'Effect':'Deny','Action':'*','Resource':'*'}`, `{'Effect':'Deny','Action':'*','Resource':'*'}`, Equal},

	{"a condition narrows", allowRead, read(`'Bool':{'aws:SecureTransport':'true'}`), Narrower},
	{"the same condition is equal", read(`'StringLike':{'s3:prefix':['a*','b']}`), read(`'StringLike':{'S3:Prefix':['b','a*']}`), Equal},
	{"two conditions are less than one", read(`'StringEquals':{'aws:UserAgent':'x'}`), read(`'StringEquals':{'aws:UserAgent':'x','aws:Referer':'y'}`), Narrower},
	{"another key is incomparable", read(`'StringEquals':{'aws:UserAgent':'x'}`), read(`'StringEquals':{'aws:Referer':'x'}`), Incomparable},
	{"a range in a range is narrower", read(`'IpAddress':{'aws:SourceIp':'10.0.0.0/8'}`), read(`'IpAddress':{'aws:SourceIp':'10.1.0.0/16'}`), Narrower},
	{"two halves are a range", read(`'IpAddress':{'aws:SourceIp':'10.0.0.0/8'}`), read(`'IpAddress':{'aws:SourceIp':['10.0.0.0/9','10.128.0.0/9']}`), Equal},
	{"half of a range is narrower", read(`'IpAddress':{'aws:SourceIp':'10.0.0.0/8'}`), read(`'IpAddress':{'aws:SourceIp':'10.0.0.0/9'}`), Narrower},
	{"not in a range and missing are both outside", read(`'NotIpAddress':{'aws:SourceIp':'10.0.0.0/8'}`), read(`'NotIpAddressIfExists':{'aws:SourceIp':'10.0.0.0/8'}`), Equal},
	{"IfExists takes in a missing key", read(`'NumericLessThan':{'s3:max-keys':'10'}`), read(`'NumericLessThanIfExists':{'s3:max-keys':'10'}`), Wider},
	{"less or equal takes in the bound", read(`'NumericLessThan':{'s3:max-keys':'10'}`), read(`'NumericLessThanEquals':{'s3:max-keys':'10.0'}`), Wider},
	{"numbers compare as numbers", read(`'NumericEquals':{'s3:max-keys':'10'}`), read(`'NumericEquals':{'s3:max-keys':'10.00'}`), Equal},
	{"later is narrower", read(`'DateGreaterThan':{'aws:CurrentTime':'2024-05-20T10:13:20Z'}`), read(`'DateGreaterThan':{'aws:CurrentTime':'2024-05-20T10:13:20.000000001Z'}`), Narrower},
	{"seconds and dates are the same time", read(`'DateLessThan':{'aws:CurrentTime':'2024-05-20T10:13:20Z'}`), read(`'DateLessThan':{'aws:CurrentTime':'1716200000'}`), Equal},
	{"a pattern takes in its texts", read(`'StringEquals':{'s3:prefix':['home/a','home/b']}`), read(`'StringLike':{'s3:prefix':'home/*'}`), Wider},
	{"ignoring case takes in the same case", read(`'StringEquals':{'s3:prefix':'Ab'}`), read(`'StringEqualsIgnoreCase':{'s3:prefix':'aB'}`), Wider},
	{"like without wildcards is equals", read(`'StringEquals':{'s3:prefix':'ab'}`), read(`'StringLike':{'s3:prefix':'ab'}`), Equal},
	{"ArnLike is ArnEquals", read(`'ArnLike':{'aws:SourceArn':'arn:aws:sns:*:*:t'}`), read(`'ArnEquals':{'aws:SourceArn':'arn:aws:sns:*:*:t'}`), Equal},
	{"an ARN wildcard stays in its segment", read(`'ArnLike':{'aws:SourceArn':'arn:aws:sns:*:t'}`), read(`'StringLike':{'aws:SourceArn':'arn:aws:sns:*:t'}`), Wider},
	{"true and false and missing are everything but what is neither", allowRead, read(`'Bool':{'aws:SecureTransport':['true','false']}`) + "," + read(`'Null':{'aws:SecureTransport':'true'}`), Narrower},
	{"present and missing are everything", allowRead, read(`'Null':{'aws:Referer':'true'}`) + "," + read(`'Null':{'aws:Referer':'false'}`), Equal},
	{"all values in a list is narrower than some, but for none", read(`'ForAnyValue:StringEquals':{'aws:TagKeys':['a','b']}`), read(`'ForAllValues:StringEquals':{'aws:TagKeys':['a','b']}`), Incomparable},
	{"all values and not none is narrower than some", read(`'ForAnyValue:StringEquals':{'aws:TagKeys':['a','b']}`), read(`'ForAllValues:StringEquals':{'aws:TagKeys':['a','b']},'Null':{'aws:TagKeys':'false'}`), Narrower},
	{"a condition that cannot hold allows nothing", read(`'StringEquals':{'s3:prefix':'a'},'StringLike':{'s3:prefix':'b*'}`) + "," + allowWrite, allowWrite, Equal},
	{"a Deny outside of a range is an Allow inside of it, and a Deny", read(`'IpAddress':{'aws:SourceIp':'10.0.0.0/8'}`), allowRead + `,{'Effect':'Deny','Action':'s3:GetObject','Resource':'arn:aws:s3:::reports/*','Condition':{'NotIpAddress':{'aws:SourceIp':'10.0.0.0/8'}}}`, Incomparable},

	{"variables of the same text are equal", readOn(`'arn:aws:s3:::home/${aws:username}/*'`), readOn(`'arn:aws:s3:::home/${AWS:UserName}/*'`), Equal},
	{"a variable is narrower than a wildcard", readOn(`'arn:aws:s3:::home/*'`), readOn(`'arn:aws:s3:::home/${aws:username}/*'`), Narrower},
	{"a wildcard is wider than a variable", readOn(`'arn:aws:s3:::home/${aws:username}/*'`), readOn(`'arn:aws:s3:::home/*'`), Wider},
	{"a longer prefix after a variable is narrower", readOn(`'arn:aws:s3:::home/${aws:username}/*'`), readOn(`'arn:aws:s3:::home/${aws:username}/a/*'`), Narrower},
	{"two variables are incomparable", readOn(`'arn:aws:s3:::home/${aws:username}/*'`), readOn(`'arn:aws:s3:::home/${aws:userid}/*'`), Incomparable},
	{"a value may be a text that is denied", readOn(`'arn:aws:s3:::home/${aws:username}/*'`), readOn(`'arn:aws:s3:::home/${aws:username}/*'`) + `,{'Effect':'Deny','Action':'s3:GetObject','Resource':'arn:aws:s3:::home/bob/*'}`, Narrower},
	{"a value may be longer than a character, and is not every one", readOn(`'arn:aws:s3:::a/${aws:username}'`), readOn(`'arn:aws:s3:::a/?'`), Incomparable},
	{"an Allow with NotResource may not apply for want of a value", `{'Effect':'Allow','Action':'s3:*','NotResource':'arn:aws:s3:::a/${aws:username}'}`, `{'Effect':'Allow','Action':'s3:*','NotResource':'arn:aws:s3:::a/${aws:username}'},` + readOn(`'arn:aws:s3:::b/*'`), Unknown},
	{"NotResource with a variable is equal to itself", `{'Effect':'Allow','Action':'s3:GetObject','NotResource':'arn:aws:s3:::home/${aws:username}/*'}`, `{'Effect':'Allow','Action':['s3:GetObject'],'NotResource':['arn:aws:s3:::home/${aws:username}/*']}`, Equal},
	{"a condition with a variable is equal to itself", read(`'StringLike':{'s3:prefix':'${aws:username}/*'}`), `{'Sid':'x',` + read(`'StringLike':{'s3:prefix':'${aws:username}/*'}`)[1:], Equal},
	{"a condition with a variable narrows", allowRead, read(`'StringLike':{'s3:prefix':'${aws:username}/*'}`), Narrower},
	{"an escaped star is a star", readOn(`'arn:aws:s3:::a/${*}'`), readOn(`'arn:aws:s3:::a/*'`), Wider},
	{"conditions of two types on one key are not certain", read(`'NumericEquals':{'x:y':'10'}`), read(`'NumericEquals':{'x:y':'10'},'StringLike':{'x:y':'1*'}`), Unknown},
}

func TestCompare(t *testing.T) {
	for _, row := range comparisons {
		t.Run(row.name, func(t *testing.T) {
			old, new := document(t, policy.Identity, row.old), document(t, policy.Identity, row.new)
			r := Compare(old, new)
			if r.Verdict != row.want {
				t.Errorf("%s\n%s\nis %v, want %v\nwider: %+v\nnarrower: %+v\n%s", row.old, row.new, r.Verdict, row.want, r.Wider, r.Narrower, r.Reason)
			}
			confirm(t, r, old, new)
			if back := Compare(new, old); back.Verdict != mirrored[r.Verdict] {
				t.Errorf("the other way round it is %v", back.Verdict)
			}
		})
	}
}

var mirrored = [...]Verdict{Unknown: Unknown, Equal: Equal, Narrower: Wider, Wider: Narrower, Incomparable: Incomparable}

// confirm holds a result to its witnesses, with policies made anew from the
// documents.
func confirm(t rapid.TB, r Result, old, new *policy.Document) {
	t.Helper()
	if (r.Verdict == Wider || r.Verdict == Incomparable) && r.Wider == nil || (r.Verdict == Narrower || r.Verdict == Incomparable) && r.Narrower == nil {
		t.Errorf("%v without a witness", r.Verdict)
	}
	if r.Wider != nil && (r.Verdict == Equal || r.Verdict == Narrower) || r.Narrower != nil && (r.Verdict == Equal || r.Verdict == Wider) {
		t.Errorf("%v with a witness against it", r.Verdict)
	}
	if (r.Verdict == Unknown) != (r.Reason != "") {
		t.Errorf("%v for the reason %q", r.Verdict, r.Reason)
	}
	for _, w := range []*Witness{r.Wider, r.Narrower} {
		if w == nil {
			continue
		}
		before, after := rank(old, w.Request()), rank(new, w.Request())
		if w == r.Wider && before >= after || w == r.Narrower && before <= after {
			t.Errorf("%+v is decided %d by the old document and %d by the new one", w, before, after)
		}
	}
}

// rank orders decisions of an identity policy.
func rank(d *policy.Document, r *authz.Request) int {
	decision := authz.Reference(asIdentity(d), r)
	switch {
	case decision.Allowed():
		return 2
	case decision.Explicit:
		return 0
	}
	return 1
}

var limits = []struct {
	name, document, limit string
	want                  Answer
}{
	{"what is within the limit holds", allowRead, allowTwo, Holds},
	{"what goes beyond it does not", allowTwo, allowRead, Broken},
	{"a Deny brings a document within", allowTwo + "," + denyWrite, allowRead, Holds},
	{"a Deny of the limit counts", allowTwo, allowAny + "," + denyWrite, Broken},
	{"a document needs no Deny of its own", allowRead, allowAny + "," + denyWrite, Holds},
	{"what is not certain is undecided", read(`'NumericEquals':{'x:y':'10'}`), read(`'StringLike':{'x:y':'*'}`), Undecided},
}

func TestNotWiderThan(t *testing.T) {
	for _, row := range limits {
		c := NotWiderThan(document(t, policy.Identity, row.document), document(t, policy.Identity, row.limit))
		if c.Answer != row.want {
			t.Errorf("%s: %v, want %v (%+v %s)", row.name, c.Answer, row.want, c.Witness, c.Reason)
		}
		if (c.Answer == Broken) != (c.Witness != nil) || c.Witness != nil && (!c.Witness.New.Allowed() || c.Witness.Old.Allowed()) {
			t.Errorf("%s: witness %+v", row.name, c.Witness)
		}
	}
}

func to(principal, rest string) string {
	return `{'Effect':'Allow','Principal':` + principal + `,'Action':'s3:GetObject','Resource':'arn:aws:s3:::b/*'` + rest + `}`
}

func denyTo(principal string) string {
	return `{'Effect':'Deny',` + principal + `,'Action':'s3:GetObject','Resource':'arn:aws:s3:::b/*'}`
}

const (
	alice     = `{'AWS':'arn:aws:iam::444455556666:user/alice'}`
	anAccount = `{'AWS':'444455556666'}`
	role      = `{'AWS':'arn:aws:iam::444455556666:role/x/job'}`
	oneTime   = `{'AWS':'arn:aws:sts::444455556666:assumed-role/job/one'}`
)

var publics = []struct {
	name, document string
	want           Answer
}{
	{"a policy for an account is not public", to(anAccount, ""), Holds},
	{"a policy for everyone is", to(`'*'`, ""), Broken},
	{"a list with everyone in it is", to(`{'AWS':['444455556666','*']}`, ""), Broken},
	{"a Deny of everything makes it private", to(`'*'`, "") + "," + denyTo(`'Principal':'*'`), Holds},
	{"a Deny of an account does not", to(`'*'`, "") + "," + denyTo(`'Principal':`+anAccount), Broken},
	{"a Deny of all but a user makes it private", to(`'*'`, "") + "," + denyTo(`'NotPrincipal':{'AWS':['444455556666','arn:aws:iam::444455556666:user/alice']}`), Holds},
	{"a condition on the address leaves it public", to(`'*'`, `,'Condition':{'IpAddress':{'aws:SourceIp':'10.0.0.0/8'}}`), Broken},
	{"a condition on the caller's account makes it private", to(`'*'`, `,'Condition':{'StringEquals':{'aws:PrincipalAccount':'444455556666'}}`), Holds},
	{"a condition that a missing account satisfies does not", to(`'*'`, `,'Condition':{'StringEqualsIfExists':{'aws:PrincipalAccount':'444455556666'}}`), Broken},
	{"a condition on the kind of caller makes it private", to(`'*'`, `,'Condition':{'StringEquals':{'aws:PrincipalType':'User'}}`), Holds},
	{"the caller's name is missing", to(`'*'`, `,'Condition':{'StringLike':{'aws:username':'*'}}`), Holds},
}

func TestNoPublic(t *testing.T) {
	for _, row := range publics {
		c := NoPublic(document(t, policy.Resource, row.document))
		if c.Answer != row.want {
			t.Errorf("%s: %v, want %v (%+v %s)", row.name, c.Answer, row.want, c.Witness, c.Reason)
		}
		if c.Witness != nil && (c.Witness.Principal.Type != authz.Anonymous || !c.Witness.New.Allowed()) {
			t.Errorf("%s: witness %+v", row.name, c.Witness)
		}
	}
	if c := NoPublic(document(t, policy.Identity, allowAny)); c.Answer != Undecided {
		t.Errorf("an identity policy: %v", c.Answer)
	}
}

var principals = []struct {
	name, old, new string
	want           Verdict
}{
	{"a user is less than everyone", to(`'*'`, ""), to(alice, ""), Narrower},
	{"a principal more is wider", to(alice, ""), to(`{'AWS':['arn:aws:iam::444455556666:user/alice','arn:aws:iam::444455556666:user/bob']}`, ""), Wider},
	{"an account id and its root are the same", to(anAccount, ""), to(`{'AWS':'arn:aws:iam::444455556666:root'}`, ""), Equal},
	{"an account lets more callers in, but a user more strongly", to(anAccount, ""), to(alice, ""), Incomparable},
	{"a user beside its account is wider", to(anAccount, ""), to(anAccount, "") + "," + to(alice, ""), Wider},
	{"a session is named more strongly than by its role", to(role, ""), to(role, "") + "," + to(oneTime, ""), Wider},
	{"one session is not all of its role's", to(role, ""), to(oneTime, ""), Incomparable},
	{"everyone takes in every session, but not beyond a session policy", to(`'*'`, ""), to(`'*'`, "") + "," + to(oneTime, ""), Wider},
	{"a user takes nothing from everyone", to(`'*'`, ""), to(`'*'`, "") + "," + to(alice, ""), Equal},
	{"a canonical user beside everyone changes nothing", to(`'*'`, ""), to(`'*'`, "") + "," + to(`{'CanonicalUser':'79a5'}`, ""), Equal},
	{"a canonical user is somebody", to(anAccount, ""), to(anAccount, "") + "," + to(`{'CanonicalUser':'79a5'}`, ""), Wider},
	{"a service is nobody here", to(anAccount, ""), to(anAccount, "") + "," + to(`{'Service':'s3.amazonaws.com'}`, ""), Equal},
	{"a Deny of one user is narrower", to(`'*'`, ""), to(`'*'`, "") + "," + denyTo(`'Principal':`+alice), Narrower},
	{"to deny all but one is narrower than to deny that one's account", denyTo(`'Principal':` + anAccount), denyTo(`'NotPrincipal':{'AWS':['444455556666','arn:aws:iam::444455556666:user/alice']}`), Incomparable},
}

func TestComparePrincipals(t *testing.T) {
	for _, row := range principals {
		old, new := document(t, policy.Resource, row.old), document(t, policy.Resource, row.new)
		r := Compare(old, new)
		if r.Verdict != row.want {
			t.Errorf("%s: %v, want %v\nwider: %+v\nnarrower: %+v\n%s", row.name, r.Verdict, row.want, r.Wider, r.Narrower, r.Reason)
		}
		if back := Compare(new, old); back.Verdict != mirrored[r.Verdict] {
			t.Errorf("%s: the other way round it is %v", row.name, back.Verdict)
		}
	}
}

func TestCompareTrustPolicies(t *testing.T) {
	trust := func(principal string) *policy.Document {
		return document(t, policy.Trust, `{'Effect':'Allow','Principal':`+principal+`,'Action':'sts:AssumeRole'}`)
	}
	r := Compare(trust(alice), trust(`{'AWS':['arn:aws:iam::444455556666:user/alice','arn:aws:iam::444455556666:user/bob']}`))
	if r.Verdict != Wider || r.Wider.Principal.ARN != "arn:aws:iam::444455556666:user/bob" || r.Wider.Action != "sts:AssumeRole" {
		t.Errorf("%v %+v", r.Verdict, r.Wider)
	}
	if r := Compare(trust(alice), trust(alice)); r.Verdict != Equal {
		t.Errorf("%v", r.Verdict)
	}
}

func TestCompareTrustInProviders(t *testing.T) {
	const idp, other = "arn:aws:iam::444455556666:oidc-provider/idp.example.com", "arn:aws:iam::444455556666:oidc-provider/other.example.com"
	allow := func(provider, condition string) string {
		return `{'Effect':'Allow','Principal':{'Federated':'` + provider + `'},'Action':'sts:AssumeRoleWithWebIdentity'` + condition + `}`
	}
	sub := func(operator, value string) string {
		return `,'Condition':{'` + operator + `':{'idp.example.com:sub':'` + value + `'}}`
	}
	for _, row := range []struct {
		name, old, new string
		want           Verdict
	}{
		{"a condition on the subject is narrower", allow(idp, ""), allow(idp, sub("StringEquals", "a")), Narrower},
		{"a pattern of subjects is wider than one", allow(idp, sub("StringEquals", "repo:acme/web")), allow(idp, sub("StringLike", "repo:acme/*")), Wider},
		{"another provider is somebody else", allow(idp, ""), allow(other, ""), Incomparable},
		{"a Deny for everyone takes every token back", allow(idp, ""), allow(idp, "") + `,{'Effect':'Deny','Principal':'*','Action':'*'}`, Narrower},
		{"a key that only principals have matters to no token", allow(idp, ""), allow(idp, `,'Condition':{'Null':{'aws:PrincipalArn':'true'}}`), Equal},
	} {
		if r := Compare(document(t, policy.Trust, row.old), document(t, policy.Trust, row.new)); r.Verdict != row.want {
			t.Errorf("%s: %v, want %v\nwider: %+v\nnarrower: %+v\n%s", row.name, r.Verdict, row.want, r.Wider, r.Narrower, r.Reason)
		}
	}
	r := Compare(document(t, policy.Trust, allow(idp, "")), document(t, policy.Trust, allow(idp, "")+","+allow(other, "")))
	if r.Verdict != Wider || r.Wider.Principal.ARN != other || r.Wider.Principal.Type != authz.WebIdentity {
		t.Errorf("%v %+v", r.Verdict, r.Wider)
	}
}

func TestWhatCannotBeComparedIsUnknown(t *testing.T) {
	identity, bucket := document(t, policy.Identity, allowAny), document(t, policy.Resource, to(`'*'`, ""))
	strange := policy.ParseStored([]byte(`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Future":1}]}`), policy.Identity)
	for name, pair := range map[string][2]*policy.Document{
		"an identity policy and a bucket policy":   {identity, bucket},
		"a document that is not understood":        {strange, strange},
		"a document and one that isn't understood": {identity, strange},
	} {
		if r := Compare(pair[0], pair[1]); r.Verdict != Unknown || r.Reason == "" {
			t.Errorf("%s: %v %q", name, r.Verdict, r.Reason)
		}
	}
}

func TestABoundThatIsHitClaimsNothing(t *testing.T) {
	var patterns []string
	for i := range 18 {
		patterns = append(patterns, "'arn:aws:s3:::*"+string(rune('a'+i))+"*"+string(rune('b'+i))+"*'")
	}
	old := document(t, policy.Identity, readOn(strings.Join(patterns, ",")))
	new := document(t, policy.Identity, readOn(strings.Join(append(patterns[1:], "'arn:aws:s3:::*a?*b*'", "'arn:aws:s3:::*ab*'"), ",")))
	r := Compare(old, new)
	if r.Verdict != Unknown || !strings.Contains(r.Reason, "bound") {
		t.Errorf("%v %q", r.Verdict, r.Reason)
	}
}

func TestALargePolicyIsDecidedWithinTheBound(t *testing.T) {
	statements := func(n int) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(`{'Effect':'Allow','Action':['s3:GetObject','s3:PutObject'],'Resource':'arn:aws:s3:::bucket-%d/team/*','Condition':{'IpAddress':{'aws:SourceIp':'10.%d.0.0/16'}}}`, i, i))
		}
		return strings.Join(list, ",")
	}
	smaller, larger := document(t, policy.Identity, statements(99)), document(t, policy.Identity, statements(100))
	r := Compare(smaller, larger)
	if r.Verdict != Wider || !strings.HasPrefix(r.Wider.Resource, s3ARN+"bucket-99/team/") {
		t.Errorf("%v %+v %s", r.Verdict, r.Wider, r.Reason)
	}
}
