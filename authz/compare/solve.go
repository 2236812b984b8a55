package compare

import (
	"slices"

	"github.com/doorward/doorward/authz"
)

// puzzle asks for a context in which some conditions hold, and of each of some
// sets of conditions one does not.
type puzzle struct {
	hold []int
	fail [][]int
}

// outcome of a search.
type outcome uint8

const (
	none  outcome = iota // there is nothing to be found
	open                 // nothing was found, and something may be there
	found                // something was found
)

// choice is one way to settle some conditions: by a value of a key or, where
// nothing is known of values, by assumption.
type choice struct {
	value   authz.Value
	assumed bool
	holds   map[int]bool
}

// group is a key with its choices, or one opaque condition.
type group struct {
	key     string
	choices []choice
}

// solve finds a context. The conditions that are told apart by values that are not
// all known are tried with the known ones, and then with any outcome, so that the
// answer none is always right.
func (s *space) solve(p puzzle) (context map[string]authz.Value, o outcome) {
	for _, clause := range p.fail {
		if len(clause) == 0 || containsAll(p.hold, clause) {
			return nil, none
		}
	}
	groups, partial := s.groups(p, false)
	if context, o = s.assign(p, groups); o == none && partial {
		groups, _ = s.groups(p, true)
		if _, o = s.assign(p, groups); o == found {
			o = open
		}
	}
	return context, o
}

func containsAll(set, subset []int) bool {
	return !slices.ContainsFunc(subset, func(n int) bool { return !slices.Contains(set, n) })
}

// groups collects the keys of a puzzle. With loosen, conditions on keys whose
// values are not all known become opaque.
func (s *space) groups(p puzzle, loosen bool) (groups []group, partial bool) {
	all := slices.Clone(p.hold)
	for _, clause := range p.fail {
		all = append(all, clause...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	at := map[string]bool{}
	for _, n := range all {
		a := &s.atoms[n]
		var k keyCells
		if !a.opaque {
			k = s.cellsOf(a.key)
		}
		partial = partial || !a.opaque && !k.complete
		switch {
		case a.opaque || loosen && !k.complete:
			groups = append(groups, opaqueGroup(n, p.hold))
		case !at[a.key]:
			at[a.key] = true
			groups = append(groups, s.keyGroup(a.key, k, all, p.hold))
		}
	}
	return groups, partial
}

func opaqueGroup(n int, hold []int) group {
	g := group{choices: []choice{{assumed: true, holds: map[int]bool{n: true}}}}
	if !slices.Contains(hold, n) {
		g.choices = append(g.choices, choice{assumed: true, holds: map[int]bool{n: false}})
	}
	return g
}

// keyGroup keeps the values of a key that make hold what has to, one for each
// outcome of the conditions in question.
func (s *space) keyGroup(key string, k keyCells, all, hold []int) group {
	g := group{key: key}
	seen := map[string]bool{}
	for _, c := range k.cells {
		holds := map[int]bool{}
		var bits []bool
		fits := true
		for i, n := range s.byKey[key] {
			if slices.Contains(all, n) {
				holds[n] = c.holds[i]
				bits = append(bits, c.holds[i])
				fits = fits && (c.holds[i] || !slices.Contains(hold, n))
			}
		}
		if id := boolKey(bits); fits && !seen[id] {
			seen[id] = true
			g.choices = append(g.choices, choice{value: c.value, holds: holds})
		}
	}
	return g
}

// assign chooses in each group in turn.
func (s *space) assign(p puzzle, groups []group) (map[string]authz.Value, outcome) {
	chosen := make([]*choice, len(groups))
	o := s.choose(groups, chosen, p.fail)
	if o != found {
		return nil, o
	}
	context := map[string]authz.Value{}
	for i, g := range groups {
		switch {
		case chosen[i].assumed:
			o = open
		case chosen[i].value.Present:
			context[g.key] = chosen[i].value
		}
	}
	return context, o
}

// choose settles the groups from len(groups) left over; fail is what is still to
// be made fail.
func (s *space) choose(groups []group, chosen []*choice, fail [][]int) outcome {
	if len(groups) == 0 {
		if len(fail) > 0 {
			return none
		}
		return found
	}
	o := none
	for i := range groups[0].choices {
		c := &groups[0].choices[i]
		if !s.budget.spend(1 + len(fail)) {
			return open
		}
		var rest [][]int
		for _, clause := range fail {
			failed := slices.ContainsFunc(clause, func(n int) bool { holds, known := c.holds[n]; return known && !holds })
			if !failed {
				rest = append(rest, clause)
			}
		}
		chosen[0] = c
		switch s.choose(groups[1:], chosen[1:], rest) {
		case found:
			return found
		case open:
			o = open
		}
	}
	return o
}
