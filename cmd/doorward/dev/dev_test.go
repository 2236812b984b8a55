package dev

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/sidecar"
)

func TestOnlyLoopbackIsListenedOn(t *testing.T) {
	for address, fine := range map[string]bool{
		"127.0.0.1:0": true, "[::1]:8470": true, "localhost:8470": true, "127.8.8.8:1": true,
		":8470": false, "0.0.0.0:8470": false, "[::]:8470": false, "192.0.2.1:8470": false, "store-1:8470": false, "8470": false, "": false,
	} {
		if err := loopback(address); (err == nil) != fine {
			t.Errorf("%q: error %v, want accepted: %v", address, err, fine)
		}
	}
}

func TestPathsAreOneWordForAShell(t *testing.T) {
	for path, want := range map[string]string{
		"/var/lib/doorward": "/var/lib/doorward", "/tmp/my data": "'/tmp/my data'", "/tmp/it's": `'/tmp/it'\''s'`, "/tmp/$HOME": "'/tmp/$HOME'",
	} {
		if got := quoted(path); got != want {
			t.Errorf("%q quoted is %s, want %s", path, got, want)
		}
	}
}

func TestDecisionLinesSayWhy(t *testing.T) {
	allowed := sidecar.Decision{Effect: authz.Allow, Action: "s3:GetObject", Reason: authz.Decision{Effect: authz.Allow, Layer: authz.IdentityLayer, Policy: "p", Statement: 0}}
	forbidden := sidecar.Decision{Action: "s3:GetObject", Reason: authz.Decision{Explicit: true, Layer: authz.IdentityLayer, Policy: "p", Statement: 2, Sid: "Never"}}
	nothing := sidecar.Decision{Action: "s3:GetObject", Reason: authz.Decision{Statement: -1}}
	unknown := sidecar.Decision{Refusal: &sigv4.Error{Code: sigv4.InvalidAccessKeyID}, Reason: authz.Decision{Statement: -1}}
	for _, row := range []struct {
		name              string
		decision          sidecar.Decision
		reason, statement string
	}{
		{"an allow names its statement by number, from one", allowed, "allowed", "1"},
		{"a deny names its statement by its Sid", forbidden, "explicit deny", "Never"},
		{"no statement at all", nothing, "no policy allows it", ""},
		{"a request that came to no policy has its S3 error", unknown, "InvalidAccessKeyId", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			line := lineOf(&row.decision, time.Unix(0, 0))
			if line.Reason != row.reason || line.Statement != row.statement {
				t.Errorf("reason %q, statement %q; want %q, %q", line.Reason, line.Statement, row.reason, row.statement)
			}
		})
	}
}

func TestReadyFileIsPrivateAndWhole(t *testing.T) {
	name := filepath.Join(t.TempDir(), "ready.json")
	if err := (Ready{Endpoint: "http://127.0.0.1:1", SecretAccessKey: "s"}).write(name); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v; want 0600", info.Mode(), err)
	}
	left, err := os.ReadDir(filepath.Dir(name))
	if err != nil || len(left) != 1 {
		t.Errorf("%d files in the folder, %v; want the ready file alone", len(left), err)
	}
}

func TestALongSocketPathIsRefusedWithAWayOut(t *testing.T) {
	c := Config{Dir: filepath.Join(t.TempDir(), strings.Repeat("d", maxSocket))}
	if err := c.complete(); err == nil || !strings.Contains(err.Error(), "--socket") {
		t.Errorf("error %v, want one that names --socket", err)
	}
}
