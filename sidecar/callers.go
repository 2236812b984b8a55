package sidecar

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
)

// waysPerSet is how many callers share a place in the table.
const waysPerSet = 8

// callers keeps access keys ready to decide: a fixed number of them, found by the
// hash of the key id and told apart by its bytes. Reading takes no lock and writes
// nothing.
//
// A caller made from one view is good for the views after it until a record it was
// made from changes. So the follower, before it publishes a view, retires the
// callers that the step touches ([callers.retire]); a request under the older view
// goes on using them, one under the newer makes its own. A request that was slow
// in making a caller must not add it if the follower has meanwhile changed what it
// was made from: add compares with the recent changes, under the lock.
type callers struct {
	mask    uint64
	ways    []atomic.Pointer[caller] // sets of waysPerSet
	compile *compiler

	mu   sync.Mutex
	uses map[authz.Record]*use // of the callers in ways: the first of a list
	next uint8                 // way that is overwritten next in a full set
	// recent are the last changes, a ring; those up to floor are not in it any more.
	recent [recentChanges]change
	at     int
	floor  iam.Index
}

// recentChanges is how many changes may pass while a caller is made.
const recentChanges = 1024

// use says that a caller was made from a record. The uses of a record are a list through
// its callers, because most have one, and some have all there are.
type use struct {
	caller     *caller
	prev, next *use
}

// change says that a record is another as of the view at index.
type change struct {
	index  iam.Index
	record authz.Record
}

func newCallers(floor iam.Index, size int) *callers {
	return &callers{
		mask:    uint64(size/waysPerSet - 1),
		ways:    make([]atomic.Pointer[caller], size),
		floor:   floor,
		compile: newCompiler(),
		uses:    make(map[authz.Record]*use),
	}
}

// find returns the caller of an access key as v has it, nil if v has no such key.
func (t *callers) find(v *state.View, id iam.AccessKeyID) *caller {
	set := t.set(id)
	for i := range set {
		if c := set[i].Load(); c != nil && c.id == id && c.holdsFor(v.Index()) {
			return c
		}
	}
	c := newCaller(v, id, t.compile)
	if c != nil {
		t.add(set, c)
	}
	return c
}

func (t *callers) set(id iam.AccessKeyID) []atomic.Pointer[caller] {
	at := (xxhash.Sum64String(string(id)) & t.mask) * waysPerSet
	return t.ways[at : at+waysPerSet]
}

func (t *callers) add(set []atomic.Pointer[caller], c *caller) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.outdatedLocked(c) {
		return
	}
	way := t.way(set, c.id)
	if old := set[way].Load(); old != nil {
		t.dropLocked(old)
	}
	set[way].Store(c)
	c.uses = make([]use, len(c.identity.Records))
	for i, r := range c.identity.Records {
		u := &c.uses[i]
		u.caller, u.next = c, t.uses[r]
		if u.next != nil {
			u.next.prev = u
		}
		t.uses[r] = u
	}
}

// way chooses the place for a new caller: its own, an empty one, one that is
// retired, or any.
func (t *callers) way(set []atomic.Pointer[caller], id iam.AccessKeyID) int {
	free := -1
	for i := range set {
		switch c := set[i].Load(); {
		case c != nil && c.id == id:
			return i
		case c == nil || c.retiredAt.Load() != 0:
			free = i
		}
	}
	if free >= 0 {
		return free
	}
	t.next++
	return int(t.next) % waysPerSet
}

// dropLocked takes a caller out of the lists of its records, if it is still in them.
func (t *callers) dropLocked(c *caller) {
	for i := range c.uses {
		u := &c.uses[i]
		if u.next != nil {
			u.next.prev = u.prev
		}
		switch r := c.identity.Records[i]; {
		case u.prev != nil:
			u.prev.next = u.next
		case u.next != nil:
			t.uses[r] = u.next
		default:
			delete(t.uses, r)
		}
	}
	c.uses = nil
}

// outdatedLocked reports whether a record that c was made from has changed since,
// as far as can be told.
func (t *callers) outdatedLocked(c *caller) bool {
	if c.madeAt < t.floor {
		return true
	}
	for i := range t.recent {
		if t.recent[i].index > c.madeAt && slices.Contains(c.identity.Records, t.recent[i].record) {
			return true
		}
	}
	return false
}

// retire ends, as of the view at index, the callers made from a record that
// changes.
func (t *callers) retire(index iam.Index, c *iam.Change) {
	table, account, name := state.KeyOf(*c)
	record := authz.Record{Table: table, Account: account, Name: name}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.floor = max(t.floor, t.recent[t.at].index)
	t.recent[t.at] = change{index, record}
	t.at = (t.at + 1) % recentChanges
	for u := t.uses[record]; u != nil; u = t.uses[record] {
		u.caller.retiredAt.Store(uint64(index))
		t.dropLocked(u.caller)
	}
}
