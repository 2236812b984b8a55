package policy

import (
	"slices"
	"strconv"
	"strings"
)

func (l *linter) condition(c *Condition) {
	path := "Condition." + c.Operator.String()
	key, inTable := KeyOf(c.Key.Value)
	_, _, isTag := TagOf(c.Key.Value)
	service, _, _ := strings.Cut(strings.ToLower(c.Key.Value), ":")
	switch {
	case inTable:
		l.keyType(c, path, key.Info())
		l.severalValues(c, path, key.Info())
	case !isTag && (service == "aws" || service == "s3" || service == "sts"):
		l.warn("unknown-key", path, c.Key.Pos, "a key of the service authorization reference", "no request carries the key %q%s", c.Key.Value, l.withoutKey(c))
	}
	if service == "s3" && (inTable || isTag) {
		l.keyOfAction(c, path)
	}
	l.literalWildcards(c, path)
	if l.st.Effect == Deny && key == MultiFactorAuthPresent && inTable && c.Operator.Comparison == Bool && !c.Operator.IfExists && isFalse(c.Values) {
		l.warn("mfa", path, c.Pos, "BoolIfExists", "requests with long-term keys do not carry %s, so this Deny does not catch them", c.Key.Value)
	}
}

func isFalse(values []Text) bool {
	return slices.ContainsFunc(values, func(t Text) bool { return strings.EqualFold(t.Value, "false") })
}

// withoutKey says what becomes of a condition whose key is never there.
func (l *linter) withoutKey(c *Condition) string {
	op := c.Operator
	holds := op.IfExists || op.Quantifier == ForAllValues || op.Quantifier == Single && op.Comparison.Negated() ||
		op.Comparison == Null && !isFalse(c.Values)
	if holds {
		return ", so the condition always holds"
	}
	return ", " + l.never()
}

// keyOfAction finds a key that requests for an action of the statement never
// carry. IfExists, ForAllValues and Null are taken for intent.
func (l *linter) keyOfAction(c *Condition, path string) {
	op := c.Operator
	if l.st.Actions.Not || l.carries == nil || op.IfExists || op.Quantifier == ForAllValues || op.Comparison == Null {
		return
	}
	for _, t := range l.st.Actions.List {
		names, known := matched(t.Value)
		if !known || len(names) == 0 || t.Value == "*" {
			continue
		}
		carried := func(name string) bool { return !strings.HasPrefix(name, "s3:") || l.carries(name, c.Key.Value) }
		if slices.ContainsFunc(names, carried) {
			continue
		}
		effect := "so the " + l.st.Effect.String() + " never applies to them"
		if op.Comparison.Negated() && op.Quantifier == Single {
			effect = "so the condition always holds for them"
		}
		l.warn("key-of-action", path, c.Key.Pos, l.carriers(c.Key.Value), "requests for %s never carry %s, %s", t.Value, c.Key.Value, effect)
	}
}

// carriers says which actions carry a key.
func (l *linter) carriers(key string) string {
	var names []string
	for _, a := range S3Actions {
		if (a.Level == OnBucket || a.Level == OnObject) && l.carries(a.Name, key) {
			names = append(names, a.Name)
		}
	}
	switch {
	case len(names) == 0:
		return "leave the condition out"
	case len(names) > 4:
		names = append(names[:4:4], "others")
	}
	last := len(names) - 1
	if last == 0 {
		return "a statement of its own for " + names[0] + ", which does"
	}
	return "a statement of its own for " + strings.Join(names[:last], ", ") + " and " + names[last] + ", which do"
}

// keyType finds operators that cannot compare the values of a key.
func (l *linter) keyType(c *Condition, path string, info KeyInfo) {
	family, suits := c.Operator.Comparison.Family(), ""
	if family == NullFamily || family == BinaryFamily {
		return
	}
	switch info.Type {
	case StringFamily:
		if family != StringFamily && !(family == BoolFamily || family == ARNFamily) {
			suits = "StringEquals or StringLike"
		}
	case NumericFamily:
		if family != NumericFamily && family != StringFamily {
			suits = "NumericEquals, NumericLessThan and their like"
		}
	case DateFamily:
		if family != DateFamily && family != NumericFamily {
			suits = "DateLessThan, DateGreaterThan and their like"
		}
	case BoolFamily:
		if family != BoolFamily && family != StringFamily {
			suits = "Bool"
		}
	case IPFamily:
		if family != IPFamily {
			suits = "IpAddress or NotIpAddress"
		}
	case ARNFamily:
		if family != ARNFamily && family != StringFamily {
			suits = "ArnLike"
		}
	}
	if suits != "" {
		l.warn("key-type", path, c.Pos, suits, "%s cannot compare the values of %s", c.Operator, info.Name)
	}
}

// severalValues finds keys with several values under an operator for one, and an
// Allow that a missing key lets pass.
func (l *linter) severalValues(c *Condition, path string, info KeyInfo) {
	op := c.Operator
	switch {
	case op.Comparison == Null:
	case info.Multi && op.Quantifier == Single:
		effect := l.never()
		if l.st.Effect == Deny {
			effect = "and what AWS does is not defined"
		}
		l.warn("set-operator", path, c.Pos, "ForAnyValue:"+op.String()+" or ForAllValues:"+op.String(), "%s can have several values, %s", info.Name, effect)
	case op.Quantifier == ForAllValues && l.st.Effect == Allow && !l.guarded(c.Key.Value):
		l.warn("for-all-values", path, c.Pos, `also "Null": {`+strconv.Quote(c.Key.Value)+`: "false"}`, "ForAllValues holds for a request without %s too", info.Name)
	}
}

// guarded reports whether the statement asks for the key to be there.
func (l *linter) guarded(key string) bool {
	return slices.ContainsFunc(l.st.Conditions, func(c Condition) bool {
		return c.Operator.Comparison == Null && strings.EqualFold(c.Key.Value, key) && isFalse(c.Values)
	})
}

// literalWildcards finds a "*" under operators that take it literally.
func (l *linter) literalWildcards(c *Condition, path string) {
	right := ""
	switch c.Operator.Comparison {
	case StringEquals, StringEqualsIgnoreCase:
		right = "StringLike"
	case StringNotEquals, StringNotEqualsIgnoreCase:
		right = "StringNotLike"
	default:
		return
	}
	for _, t := range c.Values {
		if slices.ContainsFunc(ParsePattern(t.Value, true, true), func(p Part) bool { return p.Kind == Any }) {
			l.warn("wildcard", path, t.Pos, right, "%s takes the * in %q literally", c.Operator, t.Value)
		}
	}
}

// contradictions finds conditions that cannot hold together, and principals that
// leave out everyone.
func (l *linter) contradictions() {
	for i, c := range l.st.Conditions {
		if c.Operator.Comparison != Null || isFalse(c.Values) {
			continue
		}
		for j, other := range l.st.Conditions {
			op := other.Operator
			needs := op.Comparison == Null && !slices.ContainsFunc(other.Values, isTrue) || op.Quantifier == ForAnyValue ||
				op.Comparison != Null && op.Quantifier == Single && !op.IfExists && !op.Comparison.Negated()
			if i != j && needs && strings.EqualFold(other.Key.Value, c.Key.Value) {
				l.warn("never-applies", "Condition", c.Pos, "one of the two", "Null asks for %s to be missing and %s for it to be there, %s", c.Key.Value, op, l.never())
			}
		}
	}
	if ps := l.st.Principals; ps.Not && slices.ContainsFunc(ps.List, func(p Principal) bool { return p.Type == Everyone }) {
		l.warn("never-applies", "NotPrincipal", ps.Pos, "Principal", "NotPrincipal leaves out everyone, %s", l.never())
	}
}

func isTrue(t Text) bool { return strings.EqualFold(t.Value, "true") }
