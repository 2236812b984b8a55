package client

import (
	"context"
	"strconv"
	"strings"

	"github.com/doorward/doorward/iam"
)

// Simulation is a set of questions about a user, group or role: each action on
// each resource.
type Simulation struct {
	Source    iam.ARN
	Actions   []string
	Resources []string // empty: "*"
	Context   []Tag    // condition keys and values; several values of a key are several entries
	Policies  []string // documents that count as attached
	Bucket    string   // bucket policy document; empty: none
}

// Simulated is the answer to one question.
type Simulated struct {
	Action   string `xml:"EvalActionName" json:"action"`
	Resource string `xml:"EvalResourceName" json:"resource"`
	Decision string `xml:"EvalDecision" json:"decision"` // allowed, explicitDeny or implicitDeny
	By       []struct {
		Policy string `xml:"SourcePolicyId" json:"policy"`
		Type   string `xml:"SourcePolicyType" json:"type"`
	} `xml:"MatchedStatements>member" json:"by"`
	Missing []string `xml:"MissingContextValues>member" json:"missing_context,omitempty"`
}

// Simulate asks how requests would be decided, without making them.
func (c *Client) Simulate(ctx context.Context, s Simulation) ([]Simulated, error) {
	query := form("PolicySourceArn", string(s.Source), "ResourcePolicy", s.Bucket)
	for name, values := range map[string][]string{"ActionNames": s.Actions, "ResourceArns": s.Resources, "PolicyInputList": s.Policies} {
		for i, value := range values {
			query.Set(name+".member."+strconv.Itoa(i+1), value)
		}
	}
	for i, key := range keysOf(s.Context) {
		entry := "ContextEntries.member." + strconv.Itoa(i+1)
		values := valuesOf(s.Context, key)
		query.Set(entry+".ContextKeyName", key)
		query.Set(entry+".ContextKeyType", contextType(values))
		for j, value := range values {
			query.Set(entry+".ContextKeyValues.member."+strconv.Itoa(j+1), value)
		}
	}
	return list[Simulated](ctx, c, "SimulatePrincipalPolicy", query)
}

// contextType is string or stringList: the store compares by the operator of the
// condition, whatever the type.
func contextType(values []string) string {
	if len(values) > 1 {
		return "stringList"
	}
	return "string"
}

// keysOf returns the keys of pairs, each once, ignoring case, as first spelt.
func keysOf(pairs []Tag) (keys []string) {
	seen := map[string]bool{}
	for _, pair := range pairs {
		if folded := strings.ToLower(pair.Key); !seen[folded] {
			seen[folded] = true
			keys = append(keys, pair.Key)
		}
	}
	return keys
}

func valuesOf(pairs []Tag, key string) (values []string) {
	for _, pair := range pairs {
		if strings.EqualFold(pair.Key, key) {
			values = append(values, pair.Value)
		}
	}
	return values
}
