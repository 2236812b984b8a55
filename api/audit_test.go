package api

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/api/audit"
)

// audited is a world whose calls are recorded.
func audited(t *testing.T) (*world, string) {
	t.Helper()
	dir := t.TempDir()
	log, err := audit.Open(dir, "n1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	return newWorldAs(t, Config{Audit: log}), dir
}

func recorded(t *testing.T, dir string) (all []audit.Record) {
	t.Helper()
	entries, err := audit.Read(dir, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		var r audit.Record
		if err := json.Unmarshal(e.Record, &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func TestEveryCallOfSomebodyKnownIsRecorded(t *testing.T) {
	w, dir := audited(t)
	w.must(w.root, "CreateUser", "UserName", "alice", "Path", "/eng/")
	bob := w.user("bob")
	w.want(w.call(bob, "DeleteUser", "UserName", "alice"), 403, "AccessDenied")
	w.want(w.call(w.root, "DeleteUser", "UserName", "nobody"), 404, "NoSuchEntity")
	w.must(w.root, "GetUser", "UserName", "alice")
	w.mustJSON(w.root, "PATCH", "/v1/users/alice", `{"status":"Inactive"}`)
	w.want(w.call(credentials{"AKIANOBODY", "x", ""}, "DeleteUser", "UserName", "alice"), 403, "InvalidClientTokenId")
	got := recorded(t, dir)
	if _, err := audit.Verify(dir); err != nil {
		t.Error(err)
	}
	find := func(action, outcome string) audit.Record {
		for _, r := range got {
			if r.Action == action && r.Outcome == outcome {
				return r
			}
		}
		t.Errorf("no record of %s that ended with %s", action, outcome)
		return audit.Record{}
	}
	made := find("CreateUser", "ok")
	if made.Caller != "arn:aws:iam::000000000000:root" || made.Source != "127.0.0.1" || made.Index == 0 || made.Before == "" || made.Before == made.After ||
		made.Parameters["UserName"] != "alice" || made.Parameters["Path"] != "/eng/" || made.Request == "" || made.Node != "n1" || made.Time == "" {
		t.Errorf("%+v", made)
	}
	if r := find("DeleteUser", "AccessDenied"); r.Caller != "arn:aws:iam::000000000000:user/bob" || r.Index != 0 || r.Before != "" {
		t.Errorf("%+v", r)
	}
	find("DeleteUser", "NoSuchEntity")
	find("GetUser", "ok")
	if r := find("PATCH /v1/users/{name}", "ok"); r.Parameters["status"] != "Inactive" || r.Parameters["UserName"] != "alice" {
		t.Errorf("%+v", r)
	}
	for _, r := range got {
		if r.AccessKey == "AKIANOBODY" || r.Outcome == "InvalidClientTokenId" {
			t.Errorf("somebody unknown fills the disk: %+v", r)
		}
	}
}

// A recognisable secret goes through every call that takes one.
func TestSecretsAreNotRecorded(t *testing.T) {
	w, dir := audited(t)
	const secret = "Zq9-Planted-Secret"
	w.mustJSON(w.root, "POST", "/v1/users", `{"name":"alice","secret_key":"`+secret+`","tags":[{"key":"a","value":"b"}]}`)
	w.mustJSON(w.root, "PUT", "/v1/users/alice/secret-key", `{"secret_key":"`+secret+`2"}`)
	w.mustJSON(w.root, "POST", "/v1/users/alice/access-keys", `{"access_key_id":"minio_admin","secret_access_key":"`+secret+`"}`)
	w.call(w.root, "AssumeRoleWithWebIdentity", "RoleArn", "arn:aws:iam::000000000000:role/none", "RoleSessionName", "s", "WebIdentityToken", secret)
	w.call(w.root, "GetSessionToken", "TokenCode", "123456", "SerialNumber", "arn:aws:iam::000000000000:mfa/x")
	w.call(w.root, "CreateUser", "UserName", "x", "Password", secret)
	w.json(w.root, "POST", "/v1/users", `{"name":"y","nested":{"secret":"`+secret+`","list":[{"password":"`+secret+`"}]}}`)
	made := w.must(w.root, "CreateAccessKey", "UserName", "alice")
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{`"` + secret, secret + `"`, made.text("SecretAccessKey")} {
			if strings.Contains(string(text), s) {
				t.Errorf("%s holds %s", name, s)
			}
		}
	}
	if len(recorded(t, dir)) < 6 {
		t.Error("the calls were not recorded")
	}
}

func TestLongValuesAreCut(t *testing.T) {
	for _, text := range []string{strings.Repeat("x", 5000), strings.Repeat("é", 3000), "\xff" + strings.Repeat("y", 4000)} {
		if got := cut(text); len(got) > longestValue+120 || !strings.Contains(got, "bytes, SHA-256 ") {
			t.Errorf("%d bytes became %d", len(text), len(got))
		}
	}
	if got := cut("short"); got != "short" {
		t.Error(got)
	}
}

// brokenLog is a disk that takes nothing.
type brokenLog struct{ audit.Log }

func (*brokenLog) Append(audit.Record, bool) error { return errors.New("no space") }
func (*brokenLog) Err() error                      { return errors.New("no space") }

func TestNothingIsChangedWithoutARecord(t *testing.T) {
	w := newWorldAs(t, Config{Audit: &brokenLog{}})
	w.want(w.call(w.root, "CreateUser", "UserName", "alice"), 503, "ServiceUnavailable")
	if _, ok := w.store.View().User(account, "alice"); ok {
		t.Error("a user was made")
	}
	w.must(w.root, "ListUsers")
}

func TestTheLogIsReadByWhoMay(t *testing.T) {
	w, _ := audited(t)
	for _, name := range []string{"a", "b", "c"} {
		w.must(w.root, "CreateUser", "UserName", name)
	}
	got := w.mustJSON(w.root, "GET", "/v1/audit?limit=2", "")
	if len(got["entries"].([]any)) != 2 || got["sequence"] != 3.0 {
		t.Errorf("%v", got)
	}
	if got := w.mustJSON(w.root, "GET", "/v1/audit?after=1&limit=10", ""); len(got["entries"].([]any)) != 3 {
		t.Errorf("%v", got)
	}
	w.want(w.json(w.root, "GET", "/v1/audit?limit=0", ""), 400, "ValidationError")
	w.want(w.json(w.root, "GET", "/v1/audit?after=x", ""), 400, "MalformedInput")
	reader := w.user("reader", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"doorward:ReadAudit","Resource":"*"}]}`)
	w.mustJSON(reader, "GET", "/v1/audit", "")
	w.want(w.json(w.user("bob"), "GET", "/v1/audit", ""), 403, "AccessDenied")
	bare := newWorld(t)
	bare.want(bare.json(bare.root, "GET", "/v1/audit", ""), 404, "NotFound")
}
