package raft

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestAMemberThatIsDownIsComplainedAboutOnceAMinute lets the library complain as it
// does, ten times a second about each of two members, for five minutes.
func TestAMemberThatIsDownIsComplainedAboutOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := newSlogger(slog.New(slog.NewTextHandler(&out, nil)))
		for range 3000 {
			log.Error("failed to heartbeat to", "peer", "b", "error", errors.New("refused"))
			log.Named("other").Error("failed to heartbeat to", "peer", "c", "error", errors.New("refused"))
			time.Sleep(100 * time.Millisecond)
		}
		log.Warn("election timeout")
		log.Info("entering follower state")
		log.Info("entering follower state")
		text := out.String()
		for what, want := range map[string]int{"peer=b": 5, "peer=c": 5, "repeated=599": 8, "election timeout": 1, "entering follower state": 2} {
			if got := strings.Count(text, what); got != want {
				t.Errorf("%q was logged %d times, want %d", what, got, want)
			}
		}
	})
}

func TestComplaintsAreForgottenWhenThereAreTooMany(t *testing.T) {
	var r repeats
	now := time.Now()
	for i := range 10 * maxRepeats {
		r.due(strings.Repeat("x", i), now)
		if len(r.seen) > maxRepeats {
			t.Fatalf("%d are remembered", len(r.seen))
		}
	}
}
