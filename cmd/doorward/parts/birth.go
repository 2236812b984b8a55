package parts

import (
	"crypto/rand"
	"time"

	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/cluster"
	"github.com/doorward/doorward/iam"
)

// Birth is what a new store begins with: the first account and the built-in
// policies.
func Birth(now time.Time) cluster.Birth {
	return cluster.Birth{Account: iam.FirstAccount, Policies: builtins(iam.FirstAccount, now)}
}

// builtins are the managed policies that a store is born with.
func builtins(account iam.AccountID, now time.Time) []iam.Policy {
	policies := make([]iam.Policy, len(policy.Builtins))
	for i, b := range policy.Builtins {
		policies[i] = iam.Policy{
			Account: account, Name: b.Name, Path: "/", ID: iam.UniqueID("ANPA" + rand.Text()[:17]),
			Description: b.Description, Created: iam.At(now), Updated: iam.At(now),
			Versions: []iam.PolicyVersion{{Number: 1, Document: b.Document, Created: iam.At(now)}},
			Default:  1, Next: 2, Builtin: true,
		}
	}
	return policies
}
