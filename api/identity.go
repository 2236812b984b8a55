package api

import (
	"time"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/iam"
)

// caller is who signed a request. Of a call that comes unsigned it has the account
// and, once that is proved, the ARN; its identity is the zero one, which may do
// nothing.
type caller struct {
	key     iam.AccessKeyID // empty: unsigned
	account iam.AccountID
	arn     iam.ARN
	*authz.Identity
}

var unsigned = caller{Identity: &authz.Identity{}}

// root reports whether the caller is the account's root user, with its own key or
// in a session of its own.
func (c *caller) root() bool { return c.key != "" && c.User == nil && c.Role == nil }

// longTerm reports whether the caller signed with a key of its own and not with
// temporary credentials.
func (c *caller) longTerm() bool { return c.Session == nil }

// own reports whether the caller is a user who signed with a key of the user's
// own: neither a service account nor temporary credentials.
func (c *caller) own() bool { return c.User != nil && c.ServiceAccount == nil && c.Session == nil }

// keyWarning is how long before its end whoever signs with a long-term key is told.
const keyWarning = 14 * 24 * time.Hour

// endsSoon tells when the caller's long-term key ends, if that is near.
func (c *caller) endsSoon(now iam.Time) (ends iam.Time, soon bool) {
	return c.Expires, c.Key != nil && c.Expires != 0 && c.Expires < now.Add(keyWarning)
}

// ref is the parent of a session that the caller asks for as itself.
func (c *caller) ref() iam.Ref {
	switch {
	case c.ServiceAccount != nil:
		return c.ServiceAccount.Ref()
	case c.User != nil:
		return c.User.Ref()
	case c.Role != nil:
		return c.Role.Ref()
	}
	return iam.Ref{Account: c.account, Kind: iam.KindRoot}
}

// parentID is the identifier of the caller that no namesake has.
func (c *caller) parentID() iam.UniqueID {
	switch {
	case c.User != nil:
		return c.User.ID
	case c.Role != nil:
		return c.Role.ID
	}
	return iam.UniqueID(c.account)
}

// policiesOf is what a simulated entity may do, and as whom.
func (c *call) policiesOf(e entity) (authz.Policies, authz.Principal) {
	if e.ref.Kind == iam.KindGroup {
		return authz.Policies{Identity: c.policiesOfGroup(e)}, authz.Principal{Type: authz.User, Account: e.ref.Account, ARN: e.arn}
	}
	identity, ok := authz.ResolveRef(c.view, e.ref)
	if !ok {
		return authz.Policies{}, authz.Principal{}
	}
	return identity.Policies, identity.Principal
}

func (c *call) policiesOfGroup(e entity) (set authz.PolicySet) {
	for _, arn := range e.attached {
		if p, ok := c.view.Policy(arn); ok {
			set = append(set, authz.Policy{Name: string(arn), Document: p.InForce()})
		}
	}
	for _, p := range e.inline {
		set = append(set, authz.Policy{Name: p.Name, Document: p.Document})
	}
	return set
}
