package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/iam/wire"
)

// ErrBehind ends a feed whose follower was too slow: what it would need next is no
// longer in the ring. It follows again from where it is, and gets a snapshot.
var ErrBehind = errors.New("feed: follower has fallen behind the ring")

// Config says what a feed tells. All fields but those with a default are needed.
type Config struct {
	// Node names the node to followers.
	Node string
	// View returns the newest view. A step is published after its view.
	View func() *state.View
	// TokenKeys returns the keys that open session tokens, current first.
	TokenKeys func() [][]byte
	// OpenSecret opens a sealed secret.
	OpenSecret func(iam.AccessKeyID, iam.Sealed) ([]byte, error)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Regions get signing keys without asking, service s3; us-east-1 if empty.
	Regions []string
	// RingSteps and RingBytes bound what is kept for followers that come back;
	// 262,144 and 64 MiB.
	RingSteps, RingBytes int
}

const (
	defaultRingSteps = 262_144
	defaultRingBytes = 64 << 20
	chunkRecords     = 512 // of a snapshot
	readSteps        = 256 // at a time
	patience         = 2 * time.Second
	goAwayRetry      = 1000 // ms
)

// Feed is the change stream of one node. All methods are safe for concurrent use,
// but Publish and Reset are the applying goroutine's.
type Feed struct {
	cfg       Config
	ring      *ring
	followers *followers
	recent    *recent
}

// New makes a feed with an empty ring.
func New(cfg Config) *Feed {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if len(cfg.Regions) == 0 {
		cfg.Regions = []string{"us-east-1"}
	}
	if cfg.RingSteps == 0 {
		cfg.RingSteps = defaultRingSteps
	}
	if cfg.RingBytes == 0 {
		cfg.RingBytes = defaultRingBytes
	}
	return &Feed{cfg: cfg, ring: newRing(cfg.RingSteps, cfg.RingBytes), followers: newFollowers(), recent: newRecent()}
}

// Step is what one entry of the log did.
type Step struct {
	Prev    iam.Index    // of the view before
	Index   iam.Index    // of the view after
	Sum     state.Sum    // of the view after
	Changes []iam.Change // in order; none: the view only moved on
	Size    int          // of the entry, in bytes; an estimate of what the step takes
}

// Publish adds steps, in order.
func (f *Feed) Publish(steps []Step) {
	made := make([]*step, 0, len(steps))
	for _, s := range steps {
		made = append(made, newStep(s))
	}
	f.ring.add(made)
}

func newStep(s Step) *step {
	made := &step{index: s.Index, sum: s.Sum, size: 128 + 2*s.Size}
	if len(s.Changes) == 0 {
		made.frame = wire.Bookmark{Index: made.index, Sum: made.sum}
		return made
	}
	made.frame = wire.Delta{Prev: s.Prev, Index: made.index, Changes: wire.Public(s.Changes), Sum: made.sum}
	for _, c := range s.Changes {
		switch {
		case c.AccessKey != nil:
			made.secrets = append(made.secrets, secret{c.AccessKey.ID, c.AccessKey.Secret})
		case c.Session != nil:
			made.secrets = append(made.secrets, secret{c.Session.Key, c.Session.Secret})
		}
	}
	return made
}

// Head returns the newest index of the feed and the sum of its view.
func (f *Feed) Head() (iam.Index, state.Sum) { return f.ring.head() }

// News returns a channel that is closed when something has been published.
func (f *Feed) News() <-chan struct{} { return f.ring.news() }

// SumAt returns the sum of the view at an index, if the ring still knows it.
func (f *Feed) SumAt(index iam.Index) (state.Sum, bool) { return f.ring.sumAt(index) }

// Reset starts over from v, of which nobody has seen the way: a snapshot was
// restored. Every follower gets a snapshot.
func (f *Feed) Reset(v *state.View) { f.ring.reset(v) }

// Follow sends frames to sink, one after another, from a position on: deltas if
// the ring reaches back to it and it lies in the same history, else a snapshot
// first. It returns when ctx is done, with [ErrBehind], or with sink's error.
// Frames are shared with other followers and must not be changed.
func (f *Feed) Follow(ctx context.Context, from wire.Position, sink func(wire.Frame) error) error {
	member := f.followers.join("in process", from.Index)
	defer f.followers.leave(member)
	deliver := func(s *step) error {
		if err := sink(s.frame); err != nil {
			return err
		}
		if keys := f.keysOf(s); len(keys) > 0 {
			if err := sink(wire.SigningKeys{Keys: keys}); err != nil {
				return err
			}
		}
		f.followers.reached(member, s.index)
		return nil
	}
	return f.follow(ctx, from, sink, deliver)
}

// follow runs one follower through as many eras as there are.
func (f *Feed) follow(ctx context.Context, from wire.Position, sink func(wire.Frame) error, deliver func(*step) error) error {
	for {
		at, era, err := f.begin(ctx, from, sink)
		if err != nil {
			return err
		}
		if err := f.stream(ctx, at, era, sink, deliver); err != nil {
			return err
		}
		from = wire.Position{} // the era has ended
	}
}

// begin greets a follower and brings it to a place in the ring.
func (f *Feed) begin(ctx context.Context, from wire.Position, sink func(wire.Frame) error) (at, era uint64, err error) {
	if err := f.await(ctx, from, sink); err != nil {
		return 0, 0, err
	}
	v := f.cfg.View()
	here := wire.PositionOf(v)
	hello := wire.Hello{
		Cluster: here.Cluster, Epoch: here.Epoch, Node: f.cfg.Node,
		Applied: here.Index, Floor: f.ring.floor(), TokenKeys: f.cfg.TokenKeys(),
	}
	if err := sink(hello); err != nil {
		return 0, 0, err
	}
	if from.Cluster == here.Cluster && from.Epoch == here.Epoch {
		if at, era, ok := f.ring.place(from.Index, from.Sum); ok {
			return at, era, nil
		}
	}
	if err := f.snapshot(ctx, v, sink); err != nil {
		return 0, 0, err
	}
	// The ring may lack v's own step for a moment, because views are published first.
	if at, era, ok := f.placeOf(ctx, v); ok {
		return at, era, nil
	}
	return 0, 0, fmt.Errorf("%w: while it took a snapshot", ErrBehind)
}

// placeOf waits until the ring has caught up with a view.
func (f *Feed) placeOf(ctx context.Context, v *state.View) (at, era uint64, ok bool) {
	for {
		added := f.ring.news()
		head, _ := f.ring.head()
		if at, era, ok := f.ring.place(v.Index(), v.Sum()); ok || head > v.Index() {
			return at, era, ok
		}
		select {
		case <-added:
		case <-ctx.Done():
			return 0, 0, false
		}
	}
}

// await keeps a follower from going back in time: one that has seen more than this
// node has waits a little, and is sent elsewhere if that does not help.
func (f *Feed) await(ctx context.Context, from wire.Position, sink func(wire.Frame) error) error {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		added := f.ring.news()
		here := wire.PositionOf(f.cfg.View())
		ready := here.Cluster != ""
		if ready && (from.Cluster != here.Cluster || from.Epoch != here.Epoch || from.Index <= here.Index) {
			return nil
		}
		select {
		case <-added:
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			reason := fmt.Sprintf("node %s is at %d, the follower at %d already", f.cfg.Node, here.Index, from.Index)
			if !ready {
				reason = fmt.Sprintf("node %s has no state yet", f.cfg.Node)
			}
			if err := sink(wire.GoAway{Reason: reason, Retry: goAwayRetry}); err != nil {
				return err
			}
			return errors.New("feed: " + reason)
		}
	}
}

func (f *Feed) snapshot(ctx context.Context, v *state.View, sink func(wire.Frame) error) error {
	position := wire.PositionOf(v)
	if err := sink(wire.SnapshotBegin{Position: position, Records: countRecords(v)}); err != nil {
		return err
	}
	chunk := make([]iam.Change, 0, chunkRecords)
	send := func() error {
		err := sink(wire.SnapshotChunk{Changes: wire.Public(chunk)})
		chunk = chunk[:0]
		return err
	}
	for c := range v.All() {
		if chunk = append(chunk, c); len(chunk) == chunkRecords {
			if err := errors.Join(send(), ctx.Err()); err != nil {
				return err
			}
		}
	}
	if len(chunk) > 0 {
		if err := send(); err != nil {
			return err
		}
	}
	return sink(wire.SnapshotEnd{Position: position})
}

func countRecords(v *state.View) (n uint64) {
	for range v.All() {
		n++
	}
	return n
}

// stream delivers steps until something ends it; nil means that the era has.
func (f *Feed) stream(ctx context.Context, at, era uint64, sink func(wire.Frame) error, deliver func(*step) error) error {
	rollover := f.recent.subscribe()
	defer f.recent.unsubscribe(rollover)
	for {
		steps, more, ok := f.ring.read(at, era, readSteps)
		if !ok {
			if f.ring.ended(era) {
				return nil
			}
			return ErrBehind
		}
		for _, s := range steps {
			if err := deliver(s); err != nil {
				return err
			}
			at++
		}
		if more == nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			continue
		}
		select {
		case <-more:
		case keys := <-rollover:
			if err := sink(wire.SigningKeys{Keys: keys}); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
