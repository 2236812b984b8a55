package head

import (
	"net/textproto"
	"slices"
	"strings"
	"testing"
)

func TestEveryNameIsFoundInEveryCase(t *testing.T) {
	for f := Field(1); int(f) < Fields; f++ {
		lower := names[f].lower
		for _, name := range []string{lower, textproto.CanonicalMIMEHeaderKey(lower), strings.ToUpper(lower)} {
			if got := Of(name); got != f {
				t.Errorf("%q is field %d, want %d", name, got, f)
			}
			if got := Lower([]byte(name)); (got == f) != (name == lower) || got != f && got != 0 {
				t.Errorf("%q in lower case is field %d, want it only of %q", name, got, lower)
			}
		}
		if misspelt := strings.ReplaceAll(lower, "-", "_"); misspelt != lower {
			if got := Of(strings.ToUpper(misspelt)); got != f|Misspelt {
				t.Errorf("%q is field %x, want %x", misspelt, got, f|Misspelt)
			}
			if got := Lower([]byte(misspelt)); got != 0 {
				t.Errorf("%q in lower case is field %d, want none", misspelt, got)
			}
		}
		if Amz.Has(f) != strings.HasPrefix(lower, "x-amz-") {
			t.Errorf("%q: whether it is one of x-amz- is %v", lower, Amz.Has(f))
		}
		for i := range lower {
			for _, c := range []byte{lower[i] ^ 1, lower[i] ^ 0x80, 0} {
				if other := lower[:i] + string(c) + lower[i+1:]; Of(other) == f || Lower([]byte(other)) == f {
					t.Errorf("%q is taken for %q", other, lower)
				}
			}
		}
	}
}

func TestOtherNamesAreNoField(t *testing.T) {
	for _, name := range []string{"", "x", "hos", "hostt", "ho\u017ft", "x-amz-meta-a", "Connection", "x-amz-", "-", "_", strings.Repeat("a", 1000)} {
		if Of(name) != 0 || Lower([]byte(name)) != 0 {
			t.Errorf("%q is field %d", name, Of(name))
		}
	}
	if got := Read(nil, []Header{{"Host", "a"}, {"Connection", "b"}, {"x_amz-date", "c"}}); !slices.Equal(got, []Field{Host, 0, AmzDate | Misspelt}) {
		t.Errorf("got %v", got)
	}
}

// FuzzOf compares the table with the plain way of finding a name.
func FuzzOf(f *testing.F) {
	f.Add("Host")
	f.Add("X-Amz_Date")
	f.Fuzz(func(t *testing.T, name string) {
		want := Field(0)
		for field := Field(1); int(field) < Fields; field++ {
			lower := names[field].lower
			fold := strings.Map(func(r rune) rune {
				if 'A' <= r && r <= 'Z' {
					return r + 'a' - 'A'
				}
				return r
			}, name)
			switch {
			case len(name) != len(lower):
			case fold == lower:
				want = field
			case spelled(name, lower):
				want = field | Misspelt
			}
		}
		if got := Of(name); got != want {
			t.Errorf("%q is field %x, want %x", name, got, want)
		}
	})
}

// spelled reports whether name is want but for its case and for _ in place of -.
func spelled(name, want string) bool {
	for i := range len(want) {
		if c := name[i]; !strings.EqualFold(string(rune(c)), string(rune(want[i]))) && (c != '_' || want[i] != '-') || c >= 0x80 {
			return false
		}
	}
	return true
}
