package authz

import (
	"slices"
	"strings"

	"github.com/doorward/doorward/authz/policy"
)

// index finds the statements of one or more documents that can speak on a
// request, without looking at the others.
//
// A resource pattern is filed under its literal prefix: first by bucket, if the
// prefix reaches beyond the bucket's name, then by the beginning of the key. A
// request looks up one bucket, and in each table one prefix for each length that
// is in use there. Its cost depends on the number of different lengths, and on
// how many statements share a prefix, but not on the number of statements.
type index struct {
	// roots is for patterns whose prefix ends inside the bucket's name.
	roots   table
	buckets map[string]*bucketTable
	// nots is for statements with NotResource, or with no resources at all.
	nots node
	// odd is for patterns whose head is not that of a bucket. It is asked only
	// for resources that are not buckets or objects.
	odd node
}

type bucketTable struct {
	// self is for the ARN of the bucket.
	self node
	keys table
}

// table maps prefixes to what is filed under them.
type table struct {
	// empty is for the empty prefix.
	empty node
	// lengths are those of the other prefixes, ascending.
	lengths []int
	nodes   map[string]*node
}

// node is the statements filed under one prefix, grouped by their actions.
type node struct{ groups []group }

type group struct {
	actions     *actionSet
	deny, allow []ref
}

// ref is a statement together with what remains to be compared of one of its
// resource patterns.
type ref struct {
	statement *statement
	// document is the position of its document in the set.
	document int32
	// check says what to compare.
	check check
	// length is that of the whole tail, for exactly.
	length  int32
	pattern *resourcePattern
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

// indexBuilder collects statements. Statements that differ in nothing but their
// name count once.
type indexBuilder struct {
	index *index
	seen  map[seenKey]bool
}

type seenKey struct {
	node    *node
	effect  policy.Effect
	actions *actionSet
	rest    string
	check   check
	text    string // of the pattern
}

func newIndexBuilder() *indexBuilder {
	return &indexBuilder{index: &index{buckets: map[string]*bucketTable{}}, seen: map[seenKey]bool{}}
}

// add files one statement of a document.
func (b *indexBuilder) add(st *statement, document int) {
	base := ref{statement: st, document: int32(document)}
	if st.not {
		base.check = notListed
		b.file(&b.index.nots, base)
		return
	}
	for i := range st.resources {
		r := &st.resources[i]
		entry := base
		entry.pattern = r
		if r.head != nil {
			entry.check = wholeTail
			b.file(&b.index.odd, entry)
		}
		if r.everything || r.bucketHead {
			n := b.place(&entry)
			b.file(n, entry)
		}
	}
}

// place finds the node for a resource pattern and what remains to be checked.
func (b *indexBuilder) place(r *ref) *node {
	r.check = wholeTail
	if r.pattern.everything {
		r.check = anyText
		return &b.index.roots.empty
	}
	tail := &r.pattern.tail
	prefix := tail.prefix()
	_, literal := tail.literal()
	rest := len(tail.parts)
	if prefix != "" {
		rest--
	}
	switch {
	case literal:
		r.check, r.length = exactly, int32(len(prefix))
	case rest == 1 && tail.parts[len(tail.parts)-1].kind == policy.Any:
		r.check = nothing
	}
	bucket, key, inBucket := strings.Cut(prefix, "/")
	switch {
	case inBucket:
		return b.bucket(bucket).keys.node(key)
	case literal:
		return &b.bucket(bucket).self
	}
	return b.index.roots.node(prefix)
}

func (b *indexBuilder) bucket(name string) *bucketTable {
	t := b.index.buckets[name]
	if t == nil {
		t = &bucketTable{}
		b.index.buckets[name] = t
	}
	return t
}

func (t *table) node(prefix string) *node {
	if prefix == "" {
		return &t.empty
	}
	if n := t.nodes[prefix]; n != nil {
		return n
	}
	if t.nodes == nil {
		t.nodes = map[string]*node{}
	}
	n := &node{}
	t.nodes[prefix] = n
	if i, found := slices.BinarySearch(t.lengths, len(prefix)); !found {
		t.lengths = slices.Insert(t.lengths, i, len(prefix))
	}
	return n
}

// file adds a ref to its group, those without conditions first: they cost least
// to decide. Patterns with variables are never the same: their texts may mean
// different things, and the facts behind them depend on the whole statement.
func (b *indexBuilder) file(n *node, r ref) {
	st := r.statement
	key := seenKey{node: n, effect: st.effect, actions: st.actions, rest: st.rest, check: r.check}
	dynamic := false
	if r.pattern != nil {
		key.text, dynamic = r.pattern.text, r.pattern.tail.dynamic
	}
	if !dynamic {
		if b.seen[key] {
			return
		}
		b.seen[key] = true
	}
	i := slices.IndexFunc(n.groups, func(g group) bool { return g.actions == st.actions })
	if i < 0 {
		i = len(n.groups)
		n.groups = append(n.groups, group{actions: st.actions})
	}
	list := &n.groups[i].allow
	if st.effect == policy.Deny {
		list = &n.groups[i].deny
	}
	at := len(*list)
	if len(st.conditions) == 0 {
		at = 0
	}
	*list = slices.Insert(*list, at, r)
}

// visit shows e the nodes that can hold statements on its request, until one of
// them denies; then it returns false.
func (x *index) visit(e *engine) bool {
	if !e.visit(&x.nots) || !e.visit(&x.roots.empty) {
		return false
	}
	if !e.bucketHead || e.allBuckets {
		return e.visit(&x.odd)
	}
	if !x.roots.visit(e, e.bucket) {
		return false
	}
	t := x.buckets[e.bucket]
	switch {
	case t == nil:
		return true
	case !e.hasKey:
		return e.visit(&t.self)
	}
	return e.visit(&t.keys.empty) && t.keys.visit(e, e.key)
}

// visit shows e the nodes of all prefixes of s but the empty one.
func (t *table) visit(e *engine, s string) bool {
	for _, n := range t.lengths {
		if n > len(s) {
			break
		}
		if found := t.nodes[s[:n]]; found != nil && !e.visit(found) {
			return false
		}
	}
	return true
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
	if result == no {
		return no, 0
	}
	t, facts := r.statement.holds(q.context)
	if t == no {
		return no, 0
	}
	return min(result, t), missing | facts
}
