package api

import (
	"strings"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/iam"
)

// explain says why a request would be decided as it is, under the policies of the
// store at this moment: of a user or role, or of an access key, with all that
// narrows it. Whoever may simulate somebody's policies may have them explained.
func explain(c *call) (any, error) {
	var in struct {
		User        string              `json:"user"`
		Role        string              `json:"role"`
		AccessKeyID iam.AccessKeyID     `json:"access_key_id"`
		Action      string              `json:"action"`
		Resource    string              `json:"resource"`
		Context     map[string][]string `json:"context"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Action == "" || in.Resource == "" {
		return nil, iam.Errorf(iam.InvalidInput, "Both action, e.g. \"s3:GetObject\", and resource, an ARN or \"*\", are needed.")
	}
	who, at, found, err := c.subject(in.User, in.Role, in.AccessKeyID)
	if err != nil {
		return nil, err
	}
	if err := c.need("iam:SimulatePrincipalPolicy", at); err != nil {
		return nil, err
	}
	if !found {
		return nil, iam.Errorf(iam.NoSuchEntity, "There is no such user, role or access key.")
	}
	r := &authz.Request{Principal: who.Principal, Action: in.Action, Resource: in.Resource, Context: &authz.Context{}}
	policies := who.Policies
	if record, ok := c.view.Bucket(bucketOf(in.Resource)); ok {
		r.ResourceAccount = record.Account
		if record.Policy != "" {
			policies.Resource = &authz.Policy{Name: "policy of bucket " + record.Name, Document: record.Policy}
		}
	}
	who.Describe(r.Context)
	for name, values := range in.Context {
		if key, known := policy.KeyOf(name); len(values) == 1 && !(known && key.Info().Multi) {
			r.Context.SetStated(name, values[0])
		} else {
			r.Context.SetNamedList(name, values)
		}
	}
	fault := ""
	if why := who.Refused(c.now); why != authz.NoFault {
		fault = why.String()
	}
	return struct {
		authz.Explanation
		// Fault says why the credential is refused whatever the policies say.
		Fault string    `json:"fault,omitempty"`
		Index iam.Index `json:"index"`
	}{authz.Explain(policies, r), fault, c.view.Index()}, nil
}

// subject is whom a question is about, and what a permission to ask it is about.
// That comes first: who may not ask is not told whether there is anybody.
func (c *call) subject(user, role string, key iam.AccessKeyID) (who *authz.Identity, at target, found bool, err error) {
	ref := iam.Ref{Account: c.caller.account, Kind: iam.KindUser, Name: user}
	switch {
	case user != "" && role == "" && key == "":
	case role != "" && user == "" && key == "":
		ref.Kind, ref.Name = iam.KindRole, role
	case key != "" && user == "" && role == "":
		who, at, found = c.holder(key)
		return who, at, found, nil
	default:
		return nil, at, false, iam.Errorf(iam.InvalidParameterCombination, "Say one of user, role and access_key_id.")
	}
	who, found = authz.ResolveRef(c.view, ref)
	return who, c.refTarget(ref), found, nil
}

// holder is who has an access key of the caller's account.
func (c *call) holder(id iam.AccessKeyID) (*authz.Identity, target, bool) {
	owner := iam.Ref{}
	if key, ok := c.view.AccessKey(id); ok {
		owner = key.Owner
	} else if s, ok := c.view.Session(id); ok {
		owner = s.Parent
	}
	if owner.Account != c.caller.account {
		return nil, target{arn: "*"}, false
	}
	who, found := authz.Resolve(c.view, id)
	return who, c.refTarget(owner), found
}

// bucketOf is the bucket in an ARN of S3, empty if there is none.
func bucketOf(resource string) string {
	name, ok := strings.CutPrefix(resource, "arn:aws:s3:::")
	if !ok {
		return ""
	}
	name, _, _ = strings.Cut(name, "/")
	return name
}
