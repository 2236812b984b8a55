package raft

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	hraft "github.com/hashicorp/raft"
)

// Outcome is what became of a command.
type Outcome struct {
	Result any    // what the state machine made of it
	Index  uint64 // of the entry that it is in, perhaps with others
}

// Proposed is what became of one command of several: an outcome, or the error that
// [Node.Propose] would have returned.
type Proposed struct {
	Outcome
	Err error
}

// The life of a proposal. It leaves queued exactly once.
const (
	queued int32 = iota
	taken
	cancelled
	decided // its result is set
)

// proposal is a command on its way.
type proposal struct {
	command []byte
	state   atomic.Int32
	result  Proposed
	of      *wave
}

// wave is what was proposed in one call.
type wave struct {
	proposals []proposal
	left      atomic.Int32  // proposals that are not decided
	done      chan struct{} // closed when none is left
}

func newWave(commands [][]byte) *wave {
	w := &wave{proposals: make([]proposal, len(commands)), done: make(chan struct{})}
	for i, command := range commands {
		w.proposals[i].command, w.proposals[i].of = command, w
	}
	w.left.Store(int32(len(commands)))
	return w
}

func (p *proposal) finish(o Outcome, err error) {
	p.result = Proposed{o, err}
	p.state.Store(decided)
	if p.of.left.Add(-1) == 0 {
		close(p.of.done)
	}
}

// queue holds proposals that wait for an entry, and counts those in flight.
type queue struct {
	maxCommands, maxBytes     int // in flight
	batchCommands, batchBytes int // in an entry

	mu       sync.Mutex
	waiting  []*proposal
	commands int // in flight
	bytes    int // in flight
	filled   chan struct{}
	entries  chan pendingEntry
}

// pendingEntry is an entry that was handed to the library.
type pendingEntry struct {
	future    hraft.ApplyFuture
	proposals []*proposal
}

func newQueue(cfg Config) *queue {
	return &queue{
		maxCommands: cfg.MaxInFlight, maxBytes: cfg.MaxInFlightBytes,
		batchCommands: cfg.BatchCommands, batchBytes: cfg.BatchBytes,
		filled:  make(chan struct{}, 1),
		entries: make(chan pendingEntry, cfg.MaxInFlight),
	}
}

// add takes the proposals of a wave that are not decided yet. Those for which there
// is no room are [ErrOverloaded].
func (q *queue) add(w *wave) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range w.proposals {
		p := &w.proposals[i]
		switch {
		case p.state.Load() == decided:
		case q.commands+1 > q.maxCommands || q.bytes+len(p.command) > q.maxBytes:
			p.finish(Outcome{}, ErrOverloaded)
		default:
			q.commands++
			q.bytes += len(p.command)
			q.waiting = append(q.waiting, p)
		}
	}
	select {
	case q.filled <- struct{}{}:
	default:
	}
}

// take removes what fits into one entry. Proposals that were cancelled fall away.
func (q *queue) take() []*proposal {
	q.mu.Lock()
	defer q.mu.Unlock()
	var batch []*proposal
	size, used := 0, 0
	for _, p := range q.waiting {
		if len(batch) > 0 && (len(batch) == q.batchCommands || size+len(p.command) > q.batchBytes) {
			break
		}
		used++
		if !p.state.CompareAndSwap(queued, taken) {
			q.forgetLocked(p)
			continue
		}
		batch = append(batch, p)
		size += len(p.command)
	}
	clear(q.waiting[:used])
	q.waiting = q.waiting[used:]
	if len(q.waiting) == 0 {
		q.waiting = nil
	}
	return batch
}

func (q *queue) forgetLocked(p *proposal) {
	q.commands--
	q.bytes -= len(p.command)
}

func (q *queue) forget(batch []*proposal) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, p := range batch {
		q.forgetLocked(p)
	}
}

// Propose replicates a command and returns what the state machine made of it, once
// it is in effect on this node. Only the leader can. The error is
// [ErrUnknownOutcome], or one of those in errors.go that say that nothing happened.
// Commands that are proposed at the same time share an entry and so its way to the
// disks.
func (n *Node) Propose(ctx context.Context, command []byte) (Outcome, error) {
	p := n.ProposeAll(ctx, [][]byte{command})[0]
	return p.Outcome, p.Err
}

// ProposeAll is [Node.Propose] for commands that do not wait for one another, and
// costs less than as many calls. It returns when all are decided, or given up: one
// result for each.
func (n *Node) ProposeAll(ctx context.Context, commands [][]byte) []Proposed {
	if len(commands) == 0 {
		return nil
	}
	w := newWave(commands)
	if err := n.mayPropose(); err != nil {
		return w.results(func(*proposal) error { return err })
	}
	for i := range w.proposals {
		if p := &w.proposals[i]; len(p.command) > n.cfg.MaxCommand {
			p.finish(Outcome{}, fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, len(p.command), n.cfg.MaxCommand))
		}
	}
	n.queue.add(w)
	select {
	case <-w.done:
		return w.results(nil)
	case <-ctx.Done():
		return w.giveUp(ErrCancelled, ctx.Err())
	case <-n.stopping:
		return w.giveUp(ErrStopped, nil)
	case <-n.failed:
		return w.giveUp(ErrStopped, nil)
	}
}

// mayPropose returns why nothing can be proposed here now, nil if it can.
func (n *Node) mayPropose() error {
	r, err := n.ready()
	switch {
	case err != nil:
		return err
	case r.State() != hraft.Leader:
		return ErrNotLeader
	case n.disk.room.short(1):
		return ErrDiskFull
	}
	return nil
}

// giveUp leaves what is not decided to its fate. The error is early for what was still
// in the queue.
func (w *wave) giveUp(early, cause error) []Proposed {
	return w.results(func(p *proposal) error {
		if p.state.CompareAndSwap(queued, cancelled) {
			return errors.Join(early, cause)
		}
		return errors.Join(ErrUnknownOutcome, cause)
	})
}

// results returns what was decided, and for the rest what undecided says.
func (w *wave) results(undecided func(*proposal) error) []Proposed {
	all := make([]Proposed, len(w.proposals))
	for i := range w.proposals {
		p := &w.proposals[i]
		if p.state.Load() != decided {
			if err := undecided(p); p.state.Load() != decided {
				all[i].Err = err
				continue
			}
		}
		all[i] = p.result
	}
	return all
}

// proposeLoop makes entries of what waits. The library takes an entry when it has
// written the one before, and whatever is proposed meanwhile becomes the next: so
// entries grow with the load and a lone writer waits for nobody.
func (n *Node) proposeLoop(ctx context.Context) {
	defer close(n.queue.entries)
	for {
		select {
		case <-n.queue.filled:
		case <-ctx.Done():
			return
		}
		for batch := n.queue.take(); len(batch) > 0; batch = n.queue.take() {
			commands := make([][]byte, len(batch))
			for i, p := range batch {
				commands[i] = p.command
			}
			data, extensions := sealEntry(commands)
			future := n.raft.ApplyLog(hraft.Log{Data: data, Extensions: extensions}, 0)
			n.queue.entries <- pendingEntry{future, batch}
			if ctx.Err() != nil {
				return
			}
		}
	}
}

// completeLoop answers proposals in the order of their entries. It ends when
// proposeLoop has, and the library has answered for the last entry.
func (n *Node) completeLoop(context.Context) {
	var refusedSince time.Time // since when a leadership transfer has been in the way
	for e := range n.queue.entries {
		err := n.answer(e.future)
		n.complete(e, err)
		switch {
		case !errors.Is(err, hraft.ErrLeadershipTransferInProgress):
			refusedSince = time.Time{}
		case refusedSince.IsZero():
			refusedSince = time.Now()
		case time.Since(refusedSince) > 4*n.cfg.Election:
			// hashicorp/raft#696: the flag can stay set for ever.
			n.fail(fmt.Errorf("%w: a leadership transfer never ended", ErrRestart))
		}
	}
}

func (n *Node) complete(e pendingEntry, err error) {
	n.queue.forget(e.proposals)
	if err != nil {
		err = proposalError(err)
		for _, p := range e.proposals {
			p.finish(Outcome{}, err)
		}
		return
	}
	results, ok := e.future.Response().([]any)
	for i, p := range e.proposals {
		if !ok || i >= len(results) {
			p.finish(Outcome{}, ErrUnknownOutcome)
			continue
		}
		p.finish(Outcome{results[i], e.future.Index()}, nil)
	}
}

// proposalError tells errors after which a command is certainly not in the log
// from all others.
func proposalError(err error) error {
	if errors.Is(err, hraft.ErrNotLeader) || errors.Is(err, hraft.ErrLeadershipTransferInProgress) {
		return ErrNotLeader
	}
	return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
}
