package policy

import "strings"

// PartKind is the kind of a piece of a pattern.
type PartKind uint8

// The kinds of parts.
const (
	// Literal stands for its own text.
	Literal PartKind = iota
	// Any is "*": any run of characters, also none.
	Any
	// One is "?": exactly one character.
	One
	// Variable is "${key}": the value of a condition key, as literal text.
	Variable
)

// Part is a piece of a pattern.
type Part struct {
	Kind PartKind
	// Text is the literal text, or the variable's key.
	Text string
	// Default is what a variable stands for when its key has no value;
	// HasDefault is false if there is no such text.
	Default    string
	HasDefault bool
}

// Pattern is the text of a resource, action or condition value taken apart, so
// that what a variable is replaced by is never read as a pattern again.
type Pattern []Part

// ParsePattern takes text apart. Without wildcards, "*" and "?" are literal;
// without variables, "${" is. The escapes ${*}, ${?} and ${$} become literal text
// where variables are read. A "${" that is never closed is literal.
func ParsePattern(text string, wildcards, variables bool) Pattern {
	var p Pattern
	literal := strings.Builder{}
	add := func(part Part) {
		if literal.Len() > 0 {
			p = append(p, Part{Kind: Literal, Text: literal.String()})
			literal.Reset()
		}
		p = append(p, part)
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		body, closed := "", false
		if variables && c == '$' {
			body, closed = variableAt(text[i:])
		}
		switch {
		case wildcards && c == '*':
			add(Part{Kind: Any})
		case wildcards && c == '?':
			add(Part{Kind: One})
		case closed && (body == "*" || body == "?" || body == "$"):
			literal.WriteString(body)
			i += len("${}")
		case closed:
			add(variable(body))
			i += len("${}") + len(body) - 1
		default:
			literal.WriteByte(c)
		}
	}
	if literal.Len() > 0 {
		p = append(p, Part{Kind: Literal, Text: literal.String()})
	}
	return p
}

// variableAt returns what stands between "${" and "}" at the beginning of text.
// A default value in single quotes may hold a closing brace.
func variableAt(text string) (body string, ok bool) {
	rest, ok := strings.CutPrefix(text, "${")
	if !ok {
		return "", false
	}
	end := strings.IndexByte(rest, '}')
	if mark := strings.Index(rest, defaultMark); mark >= 0 && mark < end {
		value := mark + len(defaultMark)
		quote := strings.Index(rest[value:], "'}")
		if quote < 0 {
			return "", false
		}
		end = value + quote + len("'")
	}
	if end < 0 {
		return "", false
	}
	return rest[:end], true
}

const defaultMark = ", '"

func variable(body string) Part {
	key, value, ok := strings.Cut(body, defaultMark)
	if !ok {
		return Part{Kind: Variable, Text: body}
	}
	return Part{Kind: Variable, Text: key, Default: strings.TrimSuffix(value, "'"), HasDefault: true}
}
