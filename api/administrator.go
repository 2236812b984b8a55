package api

import (
	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/fsm"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
)

// keepsAdministrator refuses a command by which the last administrator would remove or
// demote itself: an account whose only way back is the root's key is an accident. The
// root may do it, and so may one administrator to another.
func (c *call) keepsAdministrator(cmd iam.Command) error {
	if onlyGives(cmd) || c.caller.User == nil {
		return nil
	}
	self := c.caller.User.Ref()
	if !c.administers(c.view, self) {
		return nil
	}
	rehearsal := fsm.Rehearse(c.view, c.now)
	if refused := rehearsal.Do(cmd); refused != nil {
		return nil // the log words it
	}
	after := rehearsal.View()
	if c.administers(after, self) {
		return nil
	}
	for u := range after.Users(c.caller.account, "") {
		if c.administers(after, u.Ref()) {
			return nil
		}
	}
	return iam.Errorf(iam.UnmodifiableEntity,
		"This would leave the account without an administrator: %s is the last user with a key who may manage users and their policies. Make another one first, or use the root's key.",
		c.caller.arn)
}

// administration are the permissions that make an administrator: who has them can give
// itself and others every other.
var administration = []string{"iam:CreateUser", "iam:AttachUserPolicy", "iam:CreateAccessKey"}

// administers reports whether a user manages users and policies, and has a key to do it
// with.
func (c *call) administers(v *state.View, user iam.Ref) bool {
	who, ok := authz.ResolveRef(v, user)
	if !ok || who.Refused(c.now) != authz.NoFault || !c.usable(v, user) {
		return false
	}
	// A user that nobody has named stands for all of them.
	any := (&iam.User{Account: user.Account, Name: "any.user", Path: "/"}).ARN()
	for _, permission := range administration {
		ctx := c.connection()
		who.Describe(ctx)
		d := authz.Reference(who.Policies, &authz.Request{
			Principal: who.Principal, Action: permission, Resource: string(any), ResourceAccount: user.Account, Context: ctx,
		})
		if !d.Allowed() {
			return false
		}
	}
	return true
}

// usable reports whether a user has a key that is in use.
func (c *call) usable(v *state.View, user iam.Ref) bool {
	for key := range v.KeysOf(user) {
		if key.Status == iam.Active && (key.Expires == 0 || key.Expires > c.now) {
			return true
		}
	}
	return false
}
