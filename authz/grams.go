package authz

import (
	"math"
	"math/bits"
	"slices"

	"github.com/doorward/doorward/authz/policy"
)

// grams finds, of many patterns filed under one prefix, those that a text can
// match, without looking at the others: "*-logs-17/app/*" can match only where
// "-logs-17" is. Each pattern is filed under one run of bytes of its literal text,
// a gram, the one that fewest of the others have too. A text is asked for all of
// its grams at once: its cost depends on its own length, and on how many patterns
// have no gram of their own, but not on the number of patterns.
type grams struct {
	kind gramKind
	// actions are those of the table that any of the patterns is about.
	actions actionBits
	// filter has two bits in one word for each gram, so that nearly all bytes of a
	// text cost one look into it (Putze and others, "Cache-, hash- and space-efficient
	// Bloom filters", 2007). There are no grams if it is nil.
	filter []uint64 // a power of two, at least two
	shift  uint8
	// places are the positions in nodes.
	places map[uint64]int32
	nodes  []node
}

// gramKind is which runs of bytes are grams.
type gramKind struct {
	width int
	// slash is true for those that end with a slash. A text has few of them, so a
	// pattern is filed there if it can be told from the others by one.
	slash bool
}

var gramKinds = [...]gramKind{{8, true}, {8, false}, {4, false}}

// fewPatterns is the number of patterns up to which looking at each of them costs
// less than looking for grams.
const fewPatterns = 4

// at reads the gram at the beginning of s.
func (k gramKind) at(s string) uint64 {
	if k.width == 8 {
		return eight(s)
	}
	_ = s[3]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24
}

// bits are the word of a gram in the filter and its two bits there.
func (g *grams) bits(gram uint64) (word *uint64, two uint64) {
	hash := gram * 0x9e3779b97f4a7c15
	return &g.filter[hash>>g.shift], 1<<(hash>>20%64) | 1<<(hash>>26%64)
}

// may reports whether there can be a node of a gram.
func (g *grams) may(gram uint64) bool {
	word, two := g.bits(gram)
	return *word&two == two
}

// visit shows e the nodes of all grams of its resource, each once.
func (g *grams) visit(e *engine) bool { return g.filter == nil || g.look(e) }

func (g *grams) look(e *engine) bool {
	if e.action >= 0 && !g.actions.has(e.action) {
		return true
	}
	var h hits
	s, width := e.tail, g.kind.width
	if g.kind.slash {
		return g.visitSlashes(e, &h)
	}
	for at := 0; at+width <= len(s); at++ {
		if gram := g.kind.at(s[at:]); g.may(gram) && !g.show(e, &h, gram) {
			return false
		}
	}
	return true
}

// visitSlashes is visit for grams that end with a slash. It looks for slashes in eight
// bytes at once (Warren, "Hacker's Delight", 6-1), because they stand close together.
func (g *grams) visitSlashes(e *engine, h *hits) bool {
	s, width := e.tail, g.kind.width
	for at := width - 1; at < len(s); at += 8 {
		from := min(at, len(s)-8)
		found := slashes(eight(s[from:])) >> (8 * (at - from))
		for ; found != 0; found &= found - 1 {
			end := at + bits.TrailingZeros64(found)/8 + 1
			if gram := g.kind.at(s[end-width:]); g.may(gram) && !g.show(e, h, gram) {
				return false
			}
		}
	}
	return true
}

// slashes has the highest bit of each byte of word that is a slash.
func slashes(word uint64) uint64 {
	const low, all = 0x7f7f7f7f7f7f7f7f, 0x2f2f2f2f2f2f2f2f
	other := word ^ all
	return ^((other&low + low) | other | low)
}

// show shows e the node of a gram, if there is one and it is new among the hits.
func (g *grams) show(e *engine, h *hits, gram uint64) bool {
	place, ok := g.places[gram]
	return !ok || !h.add(place, e.context, len(g.nodes)) || e.visit(&g.nodes[place])
}

// hits are the places found in a text. While they are few, comparing a new one with
// each of them costs less than a bit for every place there is.
type hits struct {
	few   [8]int32
	count int
}

// add reports whether place is new; places is how many there are.
func (h *hits) add(place int32, c *Context, places int) bool {
	if h.count < len(h.few) {
		if slices.Contains(h.few[:h.count], place) {
			return false
		}
		h.few[h.count] = place
		h.count++
		return true
	}
	seen := c.scratch.seen
	if h.count == len(h.few) {
		seen = resize(seen, places/64+1)
		for _, p := range h.few {
			seen[p/64] |= 1 << (p % 64)
		}
		c.scratch.seen = seen
		h.count++
	}
	old := seen[place/64]
	seen[place/64] |= 1 << (place % 64)
	return old != seen[place/64]
}

// sift files the patterns of n by grams, if they are many.
func (n *node) sift() {
	if len(n.refs) <= fewPatterns {
		return
	}
	var counts [len(gramKinds)]map[uint64]int
	for k, kind := range gramKinds {
		counts[k] = map[uint64]int{}
		for i := range n.refs {
			n.refs[i].grams(kind, func(gram uint64) { counts[k][gram]++ })
		}
	}
	var total [len(gramKinds)]int
	for i := range n.refs {
		if k, _ := n.refs[i].gram(&counts); k >= 0 {
			total[k]++
		}
	}
	rest := node{further: new([len(gramKinds)]grams)}
	filed := false
	for _, r := range n.refs {
		k, gram := r.gram(&counts)
		if k < 0 || total[k] <= fewPatterns {
			rest.put(r)
			continue
		}
		g := &rest.further[k]
		if g.filter == nil {
			*g = newGrams(gramKinds[k], total[k])
		}
		g.node(gram).put(r)
		g.actions.union(&r.actions.bits)
		filed = true
	}
	if filed {
		*n = rest
	}
}

func newGrams(kind gramKind, total int) grams {
	words, shift := 2, uint8(63)
	for ; 4*words < total; shift-- {
		words *= 2
	}
	return grams{kind: kind, filter: make([]uint64, words), shift: shift, places: map[uint64]int32{}}
}

func (g *grams) node(gram uint64) *node {
	place, ok := g.places[gram]
	if !ok {
		place = int32(len(g.nodes))
		g.places[gram] = place
		g.nodes = append(g.nodes, node{})
		word, two := g.bits(gram)
		*word |= two
	}
	return &g.nodes[place]
}

// gram is what r is filed under: the position of the kind, -1 if r has no gram. Of
// a kind it is the gram that the fewest patterns have; one with a slash that more
// than a few have tells too little.
func (r *ref) gram(counts *[len(gramKinds)]map[uint64]int) (kind int, gram uint64) {
	for k, kind := range gramKinds {
		least := math.MaxInt
		r.grams(kind, func(g uint64) {
			if counts[k][g] < least {
				gram, least = g, counts[k][g]
			}
		})
		if least <= fewPatterns || least < math.MaxInt && !kind.slash {
			return k, gram
		}
	}
	return -1, 0
}

// grams calls f with those of the literal text behind the prefix.
func (r *ref) grams(kind gramKind, f func(gram uint64)) {
	if r.check != wholeTail {
		return
	}
	for i, p := range r.pattern.tail.parts {
		if i == 0 || p.kind != policy.Literal {
			continue
		}
		for end := kind.width; end <= len(p.text); end++ {
			if !kind.slash || p.text[end-1] == '/' {
				f(kind.at(p.text[end-kind.width:]))
			}
		}
	}
}
