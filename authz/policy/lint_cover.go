package policy

import (
	"slices"
	"strings"
)

// covers reports whether the pattern p matches every text that the pattern q
// matches. It errs towards false.
func covers(p, q string) bool {
	return coversParts(ParsePattern(p, true, true), ParsePattern(q, true, true))
}

// coversParts holds the parts of q, literals taken apart into characters, against
// p, as a matcher would characters: only "*" covers a "*" or a variable.
func coversParts(p, q Pattern) bool {
	ps, qs := characters(p), characters(q)
	reached := make([]bool, len(qs)+1)
	reached[0] = true
	for _, part := range ps {
		next := make([]bool, len(qs)+1)
		open := false
		for at := range reached {
			open = open || reached[at]
			switch {
			case part.Kind == Any:
				next[at] = open
			case at < len(qs) && reached[at]:
				next[at+1] = part == qs[at] || part.Kind == One && qs[at].Kind == Literal
			}
		}
		reached = next
	}
	return reached[len(qs)]
}

func characters(p Pattern) (out Pattern) {
	for _, part := range p {
		if part.Kind != Literal {
			out = append(out, part)
			continue
		}
		for _, r := range part.Text {
			out = append(out, Part{Kind: Literal, Text: string(r)})
		}
	}
	return out
}

func coversAction(p, q string) bool {
	return p == "*" || covers(strings.ToLower(p), strings.ToLower(q))
}

func coversResource(p, q string) bool {
	if p == "*" || p == q {
		return true
	}
	ps, qs := strings.SplitN(p, ":", 6), strings.SplitN(q, ":", 6)
	if q == "*" || len(ps) < 6 || len(qs) < 6 {
		return false
	}
	for i := range ps {
		if !covers(ps[i], qs[i]) {
			return false
		}
	}
	return true
}

// entries finds entries of a list that another one covers.
func (l *linter) entries() {
	check := func(name string, e Entries, covers func(p, q string) bool) {
		for i, t := range e.List {
			for j, by := range e.List {
				if i != j && covers(by.Value, t.Value) && (j < i || !covers(t.Value, by.Value)) {
					l.warn("redundant", element(name, e.Not), t.Pos, "leave it out", "%q is covered by %q", t.Value, by.Value)
					break
				}
			}
		}
	}
	check("Action", l.st.Actions, coversAction)
	check("Resource", l.st.Resources, coversResource)
}

// covered finds a statement that another one makes needless or takes back.
func (l *linter) covered() {
	for i := range l.doc.Statements {
		other := &l.doc.Statements[i]
		if i == l.index || !coversStatement(other, l.st) {
			continue
		}
		same := other.Effect == l.st.Effect
		switch {
		case same && (i < l.index || !coversStatement(l.st, other)):
			l.warn("redundant", "Statement", l.st.Pos, "leave it out", "%s covers this %s", nth(i, other), l.st.Effect)
			return
		case !same && l.st.Effect == Allow:
			l.warn("taken-back", "Statement", l.st.Pos, "leave it out, or narrow the Deny", "%s denies all that this Allow allows", nth(i, other))
			return
		}
	}
}

func nth(i int, st *Statement) string {
	e := Error{Statement: i, Sid: st.Sid.Value}
	text, _, _ := strings.Cut(e.Error(), ", ")
	return text
}

// coversStatement reports whether a applies whenever b does.
func coversStatement(a, b *Statement) bool {
	return a.Unknown == nil && b.Unknown == nil && a.coversPrincipals(b) &&
		coversEntries(a.Actions, b.Actions, coversAction) && coversEntries(a.Resources, b.Resources, coversResource) &&
		coversConditions(a.Conditions, b.Conditions)
}

func coversEntries(a, b Entries, covers func(p, q string) bool) bool {
	if a.Not || b.Not {
		return a.Not == b.Not && slices.EqualFunc(a.List, b.List, sameText)
	}
	return !slices.ContainsFunc(b.List, func(q Text) bool {
		return !slices.ContainsFunc(a.List, func(p Text) bool { return covers(p.Value, q.Value) })
	})
}

func sameText(a, b Text) bool { return a.Value == b.Value }

// coversPrincipals does not take Everyone to cover a principal by name, whose
// Allow passes by more limits of the caller.
func (a *Statement) coversPrincipals(b *Statement) bool {
	if a.Principals.Not || b.Principals.Not {
		return false
	}
	return !slices.ContainsFunc(b.Principals.List, func(q Principal) bool {
		return !slices.ContainsFunc(a.Principals.List, func(p Principal) bool {
			return p.Type == q.Type && p.Value == q.Value || p.Type == Everyone && a.Effect == Deny
		})
	})
}

// coversConditions reports whether each condition of a is one of b too.
func coversConditions(a, b []Condition) bool {
	return !slices.ContainsFunc(a, func(p Condition) bool {
		return !slices.ContainsFunc(b, func(q Condition) bool {
			return p.Operator == q.Operator && strings.EqualFold(p.Key.Value, q.Key.Value) && slices.EqualFunc(p.Values, q.Values, sameText)
		})
	})
}
