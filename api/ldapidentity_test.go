package api

import (
	"testing"
	"time"

	"github.com/doorward/doorward/api/ldap"
	"github.com/doorward/doorward/api/ldap/slapdtest"
)

func TestAssumeRoleWithLDAPIdentity(t *testing.T) {
	directory, err := ldap.New(ldap.Config{
		URL: slapdtest.Start(t), LookupDN: slapdtest.LookupDN, LookupPassword: slapdtest.LookupPassword,
		UserBase: "ou=people," + slapdtest.Base, GroupBase: "ou=groups," + slapdtest.Base,
		Policies: map[string][]string{slapdtest.StaffDN: {"administers", "readonly"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorldAs(t, Config{Directory: directory})
	login := func(name, password string, more ...string) answer {
		return w.call(credentials{}, "AssumeRoleWithLDAPIdentity", append([]string{"LDAPUsername", name, "LDAPPassword", password}, more...)...)
	}
	// A policy of the mapping that is not there may have denied something.
	w.want(login("alice", "alice-secret"), 403, "AccessDenied")
	w.must(w.root, "CreatePolicy", "PolicyName", "administers", "PolicyDocument", allow("sts:* iam:* s3:*", "*"))
	a := login("alice", "alice-secret", "DurationSeconds", "900")
	w.want(a, 200, "")
	if a.text("Arn") != "arn:aws:sts::000000000000:federated-user/alice" {
		t.Errorf("ARN %s", a.text("Arn"))
	}
	alice := sessionOf(a)
	if got := w.must(alice, "GetCallerIdentity").text("UserId"); got != "000000000000:alice" {
		t.Errorf("UserId %s", got)
	}
	// It is a session for data: it administers nothing, whatever its policies say.
	w.want(w.call(alice, "ListUsers"), 403, "AccessDenied")
	w.pass(901 * time.Second)
	w.want(w.call(alice, "GetCallerIdentity"), 403, "ExpiredToken")

	for situation, c := range map[string]struct {
		a      answer
		status int
		code   string
	}{
		"a wrong password":        {login("alice", "wrong"), 403, "AccessDenied"},
		"an unknown name":         {login("carol", "alice-secret"), 403, "AccessDenied"},
		"nobody's policies":       {login("bob", "bob-secret"), 403, "AccessDenied"},
		"an empty password":       {login("alice", ""), 400, "MissingParameter"},
		"no password":             {w.call(credentials{}, "AssumeRoleWithLDAPIdentity", "LDAPUsername", "alice"), 400, "MissingParameter"},
		"a filter":                {login("*)(uid=*", "alice-secret"), 400, "ValidationError"},
		"a session policy":        {login("alice", "alice-secret", "Policy", allow("s3:*", "*")), 400, "InvalidQueryParameter"},
		"a session that is short": {login("alice", "alice-secret", "DurationSeconds", "60"), 400, "ValidationError"},
	} {
		if c.a.status != c.status || c.a.code != c.code {
			t.Errorf("%s: %d %s, want %d %s\n%s", situation, c.a.status, c.a.code, c.status, c.code, c.a.body)
		}
	}
	if wrong, unknown := login("alice", "wrong"), login("carol", "wrong"); wrong.message != unknown.message {
		t.Errorf("names can be found out: %q and %q", wrong.message, unknown.message)
	}
}

// exampleDirectory is the directory of docs/federation.md.
func exampleDirectory(t *testing.T) Directory {
	t.Helper()
	directory, err := ldap.New(ldap.Config{
		URL: slapdtest.Start(t), LookupDN: slapdtest.LookupDN, LookupPassword: slapdtest.LookupPassword,
		UserBase: "ou=people," + slapdtest.Base, GroupBase: "ou=groups," + slapdtest.Base,
		Policies: map[string][]string{slapdtest.StaffDN: {"readonly"}, slapdtest.AliceDN: {"readwrite"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return directory
}

func TestAStoreWithoutADirectorySaysSo(t *testing.T) {
	w := newWorld(t)
	w.want(w.call(credentials{}, "AssumeRoleWithLDAPIdentity", "LDAPUsername", "alice", "LDAPPassword", "alice-secret"), 400, "InvalidAction")
}
