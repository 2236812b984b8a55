package compare

import (
	"slices"
	"strconv"
	"strings"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/policy"
)

// atom is a condition, one for all that mean the same.
type atom struct {
	condition policy.Condition
	key       string // canonical
	// document is a policy with this one condition, for asking the evaluator.
	document authz.Policies
	// variables is true if ${ has a meaning in its values.
	variables bool
	// opaque is true for a condition whose values hold variables. Nothing is known
	// of it but that it holds or does not.
	opaque bool
}

// atomOf returns the number of a condition.
func (s *space) atomOf(c *policy.Condition, r *rule) int {
	key := canonicalKey(c.Key.Value)
	variables := r.document.HasVariables() && c.Operator.Comparison.HasVariables()
	values := make([]string, len(c.Values))
	for i, v := range c.Values {
		values[i] = strconv.Quote(v.Value)
	}
	slices.Sort(values)
	id := strings.Join(append([]string{c.Operator.String(), key, strconv.FormatBool(variables)}, slices.Compact(values)...), "\x00")
	if c.Operator.Quantifier == policy.Single && canBeList(key) {
		id += "\x00" + r.statement.Effect.String() // matters for a key with several values
	}
	if n, ok := s.atomIDs[id]; ok {
		return n
	}
	a := atom{condition: *c, key: key, document: asIdentity(conditional(c, r)), variables: variables}
	a.opaque = variables && slices.ContainsFunc(c.Values, func(v policy.Text) bool {
		return slices.ContainsFunc(policy.ParsePattern(v.Value, false, true), func(p policy.Part) bool { return p.Kind == policy.Variable })
	})
	n := len(s.atoms)
	s.atomIDs[id] = n
	s.atoms = append(s.atoms, a)
	if !a.opaque {
		s.byKey[key] = append(s.byKey[key], n)
	}
	return n
}

// conditional is a document that turns on one condition.
func conditional(c *policy.Condition, r *rule) *policy.Document {
	all := policy.Entries{Pos: policy.Position{Line: 1, Column: 1}, List: []policy.Text{{Value: anyName}}}
	return &policy.Document{Version: r.document.Version, Statements: []policy.Statement{{
		Effect: r.statement.Effect, Actions: all, Resources: all, Conditions: []policy.Condition{*c},
	}}}
}

// canonicalKey spells a condition key so that equal keys are equal texts.
func canonicalKey(name string) string {
	if k, ok := policy.KeyOf(name); ok {
		return k.String()
	}
	if f, tag, ok := policy.TagOf(name); ok {
		if f.FoldsCase() {
			tag = strings.ToLower(tag)
		}
		return f.Prefix() + tag
	}
	return strings.ToLower(name)
}

// canBeList reports whether a request may have several values for the key. Of
// keys that are not in the table nothing is known.
func canBeList(key string) bool {
	if k, ok := policy.KeyOf(key); ok {
		return k.Info().Multi
	}
	_, _, isTag := policy.TagOf(key)
	return !isTag
}

// valueCell is a value of a key that stands for all with which the same
// conditions on that key hold.
type valueCell struct {
	value authz.Value
	holds []bool // for each atom of the key, in the order of byKey
}

// keyCells are the values of a key that matter.
type keyCells struct {
	cells []valueCell
	// complete is false if there may be values that none of the cells stands for.
	complete bool
}

// cellsOf divides the values of a key by its conditions.
func (s *space) cellsOf(key string) keyCells {
	if k, ok := s.cells[key]; ok {
		return k
	}
	k := s.divide(key)
	s.cells[key] = k
	return k
}

// alwaysThere are keys of every request. Examples leave them out last.
var alwaysThere = []string{
	policy.SourceIP.String(), policy.CurrentTime.String(), policy.EpochTime.String(), policy.SecureTransport.String(),
	policy.PrincipalTypeKey.String(), policy.UserID.String(),
}

// divide tries a missing key, single values and lists of values.
func (s *space) divide(key string) keyCells {
	k := keyCells{complete: true}
	seen := map[string]bool{}
	add := func(v authz.Value) {
		holds := s.vector(key, v)
		if id := boolKey(holds); !seen[id] {
			seen[id] = true
			k.cells = append(k.cells, valueCell{v, holds})
		}
	}
	if fixed, ok := s.fixedValue(key); ok {
		add(fixed)
		return k
	}
	// A list of values needs those that differ by themselves, also from none.
	last := slices.Contains(alwaysThere, key)
	if !last {
		add(authz.Value{})
	}
	var distinct []string
	vectors := map[string]bool{}
	values, complete := s.candidates(key)
	for _, v := range values {
		c := authz.Value{Present: true, Values: []string{v}}
		add(c)
		if id := boolKey(s.vector(key, c)); !vectors[id] {
			vectors[id] = true
			distinct = append(distinct, v)
		}
	}
	k.complete = complete
	if canBeList(key) {
		k.complete = lists(distinct, len(s.byKey[key]), func(list []string) {
			add(authz.Value{Present: true, Multi: true, Values: list})
		}) && complete
	}
	if isCopySource(key) && len(s.byKey[key]) > 1 {
		k.complete = false // one value may meet each of two conditions in another spelling
	}
	if last {
		add(authz.Value{})
	}
	return k
}

// vector tells which conditions on a key hold with a value of it.
func (s *space) vector(key string, v authz.Value) []bool {
	var bits []bool
	for _, n := range s.byKey[key] {
		bits = append(bits, s.holds(n, key, v))
	}
	return bits
}

// holds asks the evaluator whether a condition holds.
func (s *space) holds(n int, key string, v authz.Value) bool {
	s.budget.spend(20)
	ctx := &authz.Context{}
	setValue(ctx, key, v)
	d := authz.Reference(s.atoms[n].document, &authz.Request{Principal: someUser, Action: familiar[0], Resource: s3ARN + "b/k", Context: ctx})
	return d.Allowed() || d.Explicit
}

// setValue gives a key its value as requests do, the source of a copy in both
// spellings.
func setValue(ctx *authz.Context, key string, v authz.Value) {
	switch {
	case v.Multi:
		ctx.SetNamedList(key, v.Values)
	case v.Present:
		ctx.SetStated(key, v.Values[0])
	}
}

func isCopySource(key string) bool {
	k, ok := policy.KeyOf(key)
	return ok && k == policy.S3CopySource
}

// lists makes lists of up to size values, the empty one first: one value for each
// condition is enough to make conditions on all or any of the values hold or fail.
func lists(values []string, size int, visit func([]string)) (complete bool) {
	queue, from := [][]string{{}}, []int{0}
	for n := 0; n < len(queue); n++ {
		if n >= maxLists {
			return false
		}
		visit(queue[n])
		for i := from[n]; i < len(values) && len(queue[n]) < size; i++ {
			queue = append(queue, append(slices.Clone(queue[n]), values[i]))
			from = append(from, i+1)
		}
	}
	return true
}

// candidates are single values of a key such that each way in which its
// conditions can hold occurs. complete is false if that is not certain.
func (s *space) candidates(key string) (values []string, complete bool) {
	families := map[policy.Family][]policy.Condition{}
	for _, n := range s.byKey[key] {
		c := s.atoms[n].condition
		f := c.Operator.Comparison.Family()
		if f == policy.ARNFamily {
			f = policy.StringFamily
		}
		families[f] = append(families[f], c)
	}
	delete(families, policy.NullFamily)
	complete = len(families) <= 1
	for f := policy.StringFamily; f < policy.NullFamily; f++ {
		if len(families[f]) == 0 {
			continue
		}
		if f == policy.StringFamily {
			texts, all := s.texts(key)
			values, complete = append(values, texts...), complete && all
			continue
		}
		var written []string
		for _, c := range families[f] {
			for _, v := range c.Values {
				written = append(written, v.Value)
			}
		}
		values = append(values, representatives[f](written)...)
	}
	if len(values) == 0 || len(families) > 0 {
		values = append(values, "x") // of no type but text
	}
	return values, complete
}

// texts explores the string and ARN conditions of a key.
func (s *space) texts(key string) (values []string, complete bool) {
	none := symbols{}
	var exprs []expr
	for _, n := range s.byKey[key] {
		a := &s.atoms[n]
		for _, v := range a.condition.Values {
			if items, ok := textItems(none, a, v.Value); ok {
				exprs = append(exprs, expr{items: items})
			}
		}
	}
	complete = true
	for _, shape := range [][]item{{{kind: one}, {kind: run}}, {{kind: run}}} {
		m := newMachine(append([]expr{{items: shape}}, exprs...))
		complete = m.explore(s.budget, func(text string, _ []bool) { values = append(values, text) }) && complete
	}
	return values, complete
}

// textItems reads a value as its operator does; ok is false for an ARN that is
// too short to match.
func textItems(none symbols, a *atom, value string) (items []item, ok bool) {
	c := a.condition.Operator.Comparison
	if c.Family() == policy.ARNFamily {
		segments := strings.SplitN(value, ":", 6)
		return none.arnItems(segments, true, a.variables), len(segments) == 6
	}
	wildcards := c == policy.StringLike || c == policy.StringNotLike
	fold := c == policy.StringEqualsIgnoreCase || c == policy.StringNotEqualsIgnoreCase
	return none.items(policy.ParsePattern(value, wildcards, a.variables), 0, fold), true
}
