package sidecar

import (
	"testing"
	"time"
)

func TestSelfTestPasses(t *testing.T) {
	if err := SelfTest(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestUseOfAKeyIsReportedOnceADay(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice", document(readAll))
	w.key(alice.Ref(), "AKIAALICE")
	session := w.session(alice, "ASIAALICE")
	w.caughtUp(w.auth)
	for range 3 {
		w.want(w.ask(w.auth, cred("AKIAALICE"), "GET", "/bucket/x"), "")
		w.want(w.ask(w.auth, session, "GET", "/bucket/x"), "")
	}
	w.ask(w.auth, cred("AKIANOBODY"), "GET", "/bucket/x")
	used := w.auth.Used(10)
	if len(used) != 1 || used[0].Key != "AKIAALICE" || used[0].Time.Go() != noon.Truncate(24*time.Hour) {
		t.Errorf("used: %+v", used)
	}
	w.ask(w.auth, cred("AKIAALICE"), "GET", "/bucket/x")
	if again := w.auth.Used(10); len(again) != 0 {
		t.Errorf("the same day again: %+v", again)
	}
}

func TestWrongSignatureIsNoUse(t *testing.T) {
	w := newWorld(t)
	w.key(w.user("alice", document(readAll)).Ref(), "AKIAALICE")
	w.caughtUp(w.auth)
	c := cred("AKIAALICE")
	c.Secret = "wrong"
	w.ask(w.auth, c, "GET", "/bucket/x")
	if used := w.auth.Used(10); len(used) != 0 {
		t.Errorf("used: %+v", used)
	}
}
