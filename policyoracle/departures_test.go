package policyoracle

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// departure is one way in which versitygw differs from AWS, and so from us.
type departure struct {
	// name is the heading of README.md that gives the reason.
	name string
	// example is a question that the two answer differently.
	example      question
	ours, theirs string
	// explains reports whether the departure can bear on a question.
	explains func(q *question) bool
}

func (q *question) explained() bool {
	return slices.ContainsFunc(departures, func(d departure) bool { return d.explains(q) })
}

// written reports whether the expression matches one of the documents.
func written(expression string) func(*question) bool {
	r := regexp.MustCompile(expression)
	return func(q *question) bool { return slices.ContainsFunc(q.documents, r.MatchString) }
}

// asked reports whether some value of the request satisfies f.
func asked(f func(string) bool) func(*question) bool {
	return func(q *question) bool {
		for _, values := range q.context {
			if slices.ContainsFunc(values, f) {
				return true
			}
		}
		return f(q.resource)
	}
}

func either(a, b func(*question) bool) func(*question) bool {
	return func(q *question) bool { return a(q) || b(q) }
}

func both(a, b func(*question) bool) func(*question) bool {
	return func(q *question) bool { return a(q) && b(q) }
}

func contains(s string) func(string) bool {
	return func(v string) bool { return strings.ContainsAny(v, s) }
}

func wide(v string) bool { return utf8.RuneCountInString(v) != len(v) }

var sid = regexp.MustCompile(`"Sid":\s*"[^"]+"`)

func repeatedSid(q *question) bool {
	for _, d := range q.documents {
		sids := sid.FindAllString(d, -1)
		slices.Sort(sids)
		if len(slices.Compact(sids)) < len(sid.FindAllString(d, -1)) {
			return true
		}
	}
	return false
}

// reading is a question about reading an object, under one statement.
func reading(key, statement string, context ...string) question {
	q := question{
		action: "s3:GetObject", resource: "arn:aws:s3:::b/" + key, context: map[string][]string{}, lists: map[string]bool{},
		documents: []string{`{"Version":"2012-10-17","Statement":[` + statement + `]}`},
	}
	for i := 0; i < len(context); i += 2 {
		q.context[context[i]] = append(q.context[context[i]], context[i+1])
	}
	return q
}

func allowOn(resource string) string {
	return `{"Effect":"Allow","Action":"s3:*","Resource":` + resource + `}`
}

func allowIf(condition string) string {
	return `{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{` + condition + `}}`
}

// list makes a key of a question one that can have several values.
func (q question) list(key string, values ...string) question {
	q.context[key], q.lists[key] = values, true
	return q
}

var departures = []departure{
	{
		"Partitions", reading("x", allowOn(`["arn:aws:s3:::b/*","arn:aws-cn:s3:::b/*"]`)), allowed, denied,
		written(`"arn:(aws-|[^":]*[*?])`),
	},
	{"Short ARNs", reading("x", allowOn(`"arn:aws:s3:*"`)), allowed, denied, written(`"arn:[^":]*(:[^":]*){0,3}"`)},
	{"Repeated Sids", reading("x", `{"Sid":"A","Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"A","Effect":"Allow","Action":"*","Resource":"*"}`), allowed, denied, repeatedSid},
	{"Default values", reading("none/x", allowOn(`"arn:aws:s3:::b/${aws:username, 'none'}/*"`)), allowed, implicit, written(`\$\{[^}]*, '`)},
	{"Escapes", reading("a*b", allowOn(`"arn:aws:s3:::b/a${*}b"`)), allowed, implicit, written(`\$\{[*?$]\}`)},
	{"Variables of tags", reading("red/x", allowOn(`"arn:aws:s3:::b/${aws:PrincipalTag/team}/*"`), "aws:PrincipalTag/team", "red"), allowed, implicit, written(`\$\{[^}]*/`)},
	{
		"Values of variables as patterns", reading("bob/x", allowOn(`"arn:aws:s3:::b/${aws:username}/*"`), "aws:username", "*"), implicit, allowed,
		both(written(`\$\{`), asked(contains("*?"))),
	},
	{
		"Variables without a value", reading("x", `{"Effect":"Allow","Action":"s3:*","NotResource":"arn:aws:s3:::b/${aws:username}"}`), implicit, allowed,
		written(`\$\{`),
	},
	{"Listing all buckets", question{action: "s3:ListAllMyBuckets", resource: "*", documents: reading("", allowOn(`"arn:aws:s3:::*"`)).documents}, allowed, implicit, func(q *question) bool {
		return strings.EqualFold(q.action, "s3:ListAllMyBuckets")
	}},
	{"Characters", reading("é", allowOn(`"arn:aws:s3:::b/?"`)), allowed, implicit, both(written(`\?`), asked(wide))},
	{"Stars in the request", reading("a*b", allowOn(`"arn:aws:s3:::b/a*"`)), allowed, implicit, both(written(`\*`), asked(contains("*")))},
	{
		"Wildcards across segments", reading("x", allowIf(`"ArnLike":{"aws:SourceArn":"arn:aws:*:t"}`), "aws:SourceArn", "arn:aws:sns:us-east-1:1:t"), implicit, allowed,
		either(written(`Arn(Not)?(Equals|Like)`), written(`"arn:[^"]*\*[^"]*:`)),
	},
	{
		"Dates", reading("x", allowIf(`"DateLessThan":{"aws:CurrentTime":"2024-05-21"}`), "aws:CurrentTime", "2024-05-20T10:00:00Z"), allowed, implicit,
		written(`Date[A-Z]`),
	},
	{
		"Booleans", reading("x", allowIf(`"Bool":{"aws:SecureTransport":"true"}`), "aws:SecureTransport", "1"), implicit, allowed,
		both(written(`"[A-Za-z:]*Bool`), asked(func(v string) bool { return v != "true" && v != "false" })),
	},
	{
		"Numbers", reading("x", allowIf(`"NumericEquals":{"s3:max-keys":"10"}`), "s3:max-keys", "1e1"), implicit, allowed,
		both(written(`Numeric`), asked(contains("exEIN_"))),
	},
	{
		"Values of the wrong type", reading("x", allowIf(`"NumericNotEquals":{"s3:max-keys":"10"}`), "s3:max-keys", "ten"), implicit, allowed,
		written(`(NumericNot|DateNot|NotIp)`),
	},
	{"Binary values", reading("x", allowIf(`"BinaryEquals":{"x:b":"!"}`), "x:b", "!"), implicit, allowed, written(`BinaryEquals`)},
	{
		"Several values without a set operator", reading("x", allowIf(`"StringEquals":{"aws:CalledVia":"a"}`)).list("aws:CalledVia", "a", "b"), implicit, allowed,
		func(q *question) bool {
			for key := range q.lists {
				if written(`(?i)"` + regexp.QuoteMeta(key) + `"`)(q) {
					return true
				}
			}
			return false
		},
	},
	{
		"ForAnyValue without the key", reading("x", allowIf(`"ForAnyValue:StringNotEquals":{"aws:CalledVia":"a"}`)), implicit, allowed,
		written(`ForAnyValue:[A-Za-z]*Not`),
	},
}

// TestDepartures holds each listed departure to its example: one that no longer
// occurs has to leave the list.
func TestDepartures(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range departures {
		ours, theirs := d.example.ours(), d.example.theirs()
		if ours != d.ours || theirs != d.theirs || ours == theirs {
			t.Errorf("%s: ours gives %s, versitygw %s; listed are %s and %s", d.name, ours, theirs, d.ours, d.theirs)
		}
		if !d.explains(&d.example) {
			t.Errorf("%s does not explain its own example", d.name)
		}
		if !strings.Contains(string(readme), "\n### "+d.name+"\n") {
			t.Errorf("%s: README.md does not tell it", d.name)
		}
	}
	if told := strings.Count(string(readme), "\n### "); told != len(departures) {
		t.Errorf("README.md tells %d departures, %d are listed", told, len(departures))
	}
}
