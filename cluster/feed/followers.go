package feed

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/doorward/doorward/iam"
)

// Follower is one reader of the feed.
type Follower struct {
	Name  string
	Index iam.Index // that it has applied
}

type follower struct {
	name  string
	index atomic.Uint64
}

// followers are those who read at the moment.
type followers struct {
	mu      sync.Mutex
	all     map[*follower]struct{}
	changed chan struct{} // closed and replaced when one moves or leaves; nil if nobody waits
}

func newFollowers() *followers { return &followers{all: make(map[*follower]struct{})} }

func (g *followers) join(name string, at iam.Index) *follower {
	m := &follower{name: name}
	m.index.Store(uint64(at))
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all[m] = struct{}{}
	return m
}

func (g *followers) leave(m *follower) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.all, m)
	g.wakeLocked()
}

func (g *followers) reached(m *follower, index iam.Index) {
	m.index.Store(uint64(index))
	g.mu.Lock()
	defer g.mu.Unlock()
	g.wakeLocked()
}

func (g *followers) wakeLocked() {
	if g.changed != nil {
		close(g.changed)
		g.changed = nil
	}
}

func (g *followers) list() (all []Follower, changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for m := range g.all {
		all = append(all, Follower{m.name, iam.Index(m.index.Load())})
	}
	slices.SortFunc(all, func(a, b Follower) int { return strings.Compare(a.Name, b.Name) })
	if g.changed == nil {
		g.changed = make(chan struct{})
	}
	return all, g.changed
}

// Followers returns who reads this feed now, and how far each is.
func (f *Feed) Followers() []Follower {
	all, _ := f.followers.list()
	return all
}

// Fence waits until every follower that is connected has applied index, or until
// ctx is done, and returns how many have and those that have not.
func (f *Feed) Fence(ctx context.Context, index iam.Index) (applied int, behind []Follower) {
	for {
		all, changed := f.followers.list()
		applied, behind = 0, nil
		for _, m := range all {
			if m.Index >= index {
				applied++
			} else {
				behind = append(behind, m)
			}
		}
		if len(behind) == 0 {
			return applied, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return applied, behind
		}
	}
}
