package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"sync"
	"testing"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/raft"
)

// leader answers proposals: a command that is a number gets it as its index.
type leader struct {
	Handler  // none of the other questions
	mu       sync.Mutex
	messages int
	before   func() // is called for each message; nil: nothing
}

func (l *leader) Propose(commands [][]byte) []Proposed {
	if l.before != nil {
		l.before()
	}
	l.mu.Lock()
	l.messages++
	l.mu.Unlock()
	results := make([]Proposed, len(commands))
	for i, command := range commands {
		var n iam.Index
		switch _, err := fmt.Sscan(string(command), &n); {
		case err != nil:
			results[i].Err = raft.ErrTooLarge
		case n%10 == 0:
			results[i].Result = iam.Result{Index: n, Err: iam.Errorf(iam.NoSuchEntity, "no %d", n)}
		default:
			results[i].Result = iam.Result{Index: n}
		}
	}
	return results
}

// former is the service of a build that takes one command a message.
type former struct{ s *service }

func (f former) Propose(command []byte, reply *ProposeReply) error {
	return f.s.Propose(command, reply)
}

// asking returns a pool that reaches one node, which serves a connection so.
func asking(t testing.TB, serve func(net.Conn)) *Pool {
	pool := NewPool(func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		go serve(there) // ends with the connection
		return here, nil
	})
	t.Cleanup(pool.Close)
	return pool
}

func serving(t testing.TB, service any) func(net.Conn) {
	server := rpc.NewServer()
	if err := server.RegisterName(serviceName, service); err != nil {
		t.Fatal(err)
	}
	return func(c net.Conn) { server.ServeConn(c) }
}

// proposeMany proposes at the same time, and checks that everybody gets the answer to
// his own command.
func proposeMany(t testing.TB, pool *Pool, count int) {
	t.Helper()
	var all sync.WaitGroup
	for n := range count {
		all.Go(func() {
			command := fmt.Sprint(n + 1)
			if n == 0 {
				command = "not a number"
			}
			result, err := pool.Propose(t.Context(), nil, "id", "address", []byte(command))
			switch {
			case n == 0:
				if !errors.Is(err, raft.ErrTooLarge) {
					t.Errorf("%q: %v", command, err)
				}
			case err != nil || result.Index != iam.Index(n+1) || (result.Err != nil) != ((n+1)%10 == 0):
				t.Errorf("%q: %+v, %v", command, result, err)
			}
		})
	}
	all.Wait()
}

func TestCommandsThatWaitShareAMessage(t *testing.T) {
	to := &leader{}
	pool := asking(t, serving(t, &service{to}))
	proposeMany(t, pool, 1000)
	if to.messages > 500 {
		t.Errorf("%d messages for 1000 commands", to.messages)
	}
}

func TestALeaderOfAFormerBuildIsToldOneCommandAMessage(t *testing.T) {
	to := &leader{}
	pool := asking(t, serving(t, former{&service{to}}))
	for range 2 {
		proposeMany(t, pool, 100)
	}
	if to.messages != 200 {
		t.Errorf("%d messages for 200 commands", to.messages)
	}
}

func TestWhoeverWaitsHearsOfTheEndOfAConnection(t *testing.T) {
	to := &leader{}
	asked := make(chan struct{})
	var once sync.Once
	forever := make(chan struct{})
	t.Cleanup(func() { close(forever) })
	to.before = func() { once.Do(func() { close(asked) }); <-forever }
	answer := serving(t, &service{to})
	pool := asking(t, func(c net.Conn) {
		go answer(c) // ends with the connection
		<-asked
		c.Close()
	})
	var all sync.WaitGroup
	for n := range 100 {
		all.Go(func() {
			_, err := pool.Propose(t.Context(), nil, "id", "address", []byte(fmt.Sprint(n)))
			if !errors.Is(err, ErrNoAnswer) {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestWhoeverGivesUpLeavesTheOthersTheirAnswer(t *testing.T) {
	to := &leader{}
	asked, answer := make(chan struct{}), make(chan struct{})
	var once sync.Once
	to.before = func() { once.Do(func() { close(asked) }); <-answer }
	pool := asking(t, serving(t, &service{to}))
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		if _, err := pool.Propose(ctx, nil, "id", "address", []byte("1")); !errors.Is(err, ErrNoAnswer) {
			t.Error(err)
		}
	})
	<-asked
	all.Go(func() {
		if result, err := pool.Propose(t.Context(), nil, "id", "address", []byte("2")); err != nil || result.Index != 2 {
			t.Error(result, err)
		}
	})
	cancel()
	close(answer)
	all.Wait()
}

// BenchmarkPropose carries commands of 160 bytes from 128 at a time.
func BenchmarkPropose(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go Serve(l, &leader{}) // ends with the listener
	pool := NewPool(func(context.Context, string, string) (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) })
	defer pool.Close()
	command := []byte(fmt.Sprintf("%0160d", 1))
	b.ReportAllocs()
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := pool.Propose(b.Context(), nil, "id", "address", command); err != nil {
				b.Fatal(err)
			}
		}
	})
}
