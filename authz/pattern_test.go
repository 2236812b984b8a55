package authz

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/doorward/doorward/authz/policy"
)

// TestPatternsMatchAsTheReferenceDoes compares the two matchers on texts and
// patterns from few characters, so that nearly everything nearly matches, some
// long enough for machines of several words.
func TestPatternsMatchAsTheReferenceDoes(t *testing.T) {
	const cases = 100_000
	g := newGenerator(7)
	long := strings.Repeat("a", 36)
	matched := 0
	for range cases {
		c := &Context{}
		values := []string{"", "a", "ab", "*", "é", "\xc3", "\xa9", "\xc3\xa9", "\x80\x80\x80\x80\x80", long + long}
		c.Set(policy.Username, pick(g, values...))
		c.Set(policy.UserID, pick(g, values...))
		written := g.join(8, "a", "a", "b", "/", "é", "*", "*", "?", "*?", "${aws:username}", "${aws:userid}", long)
		s := g.join(6, "a", "a", "b", "/", "é", c.one[policy.Username], c.one[policy.UserID], long)
		if g.chance(50) {
			s = g.fit(written, c)
		}
		m := matcher{request: &Request{Context: c}}
		want, _, _ := m.substitute(policy.ParsePattern(written, true, true))
		p := compilePattern(written, true, true)
		got := p.match(c, s)
		if got != glob(want, s) {
			t.Fatalf("%q against %q gives %v (username %q, userid %q)", written, s, got, c.one[policy.Username], c.one[policy.UserID])
		}
		if got {
			matched++
		}
	}
	if matched < cases/10 {
		t.Errorf("only %d of %d matched", matched, cases)
	}
}

func (g *generator) join(most int, pieces ...string) string {
	var b strings.Builder
	for range g.IntN(most + 1) {
		b.WriteString(pick(g, pieces...))
	}
	return b.String()
}

// fit makes a text that the pattern matches, unless a character is split.
func (g *generator) fit(pattern string, c *Context) string {
	s := strings.NewReplacer("${aws:username}", c.one[policy.Username], "${aws:userid}", c.one[policy.UserID]).Replace(pattern)
	for strings.Contains(s, "*") {
		s = strings.Replace(s, "*", pick(g, "", "a", "ab", "/é"), 1)
	}
	for strings.Contains(s, "?") {
		s = strings.Replace(s, "?", pick(g, "a", "b", "é"), 1)
	}
	return s
}

func TestBoundariesAreBetweenCharacters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "é", "日", "\U0001f600", "\xc3", "\xe6\x97", "\xf0\x9f\x98", "\x80", "\xff"}), 0, 10).Draw(t, "text"), "")
		between := map[int]bool{len(s): true}
		for i := range s {
			between[i] = true
		}
		for i := range len(s) + 1 {
			if isBoundary(s, i) != between[i] {
				t.Fatalf("%q at %d gives %v", s, i, !between[i])
			}
		}
	})
}

func TestAVariableThatWaitsForAFactLeavesAListOpen(t *testing.T) {
	r := &Request{Principal: callerAlice, Action: "s3:PutObject", Resource: "arn:aws:s3:::bucket/key", Context: &Context{}}
	r.Context.SetList(policy.S3RequestObjectTagKeys, []string{"a", "b"})
	r.Context.Leave(ExistingObjectTags)
	for _, row := range []struct{ operator, values, want string }{
		{"ForAnyValue:StringEquals", `"${s3:ExistingObjectTag/team}"`, "NEED s3:ExistingObjectTag/*"},
		{"ForAllValues:StringNotEquals", `"${s3:ExistingObjectTag/team}"`, "NEED s3:ExistingObjectTag/*"},
		{"ForAnyValue:StringEquals", `["${s3:ExistingObjectTag/team}","b"]`, "ALLOW identity p#0 "},
		{"ForAllValues:StringEquals", `["${s3:ExistingObjectTag/team}","b"]`, "NEED s3:ExistingObjectTag/*"},
		{"ForAllValues:StringNotEquals", `["${s3:ExistingObjectTag/team}","b"]`, "DENY identity"},
	} {
		doc := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"` + row.operator + `":{"s3:RequestObjectTagKeys":` + row.values + `}}}}`
		got, err := newEngines(Policies{Identity: one(doc)}).decide(r)
		if err != nil || tell(got) != row.want {
			t.Errorf("%s %s: got %q, %v, want %q", row.operator, row.values, tell(got), err, row.want)
		}
	}
}

func TestNoContextIsAnEmptyOne(t *testing.T) {
	r := &Request{Principal: callerAlice, Action: "s3:PutObject", Resource: "arn:aws:s3:::bucket/key"}
	doc := `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Null":{"aws:username":"true"}}}}`
	if got, err := newEngines(Policies{Identity: one(doc)}).decide(r); err != nil || got.Effect != Allow {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestLongPiecesWithSingleCharactersAreFound(t *testing.T) {
	long := strings.Repeat("ab", 100)
	for _, row := range []struct {
		pattern, text string
		want          bool
	}{
		{"*" + long + "?" + long + "*", "x" + long + "é" + long + "y", true},
		{"*" + long + "?" + long + "*", "x" + long + long + "y", false},
		{"*" + long + "?*?" + long + "*", long + "--" + long, true},
		{"*" + long + "?*?" + long + "*", long + "-" + long, false},
	} {
		p := compilePattern(row.pattern, true, true)
		if p.machine == nil || p.machine.words() < 2 {
			t.Fatal("the machine is too small for this test")
		}
		if got := p.match(&Context{}, row.text); got != row.want {
			t.Errorf("%.20s… against %.20s… gives %v", row.pattern, row.text, got)
		}
	}
}
