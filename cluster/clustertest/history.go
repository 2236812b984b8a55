package clustertest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/doorward/doorward/cluster"
	"github.com/doorward/doorward/iam"
)

// The operations of the load, each on one user.
const (
	opCreate = iota
	opDelete
	opRead
)

// input is what a client asks.
type input struct {
	op   int
	name string
}

// output is what it is told.
type output struct {
	unknown bool // nothing that can be relied on
	exists  bool // a read found the user; a write was refused because it exists or not
	refused bool
}

// history records what clients ask and are told.
type history struct {
	mu         sync.Mutex
	operations []porcupine.Operation
	requests   atomic.Uint64
	stop       context.CancelFunc
	clients    sync.WaitGroup
	// Answered counts operations with a known outcome.
	answered atomic.Int64
	last     atomic.Int64 // time of the last acknowledged write, nanoseconds since 1970
}

func (h *history) request() (id [16]byte) {
	binary.BigEndian.PutUint64(id[:], h.requests.Add(1))
	return id
}

// Load starts clients that write and read a few users at random nodes, until
// StopLoad. The seed makes them choose alike in another run.
func (w *World) Load(clients int, seed uint64) {
	ctx, cancel := context.WithCancel(context.Background())
	w.history.stop = cancel
	for c := range clients {
		random := rand.New(rand.NewPCG(seed, uint64(c)))
		w.history.clients.Go(func() {
			for ctx.Err() == nil {
				w.operate(ctx, c, random)
				time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
			}
		})
	}
}

// StopLoad ends the clients.
func (w *World) StopLoad() {
	if w.history.stop != nil {
		w.history.stop()
		w.history.clients.Wait()
	}
}

// users is how many users the load works on. Few make conflicts likely.
const users = 8

func (w *World) operate(ctx context.Context, client int, random *rand.Rand) {
	in := input{random.IntN(3), fmt.Sprint("load", random.IntN(users))}
	n := w.nodes[random.IntN(len(w.nodes))]
	if !n.running() {
		return
	}
	called := time.Now()
	var out output
	if in.op == opRead {
		out = n.read(ctx, in.name)
	} else {
		out = n.write(ctx, in)
	}
	w.history.record(client, in, called, out)
}

func (n *Node) read(ctx context.Context, name string) output {
	v, err := n.Consistent(ctx)
	if err != nil {
		return output{unknown: true}
	}
	_, exists := v.User(iam.FirstAccount, name)
	return output{exists: exists}
}

func (n *Node) write(ctx context.Context, in input) output {
	c := createUser(in.name)
	if in.op == opDelete {
		c = deleteUser(in.name)
	}
	r, err := n.Do(ctx, c)
	if err != nil {
		return output{unknown: true}
	}
	n.world.history.last.Store(time.Now().UnixNano())
	return output{refused: r.Err != nil}
}

func (h *history) record(client int, in input, called time.Time, out output) {
	h.mu.Lock()
	defer h.mu.Unlock()
	returned := time.Now().UnixNano()
	if out.unknown {
		if in.op == opRead {
			return
		}
		returned = 1<<62 - 1 // it may still take effect, however late
	} else {
		h.answered.Add(1)
	}
	h.operations = append(h.operations, porcupine.Operation{ClientId: client, Input: in, Call: called.UnixNano(), Output: out, Return: returned})
}

// Answered returns how many operations of the load had a known outcome.
func (w *World) Answered() int64 { return w.history.answered.Load() }

// model is one user, who exists or does not.
var model = porcupine.NondeterministicModel{
	Partition: func(all []porcupine.Operation) [][]porcupine.Operation {
		byName := make(map[string][]porcupine.Operation)
		for _, o := range all {
			name := o.Input.(input).name
			byName[name] = append(byName[name], o)
		}
		var parts [][]porcupine.Operation
		for _, part := range byName {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() []any { return []any{false} },
	Step: func(state, in, out any) []any {
		exists, i, o := state.(bool), in.(input), out.(output)
		if i.op == opRead {
			if o.exists == exists {
				return []any{exists}
			}
			return nil
		}
		wanted := i.op == opCreate
		switch {
		case o.unknown:
			return []any{exists, wanted}
		case o.refused == (exists == wanted):
			return []any{wanted}
		}
		return nil
	},
	Equal: func(a, b any) bool { return a == b },
}

// Verify heals everything, restarts what has ended, and checks what has to hold
// after any harm: the history is linearizable, which includes that acknowledged
// writes are there, and all nodes hold the same state.
func (w *World) Verify() {
	w.t.Helper()
	w.Heal()
	for _, n := range w.nodes {
		n.SlowDisk(0)
		n.FailDisk(nil)
		n.FillDisk(plentyOfRoom)
		n.SetClock(0)
		if !n.running() {
			n.Restart()
		}
	}
	w.StopLoad()
	reader := w.Leader()
	for i := range users {
		name := fmt.Sprint("load", i)
		called := time.Now()
		out := reader.read(w.t.Context(), name)
		if out.unknown {
			w.t.Fatal("no consistent read after everything was healed")
		}
		w.history.record(1<<20, input{opRead, name}, called, out)
	}
	if w.history.stop != nil && w.Answered() < 10 {
		w.t.Errorf("only %d operations had a known outcome: the load did not run", w.Answered())
	}
	// The check runs in real time: it waits for nothing.
	if result := porcupine.CheckOperations(model.ToModel(), w.history.operations); !result {
		w.t.Error("the history is not linearizable")
	}
	w.agree()
}

// agree waits until all members hold the same state.
func (w *World) agree() {
	w.t.Helper()
	for range 20 { // in case the store does something of its own meanwhile
		if w.compare() {
			return
		}
	}
	w.t.Error("the nodes were never at the same index")
}

// compare reports whether all nodes were found at one index; then their states have to
// be equal.
func (w *World) compare() bool {
	w.t.Helper()
	v, err := w.Leader().Consistent(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, n := range w.nodes {
		at, err := n.WaitFor(w.t.Context(), v.Index())
		// A leader that has failed to reach a node pauses for ten seconds in the end, and a
		// snapshot may take a while.
		for tries := 0; tries < 5 && errors.Is(err, cluster.ErrUnavailable); tries++ {
			at, err = n.WaitFor(w.t.Context(), v.Index())
		}
		switch {
		case err != nil:
			w.t.Fatalf("%s does not get to %d: %v", n.host, v.Index(), err)
		case at.Index() != v.Index():
			return false
		case at.Sum() != v.Sum():
			w.t.Errorf("%s holds another state at %d", n.host, at.Index())
		}
		if trouble := n.Trouble(); trouble != "" {
			w.t.Errorf("%s: %s", n.host, trouble)
		}
	}
	return true
}
