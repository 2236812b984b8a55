// Package policy is the policy language as text: it parses, validates and
// prints AWS policy documents, and decides nothing.
//
// Start with [Parse], which refuses what AWS refuses when a policy is written
// and says where, and [ParseStored], which reads what an earlier parser has
// accepted and refuses nothing. Both return a [Document] (document.go) whose
// parts know their position. [Print] writes the canonical form.
//
// The vocabulary that policies speak of is here too: operators (operator.go),
// condition keys (key.go), S3 actions (action.go) and the built-in policies
// (builtin.go).
package policy
