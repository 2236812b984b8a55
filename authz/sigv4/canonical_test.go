package sigv4

import (
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/iam"
	"pgregory.net/rapid"
)

// canonicalOf runs the fast canonicaliser over a request whose signed headers are
// names.
func canonicalOf(r Request, service Service, keepDots bool, names []string, payload string) (string, error) {
	h := newHasher()
	path, ok := h.readHead(&r)
	if !ok {
		return "", invalidURI()
	}
	c := Credential{req: &r, kind: HeaderSigned, query: service != S3, keepDots: keepDots,
		signedHeaders: strings.Join(names, ";"), payload: payload}
	err := h.canonicalise(&c, path)
	return string(h.canonical), err
}

// Generators of what clients put on the wire, and of what nobody should.
var (
	genEncoded = rapid.Custom(func(t *rapid.T) string {
		piece := rapid.OneOf(
			rapid.StringMatching(`[A-Za-z0-9\-._~]{0,12}`),
			rapid.StringMatching(`%[0-9A-Fa-f]{2}`),
			rapid.SampledFrom([]string{"+", ";", "=", "//", "/./", "/../", "%2F", "%2f", "%7e", "%20", "*", "'", "(", "!", ":", "@", "ü", "\x80", "$", ",", "[", "#"}),
		)
		return strings.Join(rapid.SliceOfN(piece, 0, 6).Draw(t, "pieces"), "")
	})
	genQuery = rapid.Custom(func(t *rapid.T) string {
		pair := rapid.Custom(func(t *rapid.T) string {
			name := genEncoded.Draw(t, "name")
			if rapid.Bool().Draw(t, "bare") {
				return name
			}
			return name + "=" + genEncoded.Draw(t, "value")
		})
		return strings.Join(rapid.SliceOfN(pair, 0, 20).Draw(t, "pairs"), "&")
	})
	genHeader = rapid.Custom(func(t *rapid.T) Header {
		return Header{
			Name:  rapid.SampledFrom([]string{"Host", "host", "X-Amz-Date", "x-amz-meta-a", "X-AMZ-META-A", "Content-Type", "range", "x-amz-acl"}).Draw(t, "name"),
			Value: rapid.StringMatching(`[ \t]{0,3}[a-z"]{0,3}[ \t]{0,3}[a-z",]{0,3}[ \t]{0,3}`).Draw(t, "value"),
		}
	})
)

// TestCanonicalRequestEqualsReference compares the fast canonicaliser with the
// obvious one in client_test.go over random requests.
func TestCanonicalRequestEqualsReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Request{
			Method:  rapid.SampledFrom([]string{"GET", "PUT", "DELETE"}).Draw(t, "method"),
			Target:  "/" + strings.ReplaceAll(genEncoded.Draw(t, "path"), "?", "") + "?" + genQuery.Draw(t, "query"),
			Headers: rapid.SliceOfN(genHeader, 0, 10).Draw(t, "headers"),
		}
		names := signedNames(r.Headers, []string{"content-type", "x-amz-date"})
		service := rapid.SampledFrom([]Service{S3, S3, STS}).Draw(t, "service")
		keepDots := rapid.Bool().Draw(t, "keep dots")
		r.Body = HashBody(nil)
		want := canonicalRequest(r, service, keepDots, names, emptyHash)
		got, err := canonicalOf(r, service, keepDots, names, emptyHash)
		if err != nil || got != want {
			t.Fatalf("%s %v:\ngot  %q, %v\nwant %q", r.Target, r.Headers, got, err, want)
		}
	})
}

// TestCanonicalQuery shows each rule of the query with its smallest example.
func TestCanonicalQuery(t *testing.T) {
	for _, row := range []struct{ name, query, want string }{
		{"an empty query is empty", "", ""},
		{"a subresource without = gets one", "acl", "acl="},
		{"an empty value keeps its =", "acl=", "acl="},
		{"names are sorted", "b=1&a=2", "a=2&b=1"},
		{"a shorter name comes first although = sorts behind -", "a-=1&a=2", "a=2&a-=1"},
		{"repeated names are all kept, sorted by value", "a=2&a=1&a=2", "a=1&a=2&a=2"},
		{"sorting is by the encoded text", "b=%C3%A9&b=z", "b=%C3%A9&b=z"},
		{"a plus sign is a plus sign", "a=x+y", "a=x%2By"},
		{"an encoded space stays one", "a=x%20y", "a=x%20y"},
		{"lower-case hexadecimal becomes upper-case", "a=%c3%a9", "a=%C3%A9"},
		{"an unreserved character is decoded", "%61=%7e", "a=~"},
		{"a slash is encoded", "prefix=a/b", "prefix=a%2Fb"},
		{"a semicolon separates nothing", "a=1;b=2", "a=1%3Bb%3D2"},
		{"= within a value is encoded", "a=b=c", "a=b%3Dc"},
		{"an empty name is kept", "=v", "=v"},
		{"an empty name with two =", "=a=b", "=a%3Db"},
		{"empty pieces vanish", "&&a=1&", "a=1"},
		{"raw UTF-8 is encoded", "ü=1", "%C3%BC=1"},
		{"the signature is left out", "a=1&X-Amz-Signature=0&z=2", "a=1&z=2"},
		{"the signature is left out however it is spelt", "a=1&X%2DAmz-Signature=0", "a=1"},
		{"a longer name than the signature's is not", "X-Amz-Signature2=0", "X-Amz-Signature2=0"},
	} {
		h := newHasher()
		if ok := h.scanQuery(row.query, new(params)); !ok {
			t.Errorf("%s: %q is refused", row.name, row.query)
		}
		if got := string(h.appendQuery(nil)); got != row.want {
			t.Errorf("%s: %q became %q, want %q", row.name, row.query, got, row.want)
		}
	}
	for _, broken := range []string{"%", "a=%", "a=%2", "a=%zz", "%4=a", "a=1&b=%G0"} {
		if newHasher().scanQuery(broken, new(params)) {
			t.Errorf("broken encoding %q is accepted", broken)
		}
	}
}

// TestCanonicalPath shows that S3 paths are never cleaned, and others are.
func TestCanonicalPath(t *testing.T) {
	for _, row := range []struct{ name, path, s3, generic string }{
		{"empty", "", "/", "/"},
		{"root", "/", "/", "/"},
		{"double slash", "//a//b//", "//a//b//", "/a/b/"},
		{"dot segments", "/a/./b/../c", "/a/./b/../c", "/a/c"},
		{"dots above the root", "/../a", "/../a", "/a"},
		{"encoded dots are text", "/a/%2e%2E/b", "/a/../b", "/a/%252e%252E/b"},
		{"encoded slash", "/a%2Fb", "/a/b", "/a%252Fb"},
		{"space and unicode", "/a%20b/%c3%bc", "/a%20b/%C3%BC", "/a%2520b/%25c3%25bc"},
		{"unreserved", "/%7Euser/a-b_c.d", "/~user/a-b_c.d", "/%257Euser/a-b_c.d"},
		{"reserved characters", "/a+b=c&d:e@f!g*", "/a%2Bb%3Dc%26d%3Ae%40f%21g%2A", "/a%2Bb%3Dc%26d%3Ae%40f%21g%2A"},
		{"percent sign", "/100%25", "/100%25", "/100%2525"},
	} {
		if got := string(appendPathS3(nil, row.path)); got != row.s3 {
			t.Errorf("%s: S3 path %q became %q, want %q", row.name, row.path, got, row.s3)
		}
		if got := string(appendPathGeneric(nil, row.path, false)); got != row.generic {
			t.Errorf("%s: path %q became %q, want %q", row.name, row.path, got, row.generic)
		}
	}
	if got := appendPathS3(nil, "/%zz"); got != nil {
		t.Errorf("broken encoding became %q", got)
	}
}

// TestSplitTarget shows the forms of a request-target.
func TestSplitTarget(t *testing.T) {
	for _, row := range []struct{ target, path, query string }{
		{"/a?b", "/a", "b"},
		{"/a?b?c", "/a", "b?c"},
		{"/a", "/a", ""},
		{"//a/?", "//a/", ""},
		{"/a://b", "/a://b", ""},
		{"http://host/a?b", "/a", "b"},
		{"http://host", "", ""},
		{"http://host?b", "", "b"},
		{"*", "*", ""},
	} {
		if path, query := splitTarget(row.target); path != row.path || query != row.query {
			t.Errorf("%q: got %q and %q, want %q and %q", row.target, path, query, row.path, row.query)
		}
	}
}

// TestDates compares the reader of X-Amz-Date with package time.
func TestDates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[0-9]{4}[01][0-9][0-3][0-9]T[0-2][0-9][0-6][0-9][0-6][0-9]Z`).Draw(t, "date")
		want, err := time.Parse("20060102T150405Z", text)
		got, ok := parseBasicISO(text)
		if ok != (err == nil) || ok && got != iam.At(want) {
			t.Fatalf("%s: got %d %v, want %v %v", text, got, ok, want, err)
		}
	})
	good := "20191231T235959Z"
	for at := range len(good) {
		for c := range 256 {
			text := good[:at] + string([]byte{byte(c)}) + good[at+1:]
			want, err := time.Parse(basicISO, text)
			if got, ok := parseBasicISO(text); ok != (err == nil) || ok && got != iam.At(want) {
				t.Errorf("%q: got %d %v, want %v %v", text, got, ok, want, err)
			}
		}
	}
	for _, bad := range []string{"", "20150830T123600", "2015083-T123600Z", "20150830t123600Z", "20150830T12360/Z", "20150830T12360:Z", "20150229T000000Z", "20150830T123600Z "} {
		if _, ok := parseBasicISO(bad); ok {
			t.Errorf("%q is accepted", bad)
		}
	}
}
