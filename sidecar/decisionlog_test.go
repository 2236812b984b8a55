package sidecar

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/doorward/doorward/authz"
)

func TestDecisionLog(t *testing.T) {
	log := NewDecisionLog(DecisionLogConfig{})
	w := newWorld(t, func(c *Config) { c.Events.Decided = log.Record })
	alice := w.user("alice", document(readAll, noSecret))
	w.key(alice.Ref(), "AKIAALICE")
	session := w.session(alice, "ASIAALICE")
	w.caughtUp(w.auth)
	w.ask(w.auth, cred("AKIAALICE"), "GET", "/bucket/a%22b%0A%C3%BC?X-secret=1")
	w.ask(w.auth, session, "GET", "/bucket/secret/x")
	w.ask(w.auth, cred("AKIANOBODY"), "GET", "/bucket/x")

	var out bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := log.Run(ctx, &out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), session.Token) || strings.Contains(out.String(), "X-secret") || strings.Contains(out.String(), "Signature=") {
		t.Errorf("a secret or a query got into the log:\n%s", &out)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	want := []map[string]string{
		{"decision": "ALLOW", "reason": "allowed", "principal": string(alice.ARN()), "action": "s3:GetObject", "resource": "arn:aws:s3:::bucket/a\"b\nü", "policy": "p1", "statement": "Read", "layer": "identity"},
		{"decision": "DENY", "reason": "explicit deny", "access_key": "ASIAALICE", "session": "work", "statement": "NoSecret"},
		{"decision": "DENY", "reason": "InvalidAccessKeyId"},
	}
	if len(lines) != len(want) {
		t.Fatalf("got %d lines:\n%s", len(lines), &out)
	}
	for i := range want {
		var got map[string]any
		if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
			t.Fatalf("line %s: %v", lines[i], err)
		}
		for name, value := range want[i] {
			if got[name] != value {
				t.Errorf("line %d: %s is %q, want %q", i, name, got[name], value)
			}
		}
	}
}

func TestDecisionLogDropsAndCountsWhatDoesNotFit(t *testing.T) {
	log := NewDecisionLog(DecisionLogConfig{Queue: 2})
	for range 5 {
		log.Record(&Decision{})
	}
	if log.Dropped() != 3 {
		t.Errorf("dropped %d, want 3", log.Dropped())
	}
}

func TestDecisionLogSamplesAllowsOnly(t *testing.T) {
	log := NewDecisionLog(DecisionLogConfig{Allows: 10})
	for range 100 {
		log.Record(&Decision{Effect: authz.Allow})
		log.Record(&Decision{Effect: authz.Deny})
	}
	var out bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := log.Run(ctx, &out); err != nil {
		t.Fatal(err)
	}
	allows, denies := strings.Count(out.String(), "ALLOW"), strings.Count(out.String(), "DENY")
	if allows != 10 || denies != 100 || log.Written() != 110 {
		t.Errorf("got %d allows, %d denies, %d written", allows, denies, log.Written())
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestDecisionLogTellsThatItCannotWrite(t *testing.T) {
	log := NewDecisionLog(DecisionLogConfig{})
	log.Record(&Decision{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := log.Run(ctx, broken{}); err == nil || log.Written() != 0 {
		t.Errorf("got %v, %d written", err, log.Written())
	}
}
