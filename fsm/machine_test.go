package fsm

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/iam/wire"
)

func mustEntry(t testing.TB, e iam.Envelope) []byte {
	t.Helper()
	b, err := wire.AppendEntry(nil, e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNothingHappensBeforeTheStoreIsInitialised(t *testing.T) {
	m := New()
	applied, err := m.Apply([]Entry{{1, [][]byte{mustEntry(t, iam.Envelope{Command: iam.DeleteBucket{Name: "a"}})}}})
	if err != nil || !errors.Is(applied[0].Results[0].Err, &iam.Error{Code: iam.ServiceUnavailable}) {
		t.Errorf("%+v, %v", applied, err)
	}
}

// TestBadBytesStopTheNode asks for an error that says where and what.
func TestBadBytesStopTheNode(t *testing.T) {
	good := mustEntry(t, iam.Envelope{Command: birth})
	flipped := slices.Clone(good)
	flipped[len(flipped)/2] ^= 1
	for name, bytes := range map[string][]byte{
		"no bytes":            {},
		"a flipped bit":       flipped,
		"half a command":      good[:len(good)/2],
		"two commands in one": append(slices.Clone(good), good...),
		"an unknown kind":     unknownKind(good, 0),
	} {
		m := New()
		_, err := m.Apply([]Entry{{4, [][]byte{good}}, {5, [][]byte{good, bytes}}})
		var at *LogError
		if !errors.As(err, &at) || at.Index != 5 || at.Command != 1 {
			t.Errorf("%s: error %v, want one of entry 5, command 1", name, err)
		}
		if m.View().Index() != 0 {
			t.Errorf("%s: the view moved on to %d", name, m.View().Index())
		}
	}
}

func unknownKind(entry []byte, flags byte) []byte {
	b := slices.Clone(entry)
	b[1] = flags
	binary.BigEndian.PutUint16(b[2:], 999)
	binary.BigEndian.PutUint64(b[len(b)-8:], xxhash.Sum64(b[:len(b)-8]))
	return b
}

func TestIgnorableCommandsArePassedOver(t *testing.T) {
	good := mustEntry(t, iam.Envelope{Command: birth})
	with, without := New(), New()
	applied, err := with.Apply([]Entry{{1, [][]byte{unknownKind(good, 1), good}}})
	if err != nil || len(applied[0].Results) != 2 || applied[0].Results[0].Err != nil {
		t.Fatalf("%+v, %v", applied, err)
	}
	if _, err := without.Apply([]Entry{{1, [][]byte{good}}}); err != nil {
		t.Fatal(err)
	}
	if with.Sum() != without.Sum() {
		t.Error("the ignorable command left something behind")
	}
}

// TestEveryCommandHasAHandler tries all commands empty: none may panic, which is
// what a command without a handler does.
func TestEveryCommandHasAHandler(t *testing.T) {
	for _, kind := range commands {
		s := newSession(t)
		s.run(reflect.Zero(kind).Interface().(iam.Command)) // fails the test on an alarm
	}
}

func TestPanicsAreRefusedAlike(t *testing.T) {
	s := newSession(t)
	next, sum := s.machine.View().Edit(), s.machine.View().Sum()
	result := iam.Result{Count: 1}
	changes, alarm := attempt(next, 1, unheardOf{iam.CreateUser{}}, &result)
	if next.Peek().Sum() != sum || changes != nil || alarm == nil || !strings.Contains(alarm.Error(), "unheardOf") {
		t.Errorf("changes %v, alarm %v, sum changed: %v", changes, alarm, next.Peek().Sum() != sum)
	}
	if !errors.Is(result.Err, &iam.Error{Code: iam.InternalFailure}) || result.Count != 0 {
		t.Errorf("result = %+v, want InternalFailure", result)
	}
}

// TestRedoLeavesOutWhatPanicked spoils a builder, as a panic in the middle of its
// changes would, and asks for the state of the earlier commands.
func TestRedoLeavesOutWhatPanicked(t *testing.T) {
	s := newSession(t)
	base := s.machine.View()
	group := iam.Group{Account: iam.FirstAccount, Name: "g", ID: "AGPA"}
	applied := []Applied{s.run(iam.CreateGroup{Group: group}), s.run(iam.PutBucket{Bucket: iam.Bucket{Name: "b", Account: iam.FirstAccount}})}
	spoiled := base.Edit()
	spoiled.Add([]iam.Change{{User: &iam.User{Account: iam.FirstAccount, Name: "half"}}})
	if got := redo(base, applied).Peek().Sum(); got != s.machine.View().Sum() {
		t.Errorf("sum %v, want %v", got, s.machine.View().Sum())
	}
}

// unheardOf is a command that no handler knows.
type unheardOf struct{ iam.Command }

func TestOldRequestsAreForgottenByNumber(t *testing.T) {
	r := newRequests()
	for i := range requestCount + 2 {
		e := iam.Envelope{Actor: "a", Request: [16]byte{byte(i), byte(i >> 8), byte(i >> 16), 1}}
		r.add(e, 1, iam.Result{Index: iam.Index(i)})
	}
	if got := r.capture().count(); got != requestCount || len(r.byID) != requestCount {
		t.Errorf("%d requests and %d ids are remembered, want %d", got, len(r.byID), requestCount)
	}
	for i, want := range []bool{false, false, true} {
		if _, ok := r.find("a", [16]byte{byte(i), 0, 0, 1}); ok != want {
			t.Errorf("request %d is remembered: %v, want %v", i, ok, want)
		}
	}
	if _, ok := r.find("b", [16]byte{2, 0, 0, 1}); ok {
		t.Error("a request of another actor was found")
	}
	for r.first < r.next {
		r.pop()
	}
	if r.sum != newRequests().sum {
		t.Errorf("sum of no requests = %v", r.sum)
	}
}

func TestWhatWasCapturedOfRequestsStaysAsItWas(t *testing.T) {
	r := newRequests()
	push := func(count int) {
		for range count {
			r.add(iam.Envelope{Actor: "a", Request: [16]byte{byte(r.next), byte(r.next >> 8), 1}}, 1, iam.Result{Index: iam.Index(r.next)})
		}
	}
	for _, row := range []struct {
		name          string
		before, after func()
	}{
		{"none", func() {}, func() { push(1) }},
		{"some, and more come", func() { push(10) }, func() { push(3 * requestChunk) }},
		{"a chunk is full", func() { push(requestChunk - int(r.next-r.base)%requestChunk) }, func() { push(1) }},
		{"some are forgotten", func() { r.pop() }, func() {
			for range requestChunk + 5 {
				r.pop()
			}
			push(2 * requestChunk)
		}},
	} {
		row.before()
		c, first, next := r.capture(), r.first, r.next
		row.after()
		want := first
		for q := range c.all() {
			if q.Index != iam.Index(want) {
				t.Fatalf("%s: request %d in place of %d", row.name, q.Index, want)
			}
			want++
		}
		if want != next || c.count() != int(next-first) {
			t.Errorf("%s: %d requests up to %d, want up to %d", row.name, c.count(), want, next)
		}
	}
}

func TestTheStoresTimeNeverGoesBack(t *testing.T) {
	s := newSession(t)
	for _, row := range []struct{ command, store iam.Time }{
		{1_700_000_000_500, 1_700_000_000_500}, {5, 1_700_000_000_500}, {1_700_000_000_501, 1_700_000_000_501},
	} {
		s.now = row.command
		s.run(iam.DeleteBucket{Name: "a"})
		if got := s.machine.Time(); got != row.store {
			t.Errorf("after a command of %d: %d, want %d", row.command, got, row.store)
		}
	}
}

func TestASnapshotIsNotChangedByWhatFollows(t *testing.T) {
	s := newSession(t)
	s.request = 1
	s.run(iam.CreateGroup{Group: iam.Group{Account: iam.FirstAccount, Name: "g", ID: "AGPA"}})
	taken := s.machine.Snapshot()
	want := snapshotBytes(t, s.machine)
	for i := range 100 {
		s.request = byte(2 + i)
		s.now += 60_000
		s.run(iam.DeleteBucket{Name: "a"})
	}
	var got strings.Builder
	if err := taken.Write(&got, 1); err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Error("the snapshot changed after it was taken")
	}
}

func TestAFailedRestoreChangesNothing(t *testing.T) {
	s := newSession(t)
	good := snapshotBytes(t, s.machine)
	sum, view := s.machine.Sum(), s.machine.View()
	for _, bad := range [][]byte{good[:len(good)-1], append(slices.Clone(good[:40]), good[41:]...), nil} {
		if err := s.machine.Restore(strings.NewReader(string(bad)), state.InTurn); !errors.Is(err, wire.ErrCorrupt) {
			t.Errorf("error %v, want ErrCorrupt", err)
		}
	}
	if s.machine.Sum() != sum || s.machine.View() != view {
		t.Error("the machine changed")
	}
}

func TestBulkCommandsStopAtTheLimit(t *testing.T) {
	s := newSession(t)
	var entry Entry
	for i := range maxChanges + 5 {
		c := iam.CreateSession{Session: iam.Session{
			Key: iam.AccessKeyID(fmt.Sprintf("ASIA%d", i)), Secret: iam.Sealed("s"),
			Parent: iam.Ref{Account: iam.FirstAccount, Kind: iam.KindRoot}, ParentID: "000000000000", Issued: 1, Expires: 2,
		}}
		entry.Commands = append(entry.Commands, mustEntry(t, iam.Envelope{Command: c}))
	}
	s.index++
	entry.Index = s.index
	if _, err := s.machine.Apply([]Entry{entry}); err != nil {
		t.Fatal(err)
	}
	revoke := iam.RevokeSessions{Parent: iam.Ref{Account: iam.FirstAccount, Kind: iam.KindRoot}, IssuedBefore: 9}
	for _, want := range []int{maxChanges, 5, 0} {
		if got := s.run(revoke).Results[0].Count; got != want {
			t.Errorf("revoked %d, want %d", got, want)
		}
	}
}

// TestTheGoldenLogReplays replays a log that was written by the first version, and
// compares the sum that it led to. It holds for ever: a difference means that
// replicas of two builds would part ways.
func TestTheGoldenLogReplays(t *testing.T) {
	path := filepath.Join("testdata", "v1", "log.hex")
	if _, err := os.Stat(path); err != nil && *update {
		writeGoldenLog(t, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	last := len(lines) - 1
	if got := "sum " + replay(t, lines[:last]).Sum().String(); last < 100 || got != lines[last] {
		t.Errorf("%d entries lead to %s, want %s", last, got, lines[last])
	}
}

// replay applies a log of one command in hexadecimal digits to a line.
func replay(t *testing.T, lines []string) *Machine {
	t.Helper()
	m := New()
	for i, line := range lines {
		b, err := hex.DecodeString(line)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Apply([]Entry{{iam.Index(i + 1), [][]byte{b}}}); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// writeGoldenLog runs all transcripts in one store, refusals included.
func writeGoldenLog(t *testing.T, path string) {
	s := newSession(t)
	for _, file := range transcripts(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSuffix(line, "\n"); line != "" && line[0] >= 'A' && line[0] <= 'Z' {
				s.request, s.now = byte(len(s.log)), s.now+10_000
				s.run(s.parse(line))
			}
		}
	}
	var out strings.Builder
	for _, entry := range s.log {
		if len(entry.Commands[0]) > 8<<10 {
			continue
		}
		out.WriteString(hex.EncodeToString(entry.Commands[0]) + "\n")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	out.WriteString("sum " + replay(t, strings.Fields(out.String())).Sum().String() + "\n")
	if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
