package policy

import (
	"strconv"
	"strings"
)

// Parse reads a document as AWS does when a policy is written: it refuses what
// AWS refuses, naming the place, and accepts the rest. The error is always an
// *[Error].
func Parse(src []byte, kind Kind) (*Document, error) {
	r := read(string(src), kind)
	if r.refused != nil {
		return nil, r.refused
	}
	return r.doc, nil
}

// ParseStored reads a document that was accepted before, perhaps by an earlier
// version of this package. It never refuses: what it cannot read it marks as
// Unknown, and such a statement fails closed. A text that is no policy at all
// becomes a single Deny of everything.
func ParseStored(src []byte, kind Kind) *Document { return read(string(src), kind).doc }

// reader builds a Document and notes what is wrong with it.
type reader struct {
	doc *Document
	// refused is the first thing that Parse refuses.
	refused *Error
	// index and sid name the statement being read; index is -1 outside.
	index int
	sid   string
	// unknown is where the first thing of unclear meaning goes.
	unknown **Error
	sids    map[string]bool
}

func read(src string, kind Kind) *reader {
	r := &reader{doc: &Document{Kind: kind}, index: -1, sids: map[string]bool{}}
	r.unknown = &r.doc.Unknown
	root, err := scanJSON(src)
	if err != nil {
		r.note(err)
		r.unreadable()
		return r
	}
	r.checkCharacters(src)
	r.document(root)
	return r
}

// refuse notes something that AWS does not accept but whose meaning is clear, so
// that a stored document with it still works.
func (r *reader) refuse(element string, pos Position, wrong, right string) {
	if r.refused == nil {
		r.refused = &Error{Statement: r.index, Sid: r.sid, Element: element, Pos: pos, Wrong: wrong, Right: right}
	}
}

// fail notes something whose meaning is not clear: Parse refuses it, and a
// stored statement with it fails closed.
func (r *reader) fail(element string, pos Position, wrong, right string) {
	r.note(&Error{Statement: r.index, Sid: r.sid, Element: element, Pos: pos, Wrong: wrong, Right: right})
}

func (r *reader) note(err *Error) {
	if r.refused == nil {
		r.refused = err
	}
	if *r.unknown == nil {
		*r.unknown = err
	}
}

// unreadable leaves a document without usable statements with a Deny of
// everything.
func (r *reader) unreadable() {
	r.doc.Statements = []Statement{{Effect: Deny, Unknown: r.doc.Unknown}}
}

// checkCharacters holds documents to the characters that the IAM API takes for
// its policy document parameters. Bucket policies may hold any.
func (r *reader) checkCharacters(src string) {
	if r.doc.Kind == Resource {
		return
	}
	pos := Position{1, 1}
	for _, c := range src {
		if c > 0xff || c < ' ' && c != '\t' && c != '\n' && c != '\r' {
			r.refuse("", pos, "the character "+strconv.QuoteRuneToASCII(c)+" is not allowed here", `write characters above U+00FF as \uXXXX`)
			return
		}
		pos.Column++
		if c == '\n' {
			pos = Position{pos.Line + 1, 1}
		}
	}
}

// members sorts an object's members by name. Names that are not among the known
// ones, if any are given, and names that come twice are noted and left out.
func (r *reader) members(n node, path string, known ...string) map[string]member {
	got := make(map[string]member, len(n.names))
	twice := map[string]bool{}
	for i, name := range n.names {
		_, seen := got[name.Value]
		switch {
		case len(known) > 0 && !contains(known, name.Value):
			r.fail(join(path, name.Value), name.Pos, strconv.Quote(name.Value)+" is not an element here", "elements are "+strings.Join(known, ", ")+", in this case")
		case seen || twice[name.Value]:
			r.fail(join(path, name.Value), name.Pos, strconv.Quote(name.Value)+" is here twice", "each element once")
			twice[name.Value] = true
			delete(got, name.Value)
		default:
			got[name.Value] = member{name.Pos, n.items[i]}
		}
	}
	return got
}

type member struct {
	pos Position
	node
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (r *reader) document(root node) {
	if root.kind != object {
		r.fail("", root.pos, "the document is "+string(root.kind), "a policy is an object with a Statement")
		r.unreadable()
		return
	}
	got := r.members(root, "", "Version", "Id", "Statement")
	r.version(got)
	r.id(got)
	m, ok := got["Statement"]
	statements := m.items
	switch {
	case !ok:
		r.fail("Statement", root.pos, "there is no Statement", "a policy has at least one statement")
	case m.kind == object:
		statements = []node{m.node}
	case m.kind != array:
		r.fail("Statement", m.node.pos, "Statement is "+string(m.kind), "an object, or a list of objects")
	case len(m.items) == 0:
		r.fail("Statement", m.node.pos, "Statement is empty", "a policy has at least one statement")
	}
	if len(statements) == 0 {
		r.unreadable()
		return
	}
	for i, n := range statements {
		r.index, r.sid = i, ""
		r.doc.Statements = append(r.doc.Statements, r.statement(n))
	}
}

func (r *reader) version(got map[string]member) {
	m, ok := got["Version"]
	if !ok {
		return
	}
	r.doc.Version = Text{m.text, m.node.pos}
	if m.kind != str || m.text != Version2008 && m.text != Version2012 {
		r.fail("Version", m.node.pos, "the version "+strconv.Quote(m.text)+" does not exist", `"2012-10-17" or "2008-10-17"`)
	}
}

func (r *reader) id(got map[string]member) {
	m, ok := got["Id"]
	if !ok {
		return
	}
	if m.kind != str {
		r.refuse("Id", m.node.pos, "Id is "+string(m.kind), "a string")
		return
	}
	r.doc.ID = Text{m.text, m.node.pos}
	if !r.doc.Kind.HasPrincipal() {
		r.refuse("Id", m.pos, "an "+r.doc.Kind.String()+" policy has no Id", "only bucket and trust policies do")
	}
}

func (r *reader) statement(n node) Statement {
	st := Statement{Pos: n.pos, Effect: Deny, Unknown: r.doc.Unknown}
	r.unknown = &st.Unknown
	defer func() { r.unknown = &r.doc.Unknown }()
	if n.kind != object {
		r.fail("Statement", n.pos, "the statement is "+string(n.kind), "an object")
		return st
	}
	got := r.members(n, "", "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition")
	st.Sid = r.statementID(got)
	st.Effect = r.effect(n.pos, got)
	st.Principals = r.principals(n.pos, got)
	st.Actions = r.entries("Action", n.pos, got, r.checkAction)
	if r.doc.Kind.HasResource() {
		st.Resources = r.entries("Resource", n.pos, got, r.checkResource)
	} else {
		r.forbid(got, "Resource", "NotResource")
	}
	if m, ok := got["Condition"]; ok {
		st.Conditions = r.conditions(m.node)
	}
	if st.Effect == Allow && st.Principals.Not {
		r.refuse("NotPrincipal", st.Principals.Pos, "an Allow with NotPrincipal lets everybody else in, anonymous callers too", "name the principals, or use Deny")
	}
	if r.doc.Unknown != nil {
		st.dropVariables()
	}
	return st
}

// dropVariables leaves out, from a statement whose version of the language is
// not known, what would depend on it. A Deny then applies without it.
func (st *Statement) dropVariables() {
	if hasVariable(st.Resources.List) {
		st.Resources = Entries{}
	}
	kept := st.Conditions[:0]
	for _, c := range st.Conditions {
		if !hasVariable(c.Values) {
			kept = append(kept, c)
		}
	}
	st.Conditions = kept
}

func hasVariable(list []Text) bool {
	for _, t := range list {
		if strings.Contains(t.Value, "${") {
			return true
		}
	}
	return false
}

func (r *reader) statementID(got map[string]member) Text {
	m, ok := got["Sid"]
	if !ok {
		return Text{}
	}
	if m.kind != str {
		r.refuse("Sid", m.node.pos, "Sid is "+string(m.kind), "a string")
		return Text{}
	}
	r.sid = m.text
	if r.doc.Kind != Resource {
		if strings.IndexFunc(m.text, notAlphanumeric) >= 0 {
			r.refuse("Sid", m.node.pos, "the Sid "+strconv.Quote(m.text)+" has other characters than letters and digits", "A-Z, a-z and 0-9")
		}
		if m.text != "" && r.sids[m.text] {
			r.refuse("Sid", m.node.pos, "the Sid "+strconv.Quote(m.text)+" is used twice", "a Sid is unique in its document")
		}
		r.sids[m.text] = true
	}
	return Text{m.text, m.node.pos}
}

func notAlphanumeric(c rune) bool {
	return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
}

func (r *reader) effect(at Position, got map[string]member) Effect {
	m, ok := got["Effect"]
	switch {
	case !ok:
		r.fail("Effect", at, "there is no Effect", `"Allow" or "Deny"`)
	case m.kind == str && m.text == "Allow":
		return Allow
	case m.kind != str || m.text != "Deny":
		r.fail("Effect", m.node.pos, "the effect "+strconv.Quote(m.text)+" does not exist", `"Allow" or "Deny", in this case`)
	}
	return Deny
}

// forbid refuses elements that this kind of policy does not have.
func (r *reader) forbid(got map[string]member, names ...string) {
	for _, name := range names {
		if m, ok := got[name]; ok {
			r.fail(name, m.pos, "a statement of "+article(r.doc.Kind.String())+" policy has no "+name, "leave it out")
		}
	}
}

func article(noun string) string {
	if strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}

// either finds an element or its Not form; a statement has exactly one.
func (r *reader) either(name string, at Position, got map[string]member) (m member, not, ok bool) {
	m, ok = got[name]
	n, notOK := got["Not"+name]
	switch {
	case ok && notOK:
		r.fail(name, n.pos, "there are both "+name+" and Not"+name, "one of them")
		return member{}, false, false
	case !ok && !notOK:
		r.fail(name, at, "there is neither "+name+" nor Not"+name, "one of them")
	case notOK:
		return n, true, true
	}
	return m, false, ok
}

// entries reads Action, Resource or their Not forms. If check finds an entry
// without clear meaning, the whole element is left out.
func (r *reader) entries(name string, at Position, got map[string]member, check func(string, Text) bool) Entries {
	m, not, ok := r.either(name, at, got)
	if !ok {
		return Entries{}
	}
	if not {
		name = "Not" + name
	}
	list, ok := r.strings(name, m.node, str)
	if !ok {
		return Entries{}
	}
	for _, t := range list {
		if !check(name, t) {
			return Entries{}
		}
	}
	return Entries{Not: not, Pos: m.pos, List: list}
}

// strings reads one value or a list of values of the given kinds.
func (r *reader) strings(element string, n node, kinds ...nodeKind) ([]Text, bool) {
	items := []node{n}
	if n.kind == array {
		items = n.items
	}
	if len(items) == 0 {
		r.fail(element, n.pos, element+" is an empty list", "at least one value")
		return nil, false
	}
	list := make([]Text, 0, len(items))
	for _, item := range items {
		if !hasKind(kinds, item.kind) {
			r.fail(element, item.pos, "a value of "+element+" is "+string(item.kind), "a string")
			return nil, false
		}
		list = append(list, Text{item.text, item.pos})
	}
	return list, true
}

func hasKind(kinds []nodeKind, kind nodeKind) bool {
	for _, k := range kinds {
		if k == kind {
			return true
		}
	}
	return false
}
