package api

import (
	"iter"
	"slices"

	"github.com/doorward/doorward/iam"
)

type groupXML struct {
	Path       string
	GroupName  string
	GroupID    string `xml:"GroupId"`
	ARN        string `xml:"Arn"`
	CreateDate stamp
}

func describeGroup(g *iam.Group) groupXML {
	return groupXML{g.Path, g.Name, string(g.ID), string(g.ARN()), stamp(g.Created)}
}

func groupNameOf(g *iam.Group) string { return g.Name }

func createGroup(c *call) (any, error) {
	g := iam.Group{Account: c.caller.account, Name: c.form["GroupName"], Path: c.path(), ID: c.newUniqueID("AGPA"), Created: c.now}
	if err := c.propose(iam.CreateGroup{Group: g}); err != nil {
		return nil, err
	}
	created, err := c.group(g.Name)
	if err != nil {
		return nil, err
	}
	return struct{ Group groupXML }{describeGroup(created)}, nil
}

func getGroup(c *call) (any, error) {
	g, err := c.group(c.form["GroupName"])
	if err != nil {
		return nil, err
	}
	members := slices.Collect(c.view.MembersOf(g.Account, g.Name))
	users, end, err := pagedSlice(c, members, func(u *iam.User) string { return u.Name }, every)
	return struct {
		Group groupXML
		Users listOf[userXML]
		page
	}{describeGroup(g), listing(users, describeUserBriefly), end}, err
}

func listGroups(c *call) (any, error) {
	under := c.under()
	from := func(after string) iter.Seq[*iam.Group] { return c.view.Groups(c.caller.account, after) }
	return c.groups(paged(c, from, groupNameOf, func(g *iam.Group) bool { return under(g.Path) }))
}

func listGroupsForUser(c *call) (any, error) {
	u, err := c.user(c.form["UserName"])
	if err != nil {
		return nil, err
	}
	var groups []*iam.Group
	for _, name := range u.Groups {
		g, err := c.group(name)
		if err != nil {
			return nil, err
		}
		groups = append(groups, g)
	}
	return c.groups(pagedSlice(c, groups, groupNameOf, every))
}

func (c *call) groups(groups []*iam.Group, end page, err error) (any, error) {
	return struct {
		Groups listOf[groupXML]
		page
	}{listing(groups, describeGroup), end}, err
}

func updateGroup(c *call) (any, error) {
	if _, err := c.group(c.form["GroupName"]); err != nil {
		return nil, err
	}
	return nil, c.propose(iam.UpdateGroup{Group: c.ref(iam.KindGroup), NewName: c.form["NewGroupName"], NewPath: c.form["NewPath"]})
}

func deleteGroup(c *call) (any, error) {
	if _, err := c.group(c.form["GroupName"]); err != nil {
		return nil, err
	}
	return nil, c.propose(iam.DeleteGroup{Group: c.ref(iam.KindGroup)})
}

func addUserToGroup(c *call) (any, error) {
	if err := c.bothExist(); err != nil {
		return nil, err
	}
	return nil, c.propose(iam.AddUserToGroup{User: c.ref(iam.KindUser), Group: c.ref(iam.KindGroup)})
}

func removeUserFromGroup(c *call) (any, error) {
	if err := c.bothExist(); err != nil {
		return nil, err
	}
	return nil, c.propose(iam.RemoveUserFromGroup{User: c.ref(iam.KindUser), Group: c.ref(iam.KindGroup)})
}

// bothExist refuses a membership of a group or user that there is none of.
func (c *call) bothExist() error {
	if _, err := c.group(c.form["GroupName"]); err != nil {
		return err
	}
	_, err := c.user(c.form["UserName"])
	return err
}
