package api

import (
	"github.com/doorward/doorward/api/portable"
	"github.com/doorward/doorward/iam"
)

// exportIdentities answers the identities of the account as one view has them, in
// the form that an import takes. There are no secrets in it: no call of the API
// gives a secret out a second time. Nor are there service accounts, which are their
// users' own affair, or built-in policies, which every store has.
func exportIdentities(c *call) (any, error) {
	d := portable.Document{Format: portable.Format}
	for p := range c.view.Policies(c.caller.account, "") {
		if !p.Builtin {
			d.Policies = append(d.Policies, portable.Policy{
				Name: p.Name, Path: p.Path, Description: p.Description, Document: p.InForce(), Tags: portableTags(p.Tags),
			})
		}
	}
	for g := range c.view.Groups(c.caller.account, "") {
		d.Groups = append(d.Groups, portable.Group{
			Name: g.Name, Path: g.Path, Policies: c.namesOf(g.Attached), Inline: portableInline(g.Inline),
		})
	}
	for r := range c.view.Roles(c.caller.account, "") {
		d.Roles = append(d.Roles, portable.Role{
			Name: r.Name, Path: r.Path, Description: r.Description, Trust: r.Trust, MaxSession: r.MaxSession,
			Policies: c.namesOf(r.Attached), Inline: portableInline(r.Inline), Boundary: c.nameOf(r.Boundary), Tags: portableTags(r.Tags),
		})
	}
	for u := range c.view.Users(c.caller.account, "") {
		d.Users = append(d.Users, c.portableUser(u))
	}
	return struct {
		portable.Document
		Index iam.Index `json:"index"`
	}{d, c.view.Index()}, nil
}

func (c *call) portableUser(u *iam.User) portable.User {
	x := portable.User{
		Name: u.Name, Path: u.Path, Disabled: u.Status == iam.Inactive, Groups: u.Groups,
		Policies: c.namesOf(u.Attached), Inline: portableInline(u.Inline), Boundary: c.nameOf(u.Boundary), Tags: portableTags(u.Tags),
	}
	if u.POSIX != nil {
		x.POSIX = &portable.POSIX{UID: u.POSIX.UID, GID: u.POSIX.GID}
	}
	for k := range c.view.KeysOf(u.Ref()) {
		x.Keys = append(x.Keys, portable.Key{ID: string(k.ID), Disabled: k.Status == iam.Inactive})
	}
	return x
}

func (c *call) nameOf(arn iam.ARN) string {
	if p, ok := c.view.Policy(arn); ok {
		return p.Name
	}
	return ""
}

func (c *call) namesOf(arns []iam.ARN) (names []string) {
	for _, arn := range arns {
		names = append(names, c.nameOf(arn))
	}
	return names
}

func portableTags(tags []iam.Tag) (out []portable.Tag) {
	for _, t := range tags {
		out = append(out, portable.Tag(t))
	}
	return out
}

func portableInline(list []iam.InlinePolicy) (out []portable.Inline) {
	for _, p := range list {
		out = append(out, portable.Inline(p))
	}
	return out
}
