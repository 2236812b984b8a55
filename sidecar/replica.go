package sidecar

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/iam/state/packed"
	"github.com/doorward/doorward/iam/wire"
	"github.com/doorward/doorward/internal/token"
)

// view is what one decision sees: the records at one index, and the callers made
// ready from them. A request pins it once and never looks at a newer one unless it
// has to wait.
type view struct {
	*state.View
	callers *callers
	tokens  *token.Keyring // nil before the first hello
}

// replica follows a source and publishes each view. Only [replica.run] changes it;
// everybody reads.
type replica struct {
	config *Config
	source Source
	keys   *keys
	hurry  func() // has the current index asked for soon
	keeper *keeper

	current atomic.Pointer[view]
	// proven is the newest instant at which the view was known to hold everything that
	// was acknowledged; nil: never.
	proven atomic.Pointer[proof]

	mu      sync.Mutex
	since   time.Time     // when there was a view first
	proofs  []proof       // by index, ascending: hold once the view gets there
	moved   chan struct{} // closed at the next step or proof; nil if nobody waits
	waiting atomic.Int64

	// What follows is the follower's own.
	epoch    uint64
	cluster  string
	tokens   *token.Keyring
	building *snapshot
}

// proof says that a view at index holds everything acknowledged before asked.
type proof struct {
	asked time.Time
	index iam.Index
}

// snapshot is a view under construction.
type snapshot struct {
	begin   wire.SnapshotBegin
	builder *state.Builder
	count   uint64
}

// errDiverged ends a feed whose view does not have the sum that the source says.
var errDiverged = errors.New("view differs from the source's")

// errGoAway ends a feed that the source asked to end.
var errGoAway = errors.New("source asked to go away")

func newReplica(source Source, config *Config, keys *keys, hurry func()) *replica {
	return &replica{config: config, source: source, keys: keys, hurry: hurry}
}

// pin returns the newest view, at or past least. It waits for least, but not for
// longer than Patience.
func (r *replica) pin(ctx context.Context, least iam.Index) (*view, error) {
	v := r.current.Load()
	if v == nil {
		return nil, ErrNotReady
	}
	if v.Index() >= least {
		return v, nil
	}
	return r.wait(ctx, least)
}

func (r *replica) wait(ctx context.Context, least iam.Index) (*view, error) {
	if ctx == impatient {
		return nil, errImpatient
	}
	if r.waiting.Add(1) > int64(r.config.MaxWaiting) {
		r.waiting.Add(-1)
		return nil, ErrOverloaded
	}
	defer r.waiting.Add(-1)
	ctx, cancel := context.WithTimeout(ctx, r.config.Patience)
	defer cancel()
	for {
		moved := r.nextMove()
		if v := r.current.Load(); v != nil && v.Index() >= least {
			return v, nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: wants %d: %w", ErrBehind, least, ctx.Err())
		}
	}
}

func (r *replica) nextMove() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.moved == nil {
		r.moved = make(chan struct{})
	}
	return r.moved
}

// publish makes v the view that requests pin, and tells who waits.
func (r *replica) publish(v *view) {
	first := r.current.Swap(v) == nil
	r.mu.Lock()
	defer r.mu.Unlock()
	if first {
		// A fence did not wait for a sidecar without a view, so what was current before
		// proves nothing: it is asked for again.
		r.since, r.proofs = r.config.Now(), nil
		r.hurry()
	}
	for len(r.proofs) > 0 && r.proofs[0].index <= v.Index() {
		r.proveLocked(r.proofs[0])
		r.proofs = r.proofs[1:]
	}
	r.wakeLocked()
}

func (r *replica) wakeLocked() {
	if r.moved != nil {
		close(r.moved)
		r.moved = nil
	}
}

// proved takes the answer of a confirmation: it holds at once or when the view
// gets to its index.
func (r *replica) proved(asked time.Time, index iam.Index) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := r.current.Load()
	if v == nil || asked.Before(r.since) {
		return
	}
	if v.Index() >= index {
		r.proveLocked(proof{asked, index})
		r.wakeLocked()
		return
	}
	if n := len(r.proofs); n > 0 && r.proofs[n-1].index == index {
		r.proofs[n-1].asked = asked
		return
	}
	r.proofs = append(r.proofs, proof{asked, index})
}

func (r *replica) proveLocked(p proof) {
	if known := r.proven.Load(); known == nil || known.asked.Before(p.asked) {
		r.proven.Store(&p)
	}
}

// staleness returns how long ago the view was last known to be current. Of the two
// clocks that a time has, the one that says more counts: the monotonic one stands
// still while the machine sleeps, and the other may be set back.
func (r *replica) staleness(now time.Time) (time.Duration, error) {
	proven := r.proven.Load()
	if proven == nil {
		return 0, ErrNotReady
	}
	return max(0, now.Sub(proven.asked), now.Round(0).Sub(proven.asked.Round(0))), nil
}

// fresh returns the staleness of v, or ErrStale if it is beyond the store's limit.
func (r *replica) fresh(v *view, now time.Time) (time.Duration, error) {
	age, err := r.staleness(now)
	if err != nil {
		return age, err
	}
	if limit := iam.Or(v.Settings().MaxStaleness, defaultMaxStaleness); age > time.Duration(limit)*time.Second {
		return age, ErrStale
	}
	return age, nil
}

// defaultMaxStaleness is the default of iam.Settings.MaxStaleness, in seconds.
const defaultMaxStaleness = 900

// follow takes the feed from where the view is until it ends.
func (r *replica) follow(ctx context.Context) error {
	var from wire.Position
	if v := r.current.Load(); v != nil {
		from = wire.PositionOf(v.View)
	}
	r.building = nil
	err := r.source.Follow(ctx, from, r.take)
	if errors.Is(err, errDiverged) {
		// The next attempt starts from nothing; requests go on with what there is.
		if v := r.current.Load(); v != nil && r.config.Events.Diverged != nil {
			r.config.Events.Diverged(v.Index())
		}
		return r.source.Follow(ctx, wire.Position{}, r.take)
	}
	return err
}

// take brings one frame of the feed into effect, and keeps it.
func (r *replica) take(frame wire.Frame) error {
	err := r.apply(frame)
	if err == nil {
		r.keeper.took(frame)
	}
	return err
}

func (r *replica) apply(frame wire.Frame) error {
	switch f := frame.(type) {
	case wire.Hello:
		return r.hello(f)
	case wire.SnapshotBegin:
		r.building = &snapshot{begin: f, builder: state.NewNarrowBuilder()}
	case wire.SnapshotChunk:
		return r.chunk(f)
	case wire.SnapshotEnd:
		return r.restore(f)
	case wire.Delta:
		return r.delta(f.Prev, f.Index, f.Changes, f.Sum)
	case wire.Bookmark:
		if v := r.current.Load(); v != nil && f.Index > v.Index() {
			return r.delta(v.Index(), f.Index, nil, f.Sum)
		}
	case wire.SigningKeys:
		r.keys.push(f.Keys)
	case wire.GoAway:
		return fmt.Errorf("%w: %s", errGoAway, f.Reason)
	case wire.Pong:
		// Freshness is asked for through Source.Confirm.
	}
	return nil
}

func (r *replica) hello(f wire.Hello) error {
	if r.cluster != "" && r.cluster != f.Cluster {
		return fmt.Errorf("source belongs to store %s, this sidecar follows %s", f.Cluster, r.cluster)
	}
	tokens, err := token.Import(f.TokenKeys)
	if err != nil {
		return fmt.Errorf("hello of %s: %w", f.Node, err)
	}
	r.cluster, r.epoch, r.tokens = f.Cluster, f.Epoch, tokens
	r.hurry() // there is somebody to ask again
	if v := r.current.Load(); v != nil {
		next := *v
		next.tokens = tokens
		r.publish(&next)
	}
	return nil
}

func (r *replica) chunk(f wire.SnapshotChunk) error {
	if r.building == nil {
		return errors.New("feed sends records of a snapshot that has not begun")
	}
	r.building.builder.Add(f.Changes)
	r.building.count += uint64(len(f.Changes))
	return nil
}

// packed takes records of a snapshot as [state.View.Packed] gives them.
func (r *replica) packed(b []byte) error {
	if r.building == nil {
		return errors.New("file has records of a snapshot that has not begun")
	}
	for len(b) > 0 {
		record, split, rest, err := packed.CutEntry(b)
		if err != nil {
			return err
		}
		if err := r.building.builder.AddPacked(record, split); err != nil {
			return err
		}
		r.building.count++
		b = rest
	}
	return nil
}

func (r *replica) restore(f wire.SnapshotEnd) error {
	b := r.building
	r.building = nil
	switch {
	case b == nil:
		return errors.New("feed ends a snapshot that has not begun")
	case b.count != b.begin.Records:
		return fmt.Errorf("snapshot has %d records, %d were announced", b.count, b.begin.Records)
	}
	v := b.builder.View(f.Position.Index)
	if v.Sum() != f.Position.Sum {
		return errDiverged
	}
	r.keys.clear()
	r.publish(&view{View: v, callers: newCallers(v.Index(), r.config.Callers), tokens: r.tokens})
	if r.config.Events.Restored != nil {
		r.config.Events.Restored(v.Index(), b.count)
	}
	return nil
}

// delta steps from one view to the next. Callers that the changes touch are
// retired first, so that no decision under the new view uses one from before.
func (r *replica) delta(prev, index iam.Index, changes []iam.Change, sum state.Sum) error {
	old := r.current.Load()
	if old == nil || old.Index() != prev {
		return fmt.Errorf("%w: change after %d does not follow", errDiverged, prev)
	}
	next := *old
	next.View = old.View.Apply(index, changes)
	if next.Sum() != sum {
		return errDiverged
	}
	for i := range changes {
		if onlyMovesLastUsed(old.View, &changes[i]) {
			continue
		}
		r.forgetKeys(&changes[i])
		next.callers.retire(index, &changes[i])
	}
	r.publish(&next)
	if r.config.Events.Applied != nil {
		r.config.Events.Applied(index, len(changes))
	}
	return nil
}

// forgetKeys drops the signing keys of an access key whose secret may be another
// after the change. The secret itself is not in the feed, so every change counts
// but one that only moves LastUsed.
func (r *replica) forgetKeys(c *iam.Change) {
	switch {
	case c.AccessKey != nil:
		r.keys.forget(c.AccessKey.ID)
	case c.Session != nil:
		r.keys.forget(c.Session.Key)
	case c.Delete != nil && (c.Delete.Table == iam.TableAccessKeys || c.Delete.Table == iam.TableSessions):
		r.keys.forget(iam.AccessKeyID(c.Delete.Name))
	}
}

// onlyMovesLastUsed reports whether c leaves everything that decides as it is. A
// record that is equal to the one before has a new secret.
func onlyMovesLastUsed(old *state.View, c *iam.Change) bool {
	if c.AccessKey == nil {
		return false
	}
	before, ok := old.AccessKey(c.AccessKey.ID)
	if !ok || before.LastUsed == c.AccessKey.LastUsed {
		return false
	}
	a, b := before, c.AccessKey
	return a.Owner == b.Owner && a.Status == b.Status && a.Created == b.Created && a.Expires == b.Expires &&
		a.Password == b.Password
}
