package remote

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/wire"
)

// node is the other end of a connection, one frame at a time.
type node struct {
	t    testing.TB
	conn net.Conn
	in   *wire.FrameReader
}

func (n *node) say(frames ...wire.Frame) {
	n.t.Helper()
	for _, f := range frames {
		b, err := wire.AppendFrame(nil, f)
		if err == nil {
			_, err = n.conn.Write(b)
		}
		if err != nil {
			n.t.Errorf("say %T: %v", f, err)
		}
	}
}

func hear[F wire.Frame](n *node) (want F) {
	n.t.Helper()
	f, err := n.in.Read()
	if err != nil {
		n.t.Errorf("wait for %T: %v", want, err)
		return want
	}
	want, ok := f.(F)
	if !ok {
		n.t.Errorf("got %T %+v, want %T", f, f, want)
	}
	return want
}

// follower is a source that is followed until it ends, with a node for each time
// that it connects.
type follower struct {
	*Source
	nodes chan *node

	mu    sync.Mutex
	dials []string
	down  map[string]bool
}

func newFollower(t testing.TB, addresses ...string) *follower {
	f := &follower{nodes: make(chan *node, 8), down: make(map[string]bool)}
	source, err := New(Config{
		Nodes: addresses, Name: "s1", Version: "v1",
		Dial: func(_ context.Context, address string) (net.Conn, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.dials = append(f.dials, address)
			if f.down[address] {
				return nil, errors.New("nobody there")
			}
			near, far := net.Pipe()
			f.nodes <- &node{t, far, wire.NewFrameReader(far)}
			return near, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Source = source
	return f
}

func discard(wire.Frame) error { return nil }

func TestReportsWhatIsInEffectAsSoonAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollower(t, "a")
		done := make(chan error, 1)
		go func() { done <- f.Follow(t.Context(), wire.Position{Index: 4}, discard) }()
		n := <-f.nodes
		if s := hear[wire.Subscribe](n); s.Name != "s1" || s.From.Index != 4 || !s.Serves || s.Instance == 0 {
			t.Errorf("%+v", s)
		}
		if p := hear[wire.Progress](n); p.Index != 4 {
			t.Errorf("%+v", p)
		}
		n.say(wire.Hello{Node: "n"}, wire.Delta{Prev: 4, Index: 5})
		if p := hear[wire.Progress](n); p.Index != 5 {
			t.Errorf("%+v", p)
		}
		n.conn.Close()
		if err := <-done; err == nil {
			t.Error("followed to the end without an error")
		}
	})
}

func TestWhatWouldBeLostInARestartIsNotReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollower(t, "a")
		settling := make(chan error)
		f.config.Settle = func() error { return <-settling }
		go f.Follow(t.Context(), wire.Position{Index: 4}, discard)
		n := <-f.nodes
		hear[wire.Subscribe](n)
		synctest.Wait() // the first index is being settled
		heard := make(chan wire.Progress, 8)
		go func() {
			for {
				f, err := n.in.Read()
				if p, ok := f.(wire.Progress); ok {
					heard <- p
				}
				if err != nil {
					return
				}
			}
		}()
		n.say(wire.Delta{Prev: 4, Index: 5})
		synctest.Wait()
		if len(heard) != 0 {
			t.Errorf("reported before it was settled: %+v", <-heard)
		}
		settling <- errors.New("disk")
		settling <- errors.New("disk")
		synctest.Wait()
		if len(heard) != 0 {
			t.Errorf("reported although it cannot be settled: %+v", <-heard)
		}
		n.say(wire.Delta{Prev: 5, Index: 6})
		settling <- nil
		if p := <-heard; p.Index != 6 {
			t.Errorf("%+v", p)
		}
		n.conn.Close()
	})
}

func TestFrameThatTheSidecarCannotTakeIsNotReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, bad := newFollower(t, "a"), errors.New("bad")
		done := make(chan error, 1)
		go func() { done <- f.Follow(t.Context(), wire.Position{}, func(wire.Frame) error { return bad }) }()
		n := <-f.nodes
		if s := hear[wire.Subscribe](n); s.Serves {
			t.Error("a sidecar without a view says that it serves")
		}
		n.say(wire.Delta{Index: 5})
		if _, err := n.in.Read(); err == nil {
			t.Error("it was reported")
		}
		if err := <-done; !errors.Is(err, bad) {
			t.Errorf("%v", err)
		}
	})
}

func TestQuestionsAreAnsweredInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollower(t, "a")
		go f.Follow(t.Context(), wire.Position{}, discard)
		n := <-f.nodes
		hear[wire.Subscribe](n)
		synctest.Wait()
		scope := wire.Scope{Date: "20260304", Region: "r", Service: "s3"}
		results := make(chan error, 3)
		go func() {
			index, err := f.Confirm(t.Context())
			if index != 9 {
				err = errors.New("wrong index")
			}
			results <- err
		}()
		confirm := hear[wire.Confirm](n)
		go func() {
			key, err := f.SigningKey(t.Context(), "AKIA", scope)
			if key.AccessKey != "AKIA" {
				err = errors.New("wrong key")
			}
			results <- err
		}()
		ask := hear[wire.AskKey](n)
		go func() {
			_, err := f.SigningKey(t.Context(), "NOBODY", scope)
			if errors.Is(err, &iam.Error{Code: iam.NoSuchEntity}) {
				err = nil
			}
			results <- err
		}()
		nobody := hear[wire.AskKey](n)
		n.say(
			wire.Refused{Nonce: nobody.Nonce, Code: iam.NoSuchEntity}, wire.Key{Nonce: ask.Nonce, Key: wire.SigningKey{AccessKey: "AKIA", Scope: scope}},
			wire.Pong{Nonce: 12345, Index: 1}, wire.Pong{Nonce: confirm.Nonce, Index: 9}, wire.Pong{Nonce: confirm.Nonce, Index: 10},
		)
		for range 3 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		n.conn.Close()
	})
}

// TestRedialLosesNoQuestion holds that the feed goes on, from where it was, on the second
// connection, and that a question which the first one took with it is asked again.
func TestRedialLosesNoQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollower(t, "a", "b")
		trusted := []string{"one"}
		f.config.Trust = func() []string { return trusted }
		if err := f.Redial(t.Context()); !errors.Is(err, ErrLost) {
			t.Errorf("redial while nobody is followed: %v", err)
		}
		done, taken := make(chan error, 1), make(chan iam.Index, 8)
		go func() {
			done <- f.Follow(t.Context(), wire.Position{Cluster: "c", Index: 4}, func(frame wire.Frame) error {
				if d, ok := frame.(wire.Delta); ok {
					taken <- d.Index
				}
				return nil
			})
		}()
		old := <-f.nodes
		hear[wire.Subscribe](old)
		if told := hear[wire.Trust](old); !slices.Equal(told.Authorities, trusted) {
			t.Errorf("%+v", told)
		}
		if p := hear[wire.Progress](old); p.Index != 4 {
			t.Errorf("%+v", p)
		}
		old.say(wire.Delta{Prev: 4, Index: 5})
		if p := hear[wire.Progress](old); p.Index != 5 {
			t.Errorf("%+v", p)
		}
		synctest.Wait()
		address := f.Node()
		answered := make(chan error, 1)
		go func() {
			index, err := f.Confirm(t.Context())
			if index != 9 {
				err = errors.Join(err, errors.New("wrong index"))
			}
			answered <- err
		}()
		hear[wire.Confirm](old)

		trusted = []string{"one", "two"}
		if err := f.Redial(t.Context()); err != nil {
			t.Fatal(err)
		}
		fresh := <-f.nodes
		if s := hear[wire.Subscribe](fresh); s.From.Index != 5 || s.From.Cluster != "c" || !s.Serves {
			t.Errorf("%+v", s)
		}
		if told := hear[wire.Trust](fresh); !slices.Equal(told.Authorities, trusted) {
			t.Errorf("%+v", told)
		}
		for range 2 { // in either order
			frame, err := fresh.in.Read()
			if err != nil {
				t.Fatal(err)
			}
			switch said := frame.(type) {
			case wire.Confirm:
				go fresh.say(wire.Pong{Nonce: said.Nonce, Index: 9})
			case wire.Progress:
				if said.Index != 5 {
					t.Errorf("%+v", said)
				}
			default:
				t.Errorf("%T", frame)
			}
		}
		if err := <-answered; err != nil {
			t.Error(err)
		}
		fresh.say(wire.Delta{Prev: 5, Index: 6})
		if one, two := <-taken, <-taken; one != 5 || two != 6 || f.Node() != address {
			t.Errorf("took %d and %d, and follows %s after %s", one, two, f.Node(), address)
		}
		fresh.conn.Close()
		if err := <-done; err == nil {
			t.Error("followed to the end without an error")
		}
		if f.Node() != "" {
			t.Errorf("still follows %s", f.Node())
		}
	})
}

func TestSilentNodeIsLeftForTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollower(t, "a", "b")
		began := time.Now()
		done := make(chan error, 1)
		go func() { done <- f.Follow(t.Context(), wire.Position{}, discard) }()
		n := <-f.nodes
		hear[wire.Subscribe](n)
		synctest.Wait()
		first := f.Node()
		<-done
		if took := time.Since(began); took > silence+time.Second {
			t.Errorf("left after %v", took)
		}
		if _, err := f.Confirm(t.Context()); !errors.Is(err, ErrLost) {
			t.Errorf("asked nobody: %v", err)
		}
		go f.Follow(t.Context(), wire.Position{}, discard)
		n = <-f.nodes
		hear[wire.Subscribe](n)
		synctest.Wait()
		if f.Node() == first {
			t.Errorf("followed %s again", first)
		}
		n.conn.Close()
	})
}

func TestNodesThatAreToldOfAreTriedWhenTheOthersAreDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollower(t, "a")
		go f.Follow(t.Context(), wire.Position{}, discard)
		n := <-f.nodes
		hear[wire.Subscribe](n)
		n.say(wire.Hello{Nodes: []string{"a", "b", "c"}}, wire.Hello{Nodes: []string{"c", "d"}})
		synctest.Wait()
		n.conn.Close()
		synctest.Wait()
		f.mu.Lock()
		f.down["a"], f.down["c"], f.dials = true, true, nil
		f.mu.Unlock()
		go f.Follow(t.Context(), wire.Position{}, discard)
		n = <-f.nodes
		hear[wire.Subscribe](n)
		synctest.Wait()
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.Node() != "d" || slices.Contains(f.dials, "b") {
			t.Errorf("followed %s after trying %v; b is no node any more", f.Node(), f.dials)
		}
		n.conn.Close()
	})
}

// FuzzFollow sends a sidecar whatever a node could.
func FuzzFollow(f *testing.F) {
	var stream []byte
	for _, frame := range []wire.Frame{
		wire.Hello{Cluster: "c", Nodes: []string{"a", "b"}}, wire.SnapshotBegin{Records: 1}, wire.SnapshotEnd{},
		wire.Delta{Index: 1}, wire.Bookmark{Index: 2}, wire.Pong{Nonce: 1, Index: 2}, wire.Refused{Nonce: 2}, wire.Key{Nonce: 3},
		wire.GoAway{Peers: []string{"x"}}, wire.Subscribe{},
	} {
		stream, _ = wire.AppendFrame(stream, frame)
		f.Add(stream)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		to := newFollower(t, "a")
		done := make(chan error, 1)
		go func() { done <- to.Follow(t.Context(), wire.Position{}, discard) }()
		n := <-to.nodes
		go io.Copy(io.Discard, n.conn) // ends with the connection
		n.conn.SetDeadline(time.Now().Add(10 * time.Second))
		n.conn.Write(b)
		n.conn.Close()
		if err := <-done; err == nil {
			t.Error("followed to the end without an error")
		}
	})
}
