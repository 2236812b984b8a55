package sidecar

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"testing"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/authz/s3"
	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar/protocol"
)

// A key that nobody knows yet must be left open, or a Deny that turns on it would
// not bite.
func TestEveryKeyThatAMissingBodyLeavesUnknownIsLeftOpen(t *testing.T) {
	mapper, err := s3.New(s3.Config{Endpoints: []string{"s3.example.net"}})
	if err != nil {
		t.Fatal(err)
	}
	covered := s3.KeySet(0)
	for k, facts := range unknowns {
		if facts != 0 {
			covered |= 1 << k
		}
	}
	seen := s3.KeySet(0)
	for _, row := range []struct{ method, target string }{
		{"PUT", "/bucket"}, {"PUT", "/bucket?inventory&id=a"}, {"PUT", "/bucket?replication"}, {"PUT", "/bucket?tagging"},
		{"PUT", "/bucket/key?encryption"}, {"PUT", "/bucket/key?tagging"}, {"PUT", "/bucket/key?retention"}, {"PUT", "/bucket/key?legal-hold"},
		{"GET", "/bucket/key"}, {"PUT", "/bucket?object-lock"},
	} {
		var result s3.Result
		request := s3.Request{Method: row.method, Target: row.target, Host: "s3.example.net"}
		if err := mapper.Map(&request, &result); err != nil {
			t.Fatalf("%s %s: %v", row.method, row.target, err)
		}
		for i := range result.Needs {
			unknown := result.Needs[i].Unknown
			seen |= unknown
			for k := s3.Key(1); int(k) < s3.NumKeys; k++ {
				if unknown.Has(k) && !covered.Has(k) {
					t.Errorf("%s %s: %s is unknown, but no fact stands for it", row.method, row.target, k.Name())
				}
			}
		}
	}
	for _, k := range []s3.Key{s3.KeySSE, s3.KeyInventoryFields, s3.KeyReplicationPause, s3.KeyExistingObjectTag} {
		if !seen.Has(k) {
			t.Errorf("no request left %s unknown, so this test shows less than it says", k.Name())
		}
	}
}

// Values are supplied when a decision asks; whatever it asks for, it has to be told
// what the request, its caller and its time are, and nothing else.
func TestADecisionIsToldEveryConditionKeyThatItAsksFor(t *testing.T) {
	w := newWorld(t)
	alice := *w.user("alice")
	alice.Tags = []iam.Tag{{Key: "team", Value: "blue"}}
	w.store.Write(iam.Change{User: &alice})
	w.key(alice.Ref(), "AKIAALICE")
	session := w.session(&alice, "ASIAALICE", func(s *iam.Session) { s.SourceIdentity = "carol" })
	w.caughtUp(w.auth)

	ofEveryone := map[string]string{
		"aws:CurrentTime": "2026-01-02T12:00:00Z", "aws:EpochTime": strconv.FormatInt(noon.Unix(), 10),
		"aws:PrincipalType": "User", "aws:username": "alice", "aws:userid": "AIDAALICE", "aws:PrincipalArn": "arn:aws:iam::" + string(iam.FirstAccount) + ":user/alice",
		"aws:PrincipalAccount": string(iam.FirstAccount), "aws:PrincipalIsAWSService": "false", "aws:PrincipalTag/team": "blue",
		"aws:ViaAWSService": "false", "aws:RequestedRegion": "us-east-1", "aws:ResourceAccount": "999988887777", "s3:ResourceAccount": "999988887777",
		"aws:SecureTransport": "true", "s3:TlsVersion": "1.3", "aws:SourceIp": "192.0.2.1", "aws:UserAgent": "curl", "aws:Referer": "http://r/",
		"s3:authType": "REST-HEADER", "s3:signatureversion": "AWS4-HMAC-SHA256", "s3:signatureAge": "0", "s3:x-amz-content-sha256": "UNSIGNED-PAYLOAD",
	}
	for _, row := range []struct {
		name           string
		who            sigv4.Credentials
		method, target string
		more           map[string]string // besides ofEveryone
		open           authz.Facts
	}{
		{"an upload", cred("AKIAALICE"), "PUT", "/bucket/x?x-amz-tagging=class%3Dopen&x-amz-storage-class=GLACIER", map[string]string{
			"s3:x-amz-storage-class": "GLACIER", "s3:RequestObjectTag/class": "open", "s3:RequestObjectTagKeys": "class", "s3:ObjectCreationOperation": "true",
		}, 0},
		{"a copy", cred("AKIAALICE"), "PUT", "/bucket/x?x-amz-copy-source=src%2Fk&x-amz-tagging-directive=REPLACE", map[string]string{
			"s3:ExistingObjectTag/class": "stated",
		}, authz.ExistingObjectTags},
		{"a listing", cred("AKIAALICE"), "GET", "/bucket?list-type=2&prefix=a%2F&max-keys=7", map[string]string{"s3:prefix": "a/", "s3:max-keys": "7"}, 0},
		{"a session", session, "GET", "/bucket/x", map[string]string{
			"aws:TokenIssueTime": iam.At(noon.Add(longAgo)).ISO(), "aws:MultiFactorAuthPresent": "false", "aws:SourceIdentity": "carol",
			"s3:ExistingObjectTag/class": "stated",
		}, authz.ExistingObjectTags},
	} {
		t.Run(row.name, func(t *testing.T) {
			q := w.signed(row.who, row.method, row.target)
			q.Secure, q.TLSVersion = true, "1.3"
			q.Headers = append(q.Headers, protocol.Pair{Name: "User-Agent", Value: "curl"}, protocol.Pair{Name: "Referer", Value: "http://r/"})
			if row.more["s3:ExistingObjectTag/class"] != "" {
				q.Facts = []protocol.Pair{{Name: "s3:ExistingObjectTag/class", Value: "stated"}}
			}
			var d Decision
			i := w.auth.inquire(context.Background(), &d)
			if err := i.understand(q); err != nil {
				t.Fatal(err)
			}
			i.describe(&i.result.Needs[0], "999988887777")
			want := maps.Clone(ofEveryone)
			maps.Copy(want, row.more)
			names := slices.Collect(maps.Keys(want))
			for k := range policy.Keys {
				names = append(names, k.String())
			}
			names = append(names, "aws:PrincipalTag/other", "s3:RequestObjectTag/other", "aws:RequestTag/other", "x:custom")
			slices.Sort(names)
			for _, name := range slices.Compact(names) {
				got, _ := i.context.Lookup(name)
				text, known := want[name]
				if got.Present != known || known && !slices.Equal(got.Values, []string{text}) {
					t.Errorf("%s: got %+v, want %q", name, got, text)
				}
			}
			if _, open := i.context.Lookup("s3:ExistingObjectTag/other"); open != row.open {
				t.Errorf("open: %v, want %v", open, row.open)
			}
		})
	}
}

// A policy may write the source of a copy with or without a slash in front, and a
// client may send it so, or encoded; or an S3 server may state it.
func TestACopySourceMatchesHoweverItIsWritten(t *testing.T) {
	w := newWorld(t)
	for _, p := range []struct{ name, effect, operator, pattern string }{
		{"allowed", "Allow", "StringLike", "src/public/*"}, {"allowed2", "Allow", "StringLike", "/src/public/*"},
		{"denied", "Deny", "StringLike", "src/secret/*"}, {"denied2", "Deny", "StringLike", "/src/secret/*"},
		{"only", "Deny", "StringNotLike", "src/public/*"}, {"only2", "Deny", "StringNotLike", "/src/public/*"},
	} {
		statements := []string{`{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`,
			`{"Effect":"` + p.effect + `","Action":"s3:PutObject","Resource":"*","Condition":{"` + p.operator + `":{"s3:x-amz-copy-source":"` + p.pattern + `"}}}`}
		if p.effect == "Deny" {
			statements = append(statements, writeAll)
		}
		w.key(w.user(p.name, document(statements...)).Ref(), "AKIA"+p.name)
	}
	w.caughtUp(w.auth)
	for _, who := range []string{"allowed", "allowed2", "denied", "denied2", "only", "only2"} {
		for _, row := range []struct {
			source string
			want   iam.Code
		}{
			{"src/public/a", ""}, {"/src/public/a", ""}, {"src/%70ublic/a", ""}, {"%2Fsrc%2Fpublic%2Fa", ""},
			{"src/secret/a", iam.AccessDenied}, {"/src/secret/a", iam.AccessDenied}, {"/src/%73ecret/a", iam.AccessDenied},
			{"%2Fsrc%2Fsecret%2Fa", iam.AccessDenied},
		} {
			w.want(w.ask(w.auth, cred("AKIA"+who), "PUT", "/dst/k?x-amz-tagging-directive=REPLACE&x-amz-copy-source="+url.QueryEscape(row.source)), row.want)
			stated, err := url.PathUnescape(row.source)
			if err != nil {
				t.Fatal(err)
			}
			w.want(w.stated(cred("AKIA"+who), "s3:PutObject", "arn:aws:s3:::dst/k", protocol.Pair{Name: "S3:x-amz-copy-source", Value: stated}), row.want)
		}
	}
}

// stated asks as a server does that has verified the signature itself.
func (w *world) stated(c sigv4.Credentials, action, resource string, conditions ...protocol.Pair) Decision {
	w.t.Helper()
	var d Decision
	q := &Question{AccessKey: c.AccessKeyID, Conditions: conditions}
	inspection, err := w.auth.Inspect(context.Background(), q, &d)
	if err != nil {
		w.t.Fatal(err)
	}
	defer inspection.Close()
	inspection.Ask(action, resource)
	return d
}
