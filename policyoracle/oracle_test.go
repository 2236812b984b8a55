package policyoracle

import (
	"fmt"

	"github.com/versity/versitygw/iamapi/policy"
	"github.com/versity/versitygw/iamapi/types"

	"github.com/doorward/doorward/authz"
)

// question is a request of a user whose identity policies alone decide.
type question struct {
	name             string
	documents        []string
	action, resource string
	context          map[string][]string
	// lists names the keys of the context that can have several values.
	lists map[string]bool
}

// The answers, in the terms of both.
const (
	allowed  = "allowed"
	denied   = "explicitly denied"
	implicit = "implicitly denied"
)

// ours asks package authz.
func (q *question) ours() string {
	p := authz.Policies{}
	for _, d := range q.documents {
		p.Identity = append(p.Identity, authz.Policy{Document: d})
	}
	r := &authz.Request{
		Principal: authz.Principal{Type: authz.User, Account: "111122223333", ARN: "arn:aws:iam::111122223333:user/alice"},
		Action:    q.action, Resource: q.resource, Context: &authz.Context{},
	}
	for key, values := range q.context {
		if q.lists[key] || len(values) != 1 {
			r.Context.SetNamedList(key, values)
		} else {
			r.Context.SetNamed(key, values[0])
		}
	}
	switch d := authz.Reference(p, r); {
	case d.Allowed():
		return allowed
	case d.Explicit:
		return denied
	}
	return implicit
}

// theirs asks versitygw.
func (q *question) theirs() string {
	var entries []types.PolicyEntry
	for _, d := range q.documents {
		entries = append(entries, types.PolicyEntry{PolicyDocument: d})
	}
	switch policy.EvaluateIdentityPolicies(entries, policy.RequestContext{Action: q.action, Resource: q.resource, Condition: q.context}) {
	case policy.DecisionAllow:
		return allowed
	case policy.DecisionDeny:
		return denied
	}
	return implicit
}

func (q question) String() string {
	return fmt.Sprintf("%s on %q, context %q, lists %v, policies %s", q.action, q.resource, q.context, q.lists, q.documents)
}
