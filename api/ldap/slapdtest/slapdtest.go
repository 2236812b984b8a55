// Package slapdtest runs Debian's slapd for tests.
package slapdtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// The directory that [Start] fills: two users below ou=people, whose passwords are
// their names and "-secret", a lookup account, and a group of alice.
const (
	Base           = "dc=example,dc=org"
	LookupDN       = "cn=lookup," + Base
	LookupPassword = "lookup-secret"
	AliceDN        = "uid=alice,ou=people," + Base
	BobDN          = "uid=bob,ou=people," + Base
	StaffDN        = "cn=Staff,ou=groups," + Base
)

const configuration = `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile %[1]s/slapd.pid
disallow bind_anon
database mdb
maxsize 10485760
suffix "` + Base + `"
rootdn "` + LookupDN + `"
rootpw ` + LookupPassword + `
directory %[1]s/db
`

const entries = `dn: ` + Base + `
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: ou=people,` + Base + `
objectClass: organizationalUnit
ou: people

dn: ou=groups,` + Base + `
objectClass: organizationalUnit
ou: groups

dn: ` + AliceDN + `
objectClass: inetOrgPerson
uid: alice
cn: Alice
sn: A
mail: same@example.org
userPassword: alice-secret

dn: ` + BobDN + `
objectClass: inetOrgPerson
uid: bob
cn: Bob
sn: B
mail: same@example.org
userPassword: bob-secret

dn: ` + StaffDN + `
objectClass: groupOfNames
cn: Staff
member: ` + AliceDN + `
`

// Start runs slapd on loopback until the test ends and returns its URL. Where there
// is no slapd the test is skipped, and says what it needs; it fails where
// DOORWARD_REQUIRE_CLIENTS is set.
func Start(t testing.TB) string {
	t.Helper()
	slapd, err := exec.LookPath("slapd")
	if err != nil {
		if slapd, err = exec.LookPath("/usr/sbin/slapd"); err != nil {
			if os.Getenv("DOORWARD_REQUIRE_CLIENTS") != "" {
				t.Fatal("there is no slapd: apt-get install slapd")
			}
			t.Skip("SKIPPED: there is no slapd, so nothing about LDAP is tested here: apt-get install slapd")
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "db"), 0o700); err != nil {
		t.Fatal(err)
	}
	conf, ldif := filepath.Join(dir, "slapd.conf"), filepath.Join(dir, "entries.ldif")
	if err := os.WriteFile(conf, fmt.Appendf(nil, configuration, dir), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ldif, []byte(entries), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(slapd, "-T", "add", "-f", conf, "-l", ldif).CombinedOutput(); err != nil {
		t.Fatalf("slapadd: %v\n%s", err, out)
	}
	address := freeAddress(t)
	run := exec.Command(slapd, "-h", "ldap://"+address, "-f", conf, "-d", "0")
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { run.Process.Kill(); run.Wait() })
	for range 200 {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return "ldap://" + address
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatal("slapd does not listen")
	return ""
}

func freeAddress(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
