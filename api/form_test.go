package api

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/iam"
)

func TestFormParsing(t *testing.T) {
	for _, row := range []struct {
		name, text string
		want       form // nil: refused
	}{
		{"an empty text has no parameters", "", form{}},
		{"a plus is a space and %2B a plus", "V=v+w%2Bx", form{"V": "v w+x"}},
		{"names are decoded as well", "Tags.member.1.Ke%79=k", form{"Tags.member.1.Key": "k"}},
		{"a missing equals sign is an empty value", "TagKeys&A=1", form{"TagKeys": "", "A": "1"}},
		{"doubled ampersands mean nothing", "&&A=1&", form{"A": "1"}},
		{"a value may hold equals signs", "A=b=c", form{"A": "b=c"}},
		{"a semicolon is data", "A=1;B=2", form{"A": "1;B=2"}},
		{"a parameter that comes twice is refused", "A=1&A=1", nil},
		{"a parameter that comes twice in two spellings is refused", "A=1&%41=2", nil},
		{"a cut escape is refused", "A=%4", nil},
		{"an escape that is no number is refused", "A=%zz", nil},
		{"broken UTF-8 is refused", "A=%ff", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := form{}
			err := got.parse(row.text)
			if row.want == nil {
				if !errors.Is(err, &iam.Error{Code: iam.InvalidQueryParameter}) {
					t.Fatalf("parse(%q) = %v, %v; want a refusal", row.text, got, err)
				}
				return
			}
			if diff := cmp.Diff(row.want, got); err != nil || diff != "" {
				t.Fatalf("parse(%q): %v\n%s", row.text, err, diff)
			}
		})
	}
}

func TestTooManyParametersAreRefused(t *testing.T) {
	var b strings.Builder
	for i := range maxParameters + 1 {
		b.WriteString(listName("A", i, "") + "=&")
	}
	if err := (form{}).parse(b.String()); err == nil {
		t.Fatal("parse took more parameters than maxParameters")
	}
}

func TestMembersCountWhateverTheirNumbers(t *testing.T) {
	f := form{
		"L.member.7": "c", "L.member.1": "a", "L.member.2": "b", "L.member.01": "spelt otherwise",
		"L.member.0": "none", "L.member.-1": "none", "Lx.member.1": "another", "L.member.x": "none",
	}
	if got := f.list("L"); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("list = %q", got)
	}
}

// FuzzForm holds the parser to the standard library on what both accept, and to
// its own rules on the rest.
func FuzzForm(f *testing.F) {
	f.Add("Action=CreateUser&Version=2010-05-08&Path=%2Feng%2F&UserName=alice&Tags.member.1.Key=k&Tags.member.1.Value=v+w")
	f.Add("A=1&A=2&%41=3&=&B")
	f.Add("ContextEntries.member.1.ContextKeyValues.member.2=%C3%BC")
	f.Fuzz(func(t *testing.T, text string) {
		got := form{}
		err := got.parse(text)
		for name, value := range got {
			if !utf8.ValidString(name) || !utf8.ValidString(value) {
				t.Fatalf("parse(%q) let broken UTF-8 through: %q=%q", text, name, value)
			}
			got.members(name)
		}
		if err != nil {
			return
		}
		want, err := url.ParseQuery(text)
		if err != nil {
			return // the library takes no semicolons
		}
		if !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
			t.Fatalf("parse(%q) = %v, net/url %v", text, got, want)
		}
		for name, value := range got {
			if len(want[name]) != 1 || want[name][0] != value {
				t.Fatalf("parse(%q)[%q] = %q, net/url %q", text, name, value, want[name])
			}
		}
	})
}

func TestDocumentsAreEncodedByRFC3986(t *testing.T) {
	const document = `{"a": "b+c/d~e_f-g.h*%"}` + "\n\u00ff"
	encoded := encodeDocument(document)
	if strings.ContainsAny(encoded, "+ /*\"") {
		t.Errorf("encoded text holds reserved characters: %s", encoded)
	}
	if decoded, err := url.PathUnescape(encoded); err != nil || decoded != document {
		t.Errorf("decoded to %q, %v", decoded, err)
	}
}
