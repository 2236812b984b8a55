package authz

import (
	"strings"

	"github.com/doorward/doorward/authz/policy"
)

// arnPattern is a compiled value of an ARN operator: six segments, each with
// wildcards of its own.
type arnPattern struct {
	whole    pattern
	segments [6]pattern
	// short is true if there are fewer than six segments, so that nothing matches.
	short bool
}

func compileARN(text string, variables bool) arnPattern {
	a := arnPattern{whole: compilePattern(text, true, variables)}
	if a.whole.dynamic {
		return a
	}
	segments := strings.SplitN(text, ":", 6)
	a.short = len(segments) < 6
	for i, s := range segments {
		a.segments[i] = compilePattern(s, true, variables)
	}
	return a
}

// match compares segment by segment. The variables must be ready.
func (a *arnPattern) match(c *Context, arn string) bool {
	if a.whole.dynamic {
		return matchDynamicARN(c, a.whole.parts, arn)
	}
	if a.short {
		return false
	}
	for i := range 5 {
		asked, rest, ok := strings.Cut(arn, ":")
		if !ok || !a.segments[i].match(c, asked) {
			return false
		}
		arn = rest
	}
	return a.segments[5].match(c, arn)
}

// matchDynamicARN splits a pattern with variables after they have got their
// values: a value may hold colons, which separate segments like any other.
func matchDynamicARN(c *Context, parts []part, arn string) bool {
	segment := c.scratch.parts[:0]
	defer func() { c.scratch.parts = segment[:0] }()
	segments := 1
	for i := range parts {
		p := parts[i]
		text := p.value(c)
		for p.kind != policy.Any && p.kind != policy.One && segments < 6 {
			before, after, found := strings.Cut(text, ":")
			if !found {
				break
			}
			asked, rest, ok := strings.Cut(arn, ":")
			segment = append(segment, part{text: before, loose: p.loose})
			if !ok || !matchParts(c, segment, nil, asked) {
				return false
			}
			arn, text, segment = rest, after, segment[:0]
			segments++
		}
		if p.kind == policy.Variable {
			p.kind = policy.Literal
		}
		p.text = text
		segment = append(segment, p)
	}
	return segments == 6 && matchParts(c, segment, nil, arn)
}
