package raft

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	hraft "github.com/hashicorp/raft"
)

// Entry is a committed log entry: one or more commands that were proposed at about
// the same time and take effect together, in order.
type Entry struct {
	Index    uint64
	Term     uint64
	Commands [][]byte
}

// StateMachine replays the log. One goroutine calls its methods, one at a time.
type StateMachine interface {
	// Apply puts committed entries into effect and returns one result for each
	// command of each entry. Entries come in order and without gaps but for indexes
	// that hold no commands. An error stops the node: entries are never skipped.
	Apply(entries []Entry) ([][]any, error)

	// Snapshot captures the state at once; writing it happens later, while more
	// entries are applied.
	Snapshot() (Snapshot, error)

	// Restore replaces the state by that of a snapshot, all or nothing, and returns
	// the index of the last entry that it includes.
	Restore(r io.Reader) (uint64, error)
}

// Snapshot is a state that was captured.
type Snapshot interface {
	// WriteTo writes the state. It is called at most once.
	io.WriterTo
	// Release is called when the snapshot is not needed any longer, written or not.
	Release()
}

// errPoisoned answers everything after the state machine has failed.
var errPoisoned = errors.New("state machine has failed earlier")

// machine lets the library drive a [StateMachine]. It verifies every entry on the
// way and counts what was applied. It is a BatchingFSM because a plain FSM would
// never learn of configuration entries, and an idle cluster could then never
// snapshot after a membership change.
type machine struct {
	to       StateMachine
	applied  *progress
	fail     func(error) // stops the node
	poisoned atomic.Bool // an entry could not be applied: nothing is from then on
}

var _ hraft.BatchingFSM = (*machine)(nil)

// Apply is never called, because ApplyBatch is there.
func (m *machine) Apply(log *hraft.Log) any { return m.ApplyBatch([]*hraft.Log{log})[0] }

// ApplyBatch applies commands and passes over configuration entries. Each response
// is a []any with the results of the entry's commands, or an error.
func (m *machine) ApplyBatch(logs []*hraft.Log) []any {
	responses := make([]any, len(logs))
	entries := make([]Entry, 0, len(logs))
	at := make([]int, 0, len(logs))
	for i, log := range logs {
		if log.Type != hraft.LogCommand {
			continue
		}
		commands, err := openEntry(log)
		if err != nil {
			return m.poison(responses, err)
		}
		entries = append(entries, Entry{log.Index, log.Term, commands})
		at = append(at, i)
	}
	if m.poisoned.Load() {
		return m.poison(responses, errPoisoned)
	}
	if len(entries) == 0 {
		return responses
	}
	results, err := m.to.Apply(entries)
	if err == nil && len(results) != len(entries) {
		err = fmt.Errorf("%d results for %d entries", len(results), len(entries))
	}
	if err != nil {
		return m.poison(responses, fmt.Errorf("%w: entries %d to %d: %w", ErrMachine, entries[0].Index, entries[len(entries)-1].Index, err))
	}
	for i, r := range results {
		responses[at[i]] = r
	}
	m.applied.advance(entries[len(entries)-1].Index)
	return responses
}

// poison makes the machine refuse everything from now on, and stops the node.
func (m *machine) poison(responses []any, err error) []any {
	if !m.poisoned.Swap(true) {
		m.fail(err)
	}
	for i := range responses {
		responses[i] = err
	}
	return responses
}

// Snapshot captures the state.
func (m *machine) Snapshot() (hraft.FSMSnapshot, error) {
	if m.poisoned.Load() {
		return nil, errPoisoned
	}
	s, err := m.to.Snapshot()
	if err != nil {
		return nil, err
	}
	return persister{s}, nil
}

// Restore replaces the state.
func (m *machine) Restore(r io.ReadCloser) error {
	defer r.Close()
	if m.poisoned.Load() {
		return errPoisoned
	}
	index, err := m.to.Restore(r)
	if err != nil {
		return err
	}
	m.applied.advance(index)
	return nil
}

type persister struct{ s Snapshot }

func (p persister) Persist(sink hraft.SnapshotSink) error {
	if _, err := p.s.WriteTo(sink); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return nil
}

func (p persister) Release() { p.s.Release() }

// progress is an index that grows and can be waited for.
type progress struct {
	mu    sync.Mutex
	index uint64
	next  chan struct{} // closed and replaced at each advance
}

func newProgress() *progress { return &progress{next: make(chan struct{})} }

// advance sets the index, which may also fall: a snapshot that is restored after
// a disaster may end before what was applied.
func (p *progress) advance(index uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.index = index
	close(p.next)
	p.next = make(chan struct{})
}

// get returns the index, and a channel that is closed when it has changed.
func (p *progress) get() (uint64, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.index, p.next
}
