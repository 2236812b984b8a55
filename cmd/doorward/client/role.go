package client

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/doorward/doorward/iam"
)

// Role is an identity that is assumed. Trust is empty in lists.
type Role struct {
	Name        string  `xml:"RoleName" json:"name"`
	ARN         iam.ARN `xml:"Arn" json:"arn"`
	ID          string  `xml:"RoleId" json:"id"`
	Path        string  `xml:"Path" json:"path"`
	Description string  `xml:"Description" json:"description,omitempty"`
	MaxSession  int     `xml:"MaxSessionDuration" json:"max_session_seconds,omitempty"`
	Created     string  `xml:"CreateDate" json:"created"`
	Trust       string  `xml:"AssumeRolePolicyDocument" json:"trust_policy,omitempty"`
}

// RoleNamed is the role as a holder of policies.
func RoleNamed(name string) Holder { return Holder{"Role", name} }

// NewRole is a role to create.
type NewRole struct {
	Name        string
	Path        string
	Description string
	Trust       string // trust policy document
	MaxSession  time.Duration
}

func seconds(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return strconv.Itoa(int(d / time.Second))
}

// plain undoes the URL encoding that the IAM API gives documents (RFC 3986, where
// a plus is a plus).
func (r Role) plain() (Role, error) {
	var err error
	r.Trust, err = url.PathUnescape(r.Trust)
	return r, err
}

// CreateRole makes a role.
func (c *Client) CreateRole(ctx context.Context, role NewRole) (Role, Meta, error) {
	var result struct{ Role Role }
	meta, err := c.query(ctx, iamService, "CreateRole", form(
		"RoleName", role.Name, "Path", role.Path, "Description", role.Description,
		"AssumeRolePolicyDocument", role.Trust, "MaxSessionDuration", seconds(role.MaxSession)), &result)
	if err != nil {
		return Role{}, meta, err
	}
	made, err := result.Role.plain()
	return made, meta, err
}

// GetRole returns a role.
func (c *Client) GetRole(ctx context.Context, name string) (Role, error) {
	var result struct{ Role Role }
	if _, err := c.query(ctx, iamService, "GetRole", form("RoleName", name), &result); err != nil {
		return Role{}, err
	}
	return result.Role.plain()
}

// ListRoles returns the roles under a path prefix; an empty one means all.
func (c *Client) ListRoles(ctx context.Context, prefix string) ([]Role, error) {
	roles, err := list[Role](ctx, c, "ListRoles", form("PathPrefix", prefix))
	for i := range roles {
		roles[i].Trust = ""
	}
	return roles, err
}

// RoleChange is what to change of a role; zero fields stay as they are.
type RoleChange struct {
	Description string
	MaxSession  time.Duration
	Trust       string
}

// UpdateRole changes a role. Trust is a call of its own in the IAM API and comes
// first: it is the one that can be refused for its content.
func (c *Client) UpdateRole(ctx context.Context, name string, change RoleChange) (meta Meta, err error) {
	if change.Trust != "" {
		meta, err = c.query(ctx, iamService, "UpdateAssumeRolePolicy", form("RoleName", name, "PolicyDocument", change.Trust), nil)
	}
	if err != nil || (change.Description == "" && change.MaxSession == 0) {
		return meta, err
	}
	return c.query(ctx, iamService, "UpdateRole",
		form("RoleName", name, "Description", change.Description, "MaxSessionDuration", seconds(change.MaxSession)), nil)
}

// DeleteRole deletes a role without policies.
func (c *Client) DeleteRole(ctx context.Context, name string) (Meta, error) {
	return c.query(ctx, iamService, "DeleteRole", form("RoleName", name), nil)
}
