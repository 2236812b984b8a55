package policyoracle

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// generator makes questions whose statements are nearly about them.
type generator struct{ *rand.Rand }

func (g generator) of(list ...string) string { return list[g.IntN(len(list))] }

func (g generator) listOf(make func() string) string {
	var list []string
	for range 1 + g.IntN(3) {
		list = append(list, make())
	}
	return "[" + strings.Join(list, ",") + "]"
}

func (g generator) key() string {
	return g.of("a", "a/b", "a//b", "alice/x", "Alice/x", "a*b", "é", "2024/q1.csv", "")
}

func (g generator) resource() string {
	return `"` + g.of("*", "arn:aws:s3:::*", "arn:aws:s3:::b", "arn:aws:s3:::b/*", "arn:aws:s3:::b/a*", "arn:aws:s3:::b/?", "arn:aws:s3:::b/${aws:username}/*",
		"arn:aws:s3:::b/*/b", "arn:aws:s3:::b/"+g.key(), "arn:aws:s3:::c/*", "arn:aws:s3:*:*:b/*") + `"`
}

func (g generator) action() string {
	return `"` + g.of("*", "s3:*", "s3:Get*", "s3:get?bject", "S3:GETOBJECT", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:List*", "iam:*") + `"`
}

// conditionKeys are keys with values of the request and of policies, and the
// operators that suit them.
var conditionKeys = []struct {
	key               string
	request, policies []string
	operators         []string
}{
	{"aws:username", []string{"alice", "Alice", "al*"}, []string{"alice", "al*", "ALICE", "${aws:userid}"}, []string{"StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"}},
	{"aws:SourceIp", []string{"10.1.2.3", "192.0.2.1", "2001:db8::1"}, []string{"10.0.0.0/8", "10.1.2.3", "2001:db8::/32", "0.0.0.0/0", "10.1.2.99/24"}, []string{"IpAddress", "NotIpAddress"}},
	{"s3:max-keys", []string{"10", "9", "10.0"}, []string{"10", "9.5", "-1"}, []string{"NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals"}},
	{"aws:CurrentTime", []string{"2024-05-20T10:00:00Z", "1716199200"}, []string{"2024-05-20T10:00:00Z", "2024-05-20T12:00:00+02:00", "1716199201"}, []string{"DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals"}},
	{"aws:SecureTransport", []string{"true", "false"}, []string{"true", "false"}, []string{"Bool"}},
	{"aws:SourceArn", []string{"arn:aws:sns:us-east-1:1:t"}, []string{"arn:aws:sns:us-east-1:1:t", "arn:aws:sns:*:*:*", "arn:aws:sqs:*:*:*"}, []string{"ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"}},
	{"s3:RequestObjectTagKeys", []string{"a", "b", "c"}, []string{"a", "b"}, []string{"ForAllValues:StringEquals", "ForAnyValue:StringEquals", "ForAllValues:StringNotEquals", "ForAnyValue:StringNotEquals", "ForAnyValue:StringLike"}},
}

func (g generator) condition() string {
	k := conditionKeys[g.IntN(len(conditionKeys))]
	operator := g.of(k.operators...)
	switch g.IntN(6) {
	case 0:
		return fmt.Sprintf(`"Null":{%q:%q}`, k.key, g.of("true", "false"))
	case 1:
		operator += "IfExists"
	}
	return fmt.Sprintf(`%q:{%q:%s}`, operator, k.key, g.listOf(func() string { return `"` + g.of(k.policies...) + `"` }))
}

func (g generator) statement() string {
	s := fmt.Sprintf(`{"Effect":%q,%q:%s,%q:%s`, g.of("Allow", "Allow", "Allow", "Deny"),
		g.of("Action", "Action", "Action", "NotAction"), g.listOf(g.action), g.of("Resource", "Resource", "Resource", "NotResource"), g.listOf(g.resource))
	if g.IntN(2) == 0 {
		s += `,"Condition":{` + g.condition() + `}`
	}
	return s + "}"
}

func (g generator) question() question {
	q := question{action: "s3:GetObject", resource: "arn:aws:s3:::b", context: map[string][]string{}, lists: map[string]bool{}}
	if key := g.key(); key != "" {
		q.resource += "/" + key
	} else {
		q.action = "s3:ListBucket"
	}
	for _, k := range conditionKeys {
		switch {
		case g.IntN(4) == 0:
		case k.key == "s3:RequestObjectTagKeys":
			q.lists[k.key] = true
			for range 1 + g.IntN(2) {
				q.context[k.key] = append(q.context[k.key], g.of(k.request...))
			}
		default:
			q.context[k.key] = []string{g.of(k.request...)}
		}
	}
	for range 1 + g.IntN(2) {
		var statements []string
		for range 1 + g.IntN(3) {
			statements = append(statements, g.statement())
		}
		q.documents = append(q.documents, fmt.Sprintf(`{"Version":%q,"Statement":[%s]}`, g.of("2012-10-17", "2012-10-17", "2008-10-17"), strings.Join(statements, ",")))
	}
	return q
}

// TestCampaign asks both many made-up questions; a difference that no listed
// departure can explain fails.
func TestCampaign(t *testing.T) {
	const rounds = 20_000
	agreed, counts := 0, map[string]int{}
	for seed := range uint64(rounds) {
		q := generator{rand.New(rand.NewPCG(seed, 3))}.question()
		ours, theirs := q.ours(), q.theirs()
		counts[ours]++
		if ours == theirs {
			agreed++
		} else if !q.explained() {
			t.Fatalf("seed %d: ours gives %s, versitygw %s: %s", seed, ours, theirs, q)
		}
	}
	t.Logf("%d questions, %d agreed; ours: %v", rounds, agreed, counts)
	if agreed < rounds*9/10 || min(counts[allowed], counts[denied], counts[implicit]) < rounds/20 {
		t.Errorf("the questions say too little: %d agreed of %d, %v", agreed, rounds, counts)
	}
}
