package compare

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode"

	"github.com/doorward/doorward/authz/policy"
)

// item is one step of a pattern over text.
type item struct {
	kind itemKind
	// r is the character of a literal, or the symbol of a variable.
	r rune
	// fold makes a literal match in any case, as strings.EqualFold does.
	fold bool
	// except is a character that a wildcard does not match, 0 if it matches all.
	except rune
}

type itemKind uint8

const (
	literal itemKind = iota
	one
	run
	variable
)

// expr is a pattern as a sequence of items. Variables are symbols of their own,
// negative runes, which texts of the abstract search hold as well.
type expr struct {
	items []item
	// loose makes the expression match whenever it could for some value of the
	// variables; otherwise it matches only if it does for every value.
	loose bool
}

// symbols numbers the variables of a search by key and default.
type symbols map[policy.Part]rune

func (s symbols) of(p policy.Part) rune {
	p.Text = strings.ToLower(p.Text)
	if _, ok := s[p]; !ok {
		s[p] = rune(-1 - len(s))
	}
	return s[p]
}

// items turns a pattern into items; its wildcards leave out except.
func (s symbols) items(p policy.Pattern, except rune, fold bool) []item {
	var out []item
	for _, part := range p {
		switch part.Kind {
		case policy.Any:
			out = append(out, item{kind: run, except: except})
		case policy.One:
			out = append(out, item{kind: one, except: except})
		case policy.Variable:
			out = append(out, item{kind: variable, r: s.of(part)})
		default:
			for _, r := range part.Text {
				out = append(out, item{kind: literal, r: r, fold: fold})
			}
		}
	}
	return out
}

// arnItems joins the segments of an ARN pattern, whose wildcards do not cross the
// first five colons. Variables are read in every segment, or in the last only.
func (s symbols) arnItems(segments []string, wholeVariables, variables bool) []item {
	var out []item
	for i, segment := range segments {
		except := ':'
		if i == 5 {
			except = 0
		}
		if i > 0 {
			out = append(out, item{kind: literal, r: ':'})
		}
		p := policy.ParsePattern(segment, true, variables && (i == 5 || wholeVariables))
		out = append(out, s.items(p, except, false)...)
	}
	return out
}

// matches reports whether a plain character or a variable's symbol is one of those
// that the item stands for.
func (i item) matches(r rune) bool {
	switch {
	case i.kind == literal && i.fold:
		return strings.EqualFold(string(i.r), string(r)) && r >= 0
	case i.kind == literal || i.kind == variable:
		return i.r == r
	case r < 0:
		return i.kind == run && i.except == 0
	}
	return r != i.except
}

// machine reads one text by several expressions at the same time. Its positions
// are numbered through all of them.
type machine struct {
	exprs []expr
	first []int32 // position of each expression's first item
	owner []int32 // expression of each position
	fresh rune    // a character that no expression spells out
}

func newMachine(exprs []expr) *machine {
	m := &machine{exprs: exprs}
	spelled := map[rune]bool{':': true, '/': true}
	for n, e := range exprs {
		m.first = append(m.first, int32(len(m.owner)))
		for range len(e.items) + 1 {
			m.owner = append(m.owner, int32(n))
		}
		for _, i := range e.items {
			for _, r := range orbit(i) {
				spelled[r] = true
			}
		}
	}
	m.fresh = 'x'
	for r := 'a'; spelled[m.fresh]; r++ {
		m.fresh = r
	}
	return m
}

// orbit lists the characters that a literal matches.
func orbit(i item) []rune {
	if i.kind != literal {
		return nil
	}
	all := []rune{i.r}
	for r := unicode.SimpleFold(i.r); i.fold && r != i.r; r = unicode.SimpleFold(r) {
		all = append(all, r)
	}
	return all
}

// at returns the item of a position, false at the end of its expression.
func (m *machine) at(pos int32) (i item, e *expr, ok bool) {
	n := m.owner[pos]
	e = &m.exprs[n]
	if offset := int(pos - m.first[n]); offset < len(e.items) {
		return e.items[offset], e, true
	}
	return item{}, e, false
}

// skips reports whether the item may stand for no text at all.
func (e *expr) skips(i item) bool { return i.kind == run || i.kind == variable && e.loose }

// positions is the state of a machine: where each expression can be, in order.
type positions []int32

func (p positions) key() string {
	b := make([]byte, 0, len(p)*4)
	for _, pos := range p {
		b = binary.LittleEndian.AppendUint32(b, uint32(pos))
	}
	return string(b)
}

// close adds what is reached without text, sorts, and drops duplicates.
func (m *machine) close(p positions) positions {
	for k := 0; k < len(p); k++ {
		if i, e, ok := m.at(p[k]); ok && e.skips(i) && !slices.Contains(p[k+1:], p[k]+1) {
			p = append(p, p[k]+1)
		}
	}
	slices.Sort(p)
	return slices.Compact(p)
}

func (m *machine) start() positions { return m.close(slices.Clone(m.first)) }

// step reads one symbol.
func (m *machine) step(p positions, r rune) positions {
	var next positions
	for _, pos := range p {
		i, e, ok := m.at(pos)
		if e.loose && r < 0 {
			// The variable's value may be any text, so any later place is reached.
			for end := m.first[m.owner[pos]] + int32(len(e.items)); pos <= end; pos++ {
				next = append(next, pos)
			}
			continue
		}
		switch {
		case !ok:
		case i.kind == variable && e.loose:
			next = append(next, pos)
		case !i.matches(r):
		case i.kind == run:
			next = append(next, pos)
		default:
			next = append(next, pos+1)
		}
	}
	slices.Sort(next)
	return m.close(slices.Compact(next))
}

// letters are the symbols that lead to different states: one that is spelled
// nowhere stands for all the others.
func (m *machine) letters(p positions) []rune {
	out := []rune{m.fresh}
	for _, pos := range p {
		i, _, ok := m.at(pos)
		switch {
		case !ok:
		case i.kind == variable:
			out = append(out, i.r)
		case i.kind == literal:
			out = append(out, orbit(i)...)
		case i.except != 0:
			out = append(out, i.except)
		}
	}
	slices.Sort(out[1:])
	return slices.Compact(out)
}

// accepting reports, for each expression, whether it matches the text so far.
func (m *machine) accepting(p positions) []bool {
	out := make([]bool, len(m.exprs))
	for _, pos := range p {
		if _, _, ok := m.at(pos); !ok {
			out[m.owner[pos]] = true
		}
	}
	return out
}

// node is a state on the way from the start, and the symbol that led to it.
type node struct {
	state  positions
	parent int
	symbol rune
}

// explore visits, shortest first, a text for each way in which the expressions
// can accept, as far as the first expression does. It returns false if the budget
// ended before all were seen.
func (m *machine) explore(b *budget, visit func(text string, accepted []bool)) bool {
	nodes := []node{{state: m.start(), parent: -1}}
	seen := map[string]bool{nodes[0].state.key(): true}
	found := map[string]bool{}
	for n := 0; n < len(nodes); n++ {
		letters := m.letters(nodes[n].state)
		if n >= maxTexts || !b.spend(1+len(nodes[n].state)*len(letters)/8) {
			b.hit = true
			return false
		}
		accepted := m.accepting(nodes[n].state)
		if key := boolKey(accepted); accepted[0] && !found[key] {
			found[key] = true
			visit(spell(nodes, n), accepted)
		}
		for _, r := range letters {
			next := m.step(nodes[n].state, r)
			if len(next) == 0 || m.owner[next[0]] != 0 {
				continue // the first expression can no longer accept
			}
			if key := next.key(); !seen[key] {
				seen[key] = true
				nodes = append(nodes, node{next, n, r})
			}
		}
	}
	return true
}

// spell writes the text that leads to a node. The value of a variable does not
// show.
func spell(nodes []node, n int) string {
	var out []rune
	for ; nodes[n].parent >= 0; n = nodes[n].parent {
		out = append(out, max(nodes[n].symbol, 0))
	}
	slices.Reverse(out)
	return string(out)
}

func boolKey(bits []bool) string {
	b := make([]byte, len(bits))
	for i, bit := range bits {
		if bit {
			b[i] = 1
		}
	}
	return string(b)
}

// read returns which expressions match a text.
func (m *machine) read(text string) []bool {
	p := m.start()
	for _, r := range text {
		p = m.step(p, r)
	}
	return m.accepting(p)
}
