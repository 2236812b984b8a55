package api

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/doorward/doorward/iam"
)

// maxParameters bounds the parameters of a request. The largest call of the IAM
// API (SimulateCustomPolicy with all its lists) stays well below.
const maxParameters = 10_000

// form is the parameters of a Query request, each given once.
type form map[string]string

// parse adds the parameters of an application/x-www-form-urlencoded text. A
// parameter that is there already is an error: what a second value would mean
// differs from server to server.
func (f form) parse(text string) error {
	for text != "" {
		var piece string
		piece, text, _ = strings.Cut(text, "&")
		if piece == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(piece, "=")
		name, ok := unescape(rawName)
		value, ok2 := unescape(rawValue)
		switch {
		case !ok || !ok2:
			return iam.Errorf(iam.InvalidQueryParameter, "The parameter %q is not form-encoded UTF-8 text.", rawName)
		case len(f) >= maxParameters:
			return iam.Errorf(iam.InvalidQueryParameter, "The request has more than %d parameters.", maxParameters)
		}
		if _, twice := f[name]; twice {
			return iam.Errorf(iam.InvalidQueryParameter, "The parameter %s is given more than once.", name)
		}
		f[name] = value
	}
	return nil
}

// unescape decodes form encoding: %XX, and + for a space.
func unescape(s string) (string, bool) {
	if strings.IndexByte(s, '%') < 0 {
		s = strings.ReplaceAll(s, "+", " ")
		return s, utf8.ValidString(s)
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			out = append(out, ' ')
		case '%':
			if i+2 >= len(s) || unhex(s[i+1]) < 0 || unhex(s[i+2]) < 0 {
				return "", false
			}
			out = append(out, byte(unhex(s[i+1])<<4|unhex(s[i+2])))
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return string(out), utf8.Valid(out)
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// member is one element of a list parameter: its number and what it holds, by
// the name that follows the number ("" for a list of plain values).
type member struct {
	number int
	fields form
}

// splitMember takes NAME.member.N or NAME.member.N.FIELD apart. N has one
// spelling: a leading zero would make two names of one member.
func splitMember(key string) (name string, number int, field string, ok bool) {
	name, rest, ok := strings.Cut(key, ".member.")
	if !ok {
		return "", 0, "", false
	}
	digits, field, _ := strings.Cut(rest, ".")
	number, err := strconv.Atoi(digits)
	if err != nil || number < 1 || strconv.Itoa(number) != digits {
		return "", 0, "", false
	}
	return name, number, field, true
}

// members collects a list parameter in order of its numbers. Gaps are closed:
// every member counts, whatever its number.
func (f form) members(name string) []member {
	byNumber := map[int]member{}
	for key, value := range f {
		list, number, field, ok := splitMember(key)
		if !ok || list != name {
			continue
		}
		if _, ok := byNumber[number]; !ok {
			byNumber[number] = member{number, form{}}
		}
		byNumber[number].fields[field] = value
	}
	return slices.SortedFunc(maps.Values(byNumber), func(a, b member) int { return a.number - b.number })
}

// list returns the plain values of a list parameter.
func (f form) list(name string) []string {
	var values []string
	for _, m := range f.members(name) {
		values = append(values, m.fields[""])
	}
	return values
}

// tags returns the Tags parameter.
func (f form) tags() []iam.Tag {
	var tags []iam.Tag
	for _, m := range f.members("Tags") {
		tags = append(tags, iam.Tag{Key: m.fields["Key"], Value: m.fields["Value"]})
	}
	return tags
}
