package authz

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/iam"
)

// generator makes requests and policies that are nearly about each other: most
// patterns and values are made from the request by changing little, so that the
// evaluators have to agree on the last byte.
type generator struct {
	*rand.Rand
	request *Request
	values  map[string][]string // of the request's context, by key
	lists   map[string]bool
}

func newGenerator(seed uint64) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, 1))}
}

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

var (
	buckets   = []string{"a", "ab", "abc", "team-yellow", "team-yello", "team-yellowx", "logs.example.com", "b*", "", "é", "a:b"}
	userNames = []string{"alice", "alic", "alicex", "Alice", "al*", "a?e", "*", "", "é", "日本", "a/b", "\xff", "\xc3", "\xa9", "a:b", "x}y", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"}
	pieces    = []string{"home", "/", "/", "//", "%2F", "..", ".", "a", "aa", "ab", "é", "日", "\xff", "\xe6\x97", "*", "?", "${", "}", "$", "${aws:username}", "\n", " ", "x", "X", ":", "alice", "2024"}
	actions   = []string{"s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:ListBucket", "s3:ListAllMyBuckets", "s3:DeleteObject", "s3:getobject", "S3:GETOBJECT", "s3:GetObjects", "s3:PutObjectTagging", "iam:CreateUser", "s3-object-lambda:GetObject", "sts:AssumeRole", "s3:GetObjectÉ"}
	account   = []iam.AccountID{"111122223333", "444455556666"}
)

func (g *generator) text(max int) string {
	var b strings.Builder
	for range g.IntN(max + 1) {
		b.WriteString(pick(g, pieces...))
	}
	return b.String()
}

// newRequest makes the request that the policies will be about.
func (g *generator) newRequest() *Request {
	r := &Request{Action: pick(g, actions...), Context: &Context{}}
	g.request = r
	g.principal()
	switch {
	case r.Action == "s3:ListAllMyBuckets" && g.chance(80), g.chance(2):
		r.Resource = "*"
	case g.chance(5):
		r.Resource = pick(g, "arn:aws:iam::111122223333:user/alice", "arn:aws:s3", "arn:aws:s3:::", "arn:aws-cn:s3:::a/b", "arn:aws:s3:us-east-1:111122223333:accesspoint/a", "", "arn:aws:sns:us-east-1:111122223333:t:u")
	default:
		r.Resource = bucketARN + pick(g, buckets...)
		if g.chance(75) {
			r.Resource += "/" + g.text(6)
		}
	}
	if g.chance(70) {
		r.ResourceAccount = pick(g, account...)
	}
	g.context()
	return r
}

// nudge changes one thing of the request, so that it is nearly the one that the
// policies were made for.
func (g *generator) nudge() {
	r := g.request
	switch g.IntN(6) {
	case 0:
		r.Action = pick(g, actions...)
	case 1:
		r.Resource += pick(g, pieces...)
	case 2:
		if n := len(r.Resource); n > len(bucketARN) {
			r.Resource = r.Resource[:n-1]
		}
	case 3:
		r.ResourceAccount = pick(g, account...)
	case 4:
		r.Context.Reset()
		g.context()
	case 5:
		spec := keySpecs[g.IntN(len(keySpecs))]
		r.Context.SetNamed(spec.key, spec.make(g))
	}
}

func (g *generator) principal() {
	p := &g.request.Principal
	p.Account = account[0]
	name := pick(g, userNames...)
	prefix := "arn:aws:iam::" + string(p.Account) + ":"
	switch p.Type = PrincipalType(g.IntN(int(WebIdentity) + 1)); p.Type {
	case Anonymous:
		*p = Principal{}
	case User:
		p.ARN = iam.ARN(prefix + "user/" + name)
	case AssumedRole:
		p.RoleARN = iam.ARN(prefix + "role/r/" + name)
		p.ARN = iam.ARN("arn:aws:sts::" + string(p.Account) + ":assumed-role/" + name + "/s")
	case FederatedUser:
		p.ARN = iam.ARN("arn:aws:sts::" + string(p.Account) + ":federated-user/" + name)
		p.UserARN = iam.ARN(prefix + "user/" + name)
	case Root:
		p.ARN = p.Account.Root()
	case WebIdentity:
		p.ARN, p.Account = iam.ARN(prefix+"oidc-provider/"+name), ""
	}
	if g.chance(10) {
		p.Canonical = "79a5"
	}
}

// keySpecs are the condition keys in use and what their values look like.
var keySpecs = []struct {
	key  string
	make func(g *generator) string
}{
	{"aws:username", func(g *generator) string { return pick(g, userNames...) }},
	{"aws:PrincipalArn", func(g *generator) string { return string(g.request.Principal.ARN) }},
	{"aws:PrincipalTag/team", func(g *generator) string { return pick(g, userNames...) }},
	{"aws:SourceIp", func(g *generator) string {
		return pick(g, "10.1.2.3", "10.1.2.4", "2001:db8::1", "2001:DB8:0::1", "::ffff:10.1.2.3", "bad", "")
	}},
	{"aws:SecureTransport", func(g *generator) string { return pick(g, "true", "false", "True", "x") }},
	{"aws:CurrentTime", func(g *generator) string {
		return pick(g, "2024-05-20T10:13:20Z", "1716200000", "2024-05-20T12:13:20+02:00", "2024-05-20T10:13:21Z", "now")
	}},
	{"s3:max-keys", func(g *generator) string { return pick(g, "10", "10.0", "9", "11", "-10", "ten", "1000") }},
	{"s3:prefix", func(g *generator) string { return g.text(4) }},
	{"s3:delimiter", func(g *generator) string { return pick(g, "/", "") }},
	{"s3:x-amz-acl", func(g *generator) string { return pick(g, "private", "Private", "public-read", "ſ", "k", "K") }},
	{"aws:UserAgent", func(g *generator) string {
		if g.chance(5) {
			return strings.Repeat("a", 300+g.IntN(20)) + pick(g, "", "b", "é") + g.text(2)
		}
		return g.text(5)
	}},
	{"s3:RequestObjectTagKeys", func(g *generator) string { return pick(g, "a", "b", "A", "") }},
	{"aws:CalledVia", func(g *generator) string { return pick(g, "a", "b", "*") }},
	{"s3:ExistingObjectTag/team", func(g *generator) string { return pick(g, userNames...) }},
	{"s3:ExistingObjectTag/Team", func(g *generator) string { return pick(g, userNames...) }},
	{"s3:RequestObjectTag/a", func(g *generator) string { return pick(g, "a", "b") }},
	{"s3:object-lock-remaining-retention-days", func(g *generator) string { return pick(g, "10", "11") }},
	{"aws:FederatedProvider", func(g *generator) string { return pick(g, "AAECAwQ=", "AAECAwU=", "!") }},
	{"x:custom", func(g *generator) string { return pick(g, userNames...) }},
	{"aws:SourceArn", func(g *generator) string {
		return pick(g, "arn:aws:sns:us-east-1:111122223333:t", "arn:aws:sns:us-east-1:111122223333:t:u", "arn:aws", "")
	}},
	{"s3:x-amz-copy-source", func(g *generator) string { return pick(g, buckets...) + "/" + g.text(3) }},
}

func (g *generator) context() {
	g.values, g.lists = map[string][]string{}, map[string]bool{}
	c := g.request.Context
	for _, spec := range keySpecs {
		if g.chance(40) {
			continue
		}
		if spec.key == "s3:RequestObjectTagKeys" || spec.key == "aws:CalledVia" || g.chance(4) {
			var list []string
			for range g.IntN(4) {
				list = append(list, spec.make(g))
			}
			c.SetNamedList(g.cased(spec.key), list)
			g.values[spec.key], g.lists[spec.key] = list, true
			continue
		}
		v := spec.make(g)
		if spec.key == policy.S3CopySource.String() && g.chance(80) {
			g.values[spec.key] = []string{v, "/" + v}
			c.SetSpellings(policy.S3CopySource, g.values[spec.key])
			continue
		}
		if strings.HasPrefix(spec.key, "s3:ExistingObjectTag/") {
			c.SetNamed(spec.key, v)
		} else {
			c.SetNamed(g.cased(spec.key), v)
		}
		g.values[spec.key] = []string{v}
	}
	g.leave(40)
}

// leave marks families as open and, of some, takes the values away.
func (g *generator) leave(percent int) {
	if !g.chance(percent) {
		return
	}
	c := g.request.Context
	c.Leave(Facts(g.Uint32()) & AllFacts)
	if g.chance(70) {
		c.Leave(ExistingObjectTags)
		c.SetTags(policy.S3ExistingObjectTag, nil)
	}
}

// cased writes a key in another case now and then.
func (g *generator) cased(s string) string {
	switch g.IntN(10) {
	case 0:
		return strings.ToLower(s)
	case 1:
		return strings.ToUpper(s)
	}
	return s
}

// policies makes the layers that speak on the request.
func (g *generator) policies() Policies {
	p := Policies{Identity: g.set("identity", policy.Identity, 4)}
	if g.chance(10) {
		set := g.set("parent", policy.Identity, 3)
		p.Parent = &set
	}
	if g.chance(15) {
		p.Boundary = &Policy{"boundary", g.document(policy.Boundary)}
	}
	if g.chance(15) {
		set := g.set("session", policy.Session, 3)
		p.Session = &set
	}
	for level := range g.IntN(8) - 5 {
		p.ServiceControl = append(p.ServiceControl, g.set(fmt.Sprint("scp", level), policy.ServiceControl, 2))
	}
	if g.chance(50) {
		p.Resource = &Policy{"bucket", g.document(policy.Resource)}
	}
	return p
}

func (g *generator) set(name string, kind policy.Kind, most int) PolicySet {
	set := PolicySet{}
	for i := range g.IntN(most + 1) {
		set = append(set, Policy{fmt.Sprint(name, i), g.document(kind)})
	}
	if g.chance(5) {
		for i := range 5 {
			set = append(set, Policy{fmt.Sprint(name, "more", i), g.document(kind)})
		}
	}
	return set
}

func (g *generator) document(kind policy.Kind) string {
	if g.chance(1) {
		return pick(g, "", "{}", "[]", `{"Statement":[1]}`, `{"Version":"2040-01-01","Statement":[`+g.statement(kind)+`]}`)
	}
	version := pick(g, `"Version":"2012-10-17",`, `"Version":"2012-10-17",`, `"Version":"2012-10-17",`, `"Version":"2008-10-17",`, ``)
	var statements []string
	for range 1 + g.IntN(4) {
		statements = append(statements, g.statement(kind))
	}
	return "{" + version + `"Statement":[` + strings.Join(statements, ",") + "]}"
}

func (g *generator) statement(kind policy.Kind) string {
	effect := "Allow"
	if g.chance(20) {
		effect = "Deny"
	}
	parts := []string{`"Sid":"S` + strconv.Itoa(g.IntN(100)) + `"`, `"Effect":"` + effect + `"`}
	if kind.HasPrincipal() {
		parts = append(parts, g.principals())
	}
	parts = append(parts, g.element("Action", 12, g.actionPattern), g.element("Resource", 10, g.resourcePattern))
	if g.chance(50) || g.request.Context.Unresolved() != 0 && g.chance(60) {
		parts = append(parts, g.conditions())
	}
	if g.chance(1) {
		parts[g.IntN(len(parts))] = pick(g, `"Unless":{}`, `"Action":["x"]`, `"Resource":"x"`, `"Effect":"Maybe"`, `"Condition":{"StringIs":{"a:b":"c"}}`)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func (g *generator) element(name string, notPercent int, make func() string) string {
	if g.chance(notPercent) {
		name = "Not" + name
	}
	var list []string
	for range 1 + g.IntN(3) {
		list = append(list, quote(make()))
	}
	return `"` + name + `":[` + strings.Join(list, ",") + "]"
}

// quote writes a string as JSON; bytes that are not UTF-8 become U+FFFD.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func (g *generator) actionPattern() string {
	switch g.IntN(6) {
	case 0:
		return "*"
	case 1:
		return pick(g, "s3:*", "s3:Get*", "S3:*Object*", "s3:?etObject", "s3:List*", "iam:*")
	case 2:
		return pick(g, actions...)
	}
	service, name, _ := strings.Cut(g.request.Action, ":")
	return service + ":" + g.blur(name, false)
}

func (g *generator) resourcePattern() string {
	if g.chance(20) {
		return pick(g, "*", "*", "arn:aws:s3:::*", "arn:aws:s3:::*/*", "arn:*:s3:::*", "arn:aws:s3", "arn:aws:s3:*", "arn:aws:s3:*:*:*", "arn:aws:s3:::**", "arn:aws:iam::*:*", "arn:aws-cn:s3:::*", "arn:aws:s?:::a*", "arn:aws:s3:::")
	}
	if g.request.Resource == "*" {
		return bucketARN + g.blur(pick(g, buckets...), true)
	}
	head, tail := g.request.Resource, ""
	if rest, ok := strings.CutPrefix(head, bucketARN); ok {
		head, tail = bucketARN, rest
		if g.chance(5) {
			head = pick(g, "arn:*:s3:::", "arn:aws:s3:*:*:", "arn:aws:s3::?:", "arn:aw?:s3:::")
		}
	}
	return head + g.blur(tail, true)
}

// blur makes a pattern that matches s, or nearly: runs and characters become
// wildcards, values become variables, and now and then one character is wrong.
func (g *generator) blur(s string, variables bool) string {
	runes := []rune(s)
	var b strings.Builder
	for i := 0; i < len(runes); i++ {
		switch n := g.IntN(100); {
		case n < 8:
			b.WriteByte('*')
			i += g.IntN(4) - 1
		case n < 14:
			b.WriteByte('?')
		case n < 16:
			b.WriteString("*?")
		case n == 16 && i == 0 && len(runes) > 300:
			// more characters between wildcards than fit into a few words
			b.WriteString("*a" + strings.Repeat("?", g.IntN(3)) + strings.Repeat("a", 280+g.IntN(30)) + "?b*")
		case n < 20 && variables:
			b.WriteString(g.variable())
			i += g.IntN(6)
		case n < 22:
			b.WriteRune(runes[i] ^ 0x20)
		case n < 23:
		case n < 24:
			b.WriteString(pick(g, pieces...))
			i--
		case (runes[i] == '*' || runes[i] == '?' || runes[i] == '$') && n < 70:
			b.WriteString("${" + string(runes[i]) + "}")
		default:
			b.WriteRune(runes[i])
		}
		if i < -1 {
			i = -1
		}
	}
	if g.chance(25) {
		b.WriteByte('*')
	}
	return b.String()
}

func (g *generator) variable() string {
	key := pick(g, "aws:username", "aws:username", "aws:PrincipalTag/team", "aws:UserAgent", "s3:ExistingObjectTag/team", "aws:CalledVia", "x:custom", "aws:Missing", "", "aws:PrincipalArn", "s3:prefix")
	key = g.cased(key)
	switch g.IntN(8) {
	case 0:
		return "${" + key + ", '" + pick(g, userNames...) + "'}"
	case 1:
		return pick(g, "${*}", "${?}", "${$}", "${"+key, "${"+key+",'x'}")
	}
	return "${" + key + "}"
}

func (g *generator) principals() string {
	caller := &g.request.Principal
	name := "Principal"
	if g.chance(12) {
		name = "NotPrincipal"
	}
	if g.chance(25) {
		return `"` + name + `":"*"`
	}
	var list []string
	for range 1 + g.IntN(3) {
		entry := pick(g, string(caller.ARN), string(caller.RoleARN), string(caller.UserARN), string(caller.Account), string(caller.Account.Root()), "444455556666", "arn:aws:iam::444455556666:root", "arn:aws:iam::111122223333:user/bob", "*")
		if entry == "" || entry == "arn:aws:iam:::root" || entry != "*" && strings.ContainsAny(entry, "*?") {
			entry = "111122223333"
		}
		list = append(list, quote(entry))
	}
	extra := ""
	switch {
	case g.chance(5):
		extra = `,"CanonicalUser":"79a5","Service":"s3.amazonaws.com","Federated":"x"`
	case caller.Type == WebIdentity && g.chance(70), g.chance(3):
		extra = `,"Federated":` + list[0]
	}
	return `"` + name + `":{"AWS":[` + strings.Join(list, ",") + "]" + extra + "}"
}

func (g *generator) conditions() string {
	blocks := map[string]map[string][]string{}
	for range 1 + g.IntN(4)/2 {
		spec := keySpecs[g.IntN(len(keySpecs))]
		if g.request.Context.Unresolved() != 0 && g.chance(70) {
			spec = keySpecs[13+g.IntN(4)]
		}
		op := policy.Operator{Comparison: policy.Comparison(g.IntN(int(policy.Null) + 1))}
		if info, ok := policy.KeyOf(spec.key); ok && g.chance(70) {
			op.Comparison = g.comparisonFor(info.Info().Type)
		}
		if op.Comparison != policy.Null {
			op.IfExists = g.chance(20)
			if g.lists[spec.key] && g.chance(80) || g.chance(10) {
				op.Quantifier = policy.Quantifier(g.IntN(3))
			}
		}
		if blocks[op.String()] == nil {
			blocks[op.String()] = map[string][]string{}
		}
		var values []string
		for range 1 + g.IntN(3) {
			values = append(values, quote(g.conditionValue(op.Comparison, spec.key, spec.make)))
		}
		if g.chance(2) {
			for i := range manyTexts + 2 {
				values = append(values, quote(g.conditionValue(op.Comparison, spec.key, spec.make)), strconv.Itoa(i%2))
			}
			if f := op.Comparison.Family(); f == policy.BoolFamily || f == policy.NullFamily || f == policy.IPFamily || f == policy.BinaryFamily {
				values = values[:1]
			}
		}
		key := spec.key
		if !strings.HasPrefix(key, "s3:ExistingObjectTag/") {
			key = g.cased(key)
		}
		blocks[op.String()][key] = values
	}
	var ops []string
	for _, op := range sortedKeys(blocks) {
		var keys []string
		for _, key := range sortedKeys(blocks[op]) {
			keys = append(keys, quote(key)+":["+strings.Join(blocks[op][key], ",")+"]")
		}
		ops = append(ops, quote(op)+":{"+strings.Join(keys, ",")+"}")
	}
	return `"Condition":{` + strings.Join(ops, ",") + "}"
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	for i := range keys {
		for j := i; j > 0 && keys[j] < keys[j-1]; j-- {
			keys[j], keys[j-1] = keys[j-1], keys[j]
		}
	}
	return keys
}

func (g *generator) comparisonFor(f policy.Family) policy.Comparison {
	for {
		if c := policy.Comparison(g.IntN(int(policy.Null))); c.Family() == f || g.chance(3) {
			return c
		}
	}
}

func (g *generator) conditionValue(c policy.Comparison, key string, make func(*generator) string) string {
	got := make(g)
	if values := g.values[key]; len(values) > 0 && g.chance(60) {
		got = pick(g, values...)
	}
	switch c.Family() {
	case policy.NumericFamily:
		return pick(g, "10", "10.0", "9", "11", "-10", "1716200000", "9007199254740993")
	case policy.DateFamily:
		return pick(g, "2024-05-20T10:13:20Z", "1716200000", "2024-05-20T10:13:19.5Z", "2024-05-21", "2024-05-20T12:13:20+02:00", "10")
	case policy.BoolFamily, policy.NullFamily:
		return pick(g, "true", "false", "TRUE")
	case policy.BinaryFamily:
		return pick(g, "AAECAwQ=", "AAECAwU=")
	case policy.IPFamily:
		return pick(g, "10.1.2.0/24", "10.1.2.3", "10.1.2.2/31", "0.0.0.0/0", "::/0", "2001:db8::/32", "2001:db8::1/128", "10.1.2.99/24", "10.1.2.3/32")
	case policy.ARNFamily:
		if g.chance(15) {
			return pick(g, "${aws:PrincipalArn}", "arn:aws:iam::${aws:username}:user/*", "*", "arn:*:*:*:*:*", "arn:aws:sns:*:111122223333:*", "arn:${aws:username}", "arn:aws:iam::111122223333:${aws:username, 'user'}/*", "${aws:username}:${x:custom}:*:*:*:*")
		}
		return g.blur(got, true)
	}
	if c == policy.StringEqualsIgnoreCase || c == policy.StringNotEqualsIgnoreCase {
		got = g.cased(got)
	}
	if g.chance(50) {
		return got
	}
	return g.blur(got, true)
}
