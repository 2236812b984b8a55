package api

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/iam"
)

// roleFor makes a role that trusts a principal and returns its ARN.
func (w *world) roleFor(name, principal, condition string, documents ...string) string {
	w.t.Helper()
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]` + condition + `}]}`
	arn := w.must(w.root, "CreateRole", "RoleName", name, "AssumeRolePolicyDocument", trust, "MaxSessionDuration", "7200").text("Arn")
	for _, d := range documents {
		w.must(w.root, "PutRolePolicy", "RoleName", name, "PolicyName", "p", "PolicyDocument", d)
	}
	return arn
}

const arnOf = "arn:aws:iam::000000000000:user/"

func TestASessionOfOnesOwnIdentity(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice", allow("iam:GetUser iam:ListUsers", "*"))

	wide := sessionOf(w.must(alice, "AssumeRole", "RoleArn", "arn:aws:iam::000000000000:role/none", "RoleSessionName", "session",
		"Policy", allow("iam:*", "*")))
	narrow := sessionOf(w.must(alice, "AssumeRole", "Policy", allow("iam:GetUser", "*")))
	plain := sessionOf(w.must(alice, "AssumeRole"))
	w.must(plain, "ListUsers")
	w.must(wide, "ListUsers")
	w.want(w.call(wide, "CreateUser", "UserName", "bob"), 403, "AccessDenied")
	w.must(narrow, "GetUser")
	a := w.call(narrow, "ListUsers")
	w.want(a, 403, "AccessDenied")
	if !strings.Contains(a.message, "because no session policy allows the iam:ListUsers action") {
		t.Errorf("the refusal names the layer: %s", a.message)
	}
	if got := w.must(narrow, "GetCallerIdentity").text("Arn"); got != arnOf+"alice" {
		t.Errorf("identity of the session: %s", got)
	}
	w.want(w.call(narrow, "AssumeRole"), 403, "AccessDenied")
	w.want(w.call(alice, "AssumeRole", "DurationSeconds", "604801"), 400, "ValidationError")
	week := sessionOf(w.must(alice, "AssumeRole", "DurationSeconds", "604800"))
	w.pass(7*24*time.Hour - time.Second)
	w.must(week, "GetCallerIdentity")

	w.want(w.call(alice, "AssumeRole", "DurationSeconds", "899"), 400, "ValidationError")
	w.mustJSON(w.root, "PATCH", "/v1/settings", `{"min_session":1,"max_session":1800}`)
	if got := w.must(alice, "AssumeRole").text("Expiration"); got != iam.At(w.now().Add(30*time.Minute)).ISO() {
		t.Errorf("the default is cut to the longest session: %s", got)
	}
	short := sessionOf(w.must(alice, "AssumeRole", "DurationSeconds", "1"))
	w.pass(time.Second)
	w.want(w.call(short, "GetCallerIdentity"), 403, "ExpiredToken")
	w.want(w.call(alice, "AssumeRole", "DurationSeconds", "1801"), 400, "ValidationError")

	w.must(w.root, "PutUserPolicy", "UserName", "alice", "PolicyName", "no", "PolicyDocument", deny("sts:AssumeRole", "*"))
	w.want(w.call(alice, "AssumeRole"), 403, "AccessDenied")
	w.must(w.root, "DeleteUserPolicy", "UserName", "alice", "PolicyName", "no")
	w.mustJSON(w.root, "PATCH", "/v1/settings", `{"self_assume":false}`)
	w.want(w.call(alice, "AssumeRole", "RoleArn", "arn:aws:iam::000000000000:role/none"), 403, "AccessDenied")
}

func TestASessionEndsWithItsParent(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	session := sessionOf(w.must(alice, "AssumeRole"))
	w.must(w.root, "DeleteAccessKey", "UserName", "alice", "AccessKeyId", alice.id)
	w.must(session, "GetCallerIdentity")
	w.must(w.root, "DeleteUser", "UserName", "alice")
	w.must(w.root, "CreateUser", "UserName", "alice")
	w.want(w.call(session, "GetCallerIdentity"), 403, "InvalidClientTokenId")
}

func TestAssumeRoleAsksTheTrustPolicyAndTheCaller(t *testing.T) {
	w := newWorld(t)
	named, other := w.user("named"), w.user("other")
	granted := w.user("granted", allow("sts:AssumeRole", "*"))
	denied := w.user("denied", allow("sts:*", "*"), deny("sts:AssumeRole", "*"))
	byName := w.roleFor("by-name", arnOf+"named", "", allow("iam:ListUsers", "*"))
	byAccount := w.roleFor("by-account", "arn:aws:iam::000000000000:root", "")
	byID := w.roleFor("by-id", arnOf+"named", `,"Condition":{"StringEquals":{"sts:ExternalId":"secret"}}`)
	for _, row := range []struct {
		name   string
		caller credentials
		role   string
		more   []string
		status int
	}{
		{"a user whom the role names needs nothing else", named, byName, nil, 200},
		{"a user whom the role does not name", other, byName, nil, 403},
		{"permission alone is not trust", granted, byName, nil, 403},
		{"an account that the role names needs permission as well", granted, byAccount, nil, 200},
		{"an account that the role names does not give it", other, byAccount, nil, 403},
		{"an explicit deny wins", denied, byAccount, nil, 403},
		{"the right external id", named, byID, []string{"ExternalId", "secret"}, 200},
		{"a wrong external id", named, byID, []string{"ExternalId", "guess"}, 403},
		{"no external id", named, byID, nil, 403},
		{"root", w.root, byAccount, nil, 403},
		{"a session name is needed", named, byName, []string{"RoleSessionName", ""}, 400},
		{"longer than the role allows", named, byName, []string{"DurationSeconds", "7201"}, 400},
		{"longer than any role", named, byName, []string{"DurationSeconds", "43201"}, 400},
	} {
		t.Run(row.name, func(t *testing.T) {
			pairs := append([]string{"RoleArn", row.role, "RoleSessionName", "session"}, row.more...)
			if a := w.call(row.caller, "AssumeRole", pairs...); a.status != row.status {
				t.Errorf("status %d, want %d: %s", a.status, row.status, a.body)
			}
		})
	}
	a := w.must(named, "AssumeRole", "RoleArn", byName, "RoleSessionName", "session")
	if a.texts("Arn")[0] != "arn:aws:sts::000000000000:assumed-role/by-name/session" || !strings.HasSuffix(a.text("AssumedRoleId"), ":session") {
		t.Errorf("assumed role user: %s", a.body)
	}
	session := sessionOf(a)
	w.must(session, "ListUsers")
	w.want(w.call(session, "GetUser", "UserName", "named"), 403, "AccessDenied")
	w.want(w.call(session, "CreateAccessKey"), 403, "AccessDenied")
}

func TestRoleChains(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice", allow("sts:AssumeRole", "*"))
	first := w.roleFor("first", arnOf+"alice", "", allow("sts:*", "*"))
	second := w.roleFor("second", strings.Replace(first, "role/first", "role/first", 1), "", allow("iam:ListUsers", "*"))
	one := sessionOf(w.must(alice, "AssumeRole", "RoleArn", first, "RoleSessionName", "one", "SourceIdentity", "alice.smith",
		"Tags.member.1.Key", "team", "Tags.member.1.Value", "red", "TransitiveTagKeys.member.1", "team"))
	chain := func(more ...string) answer {
		return w.call(one, "AssumeRole", append([]string{"RoleArn", second, "RoleSessionName", "two"}, more...)...)
	}
	w.want(chain("DurationSeconds", "3601"), 400, "ValidationError")
	w.want(chain("Tags.member.1.Key", "TEAM", "Tags.member.1.Value", "blue"), 400, "InvalidParameterValue")
	w.want(chain("SourceIdentity", "bob"), 403, "AccessDenied")
	two := chain()
	w.want(two, 200, "")
	if got := two.text("SourceIdentity"); got != "alice.smith" {
		t.Errorf("source identity %q", got)
	}
	w.must(sessionOf(two), "ListUsers")
	w.must(w.root, "PutRolePolicy", "RoleName", "second", "PolicyName", "p", "PolicyDocument",
		strings.Replace(allow("iam:ListUsers", "*"), `"Resource"`, `"Condition":{"StringEquals":{"aws:PrincipalTag/team":"red"}},"Resource"`, 1))
	w.must(sessionOf(two), "ListUsers")
	w.must(w.root, "PutRolePolicy", "RoleName", "second", "PolicyName", "p", "PolicyDocument",
		strings.Replace(allow("iam:ListUsers", "*"), `"Resource"`, `"Condition":{"StringEquals":{"aws:PrincipalTag/team":"blue"}},"Resource"`, 1))
	w.want(w.call(sessionOf(two), "ListUsers"), 403, "AccessDenied")
}

func TestTokensAndFederation(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice", allow("iam:ListUsers s3:* sts:GetFederationToken", "*"))
	token := sessionOf(w.must(alice, "GetSessionToken"))
	w.must(token, "GetCallerIdentity")
	w.want(w.call(token, "ListUsers"), 403, "AccessDenied")
	w.want(w.call(token, "GetSessionToken"), 403, "AccessDenied")
	federated := w.must(alice, "GetFederationToken", "Name", "bob", "Policy", allow("s3:*", "*"))
	if got := federated.text("Arn"); got != "arn:aws:sts::000000000000:federated-user/bob" {
		t.Errorf("federated user %s", got)
	}
	if got := w.must(sessionOf(federated), "GetCallerIdentity").text("UserId"); got != "000000000000:bob" {
		t.Errorf("UserId %s", got)
	}
	w.want(w.call(sessionOf(federated), "ListUsers"), 403, "AccessDenied")
	w.want(w.call(w.user("carol"), "GetFederationToken", "Name", "bob"), 403, "AccessDenied")
	w.want(w.call(alice, "GetSessionToken", "DurationSeconds", "129601"), 400, "ValidationError")
	if got := w.must(w.root, "GetSessionToken", "DurationSeconds", "7200").text("Expiration"); got != "2026-11-24T13:00:00Z" {
		t.Errorf("a session of root ends at %s", got)
	}
}

func TestARootSessionIsCutByItsPolicy(t *testing.T) {
	w := newWorld(t)
	session := sessionOf(w.must(w.root, "AssumeRole", "Policy", allow("iam:ListUsers", "*")))
	w.must(session, "ListUsers")
	w.want(w.call(session, "CreateUser", "UserName", "mallory"), 403, "AccessDenied")
	w.must(sessionOf(w.must(w.root, "AssumeRole")), "CreateUser", "UserName", "bob")
}

func TestSessionPolicies(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice", allow("iam:*", "*"))
	arn := w.must(w.root, "CreatePolicy", "PolicyName", "lists", "PolicyDocument", allow("iam:ListUsers", "*")).text("Arn")
	both := w.must(alice, "AssumeRole", "Policy", allow("iam:GetUser", "*"), "PolicyArns.member.1.arn", arn)
	if both.text("PackedPolicySize") == "" {
		t.Errorf("no PackedPolicySize: %s", both.body)
	}
	w.must(sessionOf(both), "ListUsers")
	w.must(sessionOf(both), "GetUser")
	w.want(w.call(sessionOf(both), "ListGroups"), 403, "AccessDenied")
	w.want(w.call(alice, "AssumeRole", "Policy", "{}"), 400, "MalformedPolicyDocument")
	w.want(w.call(alice, "AssumeRole", "PolicyArns.member.1.arn", arn+"x"), 404, "NoSuchEntity")
	w.must(w.root, "DeletePolicy", "PolicyArn", arn)
	w.want(w.call(sessionOf(both), "ListUsers"), 403, "AccessDenied")
}

func TestSessionsAreListedAndRevoked(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	role := w.roleFor("role", arnOf+"alice", "")
	first, second := sessionOf(w.must(alice, "AssumeRole")), sessionOf(w.must(alice, "AssumeRole"))
	third := sessionOf(w.must(alice, "AssumeRole", "RoleArn", role, "RoleSessionName", "session"))
	ids := func(path string) (ids []string) {
		for _, s := range w.mustJSON(w.root, "GET", path, "")["sessions"].([]any) {
			ids = append(ids, s.(map[string]any)["access_key_id"].(string))
		}
		return ids
	}
	sorted := func(ids ...string) []string { slices.Sort(ids); return ids }
	if got := ids("/v1/sessions"); !slices.Equal(got, sorted(first.id, second.id, third.id)) {
		t.Errorf("all sessions: %q", got)
	}
	if got := ids("/v1/sessions?role=role"); !slices.Equal(got, []string{third.id}) {
		t.Errorf("sessions of the role: %q", got)
	}
	w.want(w.json(w.root, "GET", "/v1/sessions?MaxItems=0", ""), 400, "ValidationError")
	w.want(w.json(w.root, "GET", "/v1/sessions?users=alice", ""), 400, "InvalidQueryParameter")
	if got := w.mustJSON(w.root, "GET", "/v1/sessions?MaxItems=1", ""); len(got["sessions"].([]any)) != 1 || got["marker"] == "" {
		t.Errorf("a page of one: %v", got)
	}
	w.want(w.json(alice, "GET", "/v1/sessions", ""), 403, "AccessDenied")
	w.want(w.json(alice, "DELETE", "/v1/sessions/"+first.id, ""), 403, "AccessDenied")
	w.mustJSON(w.root, "DELETE", "/v1/sessions/"+first.id, "")
	w.want(w.call(first, "GetCallerIdentity"), 403, "InvalidClientTokenId")
	w.must(second, "GetCallerIdentity")
	w.pass(time.Minute)
	later := sessionOf(w.must(alice, "AssumeRole"))
	w.mustJSON(w.root, "POST", "/v1/sessions/revoke", `{"user":"alice","issued_before":"2026-11-24T12:00:30Z"}`)
	w.want(w.call(second, "GetCallerIdentity"), 403, "InvalidClientTokenId")
	w.must(later, "GetCallerIdentity")
	w.must(third, "GetCallerIdentity")
	w.mustJSON(w.root, "POST", "/v1/sessions/revoke", `{"role":"role"}`)
	w.want(w.call(third, "GetCallerIdentity"), 403, "InvalidClientTokenId")
	w.want(w.json(w.root, "POST", "/v1/sessions/revoke", `{}`), 400, "InvalidParameterCombination")
}
