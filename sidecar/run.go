package sidecar

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/doorward/doorward/iam"
)

// The pause between two attempts to follow a source: at first short, doubled with
// each failure, with full jitter so that a fleet does not come back as one.
const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = time.Second
)

// keyExpiry is how often keys of bygone days are looked for.
const keyExpiry = time.Hour

// Run follows the source until ctx is done and leaves nothing running. It returns
// ctx's error.
func (a *Authorizer) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var parts sync.WaitGroup
	if k := a.replica.keeper; k != nil {
		err := k.restore()
		if a.config.Events.Kept != nil {
			age, _ := a.replica.staleness(a.config.Now()) // zero without a view
			a.config.Events.Kept(a.replica.index(), age, err)
		}
		parts.Go(func() { k.run(ctx) }) // ends with ctx
	}
	// Both end with ctx.
	parts.Go(func() { a.confirmer.run(ctx, a.replica.proved) })
	parts.Go(func() { a.keys.run(ctx) })
	err := a.replica.run(ctx)
	cancel()
	parts.Wait()
	return err
}

func (r *replica) run(ctx context.Context) error {
	retry := firstRetry
	for {
		before := r.index()
		err := r.follow(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if r.index() != before {
			retry = firstRetry
		}
		pause := rand.N(retry)
		if r.config.Events.SourceLost != nil {
			r.config.Events.SourceLost(err, pause)
		}
		retry = min(2*retry, lastRetry)
		if errors.Is(err, errGoAway) {
			retry = firstRetry
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (k *keys) run(ctx context.Context) {
	tick := time.NewTicker(keyExpiry)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			k.expire(k.config.Now())
		case <-ctx.Done():
			return
		}
	}
}

func (r *replica) index() iam.Index {
	if v := r.current.Load(); v != nil {
		return v.Index()
	}
	return 0
}

// Settle returns once everything that is in effect would be in effect after a restart
// too, or nothing would: before that the store must not be told of it. The error says
// that an older state is on disk which cannot be removed.
func (a *Authorizer) Settle() error {
	if k := a.replica.keeper; k != nil {
		return k.settle()
	}
	return nil
}

// Status is how a sidecar is doing.
type Status struct {
	Cluster   string
	Index     iam.Index     // zero: no view yet
	Staleness time.Duration // since the view was last known to be current
	// Err says why no request would be decided now: ErrNotReady, ErrStale, or nil.
	Err error
}

// Status returns how the sidecar is doing at this moment.
func (a *Authorizer) Status() Status {
	v := a.replica.current.Load()
	if v == nil {
		return Status{Err: ErrNotReady}
	}
	age, err := a.replica.fresh(v, a.config.Now())
	return Status{Cluster: v.Store().ClusterID, Index: v.Index(), Staleness: age, Err: err}
}

// Authorities returns what the view has of the authorities of the cluster's members, by
// fingerprint: all that are trusted, sorted, and the one that signs. None before there
// is a view.
func (a *Authorizer) Authorities() (all []string, signs string) {
	v := a.replica.current.Load()
	if v == nil {
		return nil, ""
	}
	for authority := range v.Authorities() {
		all = append(all, authority.Fingerprint)
	}
	if authority := v.Authority(); authority != nil {
		signs = authority.Fingerprint
	}
	return all, signs
}

// Wait returns once requests are decided under a view at or past index, or with an
// error when ctx is done.
func (a *Authorizer) Wait(ctx context.Context, index iam.Index) error {
	for {
		moved := a.replica.nextMove()
		if s := a.Status(); s.Err == nil && s.Index >= index {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
