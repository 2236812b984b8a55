package authz

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/doorward/doorward/authz/policy"
)

const policiesPage = "../docs/policies.md"

var example = regexp.MustCompile("(?s)```json\n(.*?)```\n\n```text\n(.*?)```")

// TestExamplesOfThePoliciesPage decides every request of the examples in
// docs/policies.md, by both engines.
func TestExamplesOfThePoliciesPage(t *testing.T) {
	page, err := os.ReadFile(policiesPage)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, found := range example.FindAllStringSubmatch(string(page), -1) {
		document, lines := found[1], found[2]
		if _, err := policy.Parse([]byte(document), policy.Identity); err != nil {
			t.Errorf("%v\n%s", err, document)
		}
		both := newEngines(Policies{Identity: PolicySet{{"example", document}}})
		for line := range strings.Lines(lines) {
			words := strings.Fields(line)
			r := &Request{Principal: userAlice(), Action: words[1], Resource: bucketARN + words[2], Context: &Context{}}
			for _, pair := range words[3:] {
				key, value, _ := strings.Cut(pair, "=")
				r.Context.SetNamed(key, value)
			}
			asked++
			if d, err := both.decide(r); err != nil || d.Effect.String() != words[0] {
				t.Errorf("%s: got %s, %v", strings.TrimSpace(line), d.Effect, err)
			}
		}
	}
	if blocks := strings.Count(string(page), "```json"); asked < 15 || len(example.FindAllString(string(page), -1)) != blocks {
		t.Errorf("only %d requests in %d examples were asked", asked, blocks)
	}
}

func TestThePoliciesPageNamesEveryOperatorAndKey(t *testing.T) {
	page, err := os.ReadFile(policiesPage)
	if err != nil {
		t.Fatal(err)
	}
	mentioned := func(name string) {
		if !strings.Contains(string(page), "`"+name) {
			t.Errorf("%s does not name %s", policiesPage, name)
		}
	}
	for c := policy.StringEquals; c <= policy.Null; c++ {
		mentioned(c.String() + "`")
	}
	for k := range policy.Keys {
		mentioned(k.String() + "`")
	}
	for f := range policy.TagFamilies {
		mentioned(f.Prefix())
	}
}
