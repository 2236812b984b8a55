package policy

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func TestNumbersCompareByValue(t *testing.T) {
	for _, row := range []struct {
		a, b string
		want int
	}{
		{"10", "10.0", 0}, {"10", "010", 0}, {"+1", "1", 0}, {"-0", "0", 0}, {".5", "0.50", 0}, {"5.", "5", 0},
		{"9", "10", -1}, {"1.2", "1.19", 1}, {"1.2", "1.25", -1}, {"-1", "1", -1}, {"1", "-1", 1}, {"-10", "-9", -1}, {"-1.5", "-1.25", -1},
		{"9007199254740993", "9007199254740992", 1}, {"100000000000000000000000", "99999999999999999999999", 1},
	} {
		a, aOK := ParseNumber(row.a)
		b, bOK := ParseNumber(row.b)
		if got := a.Compare(b); !aOK || !bOK || got != row.want || b.Compare(a) != -row.want {
			t.Errorf("%s against %s gives %d, want %d", row.a, row.b, got, row.want)
		}
	}
	for _, s := range []string{"", "-", "+", ".", "1e3", "0x10", "1,5", " 1", "1 ", "--1", "1.2.3", "١"} {
		if _, ok := ParseNumber(s); ok {
			t.Errorf("%q was read as a number", s)
		}
	}
}

func TestDatesCompareAsInstants(t *testing.T) {
	same := [][]string{
		{"2024-05-20T10:13:20Z", "1716200000", "2024-05-20T12:13:20+02:00", "2024-05-20T04:43:20-05:30", "2024-05-20T10:13:20.000Z", "2024-05-20T10:13:20", "2024-05-20T12:13:20+0200"},
		{"2024-05-20", "2024-05-20T00:00Z", "2024-05-20T00:00:00Z"},
		{"2024-05", "2024-05-01"},
		{"1970-01-01T00:00:00Z", "0"},
		{"1969-12-31T23:59:59Z", "-1"},
		{"2024-02-29T23:59:59.123456789123Z", "2024-02-29T23:59:59.123456789Z"},
	}
	for _, group := range same {
		first, _ := ParseDate(group[0])
		for _, s := range group {
			if got, ok := ParseDate(s); !ok || got.Compare(first) != 0 {
				t.Errorf("%s is not %s", s, group[0])
			}
		}
	}
	early, _ := ParseDate("2024-05-20T10:13:20.5Z")
	late, _ := ParseDate("2024-05-20T10:13:20.51Z")
	later, _ := ParseDate("1716200001")
	if early.Compare(late) != -1 || late.Compare(early) != 1 || late.Compare(later) != -1 || later.Compare(early) != 1 {
		t.Error("dates are out of order")
	}
	for _, s := range []string{"", "-", "yesterday", "2024", "99999999999999999999", "2024-13-01", "2024-02-30", "2023-02-29", "2024-05-20T24:00:00Z", "2024-05-20T10:60Z", "2024-05-20T10:00:60Z", "2024-05-20 10:00:00Z", "2024-05-20T10Z", "2024-05-20T10:00:00.Z", "2024-05-20T10:00:00X", "2024-05-20T10:00:00+2", "2024-05-20T10:00:00+24:00", "2024-05-20T10:00:00ZZ", "24-05-20", "2024/05/20"} {
		if got, ok := ParseDate(s); ok != (s == "2024") {
			t.Errorf("%q was read as %v, %v", s, got, ok)
		}
	}
}

func TestAddressesAndRanges(t *testing.T) {
	for _, row := range []struct {
		cidr, ip string
		want     bool
	}{
		{"10.1.2.3/8", "10.255.0.1", true}, {"10.0.0.0/8", "11.0.0.0", false}, {"192.0.2.1", "192.0.2.1", true}, {"192.0.2.1", "192.0.2.2", false},
		{"0.0.0.0/0", "203.0.113.7", true}, {"0.0.0.0/0", "2001:db8::1", false}, {"::/0", "203.0.113.7", false}, {"::/0", "2001:db8::1", true},
		{"2001:DB8:0:0::/32", "2001:db8::1", true}, {"0.0.0.0/0", "::ffff:203.0.113.7", false},
	} {
		p, ok := ParseCIDR(row.cidr)
		ip, ok2 := ParseIP(row.ip)
		if !ok || !ok2 || p.Contains(ip) != row.want {
			t.Errorf("%s contains %s: want %v", row.cidr, row.ip, row.want)
		}
	}
	for _, s := range []string{"", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "fe80::1%eth0", "fe80::%eth0/64", "a.b.c.d", "010.0.0.1"} {
		if _, ok := ParseCIDR(s); ok {
			t.Errorf("%q was read as a range", s)
		}
	}
}

func TestBinaryIsStrictBase64(t *testing.T) {
	if b, ok := ParseBinary("AAECAwQ="); !ok || string(b) != "\x00\x01\x02\x03\x04" {
		t.Errorf("got %x, %v", b, ok)
	}
	for _, s := range []string{"A", "AAECAwQ", "AAECAwR=", "AAEC\nAwQ=", "AAEC_wQ="} {
		if _, ok := ParseBinary(s); ok {
			t.Errorf("%q was read as base64", s)
		}
	}
}

func TestOperatorsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		op := Operator{
			Quantifier: Quantifier(rapid.IntRange(0, 2).Draw(t, "quantifier")),
			Comparison: Comparison(rapid.IntRange(0, int(Null)-1).Draw(t, "comparison")),
			IfExists:   rapid.Bool().Draw(t, "if exists"),
		}
		if got, ok := ParseOperator(op.String()); !ok || got != op {
			t.Fatalf("%s reads %v, %v", op, got, ok)
		}
		if op.Comparison.Negated() != (len(op.Comparison.String()) > 3 && contains([]string{"StringNotEquals", "StringNotEqualsIgnoreCase", "StringNotLike", "NumericNotEquals", "DateNotEquals", "NotIpAddress", "ArnNotEquals", "ArnNotLike"}, op.Comparison.String())) {
			t.Fatalf("%s: negated is %v", op, op.Comparison.Negated())
		}
	})
	if got, ok := ParseOperator("Null"); !ok || got.Comparison.Family() != NullFamily || got.Comparison.HasVariables() {
		t.Errorf("Null reads %v, %v", got, ok)
	}
}

func TestPatternsComeApart(t *testing.T) {
	lit := func(s string) Part { return Part{Text: s} }
	any, one := Part{Kind: Any}, Part{Kind: One}
	user := Part{Kind: Variable, Text: "aws:username"}
	withDefault := func(d string) Part {
		return Part{Kind: Variable, Text: "aws:username", Default: d, HasDefault: true}
	}
	for _, row := range []struct {
		text                 string
		wildcards, variables bool
		want                 Pattern
	}{
		{"", true, true, nil},
		{"a*b?c", true, true, Pattern{lit("a"), any, lit("b"), one, lit("c")}},
		{"a*b?c", false, true, Pattern{lit("a*b?c")}},
		{"**", true, true, Pattern{any, any}},
		{"h/${aws:username}/*", true, true, Pattern{lit("h/"), user, lit("/"), any}},
		{"h/${aws:username}/*", true, false, Pattern{lit("h/${aws:username}/"), any}},
		{"${*}${?}${$}{x}", true, true, Pattern{lit("*?${x}")}},
		{"${*}", true, false, Pattern{lit("${"), any, lit("}")}},
		{"${aws:username, 'a}b'}c", true, true, Pattern{withDefault("a}b"), lit("c")}},
		{"${aws:username, ''}", true, true, Pattern{withDefault("")}},
		{"${aws:username, 'it's'}", true, true, Pattern{withDefault("it's")}},
		{"${aws:username,'x'}", true, true, Pattern{{Kind: Variable, Text: "aws:username,'x'"}}},
		{"${}x, 'y'}", true, true, Pattern{{Kind: Variable}, lit("x, 'y'}")}},
		{"${aws:username", true, true, Pattern{lit("${aws:username")}},
		{"${aws:username, 'x}", true, true, Pattern{lit("${aws:username, 'x}")}},
		{"$x$", true, true, Pattern{lit("$x$")}},
		{"${a, '${b}'}", true, true, Pattern{{Kind: Variable, Text: "a", Default: "${b}", HasDefault: true}}},
	} {
		if got := ParsePattern(row.text, row.wildcards, row.variables); !reflect.DeepEqual(got, row.want) {
			t.Errorf("%q (%v, %v): got %+v, want %+v", row.text, row.wildcards, row.variables, got, row.want)
		}
	}
}

func TestKeysAndActionsAreTables(t *testing.T) {
	for k := range Keys {
		info := k.Info()
		if got, ok := KeyOf(info.Name); !ok || got != k || k.String() != info.Name {
			t.Errorf("key %d is named %q", k, info.Name)
		}
	}
	if f, tag, ok := TagOf("AWS:principaltag/Team/x"); !ok || f != PrincipalTag || tag != "Team/x" || f.Prefix() != "aws:PrincipalTag/" || !f.FoldsCase() || S3ExistingObjectTag.FoldsCase() {
		t.Errorf("got %v, %q, %v", f, tag, ok)
	}
	for _, name := range []string{"aws:PrincipalTag/", "aws:PrincipalTag", "aws:Nothing"} {
		if _, _, ok := TagOf(name); ok {
			t.Errorf("%s was read as a tag", name)
		}
		if _, ok := KeyOf(name); ok {
			t.Errorf("%s was read as a key", name)
		}
	}
	seen := map[string]bool{}
	for _, a := range S3Actions {
		if seen[a.Name] || len(a.Name) < 5 {
			t.Errorf("%q is in the table twice", a.Name)
		}
		seen[a.Name] = true
	}
}

func TestKindsAreNamed(t *testing.T) {
	if got := Identity.String() + Session.String() + Boundary.String() + Resource.String() + Trust.String() + ServiceControl.String(); got != "identitysessionboundarybuckettrustservice control" {
		t.Error(got)
	}
}

func TestEveryComparisonHasAFamily(t *testing.T) {
	want := map[Family]int{StringFamily: 6, NumericFamily: 6, DateFamily: 6, BoolFamily: 1, BinaryFamily: 1, IPFamily: 2, ARNFamily: 4, NullFamily: 1}
	got := map[Family]int{}
	for c := StringEquals; c <= Null; c++ {
		got[c.Family()]++
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for version, want := range map[string]bool{"": false, Version2008: false, Version2012: true} {
		if d := (Document{Version: Text{Value: version}}); d.HasVariables() != want {
			t.Errorf("version %q has variables: %v", version, !want)
		}
	}
}
