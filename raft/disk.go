package raft

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// disk stands between the stores and the file system: it times every operation,
// turns the first failure into the end of the node, and knows how much room is
// left.
type disk struct {
	hook func(DiskOp) error // nil: none
	fail func(error)        // stops the node
	room *room

	latency atomic.Int64 // of writes to the log, a moving average in nanoseconds
	failed  atomic.Bool
	running atomic.Bool // the library's goroutines exist

	mu      sync.Mutex
	pending map[*operation]struct{}
}

// operation is one that the disk has not answered yet.
type operation struct {
	op     DiskOp
	began  time.Time
	warned bool
}

func newDisk(hook func(DiskOp) error, room *room, fail func(error)) *disk {
	return &disk{hook: hook, fail: fail, room: room, pending: make(map[*operation]struct{})}
}

// do carries an operation out. A failure is final: nothing is known about what the
// kernel kept of the bytes, so no later operation is tried.
func (d *disk) do(op DiskOp, f func() error) error {
	if d.failed.Load() {
		return ErrDiskFailed
	}
	err := d.timed(op, f)
	if err != nil && !d.failed.Swap(true) {
		d.fail(fmt.Errorf("%w: %s: %w", ErrDiskFailed, op, err))
	}
	return err
}

// timed carries an operation out that may fail without consequence.
func (d *disk) timed(op DiskOp, f func() error) error {
	o := &operation{op: op, began: time.Now()}
	d.mu.Lock()
	d.pending[o] = struct{}{}
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		delete(d.pending, o)
		d.mu.Unlock()
		if op == OpAppend || op == OpVote {
			d.measure(time.Since(o.began))
		}
	}()
	if d.hook != nil {
		if err := d.hook(op); err != nil {
			return err
		}
	}
	return f()
}

// measure lets the latest operation count for an eighth. Two at the same time may
// lose one, which a moving average does not mind.
func (d *disk) measure(took time.Duration) {
	before := d.latency.Load()
	if before == 0 {
		before = int64(took)
	}
	d.latency.Store(before + (int64(took)-before)/8)
}

// slow returns the operation that has been waited for longest and for how long,
// of those that the log waits for. Snapshots are written beside it.
func (d *disk) slow(now time.Time) (worst *operation, waited time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for o := range d.pending {
		if o.op == OpSnapshotWrite || o.op == OpSnapshotClose {
			continue
		}
		if age := now.Sub(o.began); age > waited {
			worst, waited = o, age
		}
	}
	return worst, waited
}

// abandon ends the library's goroutine that is asking, where the library would
// panic at an error and take the process along before it has said why. The node
// has been stopped by then. It returns only while no such goroutine exists.
func (d *disk) abandon() {
	if d.running.Load() {
		runtime.Goexit()
	}
}

// room is what is left on the file system of a directory.
type room struct {
	dir  string
	min  uint64 // zero: no limit
	free func(dir string) (uint64, error)

	mu   sync.Mutex
	last time.Time
	left uint64
}

// roomAge is how old a look at the file system may be.
const roomAge = 250 * time.Millisecond

// short reports whether less than share of the minimum is left. A file system that
// cannot be asked counts as roomy: the write itself will tell.
func (r *room) short(share float64) bool {
	if r.min == 0 {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); r.last.IsZero() || now.Sub(r.last) >= roomAge {
		left, err := r.free(r.dir)
		if err != nil {
			return false
		}
		r.last, r.left = now, left
	}
	return float64(r.left) < share*float64(r.min)
}

// freeBytes asks the file system what an ordinary user may still write.
func freeBytes(dir string) (uint64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return s.Bavail * uint64(s.Bsize), nil
}
