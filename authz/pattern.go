package authz

import (
	"strings"
	"unicode/utf8"

	"github.com/doorward/doorward/authz/policy"
)

// pattern is a compiled text of a policy: literals, wildcards and variables.
//
// It is matched without backtracking. What stands before the first "*" and
// behind the last is anchored and compared once; of the pieces between, each
// takes the leftmost place that it finds. A piece without "?" is found by
// substring search; if one has "?", all of them together run as a bit-parallel
// machine, which costs one word operation for each character of the text and 64
// characters of the pattern. So no text and no pattern can make it slow.
type pattern struct {
	parts []part
	// dynamic is true if a part is a variable.
	dynamic bool
	// machine is for the pieces between wildcards if one of them has "?"; nil if
	// none has, or if it can be built only when the variables are known.
	machine *machine
}

type part struct {
	kind policy.PartKind
	text string
	// key, and text as the default, are of a variable.
	key        *keyRef
	hasDefault bool
	// loose is true for the value of a variable, which need not be UTF-8 and so
	// could end inside of a character.
	loose bool
}

func compilePattern(text string, wildcards, variables bool) pattern {
	var p pattern
	for _, parsed := range policy.ParsePattern(text, wildcards, variables) {
		c := part{kind: parsed.Kind, text: parsed.Text}
		switch {
		case parsed.Kind == policy.Variable:
			p.dynamic = true
			key := refer(parsed.Text)
			c = part{kind: policy.Variable, text: parsed.Default, hasDefault: parsed.HasDefault, key: &key, loose: true}
		case parsed.Kind == policy.Any && len(p.parts) > 0 && p.parts[len(p.parts)-1].kind == policy.Any:
			continue
		}
		p.parts = append(p.parts, c)
	}
	if _, middle, _, wild := split(p.parts); wild && !p.dynamic && needsMachine(middle) {
		p.machine = &machine{}
		p.machine.build(middle, nil)
	}
	return p
}

// literal returns the text of a pattern that is one.
func (p *pattern) literal() (string, bool) {
	switch {
	case len(p.parts) == 0:
		return "", true
	case len(p.parts) == 1 && p.parts[0].kind == policy.Literal:
		return p.parts[0].text, true
	}
	return "", false
}

// prefix returns the literal text that the pattern begins with.
func (p *pattern) prefix() string {
	if len(p.parts) > 0 && p.parts[0].kind == policy.Literal {
		return p.parts[0].text
	}
	return ""
}

// split divides parts into those before the first "*", those between the first
// and the last, and those behind the last. Without "*", all are head.
func split(parts []part) (head, middle, tail []part, wild bool) {
	first, last := -1, -1
	for i := range parts {
		if parts[i].kind == policy.Any {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 {
		return parts, nil, nil, false
	}
	return parts[:first], parts[first : last+1], parts[last+1:], true
}

func needsMachine(middle []part) bool {
	for i := range middle {
		if middle[i].kind == policy.One {
			return true
		}
	}
	return false
}

// ready finds out whether the variables of p have values: it reports the facts
// that one is still waiting for, and whether one has neither value nor default.
func (p *pattern) ready(c *Context) (missing Facts, valueless bool) {
	if !p.dynamic {
		return 0, false
	}
	for i := range p.parts {
		if v := &p.parts[i]; v.kind == policy.Variable {
			_, single, open := c.single(v.key)
			switch {
			case open != 0:
				missing |= open
			case !single && !v.hasDefault:
				valueless = true
			}
		}
	}
	return missing, valueless
}

// value is what a literal part or a variable that is ready stands for.
func (p *part) value(c *Context) string {
	if p.kind == policy.Variable {
		if v, single, _ := c.single(p.key); single {
			return v
		}
	}
	return p.text
}

// match reports whether the whole of s matches. The variables must be ready.
func (p *pattern) match(c *Context, s string) bool {
	return matchParts(c, p.parts, p.machine, s)
}

// mayMatch is match for a pattern with variables that wait for a fact: they may
// still become anything.
func (p *pattern) mayMatch(c *Context, s string) bool {
	parts := c.scratch.parts[:0]
	for _, part := range p.parts {
		if part.kind == policy.Variable {
			if _, _, open := c.single(part.key); open != 0 {
				part.kind = policy.Any
			}
		}
		parts = append(parts, part)
	}
	c.scratch.parts = parts[:0]
	return matchParts(c, parts, nil, s)
}

func matchParts(c *Context, parts []part, m *machine, s string) bool {
	head, middle, tail, wild := split(parts)
	start := forward(c, head, s)
	if !wild {
		return start == len(s)
	}
	end := backward(c, tail, s)
	if start < 0 || end < start {
		return false
	}
	if len(middle) == 1 {
		return true
	}
	return matchMiddle(c, middle, m, s[start:end])
}

// forward matches parts without "*" at the beginning of s and returns where they
// end, -1 if they do not match.
func forward(c *Context, parts []part, s string) int {
	at := 0
	for i := range parts {
		p := &parts[i]
		if p.kind == policy.One {
			_, width := utf8.DecodeRuneInString(s[at:])
			if width == 0 {
				return -1
			}
			at += width
			continue
		}
		text := p.value(c)
		if !strings.HasPrefix(s[at:], text) {
			return -1
		}
		at += len(text)
		if p.loose && !isBoundary(s, at) {
			return -1
		}
	}
	return at
}

// backward matches parts without "*" at the end of s and returns where they
// begin, -1 if they do not match.
func backward(c *Context, parts []part, s string) int {
	at := len(s)
	for i := len(parts) - 1; i >= 0; i-- {
		p := &parts[i]
		if p.kind == policy.One {
			_, width := utf8.DecodeLastRuneInString(s[:at])
			if width == 0 {
				return -1
			}
			at -= width
			continue
		}
		text := p.value(c)
		if !strings.HasSuffix(s[:at], text) {
			return -1
		}
		at -= len(text)
		if p.loose && !isBoundary(s, at) {
			return -1
		}
	}
	return at
}

// isBoundary reports whether a character begins at s[i]. Only the value of a
// variable can end elsewhere: all other text of a policy is UTF-8.
func isBoundary(s string, i int) bool {
	if i == len(s) || utf8.RuneStart(s[i]) {
		return true
	}
	for j := i - 1; j >= 0 && j > i-utf8.UTFMax; j-- {
		if utf8.RuneStart(s[j]) {
			_, width := utf8.DecodeRuneInString(s[j:])
			return j+width <= i
		}
	}
	return true
}

// matchMiddle finds the pieces of middle, which begins and ends with "*", one
// after the other in s.
func matchMiddle(c *Context, middle []part, m *machine, s string) bool {
	if m == nil && needsMachine(middle) {
		if !containsAll(c, middle, s) {
			return false
		}
		m = c.scratchMachine()
		m.build(middle, c)
	}
	if m != nil {
		return m.run(c, s)
	}
	for rest := middle[1:]; len(rest) > 0; {
		n := 0
		for rest[n].kind != policy.Any {
			n++
		}
		at := search(c, rest[:n], s)
		if at < 0 {
			return false
		}
		s, rest = s[at:], rest[n+1:]
	}
	return true
}

// containsAll reports whether every text among the parts is somewhere in s. It is
// asked before a machine is built for one match, because it costs much less.
func containsAll(c *Context, parts []part, s string) bool {
	for i := range parts {
		if p := &parts[i]; (p.kind == policy.Literal || p.kind == policy.Variable) && !strings.Contains(s, p.value(c)) {
			return false
		}
	}
	return true
}

// search finds a piece without wildcards in s and returns where it ends, -1 if
// it is not there.
func search(c *Context, piece []part, s string) int {
	if len(piece) == 1 && !piece[0].loose {
		at := strings.Index(s, piece[0].text)
		if at < 0 {
			return -1
		}
		return at + len(piece[0].text)
	}
	text := c.expand(piece)
	for from := 0; ; {
		at := strings.Index(s[from:], text)
		if at < 0 {
			return -1
		}
		start := from + at
		if isBoundary(s, start) && forward(c, piece, s[start:]) >= 0 {
			return start + len(text)
		}
		from = start + 1
	}
}

// machine matches pieces of literal characters and "?" between wildcards
// (Baeza-Yates and Gonnet, "A new approach to text searching", 1992, with
// repetition). Bit i of the state means that the first i elements have matched.
type machine struct {
	size int // elements
	// class sorts characters by the elements that they match; class 0 is of
	// those that match "?" only.
	ascii [utf8.RuneSelf]uint16
	other map[rune]uint16
	// masks holds, for each class, the elements that a character can step over,
	// words of 64 bits for each class.
	masks []uint64
	// loops are the states before a "*".
	loops []uint64
}

// words is the length of the state: one bit more than there are elements.
func (m *machine) words() int { return m.size/64 + 1 }

// symbol reads the next character; a byte that is not UTF-8 is one of its own.
func symbol(s string) (r rune, width int) {
	r, width = utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && width == 1 {
		r = utf8.MaxRune + 1 + rune(s[0])
	}
	return r, width
}

// build prepares the machine, reusing its memory. Variables take their values
// from c.
func (m *machine) build(middle []part, c *Context) {
	m.size = 0
	classes := 1
	m.ascii = [utf8.RuneSelf]uint16{}
	clear(m.other)
	m.elements(middle, c, func(r rune) {
		m.size++
		if r >= 0 && m.class(r) == 0 {
			m.classify(r, uint16(classes))
			classes++
		}
	}, nil)
	words := m.words()
	m.masks = resize(m.masks, classes*words)
	m.loops = resize(m.loops, words)
	i := 0
	m.elements(middle, c, func(r rune) {
		bit := uint64(1) << (i % 64)
		if r < 0 {
			for class := range classes {
				m.masks[class*words+i/64] |= bit
			}
		} else {
			m.masks[int(m.class(r))*words+i/64] |= bit
		}
		i++
	}, func() { m.loops[i/64] |= 1 << (i % 64) })
}

// elements calls element for each character, -1 for "?", and loop for each "*".
func (m *machine) elements(middle []part, c *Context, element func(rune), loop func()) {
	for i := range middle {
		p := &middle[i]
		switch p.kind {
		case policy.Any:
			if loop != nil {
				loop()
			}
		case policy.One:
			element(-1)
		default:
			for text := p.value(c); text != ""; {
				r, width := symbol(text)
				element(r)
				text = text[width:]
			}
		}
	}
}

func (m *machine) class(r rune) uint16 {
	if r < utf8.RuneSelf {
		return m.ascii[r]
	}
	return m.other[r]
}

func (m *machine) classify(r rune, class uint16) {
	if r < utf8.RuneSelf {
		m.ascii[r] = class
		return
	}
	if m.other == nil {
		m.other = map[rune]uint16{}
	}
	m.other[r] = class
}

func resize(s []uint64, n int) []uint64 {
	if cap(s) < n {
		return make([]uint64, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// run reports whether the pieces are found in s. The state of a large machine is
// kept in c, so that compiled machines can be shared.
func (m *machine) run(c *Context, s string) bool {
	words := m.words()
	if words == 1 {
		return m.runWord(s)
	}
	state := c.scratchState(words)
	state[0] = 1
	goal, goalBit := m.size/64, uint64(1)<<(m.size%64)
	for state[goal]&goalBit == 0 {
		if s == "" {
			return false
		}
		r, width := symbol(s)
		s = s[width:]
		class := int(m.class(r)) * words
		masks := m.masks[class : class+words]
		carry := uint64(0)
		for w := range state {
			step := state[w] & masks[w]
			state[w] = step<<1 | carry | state[w]&m.loops[w]
			carry = step >> 63
		}
	}
	return true
}

// runWord is run for a state of one word.
func (m *machine) runWord(s string) bool {
	state, loops, goal := uint64(1), m.loops[0], uint64(1)<<m.size
	for i := 0; i < len(s); {
		class, width := uint16(0), 1
		if s[i] < utf8.RuneSelf {
			class = m.ascii[s[i]]
		} else {
			var r rune
			r, width = symbol(s[i:])
			class = m.other[r]
		}
		i += width
		state = state&m.masks[class]<<1 | state&loops
		if state&goal != 0 {
			return true
		}
	}
	return state&goal != 0
}
