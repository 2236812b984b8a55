package raft

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary play the process that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("DOORWARD_CRASH_DIR"); dir != "" {
		crashMain(dir)
		return
	}
	os.Exit(m.Run())
}

// crashMain writes commands from several goroutines and prints each one that was
// acknowledged, until it is killed or, if told so, kills itself at an operation on
// the disk.
func crashMain(dir string) {
	cfg := fast(dir)
	cfg.SnapshotThreshold, cfg.TrailingLogs, cfg.SnapshotInterval = 40, 20, 20*time.Millisecond
	cfg.Disk = killAt(os.Getenv("DOORWARD_CRASH_OP"), os.Getenv("DOORWARD_CRASH_COUNT"))
	n, err := Open(cfg, newLedger())
	if err != nil {
		fmt.Println("error", err)
		return
	}
	go func() {
		err := n.Run(context.Background())
		fmt.Println("error", err)
		os.Exit(1)
	}()
	<-n.Running()
	if len(n.Status().Members) == 0 {
		n.Bootstrap()
	}
	fmt.Println("running")
	round := os.Getenv("DOORWARD_CRASH_ROUND")
	var out sync.Mutex
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				changed := n.Changed()
				command := fmt.Sprintf("%s-%d-%d", round, w, i)
				switch _, err := n.Propose(context.Background(), []byte(command)); {
				case err == nil:
					out.Lock()
					fmt.Println("acked", command)
					out.Unlock()
				case errors.Is(err, ErrNotLeader):
					i--
					select {
					case <-changed:
					case <-time.After(10 * time.Millisecond):
					}
				}
			}
		})
	}
	wg.Wait()
}

// killAt kills this process at the count-th operation of a kind: before it, or
// half-way for those that have a middle.
func killAt(op, count string) func(DiskOp) error {
	if op == "" {
		return nil
	}
	left, _ := strconv.Atoi(count)
	var mu sync.Mutex
	return func(now DiskOp) error {
		mu.Lock()
		defer mu.Unlock()
		if string(now) == op {
			if left--; left < 0 {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}
		return nil
	}
}

// crash runs one life of the process and returns what it acknowledged.
func crash(t *testing.T, dir string, round int, kill func(acked int) bool, env ...string) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "DOORWARD_CRASH_DIR="+dir, fmt.Sprintf("DOORWARD_CRASH_ROUND=%d", round))
	cmd.Env = append(cmd.Env, env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() })
	defer deadline.Stop()
	var acked []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "acked":
			acked = append(acked, rest)
		case "error":
			t.Errorf("round %d: %s", round, rest)
		}
		if kill(len(acked)) {
			cmd.Process.Kill() // SIGKILL
		}
	}
	cmd.Wait()
	return acked
}

// verify opens the directory after a crash: everything acknowledged is there, and a
// state rebuilt from an older snapshot and the log is the same.
func verify(t *testing.T, dir string, acked []string) {
	t.Helper()
	s := alone(t, dir, newLedger())
	for _, c := range acked {
		if !s.ledger.has(c) {
			t.Fatalf("acknowledged command %s is lost", c)
		}
	}
	sum, count := s.ledger.hash(), s.ledger.len()
	s.stop(t)
	replayed := replay(t, dir)
	if replayed.hash() != sum {
		t.Fatalf("replay gives %d commands with another hash, the node had %d", replayed.len(), count)
	}
}

// replay copies the directory, takes the newest snapshot away if the log reaches
// behind it, and lets a node rebuild its state.
func replay(t *testing.T, dir string) *ledger {
	t.Helper()
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	dropNewestSnapshot(t, copied)
	s := alone(t, copied, newLedger())
	defer s.stop(t)
	return s.ledger
}

func dropNewestSnapshot(t *testing.T, dir string) {
	n, err := Open(fast(dir), newLedger())
	if err != nil {
		t.Fatal(err)
	}
	list, err := n.snaps.List()
	if err != nil {
		t.Fatal(err)
	}
	first, _ := n.logs.FirstIndex()
	n.Close()
	if len(list) == 0 || len(list) == 1 && first > 1 || len(list) > 1 && first > list[1].Index+1 {
		return
	}
	if err := os.RemoveAll(filepath.Join(dir, snapshotDir, list[0].ID)); err != nil {
		t.Fatal(err)
	}
}

// crashRounds is 50, fewer with -short.
func crashRounds() int {
	if testing.Short() {
		return 5
	}
	return 50
}

func TestKilledAnywhereNothingAcknowledgedIsLost(t *testing.T) {
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	var acked []string
	lives := 0
	for round := range crashRounds() {
		after := random.IntN(60)
		got := crash(t, dir, round, func(n int) bool { return n > after })
		acked = append(acked, got...)
		if len(got) > 0 {
			lives++
		}
		if round%10 == 9 || round == crashRounds()-1 {
			verify(t, dir, acked)
		}
	}
	if lives < crashRounds()/2 {
		t.Errorf("only %d of %d lives acknowledged anything", lives, crashRounds())
	}
	t.Logf("%d acknowledged commands over %d kills", len(acked), crashRounds())
}

func TestKilledAtEachPersistenceStepNothingAcknowledgedIsLost(t *testing.T) {
	for _, op := range []DiskOp{OpAppend, OpCompact, OpVote, OpSnapshotWrite, OpSnapshotClose} {
		t.Run(string(op), func(t *testing.T) {
			dir := t.TempDir()
			acked := crash(t, dir, 0, func(n int) bool { return n > 50 })
			for round, count := range []int{0, 1, 2} {
				acked = append(acked, crash(t, dir, round+1, func(n int) bool { return n > 400 },
					"DOORWARD_CRASH_OP="+string(op), fmt.Sprintf("DOORWARD_CRASH_COUNT=%d", count))...)
				verify(t, dir, acked)
			}
		})
	}
}

// filled is a closed data directory with a snapshot, entries behind it, a term and
// a vote.
func filled(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cfg := fast(dir)
	cfg.TrailingLogs = 4
	s := open(t, cfg, newLedger())
	if err := s.Bootstrap(); err != nil {
		t.Fatal(err)
	}
	s.lead(t)
	for i := range 10 {
		s.propose(t, fmt.Sprint("c", i))
	}
	if err := s.TakeSnapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		s.propose(t, fmt.Sprint("d", i))
	}
	s.stop(t)
	return dir
}

func TestDamagedFilesAreRefusedByName(t *testing.T) {
	dir := filled(t)
	snapshot, err := filepath.Glob(filepath.Join(dir, snapshotDir, "*", "state.bin"))
	if err != nil || len(snapshot) != 1 {
		t.Fatal(snapshot, err)
	}
	meta := filepath.Join(filepath.Dir(snapshot[0]), "meta.json")
	log, id := filepath.Join(dir, logFile), filepath.Join(dir, idFile)
	for _, row := range []struct {
		name   string
		path   string
		damage func(text []byte) []byte
		named  string
	}{
		{"a bit flips in a log entry", log, flipIn("d7"), logFile},
		{"a bit flips in the term", log, flipIn(keyTerm), logFile},
		{"a bit flips in the vote", log, flipIn(keyVote), logFile},
		{"a bit flips in a bucket name", log, flipIn("logs"), logFile},
		{"the log is cut by a page", log, func(b []byte) []byte { return b[:5*os.Getpagesize()] }, logFile},
		{"the log is cut to nothing", log, func(b []byte) []byte { return nil }, logFile},
		{"the log is overwritten", log, func(b []byte) []byte { return make([]byte, len(b)) }, logFile},
		{"the first meta page is damaged", log, flipAt(20), logFile},
		{"the second meta page is damaged", log, flipAt(os.Getpagesize() + 70), logFile},
		{"a bit flips in the snapshot", snapshot[0], flipAt(12), filepath.Base(filepath.Dir(snapshot[0]))},
		{"the snapshot is cut", snapshot[0], func(b []byte) []byte { return b[:len(b)-1] }, filepath.Base(filepath.Dir(snapshot[0]))},
		{"the snapshot's description is torn", meta, func(b []byte) []byte { return b[:len(b)/2] }, "meta.json"},
		{"a bit flips in the id", id, flipAt(3), idFile},
	} {
		t.Run(row.name, func(t *testing.T) {
			damaged := t.TempDir()
			if err := os.CopyFS(damaged, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			path := strings.Replace(row.path, dir, damaged, 1)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, row.damage(text), 0o600); err != nil {
				t.Fatal(err)
			}
			n, err := Open(fast(damaged), newLedger())
			if err == nil {
				n.Close()
				t.Fatal("the node starts")
			}
			var corrupt *CorruptError
			if !errors.As(err, &corrupt) || !errors.Is(err, ErrCorrupt) || !strings.Contains(corrupt.Path, row.named) || corrupt.Remedy == "" {
				t.Errorf("%v, want a CorruptError that names %s and the way out", err, row.named)
			}
		})
	}
}

func flipAt(i int) func([]byte) []byte {
	return func(b []byte) []byte { b[i] ^= 4; return b }
}

// flipIn damages every copy of a text: bolt keeps pages that are no longer used.
func flipIn(text string) func([]byte) []byte {
	return func(b []byte) []byte {
		s := string(b)
		if !strings.Contains(s, text) {
			panic("nothing to damage")
		}
		flipped := text[:len(text)-1] + string(text[len(text)-1]^4)
		return []byte(strings.ReplaceAll(s, text, flipped))
	}
}

// TestAnyBitFlipIsRefusedOrHarmless flips one bit after the other in all files: a
// node that starts nevertheless has the whole state.
func TestAnyBitFlipIsRefusedOrHarmless(t *testing.T) {
	dir := filled(t)
	reference := alone(t, dir, newLedger())
	want := reference.ledger.hash()
	reference.stop(t)
	random := rand.New(rand.NewPCG(3, 4))
	var files []string
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && d.Name() != lockFile {
			files = append(files, strings.TrimPrefix(path, dir))
		}
		return err
	})
	rounds, refused := 40, 0
	if testing.Short() {
		rounds = 10
	}
	for range rounds {
		file := files[random.IntN(len(files))]
		damaged := t.TempDir()
		if err := os.CopyFS(damaged, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		at := flipOneBit(t, filepath.Join(damaged, file), random)
		n, err := Open(fast(damaged), newLedger())
		if err != nil {
			refused++
			continue
		}
		n.Close()
		s := alone(t, damaged, newLedger())
		if s.ledger.hash() != want {
			t.Errorf("bit %d of %s flipped: the node starts with another state", at, file)
		}
		s.stop(t)
	}
	if refused == 0 {
		t.Error("no flip was refused")
	}
	t.Logf("%d of %d flips refused, the others did not matter", refused, rounds)
}

func flipOneBit(t *testing.T, path string, random *rand.Rand) int64 {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		t.Fatal(err)
	}
	bit := random.Int64N(size * 8)
	if strings.HasSuffix(path, logFile) {
		bit = random.Int64N(min(size, 10*int64(os.Getpagesize())) * 8) // the rest is empty
	}
	b := make([]byte, 1)
	f.ReadAt(b, bit/8)
	b[0] ^= 1 << (bit % 8)
	f.WriteAt(b, bit/8)
	return bit
}
