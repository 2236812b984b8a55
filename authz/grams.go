package authz

import (
	"iter"
	"math"
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
	// width is the length of the grams, zero if there are none.
	width int
	// actions are those of the table that any of the patterns is about.
	actions actionBits
	// filter has two bits in one word for each gram, so that nearly all bytes of a
	// text cost one look into it (Putze and others, "Cache-, hash- and space-efficient
	// Bloom filters", 2007).
	filter []uint64 // a power of two, at least two
	shift  uint8
	// places are the positions in nodes.
	places map[uint64]int32
	nodes  []node
}

// gramWidths are the lengths of grams, in bytes. A pattern is filed under the
// longest that its literal text has room for.
var gramWidths = [...]int{8, 4}

// fewPatterns is the number of patterns up to which looking at each of them costs
// less than looking for grams.
const fewPatterns = 4

// gramAt reads the gram at the beginning of s.
func gramAt(s string, width int) uint64 {
	if width == 8 {
		return eight(s)
	}
	_ = s[3]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24
}

// bits are the word of a gram in the filter and its two bits there.
func (g *grams) bits(gram uint64) (word *uint64, bits uint64) {
	hash := gram * 0x9e3779b97f4a7c15
	return &g.filter[hash>>g.shift], 1<<(hash>>20%64) | 1<<(hash>>26%64)
}

// fewHits is the number of grams found in a text up to which comparing a new one
// with each of them costs less than a bit for every gram there is.
const fewHits = 8

// visit shows e the nodes of all grams of its resource, each once.
func (g *grams) visit(e *engine) bool {
	if g.width == 0 || e.action >= 0 && !g.actions.has(e.action) {
		return true
	}
	var hits [fewHits]int32
	found := 0
	s := e.tail
	for at := 0; at+g.width <= len(s); at++ {
		gram := gramAt(s[at:], g.width)
		if word, bits := g.bits(gram); *word&bits != bits {
			continue
		}
		place, ok := g.places[gram]
		if !ok {
			continue
		}
		if found < fewHits {
			if slices.Contains(hits[:found], place) {
				continue
			}
			hits[found] = place
		} else if !g.first(e.context, hits[:], place, found == fewHits) {
			continue
		}
		found++
		if !e.visit(&g.nodes[place]) {
			return false
		}
	}
	return true
}

// first reports whether a gram is found for the first time, once there are more
// than fewHits; begin is true when this is the first call.
func (g *grams) first(c *Context, hits []int32, place int32, begin bool) bool {
	if begin {
		c.scratch.seen = resize(c.scratch.seen, len(g.nodes)/64+1)
		for _, h := range hits {
			c.scratch.seen[h/64] |= 1 << (h % 64)
		}
	}
	word, bit := &c.scratch.seen[place/64], uint64(1)<<(place%64)
	new := *word&bit == 0
	*word |= bit
	return new
}

// sift files the patterns of n that have a gram by it, if they are many.
func (n *node) sift() {
	var counts [len(gramWidths)]map[uint64]int
	var total [len(gramWidths)]int
	for i := range n.refs {
		r := &n.refs[i]
		w := r.gramWidth()
		if w < 0 {
			continue
		}
		if counts[w] == nil {
			counts[w] = map[uint64]int{}
		}
		total[w]++
		for gram := range r.grams(gramWidths[w]) {
			counts[w][gram]++
		}
	}
	for w := range gramWidths {
		if total[w] > fewPatterns {
			n.siftWidth(w, total[w], counts[w])
		}
	}
}

// siftWidth does it for those of one width.
func (n *node) siftWidth(w, total int, counts map[uint64]int) {
	g := grams{width: gramWidths[w], places: map[uint64]int32{}}
	words := 2
	for g.shift = 63; 4*words < total; g.shift-- {
		words *= 2
	}
	g.filter = make([]uint64, words)
	rest := node{}
	for _, r := range n.refs {
		if r.gramWidth() == w {
			g.node(rarest(r.grams(g.width), counts)).put(r)
			g.actions.union(&r.actions.bits)
		} else {
			rest.put(r)
		}
	}
	n.refs, n.denies = rest.refs, rest.denies
	if n.further == nil {
		n.further = new([len(gramWidths)]grams)
	}
	n.further[w] = g
}

// rarest is the gram that the fewest patterns have.
func rarest(grams iter.Seq[uint64], counts map[uint64]int) (gram uint64) {
	least := math.MaxInt
	for g := range grams {
		if counts[g] < least {
			gram, least = g, counts[g]
		}
	}
	return gram
}

func (g *grams) node(gram uint64) *node {
	place, ok := g.places[gram]
	if !ok {
		place = int32(len(g.nodes))
		g.places[gram] = place
		g.nodes = append(g.nodes, node{})
		word, bits := g.bits(gram)
		*word |= bits
	}
	return &g.nodes[place]
}

// gramWidth is the position in gramWidths of the width that r is filed by, -1 if
// it has no gram.
func (r *ref) gramWidth() int {
	if r.check != wholeTail {
		return -1
	}
	for w, width := range gramWidths {
		for range r.grams(width) {
			return w
		}
	}
	return -1
}

// grams are those of the literal text behind the prefix.
func (r *ref) grams(width int) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for i, p := range r.pattern.tail.parts {
			if i == 0 || p.kind != policy.Literal {
				continue
			}
			for at := 0; at+width <= len(p.text); at++ {
				if !yield(gramAt(p.text[at:], width)) {
					return
				}
			}
		}
	}
}
