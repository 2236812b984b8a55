package authz

import (
	"github.com/cespare/xxhash/v2"
)

// index finds the statements of one or more documents that can speak on a
// request, without looking at the others. An [indexBuilder] makes it.
//
// A resource pattern is filed under its literal prefix: first by bucket, if the
// prefix reaches beyond the bucket's name, then by the beginning of the key. Many
// patterns under one prefix are filed further by other literal text that they
// contain ([grams]). A request looks up one bucket, and in each table one prefix
// for each length that is in use there. Its cost depends on the number of different
// lengths, and on how many statements speak of the same things, but not on the
// number of statements.
type index struct {
	// roots is for patterns whose prefix ends inside the bucket's name.
	roots   table
	buckets bucketMap
	// nots is for statements with NotResource, or with no resources at all; nil if
	// there are none.
	nots *node
	// odd is for patterns whose head is not that of a bucket, nil if there are none.
	// It is asked only for resources that are not buckets or objects.
	odd *node
}

// bucketTable is what is filed under the name of one bucket. It fits a line of the
// processor's cache.
type bucketTable struct {
	name string
	keys table
	// self is for the ARN of the bucket, nil if nothing is.
	self *node
}

// free reports whether the slot of a map is not in use: whoever is filed has something.
func (t *bucketTable) free() bool {
	return t.self == nil && t.keys.few == nil && t.keys.many == nil && t.keys.empty == nil
}

// table maps prefixes to what is filed under them.
type table struct {
	// The refs under prefixes but the empty one are in few, the shortest prefix first,
	// or in many.
	few  []entry
	many *prefixes
	// empty is for the empty prefix, nil if nothing is.
	empty *node
}

// entry is a ref with its prefix, together in memory.
type entry struct {
	prefix string
	ref    ref
}

// prefixes is a table of many prefixes.
type prefixes struct {
	// lengths are those of the prefixes, ascending.
	lengths []int
	nodes   map[string]*node
}

// node is the statements filed under one prefix.
type node struct {
	// refs are the Denies, then the Allows; of both those without conditions come
	// first: they cost least to decide.
	refs []ref
	// further is what is filed by grams, nil if nothing is.
	further *[len(gramKinds)]grams
}

// ref is a statement together with what remains to be compared of one of its
// resource patterns.
type ref struct {
	statement *statement
	actions   *actionSet
	pattern   *resourcePattern
	// document is the position of its document in the set.
	document int32
	// length is that of the whole tail, for exactly.
	length int32
	// check says what to compare.
	check check
	// deny is the statement's effect.
	deny bool
	// names and asks are true if the statement has principals and conditions: most
	// have neither, and then a decision need not wait for its memory.
	names, asks bool
}

type check uint8

const (
	// nothing: the prefix was everything, and the rest is "*".
	nothing check = iota
	// exactly: the text has to end where the prefix does.
	exactly
	// wholeTail: the whole tail has to match.
	wholeTail
	// notListed: no entry of a NotResource may match.
	notListed
	// anyText: it is "*", which matches things that are no ARN.
	anyText
)

// visit shows e the nodes that can hold statements on its request, until one of
// them denies; then it returns false.
func (x *index) visit(e *engine) bool {
	if !e.visit(x.nots) || !e.visit(x.roots.empty) {
		return false
	}
	if !e.bucketHead || e.allBuckets {
		return e.visit(x.odd)
	}
	if !x.roots.visit(e, e.bucket) {
		return false
	}
	t := x.buckets.find(e.bucket)
	switch {
	case t == nil:
		return true
	case !e.hasKey:
		return e.visit(t.self)
	}
	return e.visit(t.keys.empty) && t.keys.visit(e, e.key)
}

// visit shows e what is filed under the prefixes of s but the empty one.
func (t *table) visit(e *engine, s string) bool {
	for i := range t.few {
		p := &t.few[i]
		if len(p.prefix) > len(s) {
			break
		}
		if s[:len(p.prefix)] == p.prefix && !e.hear(&p.ref) {
			return false
		}
	}
	return t.many == nil || t.many.visit(e, s)
}

func (p *prefixes) visit(e *engine, s string) bool {
	for _, n := range p.lengths {
		if n > len(s) {
			break
		}
		if found := p.nodes[s[:n]]; found != nil && !e.visit(found) {
			return false
		}
	}
	return true
}

// bucketMap finds the table of a bucket by its name. It is open addressing over tables
// that lie in one piece, so that a look-up among a hundred thousand buckets waits for
// memory once.
type bucketMap []bucketTable // a power of two of them, or none

func newBucketMap(tables []bucketTable) bucketMap {
	if len(tables) == 0 {
		return nil
	}
	size := 2
	for size < 2*len(tables) {
		size *= 2
	}
	m := make(bucketMap, size)
	for _, t := range tables {
		at := m.first(t.name)
		for !m[at].free() {
			at = m.next(at)
		}
		m[at] = t
	}
	return m
}

func (m bucketMap) first(name string) int { return int(xxhash.Sum64String(name)) & (len(m) - 1) }
func (m bucketMap) next(at int) int       { return (at + 1) & (len(m) - 1) }

func (m bucketMap) find(name string) *bucketTable {
	if len(m) == 0 {
		return nil
	}
	for at := m.first(name); !m[at].free(); at = m.next(at) {
		if m[at].name == name {
			return &m[at]
		}
	}
	return nil
}

// applies evaluates what remains of the statement once its actions and
// principals are known to match.
func (r *ref) applies(q *query) (truth, Facts) {
	result, missing := yes, Facts(0)
	switch {
	case r.check == anyText:
	case r.check == notListed:
		result, missing = r.statement.outside(q)
	case r.check == wholeTail || !q.bucketHead:
		if result, _, _ = r.pattern.matches(q); result == unknown {
			result, missing = r.statement.listed(q)
		}
	case r.check == exactly:
		result = truthOf(len(q.tail) == int(r.length))
	}
	if result == no || !r.asks {
		return result, missing
	}
	t, facts := r.statement.holds(q.context)
	if t == no {
		return no, 0
	}
	return min(result, t), missing | facts
}
