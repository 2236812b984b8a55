package policies

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"

	"github.com/doorward/doorward/cmd/doorward/bench/workload"
)

// casbinModel is Casbin's for rules with a Deny that wins, with attributes of the
// request in the matcher.
const casbinModel = `
[request_definition]
r = act, bucket, key, whole, source, prefix

[policy_definition]
p = act, bucket, key, whole, source, prefix, eft

[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))

[matchers]
m = r.act == p.act && r.whole == p.whole && within(r.bucket, p.bucket, r.key, p.key, r.prefix, p.prefix) && from(r.source, p.source)
`

// NewCasbin gives each action of a statement to Casbin as one line of its policy, in
// an enforcer without a cache.
func NewCasbin(statements []workload.Statement) (Engine, error) {
	m, err := model.NewModelFromString(casbinModel)
	if err != nil {
		return Engine{}, err
	}
	e, err := casbin.NewEnforcer(m)
	if err != nil {
		return Engine{}, err
	}
	e.AddFunction("within", within)
	e.AddFunction("from", from)
	var lines [][]string
	for _, s := range statements {
		effect := "allow"
		if s.Deny {
			effect = "deny"
		}
		for _, action := range s.Actions {
			lines = append(lines, []string{action, s.Bucket, s.Prefix, strconv.FormatBool(s.Whole), s.Source, s.Listing, effect})
		}
	}
	if _, err := e.AddPolicies(lines); err != nil {
		return Engine{}, err
	}
	return Engine{"Casbin", func(q workload.Question) func() bool {
		asked := []any{q.Action, q.Bucket, q.Key, strconv.FormatBool(q.Key == ""), q.SourceIP, q.Prefix}
		return func() bool {
			allowed, err := e.Enforce(asked...)
			return err == nil && allowed
		}
	}}, nil
}

// within matches a bucket, exactly or by what follows a wildcard, and two prefixes.
func within(args ...any) (any, error) {
	bucket, pattern := args[0].(string), args[1].(string)
	tail, wild := strings.CutPrefix(pattern, "*")
	matches := bucket == pattern || wild && strings.HasSuffix(bucket, tail)
	return matches && strings.HasPrefix(args[2].(string), args[3].(string)) && strings.HasPrefix(args[4].(string), args[5].(string)), nil
}

// from matches an address and a network, empty for any.
func from(args ...any) (any, error) {
	if args[1].(string) == "" {
		return true, nil
	}
	network, err := netip.ParsePrefix(args[1].(string))
	if err != nil {
		return false, err
	}
	address, err := netip.ParseAddr(args[0].(string))
	return err == nil && network.Contains(address), err
}
