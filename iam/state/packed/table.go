// Package packed keeps millions of small records by key so that the garbage collector
// does not see them: an open-addressing table over an arena of bytes, in versions that
// never change.
//
// Start with [New] and [Table.Put]; [Table.Clone] begins the next version. DESIGN.md says
// why it looks like this, and what it costs.
package packed

import (
	"bytes"
	"iter"

	"github.com/cespare/xxhash/v2"
)

// Table is one version of a set of records.
//
// Whoever has made it writes to it until it is published; from then on it never changes,
// and anyone may read it from any number of goroutines, without a lock, while the owner of
// the newest version clones that and writes to the clone. Bytes that a table returns are
// its own: they stay as they are for as long as somebody holds them, and must not be
// written to.
type Table struct {
	hash   func([]byte) uint64 // picks the slot; equality is decided on the key's bytes
	branch *branch
	at     uint64 // which version of branch this is
	root   [rootFanout]*node
	len    int
	arena  arena
}

// branch counts the versions of a table, of which only the newest may be continued: its
// arena is written behind what the others read.
type branch struct{ newest uint64 }

// The bits of a hash, highest first: 6 choose a node, 8 a leaf of it, and the low 32 are
// the tag, whose low bits are the place in the leaf. So a leaf grows, and closes the gap
// that a deletion leaves, without looking at the records.
const (
	rootFanout = 1 << 6
	nodeFanout = 1 << 8
	rootShift  = 64 - 6
	nodeShift  = rootShift - 8
)

type node struct {
	at     uint64 // version that may write to it
	leaves [nodeFanout]*leaf
}

// leaf is an open-addressing table with linear probing. It has a power of two of slots and
// is never quite full.
type leaf struct {
	at    uint64 // version that may write to it
	used  int
	slots []slot
}

const smallestLeaf = 4

// slot is a tag in the high half and the place of an entry in the low one, zero if empty.
type slot uint64

func slotOf(hash uint64, at ref) slot { return slot(hash<<32 | uint64(at)) }

func (s slot) tag() uint32 { return uint32(s >> 32) }
func (s slot) ref() ref    { return ref(s) }

// New returns an empty table.
func New() *Table { return newTable(xxhash.Sum64) }

func newTable(hash func([]byte) uint64) *Table { return &Table{hash: hash, branch: &branch{}} }

// Clone returns a version that may be written to without t changing. To clone any but the
// newest version copies all of it.
func (t *Table) Clone() *Table {
	if t.at != t.branch.newest {
		return t.copied()
	}
	next := *t
	t.branch.newest++
	next.at = t.branch.newest
	return &next
}

func (t *Table) copied() *Table {
	c := newTable(t.hash)
	for key, value := range t.All() {
		c.Put(key, value)
	}
	return c
}

// Len returns the number of records.
func (t *Table) Len() int { return t.len }

// Get returns the value of a key.
func (t *Table) Get(key []byte) (value []byte, ok bool) {
	hash := t.hash(key)
	l := t.leaf(hash)
	if l == nil {
		return nil, false
	}
	i, found := t.find(l, hash, key)
	if !found {
		return nil, false
	}
	e := t.arena.entry(l.slots[i].ref())
	return e.value(), true
}

// All yields every key and value, in no order.
func (t *Table) All() iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		for e := range t.entries() {
			if !yield(e.key(), e.value()) {
				return
			}
		}
	}
}

func (t *Table) entries() iter.Seq[entry] {
	return func(yield func(entry) bool) {
		for _, n := range t.root {
			if n == nil {
				continue
			}
			for _, l := range n.leaves {
				if l == nil {
					continue
				}
				for _, s := range l.slots {
					if s != 0 && !yield(t.arena.entry(s.ref())) {
						return
					}
				}
			}
		}
	}
}

// Put gives a key a value, and returns what was there before as the key followed by the
// value; nil: nothing was. The key is not empty. Neither is kept.
func (t *Table) Put(key, value []byte) (old []byte) {
	hash := t.hash(key)
	l := t.ownLeaf(hash)
	i, found := t.find(l, hash, key)
	if found {
		e := t.arena.entry(l.slots[i].ref())
		old = e.record
		t.arena.bury(e)
	} else {
		l.used++
		t.len++
	}
	at, size := t.arena.append(key, value)
	l.slots[i] = slotOf(hash, at)
	l.grow()
	t.sweep(size)
	return old
}

// Delete takes a key out, and returns what was there as [Table.Put] does.
func (t *Table) Delete(key []byte) (old []byte) {
	hash := t.hash(key)
	l := t.leaf(hash)
	if l == nil {
		return nil
	}
	i, found := t.find(l, hash, key)
	if !found {
		return nil
	}
	e := t.arena.entry(l.slots[i].ref())
	t.ownLeaf(hash).delete(i)
	t.len--
	t.arena.bury(e)
	t.sweep(e.size)
	return e.record
}

// find returns the slot of a key, or the empty one where it belongs.
func (t *Table) find(l *leaf, hash uint64, key []byte) (at int, found bool) {
	mask := len(l.slots) - 1
	for i := int(uint32(hash)) & mask; ; i = (i + 1) & mask {
		s := l.slots[i]
		if s == 0 {
			return i, false
		}
		if s.tag() == uint32(hash) {
			e := t.arena.entry(s.ref())
			if bytes.Equal(e.key(), key) {
				return i, true
			}
		}
	}
}

func (t *Table) leaf(hash uint64) *leaf {
	n := t.root[hash>>rootShift]
	if n == nil {
		return nil
	}
	return n.leaves[hash>>nodeShift%nodeFanout]
}

// ownLeaf returns the leaf for a hash as one that this version may write to. What it has
// in common with older versions is copied once.
func (t *Table) ownLeaf(hash uint64) *leaf {
	n := &t.root[hash>>rootShift]
	switch {
	case *n == nil:
		*n = &node{at: t.at}
	case (*n).at != t.at:
		own := **n
		own.at = t.at
		*n = &own
	}
	l := &(*n).leaves[hash>>nodeShift%nodeFanout]
	switch {
	case *l == nil:
		*l = &leaf{at: t.at, slots: make([]slot, smallestLeaf)}
	case (*l).at != t.at:
		*l = &leaf{at: t.at, used: (*l).used, slots: append([]slot(nil), (*l).slots...)}
	}
	return *l
}

// grow doubles a leaf of which seven eighths are in use.
func (l *leaf) grow() {
	if l.used*8 < len(l.slots)*7 {
		return
	}
	old := l.slots
	l.slots = make([]slot, 2*len(old))
	for _, s := range old {
		if s != 0 {
			l.slots[l.free(s.tag())] = s
		}
	}
}

func (l *leaf) free(tag uint32) int {
	mask := len(l.slots) - 1
	i := int(tag) & mask
	for l.slots[i] != 0 {
		i = (i + 1) & mask
	}
	return i
}

// delete empties a slot and moves those behind it up that would no longer be found.
func (l *leaf) delete(gap int) {
	l.used--
	mask := len(l.slots) - 1
	for i := (gap + 1) & mask; l.slots[i] != 0; i = (i + 1) & mask {
		home := int(l.slots[i].tag()) & mask
		if (i-home)&mask >= (i-gap)&mask {
			l.slots[gap] = l.slots[i]
			gap = i
		}
	}
	l.slots[gap] = 0
}

// sweep frees the space of entries that are no longer in use, if they are more than a
// third of all: it goes over the oldest part of the arena, four times as much as was just
// written, and moves what is in use to the end. So no write takes long, and what is not in
// use stays below three fifths.
func (t *Table) sweep(written int) {
	a := &t.arena
	for left := 4 * written; left > 0 && a.dead > max(a.size/3, leastSwept); {
		e, at, ok := a.oldest()
		if !ok {
			return
		}
		left -= e.size
		hash := t.hash(e.key())
		if i, found := t.slotOf(hash, at); found {
			moved, _ := a.append(e.key(), e.value())
			t.ownLeaf(hash).slots[i] = slotOf(hash, moved)
			a.bury(e)
		}
		a.forget(e)
	}
}

// slotOf returns the slot that leads to a place in the arena.
func (t *Table) slotOf(hash uint64, at ref) (slot int, found bool) {
	l := t.leaf(hash)
	if l == nil {
		return 0, false
	}
	mask := len(l.slots) - 1
	for i := int(uint32(hash)) & mask; l.slots[i] != 0; i = (i + 1) & mask {
		if l.slots[i].ref() == at {
			return i, true
		}
	}
	return 0, false
}
