package client

import (
	"context"

	"github.com/doorward/doorward/iam"
)

// Group is a set of users that share policies.
type Group struct {
	Name    string  `xml:"GroupName" json:"name"`
	ARN     iam.ARN `xml:"Arn" json:"arn"`
	ID      string  `xml:"GroupId" json:"id"`
	Path    string  `xml:"Path" json:"path"`
	Created string  `xml:"CreateDate" json:"created"`
}

// GroupNamed is the group as a holder of policies.
func GroupNamed(name string) Holder { return Holder{"Group", name} }

// CreateGroup makes a group.
func (c *Client) CreateGroup(ctx context.Context, name, path string) (Group, Meta, error) {
	var result struct{ Group Group }
	meta, err := c.query(ctx, iamService, "CreateGroup", form("GroupName", name, "Path", path), &result)
	return result.Group, meta, err
}

// GetGroup returns a group and its members.
func (c *Client) GetGroup(ctx context.Context, name string) (Group, []User, error) {
	var result struct{ Group Group }
	if _, err := c.query(ctx, iamService, "GetGroup", form("GroupName", name, "MaxItems", pageSize), &result); err != nil {
		return Group{}, nil, err
	}
	members, err := list[User](ctx, c, "GetGroup", form("GroupName", name))
	return result.Group, members, err
}

// ListGroups returns the groups under a path prefix; an empty one means all.
func (c *Client) ListGroups(ctx context.Context, prefix string) ([]Group, error) {
	return list[Group](ctx, c, "ListGroups", form("PathPrefix", prefix))
}

// GroupsOf returns the groups that a user is a member of.
func (c *Client) GroupsOf(ctx context.Context, user string) ([]Group, error) {
	return list[Group](ctx, c, "ListGroupsForUser", form("UserName", user))
}

// UpdateGroup renames or moves a group.
func (c *Client) UpdateGroup(ctx context.Context, name, newName, newPath string) (Meta, error) {
	return c.query(ctx, iamService, "UpdateGroup", form("GroupName", name, "NewGroupName", newName, "NewPath", newPath), nil)
}

// DeleteGroup deletes a group without members and policies.
func (c *Client) DeleteGroup(ctx context.Context, name string) (Meta, error) {
	return c.query(ctx, iamService, "DeleteGroup", form("GroupName", name), nil)
}

// AddToGroup makes a user a member.
func (c *Client) AddToGroup(ctx context.Context, group, user string) (Meta, error) {
	return c.query(ctx, iamService, "AddUserToGroup", form("GroupName", group, "UserName", user), nil)
}

// RemoveFromGroup ends a membership.
func (c *Client) RemoveFromGroup(ctx context.Context, group, user string) (Meta, error) {
	return c.query(ctx, iamService, "RemoveUserFromGroup", form("GroupName", group, "UserName", user), nil)
}
