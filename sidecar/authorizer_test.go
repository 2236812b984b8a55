package sidecar

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/s3"
	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar/protocol"
)

func TestDecisions(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice", document(readAll, noSecret))
	w.key(alice.Ref(), "AKIAALICE")
	bob := w.user("bob")
	w.key(bob.Ref(), "AKIABOB")
	w.key(iam.Ref{Account: iam.FirstAccount, Kind: iam.KindRoot}, "AKIAROOT")
	w.caughtUp(w.auth)
	wrong := cred("AKIAALICE")
	wrong.Secret = "something else"

	tests := []struct {
		name           string
		as             sigv4.Credentials
		method, target string
		want           iam.Code
	}{
		{"what a policy allows passes", cred("AKIAALICE"), "GET", "/bucket/report", ""},
		{"what no policy allows is denied", cred("AKIAALICE"), "PUT", "/bucket/report", iam.AccessDenied},
		{"what a policy denies is denied although another allows it", cred("AKIAALICE"), "GET", "/bucket/secret/x", iam.AccessDenied},
		{"without policies nothing passes", cred("AKIABOB"), "GET", "/bucket/report", iam.AccessDenied},
		{"root may", cred("AKIAROOT"), "DELETE", "/bucket", ""},
		{"anonymous may not", sigv4.Credentials{}, "GET", "/bucket/report", iam.AccessDenied},
		{"a wrong secret", wrong, "GET", "/bucket/report", iam.SignatureDoesNotMatch},
		{"an unknown key", cred("AKIANOBODY"), "GET", "/bucket/report", sigv4.InvalidAccessKeyID},
		{"a token with a long-term key", sigv4.Credentials{AccessKeyID: "AKIAALICE", Secret: "akiaalice", Token: "x"}, "GET", "/bucket/report", sigv4.InvalidToken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.t = t
			w.want(w.ask(w.auth, tt.as, tt.method, tt.target), tt.want)
		})
	}
}

func TestDecisionsSayWhy(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice", document(readAll), document(noSecret))
	index := w.key(alice.Ref(), "AKIAALICE")
	w.caughtUp(w.auth)

	d := w.ask(w.auth, cred("AKIAALICE"), "GET", "/bucket/a%20b")
	if d.Bucket != "bucket" || d.Key != "a b" || d.Action != "s3:GetObject" || d.Resource != "arn:aws:s3:::bucket/a b" {
		t.Errorf("operation: %+v", d)
	}
	if d.Principal != alice.ARN() || d.Name != "alice" || d.AccessKey != "AKIAALICE" || d.Index != index {
		t.Errorf("caller: %+v", d)
	}
	if d.Reason.Policy != "p1" || d.Statement() != "Read" || d.Why() != "allowed" {
		t.Errorf("reason: %+v", d.Reason)
	}
	d = w.ask(w.auth, cred("AKIAALICE"), "GET", "/bucket/secret/x")
	want := `User: arn:aws:iam::000000000000:user/alice is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::bucket/secret/x" with an explicit deny in an identity-based policy`
	if d.Message() != want || d.Statement() != "NoSecret" || d.Reason.Policy != "p2" {
		t.Errorf("got %s\nwant %s\n%+v", d.Message(), want, d.Reason)
	}
	d = w.ask(w.auth, cred("AKIAALICE"), "PUT", "/bucket/x")
	want = `User: arn:aws:iam::000000000000:user/alice is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::bucket/x" because no identity-based policy allows the s3:PutObject action`
	if d.Message() != want {
		t.Errorf("got %s\nwant %s", d.Message(), want)
	}
}

func TestSessions(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice", document(readAll))
	all := w.session(alice, "ASIAALL")
	narrow := w.session(alice, "ASIANARROW", func(s *iam.Session) {
		s.Policies = []string{document(`{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::bucket/january/*"}`)}
	})
	other := w.session(alice, "ASIAOTHER")
	stranger := w.session(&iam.User{Account: iam.FirstAccount, Name: "alice", ID: "AIDAFORMER"}, "ASIAFORMER")
	w.caughtUp(w.auth)
	get := func(c sigv4.Credentials, target string) Decision { return w.ask(w.auth, c, "GET", target) }

	w.want(get(all, "/bucket/x"), "")
	w.want(get(narrow, "/bucket/january/x"), "")
	w.want(get(narrow, "/bucket/february/x"), iam.AccessDenied)
	w.want(w.ask(w.auth, narrow, "PUT", "/bucket/january/x"), iam.AccessDenied)
	w.want(get(stranger, "/bucket/x"), sigv4.InvalidToken)

	noToken := all
	noToken.Token = ""
	w.want(get(noToken, "/bucket/x"), sigv4.InvalidAccessKeyID)
	foreign := all
	foreign.Token = other.Token
	w.want(get(foreign, "/bucket/x"), sigv4.InvalidToken)
	broken := all
	broken.Token = "AAAA" + all.Token[4:]
	w.want(get(broken, "/bucket/x"), sigv4.InvalidToken)

	w.store.Write(iam.Change{Delete: &iam.Deletion{Table: iam.TableSessions, Name: "ASIAALL"}})
	w.caughtUp(w.auth)
	w.want(get(all, "/bucket/x"), sigv4.InvalidToken)

	w.pass(2 * time.Hour)
	w.caughtUp(w.auth)
	w.want(get(narrow, "/bucket/january/x"), iam.ExpiredToken)
	w.store.Write(iam.Change{Delete: &iam.Deletion{Table: iam.TableSessions, Name: "ASIANARROW"}})
	w.caughtUp(w.auth)
	w.want(get(narrow, "/bucket/january/x"), iam.ExpiredToken)
}

func TestWhatTakesAuthorityAwayEndsAtItsIndex(t *testing.T) {
	inactive := func(u iam.User) *iam.User { u.Status = iam.Inactive; return &u }
	tests := []struct {
		name   string
		change func(u *iam.User) []iam.Change
		want   iam.Code
	}{
		{"a deleted key", func(*iam.User) []iam.Change {
			return []iam.Change{{Delete: &iam.Deletion{Table: iam.TableAccessKeys, Name: "AKIAALICE"}}}
		}, sigv4.InvalidAccessKeyID},
		{"a disabled key", func(u *iam.User) []iam.Change {
			k := keyOf(u.Ref(), "AKIAALICE")
			k.Status = iam.Inactive
			return []iam.Change{{AccessKey: k}}
		}, sigv4.InvalidAccessKeyID},
		{"a disabled user", func(u *iam.User) []iam.Change {
			return []iam.Change{{User: inactive(*u)}}
		}, sigv4.InvalidAccessKeyID},
		{"a deleted user", func(u *iam.User) []iam.Change {
			return []iam.Change{{Delete: &iam.Deletion{Table: iam.TableUsers, Account: u.Account, Name: u.Name}}}
		}, sigv4.InvalidAccessKeyID},
		{"a detached policy", func(u *iam.User) []iam.Change {
			bare := *u
			bare.Attached = nil
			return []iam.Change{{User: &bare}}
		}, iam.AccessDenied},
		{"a narrowed policy", func(u *iam.User) []iam.Change {
			return []iam.Change{{Policy: managed("reading", document(noSecret))}}
		}, iam.AccessDenied},
		{"a guard rail", func(*iam.User) []iam.Change {
			return []iam.Change{{Settings: &iam.Settings{GuardRails: [][]string{{document(writeAll)}}}}}
		}, iam.AccessDenied},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.store.Write(iam.Change{Policy: managed("reading", document(readAll))})
			alice := w.user("alice")
			with := *alice
			with.Attached = []iam.ARN{"arn:aws:iam::000000000000:policy/reading"}
			w.store.Write(iam.Change{User: &with})
			w.key(alice.Ref(), "AKIAALICE")
			w.caughtUp(w.auth)
			w.want(w.ask(w.auth, cred("AKIAALICE"), "GET", "/bucket/x"), "")
			w.store.Write(tt.change(&with)...)
			w.caughtUp(w.auth)
			w.want(w.ask(w.auth, cred("AKIAALICE"), "GET", "/bucket/x"), tt.want)
		})
	}
}

func managed(name, doc string) *iam.Policy {
	return &iam.Policy{
		Account: iam.FirstAccount, Name: name, Path: "/", Default: 1, Next: 2,
		Versions: []iam.PolicyVersion{{Number: 1, Document: doc}},
	}
}

func TestAnUnknownKeyWaitsForTheIndexThatTheStoreConfirms(t *testing.T) {
	w := newWorld(t)
	w.caughtUp(w.auth)
	w.store.Hold()
	alice := w.user("alice", document(readAll))
	w.key(alice.Ref(), "AKIANEW")

	answer := make(chan Decision)
	go func() { answer <- w.ask(w.auth, cred("AKIANEW"), "GET", "/bucket/x") }()
	select {
	case d := <-answer:
		t.Fatalf("answered %s before the view was current", d.Code())
	case <-time.After(50 * time.Millisecond):
	}
	w.store.Release()
	w.want(<-answer, "")
}

func TestASessionTokenSaysHowFarToWait(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice", document(readAll))
	w.caughtUp(w.auth)
	w.store.Hold()
	session := w.session(alice, "ASIANEW")
	answer := make(chan Decision)
	go func() { answer <- w.ask(w.auth, session, "GET", "/bucket/x") }()
	w.store.Release()
	w.want(<-answer, "")
}

func TestANewSecretWorksAtOnceAndTheOldOneNot(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice", document(readAll))
	w.key(alice.Ref(), "AKIAALICE")
	w.caughtUp(w.auth)
	w.want(w.ask(w.auth, cred("AKIAALICE"), "GET", "/bucket/x"), "")

	w.store.Hold()
	w.store.Secret("AKIAALICE", "rotated")
	w.store.Write(iam.Change{AccessKey: keyOf(alice.Ref(), "AKIAALICE")})
	rotated := sigv4.Credentials{AccessKeyID: "AKIAALICE", Secret: "rotated"}
	answer := make(chan Decision)
	go func() { answer <- w.ask(w.auth, rotated, "GET", "/bucket/x") }()
	w.store.Release()
	w.want(<-answer, "")
	w.want(w.ask(w.auth, cred("AKIAALICE"), "GET", "/bucket/x"), iam.SignatureDoesNotMatch)
}

func TestADenialOfANewKeyIsLookedAtAgain(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	k := keyOf(alice.Ref(), "AKIAYOUNG")
	k.Created = iam.At(noon)
	w.store.Secret(k.ID, "akiayoung")
	w.store.Write(iam.Change{AccessKey: k})
	w.caughtUp(w.auth)
	w.store.Hold()
	w.user("alice", document(readAll))
	answer := make(chan Decision)
	go func() { answer <- w.ask(w.auth, cred("AKIAYOUNG"), "GET", "/bucket/x") }()
	w.store.Release()
	w.want(<-answer, "")
}

func TestMinIndexIsWaitedForAndNeverAnswered403(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Patience = 20 * time.Millisecond })
	alice := w.user("alice", document(readAll))
	w.key(alice.Ref(), "AKIAALICE")
	w.caughtUp(w.auth)
	q := w.signed(cred("AKIAALICE"), "GET", "/bucket/x")
	q.MinIndex = w.store.View().Index() + 1
	var d Decision
	w.auth.Authorize(context.Background(), q, &d)
	if d.Code() != sigv4.SlowDown || d.Status() != 503 {
		t.Errorf("got %s %d, want SlowDown 503", d.Code(), d.Status())
	}
	w.user("bob")
	w.auth.Authorize(context.Background(), q, &d)
	w.want(d, "")
}

func TestACutOffSidecarServesUntilMaxStaleness(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Patience = 50 * time.Millisecond })
	alice := w.user("alice", document(readAll))
	w.key(alice.Ref(), "AKIAALICE")
	w.store.Write(iam.Change{Settings: &iam.Settings{MaxStaleness: 60}})
	w.caughtUp(w.auth)
	w.want(w.ask(w.auth, cred("AKIAALICE"), "GET", "/bucket/x"), "")
	w.store.Stop()
	w.pass(50 * time.Second)
	d := w.ask(w.auth, cred("AKIAALICE"), "GET", "/bucket/x")
	w.want(d, "")
	if d.Staleness < 49*time.Second {
		t.Errorf("staleness %v, want at least 49 s", d.Staleness)
	}
	w.want(w.ask(w.auth, cred("AKIANOBODY"), "GET", "/bucket/x"), iam.ServiceUnavailable)
	w.want(w.ask(w.auth, cred("AKIAALICE"), "PUT", "/bucket/x"), iam.AccessDenied)
	w.pass(20 * time.Second)
	for _, method := range []string{"GET", "PUT"} {
		w.want(w.ask(w.auth, cred("AKIAALICE"), method, "/bucket/x"), iam.ServiceUnavailable)
	}
	w.store.Start()
	w.caughtUp(w.auth)
	w.want(w.ask(w.auth, cred("AKIAALICE"), "GET", "/bucket/x"), "")
}

func TestBeforeTheFirstViewEverythingIsUnavailable(t *testing.T) {
	w := newWorld(t)
	config := DefaultConfig()
	config.Now = w.now
	a, err := New(config, w.store)
	if err != nil {
		t.Fatal(err)
	}
	w.want(w.ask(a, cred("AKIAALICE"), "GET", "/bucket/x"), iam.ServiceUnavailable)
	w.want(w.ask(a, sigv4.Credentials{}, "GET", "/bucket/x"), iam.ServiceUnavailable)
}

func TestAFloodOfUnknownKeysCostsTheStoreABoundedRate(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.ConfirmGap = 20 * time.Millisecond; c.Prove = time.Hour })
	before := w.store.Confirms()
	began := time.Now()
	done := make(chan Decision)
	const keys = 2000
	for i := range keys {
		go func() {
			c := cred("AKIAUNKNOWN" + string(rune('A'+i%26)) + time.Duration(i).String())
			done <- w.ask(w.auth, c, "GET", "/bucket/x")
		}()
	}
	for range keys {
		w.want(<-done, sigv4.InvalidAccessKeyID)
	}
	most := int(time.Since(began)/(20*time.Millisecond)) + 2
	if asked := w.store.Confirms() - before; asked > most {
		t.Errorf("%d keys asked the store %d times, want at most %d", keys, asked, most)
	}
	if w.store.Fetches() != 0 {
		t.Errorf("%d signing keys were asked for", w.store.Fetches())
	}
}

func TestFactsThatOnlyTheServerKnows(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice", document(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"*",
		"Condition":{"StringEquals":{"s3:ExistingObjectTag/class":"public"}}}`))
	w.key(alice.Ref(), "AKIAALICE")
	w.caughtUp(w.auth)
	ask := func(facts ...protocol.Pair) Decision {
		q := w.signed(cred("AKIAALICE"), "GET", "/bucket/x")
		q.Facts = facts
		var d Decision
		w.auth.Authorize(context.Background(), q, &d)
		return d
	}
	d := ask()
	if d.Effect != authz.Need || len(d.Missing) != 1 || d.Missing[0] != "s3:ExistingObjectTag/*" {
		t.Errorf("got %v, missing %q", d.Effect, d.Missing)
	}
	w.want(ask(protocol.Pair{Name: "s3:ExistingObjectTag/class", Value: "public"}), "")
	all := protocol.Pair{Name: "s3:ExistingObjectTag/*"}
	w.want(ask(all, protocol.Pair{Name: "s3:ExistingObjectTag/class", Value: "secret"}), iam.AccessDenied)
	w.want(ask(all), iam.AccessDenied)
}

func TestTheServerCannotSpeakForTheCaller(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice", document(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"*",
		"Condition":{"StringEquals":{"aws:PrincipalTag/team":"blue"}}}`))
	w.key(alice.Ref(), "AKIAALICE")
	w.caughtUp(w.auth)
	q := w.signed(cred("AKIAALICE"), "GET", "/bucket/x")
	q.Facts = []protocol.Pair{{Name: "aws:PrincipalTag/team", Value: "blue"}, {Name: "AWS:PrincipalTag/team", Value: "blue"}}
	var d Decision
	w.auth.Authorize(context.Background(), q, &d)
	w.want(d, iam.AccessDenied)
}

func TestBucketPolicies(t *testing.T) {
	w := newWorld(t)
	bob := w.user("bob")
	w.key(bob.Ref(), "AKIABOB")
	open := document(`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::public/*"}`)
	w.store.Write(iam.Change{Bucket: &iam.Bucket{Name: "public", Account: iam.FirstAccount, Policy: open}})
	w.caughtUp(w.auth)
	w.want(w.ask(w.auth, sigv4.Credentials{}, "GET", "/public/x"), "")
	w.want(w.ask(w.auth, sigv4.Credentials{}, "PUT", "/public/x"), iam.AccessDenied)
	w.want(w.ask(w.auth, cred("AKIABOB"), "GET", "/public/x"), "")
	w.want(w.ask(w.auth, cred("AKIABOB"), "GET", "/private/x"), iam.AccessDenied)
	q := w.signed(cred("AKIABOB"), "GET", "/served/x")
	q.BucketPolicy = document(`{"Effect":"Allow","Principal":{"AWS":"` + string(bob.ARN()) + `"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::served/*"}`)
	var d Decision
	w.auth.Authorize(context.Background(), q, &d)
	w.want(d, "")
}

func TestDeleteObjectsNeedsItsBody(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice", document(`{"Effect":"Allow","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::bucket/mine/*"}`))
	w.key(alice.Ref(), "AKIAALICE")
	w.caughtUp(w.auth)
	ask := func(body string) Decision {
		q := w.signed(cred("AKIAALICE"), "POST", "/bucket?delete")
		q.Body, q.HasBody = []byte(body), body != ""
		var d Decision
		w.auth.Authorize(context.Background(), q, &d)
		return d
	}
	if d := ask(""); d.Effect != authz.Need || d.Missing[0] != "body:Delete" {
		t.Errorf("without the body: got %v, missing %q", d.Effect, d.Missing)
	}
	w.want(ask(`<Delete><Object><Key>mine/a</Key></Object></Delete>`), "")
	w.want(ask(`<Delete><Object><Key>mine/a</Key></Object><Object><Key>b</Key></Object></Delete>`), iam.AccessDenied)
}

func TestAMultiDeleteIsDecidedKeyByKey(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice", document(
		`{"Effect":"Allow","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::bucket/mine/*"}`,
		`{"Sid":"Kept","Effect":"Deny","Action":"s3:DeleteObject*","Resource":"arn:aws:s3:::bucket/mine/kept"}`,
		`{"Effect":"Allow","Action":"s3:DeleteObjectVersion","Resource":"arn:aws:s3:::bucket/old"}`))
	w.key(alice.Ref(), "AKIAALICE")
	w.caughtUp(w.auth)
	type word struct {
		key, action string
		code        iam.Code
	}
	ask := func(c sigv4.Credentials, target, body string) (words []word, each bool) {
		t.Helper()
		q := w.signed(c, "POST", target)
		q.Body, q.HasBody = []byte(body), body != ""
		var d Decision
		w.auth.AuthorizeObjects(context.Background(), q, &d, func(d *Decision) {
			if d.Allowed() != (d.Code() == "" && d.Effect != authz.Need) {
				t.Errorf("%s: effect %v and code %q", d.Key, d.Effect, d.Code())
			}
			words, each = append(words, word{d.Key, d.Action, d.Code()}), d.Each
		})
		return words, each
	}
	list := `<Delete><Object><Key>mine/a</Key></Object><Object><Key>other</Key></Object><Object><Key>mine/kept</Key></Object>` +
		`<Object><Key>old</Key><VersionId>v1</VersionId></Object><Object><Key>old</Key></Object><Object><Key>mine/../b</Key></Object></Delete>`
	got, each := ask(cred("AKIAALICE"), "/bucket?delete", list)
	want := []word{{"mine/a", "s3:DeleteObject", ""}, {"other", "s3:DeleteObject", iam.AccessDenied}, {"mine/kept", "s3:DeleteObject", iam.AccessDenied},
		{"old", "s3:DeleteObjectVersion", ""}, {"old", "s3:DeleteObject", iam.AccessDenied}, {"mine/../b", "s3:DeleteObject", ""}}
	if !each || !slices.Equal(got, want) {
		t.Errorf("got %v, each %v\nwant %v", got, each, want)
	}
	wrong := cred("AKIAALICE")
	wrong.Secret = "wrong"
	for name, row := range map[string]struct {
		c            sigv4.Credentials
		target, body string
		code         iam.Code
	}{
		"a wrong signature":          {wrong, "/bucket?delete", list, iam.SignatureDoesNotMatch},
		"a list that is none":        {cred("AKIAALICE"), "/bucket?delete", "<Delete/>", s3.MalformedXML},
		"a body that was not given":  {cred("AKIAALICE"), "/bucket?delete", "", ""},
		"an operation without lists": {cred("AKIAALICE"), "/bucket/mine/a?uploads", "", iam.AccessDenied},
	} {
		got, each := ask(row.c, row.target, row.body)
		if each || len(got) != 1 || got[0].code != row.code {
			t.Errorf("%s: got %v, each %v, want %s once", name, got, each, row.code)
		}
	}
}

// A key that is revoked while a list is decided does not make the rest anonymous.
func TestAKeyThatIsRevokedWithinAListIsRefusedForTheRest(t *testing.T) {
	w := newWorld(t)
	public := document(`{"Effect":"Allow","Principal":"*","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::bucket/public/*"}`)
	bob := w.user("bob")
	young := keyOf(bob.Ref(), "AKIAYOUNG")
	young.Created = iam.At(noon)
	w.store.Secret("AKIAYOUNG", "akiayoung")
	w.store.Write(iam.Change{AccessKey: young})
	w.caughtUp(w.auth)
	q := w.signed(cred("AKIAYOUNG"), "POST", "/bucket?delete")
	q.BucketPolicy, q.HasBody = public, true
	q.Body = []byte(`<Delete><Object><Key>public/a</Key></Object><Object><Key>b</Key></Object><Object><Key>public/c</Key></Object></Delete>`)
	var d Decision
	var codes []iam.Code
	w.auth.AuthorizeObjects(context.Background(), q, &d, func(d *Decision) {
		if codes = append(codes, d.Code()); len(codes) == 1 {
			w.store.Write(iam.Change{Delete: &iam.Deletion{Table: iam.TableAccessKeys, Name: "AKIAYOUNG"}})
			w.caughtUp(w.auth)
		}
	})
	if want := []iam.Code{"", sigv4.InvalidAccessKeyID, sigv4.InvalidAccessKeyID}; !slices.Equal(codes, want) {
		t.Errorf("got %q, want %q", codes, want)
	}
}

func TestABrowserFormIsDecidedByItsFields(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice", document(`{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::bucket/user/*","Condition":{"StringEquals":{"s3:authType":"POST"}}}`))
	w.key(alice.Ref(), "AKIAALICE")
	w.caughtUp(w.auth)
	const scope = "20260102/us-east-1/s3/aws4_request"
	policy := base64.StdEncoding.EncodeToString([]byte(`{"expiration":"2026-01-02T13:00:00Z","conditions":[{"bucket":"bucket"},["starts-with","$key",""],{"x-amz-algorithm":"AWS4-HMAC-SHA256"},{"x-amz-credential":"AKIAALICE/` + scope + `"},{"x-amz-date":"20260102T120000Z"}]}`))
	day := sigv4.DeriveDayKey("akiaalice", sigv4.Scope{Date: "20260102", Region: "us-east-1", Service: sigv4.S3})
	signature := hex.EncodeToString(hmacSHA256(day[:], policy))
	form := func(key, signature string) string {
		var b strings.Builder
		for _, f := range [][2]string{{"key", key}, {"policy", policy}, {"x-amz-algorithm", "AWS4-HMAC-SHA256"}, {"x-amz-credential", "AKIAALICE/" + scope}, {"x-amz-date", "20260102T120000Z"}, {"x-amz-signature", signature}} {
			if f[1] != "" {
				b.WriteString("--b\r\nContent-Disposition: form-data; name=\"" + f[0] + "\"\r\n\r\n" + f[1] + "\r\n")
			}
		}
		return b.String() + "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"cat.jpg\"\r\n\r\n"
	}
	unsigned := "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nuser/a\r\n--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n"
	for _, row := range []struct {
		name, target, body, key string
		effect                  authz.Effect
		code                    iam.Code
	}{
		{"a form within its policy and alice's", "/bucket", form("user/${filename}", signature), "user/cat.jpg", authz.Allow, ""},
		{"a key that alice may not write", "/bucket", form("other/a", signature), "other/a", authz.Deny, iam.AccessDenied},
		{"another bucket than the policy's", "/other", form("user/a", signature), "", authz.Deny, iam.AccessDenied},
		{"a wrong signature", "/bucket", form("user/a", strings.Repeat("0", 64)), "", authz.Deny, iam.SignatureDoesNotMatch},
		{"a form without a key", "/bucket", form("", signature), "", authz.Deny, sigv4.InvalidArgument},
		{"nobody's form", "/bucket", unsigned, "user/a", authz.Deny, iam.AccessDenied},
		{"a form whose body was not given", "/bucket", "", "", authz.Need, ""},
	} {
		q := w.signed(sigv4.Credentials{}, "POST", row.target)
		q.Headers = append(q.Headers, protocol.Pair{Name: "Content-Type", Value: "multipart/form-data; boundary=b"})
		q.Body, q.HasBody = []byte(row.body), row.body != ""
		var d Decision
		w.auth.Authorize(context.Background(), q, &d)
		if d.Effect != row.effect || d.Code() != row.code || d.Key != row.key {
			t.Errorf("%s: %v %s, key %q (%s); want %v %s, key %q", row.name, d.Effect, d.Code(), d.Key, d.Message(), row.effect, row.code, row.key)
		}
		if row.effect == authz.Need && !slices.Equal(d.Missing, []string{"body:multipart/form-data"}) {
			t.Errorf("%s: missing %q", row.name, d.Missing)
		}
	}
}
