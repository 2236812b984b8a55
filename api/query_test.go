package api

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/iam"
)

func TestAUsersLife(t *testing.T) {
	w := newWorld(t)
	made := w.must(w.root, "CreateUser", "UserName", "Alice", "Path", "/eng/", "Tags.member.1.Key", "team", "Tags.member.1.Value", "red")
	if arn := made.text("Arn"); arn != "arn:aws:iam::000000000000:user/eng/Alice" {
		t.Errorf("ARN %s", arn)
	}
	if id := made.text("UserId"); len(id) != 21 || !strings.HasPrefix(id, "AIDA") {
		t.Errorf("UserId %s", id)
	}
	if made.header.Get("X-Doorward-Index") == "" || made.header.Get("X-Amzn-Requestid") == "" {
		t.Errorf("headers %v", made.header)
	}
	w.want(w.call(w.root, "CreateUser", "UserName", "ALICE"), 409, "EntityAlreadyExists")
	if got := w.must(w.root, "GetUser", "UserName", "alice"); got.text("UserName") != "Alice" || got.text("Value") != "red" {
		t.Errorf("GetUser ignores case and answers tags: %s", got.body)
	}
	w.must(w.root, "UpdateUser", "UserName", "Alice", "NewUserName", "bob", "NewPath", "/ops/")
	w.want(w.call(w.root, "GetUser", "UserName", "Alice"), 404, "NoSuchEntity")
	if got := w.must(w.root, "GetUser", "UserName", "bob"); got.text("Arn") != "arn:aws:iam::000000000000:user/ops/bob" {
		t.Errorf("moved user: %s", got.body)
	}
	w.key("bob")
	w.want(w.call(w.root, "DeleteUser", "UserName", "bob"), 409, "DeleteConflict")
	id := w.must(w.root, "ListAccessKeys", "UserName", "bob").text("AccessKeyId")
	w.must(w.root, "DeleteAccessKey", "UserName", "bob", "AccessKeyId", id)
	w.must(w.root, "DeleteUser", "UserName", "bob")
	w.want(w.call(w.root, "DeleteUser", "UserName", "bob"), 404, "NoSuchEntity")
}

func TestASecretIsShownOnceAndSealed(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	if len(alice.id) != 20 || len(alice.secret) != 40 {
		t.Errorf("key of %d and secret of %d characters", len(alice.id), len(alice.secret))
	}
	for _, a := range []answer{
		w.must(w.root, "ListAccessKeys", "UserName", "alice"), w.must(w.root, "GetAccessKeyLastUsed", "AccessKeyId", alice.id),
		w.must(w.root, "GetUser", "UserName", "alice"), w.must(w.root, "GetAccountAuthorizationDetails"), w.json(w.root, "GET", "/v1/users/alice", ""),
	} {
		if strings.Contains(a.body, alice.secret) {
			t.Errorf("the secret is in %s", a.body)
		}
	}
	key, ok := w.store.View().AccessKey(iam.AccessKeyID(alice.id))
	if !ok || strings.Contains(string(key.Secret), alice.secret) {
		t.Error("the secret is readable in the state")
	}
}

func TestCredentialsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice", allow("iam:*", "*"))
	session := sessionOf(w.must(alice, "AssumeRole", "DurationSeconds", "900"))
	other := sessionOf(w.must(alice, "AssumeRole"))
	w.must(session, "GetCallerIdentity")
	for _, row := range []struct {
		name   string
		signer credentials
		status int
		code   string
	}{
		{"no signature", credentials{}, 403, "MissingAuthenticationToken"},
		{"an unknown key", credentials{"AKIANOBODYNOBODYNOBO", "s", ""}, 403, "InvalidClientTokenId"},
		{"a wrong secret", credentials{alice.id, "wrong", ""}, 403, "SignatureDoesNotMatch"},
		{"a session without its token", credentials{session.id, session.secret, ""}, 403, "InvalidClientTokenId"},
		{"a session with the token of another", credentials{session.id, session.secret, other.token}, 403, "InvalidClientTokenId"},
		{"a session with a token that was altered", credentials{session.id, session.secret, session.token + "A"}, 403, "InvalidClientTokenId"},
		{"a long-term key with a session's token", credentials{alice.id, alice.secret, session.token}, 403, "InvalidClientTokenId"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w.want(w.call(row.signer, "GetCallerIdentity"), row.status, row.code)
		})
	}
	w.pass(15 * time.Minute)
	w.want(w.call(session, "GetCallerIdentity"), 403, "ExpiredToken")
	w.must(w.root, "UpdateAccessKey", "UserName", "alice", "AccessKeyId", alice.id, "Status", "Inactive")
	w.want(w.call(alice, "GetCallerIdentity"), 403, "InvalidClientTokenId")
	w.must(w.root, "UpdateAccessKey", "UserName", "alice", "AccessKeyId", alice.id, "Status", "Active")
	w.mustJSON(w.root, "PATCH", "/v1/users/alice", `{"status":"Inactive"}`)
	w.want(w.call(alice, "GetCallerIdentity"), 403, "InvalidClientTokenId")
	w.want(w.call(other, "GetCallerIdentity"), 403, "InvalidClientTokenId")
}

func TestANodeThatIsBehindAsksBeforeItRefuses(t *testing.T) {
	w := newWorld(t)
	before := w.store.View()
	alice := w.user("alice")
	session := sessionOf(w.must(alice, "AssumeRole"))
	w.store.behind = before
	w.must(alice, "GetCallerIdentity")
	w.must(session, "GetCallerIdentity")
	w.want(w.call(w.root, "GetUser", "UserName", "alice"), 404, "NoSuchEntity")
	w.sent = http.Header{"X-Doorward-Consistent": {"true"}}
	w.must(w.root, "GetUser", "UserName", "alice")
}

func TestAnUncertainWriteIsUnavailableAndSafeToRepeat(t *testing.T) {
	w := newWorld(t)
	w.sent = http.Header{"Amz-Sdk-Invocation-Id": {"7d8f"}}
	w.store.lost = errors.New("leader lost")
	w.want(w.call(w.root, "CreateUser", "UserName", "alice"), 503, "ServiceUnavailable")
	w.store.lost = nil
	before := w.store.View().Len(iam.TableUsers)
	again := w.must(w.root, "CreateUser", "UserName", "alice")
	if again.text("UserName") != "alice" || w.store.View().Len(iam.TableUsers) != before {
		t.Errorf("the repeated call: %s", again.body)
	}
	w.want(w.call(w.root, "CreateUser", "UserName", "alice", "Path", "/eng/"), 409, "EntityAlreadyExists")
	first, second := w.key("alice"), w.key("alice")
	if first.id == second.id {
		t.Error("two calls with one invocation id share an access key")
	}
	w.must(first, "GetCallerIdentity")
	w.must(second, "GetCallerIdentity")
}

func TestRequestsThatAreNoCalls(t *testing.T) {
	w := newWorld(t)
	w.want(w.call(w.root, "CreateInstanceProfile", "InstanceProfileName", "x"), 400, "InvalidAction")
	w.want(w.call(w.root, "GetUser", "Version", "2011-06-15"), 400, "InvalidAction")
	w.want(w.call(credentials{}, "CreateInstanceProfile"), 403, "MissingAuthenticationToken")
	w.want(w.call(w.root, ""), 400, "MissingAction")
	big := []byte("Action=CreateUser&Version=2010-05-08&UserName=" + strings.Repeat("a", maxBody))
	w.want(w.send(w.root, "iam", "POST", "/", "application/x-www-form-urlencoded", big), 413, "RequestEntityTooLarge")
	if a := w.send(credentials{}, "iam", "GET", "/nothing", "", nil); a.status != 404 {
		t.Errorf("an unknown path: %d", a.status)
	}
	w.want(w.json(w.root, "GET", "/v1/nothing", ""), 404, "NotFound")
}

func TestManagedPolicies(t *testing.T) {
	w := newWorld(t)
	w.must(w.root, "CreateUser", "UserName", "alice")
	arn := w.must(w.root, "CreatePolicy", "PolicyName", "p", "Path", "/eng/", "PolicyDocument", allow("s3:GetObject", "*")).text("Arn")
	w.want(w.call(w.root, "CreatePolicy", "PolicyName", "P", "PolicyDocument", allow("s3:*", "*")), 409, "EntityAlreadyExists")
	w.must(w.root, "AttachUserPolicy", "UserName", "alice", "PolicyArn", arn)
	w.must(w.root, "AttachUserPolicy", "UserName", "alice", "PolicyArn", "arn:aws:iam::000000000000:policy/readonly")
	if got := w.must(w.root, "ListAttachedUserPolicies", "UserName", "alice").texts("PolicyName"); !slices.Equal(got, []string{"p", "readonly"}) {
		t.Errorf("attached: %q", got)
	}
	if got := w.must(w.root, "ListEntitiesForPolicy", "PolicyArn", arn).text("UserName"); got != "alice" {
		t.Errorf("entities: %q", got)
	}
	w.want(w.call(w.root, "DeletePolicy", "PolicyArn", arn), 409, "DeleteConflict")
	for range 4 {
		w.must(w.root, "CreatePolicyVersion", "PolicyArn", arn, "PolicyDocument", allow("s3:PutObject", "*"))
	}
	w.want(w.call(w.root, "CreatePolicyVersion", "PolicyArn", arn, "PolicyDocument", allow("s3:*", "*")), 409, "LimitExceeded")
	if v := w.must(w.root, "GetPolicy", "PolicyArn", arn).text("DefaultVersionId"); v != "v1" {
		t.Errorf("default version %s", v)
	}
	w.want(w.call(w.root, "DeletePolicyVersion", "PolicyArn", arn, "VersionId", "v1"), 409, "DeleteConflict")
	w.must(w.root, "SetDefaultPolicyVersion", "PolicyArn", arn, "VersionId", "v3")
	w.must(w.root, "DeletePolicyVersion", "PolicyArn", arn, "VersionId", "v1")
	made := w.must(w.root, "CreatePolicyVersion", "PolicyArn", arn, "PolicyDocument", allow("s3:List*", "*"), "SetAsDefault", "true")
	if v := made.text("VersionId"); v != "v6" || made.text("IsDefaultVersion") != "true" {
		t.Errorf("new version: %s", made.body)
	}
	w.must(w.root, "DetachUserPolicy", "UserName", "alice", "PolicyArn", arn)
	w.want(w.call(w.root, "DetachUserPolicy", "UserName", "alice", "PolicyArn", arn), 404, "NoSuchEntity")
}

func TestMalformedPoliciesSayWhereAndWhat(t *testing.T) {
	w := newWorld(t)
	w.must(w.root, "CreateUser", "UserName", "alice")
	const wrong = `{"Version":"2012-10-17","Statement":[{"Sid":"One","Effect":"Allow","Action":"s3:GetObject","Resource":"*"},{"Sid":"Two","Effect":"Maybe","Action":"s3:*","Resource":"*"}]}`
	a := w.call(w.root, "CreatePolicy", "PolicyName", "p", "PolicyDocument", wrong)
	w.want(a, 400, "MalformedPolicyDocument")
	for _, part := range []string{"statement 1", "Two", "Effect", "Maybe", "Allow"} {
		if !strings.Contains(a.message, part) {
			t.Errorf("%q does not name %s", a.message, part)
		}
	}
	long := allow(strings.Repeat("s3:GetObject ", 400), "*")
	w.want(w.call(w.root, "CreatePolicy", "PolicyName", "p", "PolicyDocument", long), 409, "LimitExceeded")
	w.want(w.call(w.root, "PutUserPolicy", "UserName", "alice", "PolicyName", "p", "PolicyDocument", long), 409, "LimitExceeded")
	w.must(w.root, "CreatePolicy", "PolicyName", "p", "PolicyDocument", strings.Replace(allow("s3:*", "*"), "{", "{"+strings.Repeat(" ", 5000), 1))
	if got := w.must(w.root, "ListPolicies", "Scope", "Local").texts("PolicyName"); !slices.Equal(got, []string{"p"}) {
		t.Errorf("policies after refusals: %q", got)
	}
}

func TestPagesJoinToTheWhole(t *testing.T) {
	w := newWorld(t)
	var want []string
	for _, name := range []string{"ant", "Bee", "cat", "dog", "Elk", "fox", "gnu"} {
		want = append(want, name)
		w.must(w.root, "CreateUser", "UserName", name)
		w.must(w.root, "CreateGroup", "GroupName", name)
		w.must(w.root, "CreateRole", "RoleName", name, "AssumeRolePolicyDocument", trustRoot)
		w.must(w.root, "PutUserPolicy", "UserName", "ant", "PolicyName", name, "PolicyDocument", allow("s3:*", "*"))
	}
	for list, element := range map[string]string{"ListUsers": "UserName", "ListGroups": "GroupName", "ListRoles": "RoleName"} {
		if got := w.pages(list, element, "MaxItems", "3"); !slices.Equal(got, want) {
			t.Errorf("%s: %q", list, got)
		}
	}
	byBytes := slices.Sorted(slices.Values(want))
	if got := w.pages("ListUserPolicies", "member", "MaxItems", "2", "UserName", "ant"); !slices.Equal(got, byBytes) {
		t.Errorf("ListUserPolicies: %q", got)
	}
	details := w.pages("GetAccountAuthorizationDetails", "Arn", "MaxItems", "4")
	if len(details) != 3*len(want)+3 {
		t.Errorf("GetAccountAuthorizationDetails: %d entities %q", len(details), details)
	}
	w.want(w.call(w.root, "ListUsers", "Marker", "*"), 400, "ValidationError")
}

func (w *world) pages(list, element string, pairs ...string) (all []string) {
	for marker := ""; ; {
		more := pairs
		if marker != "" {
			more = append(slices.Clone(pairs), "Marker", marker)
		}
		a := w.must(w.root, list, more...)
		all = append(all, a.texts(element)...)
		if a.text("IsTruncated") != "true" {
			return all
		}
		marker = a.text("Marker")
	}
}

const trustRoot = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole"}]}`

func TestADelegatedAdministratorStaysWithinTheBoundary(t *testing.T) {
	w := newWorld(t)
	boundary := w.must(w.root, "CreatePolicy", "PolicyName", "boundary", "PolicyDocument", allow("s3:* iam:List*", "*")).text("Arn")
	condition := `"Condition":{"StringEquals":{"iam:PermissionsBoundary":"` + boundary + `"}},"Resource"`
	delegate := w.user("delegate", strings.Replace(allow("iam:CreateUser iam:PutUserPolicy iam:CreateAccessKey", "*"), `"Resource"`, condition, 1))
	w.want(w.call(delegate, "CreateUser", "UserName", "free"), 403, "AccessDenied")
	w.want(w.call(delegate, "CreateUser", "UserName", "free", "PermissionsBoundary", "arn:aws:iam::000000000000:policy/readwrite"), 403, "AccessDenied")
	w.must(delegate, "CreateUser", "UserName", "bound", "PermissionsBoundary", boundary)
	w.must(delegate, "PutUserPolicy", "UserName", "bound", "PolicyName", "all", "PolicyDocument", allow("*", "*"))
	w.want(w.call(delegate, "DeleteUserPermissionsBoundary", "UserName", "bound"), 403, "AccessDenied")
	w.want(w.call(delegate, "PutUserPolicy", "UserName", "delegate", "PolicyName", "all", "PolicyDocument", allow("*", "*")), 403, "AccessDenied")
	bound := w.key("bound")
	w.must(bound, "ListUsers")
	a := w.call(bound, "CreateUser", "UserName", "x")
	w.want(a, 403, "AccessDenied")
	if !strings.Contains(a.message, "because no permissions boundary allows the iam:CreateUser action") {
		t.Errorf("the refusal names the layer: %s", a.message)
	}
}
