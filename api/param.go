package api

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/doorward/doorward/iam"
)

// presence says what a missing parameter means. AWS words the two kinds of
// refusal differently, action by action.
type presence uint8

const (
	optional presence = iota
	notNull           // ValidationError: Member must not be null
	needed            // MissingParameter
)

// kind is what a parameter holds.
type kind uint8

const (
	text    kind = iota
	integer      // between min and max
	boolean      // true or false
	list         // NAME.member.N, between min and max of them
	structs      // NAME.member.N.FIELD, between min and max of them
)

// param describes one parameter of an action: its syntax and how AWS words the
// refusal of what does not fit. Source: the parameter tables of the IAM and STS
// API references.
type param struct {
	name     string
	presence presence
	kind     kind
	// min and max bound the characters of a text, the value of an integer, or the
	// members of a list. A max of zero bounds nothing.
	min, max int
	// chars reports whether a text holds only what it may; wrong is the refusal, in
	// which %s is the field. Texts without chars are only measured.
	chars func(string) bool
	wrong string
	// enum lists the values that a text may have.
	enum []string
	// fields are the members' fields of structs, nested lists as "Name.member".
	fields []string
	// echo repeats the value in the refusal, as STS does.
	echo bool
	// each checks the members of a list or structs; nil checks nothing.
	each func(field string, members []member) (violations []string, err error)
}

// field returns the name as refusals spell it: userName for UserName.
func (p param) field() string {
	first, size := utf8.DecodeRuneInString(p.name)
	return string(unicode.ToLower(first)) + p.name[size:]
}

func (p param) required() param       { p.presence = notNull; return p }
func (p param) mandatory() param      { p.presence = needed; return p }
func (p param) called(n string) param { p.name = n; return p }
func (p param) upTo(n int) param      { p.max = n; return p }

// validate checks a form against the parameters of an action. Violations of
// length and range are collected into one refusal, as AWS does; what is wrong
// beyond that is refused one at a time.
func validate(f form, params []param) error {
	if err := onlyKnown(f, params); err != nil {
		return err
	}
	var violations []string
	var first error
	for _, p := range params {
		if value, given := f[p.name]; p.presence == needed && p.kind == text && (!given || value == "") {
			return iam.Errorf(iam.MissingParameter, "The request must contain the parameter %s.", p.name)
		}
		found, err := p.check(f)
		violations = append(violations, found...)
		if first == nil {
			first = err
		}
	}
	if len(violations) > 0 {
		return violated(violations...)
	}
	return first
}

// violated words a refusal for constraints that are not met.
func violated(violations ...string) error {
	plural := ""
	if len(violations) > 1 {
		plural = "s"
	}
	return iam.Errorf(iam.ValidationError, "%d validation error%s detected: %s",
		len(violations), plural, strings.Join(violations, "; "))
}

func constraint(field, must string) string {
	return "Value at '" + field + "' failed to satisfy constraint: Member must " + must
}

func (p param) constraint(value, must string) string {
	if p.echo {
		return fmt.Sprintf("Value '%s' at '%s' failed to satisfy constraint: Member must %s", value, p.field(), must)
	}
	return constraint(p.field(), must)
}

func (p param) check(f form) (violations []string, err error) {
	switch p.kind {
	case list, structs:
		return p.checkList(f)
	case integer:
		return p.checkInteger(f)
	case boolean:
		return p.checkBoolean(f)
	}
	return p.checkText(f)
}

func (p param) checkText(f form) ([]string, error) {
	value, given := f[p.name]
	if !given {
		if p.presence != optional {
			return []string{constraint(p.field(), "not be null")}, nil
		}
		return nil, nil
	}
	if len(p.enum) > 0 {
		return p.checkEnum(value)
	}
	length := utf8.RuneCountInString(value)
	switch {
	case length < p.min:
		return []string{p.constraint(value, "have length greater than or equal to "+strconv.Itoa(p.min))}, nil
	case p.max > 0 && length > p.max:
		return []string{p.constraint(value, "have length less than or equal to "+strconv.Itoa(p.max))}, nil
	case p.chars == nil || p.chars(value):
		return nil, nil
	case strings.HasPrefix(p.wrong, "Member must "):
		return []string{p.constraint(value, strings.TrimPrefix(p.wrong, "Member must "))}, nil
	}
	return nil, iam.Errorf(iam.ValidationError, p.wrong, p.field())
}

func (p param) checkEnum(value string) ([]string, error) {
	for _, allowed := range p.enum {
		if value == allowed {
			return nil, nil
		}
	}
	p.echo = true
	return []string{p.constraint(value, "satisfy enum value set: ["+strings.Join(p.enum, ", ")+"]")}, nil
}

func (p param) checkInteger(f form) ([]string, error) {
	value := f[p.name]
	if value == "" {
		return nil, nil
	}
	number, err := strconv.ParseInt(value, 10, 32)
	switch {
	case err != nil:
		return nil, iam.Errorf(malformedInput, "")
	case number < int64(p.min):
		return []string{p.constraint(value, "have value greater than or equal to "+strconv.Itoa(p.min))}, nil
	case number > int64(p.max):
		return []string{p.constraint(value, "have value less than or equal to "+strconv.Itoa(p.max))}, nil
	}
	return nil, nil
}

func (p param) checkBoolean(f form) ([]string, error) {
	switch f[p.name] {
	case "", "true", "false":
		return nil, nil
	}
	return nil, iam.Errorf(malformedInput, "")
}

func (p param) checkList(f form) ([]string, error) {
	members := f.members(p.name)
	switch {
	case len(members) == 0 && p.presence != optional:
		return []string{constraint(p.field(), "not be null")}, nil
	case p.max > 0 && len(members) > p.max:
		return []string{constraint(p.field(), "have length less than or equal to "+strconv.Itoa(p.max))}, nil
	case p.each == nil:
		return nil, nil
	}
	return p.each(p.field(), members)
}

// onlyKnown refuses parameters that the action does not have: one that is
// misspelt, or that this server does not implement, must not be passed over in
// silence.
func onlyKnown(f form, params []param) error {
	for name := range f {
		if commonParameter(name) {
			continue
		}
		if !slices.ContainsFunc(params, func(p param) bool { return p.owns(name, f[name]) }) {
			return iam.Errorf(iam.InvalidQueryParameter, "The parameter %s is not one that %s takes here.", name, cmp.Or(f["Action"], "the call"))
		}
	}
	return nil
}

// owns reports whether a parameter of the request is this one or a part of it. An
// empty list is sent as its bare name.
func (p param) owns(name, value string) bool {
	if p.kind != list && p.kind != structs {
		return name == p.name
	}
	if name == p.name {
		return value == ""
	}
	listed, _, field, ok := splitMember(name)
	if !ok || listed != p.name {
		return false
	}
	if p.kind == list {
		return field == ""
	}
	for _, allowed := range p.fields {
		nested, isList := strings.CutSuffix(allowed, ".member")
		if field == allowed && !isList {
			return true
		}
		if inner, _, rest, ok := splitMember(field); isList && ok && rest == "" && inner == nested {
			return true
		}
	}
	return false
}

// commonParameter reports whether any action may carry the parameter: those of
// the Query protocol and of presigned requests.
func commonParameter(name string) bool {
	switch name {
	case "Action", "Version":
		return true
	}
	return len(name) > 6 && strings.EqualFold(name[:6], "x-amz-")
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

// only returns a test for texts made of word characters (ASCII) and others.
func only(others string) func(string) bool {
	return func(s string) bool {
		for i := 0; i < len(s); i++ {
			if !isWord(s[i]) && strings.IndexByte(others, s[i]) < 0 {
				return false
			}
		}
		return true
	}
}

func nameChars(s string) bool { return s != "" && only("+=,.@-")(s) }

// pathChars is the pattern of IAM paths: "/", or printable ASCII between slashes.
func pathChars(s string) bool {
	if s == "/" {
		return true
	}
	return len(s) > 2 && s[0] == '/' && s[len(s)-1] == '/' && printable(s, '~')
}

// policyPathChars is the narrower pattern of managed policies' paths.
func policyPathChars(s string) bool {
	return pathChars(s) && !strings.Contains(s, "//") && only("/+=,.@-")(s)
}

func prefixChars(s string) bool {
	return s == "" || len(s) <= 512 && s[0] == '/' && printable(s, 0x7f)
}

func printable(s string, last byte) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '!' || s[i] > last {
			return false
		}
	}
	return true
}

// documentChars are those of policy documents: tab, line ends, and U+0020–U+00FF.
func documentChars(s string) bool {
	for _, r := range s {
		if r != '\t' && r != '\n' && r != '\r' && (r < ' ' || r > 0xFF) {
			return false
		}
	}
	return s != ""
}

// descriptionChars are those of descriptions: as of documents, without controls.
func descriptionChars(s string) bool {
	for _, r := range s {
		if r != '\t' && r != '\n' && r != '\r' && (r < ' ' || r > '~' && r < 0xA1 || r > 0xFF) {
			return false
		}
	}
	return true
}

func tagChars(s string) bool {
	for _, r := range s {
		if !unicode.In(r, unicode.L, unicode.Z, unicode.N) && !strings.ContainsRune("_.:/=+-@", r) {
			return false
		}
	}
	return true
}
