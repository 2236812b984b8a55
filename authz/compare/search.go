package compare

import (
	"slices"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/policy"
)

// rule is a statement as a search sees it, without its principals.
type rule struct {
	statement *policy.Statement
	document  *policy.Document
	// side is 0 for the first document and 1 for the second.
	side int
	// atoms are its conditions.
	atoms []int
}

// space is the requests of one setting, divided by the rules that speak in it.
type space struct {
	kind    policy.Kind
	account account
	budget  *budget
	rules   []rule
	// symbols are the variables of resources, abstract in the search.
	symbols symbols
	// nobody is what the request of a caller from outside says of it, nil for a
	// principal; fixed are the values that variables were given.
	nobody, fixed map[string]string
	atoms         []atom
	atomIDs       map[string]int
	byKey         map[string][]int // atoms that are not opaque
	cells         map[string]keyCells
}

func newSpace(pair [2]*policy.Document, speaks func(side, statement int) bool, b *budget) *space {
	s := &space{
		kind: pair[0].Kind, account: home, budget: b, symbols: symbols{},
		atomIDs: map[string]int{}, byKey: map[string][]int{}, cells: map[string]keyCells{},
	}
	for side, d := range pair {
		for i := range d.Statements {
			if !speaks(side, i) {
				continue
			}
			r := rule{statement: &d.Statements[i], document: d, side: side}
			for k := range r.statement.Conditions {
				r.atoms = append(r.atoms, s.atomOf(&r.statement.Conditions[k], &r))
			}
			for _, t := range r.statement.Resources.List {
				s.resourceItems(t.Value, d.HasVariables())
			}
			s.rules = append(s.rules, r)
		}
	}
	return s
}

// gain is what a document decides as more.
type gain uint8

const (
	// anAllow is a request that it allows and the other does not.
	anAllow gain = iota
	// noDeny is a request that the other denies explicitly and it does not.
	noDeny
)

// example is a request that a search has come upon.
type example struct {
	action, resource string
	context          map[string]authz.Value
}

// search looks for a request by which the document of one side gains on the
// other, and shows those it comes upon until confirm accepts one.
func (s *space) search(side int, what gain, confirm func(example) bool) outcome {
	result := none
	if !s.possible(side, what) {
		return none
	}
	actions, complete := s.actions()
	for _, a := range actions {
		complete = s.resources(a, a.covers, func(c resourceCell) bool {
			switch o := s.searchCell(side, what, a, c, confirm); o {
			case found:
				result = found
			case open:
				result = max(result, open)
			}
			return result != found && s.budget.left > 0
		}) && complete
		if result == found {
			return found
		}
	}
	if !complete || s.budget.left <= 0 {
		return max(result, open)
	}
	return result
}

// searchCell looks among the requests for one action on one resource.
func (s *space) searchCell(side int, what gain, a actionCell, c resourceCell, confirm func(example) bool) outcome {
	result := none
	for _, g := range s.goals(side, what, c) {
		context, o := s.solve(s.puzzle(g, c))
		if o == found && !s.abstract() && confirm(example{a.action, c.resource, context}) {
			return found
		}
		if o != none {
			result = open
		}
	}
	return result
}

// abstract reports whether variables stand for themselves, so that what is found
// is no example yet.
func (s *space) abstract() bool {
	return len(s.symbols) > 0 || slices.ContainsFunc(s.atoms, func(a atom) bool { return a.opaque })
}

// goal asks for a request to which some rules apply and others do not.
type goal struct {
	apply []*rule
	avoid func(*rule) bool
}

// possible reports whether there is a statement at all that the gain would be by.
func (s *space) possible(side int, what gain) bool {
	return slices.ContainsFunc(s.rules, func(r rule) bool {
		if what == noDeny {
			return r.side != side && r.statement.Effect == policy.Deny
		}
		return r.side == side && r.statement.Effect == policy.Allow
	})
}

// goals are the ways to gain in a cell.
func (s *space) goals(side int, what gain, c resourceCell) []goal {
	var out []goal
	other := 1 - side
	ownDeny := func(r *rule) bool { return r.side == side && r.statement.Effect == policy.Deny }
	if what == noDeny {
		for _, deny := range s.matching(other, policy.Deny, c.lead) {
			out = append(out, goal{[]*rule{deny}, ownDeny})
		}
		return out
	}
	stays := func(r *rule) bool { return ownDeny(r) || r.side == other && r.statement.Effect == policy.Allow }
	denies := s.matching(other, policy.Deny, c.may)
	for _, allow := range s.matching(side, policy.Allow, c.lead) {
		out = append(out, goal{[]*rule{allow}, stays})
		for _, deny := range denies {
			out = append(out, goal{[]*rule{allow, deny}, ownDeny})
		}
	}
	return out
}

func (s *space) matching(side int, effect policy.Effect, in []bool) []*rule {
	var out []*rule
	for i := range s.rules {
		if r := &s.rules[i]; in[i] && r.side == side && r.statement.Effect == effect {
			out = append(out, r)
		}
	}
	return out
}

// puzzle leaves of a goal what its conditions have to do in a cell.
func (s *space) puzzle(g goal, c resourceCell) puzzle {
	var p puzzle
	for _, r := range g.apply {
		p.hold = append(p.hold, r.atoms...)
	}
	for i := range s.rules {
		r := &s.rules[i]
		matches := c.must[i] || c.may[i] && slices.ContainsFunc(g.apply, r.sameResources)
		if matches && g.avoid(r) {
			p.fail = append(p.fail, r.atoms)
		}
	}
	return p
}

// sameResources reports whether the two rules' resource elements match alike
// whatever the values of their variables.
func (r *rule) sameResources(other *rule) bool {
	a, b := r.statement.Resources, other.statement.Resources
	return a.Not == b.Not && r.statement.Effect == other.statement.Effect &&
		r.document.HasVariables() == other.document.HasVariables() &&
		slices.EqualFunc(a.List, b.List, func(x, y policy.Text) bool { return x.Value == y.Value })
}
