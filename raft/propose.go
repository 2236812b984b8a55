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

// The life of a proposal. It leaves queued exactly once.
const (
	queued int32 = iota
	taken
	cancelled
)

// proposal is a command on its way.
type proposal struct {
	command []byte
	state   atomic.Int32
	done    chan struct{} // closed when outcome and err are set
	outcome Outcome
	err     error
}

func (p *proposal) finish(o Outcome, err error) {
	p.outcome, p.err = o, err
	close(p.done)
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

func (q *queue) add(p *proposal) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.commands+1 > q.maxCommands || q.bytes+len(p.command) > q.maxBytes {
		return ErrOverloaded
	}
	q.commands++
	q.bytes += len(p.command)
	q.waiting = append(q.waiting, p)
	select {
	case q.filled <- struct{}{}:
	default:
	}
	return nil
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
	r, err := n.ready()
	switch {
	case err != nil:
		return Outcome{}, err
	case len(command) > n.cfg.MaxCommand:
		return Outcome{}, fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, len(command), n.cfg.MaxCommand)
	case r.State() != hraft.Leader:
		return Outcome{}, ErrNotLeader
	case n.disk.room.short(1):
		return Outcome{}, ErrDiskFull
	}
	p := &proposal{command: command, done: make(chan struct{})}
	if err := n.queue.add(p); err != nil {
		return Outcome{}, err
	}
	select {
	case <-p.done:
		return p.outcome, p.err
	case <-ctx.Done():
		return n.giveUp(p, ErrCancelled, ctx.Err())
	case <-n.stopping:
		return n.giveUp(p, ErrStopped, nil)
	case <-n.failed:
		return n.giveUp(p, ErrStopped, nil)
	}
}

// giveUp leaves a proposal to its fate. The error is early if it was still in the
// queue.
func (n *Node) giveUp(p *proposal, early, cause error) (Outcome, error) {
	if p.state.CompareAndSwap(queued, cancelled) {
		return Outcome{}, errors.Join(early, cause)
	}
	select {
	case <-p.done: // it has just been decided
		return p.outcome, p.err
	default:
	}
	return Outcome{}, errors.Join(ErrUnknownOutcome, cause)
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
