package feed

import (
	"cmp"
	"slices"
	"sync"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/iam/wire"
)

// The ring is one list that every follower reads from, each at a place of its own,
// rather than a queue for each follower. A queue has to be filled, bounded and
// drained for everybody, the slow ones included, and its overflow is an event that
// can be lost; a place is a number. A slow follower costs nothing until its place
// has fallen off the end, and then it is told so and starts again.

// step is one step of the log in the ring. It is immutable but for keys and
// bytes, which are made by the first follower that needs them.
type step struct {
	frame   wire.Frame // Delta or Bookmark, without secrets
	index   iam.Index
	sum     state.Sum // of the view at index
	size    int       // estimate, in bytes
	secrets []secret  // of new or changed keys and sessions

	keysOnce sync.Once
	keys     []wire.SigningKey

	keyBytesOnce sync.Once
	keyBytes     []byte
	keyBytesErr  error

	bytesOnce sync.Once
	bytes     []byte
	bytesErr  error
}

// secret is a sealed secret that a step brought.
type secret struct {
	id     iam.AccessKeyID
	sealed iam.Sealed
}

// encoded returns the frame's bytes.
func (s *step) encoded() ([]byte, error) {
	s.bytesOnce.Do(func() { s.bytes, s.bytesErr = wire.AppendFrame(nil, s.frame) })
	return s.bytes, s.bytesErr
}

// ring holds the newest steps. A place in it is the number of steps that were ever
// added before it.
type ring struct {
	maxSteps, maxBytes int

	mu    sync.Mutex
	steps []*step
	first uint64 // place of steps[0]
	bytes int
	// What lies before steps[0].
	floorIndex iam.Index
	floorSum   state.Sum
	// era counts resets: a place is worth nothing in another era.
	era   uint64
	added chan struct{} // closed and replaced when steps are added or the era ends
}

func newRing(maxSteps, maxBytes int) *ring {
	return &ring{maxSteps: maxSteps, maxBytes: maxBytes, added: make(chan struct{})}
}

// add appends steps and lets the oldest fall off.
func (r *ring) add(steps []*step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.steps = append(r.steps, steps...)
	for _, s := range steps {
		r.bytes += s.size
	}
	for len(r.steps) > r.maxSteps || r.bytes > r.maxBytes && len(r.steps) > 1 {
		oldest := r.steps[0]
		r.steps[0] = nil
		r.steps = r.steps[1:]
		r.first++
		r.bytes -= oldest.size
		r.floorIndex, r.floorSum = oldest.index, oldest.sum
	}
	r.wakeLocked()
}

// reset forgets everything: what comes next follows v.
func (r *ring) reset(v *state.View) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.first += uint64(len(r.steps))
	r.steps, r.bytes = nil, 0
	r.floorIndex, r.floorSum = v.Index(), v.Sum()
	r.era++
	r.wakeLocked()
}

func (r *ring) wakeLocked() {
	close(r.added)
	r.added = make(chan struct{})
}

// sumAt returns the sum of the view at an index that is in the ring.
func (r *ring) sumAt(index iam.Index) (state.Sum, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i, found := r.findLocked(index); found {
		return r.steps[i].sum, true
	}
	return r.floorSum, index == r.floorIndex
}

// head returns where the ring ends.
func (r *ring) head() (iam.Index, state.Sum) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.steps); n > 0 {
		return r.steps[n-1].index, r.steps[n-1].sum
	}
	return r.floorIndex, r.floorSum
}

func (r *ring) findLocked(index iam.Index) (int, bool) {
	return slices.BinarySearchFunc(r.steps, index, func(s *step, index iam.Index) int {
		return cmp.Compare(s.index, index)
	})
}

// place finds where a follower continues that is at index with that sum.
func (r *ring) place(index iam.Index, sum state.Sum) (at, era uint64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if index == r.floorIndex && sum == r.floorSum {
		return r.first, r.era, true
	}
	i, found := r.findLocked(index)
	if !found || r.steps[i].sum != sum {
		return 0, r.era, false
	}
	return r.first + uint64(i) + 1, r.era, true
}

// floor returns the oldest index from which the ring continues.
func (r *ring) floor() iam.Index {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.floorIndex
}

// read returns up to max steps from a place on, or a channel that is closed when
// there may be some. ok is false if the place has fallen off or the era has ended.
func (r *ring) read(at, era uint64, max int) (steps []*step, more <-chan struct{}, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if era != r.era || at < r.first {
		return nil, nil, false
	}
	from := int(at - r.first)
	if from == len(r.steps) {
		return nil, r.added, true
	}
	to := min(from+max, len(r.steps))
	return slices.Clone(r.steps[from:to]), nil, true
}

// ended reports whether an era is over.
func (r *ring) ended(era uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return era != r.era
}

// news returns a channel that is closed when something is added or an era ends.
func (r *ring) news() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.added
}
