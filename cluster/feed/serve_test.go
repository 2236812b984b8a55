package feed

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/iam/wire"
)

// caller is a follower at the other end of a connection, one frame at a time.
type caller struct {
	t    testing.TB
	conn net.Conn
	in   *wire.FrameReader
	end  chan error // what Serve returned
}

func (w *world) call(t testing.TB, ctx context.Context) *caller {
	t.Helper()
	near, far := net.Pipe()
	c := &caller{t: t, conn: near, in: wire.NewFrameReader(near), end: make(chan error, 1)}
	go func() { defer far.Close(); c.end <- w.Serve(ctx, far, Peer{}) }()
	return c
}

func (c *caller) say(frames ...wire.Frame) {
	c.t.Helper()
	for _, f := range frames {
		b, err := wire.AppendFrame(nil, f)
		if err == nil {
			_, err = c.conn.Write(b)
		}
		if err != nil {
			c.t.Fatalf("say %T: %v", f, err)
		}
	}
}

func hear[F wire.Frame](c *caller) (want F) {
	c.t.Helper()
	f, err := c.in.Read()
	if err != nil {
		c.t.Fatalf("wait for %T: %v", want, err)
	}
	want, ok := f.(F)
	if !ok {
		c.t.Fatalf("got %T %+v, want %T", f, f, want)
	}
	return want
}

// connected says hello and takes the snapshot.
func (c *caller) connected() wire.Position {
	c.say(wire.Subscribe{Name: "s1", Version: "v1"})
	hear[wire.Hello](c)
	hear[wire.SnapshotBegin](c)
	hear[wire.SnapshotChunk](c)
	return hear[wire.SnapshotEnd](c).Position
}

// bubble runs a test with a feed that is served, in virtual time.
func bubble(t *testing.T, ring int, test func(t *testing.T, w *world, c *caller)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ring)
		w.cfg.Confirm = func(context.Context) (iam.Index, error) { return w.view.Load().Index(), nil }
		ctx, cancel := context.WithCancel(t.Context())
		c := w.call(t, ctx)
		test(t, w, c)
		c.conn.Close()
		cancel()
		synctest.Wait()
	})
}

func TestServedFollowerGetsStepsKeysAndAnswers(t *testing.T) {
	bubble(t, 0, func(t *testing.T, w *world, c *caller) {
		at := c.connected()
		w.step(key("AKIA1", "secret"))
		if d := hear[wire.Delta](c); d.Prev != at.Index || d.Changes[0].AccessKey.Secret != nil {
			t.Errorf("%+v after %d", d, at.Index)
		}
		if keys := hear[wire.SigningKeys](c).Keys; len(keys) != 6 { // three days, two regions
			t.Errorf("%d keys came with a new access key", len(keys))
		}
		scope := wire.Scope{Date: noon.Format(dateForm), Region: "us-east-1", Service: "s3"}
		c.say(wire.AskKey{Nonce: 7, AccessKey: "AKIA1", Scope: scope}, wire.Confirm{Nonce: 8})
		answers := map[uint64]bool{}
		for range 2 {
			switch a := must(c.in.Read()).(type) {
			case wire.Key:
				answers[a.Nonce] = a.Key.Scope == scope
			case wire.Pong:
				answers[a.Nonce] = a.Index == w.view.Load().Index()
			}
		}
		if !answers[7] || !answers[8] {
			t.Errorf("answers: %v", answers)
		}
		c.say(wire.AskKey{Nonce: 9, AccessKey: "AKIANOBODY", Scope: scope})
		if r := hear[wire.Refused](c); r.Nonce != 9 || r.Code != iam.NoSuchEntity {
			t.Errorf("%+v", r)
		}
	})
}

func must(f wire.Frame, err error) wire.Frame {
	if err != nil {
		return wire.GoAway{Reason: err.Error()}
	}
	return f
}

func TestServedFollowerResumesWithoutASnapshot(t *testing.T) {
	bubble(t, 0, func(t *testing.T, w *world, c *caller) {
		from := c.connected()
		c.conn.Close()
		w.step(user("alice"))
		again := w.call(t, t.Context())
		defer again.conn.Close()
		again.say(wire.Subscribe{Name: "s1", From: from, Serves: true})
		hear[wire.Hello](again)
		if d := hear[wire.Delta](again); d.Prev != from.Index {
			t.Errorf("resumed after %d at %d", from.Index, d.Prev)
		}
	})
}

func TestFollowerThatDoesNotReadIsDroppedAndHoldsNobodyUp(t *testing.T) {
	bubble(t, 0, func(t *testing.T, w *world, c *caller) {
		c.connected()
		began := time.Now()
		w.step(user("alice")) // nobody reads it: a pipe holds nothing
		if took := time.Since(began); took != 0 {
			t.Errorf("publishing took %v", took)
		}
		if err := <-c.end; err == nil || errors.Is(err, io.EOF) {
			t.Errorf("served to the end: %v", err)
		}
		if took := time.Since(began); took > writeTime {
			t.Errorf("dropped after %v", took)
		}
	})
}

func TestFollowerThatSaysNothingIsDropped(t *testing.T) {
	bubble(t, 0, func(t *testing.T, w *world, c *caller) {
		c.connected()
		began := time.Now()
		<-c.end
		if took := time.Since(began); took != silence {
			t.Errorf("dropped after %v, want %v", took, silence)
		}
	})
}

func TestFollowerBehindTheRingIsToldToComeAgain(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *world, c *caller) {
		c.connected()
		for i := range 10 {
			w.step(user(string(rune('a' + i))))
		}
		for {
			switch f := must(c.in.Read()).(type) {
			case wire.GoAway:
				if f.Reason != ErrBehind.Error() {
					t.Errorf("%+v", f)
				}
				return
			case wire.Delta:
			default:
				t.Fatalf("%T", f)
			}
		}
	})
}

func TestQuestionsForTheIndexShareAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		asked := 0
		w.cfg.Confirm = func(context.Context) (iam.Index, error) {
			asked++
			time.Sleep(10 * time.Millisecond)
			return w.view.Load().Index(), nil
		}
		answered := 0
		for range 1000 {
			w.confirms.ask(w.cfg.Confirm, func(iam.Index, error) { answered++ })
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if asked > 2 || answered != 1000 {
			t.Errorf("%d answers with %d questions", answered, asked)
		}
	})
}

func TestFollowersOfOneNameAreToldApart(t *testing.T) {
	at := func(minute int) time.Time { return noon.Add(time.Duration(minute) * time.Minute) }
	for _, row := range []struct {
		name string
		all  []Follower
		want []iam.Index
	}{
		{"one that went to another node is there once", []Follower{
			{Name: "s", Instance: 1, Index: 3, Since: at(0), Left: at(1)}, {Name: "s", Instance: 1, Index: 5, Since: at(1)}}, []iam.Index{5}},
		{"one whose old connection is not noticed to be dead is there once", []Follower{
			{Name: "s", Instance: 1, Index: 3, Since: at(0)}, {Name: "s", Instance: 1, Index: 5, Since: at(1)}}, []iam.Index{5}},
		{"one that was started again takes the place of the former", []Follower{
			{Name: "s", Instance: 1, Index: 3, Since: at(0), Left: at(1)}, {Name: "s", Instance: 2, Index: 5, Since: at(2)}}, []iam.Index{5}},
		{"two of one name at the same time are two", []Follower{
			{Name: "s", Instance: 1, Index: 3, Since: at(0), Left: at(3)}, {Name: "s", Instance: 2, Index: 5, Since: at(2)}}, []iam.Index{5, 3}},
		{"others are others", []Follower{
			{Name: "s", Instance: 1, Index: 3, Left: at(1)}, {Name: "r", Instance: 1, Index: 5, Since: at(2)}}, []iam.Index{5, 3}},
	} {
		var got []iam.Index
		for _, f := range Latest(row.all) {
			got = append(got, f.Index)
		}
		if len(got) != len(row.want) || got[0] != row.want[0] || got[len(got)-1] != row.want[len(row.want)-1] {
			t.Errorf("%s: got those at %v, want %v", row.name, got, row.want)
		}
	}
}

// FuzzServe sends a feed whatever a follower could.
func FuzzServe(f *testing.F) {
	hello, _ := wire.AppendFrame(nil, wire.Subscribe{Name: "s"})
	more := hello
	for _, frame := range []wire.Frame{
		wire.Progress{Index: 1, Used: []iam.Use{{Key: "A", Time: 1}}}, wire.Confirm{Nonce: 1},
		wire.AskKey{AccessKey: "A", Scope: wire.Scope{Date: "20260304", Region: "r", Service: "s3"}}, wire.GoAway{},
	} {
		more, _ = wire.AppendFrame(more, frame)
	}
	f.Add(hello)
	f.Add(more)
	view := state.Empty().Apply(1, []iam.Change{{Store: &iam.Store{ClusterID: "c", Account: iam.FirstAccount, Epoch: 1}}})
	f.Fuzz(func(t *testing.T, b []byte) {
		fd := New(Config{
			Node: "n", View: func() *state.View { return view },
			TokenKeys:  func() [][]byte { return nil },
			OpenSecret: func(iam.AccessKeyID, iam.Sealed) ([]byte, error) { return nil, errors.New("none") },
			Confirm:    func(context.Context) (iam.Index, error) { return 1, nil },
		})
		near, far := net.Pipe()
		done := make(chan struct{})
		go func() { defer close(done); defer far.Close(); fd.Serve(t.Context(), far, Peer{}) }()
		go io.Copy(io.Discard, near) // ends with near
		near.SetDeadline(time.Now().Add(10 * time.Second))
		near.Write(b)
		near.Close()
		<-done
	})
}
