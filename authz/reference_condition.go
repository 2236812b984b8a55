package authz

import (
	"bytes"
	"strings"

	"github.com/doorward/doorward/authz/policy"
)

// condition evaluates one operator on one key (IAM user guide, "Condition
// operators" and "Conditions with multiple context keys or values").
func (m *matcher) condition(c *policy.Condition) (truth, Facts) {
	value, open := m.request.Context.Lookup(c.Key.Value)
	if open != 0 {
		return unknown, open
	}
	op := c.Operator
	missing := len(value.Values) == 0
	switch {
	case op.Comparison == policy.Null:
		return truthOf(nullHolds(c, missing)), 0
	case missing:
		return truthOf(holdsWithoutKey(op)), 0
	}
	return m.quantified(c, value)
}

// nullHolds: "true" asks for a missing key and "false" for one that is there.
func nullHolds(c *policy.Condition, missing bool) bool {
	for _, v := range c.Values {
		if strings.EqualFold(v.Value, "true") == missing {
			return true
		}
	}
	return false
}

// holdsWithoutKey is the result of an operator other than Null on a missing key.
func holdsWithoutKey(op policy.Operator) bool {
	switch {
	case op.IfExists || op.Quantifier == policy.ForAllValues:
		return true
	case op.Quantifier == policy.ForAnyValue:
		return false
	}
	return op.Comparison.Negated()
}

// quantified asks the operator for each value of the request. A key with several
// values needs a set operator; without one the statement fails closed: an Allow
// does not apply, and a Deny applies if it would for any of the values. Spellings
// are one value: it matches if one of them does.
func (m *matcher) quantified(c *policy.Condition, value Value) (truth, Facts) {
	q := c.Operator.Quantifier
	if q == policy.Single && value.Multi && m.statement.Effect == policy.Allow {
		return no, 0
	}
	every, some, missing := yes, no, Facts(0)
	for _, v := range value.Values {
		t, facts := m.compare(c, v)
		every, some, missing = min(every, t), max(some, t), missing|facts
	}
	result := some
	if q == policy.ForAllValues && !value.Spelled || value.Spelled && c.Operator.Comparison.Negated() {
		result = every
	}
	if result != unknown {
		missing = 0
	}
	return result, missing
}

// compare holds one value of the request against all values of the condition:
// one of them has to match or, for a negated operator, none. A value of the
// request that has the wrong type satisfies neither.
func (m *matcher) compare(c *policy.Condition, got string) (truth, Facts) {
	if !readable(c.Operator.Comparison.Family(), got) {
		return no, 0
	}
	matched, missing := no, Facts(0)
	for _, want := range c.Values {
		t, facts := m.matches(c.Operator.Comparison, got, want.Value)
		matched, missing = max(matched, t), missing|facts
	}
	if matched != unknown {
		missing = 0
	}
	if c.Operator.Comparison.Negated() {
		return matched.not(), missing
	}
	return matched, missing
}

func readable(f policy.Family, s string) (ok bool) {
	switch f {
	case policy.NumericFamily:
		_, ok = policy.ParseNumber(s)
	case policy.DateFamily:
		_, ok = policy.ParseDate(s)
	case policy.BinaryFamily:
		_, ok = policy.ParseBinary(s)
	case policy.IPFamily:
		_, ok = policy.ParseIP(s)
	case policy.BoolFamily:
		ok = strings.EqualFold(s, "true") || strings.EqualFold(s, "false")
	default:
		ok = true
	}
	return ok
}

// matches compares one value of the request with one of the condition, leaving
// the negation of an operator to its caller.
func (m *matcher) matches(c policy.Comparison, got, want string) (truth, Facts) {
	if c.HasVariables() {
		return m.matchesText(c, got, want)
	}
	switch c.Family() {
	case policy.NumericFamily:
		a, _ := policy.ParseNumber(got)
		b, _ := policy.ParseNumber(want)
		return truthOf(ordered(c-policy.NumericEquals, a.Compare(b))), 0
	case policy.DateFamily:
		a, _ := policy.ParseDate(got)
		b, _ := policy.ParseDate(want)
		return truthOf(ordered(c-policy.DateEquals, a.Compare(b))), 0
	case policy.BinaryFamily:
		a, _ := policy.ParseBinary(got)
		b, _ := policy.ParseBinary(want)
		return truthOf(bytes.Equal(a, b)), 0
	case policy.IPFamily:
		a, _ := policy.ParseIP(got)
		b, _ := policy.ParseCIDR(want)
		return truthOf(b.Contains(a)), 0
	}
	return truthOf(strings.EqualFold(got, want)), 0
}

// ordered reads a comparison by its position in the numeric and date families:
// equals, not equals, less, less or equal, greater, greater or equal.
func ordered(position policy.Comparison, order int) bool {
	return [...]bool{order == 0, order == 0, order < 0, order <= 0, order > 0, order >= 0}[position]
}

func (m *matcher) matchesText(c policy.Comparison, got, want string) (truth, Facts) {
	wildcards := c == policy.StringLike || c == policy.StringNotLike || c.Family() == policy.ARNFamily
	pattern, missing, valueless := m.substitute(policy.ParsePattern(want, wildcards, m.doc.HasVariables()))
	switch {
	case valueless:
		return no, 0
	case missing != 0:
		return unknown, missing
	case c == policy.StringEqualsIgnoreCase || c == policy.StringNotEqualsIgnoreCase:
		return truthOf(strings.EqualFold(literal(pattern), got)), 0
	case c.Family() == policy.ARNFamily:
		return truthOf(globARN(pattern, got)), 0
	}
	return truthOf(glob(pattern, got)), 0
}

// literal joins a pattern that has no wildcards.
func literal(p policy.Pattern) string {
	var b strings.Builder
	for _, part := range p {
		b.WriteString(part.Text)
	}
	return b.String()
}

// globARN compares segment by segment: a wildcard does not cross the first five
// colons.
func globARN(p policy.Pattern, arn string) bool {
	asked := strings.SplitN(arn, ":", 6)
	wanted := splitPattern(p)
	if len(asked) < 6 || len(wanted) < 6 {
		return false
	}
	for i, segment := range wanted {
		if !glob(segment, asked[i]) {
			return false
		}
	}
	return true
}

// splitPattern splits at the first five colons.
func splitPattern(p policy.Pattern) []policy.Pattern {
	split := []policy.Pattern{nil}
	for _, part := range p {
		last := len(split) - 1
		before, after, found := strings.Cut(part.Text, ":")
		for part.Kind == policy.Literal && found && last < 5 {
			split[last] = append(split[last], policy.Part{Text: before})
			split, last, part.Text = append(split, nil), last+1, after
			before, after, found = strings.Cut(part.Text, ":")
		}
		split[last] = append(split[last], part)
	}
	return split
}
