package sidecar

import "github.com/doorward/doorward/authz"

// authority is what a principal may do, made from its policies once and used for
// every request. It does not change.
type authority struct {
	policies authz.Policies
}

func newAuthority(p authz.Policies) *authority { return &authority{policies: p} }

// nobody is the authority of an anonymous caller: only a bucket policy speaks.
var nobody = newAuthority(authz.Policies{})

// decide answers one question. bucket is the policy of the bucket, nil if there is
// none.
func (a *authority) decide(r *authz.Request, bucket *authz.Policy) authz.Decision {
	p := a.policies
	p.Resource = bucket
	return authz.Reference(p, r)
}

// split answers one question in two halves, for S3 servers that keep bucket
// policies themselves: what the caller's own policies say, which a bucket policy
// may add to, and what cuts even that. The second half is there if limited is
// true: the session policies, a service account's own policy, and the boundary of
// a role (IAM user guide, "Policy evaluation for requests within a single account").
func (a *authority) split(r *authz.Request) (own, limit authz.Decision, limited bool) {
	p, cut := a.policies, authz.Policies{}
	if p.Parent != nil {
		cut.Identity, p.Identity, p.Parent = p.Identity, *p.Parent, nil
		limited = true
	}
	if p.Session != nil {
		// A session of a narrowed service account is cut by both.
		if limited {
			cut.Session = p.Session
		} else {
			cut.Identity = *p.Session
		}
		p.Session, limited = nil, true
	}
	if p.Boundary != nil && r.Principal.Type == authz.AssumedRole {
		if !limited {
			cut.Identity = authz.PolicySet{{Name: "all", Document: everything}}
		}
		cut.Boundary, limited = p.Boundary, true
	}
	question := *r
	if question.Principal.Type == authz.FederatedUser {
		// The cut is asked for by itself.
		question.Principal.Type = authz.User
	}
	own = authz.Reference(p, &question)
	if limited {
		question.Principal.Type = authz.User
		limit = authz.Reference(cut, &question)
	}
	return own, limit, limited
}
