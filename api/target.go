package api

import (
	"cmp"

	"github.com/doorward/doorward/iam"
)

// Each function names what a call is about, as the ARN that policies have to
// allow. What does not exist is named as if it stood at the root path, so that the
// answer without a permission is the same whether or not it exists.

func one(t target) []target { return []target{t} }

func targetOf(e entity) target { return target{e.arn, e.tags, e.boundary} }

func theUser(c *call) []target { return one(c.userTarget(c.form["UserName"])) }

func (c *call) userTarget(name string) target {
	if u, ok := c.view.User(c.caller.account, name); ok {
		return targetOf(entityOfUser(u))
	}
	return target{arn: (&iam.User{Account: c.caller.account, Name: name}).ARN()}
}

// userOrSelf is the user that the call names, or else the caller. A caller that is
// no user has none; the call then fails when it looks for a name.
func userOrSelf(c *call) []target {
	name, err := c.userOrCaller()
	if err != nil {
		return one(target{arn: c.caller.arn})
	}
	return one(c.userTarget(name))
}

func newUser(c *call) []target {
	return one(target{arn: (&iam.User{Account: c.caller.account, Name: c.form["UserName"], Path: c.path()}).ARN()})
}

// movedUser is the user as it is and, if it is renamed or moved, as it will be
// (IAM API reference, UpdateUser: permission on both).
func movedUser(c *call) []target {
	targets := theUser(c)
	u, ok := c.view.User(c.caller.account, c.form["UserName"])
	if !ok || c.form["NewUserName"] == "" && c.form["NewPath"] == "" {
		return targets
	}
	moved := *u
	moved.Name, moved.Path = cmp.Or(c.form["NewUserName"], u.Name), cmp.Or(c.form["NewPath"], u.Path)
	return append(targets, targetOf(entityOfUser(&moved)))
}

// keyOwner is the user whose key the call names.
func keyOwner(c *call) []target {
	key, ok := c.view.AccessKey(iam.AccessKeyID(c.form["AccessKeyId"]))
	if !ok || key.Owner.Account != c.caller.account || key.Owner.Kind != iam.KindUser {
		return one(target{arn: "*"})
	}
	return one(c.userTarget(key.Owner.Name))
}

func theGroup(c *call) []target {
	if g, ok := c.view.Group(c.caller.account, c.form["GroupName"]); ok {
		return one(targetOf(entityOfGroup(g)))
	}
	return newGroup(c)
}

func newGroup(c *call) []target {
	return one(target{arn: (&iam.Group{Account: c.caller.account, Name: c.form["GroupName"], Path: c.path()}).ARN()})
}

func movedGroup(c *call) []target {
	targets := theGroup(c)
	g, ok := c.view.Group(c.caller.account, c.form["GroupName"])
	if !ok || c.form["NewGroupName"] == "" && c.form["NewPath"] == "" {
		return targets
	}
	moved := *g
	moved.Name, moved.Path = cmp.Or(c.form["NewGroupName"], g.Name), cmp.Or(c.form["NewPath"], g.Path)
	return append(targets, targetOf(entityOfGroup(&moved)))
}

func theRole(c *call) []target {
	if r, ok := c.view.Role(c.caller.account, c.form["RoleName"]); ok {
		return one(targetOf(entityOfRole(r)))
	}
	return newRole(c)
}

func newRole(c *call) []target {
	return one(target{arn: (&iam.Role{Account: c.caller.account, Name: c.form["RoleName"], Path: c.path()}).ARN()})
}

func thePolicy(c *call) []target {
	t := target{arn: iam.ARN(c.form["PolicyArn"])}
	if p, ok := c.view.Policy(t.arn); ok {
		t.tags = p.Tags
	}
	return one(t)
}

func newPolicy(c *call) []target {
	return one(target{arn: (&iam.Policy{Account: c.caller.account, Name: c.form["PolicyName"], Path: c.path()}).ARN()})
}
