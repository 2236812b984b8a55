package cluster

import (
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/doorward/doorward/cluster/feed"
	"github.com/doorward/doorward/fsm"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/raft"
)

// replica joins the log to the state machine, and the state machine to the feed.
type replica struct {
	machine *fsm.Machine
	feed    *feed.Feed
	log     *slog.Logger
	latest  atomic.Pointer[fsm.Snapshot] // of the machine as View shows it
}

var _ raft.StateMachine = (*replica)(nil)

// Apply puts entries into effect: first the view, then the feed, so that whoever
// reads of a change in the feed finds it in the view.
func (r *replica) Apply(entries []raft.Entry) ([][]any, error) {
	batch := make([]fsm.Entry, len(entries))
	for i, e := range entries {
		batch[i] = fsm.Entry{Index: iam.Index(e.Index), Commands: e.Commands}
	}
	applied, err := r.machine.Apply(batch)
	if err != nil {
		return nil, err
	}
	results := make([][]any, len(applied))
	steps := make([]feed.Step, len(applied))
	for i, a := range applied {
		results[i] = make([]any, len(a.Results))
		for j, result := range a.Results {
			results[i][j] = result
		}
		steps[i] = feed.Step{Prev: a.Prev, Index: a.Index, Sum: a.Sum, Changes: a.Changes, Size: size(entries[i])}
		for _, alarm := range a.Alarms {
			r.log.Error("command went wrong and had no effect", "index", a.Index, "reason", alarm)
		}
	}
	r.latest.Store(r.machine.Snapshot())
	r.feed.Publish(steps)
	return results, nil
}

func size(e raft.Entry) (n int) {
	for _, c := range e.Commands {
		n += len(c)
	}
	return n
}

// Snapshot captures the machine, which costs nothing.
func (r *replica) Snapshot() (raft.Snapshot, error) { return snapshot{r.machine.Snapshot()}, nil }

// Restore replaces the state, and begins a new era of the feed.
func (r *replica) Restore(in io.Reader) (uint64, error) {
	if err := r.machine.Restore(in, SideBySide); err != nil {
		return 0, err
	}
	v := r.machine.View()
	r.latest.Store(r.machine.Snapshot())
	r.feed.Reset(v)
	return uint64(v.Index()), nil
}

// SideBySide runs tasks at once, each on a processor that is free, and returns when all
// have ended.
func SideBySide(tasks ...func()) {
	var running sync.WaitGroup
	for _, task := range tasks[1:] {
		running.Go(task) // ends with the task, which is awaited below
	}
	tasks[0]()
	running.Wait()
}

type snapshot struct{ *fsm.Snapshot }

// WriteTo writes the snapshot; the term is in the log's description of it.
func (s snapshot) WriteTo(w io.Writer) (int64, error) {
	counted := &counter{w: w}
	err := s.Write(counted, 0)
	return counted.n, err
}

func (s snapshot) Release() {}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
