package policy

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// Size counts the characters of a document as AWS's quotas do: white space
// aside, inside of strings too.
func Size(src []byte) int {
	n := 0
	for _, c := range string(src) {
		if c > ' ' || !isSpace(byte(c)) {
			n++
		}
	}
	return n
}

// Print writes a document from [Parse] in canonical form: elements in the order
// of the IAM user guide, two spaces of indent, statements always a list, a lone
// value without brackets, characters above U+00FF as escapes. Parsing it gives
// the same document but for the positions.
func Print(d *Document) []byte {
	p := &printer{}
	p.open("{")
	if d.Version.Value != "" {
		p.member("Version")
		p.text(d.Version.Value)
	}
	if d.ID.Value != "" {
		p.member("Id")
		p.text(d.ID.Value)
	}
	p.member("Statement")
	p.open("[")
	for i := range d.Statements {
		p.item()
		p.statement(&d.Statements[i])
	}
	p.close("]")
	p.close("}")
	return []byte(p.String() + "\n")
}

// printer writes indented JSON.
type printer struct {
	strings.Builder
	depth int
	// first is true until the open object or list has something in it.
	first bool
}

func (p *printer) open(bracket string) {
	p.WriteString(bracket)
	p.depth++
	p.first = true
}

func (p *printer) close(bracket string) {
	p.depth--
	if !p.first {
		p.newline()
	}
	p.WriteString(bracket)
	p.first = false
}

func (p *printer) newline() { p.WriteString("\n" + strings.Repeat("  ", p.depth)) }

func (p *printer) item() {
	if !p.first {
		p.WriteString(",")
	}
	p.first = false
	p.newline()
}

func (p *printer) member(name string) {
	p.item()
	p.text(name)
	p.WriteString(": ")
}

func (p *printer) text(s string) {
	p.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			p.WriteByte('\\')
			p.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(p, `\u%04x\u%04x`, high, low)
		case r < ' ' || r > 0xff:
			fmt.Fprintf(p, `\u%04x`, r)
		default:
			p.WriteRune(r)
		}
	}
	p.WriteByte('"')
}

func (p *printer) values(list []string) {
	if len(list) == 1 {
		p.text(list[0])
		return
	}
	p.open("[")
	for _, v := range list {
		p.item()
		p.text(v)
	}
	p.close("]")
}

func (p *printer) statement(st *Statement) {
	p.open("{")
	if st.Sid.Value != "" {
		p.member("Sid")
		p.text(st.Sid.Value)
	}
	p.member("Effect")
	p.text(st.Effect.String())
	p.principals(st.Principals)
	p.entries("Action", st.Actions)
	p.entries("Resource", st.Resources)
	p.conditions(st.Conditions)
	p.close("}")
}

func not(negated bool, name string) string {
	if negated {
		return "Not" + name
	}
	return name
}

func (p *printer) entries(name string, e Entries) {
	if e.Present() {
		p.member(not(e.Not, name))
		p.values(texts(e.List))
	}
}

func texts(list []Text) []string {
	out := make([]string, len(list))
	for i, t := range list {
		out[i] = t.Value
	}
	return out
}

func (p *printer) principals(ps Principals) {
	if !ps.Present() {
		return
	}
	p.member(not(ps.Not, "Principal"))
	if len(ps.List) == 1 && ps.List[0].Type == Everyone {
		p.text("*")
		return
	}
	p.open("{")
	for rest := ps.List; len(rest) > 0; {
		var group []string
		key := rest[0].key()
		for len(rest) > 0 && rest[0].key() == key {
			group = append(group, rest[0].Value)
			rest = rest[1:]
		}
		p.member(key)
		p.values(group)
	}
	p.close("}")
}

// key is the name that the entry stands under in a principal map.
func (p Principal) key() string {
	return [...]string{Everyone: "AWS", AWS: "AWS", CanonicalUser: "CanonicalUser", Federated: "Federated", Service: "Service"}[p.Type]
}

func (p *printer) conditions(list []Condition) {
	if len(list) == 0 {
		return
	}
	p.member("Condition")
	p.open("{")
	for len(list) > 0 {
		op := list[0].Operator
		p.member(op.String())
		p.open("{")
		for len(list) > 0 && list[0].Operator == op {
			p.member(list[0].Key.Value)
			p.values(texts(list[0].Values))
			list = list[1:]
		}
		p.close("}")
	}
	p.close("}")
}
