package api

import (
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/wire"
)

func TestTheNameAndPasswordForm(t *testing.T) {
	w := newWorld(t)
	for secret, why := range map[string]string{
		"Short1!": "seven characters", "alllowercase1": "no upper-case letter", "ALLUPPERCASE1": "no lower-case letter",
		"OnlyLetters": "neither digit nor special character", "With\tTab12": "a control character",
	} {
		w.want(w.json(w.root, "POST", "/v1/users", `{"name":"alice","secret_key":"`+strings.ReplaceAll(secret, "\t", `\t`)+`"}`), 400, "ValidationError")
		if _, ok := w.store.View().User(account, "alice"); ok {
			t.Fatalf("a user was made with a secret of %s", why)
		}
	}
	a := w.json(w.root, "POST", "/v1/users", `{"name":"alice","path":"/eng/","secret_key":"Correct-Horse","posix":{"uid":1000,"gid":100},"tags":[{"key":"team","value":"red"}]}`)
	w.want(a, 200, "")
	if strings.Contains(a.body, "Correct-Horse") || a.header.Get("X-Doorward-Index") == "" {
		t.Errorf("the answer: %s %v", a.body, a.header)
	}
	alice := credentials{"alice", "Correct-Horse", ""}
	if got := w.must(alice, "GetCallerIdentity").text("Arn"); got != "arn:aws:iam::000000000000:user/eng/alice" {
		t.Errorf("ARN %s", got)
	}
	w.mustJSON(w.root, "PUT", "/v1/users/alice/secret-key", `{"secret_key":"Battery-Staple"}`)
	w.want(w.call(alice, "GetCallerIdentity"), 403, "SignatureDoesNotMatch")
	alice.secret = "Battery-Staple"
	w.must(alice, "GetCallerIdentity")
	w.must(w.root, "UpdateUser", "UserName", "alice", "NewUserName", "Alice.Smith")
	w.want(w.call(alice, "GetCallerIdentity"), 403, "InvalidClientTokenId")
	alice.id = "Alice.Smith"
	w.must(alice, "GetCallerIdentity")
	w.mustJSON(w.root, "PATCH", "/v1/users/Alice.Smith", `{"new_name":"alice"}`)
	alice.id = "alice"
	w.must(alice, "GetCallerIdentity")
	w.mustJSON(w.root, "DELETE", "/v1/users/alice/secret-key", "")
	w.want(w.call(alice, "GetCallerIdentity"), 403, "InvalidClientTokenId")
	w.want(w.json(w.root, "DELETE", "/v1/users/alice/secret-key", ""), 404, "NoSuchEntity")
}

func TestAUserCannotTakeTheKeyOfAnother(t *testing.T) {
	w := newWorld(t)
	w.want(w.json(w.root, "POST", "/v1/users", `{"name":"`+w.root.id+`","secret_key":"Correct-Horse"}`), 409, "EntityAlreadyExists")
	w.must(w.root, "GetCallerIdentity")
	w.want(w.json(w.root, "POST", "/v1/users", `{"name":"ASIAIOSFODNN7EXAMPLE","secret_key":"Correct-Horse"}`), 400, "ValidationError")
	w.user("bob")
	w.want(w.json(w.root, "POST", "/v1/users/bob/access-keys", `{"access_key_id":"`+w.root.id+`","secret_access_key":"stolen stolen"}`), 400, "ValidationError")
	w.want(w.json(w.root, "POST", "/v1/users/bob/access-keys", `{"access_key_id":"`+w.root.id+`","secret_access_key":"stolenstolen"}`), 409, "EntityAlreadyExists")
}

func TestPOSIXAndStatus(t *testing.T) {
	w := newWorld(t)
	w.must(w.root, "CreateUser", "UserName", "alice")
	got := w.mustJSON(w.root, "PATCH", "/v1/users/alice", `{"posix":{"uid":5,"gid":6}}`)
	if p := got["posix"].(map[string]any); p["uid"] != 5.0 || p["gid"] != 6.0 || got["status"] != "Active" {
		t.Errorf("posix %v", got)
	}
	got = w.mustJSON(w.root, "PATCH", "/v1/users/alice", `{"status":"Inactive"}`)
	if got["posix"] == nil || got["status"] != "Inactive" {
		t.Errorf("a field that was left out changed: %v", got)
	}
	if got = w.mustJSON(w.root, "PATCH", "/v1/users/alice", `{"posix":null}`); got["posix"] != nil {
		t.Errorf("null clears: %v", got)
	}
	w.want(w.json(w.root, "PATCH", "/v1/users/alice", `{"statsu":"Active"}`), 400, "InvalidInput")
	w.want(w.json(w.root, "PATCH", "/v1/users/alice", `{"status":"Off"}`), 400, "ValidationError")
	w.want(w.json(w.root, "PATCH", "/v1/users/alice", ``), 400, "InvalidInput")
	w.want(w.json(w.root, "PATCH", "/v1/users/alice", `{} {}`), 400, "InvalidInput")
}

func TestImportedAndExpiringKeys(t *testing.T) {
	w := newWorld(t)
	w.must(w.root, "CreateUser", "UserName", "alice")
	a := w.json(w.root, "POST", "/v1/users/alice/access-keys", `{"access_key_id":"minio_admin","secret_access_key":"minio-secret","expires":"2026-11-24T13:00:00Z"}`)
	w.want(a, 200, "")
	if strings.Contains(a.body, "minio-secret") {
		t.Errorf("an imported secret is in the answer: %s", a.body)
	}
	imported := credentials{"minio_admin", "minio-secret", ""}
	w.must(imported, "GetCallerIdentity")
	made := w.mustJSON(w.root, "POST", "/v1/users/alice/access-keys", `{}`)
	own := credentials{made["access_key_id"].(string), made["secret_access_key"].(string), ""}
	w.must(own, "GetCallerIdentity")
	w.pass(time.Hour)
	w.want(w.call(imported, "GetCallerIdentity"), 403, "InvalidClientTokenId")
	w.mustJSON(w.root, "PATCH", "/v1/users/alice/access-keys/minio_admin", `{"expires":null}`)
	w.must(imported, "GetCallerIdentity")
	w.mustJSON(w.root, "PATCH", "/v1/settings", `{"key_max_age":3600}`)
	w.want(w.call(imported, "GetCallerIdentity"), 403, "InvalidClientTokenId")
	w.must(w.root, "GetCallerIdentity")
	w.want(w.json(w.root, "POST", "/v1/users/alice/access-keys", `{"expires":"2020-01-01T00:00:00Z"}`), 400, "ValidationError")
}

func TestWhoSignsWithAKeyThatEndsSoonIsTold(t *testing.T) {
	const header = "X-Doorward-Key-Expires"
	w := newWorld(t)
	alice := w.user("alice", allow("iam:ListUsers", "*"))
	if a := w.must(alice, "ListUsers"); a.header.Get(header) != "" {
		t.Errorf("a key without an end: %v", a.header)
	}
	w.mustJSON(w.root, "PATCH", "/v1/settings", `{"key_max_age":2592000}`)
	made := w.mustJSON(alice, "POST", "/v1/service-accounts", `{}`)
	account := credentials{made["access_key_id"].(string), made["secret_access_key"].(string), ""}
	session := sessionOf(w.must(alice, "AssumeRole"))
	if a := w.must(alice, "ListUsers"); a.header.Get(header) != "" {
		t.Errorf("a key with a month to live: %v", a.header)
	}
	w.pass(20 * 24 * time.Hour)
	for name, c := range map[string]credentials{"a key": alice, "a service account": account} {
		if at := w.must(c, "ListUsers").header.Get(header); at != "2026-12-24T12:00:00Z" {
			t.Errorf("%s with ten days to live: %q", name, at)
		}
	}
	if at := w.json(alice, "GET", "/v1/service-accounts", "").header.Get(header); at != "2026-12-24T12:00:00Z" {
		t.Errorf("in the JSON API: %q", at)
	}
	if a := w.call(session, "ListUsers"); a.header.Get(header) != "" {
		t.Errorf("a session: %v", a.header)
	}
	if a := w.must(w.root, "ListUsers"); a.header.Get(header) != "" {
		t.Errorf("the root user: %v", a.header)
	}
	listed := w.json(w.root, "GET", "/v1/users/alice/access-keys", "")
	if !strings.Contains(listed.body, `"expires":"2026-12-24T12:00:00Z"`) || strings.Contains(listed.body, "secret") {
		t.Error(listed.body)
	}
}

func TestANewSecretBeginsItsAgeAnew(t *testing.T) {
	w := newWorld(t)
	w.propose(iam.RaiseLevel{Level: wire.FeatureLevel}) // as nodes do once all know it
	alice := w.user("alice")
	w.mustJSON(w.root, "PUT", "/v1/users/alice/secret-key", `{"secret_key":"Battery-Staple"}`)
	w.mustJSON(w.root, "PATCH", "/v1/settings", `{"key_max_age":7200}`)
	made := w.mustJSON(alice, "POST", "/v1/service-accounts", `{}`)
	w.pass(time.Hour)
	rotated := w.mustJSON(alice, "POST", "/v1/service-accounts/"+made["access_key_id"].(string)+"/rotate", `{}`)
	w.mustJSON(w.root, "PUT", "/v1/users/alice/secret-key", `{"secret_key":"Battery-Staple-2"}`)
	w.pass(90 * time.Minute)
	w.want(w.call(alice, "GetCallerIdentity"), 403, "InvalidClientTokenId")
	w.must(credentials{rotated["access_key_id"].(string), rotated["secret_access_key"].(string), ""}, "GetCallerIdentity")
	w.must(credentials{"alice", "Battery-Staple-2", ""}, "GetCallerIdentity")
}

func TestServiceAccountsBelongToTheirUser(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice", allow("iam:ListUsers iam:ListGroups", "*"))
	admin := w.user("admin", allow("*", "*"))
	create := func(c credentials, body string) answer { return w.json(c, "POST", "/v1/service-accounts", body) }

	made := w.mustJSON(alice, "POST", "/v1/service-accounts", `{"description":"backup","policy":`+quote(allow("iam:ListUsers", "*"))+`}`)
	account := credentials{made["access_key_id"].(string), made["secret_access_key"].(string), ""}
	w.must(account, "ListUsers")
	w.want(w.call(account, "ListGroups"), 403, "AccessDenied")
	wide := w.mustJSON(alice, "POST", "/v1/service-accounts", `{"policy":`+quote(allow("*", "*"))+`}`)
	w.want(w.call(credentials{wide["access_key_id"].(string), wide["secret_access_key"].(string), ""}, "CreateUser", "UserName", "x"), 403, "AccessDenied")

	for name, stranger := range map[string]credentials{
		"root": w.root, "the service account itself": account, "a session of the user": sessionOf(w.must(alice, "AssumeRole")),
		"a session of the service account": sessionOf(w.must(account, "AssumeRole")),
	} {
		t.Run(name+" manages none", func(t *testing.T) {
			w.want(create(stranger, `{}`), 403, "AccessDenied")
			w.want(w.json(stranger, "GET", "/v1/service-accounts", ""), 403, "AccessDenied")
			w.want(w.json(stranger, "GET", "/v1/service-accounts/"+account.id, ""), 403, "AccessDenied")
			w.want(w.json(stranger, "PATCH", "/v1/service-accounts/"+account.id, `{"policy":""}`), 403, "AccessDenied")
			w.want(w.json(stranger, "POST", "/v1/service-accounts/"+account.id+"/rotate", ""), 403, "AccessDenied")
			w.want(w.json(stranger, "DELETE", "/v1/service-accounts/"+account.id, ""), 403, "AccessDenied")
		})
	}
	t.Run("another user finds none", func(t *testing.T) {
		if got := w.mustJSON(admin, "GET", "/v1/service-accounts", ""); len(got["service_accounts"].([]any)) != 0 {
			t.Errorf("the list of another user: %v", got)
		}
		w.want(w.json(admin, "GET", "/v1/service-accounts/"+account.id, ""), 404, "NoSuchEntity")
		w.want(w.json(admin, "PATCH", "/v1/service-accounts/"+account.id, `{"policy":""}`), 404, "NoSuchEntity")
		w.want(w.json(admin, "DELETE", "/v1/service-accounts/"+account.id, ""), 404, "NoSuchEntity")
		w.want(w.call(admin, "DeleteAccessKey", "UserName", "alice", "AccessKeyId", account.id), 404, "NoSuchEntity")
		w.want(w.call(admin, "UpdateAccessKey", "UserName", "alice", "AccessKeyId", account.id, "Status", "Inactive"), 404, "NoSuchEntity")
	})

	rotated := w.mustJSON(alice, "POST", "/v1/service-accounts/"+account.id+"/rotate", "")
	w.want(w.call(account, "ListUsers"), 403, "SignatureDoesNotMatch")
	account.secret = rotated["secret_access_key"].(string)
	w.must(account, "ListUsers")
	w.mustJSON(alice, "PATCH", "/v1/service-accounts/"+account.id, `{"status":"Inactive"}`)
	w.want(w.call(account, "ListUsers"), 403, "InvalidClientTokenId")
	w.mustJSON(alice, "PATCH", "/v1/service-accounts/"+account.id, `{"status":"Active","policy":"","expires":"2026-11-24T13:00:00Z"}`)
	w.must(account, "ListGroups")
	session := sessionOf(w.must(account, "AssumeRole", "DurationSeconds", "7200"))
	w.pass(time.Hour)
	w.want(w.call(account, "ListGroups"), 403, "InvalidClientTokenId")
	w.want(w.call(session, "ListGroups"), 403, "InvalidClientTokenId")
	w.mustJSON(alice, "DELETE", "/v1/service-accounts/"+account.id, "")
	w.want(w.json(alice, "GET", "/v1/service-accounts/"+account.id, ""), 404, "NoSuchEntity")
}

func quote(text string) string { return `"` + strings.ReplaceAll(text, `"`, `\"`) + `"` }

func TestAtMostAsManyServiceAccountsAsTheSettingSays(t *testing.T) {
	w := newWorld(t)
	w.mustJSON(w.root, "PATCH", "/v1/settings", `{"service_accounts":2}`)
	alice := w.user("alice")
	for range 2 {
		w.mustJSON(alice, "POST", "/v1/service-accounts", `{}`)
	}
	w.want(w.json(alice, "POST", "/v1/service-accounts", `{}`), 409, "LimitExceeded")
}

func TestSettings(t *testing.T) {
	w := newWorld(t)
	got := w.mustJSON(w.root, "PATCH", "/v1/settings", `{"policy_size":4096}`)
	if got["policy_size"] != 4096.0 || got["keys_per_user"] != 2.0 || got["self_assume"] != true {
		t.Errorf("settings %v", got)
	}
	w.want(w.json(w.root, "PATCH", "/v1/settings", `{"policy_size":20481}`), 400, "ValidationError")
	w.want(w.json(w.root, "PATCH", "/v1/settings", `{"guard_rails":[["{}"]]}`), 400, "MalformedPolicyDocument")
	alice := w.user("alice", allow("iam:*", "*"))
	w.want(w.json(alice, "PATCH", "/v1/settings", `{}`), 403, "AccessDenied")
	w.mustJSON(w.root, "PATCH", "/v1/settings", `{"guard_rails":[[`+quote(allow("s3:*", "*"))+`]]}`)
	a := w.call(alice, "ListUsers")
	w.want(a, 403, "AccessDenied")
	if !strings.Contains(a.message, "service control policy") {
		t.Errorf("the refusal names the layer: %s", a.message)
	}
	for _, path := range []string{"/livez", "/readyz"} {
		if a := w.send(credentials{}, "", "GET", path, "", nil); a.status != 200 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	if got := w.mustJSON(alice, "GET", "/v1/status", ""); got["cluster_id"] != "test" || got["account"] != "000000000000" {
		t.Errorf("status %v", got)
	}
}

func TestExplanationsOfWhatTheStoreHolds(t *testing.T) {
	w := newWorld(t)
	const read = `{"Version":"2012-10-17","Statement":[{"Sid":"Read","Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::home/${aws:username}/*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}]}`
	alice := w.user("alice", read)
	ask := func(who, resource, context string) string {
		return `{` + who + `,"action":"s3:GetObject","resource":"arn:aws:s3:::` + resource + `","context":` + context + `}`
	}
	const office = `{"aws:SourceIp":["10.1.2.3"]}`
	for _, row := range []struct{ name, body, effect, layer string }{
		{"a user", ask(`"user":"alice"`, "home/alice/x", office), "ALLOW", "identity"},
		{"an access key", ask(`"access_key_id":"`+alice.id+`"`, "home/alice/x", office), "ALLOW", "identity"},
		{"from elsewhere", ask(`"user":"alice"`, "home/alice/x", `{"aws:SourceIp":["192.0.2.1"]}`), "DENY", "identity"},
		{"another's folder", ask(`"user":"alice"`, "home/bob/x", office), "DENY", "identity"},
		{"the root's key", ask(`"access_key_id":"`+w.root.id+`"`, "home", office), "ALLOW", "root"},
	} {
		got := w.mustJSON(w.root, "POST", "/v1/explain", row.body)
		if got["effect"] != row.effect || got["layer"] != row.layer || got["fault"] != nil {
			t.Errorf("%s: %v", row.name, got)
		}
	}
	w.mustJSON(w.root, "PATCH", "/v1/users/alice", `{"status":"Inactive"}`)
	if got := w.mustJSON(w.root, "POST", "/v1/explain", ask(`"access_key_id":"`+alice.id+`"`, "home/alice/x", office)); got["fault"] != "owner inactive" || got["effect"] != "DENY" {
		t.Errorf("an inactive owner: %v", got)
	}
	for body, code := range map[string]string{
		ask(`"user":"nobody"`, "x", `{}`):                "404 NoSuchEntity",
		ask(`"access_key_id":"AKIANOBODY"`, "x", `{}`):   "404 NoSuchEntity",
		ask(`"user":"alice","role":"r"`, "x", `{}`):      "400 InvalidParameterCombination",
		`{"user":"alice","action":"s3:GetObject"}`:       "400 InvalidInput",
		`{"user":"alice","resource":"*"}`:                "400 InvalidInput",
		`{"user":"alice","action":"s3:*","resorce":"*"}`: "400 InvalidInput",
	} {
		status, name, _ := strings.Cut(code, " ")
		w.want(w.json(w.root, "POST", "/v1/explain", body), map[string]int{"400": 400, "404": 404}[status], name)
	}
	// Who may not ask is not told whether there is anybody.
	bob := w.user("bob", read)
	for _, who := range []string{`"user":"alice"`, `"user":"nobody"`, `"access_key_id":"` + alice.id + `"`, `"access_key_id":"AKIANOBODY"`} {
		w.want(w.json(bob, "POST", "/v1/explain", ask(who, "home/alice/x", office)), 403, "AccessDenied")
	}
}
