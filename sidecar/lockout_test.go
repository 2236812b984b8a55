package sidecar

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/internal/lockout"
)

func TestAKeyIsLockedForWhoGuessesItsSecretAndForNobodyElse(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Lockout = lockout.Config{Attempts: 3, Lock: time.Minute} })
	alice := w.user("alice", document(readAll))
	w.key(alice.Ref(), "AKIAALICE")
	w.caughtUp(w.auth)
	guess := cred("AKIAALICE")
	guess.Secret = "guess"
	ask := func(wrong bool, from string) iam.Code {
		t.Helper()
		c := cred("AKIAALICE")
		if wrong {
			c = guess
		}
		q := w.signed(c, "GET", "/bucket/x")
		q.Remote, _ = netip.ParseAddr(from)
		var d Decision
		w.auth.Authorize(context.Background(), q, &d)
		if d.Allowed() {
			return ""
		}
		return d.Refusal.Code
	}
	for range 3 {
		if got := ask(true, "192.0.2.7"); got != iam.SignatureDoesNotMatch {
			t.Fatalf("a guess: %s", got)
		}
	}
	if got := ask(false, "192.0.2.7"); got != iam.AccessDenied {
		t.Errorf("the right secret after three guesses: %q", got)
	}
	if got := ask(false, "192.0.2.8"); got != "" {
		t.Errorf("the owner elsewhere: %q", got)
	}
	for range 10 {
		if got := ask(true, ""); got != iam.SignatureDoesNotMatch {
			t.Fatalf("a guess without an address: %s", got)
		}
	}
	if got := ask(false, ""); got != "" {
		t.Errorf("whose address nobody knows: %q", got)
	}
	w.pass(time.Minute)
	if got := ask(false, "192.0.2.7"); got != "" {
		t.Errorf("after the lock: %q", got)
	}
}
