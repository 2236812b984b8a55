package api

import (
	"iter"
	"strconv"

	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/iam"
)

// defaultMaxSession is the longest session of a role, in seconds, where none is
// given.
const defaultMaxSession = 3600

type roleXML struct {
	Path                     string
	RoleName                 string
	RoleID                   string `xml:"RoleId"`
	ARN                      string `xml:"Arn"`
	CreateDate               stamp
	AssumeRolePolicyDocument string
	Description              string `xml:",omitempty"`
	MaxSessionDuration       uint32
	PermissionsBoundary      *boundaryXML
	Tags                     *tagsXML
	RoleLastUsed             *struct{}
}

func describeRole(r *iam.Role) roleXML {
	x := describeRoleBriefly(r)
	x.PermissionsBoundary, x.Tags, x.RoleLastUsed = describeBoundary(r.Boundary), describeTags(r.Tags), &struct{}{}
	return x
}

// describeRoleBriefly leaves out tags and boundary, as lists do.
func describeRoleBriefly(r *iam.Role) roleXML {
	return roleXML{
		Path: r.Path, RoleName: r.Name, RoleID: string(r.ID), ARN: string(r.ARN()), CreateDate: stamp(r.Created),
		AssumeRolePolicyDocument: encodeDocument(r.Trust), Description: r.Description, MaxSessionDuration: r.MaxSession,
	}
}

type roleResult struct{ Role roleXML }

// roleResult answers a role as the view has it now.
func (c *call) roleResult(name string) (any, error) {
	r, err := c.role(name)
	if err != nil {
		return nil, err
	}
	return roleResult{describeRole(r)}, nil
}

func createRole(c *call) (any, error) {
	if err := c.checkTrust(c.form["AssumeRolePolicyDocument"]); err != nil {
		return nil, err
	}
	r := iam.Role{
		Account: c.caller.account, Name: c.form["RoleName"], Path: c.path(), ID: c.newUniqueID("AROA"), Created: c.now,
		Description: c.form["Description"], Trust: c.form["AssumeRolePolicyDocument"],
		MaxSession: c.seconds("MaxSessionDuration", defaultMaxSession),
		Tags:       c.form.tags(), Boundary: iam.ARN(c.form["PermissionsBoundary"]),
	}
	if err := c.boundaryExists(r.Boundary); err != nil {
		return nil, err
	}
	if err := c.propose(iam.CreateRole{Role: r}); err != nil {
		return nil, err
	}
	return c.roleResult(r.Name)
}

// maxTrust is the limit of a trust policy in bytes, white space aside (IAM quota
// "role trust policy length").
const maxTrust = 2048

func (c *call) checkTrust(document string) error {
	if err := malformed(policy.Trust, document); err != nil {
		return err
	}
	if policy.Size([]byte(document)) > maxTrust {
		return iam.Errorf(iam.LimitExceeded, "Cannot exceed quota for ACLSizePerRole: %d", maxTrust)
	}
	return nil
}

// seconds returns an integer parameter that was validated, or a default.
func (c *call) seconds(name string, byDefault uint32) uint32 {
	number, err := strconv.ParseUint(c.form[name], 10, 32)
	if err != nil {
		return byDefault
	}
	return uint32(number)
}

func getRole(c *call) (any, error) { return c.roleResult(c.form["RoleName"]) }

func listRoles(c *call) (any, error) {
	under := c.under()
	from := func(after string) iter.Seq[*iam.Role] { return c.view.Roles(c.caller.account, after) }
	roles, end, err := paged(c, from,
		func(r *iam.Role) string { return r.Name }, func(r *iam.Role) bool { return under(r.Path) })
	return struct {
		Roles listOf[roleXML]
		page
	}{listing(roles, describeRoleBriefly), end}, err
}

func updateRole(c *call) (any, error) {
	if _, err := c.role(c.form["RoleName"]); err != nil {
		return nil, err
	}
	text, given := c.form["Description"]
	return struct{}{}, c.propose(iam.UpdateRole{
		Role: c.ref(iam.KindRole), SetDescription: given, Description: text, MaxSession: c.seconds("MaxSessionDuration", 0),
	})
}

func updateAssumeRolePolicy(c *call) (any, error) {
	if _, err := c.role(c.form["RoleName"]); err != nil {
		return nil, err
	}
	if err := c.checkTrust(c.form["PolicyDocument"]); err != nil {
		return nil, err
	}
	return nil, c.propose(iam.UpdateRole{Role: c.ref(iam.KindRole), Trust: c.form["PolicyDocument"]})
}

func deleteRole(c *call) (any, error) {
	if _, err := c.role(c.form["RoleName"]); err != nil {
		return nil, err
	}
	return nil, c.propose(iam.DeleteRole{Role: c.ref(iam.KindRole)})
}

func putBoundary(k iam.Kind) func(*call) (any, error) {
	return func(c *call) (any, error) {
		e, err := c.named(k)
		if err != nil {
			return nil, err
		}
		p, err := c.policyAt(iam.ARN(c.form["PermissionsBoundary"]))
		if err != nil {
			return nil, err
		}
		return nil, c.propose(iam.SetBoundary{On: e.ref, Policy: p.ARN()})
	}
}

func deleteBoundary(k iam.Kind) func(*call) (any, error) {
	return func(c *call) (any, error) {
		e, err := c.named(k)
		if err != nil {
			return nil, err
		}
		if e.boundary == "" {
			return nil, iam.Errorf(iam.NoSuchEntity, "The %s with name %s has no permissions boundary.", k, e.ref.Name)
		}
		return nil, c.propose(iam.SetBoundary{On: e.ref})
	}
}
