package feed

import (
	"cmp"
	"context"
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/wire"
)

// Follower is one reader of the feed, now or until lately.
type Follower struct {
	Name     string
	Instance uint64 // tells namesakes apart, and a program from the one that it replaces
	Version  string
	Address  string // of the connection; empty: in the node's process

	Index     iam.Index     // that it has applied
	Staleness time.Duration // of its view, as it last said
	Rate      uint32        // decisions a second, as it last said
	Since     time.Time     // when it connected

	// Proved is the last moment at which what it has applied may have been all there
	// was: from then on it serves for the store's max staleness at most.
	Proved time.Time
	// Left is when it went away, zero while it is connected. It may serve on from what
	// it has.
	Left time.Time
	// Serves is false for one that is getting its first snapshot. It begins to decide
	// when it has asked for the current index after that, and has it.
	Serves bool

	// Signer is the fingerprint of the authority that signed the certificate with which it
	// connected, empty if it has shown none. Trusts are those of the authorities that it
	// accepts, as it last said; nil if it has not.
	Signer string
	Trusts []string
}

// follower is a Follower that the feed keeps up to date.
type follower struct {
	Follower
	// asked are the answers about the current index that it has been given and whose
	// index it has not applied, by index.
	asked []answered
}

type answered struct {
	at    time.Time
	index iam.Index
}

// maxAnswered bounds follower.asked. Beyond it two answers count as one with the
// lower index and the later time, which errs on the side of serving too long.
const maxAnswered = 64

// followers are those who read at the moment, and those who did lately: they may
// still serve.
type followers struct {
	now func() time.Time

	mu      sync.Mutex
	all     map[*follower]struct{}
	gone    []Follower    // oldest first
	changed chan struct{} // closed and replaced when one moves or leaves; nil if nobody waits
}

// maxGone bounds how many that have left are remembered.
const maxGone = 1 << 16

func newFollowers(now func() time.Time) *followers {
	return &followers{now: now, all: make(map[*follower]struct{})}
}

func (g *followers) join(who Follower) *follower {
	m := &follower{Follower: who}
	m.Since, m.Proved = g.now(), g.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all[m] = struct{}{}
	return m
}

func (g *followers) leave(m *follower) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.all, m)
	if m.Left = g.now(); !m.Serves {
		g.wakeLocked()
		return
	}
	if len(g.gone) == maxGone {
		g.gone = g.gone[1:]
	}
	g.gone = append(g.gone, m.Follower)
	g.wakeLocked()
}

// forget drops what left so long ago that it serves no more.
func (g *followers) forget(before time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gone = slices.DeleteFunc(g.gone, func(f Follower) bool { return f.Proved.Before(before) })
}

// progress notes what a follower says about itself.
func (g *followers) progress(m *follower, p wire.Progress) {
	g.mu.Lock()
	defer g.mu.Unlock()
	m.Staleness, m.Rate = time.Duration(p.Staleness)*time.Millisecond, p.Rate
	g.reachedLocked(m, p.Index)
}

// maxTrusts bounds Follower.Trusts, and fingerprintSize is that of each.
const (
	maxTrusts       = 16
	fingerprintSize = 2 * sha256.Size
)

// trusts notes whose certificates a follower accepts.
func (g *followers) trusts(m *follower, authorities []string) {
	authorities = slices.DeleteFunc(authorities, func(a string) bool { return len(a) != fingerprintSize })
	g.mu.Lock()
	defer g.mu.Unlock()
	m.Trusts = slices.Clone(authorities[:min(len(authorities), maxTrusts)])
}

func (g *followers) reached(m *follower, index iam.Index) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.reachedLocked(m, index)
}

func (g *followers) reachedLocked(m *follower, index iam.Index) {
	if index == m.Index && m.Serves {
		return
	}
	m.Index, m.Serves = index, true
	for len(m.asked) > 0 && m.asked[0].index <= m.Index {
		m.Proved = m.asked[0].at
		m.asked = m.asked[1:]
	}
	g.wakeLocked()
}

// told notes that a follower has been told the current index.
func (g *followers) told(m *follower, index iam.Index) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now, n := g.now(), len(m.asked)
	switch {
	case index <= m.Index:
		m.Proved = now
	case n > 0 && (m.asked[n-1].index >= index || n == maxAnswered):
		m.asked[n-1].at = now
	default:
		m.asked = append(m.asked, answered{now, index})
	}
}

func (g *followers) wakeLocked() {
	if g.changed != nil {
		close(g.changed)
		g.changed = nil
	}
}

// list returns those who read, then those who have left and not come back.
func (g *followers) list() (all []Follower, changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for m := range g.all {
		all = append(all, m.Follower)
	}
	all = Latest(append(all, g.gone...))
	if g.changed == nil {
		g.changed = make(chan struct{})
	}
	return all, g.changed
}

// Latest sorts followers by name. Of several entries for one instance it keeps the
// one that is furthest, and it drops those that left before a later one of the same
// name came: here or, where lists of several nodes are put together, elsewhere.
func Latest(all []Follower) []Follower {
	slices.SortFunc(all, func(a, b Follower) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(b.Index, a.Index), b.Since.Compare(a.Since))
	})
	var kept []Follower
	for _, f := range all {
		if !slices.ContainsFunc(all, f.replacedBy) && !slices.ContainsFunc(kept, f.sameAs) {
			kept = append(kept, f)
		}
	}
	return kept
}

func (f Follower) sameAs(other Follower) bool {
	return f.Name == other.Name && f.Instance == other.Instance
}

// replacedBy reports whether f left and other, of the same name, came after that.
func (f Follower) replacedBy(other Follower) bool {
	return f.Name == other.Name && !f.Left.IsZero() && !other.Since.Before(f.Left) && !f.sameAs(other)
}

// Followers returns who reads this feed now and how far each is, and who has left
// and may still serve.
func (f *Feed) Followers() []Follower {
	f.followers.forget(f.cfg.Now().Add(-f.MaxStaleness()))
	all, _ := f.followers.list()
	return all
}

// Fence waits until every follower that is connected and serves has applied index, or until
// ctx is done, and returns them all: those whose Index is lower have not, and serve
// until Proved and the store's max staleness. Those that left are among them and not
// waited for.
func (f *Feed) Fence(ctx context.Context, index iam.Index) []Follower {
	f.followers.forget(f.cfg.Now().Add(-f.MaxStaleness()))
	for {
		all, changed := f.followers.list()
		if !slices.ContainsFunc(all, func(m Follower) bool { return m.Serves && m.Left.IsZero() && m.Index < index }) {
			return all
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return all
		}
	}
}

// defaultMaxStaleness is the default of iam.Settings.MaxStaleness, in seconds.
const defaultMaxStaleness = 900

// MaxStaleness is for how long a follower may serve that is cut off.
func (f *Feed) MaxStaleness() time.Duration {
	return time.Duration(iam.Or(f.cfg.View().Settings().MaxStaleness, defaultMaxStaleness)) * time.Second
}
