package authz

import (
	"fmt"
	"strings"
	"testing"

	"github.com/doorward/doorward/authz/policy"
)

// largestDocument is the greatest size that a cluster's settings allow; by
// default it is a tenth of it.
const largestDocument = 20_480

// The longest texts that a request can hold: an object key; all headers of a
// request together, which S3 limits to 8 KB; the tags of a request.
const (
	longestKey  = 1024
	allHeaders  = 8 << 10
	mostTagKeys = 50
)

// fill repeats item, with a number in it, until the document is full.
func fill(before, item, after string) string {
	var b strings.Builder
	b.WriteString(before)
	for i := 0; ; i++ {
		next := fmt.Sprintf(item, i)
		if b.Len()+len(next)+len(after)+1 > largestDocument {
			return b.String() + after
		}
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString(next)
	}
}

func fillStatements(item string) string {
	return fill(`{"Version":"2012-10-17","Statement":[`, item, `]}`)
}

func fillResources(item string) string {
	return fill(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":[`, item, `]}]}`)
}

func fillValues(operator, key, item string) string {
	return fill(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"`+operator+`":{"`+key+`":[`, item, `]}}}]}`)
}

// worstCases are the documents of the largest size that cost most to compile or
// to decide by, among those that we could think of.
func worstCases() map[string]string {
	longLike := func(pattern string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"StringLike":{"aws:Referer":"` + pattern + `"}}}]}`
	}
	nested := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":[`
	for i := 1; len(nested) < largestDocument-300; i++ {
		nested += `"arn:aws:s3:::b/` + strings.Repeat("a", i) + `*?b",`
	}
	return map[string]string{
		"one pattern of stars":                     longLike(strings.Repeat("*a", 10_000) + "b"),
		"one pattern of single characters":         longLike("*" + strings.Repeat("a?", 4_000) + "b*"),
		"many patterns of single characters":       fillValues("StringLike", "aws:Referer", `"*aaa?aaaaaaaaaaaaaaaaaaaaaaaaa?b%d*"`),
		"many patterns with a long variable":       fillValues("StringLike", "aws:Referer", `"*${aws:UserAgent}b%d*"`),
		"variables and single characters":          fillValues("StringLike", "aws:Referer", `"*${aws:UserAgent}?b%d*"`),
		"many long values without case":            fillValues("StringEqualsIgnoreCase", "aws:Referer", `"${aws:UserAgent}${aws:UserAgent}%d"`),
		"ARNs of variables":                        fillValues("ArnLike", "aws:SourceArn", `"${aws:UserAgent}*${aws:UserAgent}*%d"`),
		"values of a set":                          fillValues("ForAnyValue:StringLike", "s3:RequestObjectTagKeys", `"*a*a*b%d*"`),
		"keys with the same beginning":             fillResources(`"arn:aws:s3:::b/*a*a*a?b%d"`),
		"keys with every length of prefix":         nested + `"arn:aws:s3:::b/x"]}]}`,
		"buckets with wildcards":                   fillResources(`"arn:aws:s3:::*%d?b*/*"`),
		"statements with conditions":               fillStatements(`{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.9.%d.0/24"}}}`),
		"statements with dates":                    fillStatements(`{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateEquals":{"aws:CurrentTime":"17163%05d"}}}`),
		"statements that list what they leave out": fillStatements(`{"Effect":"Deny","Action":"*","NotResource":["arn:aws:s3:::b/*a?a*","arn:aws:s3:::b/%d"]}`),
		"actions of every shape":                   fill(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Resource":"*","Action":[`, `"s3:*e*t*e*t*x?%d*"`, `]}]}`),
	}
}

func worstRequest() *Request {
	r := mixRequest("arn:aws:s3:::b/" + strings.Repeat("a", longestKey))
	// The endings of all patterns are there, so that none can be ruled out early.
	endings := ""
	for i := range 800 {
		endings += fmt.Sprint("b", i)
	}
	r.Context.Set(policy.Referer, endings+strings.Repeat("a", allHeaders*2/3-len(endings)))
	r.Context.Set(policy.UserAgent, strings.Repeat("a", allHeaders/3-len(endings)/3))
	r.Context.Set(policy.SourceARN, "arn:aws:s3:::"+strings.Repeat("a", allHeaders*2/3))
	var keys []string
	for i := range mostTagKeys {
		keys = append(keys, strings.Repeat("a", 120)+fmt.Sprint(i))
	}
	r.Context.SetList(policy.S3RequestObjectTagKeys, keys)
	return r
}

// BenchmarkWorstCase measures what one document of the largest size can cost to
// decide by, on a request with the longest texts, and to compile.
func BenchmarkWorstCase(b *testing.B) {
	r := worstRequest()
	cases := worstCases()
	for _, name := range sortedKeys(cases) {
		set := PolicySet{{"worst", cases[name]}}
		b.Run("decide/"+name, func(b *testing.B) {
			a := NewCompiler().Authority(Policies{Identity: set})
			if d := a.Decide(r, nil); d.Effect != Deny || d.Explicit {
				b.Fatalf("%+v", d)
			}
			measure(b, func() { a.Decide(r, nil) })
		})
		b.Run("compile/"+name, func(b *testing.B) {
			measure(b, func() { NewCompiler().Authority(Policies{Identity: set}) })
		})
	}
}

func TestWorstCasesAreValidAndAgree(t *testing.T) {
	r := worstRequest()
	r.Resource = r.Resource[:64]
	r.Context.Set(policy.Referer, strings.Repeat("a", 200))
	r.Context.Set(policy.UserAgent, strings.Repeat("a", 50))
	r.Context.Set(policy.SourceARN, "arn:aws:s3:::"+strings.Repeat("a", 100))
	r.Context.SetList(policy.S3RequestObjectTagKeys, []string{"aaaa1", "aab1"})
	for name, document := range worstCases() {
		if _, err := policy.Parse([]byte(document), policy.Identity); err != nil || policy.Size([]byte(document)) > largestDocument+100 {
			t.Errorf("%s: %d characters, %v", name, len(document), err)
		}
		if _, err := newEngines(Policies{Identity: PolicySet{{"worst", document}}}).decide(r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
