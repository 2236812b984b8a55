// Package lockout counts wrong signatures of one access key from one source, and says
// when there were too many.
//
// A lock is on the pair: somebody who guesses from elsewhere never locks out the
// owner of the key, and other keys of the same source go on. It lasts for a while
// and ends by itself. The counts are this process's own and are lost with it.
package lockout

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Config says what is too many. The zero value means the defaults.
type Config struct {
	// Attempts is how many wrong signatures within Window lock a pair; default 10.
	// Negative: none ever do.
	Attempts int
	// Window is how long a wrong signature counts; default 1 minute.
	Window time.Duration
	// Lock is how long a pair is locked; default 1 minute.
	Lock time.Duration
}

// The bounds of a table, so that a flood of keys and sources fills no memory: once a
// shard is full, an entry makes room.
const (
	shards        = 64
	entriesAShard = 1024
)

// Table is the counts. It is safe for concurrent use. Asking it costs nothing while
// there are none.
type Table struct {
	config Config
	seed   maphash.Seed
	count  atomic.Int64 // of entries
	shards [shards]shard
}

type shard struct {
	mu      sync.Mutex
	entries map[pair]*entry
}

type pair struct {
	key    string
	source netip.Prefix
}

type entry struct {
	wrong  int
	begun  time.Time // of the window
	locked time.Time // until then; zero: not locked
}

// New returns an empty table.
func New(c Config) *Table {
	if c.Attempts == 0 {
		c.Attempts = 10
	}
	if c.Window == 0 {
		c.Window = time.Minute
	}
	if c.Lock == 0 {
		c.Lock = time.Minute
	}
	return &Table{config: c, seed: maphash.MakeSeed()}
}

// Locked says until when a pair is locked; false if it is not.
func (t *Table) Locked(key string, source netip.Addr, now time.Time) (until time.Time, locked bool) {
	if t == nil || t.count.Load() == 0 {
		return time.Time{}, false
	}
	p := pairOf(key, source)
	s := t.shard(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[p]
	if e == nil || !now.Before(e.locked) {
		return time.Time{}, false
	}
	return e.locked, true
}

// Wrong counts a wrong signature and reports whether it locks the pair.
func (t *Table) Wrong(key string, source netip.Addr, now time.Time) bool {
	if t == nil || t.config.Attempts < 0 {
		return false
	}
	p := pairOf(key, source)
	s := t.shard(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[p]
	if e == nil {
		if len(s.entries) >= entriesAShard {
			t.makeRoom(s)
		}
		if s.entries == nil {
			s.entries = map[pair]*entry{}
		}
		e = &entry{begun: now}
		s.entries[p] = e
		t.count.Add(1)
	}
	if now.Sub(e.begun) > t.config.Window {
		e.wrong, e.begun = 0, now
	}
	if e.wrong++; e.wrong < t.config.Attempts {
		return false
	}
	e.wrong, e.begun, e.locked = 0, now, now.Add(t.config.Lock)
	return true
}

// Right forgets what was counted of a pair: its owner mistyped, and then did not.
func (t *Table) Right(key string, source netip.Addr) {
	if t == nil || t.count.Load() == 0 {
		return
	}
	p := pairOf(key, source)
	s := t.shard(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.entries[p]; ok {
		delete(s.entries, p)
		t.count.Add(-1)
	}
}

// sampled is how many entries are looked at to make room.
const sampled = 8

// makeRoom removes an entry: of a few that chance picks, the one that is due first.
// The shard is locked.
func (t *Table) makeRoom(s *shard) {
	var first pair
	var due time.Time
	looked := 0
	for p, e := range s.entries {
		end := e.begun.Add(t.config.Window)
		if e.locked.After(end) {
			end = e.locked
		}
		if due.IsZero() || end.Before(due) {
			first, due = p, end
		}
		if looked++; looked == sampled {
			break
		}
	}
	delete(s.entries, first)
	t.count.Add(-1)
}

func (t *Table) shard(p pair) *shard {
	return &t.shards[maphash.Comparable(t.seed, p)%shards]
}

func pairOf(key string, source netip.Addr) pair { return pair{key, Site(source)} }

// Site is what counts as one source: an IPv4 address, or the /64 of an IPv6 address,
// which is one site; the zero Prefix for no address.
func Site(source netip.Addr) netip.Prefix {
	source = source.Unmap().WithZone("")
	bits := source.BitLen()
	if source.Is6() {
		bits = 64
	}
	site, err := source.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return site
}
