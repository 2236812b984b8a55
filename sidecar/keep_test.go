package sidecar

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/iam"
)

type fixedKey string

func (k fixedKey) Derive(purpose string, size int) []byte {
	sum := sha256.Sum256([]byte(string(k) + purpose))
	return sum[:size]
}

// kept is a host whose sidecar can be started again, and its clocks.
type kept struct {
	*world
	path string

	mu     sync.Mutex
	moment Moment
	events []error
}

func newKept(t *testing.T) *kept {
	k := &kept{world: newWorld(t), path: filepath.Join(t.TempDir(), "kept")}
	k.moment = Moment{Boot: [16]byte{1}, Since: time.Hour}
	alice := k.user("alice", document(readAll))
	k.key(alice.Ref(), "AKIAALICE")
	return k
}

// pass lets time pass on all clocks.
func (k *kept) pass(d time.Duration) {
	k.world.pass(d)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.moment.Since += d
}

func (k *kept) now() Moment {
	k.mu.Lock()
	defer k.mu.Unlock()
	m := k.moment
	m.Wall = k.world.now()
	return m
}

// start starts a sidecar with what was kept. It returns when that is in effect.
func (k *kept) start(change ...func(*Config)) (a *Authorizer, stop func()) {
	k.t.Helper()
	config := DefaultConfig()
	config.Now, config.ConfirmGap, config.Prove, config.Patience = k.world.now, time.Millisecond, 20*time.Millisecond, 50*time.Millisecond
	config.Callers = 1 << 10
	config.Keep = &KeepConfig{Path: k.path, Key: fixedKey("key"), Moment: k.now}
	began := make(chan struct{})
	config.Events.Kept = func(_ iam.Index, _ time.Duration, err error) { k.events = append(k.events, err); close(began) }
	for _, c := range change {
		c(&config)
	}
	a, err := New(config, k.store)
	if err != nil {
		k.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	// Ended by stop.
	go func() { defer close(done); _ = a.Run(ctx) }()
	<-began
	stop = sync.OnceFunc(func() { cancel(); <-done })
	k.t.Cleanup(stop)
	return a, stop
}

// copy returns what is on disk.
func (k *kept) copy() []byte {
	b, err := os.ReadFile(k.path)
	if err != nil {
		k.t.Fatal(err)
	}
	return b
}

func TestSidecarStartsFromWhatItKeptWithTheStoreDown(t *testing.T) {
	k := newKept(t)
	a, stop := k.start()
	k.caughtUp(a)
	k.want(k.ask(a, cred("AKIAALICE"), "GET", "/bucket/x"), "")
	stop()
	k.store.Stop()
	k.pass(10 * time.Minute)
	a, stop = k.start()
	k.want(k.ask(a, cred("AKIAALICE"), "GET", "/bucket/x"), "")
	d := k.ask(a, cred("AKIAALICE"), "GET", "/bucket/x")
	if d.Staleness < 10*time.Minute || d.Staleness > 11*time.Minute {
		t.Errorf("after ten minutes it says that it is %v old", d.Staleness)
	}
	k.want(k.ask(a, cred("AKIANOBODY"), "GET", "/bucket/x"), iam.ServiceUnavailable)
	stop()
	// Ten minutes more, across yet another restart, are too many.
	k.pass(10 * time.Minute)
	a, _ = k.start()
	k.want(k.ask(a, cred("AKIAALICE"), "GET", "/bucket/x"), iam.ServiceUnavailable)
	k.store.Start()
	k.caughtUp(a)
	k.want(k.ask(a, cred("AKIAALICE"), "GET", "/bucket/x"), "")
}

func TestWhatIsKeptHasTheStepsThatCameLater(t *testing.T) {
	k := newKept(t)
	a, stop := k.start()
	k.caughtUp(a)
	if err := a.Settle(); err != nil { // nothing is there yet
		t.Fatal(err)
	}
	a.replica.keeper.write(false)
	k.store.Write(iam.Change{Delete: &iam.Deletion{Table: iam.TableAccessKeys, Name: "AKIAALICE"}})
	k.caughtUp(a)
	if err := a.Settle(); err != nil {
		t.Fatal(err)
	}
	// The machine loses power here: of the file there is what was settled.
	file := k.copy()
	stop()
	if err := os.WriteFile(k.path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	k.store.Stop()
	a, _ = k.start()
	if got, want := a.Status().Index, k.store.View().Index(); got != want {
		t.Errorf("started at %d, want %d", got, want)
	}
	if d := k.ask(a, cred("AKIAALICE"), "GET", "/bucket/x"); d.Allowed() {
		t.Error("a key that was deleted before the restart is honoured after it")
	}
}

func TestSettlingWithoutAFileThatCanFollowLeavesNone(t *testing.T) {
	k := newKept(t)
	if err := os.WriteFile(k.path, []byte("older"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, _ := k.start()
	k.caughtUp(a)
	k.mu.Lock() // the writer does not come in between
	a.replica.keeper.config.Moment = func() Moment { return Moment{} }
	k.mu.Unlock()
	a.replica.keeper.needNew()
	if err := a.Settle(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(k.path); err == nil {
		b := k.copy()
		if string(b) == "older" {
			t.Error("what is older than the view is still there")
		}
	}
}

func TestWhatProvesNothingIsNotUsed(t *testing.T) {
	for _, row := range []struct {
		name   string
		damage func(k *kept)
	}{
		{"another key", func(k *kept) {
			b := k.copy()
			b[10] ^= 1
			os.WriteFile(k.path, b, 0o600)
		}},
		{"a file without a proof", func(k *kept) { os.WriteFile(k.path, k.copy()[:200], 0o600) }},
		{"another boot and a clock that went back", func(k *kept) {
			k.moment.Boot[0]++
			k.moment.Since = time.Second
			k.world.pass(-24 * time.Hour)
		}},
		{"another boot that lasts for long already, by a clock that stands still", func(k *kept) {
			k.moment.Boot[0]++
			k.moment.Since = 16 * time.Minute
		}},
		{"an hour later by the wall clock", func(k *kept) { k.pass(time.Hour) }},
		{"an hour later by the boot clock, which was set back", func(k *kept) { k.moment.Since += time.Hour }},
	} {
		t.Run(row.name, func(t *testing.T) {
			k := newKept(t)
			a, stop := k.start()
			k.caughtUp(a)
			k.want(k.ask(a, cred("AKIAALICE"), "GET", "/bucket/x"), "")
			stop()
			k.store.Stop()
			row.damage(k)
			a, _ = k.start()
			d := k.ask(a, cred("AKIAALICE"), "GET", "/bucket/x")
			if d.Allowed() || d.Status() != 503 && d.Status() != 403 || a.Status().Err == nil {
				t.Errorf("decided %v %s at %v, status %v", d.Effect, d.Code(), d.Staleness, a.Status().Err)
			}
		})
	}
}

func TestKeyOfAFormerSecretDoesNotComeBack(t *testing.T) {
	k := newKept(t)
	a, stop := k.start()
	k.caughtUp(a)
	k.want(k.ask(a, cred("AKIAALICE"), "GET", "/bucket/x"), "")
	a.replica.keeper.write(false)
	old := a.keys.all()
	k.store.Secret("AKIAALICE", "rotated")
	alice, _ := k.store.View().AccessKey("AKIAALICE")
	rotated := *alice
	k.store.Write(iam.Change{AccessKey: &rotated})
	k.caughtUp(a)
	if len(old) == 0 {
		t.Fatal("no key was held")
	}
	stop()
	k.store.Stop()
	a, _ = k.start()
	if d := k.ask(a, cred("AKIAALICE"), "GET", "/bucket/x"); d.Allowed() {
		t.Error("a signature with the former secret is good after a restart")
	}
}

func TestDiskThatCannotBeWrittenIsSaidAndStopsNothing(t *testing.T) {
	k := newKept(t)
	failed := make(chan error, 8)
	k.path = filepath.Join(t.TempDir(), "nowhere", "kept")
	a, _ := k.start(func(c *Config) { c.Events.KeepFailed = func(err error) { failed <- err } })
	k.caughtUp(a)
	a.replica.keeper.write(true)
	if err := <-failed; !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	k.want(k.ask(a, cred("AKIAALICE"), "GET", "/bucket/x"), "")
}

func TestTimeBetweenTwoMoments(t *testing.T) {
	wall := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(minutes int, boot byte, since time.Duration) Moment {
		return Moment{wall.Add(time.Duration(minutes) * time.Minute), [16]byte{boot}, since}
	}
	for _, row := range []struct {
		name     string
		from, to Moment
		want     time.Duration
		fails    bool
	}{
		{"both clocks agree", at(0, 1, time.Hour), at(5, 1, time.Hour+5*time.Minute), 5 * time.Minute, false},
		{"the wall clock was set back", at(0, 1, time.Hour), at(-60, 1, time.Hour+5*time.Minute), 5 * time.Minute, false},
		{"the wall clock was set forward", at(0, 1, time.Hour), at(60, 1, time.Hour+5*time.Minute), time.Hour, false},
		{"another boot", at(0, 1, time.Hour), at(5, 2, time.Minute), 5 * time.Minute, false},
		{"another boot, and the wall clock stood still", at(0, 1, time.Hour), at(0, 2, 3*time.Minute), 3 * time.Minute, false},
		{"another boot, and the wall clock went back", at(0, 1, time.Hour), at(-1, 2, time.Minute), 0, true},
		{"no boot clock", at(0, 0, 0), at(5, 0, 0), 5 * time.Minute, false},
		{"no boot clock, and the wall clock went back", at(0, 0, 0), at(-5, 0, 0), 0, true},
	} {
		got, err := elapsed(row.from, row.to)
		if got != row.want || (err != nil) != row.fails {
			t.Errorf("%s: %v, %v; want %v", row.name, got, err, row.want)
		}
	}
	if m := now(); m.Wall.IsZero() || m.Boot == [16]byte{} || m.Since <= 0 {
		t.Errorf("this machine's clocks: %+v", m)
	}
}
