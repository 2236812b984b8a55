package authz

import (
	"net/netip"
	"strings"

	"github.com/doorward/doorward/authz/policy"
)

// condition is a compiled condition: its key resolved to a place in the
// context, its values parsed to the type of the operator.
type condition struct {
	key      keyRef
	operator policy.Operator
	// wantMissing and wantPresent are what a Null asks for.
	wantMissing, wantPresent bool
	// allow is true in an Allow statement, where an operator for single values
	// never holds for a list.
	allow bool
	// values by the operator's family; set is a larger list of exact strings.
	texts    []string
	set      map[string]struct{}
	patterns []pattern
	arns     []arnPattern
	numbers  []policy.Number
	dates    []policy.Instant
	prefixes []netip.Prefix
}

// manyTexts is the number of strings from which a map finds one faster.
const manyTexts = 12

func compileCondition(d *policy.Document, effect policy.Effect, c *policy.Condition) condition {
	out := condition{key: refer(c.Key.Value), operator: c.Operator, allow: effect == policy.Allow}
	for _, v := range c.Values {
		out.add(d.HasVariables(), v.Value)
	}
	if len(out.texts) >= manyTexts && (out.is(policy.StringEquals) || out.is(policy.StringNotEquals)) {
		out.set = make(map[string]struct{}, len(out.texts))
		for _, s := range out.texts {
			out.set[s] = struct{}{}
		}
		out.texts = nil
	}
	return out
}

func (c *condition) is(comparison policy.Comparison) bool { return c.operator.Comparison == comparison }

// add parses a value; the parser of documents has seen that it can be.
func (c *condition) add(variables bool, value string) {
	switch c.operator.Comparison.Family() {
	case policy.StringFamily:
		wildcards := c.is(policy.StringLike) || c.is(policy.StringNotLike)
		p := compilePattern(value, wildcards, variables)
		if text, ok := p.literal(); ok {
			c.texts = append(c.texts, text)
		} else {
			c.patterns = append(c.patterns, p)
		}
	case policy.ARNFamily:
		c.arns = append(c.arns, compileARN(value, variables))
	case policy.NumericFamily:
		n, _ := policy.ParseNumber(value)
		c.numbers = append(c.numbers, n)
	case policy.DateFamily:
		d, _ := policy.ParseDate(value)
		c.dates = append(c.dates, d)
	case policy.IPFamily:
		p, _ := policy.ParseCIDR(value)
		c.prefixes = append(c.prefixes, p)
	case policy.NullFamily:
		c.wantMissing = c.wantMissing || strings.EqualFold(value, "true")
		c.wantPresent = c.wantPresent || strings.EqualFold(value, "false")
	default:
		c.texts = append(c.texts, value)
	}
}

// holds evaluates the condition; if the answer is open, it says on which facts
// it turns.
func (c *condition) holds(ctx *Context) (truth, Facts) {
	one, list, kind, open := ctx.find(&c.key)
	missing := kind == noValue || kind == listValue && len(list) == 0
	switch {
	case open != 0:
		return unknown, open
	case c.is(policy.Null):
		return truthOf(missing && c.wantMissing || !missing && c.wantPresent), 0
	case missing:
		return truthOf(c.holdsWithoutKey()), 0
	case kind == singleValue:
		return c.compare(ctx, one)
	case kind == spelledValue:
		return c.compareSpellings(ctx, list)
	}
	return c.compareList(ctx, list)
}

func (c *condition) holdsWithoutKey() bool {
	switch {
	case c.operator.IfExists:
		return true
	case c.operator.Quantifier == policy.Single:
		return c.operator.Comparison.Negated()
	}
	return c.operator.Quantifier == policy.ForAllValues
}

func (c *condition) compareList(ctx *Context, list []string) (truth, Facts) {
	if c.operator.Quantifier == policy.Single && c.allow {
		return no, 0
	}
	decided := yes // what settles the answer once a value gives it
	if c.operator.Quantifier == policy.ForAllValues {
		decided = no
	}
	return c.compareEach(ctx, list, decided)
}

// compareSpellings holds one value that is written in several ways.
func (c *condition) compareSpellings(ctx *Context, list []string) (truth, Facts) {
	if c.operator.Comparison.Negated() {
		return c.compareEach(ctx, list, no)
	}
	return c.compareEach(ctx, list, yes)
}

// compareEach asks for each value until one gives what decides the answer.
func (c *condition) compareEach(ctx *Context, list []string, decided truth) (truth, Facts) {
	result, missing := decided.not(), Facts(0)
	for _, v := range list {
		switch t, facts := c.compare(ctx, v); t {
		case decided:
			return decided, 0
		case unknown:
			result, missing = unknown, missing|facts
		}
	}
	return result, missing
}

// compare holds one value of the request against the condition's values.
func (c *condition) compare(ctx *Context, got string) (t truth, missing Facts) {
	ok := true
	switch c.operator.Comparison.Family() {
	case policy.StringFamily:
		t, missing = c.compareString(ctx, got)
	case policy.ARNFamily:
		t, missing = c.compareARN(ctx, got)
	case policy.NumericFamily:
		t, ok = c.compareNumber(got)
	case policy.DateFamily:
		t, ok = c.compareDate(got)
	case policy.IPFamily:
		t, ok = c.compareIP(got)
	case policy.BoolFamily:
		t = c.equalFold(got)
	default: // base64 in its one strict form is equal where the bytes are
		t = c.equal(got)
	}
	switch {
	case !ok:
		return no, 0
	case c.operator.Comparison.Negated():
		return t.not(), missing
	}
	return t, missing
}

func (c *condition) equal(got string) truth {
	if c.set != nil {
		_, ok := c.set[got]
		return truthOf(ok)
	}
	for _, want := range c.texts {
		if want == got {
			return yes
		}
	}
	return no
}

func (c *condition) equalFold(got string) truth {
	for _, want := range c.texts {
		if strings.EqualFold(want, got) {
			return yes
		}
	}
	return no
}

func (c *condition) compareString(ctx *Context, got string) (truth, Facts) {
	fold := c.is(policy.StringEqualsIgnoreCase) || c.is(policy.StringNotEqualsIgnoreCase)
	switch {
	case fold && c.equalFold(got) == yes, !fold && c.equal(got) == yes:
		return yes, 0
	}
	result, missing := no, Facts(0)
	for i := range c.patterns {
		p := &c.patterns[i]
		open, valueless := p.ready(ctx)
		switch {
		case valueless:
		case open != 0:
			result, missing = unknown, missing|open
		case fold && strings.EqualFold(ctx.expand(p.parts), got), !fold && p.match(ctx, got):
			return yes, 0
		}
	}
	return result, missing
}

func (c *condition) compareARN(ctx *Context, got string) (truth, Facts) {
	result, missing := no, Facts(0)
	for i := range c.arns {
		a := &c.arns[i]
		open, valueless := a.whole.ready(ctx)
		switch {
		case valueless:
		case open != 0:
			result, missing = unknown, missing|open
		case a.match(ctx, got):
			return yes, 0
		}
	}
	return result, missing
}

func (c *condition) compareNumber(got string) (truth, bool) {
	n, ok := policy.ParseNumber(got)
	for _, want := range c.numbers {
		if ok && c.ordered(policy.NumericEquals, n.Compare(want)) {
			return yes, true
		}
	}
	return no, ok
}

func (c *condition) compareDate(got string) (truth, bool) {
	d, ok := policy.ParseDate(got)
	for _, want := range c.dates {
		if ok && c.ordered(policy.DateEquals, d.Compare(want)) {
			return yes, true
		}
	}
	return no, ok
}

// ordered reads the operator by its distance from the first of its family; a
// negated one is read as the one that it negates.
func (c *condition) ordered(first policy.Comparison, order int) bool {
	switch c.operator.Comparison - first {
	case 0, 1:
		return order == 0
	case 2:
		return order < 0
	case 3:
		return order <= 0
	case 4:
		return order > 0
	}
	return order >= 0
}

func (c *condition) compareIP(got string) (truth, bool) {
	ip, ok := policy.ParseIP(got)
	for _, want := range c.prefixes {
		if ok && want.Contains(ip) {
			return yes, true
		}
	}
	return no, ok
}
