package authz

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/doorward/doorward/authz/policy"
)

// A small alphabet makes texts that nearly match, and grams that patterns share.
func TestManyPatternsUnderOnePrefixAgreeWithTheReference(t *testing.T) {
	for _, prefix := range []string{"", "b", "bucket/", "bucket/home/"} {
		t.Run("prefix "+prefix, func(t *testing.T) {
			hits := map[Effect]int{}
			for seed := range uint64(150) {
				r := rand.New(rand.NewPCG(seed, 7))
				engines := newEngines(Policies{Identity: manyPatterns(r, prefix)})
				for range 40 {
					request := mixRequest(bucketARN + prefix + piece(r, 30) + "/" + piece(r, 30))
					request.Context.Set(policy.Username, piece(r, 6))
					if r.IntN(4) == 0 {
						request.Action = "s3:PutObject"
					}
					if r.IntN(8) == 0 {
						request.Action = "s3:NotInTheTable"
					}
					d, err := engines.decide(request)
					if err != nil {
						t.Fatalf("seed %d: %v\n%s", seed, err, request.Resource)
					}
					hits[d.Effect]++
				}
			}
			if hits[Allow] < 100 || hits[Deny] < 100 {
				t.Errorf("the cases are one-sided: %v", hits)
			}
		})
	}
}

func manyPatterns(r *rand.Rand, prefix string) PolicySet {
	var statements []string
	for range 5 + r.IntN(30) {
		effect, action := "Allow", "s3:GetObject"
		if r.IntN(4) == 0 {
			effect = "Deny"
		}
		if r.IntN(4) == 0 {
			action = "s3:*"
		}
		pattern := prefix
		for range 1 + r.IntN(3) {
			pattern += []string{"*", "*", "?*", "*${aws:username}*"}[r.IntN(4)] + piece(r, 12)
		}
		statements = append(statements, fmt.Sprintf(`{"Effect":%q,"Action":%q,"Resource":"%s%s*"}`, effect, action, bucketARN, pattern))
	}
	return PolicySet{{"many", `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`}}
}

func piece(r *rand.Rand, most int) string {
	b := make([]byte, r.IntN(most+1))
	for i := range b {
		b[i] = "aab/"[r.IntN(4)]
	}
	return string(b)
}

// Every gram of a text can be one that patterns are filed under, many times over.
func TestEveryGramOfATextIsAsked(t *testing.T) {
	const grams = 600
	gram := func(i int) string { return strings.Repeat(string([]byte{'a' + byte(i/26), 'a' + byte(i%26)}), 4) }
	var statements []string
	for i := range grams {
		statements = append(statements, fmt.Sprintf(`{"Sid":"S%d","Effect":"Deny","Action":"s3:*","Resource":"%s*%s*","Condition":{"StringEquals":{"aws:Referer":"%d"}}}`, i, bucketARN, gram(i), i))
	}
	engines := newEngines(Policies{Identity: PolicySet{{"many", `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`}}})
	var key strings.Builder
	for i := range 100 {
		key.WriteString(gram(i) + gram(i/2) + gram(0))
	}
	for _, row := range []struct {
		referer string
		denied  bool
	}{{"0", true}, {"1", true}, {"7", true}, {"8", true}, {"9", true}, {"99", true}, {"599", false}} {
		r := mixRequest(bucketARN + "bucket/" + key.String())
		r.Context.Set(policy.Referer, row.referer)
		if d, err := engines.decide(r); err != nil || d.Explicit != row.denied {
			t.Errorf("referer %s: %+v, %v", row.referer, d, err)
		}
	}
	node := engines.authority.identity.parts[0].index.roots.empty
	if len(node.refs) != 0 || len(node.further[1].nodes) != grams {
		t.Errorf("%d patterns are looked at one by one, and %d are filed by grams", len(node.refs), len(node.further[1].nodes))
	}
}
