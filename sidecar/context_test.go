package sidecar

import (
	"context"
	"net/url"
	"testing"

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
	for _, u := range unknowns {
		for _, k := range u.keys {
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
