package sidecar

import (
	"strings"
	"sync/atomic"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
)

// caller is an access key made ready to decide: who it stands for and what that
// principal may do, as of one view. It does not change, except that it is retired
// when one of the records it was made from changes, and that it remembers proofs
// which stay true for as long as it lives (signing keys, its session token).
type caller struct {
	id        iam.AccessKeyID
	identity  *authz.Identity
	authority *authority

	madeAt    iam.Index
	retiredAt atomic.Uint64 // index of the first view that it does not hold for; zero: it holds
	uses      []use         // belongs to callers, under its lock; one for each record of identity

	ready [4]atomic.Pointer[sigv4.SigningKey] // recently used; see Authorizer.signingKey
	token atomic.Pointer[string]              // a session token that was opened and is this caller's
	// usedOn is the last day on which it was used, so that it is reported once a day.
	usedOn atomic.Int64
}

// newCaller makes the caller of an access key, nil if the view has no such key. It
// keeps no reference to id.
func newCaller(v *state.View, id iam.AccessKeyID, compile *compiler) *caller {
	id = iam.AccessKeyID(strings.Clone(string(id)))
	identity, ok := authz.Resolve(v, id)
	if !ok {
		return nil
	}
	return &caller{
		id: id, identity: identity, madeAt: v.Index(),
		authority: compile.authority(identity.Policies, identity.Principal.Type),
	}
}

// holdsFor reports whether the caller is what a view at index would give.
func (c *caller) holdsFor(index iam.Index) bool {
	retired := iam.Index(c.retiredAt.Load())
	return c.madeAt <= index && (retired == 0 || index < retired)
}

func (c *caller) session() bool { return c.identity.Session != nil }

// created is when the key was made, or the session began.
func (c *caller) created() iam.Time {
	if c.session() {
		return c.identity.Session.Issued
	}
	return c.identity.Key.Created
}

// name is that of the user or role, for answers.
func (c *caller) name() string {
	switch {
	case c.identity.Role != nil:
		return c.identity.Role.Name
	case c.identity.User != nil:
		return c.identity.User.Name
	}
	return "root"
}

// describe sets the condition keys that say who is asking.
func (c *caller) describe(ctx *authz.Context) {
	if c != nil {
		c.identity.Describe(ctx)
		return
	}
	ctx.Set(policy.PrincipalTypeKey, "Anonymous")
	ctx.Set(policy.UserID, "anonymous")
}
