package raft

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"runtime"
	"sync"
	"testing"
	"time"
)

// ledger is a state machine that keeps every command it was given, in order.
type ledger struct {
	mu      sync.Mutex
	index   uint64
	entries [][]byte
	seen    map[string]bool
	refuse  error // what Apply answers, if set
}

func newLedger() *ledger { return &ledger{seen: make(map[string]bool)} }

func (l *ledger) Apply(entries []Entry) ([][]any, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse != nil {
		return nil, l.refuse
	}
	var results [][]any
	for _, e := range entries {
		var r []any
		for _, c := range e.Commands {
			l.add(c)
			r = append(r, len(l.entries))
		}
		l.index = e.Index
		results = append(results, r)
	}
	return results, nil
}

func (l *ledger) add(c []byte) {
	l.entries = append(l.entries, append([]byte(nil), c...))
	l.seen[string(c)] = true
}

func (l *ledger) Snapshot() (Snapshot, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return ledgerSnapshot{l.index, l.entries[:len(l.entries):len(l.entries)]}, nil
}

func (l *ledger) Restore(r io.Reader) (uint64, error) {
	all, err := io.ReadAll(r)
	if err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries, l.seen = nil, make(map[string]bool)
	l.index = binary.BigEndian.Uint64(all)
	commands, err := splitEntry(all[8:])
	for _, c := range commands {
		l.add(c)
	}
	return l.index, err
}

type ledgerSnapshot struct {
	index   uint64
	entries [][]byte
}

func (s ledgerSnapshot) WriteTo(w io.Writer) (int64, error) {
	data, _ := sealEntry(s.entries)
	n, err := w.Write(append(binary.BigEndian.AppendUint64(nil, s.index), data...))
	return int64(n), err
}

func (s ledgerSnapshot) Release() {}

func (l *ledger) has(c string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen[c]
}

func (l *ledger) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.entries)
}

func (l *ledger) hash() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := fnv.New64a()
	for _, e := range l.entries {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(e))))
		h.Write(e)
	}
	return h.Sum64()
}

// fast is a configuration for tests on a busy machine: quick elections, patience
// with the disk.
func fast(dir string) Config {
	c := DefaultConfig()
	c.Dir = dir
	c.Heartbeat, c.Election, c.Lease = 100*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond
	c.LeaderStall, c.FollowerStall = time.Minute, time.Minute
	c.MinFree = 0
	return c
}

// started is a node that runs until the test ends or stop is called.
type started struct {
	*Node
	ledger *ledger
	cancel context.CancelFunc
	done   chan struct{}
	err    error // of Run, once done is closed
}

func open(t testing.TB, cfg Config, l *ledger) *started {
	t.Helper()
	n, err := Open(cfg, l)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &started{Node: n, ledger: l, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		s.err = n.Run(ctx)
	}()
	t.Cleanup(func() { s.stop(t) })
	select {
	case <-n.Running():
	case <-s.done:
		t.Fatal(s.err)
	}
	return s
}

func (s *started) stop(t testing.TB) {
	t.Helper()
	s.cancel()
	<-s.done
}

// lead waits until the node leads and can be read from.
func (s *started) lead(t testing.TB) *started {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		changed := s.Changed()
		if index, err := s.ReadIndex(ctx); err == nil {
			if err := s.WaitApplied(ctx, index); err != nil {
				t.Fatal(err)
			}
			return s
		}
		select {
		case <-changed:
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("no leader")
		}
	}
}

// alone is a single node that leads.
func alone(t testing.TB, dir string, l *ledger) *started {
	t.Helper()
	s := open(t, fast(dir), l)
	if len(s.Status().Members) == 0 {
		if err := s.Bootstrap(); err != nil {
			t.Fatal(err)
		}
	}
	return s.lead(t)
}

func (s *started) propose(t testing.TB, command string) Outcome {
	t.Helper()
	o, err := s.Propose(t.Context(), []byte(command))
	if err != nil {
		t.Fatalf("propose %q: %v", command, err)
	}
	return o
}

func TestCommandsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	s := alone(t, dir, newLedger())
	for i := range 20 {
		if o := s.propose(t, fmt.Sprint("c", i)); o.Result != i+1 {
			t.Fatalf("command %d: result %v, want %d", i, o.Result, i+1)
		}
	}
	id, sum := s.ID(), s.ledger.hash()
	s.stop(t)
	if s.err != nil {
		t.Fatal(s.err)
	}
	again := alone(t, dir, newLedger())
	if again.ID() != id {
		t.Errorf("id %s became %s", id, again.ID())
	}
	if again.ledger.hash() != sum {
		t.Error("the state differs after a restart")
	}
	if err := again.Bootstrap(); !errors.Is(err, ErrMember) {
		t.Errorf("second Bootstrap: %v, want ErrMember", err)
	}
}

func TestSnapshotThenRestartThenMore(t *testing.T) {
	dir := t.TempDir()
	cfg := fast(dir)
	cfg.TrailingLogs = 2
	s := open(t, cfg, newLedger())
	if err := s.Bootstrap(); err != nil {
		t.Fatal(err)
	}
	s.lead(t)
	for i := range 10 {
		s.propose(t, fmt.Sprint("a", i))
	}
	if err := s.TakeSnapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if first, _ := s.logs.FirstIndex(); first < 5 {
		t.Errorf("the log still begins at %d after a snapshot", first)
	}
	if err := s.TakeSnapshot(t.Context()); err != nil {
		t.Errorf("a snapshot with nothing new: %v", err)
	}
	s.propose(t, "after")
	sum := s.ledger.hash()
	s.stop(t)

	again := open(t, cfg, newLedger()).lead(t)
	if again.ledger.hash() != sum || !again.ledger.has("a0") || !again.ledger.has("after") {
		t.Errorf("after snapshot and restart there are %d commands", again.ledger.len())
	}
	again.propose(t, "more")
	index, err := again.ReadIndex(t.Context())
	if err != nil || index != again.Applied() {
		t.Errorf("ReadIndex = %d, %v, want %d", index, err, again.Applied())
	}
}

func TestConcurrentProposalsShareEntries(t *testing.T) {
	s := alone(t, t.TempDir(), newLedger())
	const writers, each = 64, 20
	var wg sync.WaitGroup
	indexes := make([][]uint64, writers)
	before := s.Status().Last
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				o, err := s.Propose(t.Context(), fmt.Appendf(nil, "w%d-%d", w, i))
				if err != nil {
					t.Error(err)
					return
				}
				indexes[w] = append(indexes[w], o.Index)
			}
		})
	}
	wg.Wait()
	if got := s.ledger.len(); got != writers*each {
		t.Fatalf("%d commands took effect, want %d", got, writers*each)
	}
	entries := s.Status().Last - before
	if entries >= writers*each/4 {
		t.Errorf("%d commands took %d entries", writers*each, entries)
	}
	for w := range indexes {
		for i := 1; i < len(indexes[w]); i++ {
			if indexes[w][i] <= indexes[w][i-1] {
				t.Fatalf("writer %d: index %d after %d", w, indexes[w][i], indexes[w][i-1])
			}
		}
	}
}

func TestLimitsRefuseBeforeAnythingHappens(t *testing.T) {
	cfg := fast(t.TempDir())
	cfg.MaxInFlight = 4
	block := make(chan struct{})
	armed := make(chan struct{})
	cfg.Disk = func(op DiskOp) error {
		select {
		case <-armed:
			if op == OpAppend {
				<-block
			}
		default:
		}
		return nil
	}
	s := open(t, cfg, newLedger())
	if _, err := s.Propose(t.Context(), []byte("x")); !errors.Is(err, ErrNotLeader) {
		t.Errorf("before there is a cluster: %v, want ErrNotLeader", err)
	}
	if err := s.Bootstrap(); err != nil {
		t.Fatal(err)
	}
	s.lead(t)
	if _, err := s.Propose(t.Context(), make([]byte, cfg.MaxCommand+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("an oversized command: %v, want ErrTooLarge", err)
	}
	close(armed)
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error, 5)
	for i := range 5 {
		go func() {
			_, err := s.Propose(ctx, []byte{byte(i)})
			results <- err
		}()
	}
	if err := <-results; !errors.Is(err, ErrOverloaded) {
		t.Errorf("the fifth command in flight: %v, want ErrOverloaded", err)
	}
	cancel()
	unknown := 0
	for range 4 {
		err := <-results
		switch {
		case errors.Is(err, ErrUnknownOutcome):
			unknown++
		case !errors.Is(err, ErrCancelled):
			t.Errorf("a cancelled command: %v", err)
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v does not say that the context ended it", err)
		}
	}
	if unknown == 0 {
		t.Error("no command was on its way to the disk")
	}
	close(block)
	for {
		_, err := s.Propose(t.Context(), []byte("still working"))
		if err == nil {
			return
		}
		if !errors.Is(err, ErrOverloaded) {
			t.Fatal(err)
		}
		runtime.Gosched()
	}
}

func TestCommandsOfOneCallAreDecidedOneByOne(t *testing.T) {
	cfg := fast(t.TempDir())
	cfg.MaxCommand, cfg.BatchCommands, cfg.MaxInFlight = 100, 2, 5
	block, armed, blocked := make(chan struct{}), make(chan struct{}), make(chan struct{}, 100)
	cfg.Disk = func(op DiskOp) error {
		select {
		case <-armed:
			if op == OpAppend {
				blocked <- struct{}{}
				<-block
			}
		default:
		}
		return nil
	}
	to := newLedger()
	s := open(t, cfg, to)
	if err := s.Bootstrap(); err != nil {
		t.Fatal(err)
	}
	s.lead(t)
	if got := s.ProposeAll(t.Context(), nil); len(got) != 0 {
		t.Errorf("nothing was proposed, and became %v", got)
	}
	commands := [][]byte{[]byte("a"), make([]byte, 101), []byte("b"), []byte("c"), []byte("d"), []byte("e"), []byte("f"), []byte("g")}
	want := []error{nil, ErrTooLarge, nil, nil, nil, nil, ErrOverloaded, ErrOverloaded}
	got := s.ProposeAll(t.Context(), commands)
	entries := make(map[uint64]int)
	for i, p := range got {
		if !errors.Is(p.Err, want[i]) || (p.Err == nil) != to.has(string(commands[i])) {
			t.Errorf("command %d: %v, want %v", i, p.Err, want[i])
		}
		if p.Err == nil {
			entries[p.Index]++
		}
	}
	if len(entries) < 3 {
		t.Errorf("five commands, of which two fit into an entry, were in %v", entries)
	}

	// The first are on their way to the disk when their caller gives up.
	close(armed)
	ctx, cancel := context.WithCancel(t.Context())
	answer := make(chan []Proposed)
	go func() {
		answer <- s.ProposeAll(ctx, [][]byte{[]byte("h"), []byte("i"), []byte("j"), []byte("k"), []byte("l")})
	}()
	<-blocked
	cancel()
	unknown := 0
	for i, p := range <-answer {
		switch {
		case errors.Is(p.Err, ErrUnknownOutcome):
			unknown++
		case !errors.Is(p.Err, ErrCancelled):
			t.Errorf("command %d, which was given up: %v", i, p.Err)
		}
	}
	if unknown == 0 {
		t.Error("no command was on its way to the disk")
	}
	close(block)
	s.stop(t)
	if got := s.ProposeAll(t.Context(), commands[:2]); !errors.Is(got[0].Err, ErrStopped) || !errors.Is(got[1].Err, ErrStopped) {
		t.Errorf("a stopped node: %v", got)
	}
}

func TestStoppedNodeAnswersAtOnce(t *testing.T) {
	s := alone(t, t.TempDir(), newLedger())
	s.stop(t)
	if _, err := s.Propose(t.Context(), []byte("x")); !errors.Is(err, ErrStopped) {
		t.Errorf("Propose: %v, want ErrStopped", err)
	}
	if _, err := s.ReadIndex(t.Context()); !errors.Is(err, ErrStopped) {
		t.Errorf("ReadIndex: %v, want ErrStopped", err)
	}
	if err := s.Run(t.Context()); !errors.Is(err, ErrStopped) {
		t.Errorf("second Run: %v, want ErrStopped", err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	alone(t, dir, newLedger())
	if _, err := Open(fast(dir), newLedger()); !errors.Is(err, ErrInUse) {
		t.Errorf("second Open: %v, want ErrInUse", err)
	}
}

func TestFailedMachineStopsTheNode(t *testing.T) {
	dir := t.TempDir()
	s := alone(t, dir, newLedger())
	s.propose(t, "good")
	s.ledger.mu.Lock()
	s.ledger.refuse = errors.New("cannot make sense of this")
	s.ledger.mu.Unlock()
	if _, err := s.Propose(t.Context(), []byte("bad")); err == nil {
		t.Error("a command that was not applied is acknowledged")
	}
	<-s.done
	if !errors.Is(s.err, ErrMachine) {
		t.Errorf("Run: %v, want ErrMachine", s.err)
	}
}

func TestConfigRefusals(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no directory":               func(c *Config) { c.Dir = "" },
		"election below heartbeat":   func(c *Config) { c.Election = c.Heartbeat / 2 },
		"lease above heartbeat":      func(c *Config) { c.Lease = 2 * c.Heartbeat },
		"too many entries a request": func(c *Config) { c.MaxAppend = 2000 },
		"a command above a batch":    func(c *Config) { c.MaxCommand = c.BatchBytes + 1 },
		"no snapshots":               func(c *Config) { c.SnapshotsKept = 0 },
		"no patience":                func(c *Config) { c.LeaderStall = 0 },
	} {
		c := DefaultConfig()
		c.Dir = "x"
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		change(&c)
		if err := c.Validate(); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func FuzzOpenEntry(f *testing.F) {
	data, _ := sealEntry([][]byte{[]byte("a"), nil, bytes.Repeat([]byte("b"), 200)})
	f.Add(data)
	f.Add([]byte{1, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		commands, err := splitEntry(data)
		if err != nil {
			return
		}
		again, _ := sealEntry(commands)
		if back, err := splitEntry(again); err != nil || len(back) != len(commands) {
			t.Fatalf("%x reads as %d commands, which write as %x", data, len(commands), again)
		}
	})
}
