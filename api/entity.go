package api

import (
	"cmp"

	"github.com/doorward/doorward/iam"
)

// entity is what users, groups and roles have in common: policies of their own
// and attached ones. Groups have neither tags nor a boundary.
type entity struct {
	ref      iam.Ref
	arn      iam.ARN
	path     string
	id       iam.UniqueID
	attached []iam.ARN
	inline   []iam.InlinePolicy
	tags     []iam.Tag
	boundary iam.ARN
}

func entityOfUser(u *iam.User) entity {
	return entity{u.Ref(), u.ARN(), u.Path, u.ID, u.Attached, u.Inline, u.Tags, u.Boundary}
}

func entityOfGroup(g *iam.Group) entity {
	return entity{ref: g.Ref(), arn: g.ARN(), path: g.Path, id: g.ID, attached: g.Attached, inline: g.Inline}
}

func entityOfRole(r *iam.Role) entity {
	return entity{r.Ref(), r.ARN(), r.Path, r.ID, r.Attached, r.Inline, r.Tags, r.Boundary}
}

// parameterOf names the parameter that says which entity of a kind is meant.
var parameterOf = map[iam.Kind]string{
	iam.KindUser: "UserName", iam.KindGroup: "GroupName", iam.KindRole: "RoleName",
}

// named finds the entity that the call names.
func (c *call) named(k iam.Kind) (entity, error) { return c.lookup(k, c.form[parameterOf[k]]) }

func (c *call) lookup(k iam.Kind, name string) (entity, error) {
	switch k {
	case iam.KindUser:
		u, err := c.user(name)
		if err != nil {
			return entity{}, err
		}
		return entityOfUser(u), nil
	case iam.KindGroup:
		g, err := c.group(name)
		if err != nil {
			return entity{}, err
		}
		return entityOfGroup(g), nil
	}
	r, err := c.role(name)
	if err != nil {
		return entity{}, err
	}
	return entityOfRole(r), nil
}

func (c *call) user(name string) (*iam.User, error) {
	if u, ok := c.view.User(c.caller.account, name); ok {
		return u, nil
	}
	return nil, noSuch(iam.KindUser, name)
}

func (c *call) group(name string) (*iam.Group, error) {
	if g, ok := c.view.Group(c.caller.account, name); ok {
		return g, nil
	}
	return nil, noSuch(iam.KindGroup, name)
}

func (c *call) role(name string) (*iam.Role, error) {
	if r, ok := c.view.Role(c.caller.account, name); ok {
		return r, nil
	}
	return nil, noSuch(iam.KindRole, name)
}

// policy finds the managed policy of the PolicyArn parameter.
func (c *call) policy() (*iam.Policy, error) { return c.policyAt(iam.ARN(c.form["PolicyArn"])) }

func (c *call) policyAt(arn iam.ARN) (*iam.Policy, error) {
	if p, ok := c.view.Policy(arn); ok && p.Account == c.caller.account {
		return p, nil
	}
	return nil, iam.Errorf(iam.NoSuchEntity, "Policy %s does not exist or is not attachable.", arn)
}

func noSuch(k iam.Kind, name string) error {
	return iam.Errorf(iam.NoSuchEntity, "The %s with name %s cannot be found.", k, name)
}

// path returns the Path parameter, "/" if none was sent.
func (c *call) path() string { return cmp.Or(c.form["Path"], "/") }

// userOrCaller returns the name of the user that the call is about: the one that
// it names, or else the caller.
func (c *call) userOrCaller() (string, error) {
	if name := c.form["UserName"]; name != "" {
		return name, nil
	}
	if c.caller.User == nil {
		return "", iam.Errorf(iam.ValidationError, "Must specify userName when calling with non-User credentials")
	}
	return c.caller.User.Name, nil
}

// boundaryXML is a permissions boundary in an answer.
type boundaryXML struct {
	PermissionsBoundaryType string
	PermissionsBoundaryArn  iam.ARN
}

func describeBoundary(arn iam.ARN) *boundaryXML {
	if arn == "" {
		return nil
	}
	return &boundaryXML{"Policy", arn}
}
