package api

import (
	"fmt"
	"iter"

	"github.com/doorward/doorward/iam"
)

type userXML struct {
	Path                string
	UserName            string `xml:",omitempty"`
	UserID              string `xml:"UserId"`
	ARN                 string `xml:"Arn"`
	CreateDate          stamp
	PermissionsBoundary *boundaryXML
	Tags                *tagsXML
}

func describeUser(u *iam.User) userXML {
	x := describeUserBriefly(u)
	x.PermissionsBoundary, x.Tags = describeBoundary(u.Boundary), describeTags(u.Tags)
	return x
}

// describeUserBriefly leaves out tags and boundary, as lists do.
func describeUserBriefly(u *iam.User) userXML {
	return userXML{Path: u.Path, UserName: u.Name, UserID: string(u.ID), ARN: string(u.ARN()), CreateDate: stamp(u.Created)}
}

type userResult struct{ User userXML }

func createUser(c *call) (any, error) {
	u, err := c.newUser()
	if err != nil {
		return nil, err
	}
	if err := c.propose(iam.CreateUser{User: u}); err != nil {
		return nil, err
	}
	return c.userResult(u.Name)
}

// newUser is the user that the call asks for.
func (c *call) newUser() (iam.User, error) {
	u := iam.User{
		Account: c.caller.account, Name: c.form["UserName"], Path: c.path(),
		ID: c.newUniqueID("AIDA"), Created: c.now, Status: iam.Active,
		Tags: c.form.tags(), Boundary: iam.ARN(c.form["PermissionsBoundary"]),
	}
	return u, c.boundaryExists(u.Boundary)
}

// boundaryExists refuses a permissions boundary that names no policy.
func (c *call) boundaryExists(arn iam.ARN) error {
	if arn == "" {
		return nil
	}
	_, err := c.policyAt(arn)
	return err
}

// userResult answers a user as the view has it now.
func (c *call) userResult(name string) (any, error) {
	u, err := c.user(name)
	if err != nil {
		return nil, err
	}
	return userResult{describeUser(u)}, nil
}

func getUser(c *call) (any, error) {
	name := c.form["UserName"]
	switch {
	case name != "":
		return c.userResult(name)
	case c.caller.root():
		return userResult{userXML{
			UserID: string(c.caller.account), ARN: string(c.caller.account.Root()), CreateDate: stamp(c.view.Store().Created),
		}}, nil
	case c.caller.User == nil:
		_, err := c.userOrCaller()
		return nil, err
	}
	return userResult{describeUser(c.caller.User)}, nil
}

func listUsers(c *call) (any, error) {
	under := c.under()
	from := func(after string) iter.Seq[*iam.User] { return c.view.Users(c.caller.account, after) }
	users, end, err := paged(c, from,
		func(u *iam.User) string { return u.Name }, func(u *iam.User) bool { return under(u.Path) })
	return struct {
		Users listOf[userXML]
		page
	}{listing(users, describeUserBriefly), end}, err
}

func updateUser(c *call) (any, error) {
	u, err := c.user(c.form["UserName"])
	if err != nil {
		return nil, err
	}
	change := iam.UpdateUser{User: u.Ref(), NewName: c.form["NewUserName"], NewPath: c.form["NewPath"]}
	if change.Password, err = c.renamedPassword(u, change.NewName); err != nil {
		return nil, err
	}
	return nil, c.propose(change)
}

// renamedPassword seals the secret of a user's name-and-password key for its new
// name, which becomes the key's id. It is nil if the user has no such key, or keeps
// its name.
func (c *call) renamedPassword(u *iam.User, name string) (iam.Sealed, error) {
	key := c.password(u)
	if key == nil || name == "" || name == u.Name {
		return nil, nil
	}
	secret, err := c.server.config.Secrets.OpenSecret(key.ID, key.Secret)
	if err != nil {
		return nil, fmt.Errorf("open the secret of %s: %w", key.ID, err)
	}
	renamed := iam.AccessKey{ID: iam.AccessKeyID(name)}
	err = c.seal(&renamed, string(secret))
	return renamed.Secret, err
}

func deleteUser(c *call) (any, error) {
	if _, err := c.user(c.form["UserName"]); err != nil {
		return nil, err
	}
	return nil, c.propose(iam.DeleteUser{User: c.ref(iam.KindUser)})
}

// ref is the reference of the entity of kind k that the call names.
func (c *call) ref(k iam.Kind) iam.Ref {
	return iam.Ref{Account: c.caller.account, Kind: k, Name: c.form[parameterOf[k]]}
}
