package authz

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/doorward/doorward/authz/policy"
)

// indexBuilder collects statements and files them. Statements that differ in
// nothing but their name count once.
type indexBuilder struct {
	nots, odd *node
	roots     tableBuilder
	buckets   map[string]*bucketBuilder
	seen      map[seenKey]bool
}

type bucketBuilder struct {
	self node
	keys tableBuilder
}

// tableBuilder has the nodes of a table by their prefixes.
type tableBuilder map[string]*node

type seenKey struct {
	node    *node
	effect  policy.Effect
	actions *actionSet
	rest    string
	check   check
	text    string // of the pattern
}

func newIndexBuilder() *indexBuilder {
	return &indexBuilder{nots: &node{}, odd: &node{}, roots: tableBuilder{}, buckets: map[string]*bucketBuilder{}, seen: map[seenKey]bool{}}
}

// add files one statement of a document.
func (b *indexBuilder) add(st *statement, document int) {
	base := ref{
		statement: st, actions: st.actions, document: int32(document),
		deny: st.effect == policy.Deny, names: st.principals != nil, asks: len(st.conditions) > 0,
	}
	if st.not {
		base.check = notListed
		b.file(b.nots, base)
		return
	}
	for i := range st.resources {
		r := &st.resources[i]
		entry := base
		entry.pattern = r
		if r.head != nil {
			entry.check = wholeTail
			b.file(b.odd, entry)
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
		return b.roots.node("")
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
	return b.roots.node(prefix)
}

func (b *indexBuilder) bucket(name string) *bucketBuilder {
	t := b.buckets[name]
	if t == nil {
		t = &bucketBuilder{keys: tableBuilder{}}
		b.buckets[name] = t
	}
	return t
}

func (t tableBuilder) node(prefix string) *node {
	n := t[prefix]
	if n == nil {
		n = &node{}
		t[prefix] = n
	}
	return n
}

// file adds a ref to its node unless one like it is there. Patterns with variables
// are never the same: their texts may mean different things, and the facts behind
// them depend on the whole statement.
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
	n.put(r)
}

// put adds a ref in its place.
func (n *node) put(r ref) {
	before := func(a, b ref) int { return a.rank() - b.rank() }
	at, _ := slices.BinarySearchFunc(n.refs, r, before)
	n.refs = slices.Insert(n.refs, at, r)
}

// rank is the place of a ref among those of its node.
func (r *ref) rank() int {
	rank := 0
	if !r.deny {
		rank = 2
	}
	if r.asks {
		rank++
	}
	return rank
}

// fewEntries is the number of refs up to which comparing the prefix of each costs less
// than looking prefixes up.
const fewEntries = 4

// finish returns the index, packed: what is filed under one bucket comes to lie
// together, because a decision spends most of its time waiting for memory.
func (b *indexBuilder) finish() *index {
	var p packer
	x := &index{nots: p.pointer(b.nots), odd: p.pointer(b.odd), roots: p.table(b.roots, b.roots.prefixes())}
	tables := make([]bucketTable, 0, len(b.buckets))
	for _, name := range slices.Sorted(maps.Keys(b.buckets)) {
		t := b.buckets[name]
		texts := together(append([]string{name}, t.keys.prefixes()...))
		tables = append(tables, bucketTable{name: texts[0], self: p.pointer(&t.self), keys: p.table(t.keys, texts[1:])})
	}
	x.buckets = newBucketMap(tables)
	return x
}

// prefixes are all but the empty one, the shortest first.
func (t tableBuilder) prefixes() []string {
	all := slices.Collect(maps.Keys(t))
	all = slices.DeleteFunc(all, func(s string) bool { return s == "" })
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
	return all
}

// together copies texts into one piece of memory.
func together(texts []string) []string {
	all := strings.Join(texts, "")
	for i, t := range texts {
		texts[i], all = all[:len(t)], all[len(t):]
	}
	return texts
}

// packer moves nodes into memory that they share.
type packer struct {
	entries slab[entry]
	refs    slab[ref]
}

// table packs t, whose prefixes but the empty one are texts.
func (p *packer) table(t tableBuilder, texts []string) (out table) {
	out.empty = p.pointer(t[""])
	refs := 0
	for _, prefix := range texts {
		refs += len(t[prefix].refs)
	}
	if refs <= fewEntries {
		out.few = p.entries.take(refs)[:0]
		for _, prefix := range texts {
			for _, r := range t[prefix].refs {
				out.few = append(out.few, entry{prefix, r})
			}
		}
		return out
	}
	out.many = &prefixes{nodes: make(map[string]*node, len(texts))}
	for _, prefix := range texts {
		n := p.node(t[prefix])
		out.many.nodes[prefix] = &n
		if l := out.many.lengths; len(l) == 0 || l[len(l)-1] != len(prefix) {
			out.many.lengths = append(l, len(prefix))
		}
	}
	return out
}

func (p *packer) node(n *node) node {
	n.sift()
	refs := p.refs.take(len(n.refs))
	copy(refs, n.refs)
	return node{refs: refs, further: n.further}
}

// pointer is node, but nil for one that is empty.
func (p *packer) pointer(n *node) *node {
	if n == nil || len(n.refs) == 0 {
		return nil
	}
	packed := p.node(n)
	return &packed
}

// slab hands out slices that lie together.
type slab[T any] struct {
	free  []T
	taken int
}

// take returns n zero values, nil if n is zero.
func (s *slab[T]) take(n int) []T {
	const most = 512
	if n == 0 {
		return nil
	}
	if len(s.free) < n {
		s.free = make([]T, max(n, min(s.taken, most)))
	}
	out := s.free[:n:n]
	s.free = s.free[n:]
	s.taken += n
	return out
}
