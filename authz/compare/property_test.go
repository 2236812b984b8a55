package compare

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/policy"
)

// cases is how many pairs of documents a property is tried on.
func cases(t *testing.T, n string) {
	before := flag.Lookup("rapid.checks").Value.String()
	if testing.Short() {
		n = "200"
	}
	flag.Set("rapid.checks", n)
	t.Cleanup(func() { flag.Set("rapid.checks", before) })
}

// The tiny world: documents over few actions, letters and condition keys, so that
// all that they can tell apart is seen by trying.
var (
	tinyActions    = []string{"s3:GetObject", "s3:PutObject", "iam:GetUser"}
	tinyPatterns   = []string{"s3:GetObject", "s3:PutObject", "s3:*", "*", "s3:?etObject", "s3:*tObject", "iam:*"}
	tinyPieces     = []string{"a", "b", "/", "*", "?", "a", "b"}
	tinyConditions = []string{
		"'StringEquals':{'s3:prefix':'a'}", "'StringLike':{'s3:prefix':'a*'}", "'StringNotEquals':{'s3:prefix':['a','b']}",
		"'StringNotLike':{'s3:prefix':'?'}", "'StringEqualsIfExists':{'s3:prefix':'b'}", "'Null':{'s3:prefix':'true'}", "'Null':{'s3:prefix':'false'}",
		"'IpAddress':{'aws:SourceIp':'10.0.0.0/8'}", "'NotIpAddress':{'aws:SourceIp':'10.0.0.0/9'}", "'IpAddressIfExists':{'aws:SourceIp':'10.1.0.0/16'}",
		"'ForAnyValue:StringEquals':{'aws:TagKeys':'a'}", "'ForAllValues:StringEquals':{'aws:TagKeys':['a','b']}", "'ForAllValues:StringNotEquals':{'aws:TagKeys':'a'}",
		"'ForAnyValue:StringNotEquals':{'aws:TagKeys':'a'}", "'StringEquals':{'aws:TagKeys':'b'}", "'Null':{'aws:TagKeys':'true'}",
		"'NumericLessThan':{'s3:max-keys':'10'}", "'NumericGreaterThanEquals':{'s3:max-keys':'9.5'}", "'NumericNotEquals':{'s3:max-keys':'10'}",
		"'StringEquals':{'s3:prefix':'${aws:username}'}", "'StringNotLike':{'s3:prefix':'${aws:username}*'}", "'StringEquals':{'aws:username':'a'}",
	}
	tinyContexts = []Fact{
		{Key: "s3:prefix", Values: []string{"", "a", "b", "ab"}},
		{Key: "aws:SourceIp", Values: []string{"10.0.0.1", "10.1.0.1", "10.200.0.1", "11.0.0.1"}},
		{Key: "s3:max-keys", Values: []string{"9", "9.7", "10", "11"}},
		{Key: "aws:username", Values: []string{"a", "b"}},
		{Key: "aws:TagKeys", List: true, Values: []string{"", "a", "b", "c", "a,b", "a,c"}},
	}
)

func drawTail(t *rapid.T, variables bool) string {
	pieces := tinyPieces
	if variables {
		pieces = append([]string{"${aws:username}", "${aws:username, ^a^}", "${aws:username}"}, pieces...)
	}
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 1, 4).Draw(t, "tail"), "")
}

func drawResource(t *rapid.T, variables bool) string {
	switch rapid.IntRange(0, 9).Draw(t, "resource") {
	case 0:
		return "'*'"
	case 1:
		return "'arn:aws:s3:*'"
	}
	return "'arn:aws:s3:::" + drawTail(t, variables) + "'"
}

func drawNot(t *rapid.T) string {
	if rapid.IntRange(0, 5).Draw(t, "not") == 0 {
		return "Not"
	}
	return ""
}

func drawStatement(t *rapid.T, variables bool) string {
	effect := rapid.SampledFrom([]string{"Allow", "Allow", "Deny"}).Draw(t, "effect")
	resources := []string{}
	for range rapid.IntRange(1, 2).Draw(t, "resources") {
		resources = append(resources, drawResource(t, variables))
	}
	actions := "'" + strings.Join(rapid.SliceOfN(rapid.SampledFrom(tinyPatterns), 1, 2).Draw(t, "actions"), "','") + "'"
	st := fmt.Sprintf("{'Effect':'%s','%sAction':[%s],'%sResource':[%s]", effect, drawNot(t), actions, drawNot(t), strings.Join(resources, ","))
	byOperator := map[string]string{}
	for range max(0, rapid.IntRange(-1, 2).Draw(t, "conditions")) {
		c := rapid.SampledFrom(tinyConditions).Draw(t, "condition")
		if variables || !strings.Contains(c, "${") {
			operator, _, _ := strings.Cut(c, ":{")
			byOperator[operator] = c
		}
	}
	var conditions []string
	for _, c := range byOperator {
		conditions = append(conditions, c)
	}
	if len(conditions) > 0 {
		st += ",'Condition':{" + strings.Join(conditions, ",") + "}"
	}
	return st + "}"
}

// drawPair draws a document, and another that is often nearly the same.
func drawPair(t *rapid.T, variables bool) (old, new string) {
	draw := func() []string {
		var list []string
		for range rapid.IntRange(1, 3).Draw(t, "statements") {
			list = append(list, drawStatement(t, variables))
		}
		return list
	}
	a := draw()
	b := draw()
	switch rapid.IntRange(0, 3).Draw(t, "kinship") {
	case 0:
		b = append(b, a...)
	case 1:
		b = append(append([]string{}, a[1:]...), b[0])
	case 2:
		changed := strings.Replace(a[0], s3ARN, s3ARN+rapid.SampledFrom(tinyPieces).Draw(t, "change"), 1)
		b = append([]string{changed}, a[1:]...)
	}
	return strings.Join(a, ","), strings.Join(b, ",")
}

// tinyRequests are all requests of the tiny world in which the documents' keys
// take all values, thinned out to about a thousand.
func tinyRequests(documents string, visit func(*authz.Request)) {
	contexts := [][]Fact{nil}
	for _, f := range tinyContexts {
		if !strings.Contains(documents, f.Key) {
			continue
		}
		var more [][]Fact
		for _, c := range contexts {
			more = append(more, c)
			for _, v := range f.Values {
				values := []string{v}
				if f.List {
					values = strings.FieldsFunc(v, func(r rune) bool { return r == ',' })
				}
				more = append(more, append(append([]Fact{}, c...), Fact{f.Key, values, f.List}))
			}
		}
		contexts = more
	}
	n := 0
	stride := max(1, len(tinyActions)*len(tinyResources)*len(contexts)/1000)
	if stride > 1 {
		stride |= 1 // so that it does not fall into step with a dimension
	}
	for _, c := range contexts {
		for _, resource := range tinyResources {
			for _, action := range tinyActions {
				if n++; n%stride == 0 {
					w := Witness{Principal: someUser, Action: action, Resource: resource, Context: c}
					visit(w.Request())
				}
			}
		}
	}
}

var tinyResources = func() []string {
	out := []string{"*", "arn:aws:iam::000000000000:user/a"}
	level := []string{""}
	for range 3 {
		var next []string
		for _, s := range level {
			for _, c := range []string{"a", "b", "/"} {
				next = append(next, s+c)
				out = append(out, s3ARN+s+c)
			}
		}
		level = next
	}
	return out
}()

// holdToTrying compares two documents and holds the result to all requests of the
// tiny world, decided by the compiled engine.
func holdToTrying(t *rapid.T, old, new *policy.Document) Result {
	r := Compare(old, new)
	confirm(t, r, old, new)
	compiler := authz.NewCompiler()
	before, after := compiler.Authority(asIdentity(old)), compiler.Authority(asIdentity(new))
	level := func(d authz.Decision) int {
		switch {
		case d.Allowed():
			return 2
		case d.Explicit:
			return 0
		}
		return 1
	}
	tinyRequests(string(policy.Print(old))+string(policy.Print(new)), func(request *authz.Request) {
		a, b := level(before.Decide(request, nil)), level(after.Decide(request, nil))
		if a < b && (r.Verdict == Equal || r.Verdict == Narrower) || a > b && (r.Verdict == Equal || r.Verdict == Wider) {
			t.Fatalf("%v, but %s on %s with %+v is %d and was %d\n%s%s", r.Verdict, request.Action, request.Resource, request.Context, b, a, policy.Print(old), policy.Print(new))
		}
	})
	return r
}

func TestVerdictsAgreeWithTrying(t *testing.T) {
	cases(t, "1500")
	seen := map[Verdict]int{}
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawPair(t, false)
		old, new := document(t, policy.Identity, a), document(t, policy.Identity, b)
		r := holdToTrying(t, old, new)
		if r.Verdict == Unknown {
			t.Fatalf("without variables nothing is unknown: %s\n%s\n%s", r.Reason, a, b)
		}
		seen[r.Verdict]++
	})
	for v := Equal; v <= Incomparable; v++ {
		if seen[v] == 0 {
			t.Errorf("no pair was %v: %v", v, seen)
		}
	}
	t.Log(seen)
}

func TestVerdictsWithVariablesAgreeWithTrying(t *testing.T) {
	cases(t, "500")
	seen := map[Verdict]int{}
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawPair(t, true)
		seen[holdToTrying(t, document(t, policy.Identity, a), document(t, policy.Identity, b)).Verdict]++
	})
	t.Log(seen)
}

// FuzzCompare holds comparisons of any two texts to their witnesses, and to their
// own mirror image.
func FuzzCompare(f *testing.F) {
	for _, row := range comparisons[:40] {
		f.Add(strings.ReplaceAll(row.old, "'", `"`), strings.ReplaceAll(row.new, "'", `"`))
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		old, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[`+a+`]}`), policy.Identity)
		if err != nil {
			return
		}
		new, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[`+b+`]}`), policy.Identity)
		if err != nil {
			return
		}
		r := Compare(old, new)
		confirm(t, r, old, new)
		if back := Compare(new, old); back.Verdict != mirrored[r.Verdict] && back.Verdict != Unknown && r.Verdict != Unknown {
			t.Errorf("%v one way and %v the other", r.Verdict, back.Verdict)
		}
	})
}
