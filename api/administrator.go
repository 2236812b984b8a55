package api

import (
	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/fsm"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
)

// keepAdministrator refuses a command by which the last administrator would remove or
// demote itself: an account whose only way back is the root's key is an accident. The
// root may do it, and so may one administrator to another.
//
// Others may change what it has looked at before the command is in effect. So it
// returns the command guarded: with what makes the user who stays an administrator.
func (c *call) keepAdministrator(cmd iam.Command) (iam.Command, error) {
	if onlyGives(cmd) || c.caller.User == nil {
		return cmd, nil
	}
	self := c.caller.User.Ref()
	if c.administers(c.view, self) == nil {
		return cmd, nil
	}
	rehearsal := fsm.Rehearse(c.view, c.now)
	if refused := rehearsal.Do(cmd); refused != nil {
		return cmd, nil // the log words it
	}
	after := rehearsal.View()
	if why := c.administers(after, self); why != nil {
		return iam.Guarded{Parts: parts(c.view, why), Command: cmd}, nil
	}
	for u := range after.Users(c.caller.account, "") {
		if why := c.administers(after, u.Ref()); why != nil {
			return iam.Guarded{Parts: parts(c.view, why), Command: cmd}, nil
		}
	}
	return nil, iam.Errorf(iam.UnmodifiableEntity,
		"This would leave the account without an administrator: %s is the last user with a key who may manage users and their policies. Make another one first, or use the root's key.",
		c.caller.arn)
}

// administration are the permissions that make an administrator: who has them can give
// itself and others every other.
var administration = []string{"iam:CreateUser", "iam:AttachUserPolicy", "iam:CreateAccessKey"}

// parts are the parts of a view that hold some records.
func parts(v *state.View, records []authz.Record) []iam.Part {
	var all []iam.Part
	for _, r := range records {
		bucket := state.BucketOf(iam.Change{Delete: &iam.Deletion{Table: r.Table, Account: r.Account, Name: r.Name}})
		all = append(all, iam.Part{Bucket: uint16(bucket), Sum: v.BucketSum(bucket)})
	}
	return all
}

// administers returns the records that make a user an administrator, who manages users
// and policies and has a key to do it with; nil if the user is none.
func (c *call) administers(v *state.View, user iam.Ref) []authz.Record {
	who, ok := authz.ResolveRef(v, user)
	if !ok || who.Refused(c.now) != authz.NoFault {
		return nil
	}
	key := c.usable(v, user)
	if key == nil {
		return nil
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
			return nil
		}
	}
	return append(who.Records, authz.Record{Table: iam.TableAccessKeys, Name: string(key.ID)})
}

// usable returns a key of a user that is in use, nil if there is none.
func (c *call) usable(v *state.View, user iam.Ref) *iam.AccessKey {
	for key := range v.KeysOf(user) {
		if key.Status == iam.Active && (key.Expires == 0 || key.Expires > c.now) {
			return key
		}
	}
	return nil
}
