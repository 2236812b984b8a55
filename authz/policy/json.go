package policy

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is more nesting than any policy has (seven) and little enough for a
// recursive reader.
const maxDepth = 16

// node is a JSON value that knows where it stands. encoding/json would keep the
// last of two equal keys, fold the case of names and lose all positions.
type node struct {
	kind  nodeKind
	pos   Position
	text  string // of a string: its value; of a number or boolean: as written
	names []Text // of an object, one for each item
	items []node // of an object or array
}

type nodeKind string

const (
	object  nodeKind = "an object"
	array   nodeKind = "a list"
	str     nodeKind = "a string"
	number  nodeKind = "a number"
	boolean nodeKind = "a boolean"
	null    nodeKind = "null"
)

// scanner reads one JSON text (RFC 8259) strictly.
type scanner struct {
	src   string
	off   int
	pos   Position
	depth int
}

func scanJSON(src string) (node, *Error) {
	s := &scanner{src: src, pos: Position{1, 1}}
	if !utf8.ValidString(src) {
		s.skipValid()
		return node{}, s.wrong("the text is not UTF-8", "encode the document as UTF-8")
	}
	n, err := s.value()
	if err != nil {
		return node{}, err
	}
	s.space()
	if s.off < len(src) {
		return node{}, s.wrong("there is more after the document's last brace", "one JSON object and nothing else")
	}
	return n, nil
}

func (s *scanner) wrong(wrong, right string) *Error {
	return &Error{Statement: -1, Pos: s.pos, Wrong: wrong, Right: right}
}

func (s *scanner) skipValid() {
	for {
		if r, size := utf8.DecodeRuneInString(s.src[s.off:]); r == utf8.RuneError && size == 1 {
			return
		}
		s.advance()
	}
}

// peek returns the next byte, zero at the end of the text.
func (s *scanner) peek() byte {
	if s.off == len(s.src) {
		return 0
	}
	return s.src[s.off]
}

// advance steps over one character.
func (s *scanner) advance() {
	_, size := utf8.DecodeRuneInString(s.src[s.off:])
	if s.src[s.off] == '\n' {
		s.pos = Position{s.pos.Line + 1, 1}
	} else {
		s.pos.Column++
	}
	s.off += size
}

func (s *scanner) space() {
	for isSpace(s.peek()) {
		s.advance()
	}
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }

func (s *scanner) value() (node, *Error) {
	s.space()
	n := node{pos: s.pos}
	var err *Error
	switch c := s.peek(); {
	case c == '{':
		n.kind, err = object, s.members(&n)
	case c == '[':
		n.kind, err = array, s.elements(&n)
	case c == '"':
		n.kind = str
		n.text, err = s.string()
	case c == '-' || c >= '0' && c <= '9':
		n.kind = number
		n.text, err = s.number()
	case c == 't' || c == 'f':
		n.kind = boolean
		n.text, err = s.word("true", "false")
	case c == 'n':
		n.kind = null
		n.text, err = s.word("null")
	default:
		err = s.unexpected("a value")
	}
	return n, err
}

func (s *scanner) unexpected(want string) *Error {
	if s.off == len(s.src) {
		return s.wrong("the text ends here", "expected "+want)
	}
	r, _ := utf8.DecodeRuneInString(s.src[s.off:])
	return s.wrong("found "+strconv.QuoteRune(r), "expected "+want)
}

// enter steps over an opening bracket and reports whether the closing one
// follows at once.
func (s *scanner) enter(closing byte) (empty bool, err *Error) {
	if s.depth++; s.depth > maxDepth {
		return false, s.wrong("the document is nested too deeply", "no policy needs more than seven levels")
	}
	s.advance()
	s.space()
	if s.peek() == closing {
		s.leave()
		return true, nil
	}
	return false, nil
}

func (s *scanner) leave() {
	s.depth--
	s.advance()
}

// more steps over a comma, or over the closing bracket and reports false.
func (s *scanner) more(closing byte) (bool, *Error) {
	s.space()
	switch s.peek() {
	case ',':
		s.advance()
		s.space()
		return true, nil
	case closing:
		s.leave()
		return false, nil
	}
	return false, s.unexpected("a comma or " + strconv.QuoteRune(rune(closing)))
}

func (s *scanner) members(n *node) *Error {
	if empty, err := s.enter('}'); empty || err != nil {
		return err
	}
	for more := true; more; {
		if s.peek() != '"' {
			return s.unexpected("a name in double quotes")
		}
		name := Text{Pos: s.pos}
		var err *Error
		if name.Value, err = s.string(); err != nil {
			return err
		}
		s.space()
		if s.peek() != ':' {
			return s.unexpected("a colon")
		}
		s.advance()
		item, err := s.value()
		if err != nil {
			return err
		}
		n.names, n.items = append(n.names, name), append(n.items, item)
		if more, err = s.more('}'); err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) elements(n *node) *Error {
	if empty, err := s.enter(']'); empty || err != nil {
		return err
	}
	for more := true; more; {
		item, err := s.value()
		if err != nil {
			return err
		}
		n.items = append(n.items, item)
		if more, err = s.more(']'); err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) word(words ...string) (string, *Error) {
	for _, w := range words {
		if strings.HasPrefix(s.src[s.off:], w) {
			for range w {
				s.advance()
			}
			return w, nil
		}
	}
	return "", s.unexpected("a value")
}

func (s *scanner) number() (string, *Error) {
	start := s.off
	if s.peek() == '-' {
		s.advance()
	}
	leadingZero := s.peek() == '0'
	if n := s.digits(); n == 0 || leadingZero && n > 1 {
		return "", s.wrong("this is not a JSON number", "digits without leading zeros")
	}
	if s.peek() == '.' {
		s.advance()
		if s.digits() == 0 {
			return "", s.unexpected("a digit")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.advance()
		if c := s.peek(); c == '+' || c == '-' {
			s.advance()
		}
		if s.digits() == 0 {
			return "", s.unexpected("a digit")
		}
	}
	return s.src[start:s.off], nil
}

func (s *scanner) digits() (n int) {
	for ; s.peek() >= '0' && s.peek() <= '9'; n++ {
		s.advance()
	}
	return n
}

// string reads a quoted string, opening quote included.
func (s *scanner) string() (string, *Error) {
	s.advance()
	var b strings.Builder
	for {
		switch c := s.peek(); {
		case s.off == len(s.src):
			return "", s.wrong("the text ends inside a string", "expected a closing quote")
		case c == '"':
			s.advance()
			return b.String(), nil
		case c < 0x20:
			return "", s.wrong("there is a control character inside a string", `write it as an escape such as \n`)
		case c == '\\':
			r, err := s.escape()
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
		default:
			start := s.off
			s.advance()
			b.WriteString(s.src[start:s.off])
		}
	}
}

var escapes = map[byte]rune{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (s *scanner) escape() (rune, *Error) {
	if r, ok := s.unicodeEscape(); ok {
		if !utf16.IsSurrogate(r) {
			return r, nil
		}
		low, _ := s.unicodeEscape()
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, nil
		}
		return 0, s.wrong("half of a surrogate pair stands alone", `a character above U+FFFF is two \u escapes`)
	}
	s.advance()
	if r, ok := escapes[s.peek()]; ok {
		s.advance()
		return r, nil
	}
	return 0, s.wrong("this escape does not exist", `escapes are \" \\ \/ \b \f \n \r \t and \uXXXX`)
}

// unicodeEscape steps over \uXXXX if one follows.
func (s *scanner) unicodeEscape() (rune, bool) {
	rest := s.src[s.off:]
	if len(rest) < 6 || rest[0] != '\\' || rest[1] != 'u' {
		return 0, false
	}
	v, err := strconv.ParseUint(rest[2:6], 16, 16)
	if err != nil {
		return 0, false
	}
	for range 6 {
		s.advance()
	}
	return rune(v), true
}
