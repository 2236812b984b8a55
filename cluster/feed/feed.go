package feed

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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
	// Confirm returns an index at or past every write that was acknowledged before the
	// call. The feed asks one question at a time for all of its followers.
	Confirm func(context.Context) (iam.Index, error)
	// Nodes returns the addresses at which nodes of the cluster can be followed; nil:
	// none is told.
	Nodes func() []string
	// Used takes what followers say of keys that were in use; nil: nobody does. It must
	// not wait.
	Used func([]iam.Use)
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
	maxSnapshots     = 4    // sent at once: a fleet that comes back takes turns
)

// Feed is the change stream of one node. All methods are safe for concurrent use,
// but Publish and Reset are the applying goroutine's.
type Feed struct {
	cfg       Config
	ring      *ring
	followers *followers
	recent    *recent
	confirms  confirms
	snapshots chan struct{} // holds a token for each snapshot that may be sent at once
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
	return &Feed{
		cfg: cfg, ring: newRing(cfg.RingSteps, cfg.RingBytes), followers: newFollowers(cfg.Now), recent: newRecent(),
		snapshots: make(chan struct{}, maxSnapshots),
	}
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
		case c.AccessKey != nil && c.AccessKey.LastUsed == 0:
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
	member := f.followers.join(Follower{Name: f.cfg.Node + " (in process)", Instance: rand.Uint64(), Serves: from.Index > 0})
	defer f.followers.leave(member)
	return f.follow(ctx, from, inProcess{f, member, sink})
}

// outlet is where a follower takes frames.
type outlet interface {
	// frame delivers a frame that is this follower's own.
	frame(wire.Frame) error
	// step delivers a step, which is shared.
	step(*step) error
	// idle says that nothing follows for the moment.
	idle() error
	// placed says that the follower is in the ring at an index.
	placed(iam.Index)
	// answers are frames that somebody else has for the follower; nil: nobody.
	answers() <-chan wire.Frame
}

// inProcess is an outlet that is a function.
type inProcess struct {
	feed   *Feed
	member *follower
	sink   func(wire.Frame) error
}

func (o inProcess) frame(frame wire.Frame) error {
	err := o.sink(frame)
	if end, ok := frame.(wire.SnapshotEnd); ok && err == nil {
		o.feed.followers.reached(o.member, end.Position.Index)
	}
	return err
}

func (o inProcess) step(s *step) error {
	if err := o.sink(s.frame); err != nil {
		return err
	}
	if keys := o.feed.keysOf(s); len(keys) > 0 {
		if err := o.sink(wire.SigningKeys{Keys: keys}); err != nil {
			return err
		}
	}
	o.feed.followers.reached(o.member, s.index)
	return nil
}

func (o inProcess) placed(index iam.Index)   { o.feed.followers.reached(o.member, index) }
func (inProcess) idle() error                { return nil }
func (inProcess) answers() <-chan wire.Frame { return nil }

// follow runs one follower through as many eras as there are.
func (f *Feed) follow(ctx context.Context, from wire.Position, out outlet) error {
	for {
		at, era, err := f.begin(ctx, from, out)
		if err != nil {
			return err
		}
		if err := f.stream(ctx, at, era, out); err != nil {
			return err
		}
		from = wire.Position{} // the era has ended
	}
}

// begin greets a follower and brings it to a place in the ring.
func (f *Feed) begin(ctx context.Context, from wire.Position, out outlet) (at, era uint64, err error) {
	if err := f.await(ctx, from, out); err != nil {
		return 0, 0, err
	}
	v := f.cfg.View()
	here := wire.PositionOf(v)
	hello := wire.Hello{
		Cluster: here.Cluster, Epoch: here.Epoch, Node: f.cfg.Node,
		Applied: here.Index, Floor: f.ring.floor(), TokenKeys: f.cfg.TokenKeys(),
	}
	if f.cfg.Nodes != nil {
		hello.Nodes = f.cfg.Nodes()
	}
	if err := out.frame(hello); err != nil {
		return 0, 0, err
	}
	if from.Cluster == here.Cluster && from.Epoch == here.Epoch {
		if at, era, ok := f.ring.place(from.Index, from.Sum); ok {
			out.placed(from.Index)
			return at, era, nil
		}
	}
	if err := f.snapshot(ctx, v, out); err != nil {
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
func (f *Feed) await(ctx context.Context, from wire.Position, out outlet) error {
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
			if err := errors.Join(out.frame(wire.GoAway{Reason: reason, Retry: goAwayRetry}), out.idle()); err != nil {
				return err
			}
			return errors.New("feed: " + reason)
		}
	}
}

func (f *Feed) snapshot(ctx context.Context, v *state.View, out outlet) error {
	if err := f.takeTurn(ctx, out); err != nil {
		return err
	}
	defer func() { <-f.snapshots }()
	position := wire.PositionOf(v)
	if err := out.frame(wire.SnapshotBegin{Position: position, Records: countRecords(v)}); err != nil {
		return err
	}
	chunk := make([]iam.Change, 0, chunkRecords)
	send := func() error {
		err := out.frame(wire.SnapshotChunk{Changes: wire.Public(chunk)})
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
	return out.frame(wire.SnapshotEnd{Position: position})
}

// takeTurn waits until a snapshot may be sent. The sender gives the turn back.
func (f *Feed) takeTurn(ctx context.Context, out outlet) error {
	for {
		if err := out.idle(); err != nil {
			return err
		}
		select {
		case f.snapshots <- struct{}{}:
			return nil
		case answer := <-out.answers():
			if err := out.frame(answer); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func countRecords(v *state.View) (n uint64) {
	for range v.All() {
		n++
	}
	return n
}

// stream delivers steps until something ends it; nil means that the era has.
func (f *Feed) stream(ctx context.Context, at, era uint64, out outlet) error {
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
			if err := out.step(s); err != nil {
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
		if err := f.linger(ctx, more, rollover, out); err != nil {
			return err
		}
	}
}

// linger delivers what is not a step until there is one.
func (f *Feed) linger(ctx context.Context, more <-chan struct{}, rollover <-chan []wire.SigningKey, out outlet) error {
	for {
		if len(out.answers()) == 0 {
			if err := out.idle(); err != nil {
				return err
			}
		}
		var err error
		select {
		case <-more:
			return nil
		case keys := <-rollover:
			err = out.frame(wire.SigningKeys{Keys: keys})
		case answer := <-out.answers():
			err = out.frame(answer)
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}
