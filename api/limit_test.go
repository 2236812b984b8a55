package api

import (
	"net/netip"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/lockout"
)

func TestAKeyIsLockedForWhoGuessesItsSecret(t *testing.T) {
	w := newWorldAs(t, Config{Limits: Limits{Lockout: lockout.Config{Attempts: 3, Lock: time.Minute}}})
	alice := w.user("alice")
	guess := credentials{alice.id, "guess", ""}
	for range 2 {
		w.want(w.call(guess, "GetCallerIdentity"), 403, "SignatureDoesNotMatch")
	}
	w.must(alice, "GetCallerIdentity") // who knows it starts anew
	for range 3 {
		w.want(w.call(guess, "GetCallerIdentity"), 403, "SignatureDoesNotMatch")
	}
	w.want(w.call(guess, "GetCallerIdentity"), 403, "AccessDenied")
	w.want(w.call(alice, "GetCallerIdentity"), 403, "AccessDenied")
	w.want(w.json(alice, "GET", "/v1/service-accounts", ""), 403, "AccessDenied")
	w.must(w.root, "GetCallerIdentity") // another key from the same address
	w.pass(time.Minute)
	w.must(alice, "GetCallerIdentity")
	// Other mistakes are no guesses.
	for range 10 {
		w.want(w.call(alice, "DeleteUser", "UserName", "alice"), 403, "AccessDenied")
	}
	w.must(alice, "GetCallerIdentity")
}

func TestASourceThatAsksTooOftenIsToldToWait(t *testing.T) {
	w := newWorldAs(t, Config{Limits: Limits{Requests: 1, Burst: 5}})
	for range 5 {
		w.must(w.root, "ListUsers")
	}
	w.want(w.call(w.root, "ListUsers"), 429, "Throttling")
	w.want(w.json(w.root, "GET", "/v1/settings", ""), 429, "Throttling")
	w.want(w.call(credentials{"AKIANOBODY", "x", ""}, "ListUsers"), 429, "Throttling")
	w.pass(time.Second)
	w.must(w.root, "ListUsers")
	w.want(w.call(w.root, "ListUsers"), 429, "Throttling")
}

func TestSourcesAreCountedEachByItself(t *testing.T) {
	l := &limiter{limits: Limits{Requests: 1, Burst: 1}, sources: newSources()}
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		first, second string
		allowed       bool
	}{
		"the same address":     {"192.0.2.1", "192.0.2.1", false},
		"a neighbour":          {"192.0.2.3", "192.0.2.4", true},
		"one site in IPv6":     {"2001:db8:0:1::1", "2001:db8:0:1::2", false},
		"another site in IPv6": {"2001:db8:0:2::1", "2001:db8:0:3::1", true},
		"those without any":    {"", "", false},
	} {
		parse := func(text string) netip.Addr { a, _ := netip.ParseAddr(text); return a }
		if !l.allow(parse(row.first), now) {
			t.Errorf("%s: the first call is refused", name)
		}
		if got := l.allow(parse(row.second), now); got != row.allowed {
			t.Errorf("%s: %v", name, got)
		}
	}
	free := &limiter{limits: Limits{Requests: -1}, sources: newSources()}
	for range 10_000 {
		if !free.allow(netip.MustParseAddr("192.0.2.1"), now) {
			t.Fatal("limited though nothing should be")
		}
	}
	for i := range maxSources + 100 {
		l.allow(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now)
	}
	if len(l.sources) > maxSources {
		t.Errorf("%d sources", len(l.sources))
	}
}
