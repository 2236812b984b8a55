package authz

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/doorward/doorward/authz/policy"
)

const readReports = `{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::reports/${aws:username}/*"},
    {"Sid": "List", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::reports",
     "Condition": {"StringEquals": {"s3:prefix": ["home/", "tmp/"]}, "Bool": {"aws:SecureTransport": "true"}}},
    {"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}
  ]
}`

func userAlice() Principal {
	return Principal{Type: User, Account: "111122223333", ARN: "arn:aws:iam::111122223333:user/alice"}
}

// ask makes a request by alice; more are condition keys and values in turn.
func ask(action, resource string, more ...string) *Request {
	r := &Request{Principal: userAlice(), Action: action, Resource: resource, Context: &Context{}}
	r.Context.SetNamed("aws:username", "alice")
	r.Context.SetNamed("aws:SourceIp", "10.1.2.3")
	for i := 0; i < len(more); i += 2 {
		r.Context.SetNamed(more[i], more[i+1])
	}
	return r
}

func readers(more ...func(*Policies)) Policies {
	p := Policies{Identity: PolicySet{{"readers", readReports}}}
	for _, change := range more {
		change(&p)
	}
	return p
}

func bounded(p *Policies) {
	p.Boundary = &Policy{"fence", `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "NotAction": "s3:Get*", "NotResource": "arn:aws:s3:::secret/*"}]}`}
}

func guarded(p *Policies) {
	p.ServiceControl = []PolicySet{
		{{"root", `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}`}},
		{{"regions", `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:RequestedRegion": ["a", "b", "c", "d", "e"], "aws:PrincipalOrgID": "o", "aws:SourceVpc": "v"}}}]}`}},
	}
}

func bucketNames(principal string) func(*Policies) {
	return func(p *Policies) {
		p.Resource = &Policy{"reports", `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": ` + principal + `, "Action": "s3:*", "Resource": "*"}]}`}
	}
}

func TestExplanationsReadAsSentences(t *testing.T) {
	tagged := ask("s3:GetObject", "arn:aws:s3:::reports/x")
	tagged.Context.Leave(ExistingObjectTags)
	anonymous := &Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::reports/x"}
	for _, row := range []struct {
		name string
		p    Policies
		r    *Request
		want []string
	}{
		{"an allowed request names its statement", readers(), ask("s3:GetObject", "arn:aws:s3:::reports/alice/x"), []string{
			`ALLOW s3:GetObject on arn:aws:s3:::reports/alice/x, asked by arn:aws:iam::111122223333:user/alice: allowed by readers, statement 0 "Read" (Allow, line 4)`,
			`identity: allows, by readers, statement 0 "Read" (Allow, line 4)`,
			`  near: readers, statement 2 (Deny, line 7): aws:SourceIp (NotIpAddress, line 7) expected anything but "10.0.0.0/8", got "10.1.2.3"`,
		}},
		{"a near miss of a resource tells the values of its variables", readers(), ask("s3:GetObject", "arn:aws:s3:::reports/bob/x"), []string{
			`the caller's own policy does not allow it`,
			`  near: readers, statement 0 "Read" (Allow, line 4): Resource (line 4) expected "arn:aws:s3:::reports/${aws:username}/*", got "arn:aws:s3:::reports/bob/x"; ${aws:username} is "alice"`,
		}},
		{"the first condition that does not hold is told with what the request has", readers(), ask("s3:ListBucket", "arn:aws:s3:::reports", "s3:prefix", "x", "aws:SecureTransport", "false"), []string{
			`  near: readers, statement 1 "List" (Allow, line 5): s3:prefix (StringEquals, line 6) expected "home/" or "tmp/", got "x"; another element does not match either`,
		}},
		{"a key that the request does not have is nothing", readers(), ask("s3:ListBucket", "arn:aws:s3:::reports", "aws:SecureTransport", "true"), []string{
			`expected "home/" or "tmp/", got nothing`,
		}},
		{"an explicit deny wins", readers(), ask("s3:GetObject", "arn:aws:s3:::reports/alice/x", "aws:SourceIp", "192.0.2.1"), []string{
			`denied by readers, statement 2 (Deny, line 7)`,
			`identity: denies, by readers, statement 2 (Deny, line 7)`,
		}},
		{"a boundary that does not allow says which action it leaves out", readers(bounded), ask("s3:GetObject", "arn:aws:s3:::reports/alice/x"), []string{
			`the permissions boundary does not allow it`,
			`boundary: does not allow`,
			`  near: fence, statement 0 (Allow, line 1): NotAction (line 1) expected anything but "s3:Get*", got "s3:GetObject"`,
		}},
		{"a bucket policy that names the account does not let a user in", readers(bucketNames(`{"AWS": "111122223333"}`)), ask("s3:PutObject", "arn:aws:s3:::reports/x"), []string{
			`DENY`,
			`resource: allows, by reports, statement 0 (Allow, line 1), naming only the caller's account`,
		}},
		{"a bucket policy that names another user is a near miss", readers(bucketNames(`{"AWS": "arn:aws:iam::111122223333:user/bob"}`)), ask("s3:PutObject", "arn:aws:s3:::reports/x"), []string{
			`Principal (line 1) expected "arn:aws:iam::111122223333:user/bob", got "arn:aws:iam::111122223333:user/alice"`,
		}},
		{"an anonymous caller has only the bucket policy", readers(), anonymous, []string{
			`asked by an anonymous caller: the resource's policy does not allow it`,
			`identity: has no say`,
			`resource: does not allow, there is no policy`,
		}},
		{"an open fact is named", Policies{Identity: PolicySet{{"tags", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"StringEquals":{"s3:ExistingObjectTag/a":"b"}}}]}`}}}, tagged, []string{
			`NEED s3:GetObject`, `it turns on s3:ExistingObjectTag/*`, `identity: open, turns on s3:ExistingObjectTag/*`,
		}},
		{"a statement that cannot be read says why", Policies{Identity: PolicySet{{"old", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"StringIs":{"a:b":"c"}}}]}`}}}, ask("s3:GetObject", "arn:aws:s3:::a/b"), []string{
			`near: old, statement 0 (Allow, line 1): Condition.StringIs (line 1) cannot be read: the operator "StringIs" does not exist`,
		}},
		{"a multivalued key asks for a set operator", Policies{Identity: PolicySet{{"via", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"StringEquals":{"aws:CalledVia":"c"}}}]}`}}}, withList(ask("s3:GetObject", "arn:aws:s3:::a/b"), "aws:CalledVia", "b", "c"), []string{
			`got "b" and "c"; the key can have several values and asks for ForAnyValue: or ForAllValues:`,
		}},
		{"guard rails are told level by level", readers(guarded), ask("s3:GetObject", "arn:aws:s3:::reports/alice/x"), []string{
			`a guard rail of the account does not allow it`,
			`service-control 0: allows, by root`,
			`service-control 1: does not allow`,
			`aws:RequestedRegion (StringEquals, line 1) expected "a" or "b" or "c" or "d" or 1 more, got nothing; 2 other elements do not match either`,
		}},
		{"a default stands in for a variable without a value", Policies{Identity: PolicySet{{"teams", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::${aws:PrincipalTag/team, 'none'}/${aws:FederatedProvider}"}]}`}}}, ask("s3:GetObject", "arn:aws:s3:::a/b"), []string{
			`; ${aws:PrincipalTag/team} is "none" by default, ${aws:FederatedProvider} has no value`,
		}},
		{"a condition on the absence of a key says what Null asks for", Policies{Identity: PolicySet{{"long", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"Null":{"aws:TokenIssueTime":"false"}}}]}`}}}, ask("s3:GetObject", "arn:aws:s3:::a/b"), []string{
			`aws:TokenIssueTime (Null, line 1) expected "false", got nothing; "true" asks for a key that is missing, "false" for one that is there`,
		}},
		{"the root user needs no policy", readers(), &Request{Principal: Principal{Type: Root, Account: "111122223333", ARN: "arn:aws:iam::111122223333:root"}, Action: "s3:GetObject", Resource: "*"}, []string{
			`ALLOW s3:GetObject on *`, `the root user is allowed whatever nothing denies`,
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := Explain(row.p, row.r).String()
			for _, want := range row.want {
				if !strings.Contains(got, want) {
					t.Errorf("want %s\nin\n%s", want, got)
				}
			}
		})
	}
}

func withList(r *Request, key string, values ...string) *Request {
	r.Context.SetNamedList(key, values)
	return r
}

func TestStatementsAboutSomethingElseAreNotNear(t *testing.T) {
	x := Explain(readers(), ask("s3:PutObject", "arn:aws:s3:::photos/x"))
	if near := x.Layers[0].Near; len(near) != 1 || near[0].Statement.Index != 2 {
		t.Errorf("got %+v, want the Deny alone", near)
	}
}

func TestManyNearMissesAreCounted(t *testing.T) {
	statement := `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*"},`
	p := Policies{Identity: PolicySet{{"many", `{"Version":"2012-10-17","Statement":[` + strings.TrimSuffix(strings.Repeat(statement, 8), ",") + `]}`}}}
	x := Explain(p, ask("s3:GetObject", "arn:aws:s3:::b/x"))
	if v := x.Layers[0]; len(v.Near) != NearLimit || v.More != 3 {
		t.Errorf("got %d and %d more", len(v.Near), v.More)
	}
	if !strings.Contains(x.String(), "and 3 more that are as near") {
		t.Errorf("got\n%s", x)
	}
}

func TestExplanationsMarshal(t *testing.T) {
	got, err := json.Marshal(Explain(readers(), ask("s3:ListBucket", "arn:aws:s3:::reports", "s3:prefix", "x", "aws:SecureTransport", "true")))
	want := `{"principal":"arn:aws:iam::111122223333:user/alice","action":"s3:ListBucket","resource":"arn:aws:s3:::reports","effect":"DENY","explicit":false,"layer":"identity",` +
		`"layers":[{"layer":"identity","verdict":"does not allow","statements":3,"near":[` +
		`{"statement":{"policy":"readers","index":1,"sid":"List","effect":"Allow","line":5},"element":"StringEquals","key":"s3:prefix","line":6,"column":37,"expected":["home/","tmp/"],"got":["x"]},` +
		`{"statement":{"policy":"readers","index":2,"effect":"Deny","line":7},"element":"NotIpAddress","key":"aws:SourceIp","line":7,"column":90,"expected":["10.0.0.0/8"],"none":true,"got":["10.1.2.3"]}]}]}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s (%v)\nwant %s", got, err, want)
	}
}

// TestExplanationsAgreeWithTheReference: the decision is the reference's, the
// deciding layer says the same, and a statement misses an element if and only if
// it does not apply.
func TestExplanationsAgreeWithTheReference(t *testing.T) {
	for seed := range uint64(1500) {
		g := newGenerator(seed)
		r := g.newRequest()
		p := g.policies()
		x, want := Explain(p, r), Reference(p, r)
		if x.Decision != want {
			t.Fatalf("seed %d: explained as %+v, decided as %+v", seed, x.Decision, want)
		}
		if why := inconsistent(&x); why != "" {
			t.Fatalf("seed %d: %s\n%s\n%s", seed, why, x, describe(p, r))
		}
		e := evaluate(read(p), r)
		for i := range e.findings {
			f := &e.findings[i]
			if misses := e.matcher(f).misses(); (len(misses) > 0) != (f.applies == no) {
				t.Fatalf("seed %d: %v applies %d and misses %+v\n%s", seed, f.named(), f.applies, misses, describe(p, r))
			}
		}
	}
}

// inconsistent says where the layers and the decision contradict one another.
func inconsistent(x *Explanation) string {
	d := x.Decision
	if (x.By != nil) != (d.Statement >= 0) {
		return "the deciding statement is lost"
	}
	found := d.Layer == NoLayer || d.Layer == RootLayer
	for _, v := range x.Layers {
		switch {
		case v.Layer != d.Layer.String():
		case d.Explicit && v.Verdict == Denies, !d.Explicit && d.Effect == Deny && v.Verdict == AllowsNot:
			found = true
		case d.Effect == Allow && v.Verdict == Allows:
			found = true
		}
		if d.Effect == Allow && v.Verdict == Denies || !d.Explicit && v.Verdict == Denies {
			return "a layer denies, the decision does not say so"
		}
	}
	if !found {
		return "no layer says what the decision says"
	}
	if x.By != nil && d.Effect == Deny && x.By.Effect != policy.Deny.String() {
		return "an Allow denies"
	}
	return ""
}
