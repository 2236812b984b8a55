package feed

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/iam/wire"
)

// world is a node's side of a feed: views that follow one another.
type world struct {
	*Feed
	view atomic.Pointer[state.View]
	now  atomic.Int64 // nanoseconds since 1970
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func newWorld(t *testing.T, ring int) *world {
	t.Helper()
	w := &world{}
	w.now.Store(noon.UnixNano())
	w.view.Store(state.Empty())
	w.Feed = New(Config{
		Node: "n1", View: w.view.Load, RingSteps: ring,
		TokenKeys: func() [][]byte { return [][]byte{make([]byte, 32)} },
		OpenSecret: func(_ iam.AccessKeyID, s iam.Sealed) ([]byte, error) {
			return []byte(strings.TrimPrefix(string(s), "sealed ")), nil
		},
		Now:     func() time.Time { return time.Unix(0, w.now.Load()) },
		Regions: []string{"us-east-1", "eu-west-1"},
	})
	w.step(iam.Change{Store: &iam.Store{ClusterID: "c1", Account: iam.FirstAccount, Epoch: 1}})
	return w
}

func user(name string) iam.Change {
	return iam.Change{User: &iam.User{Account: iam.FirstAccount, Name: name, Path: "/"}}
}

func key(id iam.AccessKeyID, secret string) iam.Change {
	return iam.Change{AccessKey: &iam.AccessKey{ID: id, Secret: iam.Sealed("sealed " + secret), Status: iam.Active,
		Owner: iam.Ref{Account: iam.FirstAccount, Kind: iam.KindUser, Name: "u"}}}
}

// step applies changes as the next entry of the log.
func (w *world) step(changes ...iam.Change) {
	before := w.view.Load()
	after := before.Apply(before.Index()+1, changes)
	w.view.Store(after)
	w.Publish([]Step{{Prev: before.Index(), Index: after.Index(), Sum: after.Sum(), Changes: changes, Size: 100}})
}

// replica follows a feed the way a sidecar does, and checks each frame.
type replica struct {
	t         *testing.T
	mu        sync.Mutex
	view      *state.View
	snapshots int
	keys      []wire.SigningKey
	hellos    []wire.Hello
	want      iam.Index
	reached   chan struct{} // closed when view is at want
	block     chan struct{} // if set, each frame waits for it
}

func (r *replica) take(f wire.Frame) error {
	if r.block != nil {
		<-r.block
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch f := f.(type) {
	case wire.Hello:
		r.hellos = append(r.hellos, f)
	case wire.SnapshotBegin:
		r.snapshots++
		r.view = state.Empty()
	case wire.SnapshotChunk:
		for _, c := range f.Changes {
			if c.AccessKey != nil && c.AccessKey.Secret != nil || c.Session != nil && c.Session.Secret != nil {
				r.t.Errorf("a snapshot carries a sealed secret")
			}
		}
		r.view = r.view.Apply(0, f.Changes)
	case wire.SnapshotEnd:
		r.view = r.view.Apply(f.Position.Index, nil)
		if r.view.Sum() != f.Position.Sum {
			return errors.New("snapshot differs")
		}
	case wire.Delta:
		if r.view.Index() != f.Prev {
			return fmt.Errorf("delta after %d at %d", f.Prev, r.view.Index())
		}
		for _, c := range f.Changes {
			if c.AccessKey != nil && c.AccessKey.Secret != nil {
				r.t.Errorf("a delta carries a sealed secret")
			}
		}
		r.view = r.view.Apply(f.Index, f.Changes)
		if r.view.Sum() != f.Sum {
			return errors.New("view differs")
		}
	case wire.Bookmark:
		r.view = r.view.Apply(f.Index, nil)
	case wire.SigningKeys:
		r.keys = append(r.keys, f.Keys...)
	case wire.GoAway:
		return fmt.Errorf("sent away: %s", f.Reason)
	}
	if r.view != nil && r.view.Index() >= r.want && r.reached != nil {
		close(r.reached)
		r.reached = nil
	}
	return nil
}

// got returns the signing keys that have come.
func (r *replica) got() []wire.SigningKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keys
}

// follow reads the feed until the replica is at index, then leaves.
func (w *world) follow(t *testing.T, r *replica, index iam.Index) {
	t.Helper()
	r.t = t
	var from wire.Position
	if r.view != nil {
		from = wire.PositionOf(r.view)
	}
	reached := make(chan struct{})
	if r.view != nil && r.view.Index() >= index {
		close(reached)
	} else {
		r.want, r.reached = index, reached
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Follow(ctx, from, r.take) }()
	select {
	case <-reached:
	case err := <-done:
		t.Fatalf("feed ended: %v", err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestFollowerSeesASnapshotOnceAndThenOnlyChanges(t *testing.T) {
	w := newWorld(t, 0)
	w.step(user("alice"))
	r := &replica{}
	w.follow(t, r, 2)
	w.step(user("bob"))
	w.step() // a refused command: nothing changes
	w.step(user("carol"), key("AKIA1", "s1"))
	w.follow(t, r, 5)
	if r.snapshots > 1 {
		t.Errorf("%d snapshots for a follower that only paused", r.snapshots)
	}
	if r.view.Sum() != w.view.Load().Sum() || r.view.Index() != 5 {
		t.Error("the follower holds another state")
	}
	if h := r.hellos[0]; h.Cluster != "c1" || h.Node != "n1" || len(h.TokenKeys) != 1 {
		t.Errorf("hello %+v", h)
	}
}

func TestFollowerThatFellBehindTheRingGetsASnapshot(t *testing.T) {
	w := newWorld(t, 4)
	r := &replica{}
	w.follow(t, r, 1)
	before := r.snapshots
	for i := range 10 {
		w.step(user(fmt.Sprint("u", i)))
	}
	w.follow(t, r, 11)
	if r.snapshots != before+1 || r.view.Sum() != w.view.Load().Sum() {
		t.Errorf("%d snapshots", r.snapshots)
	}
}

func TestSlowFollowerIsDroppedAndDelaysNobody(t *testing.T) {
	w := newWorld(t, 4)
	slow, quick := &replica{block: make(chan struct{}), t: t}, &replica{}
	done := make(chan error, 1)
	go func() { done <- w.Follow(t.Context(), wire.Position{}, slow.take) }()
	slow.block <- struct{}{} // it has read the hello and now stands still
	for i := range 600 {
		w.step(user(fmt.Sprint("u", i)))
	}
	w.follow(t, quick, 601)
	close(slow.block)
	if err := <-done; !errors.Is(err, ErrBehind) {
		t.Errorf("slow follower: %v, want ErrBehind", err)
	}
}

func TestAnotherHistoryIsReplacedByASnapshot(t *testing.T) {
	w := newWorld(t, 0)
	w.step(user("alice"))
	for name, spoil := range map[string]func(*wire.Position){
		"another sum":     func(p *wire.Position) { p.Sum[0]++ },
		"another epoch":   func(p *wire.Position) { p.Epoch = 9; p.Index = 99 },
		"another cluster": func(p *wire.Position) { p.Cluster = "other" },
	} {
		from := wire.PositionOf(w.view.Load())
		spoil(&from)
		r := &replica{t: t, want: 2, reached: make(chan struct{})}
		reached := r.reached
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Follow(ctx, from, r.take) }()
		<-reached
		cancel()
		<-done
		if r.snapshots != 1 {
			t.Errorf("%s: %d snapshots, want 1", name, r.snapshots)
		}
	}
}

func TestRestoreBringsEveryFollowerASnapshotOfTheNewEpoch(t *testing.T) {
	w := newWorld(t, 0)
	r := &replica{t: t, want: 1, reached: make(chan struct{})}
	first := r.reached
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Follow(ctx, wire.Position{}, r.take) }()
	<-first
	restored := state.Empty().Apply(3, []iam.Change{{Store: &iam.Store{ClusterID: "c1", Epoch: 2}}, user("old")})
	second := make(chan struct{})
	r.mu.Lock()
	r.want, r.reached = 3, second
	r.mu.Unlock()
	w.view.Store(restored)
	w.Reset(restored)
	<-second
	cancel()
	<-done
	if len(r.hellos) != 2 || r.hellos[1].Epoch != 2 || r.view.Sum() != restored.Sum() {
		t.Errorf("hellos %+v", r.hellos)
	}
}

func TestFollowerAheadOfTheNodeIsSentAwayAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		ahead := wire.PositionOf(w.view.Load())
		ahead.Index += 10
		began := time.Now()
		err := w.Follow(t.Context(), ahead, (&replica{t: t}).take)
		if err == nil || !strings.Contains(err.Error(), "sent away") || time.Since(began) != patience {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

func TestStepsBringTheSigningKeysOfNewCredentials(t *testing.T) {
	w := newWorld(t, 0)
	r := &replica{}
	w.follow(t, r, 1)
	w.step(key("AKIA1", "s1"))
	w.step(user("next"))
	w.follow(t, r, 3)
	want := map[wire.Scope]bool{}
	for _, day := range []string{"20260303", "20260304", "20260305"} {
		for _, region := range []string{"us-east-1", "eu-west-1"} {
			want[wire.Scope{Date: day, Region: region, Service: "s3"}] = true
		}
	}
	for _, k := range r.keys {
		expected := sigv4.DeriveDayKey("s1", sigv4.Scope{Date: k.Scope.Date, Region: k.Scope.Region, Service: sigv4.S3})
		if !want[k.Scope] || k.AccessKey != "AKIA1" || k.Key != wire.DerivedKey(expected) {
			t.Errorf("unexpected key for %+v", k.Scope)
		}
		delete(want, k.Scope)
	}
	if len(want) > 0 {
		t.Errorf("no keys for %v", want)
	}
}

func TestSigningKeysOnDemand(t *testing.T) {
	w := newWorld(t, 0)
	w.step(key("AKIA1", "s1"), iam.Change{Session: &iam.Session{Key: "ASIA1", Secret: iam.Sealed("sealed s2")}})
	good := wire.Scope{Date: "20260304", Region: "us-east-1", Service: "s3"}
	for _, row := range []struct {
		name  string
		id    iam.AccessKeyID
		scope wire.Scope
		code  iam.Code
	}{
		{"a key of today", "AKIA1", good, ""},
		{"a session of today", "ASIA1", good, ""},
		{"eight days back", "AKIA1", wire.Scope{Date: "20260224", Region: "r", Service: "s3"}, ""},
		{"tomorrow", "AKIA1", wire.Scope{Date: "20260305", Region: "r", Service: "s3"}, ""},
		{"nine days back", "AKIA1", wire.Scope{Date: "20260223", Region: "r", Service: "s3"}, iam.ValidationError},
		{"the day after tomorrow", "AKIA1", wire.Scope{Date: "20260306", Region: "r", Service: "s3"}, iam.ValidationError},
		{"no date at all", "AKIA1", wire.Scope{Date: "today", Region: "r", Service: "s3"}, iam.ValidationError},
		{"another service", "AKIA1", wire.Scope{Date: "20260304", Region: "r", Service: "iam"}, iam.ValidationError},
		{"no region", "AKIA1", wire.Scope{Date: "20260304", Service: "s3"}, iam.ValidationError},
		{"a region with a slash", "AKIA1", wire.Scope{Date: "20260304", Region: "a/b", Service: "s3"}, iam.ValidationError},
		{"an unknown key", "AKIA2", good, iam.NoSuchEntity},
	} {
		k, err := w.SigningKey(t.Context(), row.id, row.scope)
		if row.code == "" {
			if err != nil || k.AccessKey != row.id || k.Scope != row.scope || k.Key == (wire.DerivedKey{}) {
				t.Errorf("%s: %v", row.name, err)
			}
			continue
		}
		if !errors.Is(err, &iam.Error{Code: row.code}) || k.Key != (wire.DerivedKey{}) {
			t.Errorf("%s: %v, want %s", row.name, err, row.code)
		}
	}
}

func TestTomorrowsKeysComeBeforeMidnight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		start := time.Now()
		w.cfg.Now = func() time.Time { return noon.Add(time.Since(start)) }
		w.step(key("AKIA1", "s1"), key("AKIA2", "s2"))
		if _, err := w.SigningKey(t.Context(), "AKIA2", wire.Scope{Date: "20260304", Region: "us-east-1", Service: "s3"}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		r := &replica{t: t}
		done := make(chan error, 2)
		from := wire.PositionOf(w.view.Load())
		r.view = w.view.Load()
		go func() { done <- w.Follow(ctx, from, r.take) }()
		go func() { done <- w.Run(ctx) }()
		time.Sleep(11 * time.Hour)
		synctest.Wait()
		if keys := r.got(); len(keys) != 0 {
			t.Errorf("%d keys at 23:00", len(keys))
		}
		time.Sleep(45 * time.Minute)
		synctest.Wait()
		keys := r.got()
		if len(keys) != 2 {
			t.Errorf("%d keys at 23:45, want those of AKIA2 in two regions", len(keys))
		}
		for _, k := range keys {
			if k.AccessKey != "AKIA2" || k.Scope.Date != "20260305" {
				t.Errorf("key %s for %+v", k.AccessKey, k.Scope)
			}
		}
		cancel()
		<-done
		<-done
	})
}

func TestFenceWaitsForEveryFollower(t *testing.T) {
	w := newWorld(t, 0)
	stuck := &replica{block: make(chan struct{}), t: t, view: w.view.Load()}
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- w.Follow(ctx, wire.PositionOf(w.view.Load()), stuck.take) }()
	stuck.block <- struct{}{}
	w.step(user("alice"))
	short, giveUp := context.WithCancel(t.Context())
	giveUp()
	if all := w.Fence(short, 2); len(all) != 1 || all[0].Index != 1 {
		t.Errorf("a stuck follower: %+v", all)
	}
	close(stuck.block)
	if all := w.Fence(t.Context(), 2); len(all) != 1 || all[0].Index != 2 {
		t.Errorf("after it has gone on: %+v", all)
	}
	cancel()
	<-done
}
