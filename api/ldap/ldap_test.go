package ldap

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/api/ldap/slapdtest"
)

func config(url string) Config {
	return Config{
		URL: url, LookupDN: slapdtest.LookupDN, LookupPassword: slapdtest.LookupPassword,
		UserBase: "ou=people," + slapdtest.Base, GroupBase: "ou=groups," + slapdtest.Base,
		Policies: map[string][]string{
			"CN=staff, OU=groups, DC=example, DC=org": {"readonly", "uploads"},
			slapdtest.AliceDN:                         {"own", "readonly"},
		},
	}
}

func TestAuthenticate(t *testing.T) {
	url := slapdtest.Start(t)
	d, err := New(config(url))
	if err != nil {
		t.Fatal(err)
	}
	p, err := d.Authenticate(t.Context(), "ALICE", "alice-secret")
	if err != nil || p.Name != "alice" || p.DN != slapdtest.AliceDN || !slices.Equal(p.Groups, []string{slapdtest.StaffDN}) ||
		!slices.Equal(p.Policies, []string{"own", "readonly", "uploads"}) {
		t.Errorf("alice: %+v, %v", p, err)
	}
	if p, err := d.Authenticate(t.Context(), "bob", "bob-secret"); err != nil || len(p.Policies)+len(p.Groups) > 0 {
		t.Errorf("bob, who has no group and no policy: %+v, %v", p, err)
	}
	for situation, c := range map[string][2]string{
		"a wrong password":                {"alice", "bob-secret"},
		"an empty password":               {"alice", ""},
		"an empty name":                   {"", "alice-secret"},
		"nobody of that name":             {"carol", "alice-secret"},
		"a wildcard":                      {"*", "alice-secret"},
		"a wildcard at the end":           {"ali*", "alice-secret"},
		"a filter that is closed early":   {"alice)(uid=*", "alice-secret"},
		"a filter that is always true":    {"*)(|(uid=*", "alice-secret"},
		"a name with a zero byte":         {"alice\x00", "alice-secret"},
		"the password of another account": {"alice", slapdtest.LookupPassword},
	} {
		if p, err := d.Authenticate(t.Context(), c[0], c[1]); !errors.Is(err, ErrRefused) || p.DN != "" {
			t.Errorf("%s: %+v, %v", situation, p, err)
		}
	}
}

func TestANameThatTwoUsersHaveIsRefused(t *testing.T) {
	c := config(slapdtest.Start(t))
	c.UserFilter = "(mail=%s)"
	d, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Authenticate(t.Context(), "same@example.org", "alice-secret"); !errors.Is(err, ErrRefused) {
		t.Errorf("%v", err)
	}
}

func TestALookupAccountThatIsRefusedIsNotTheUsersFault(t *testing.T) {
	c := config(slapdtest.Start(t))
	c.LookupPassword = "wrong"
	d, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Authenticate(t.Context(), "alice", "alice-secret"); !errors.Is(err, ErrUnreachable) || errors.Is(err, ErrRefused) {
		t.Errorf("%v", err)
	}
}

// TestADirectoryThatSaysNothingIsGivenUp asks a listener that never answers.
func TestADirectoryThatSaysNothingIsGivenUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := config("ldap://" + l.Addr().String())
	c.Timeout = 100 * time.Millisecond
	d, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Authenticate(context.Background(), "alice", "alice-secret"); !errors.Is(err, ErrUnreachable) {
		t.Errorf("%v", err)
	}
}

func TestSettingsThatCannotWorkAreRefused(t *testing.T) {
	for says, change := range map[string]func(*Config){
		"in the clear":        func(c *Config) { c.URL = "ldap://ldap.example.org" },
		"want ldaps://HOST":   func(c *Config) { c.URL = "http://ldap.example.org" },
		"from the start":      func(c *Config) { c.URL, c.StartTLS = "ldaps://ldap.example.org", true },
		"lookup account":      func(c *Config) { c.LookupPassword = "" },
		"user base":           func(c *Config) { c.UserBase = "" },
		"%s is missing":       func(c *Config) { c.UserFilter = "(uid=alice)" },
		"%d is missing":       func(c *Config) { c.GroupFilter = "(cn=staff)" },
		"ldap filter":         func(c *Config) { c.UserFilter = "(uid=%s" },
		"is not a DN":         func(c *Config) { c.Policies = map[string][]string{"staff": {"readonly"}} },
		"authorities nowhere": func(c *Config) { c.Authorities = "nowhere" },
	} {
		c := config("ldap://127.0.0.1")
		change(&c)
		first, _, _ := strings.Cut(says, " nowhere")
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), first) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, name := range []string{"alice", "*", ")(uid=*", "%d", "%s", "\\", "\x00é"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := filled("(&(uid=%s)(member=%d))", name, name)
		if strings.Count(got, "(") != 3 || strings.Count(got, ")") != 3 || strings.Contains(got, "*") {
			t.Errorf("%q", got)
		}
	})
}
