package migrate

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/doorward/doorward/api/portable"
	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/iam"
)

// document is a policy document: an object as awscli prints it, or URL-encoded text
// as the API answers it.
type document string

// UnmarshalJSON takes both forms.
func (d *document) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) != nil {
		*d = document(b)
		return nil
	}
	plain, err := url.PathUnescape(text)
	*d = document(plain)
	return err
}

type awsDetails struct {
	UserDetailList  []awsUser
	GroupDetailList []awsGroup
	RoleDetailList  []awsRole
	Policies        []awsPolicy
	IsTruncated     bool
}

type awsAttached struct{ PolicyName, PolicyArn string }

type awsInline struct {
	PolicyName     string
	PolicyDocument document
}

type awsBoundary struct{ PermissionsBoundaryArn string }

type awsUser struct {
	UserName, Path          string
	Arn                     iam.ARN
	GroupList               []string
	UserPolicyList          []awsInline
	AttachedManagedPolicies []awsAttached
	PermissionsBoundary     *awsBoundary
	Tags                    []portable.Tag
}

type awsGroup struct {
	GroupName, Path         string
	Arn                     iam.ARN
	GroupPolicyList         []awsInline
	AttachedManagedPolicies []awsAttached
}

type awsRole struct {
	RoleName, Path           string
	Arn                      iam.ARN
	AssumeRolePolicyDocument document
	RolePolicyList           []awsInline
	AttachedManagedPolicies  []awsAttached
	PermissionsBoundary      *awsBoundary
	InstanceProfileList      []json.RawMessage
	Tags                     []portable.Tag
}

type awsPolicy struct {
	PolicyName, Path  string
	Arn               iam.ARN
	PolicyVersionList []struct {
		Document         document
		VersionID        string `json:"VersionId"`
		IsDefaultVersion bool
	}
}

// AWS reads what `aws iam get-account-authorization-details` has printed. AWS gives
// no secrets out, so users come without credentials. ARNs of the account that it was
// taken from become ones of the given account.
func AWS(src []byte, account iam.AccountID) (*Result, error) {
	var in awsDetails
	if err := json.Unmarshal(src, &in); err != nil {
		return nil, fmt.Errorf("not the output of `aws iam get-account-authorization-details`: %w", err)
	}
	if len(in.UserDetailList)+len(in.GroupDetailList)+len(in.RoleDetailList)+len(in.Policies) == 0 {
		return nil, errors.New("not the output of `aws iam get-account-authorization-details`: there is nothing in it")
	}
	if in.IsTruncated {
		return nil, errors.New("the output is truncated: run the command without --max-items and --no-paginate")
	}
	a := &fromAWS{awsDetails: in, account: account, imported: map[string]bool{}, groups: map[string]bool{}}
	a.Document.Format = portable.Format
	a.policies()
	a.convertGroups()
	a.roles()
	a.users()
	return &a.Result, nil
}

type fromAWS struct {
	awsDetails
	Result
	account  iam.AccountID
	imported map[string]bool // ARNs of policies
	groups   map[string]bool
}

// moved puts the account's own ARNs into the account here, and says so.
func (a *fromAWS) moved(kind, name string, at iam.ARN, d document) string {
	old := at.Account()
	if old == "" || old == "aws" || old == a.account {
		return string(d)
	}
	text := string(d)
	for _, service := range []string{"iam", "sts"} {
		text = strings.ReplaceAll(text, ":"+service+"::"+string(old)+":", ":"+service+"::"+string(a.account)+":")
	}
	if text != string(d) {
		a.note(kind, name, "ARNs of account %s are imported as ones of %s", old, a.account)
	}
	return text
}

func (a *fromAWS) policies() {
	for _, p := range a.Policies {
		text := ""
		for _, v := range p.PolicyVersionList {
			if v.IsDefaultVersion {
				text = a.moved("policy", p.PolicyName, p.Arn, v.Document)
			}
		}
		if err := parses(policy.Identity, text); err != nil {
			a.unsupported("policy", p.PolicyName, "%v", err)
			continue
		}
		if b, ok := builtin(p.PolicyName); ok && !says(b.Document, text) {
			a.unsupported("policy", p.PolicyName, "a policy of that name is built in here with another text: rename it in AWS first")
			continue
		}
		if len(p.PolicyVersionList) > 1 {
			a.note("policy", p.PolicyName, "only the version in force is imported")
		}
		a.imported[string(p.Arn)] = true
		a.Document.Policies = append(a.Document.Policies, portable.Policy{Name: p.PolicyName, Path: p.Path, Document: text})
	}
}

func parses(kind policy.Kind, text string) error {
	if text == "" {
		return errors.New("it has no version in force")
	}
	_, err := policy.Parse([]byte(text), kind)
	return err
}

// held returns the names of attached policies and the inline ones, or why they
// cannot be imported.
func (a *fromAWS) held(kind, name string, at iam.ARN, attached []awsAttached, inline []awsInline, boundary *awsBoundary) (names []string, own []portable.Inline, limit string, err error) {
	for _, p := range attached {
		if !a.imported[p.PolicyArn] {
			return nil, nil, "", fmt.Errorf("its policy %s is not imported", p.PolicyName)
		}
		names = append(names, p.PolicyName)
	}
	for _, p := range inline {
		text := a.moved(kind, name, at, p.PolicyDocument)
		if err := parses(policy.Identity, text); err != nil {
			return nil, nil, "", fmt.Errorf("its inline policy %s: %w", p.PolicyName, err)
		}
		own = append(own, portable.Inline{Name: p.PolicyName, Document: text})
	}
	if boundary != nil && boundary.PermissionsBoundaryArn != "" {
		if !a.imported[boundary.PermissionsBoundaryArn] {
			return nil, nil, "", fmt.Errorf("its permissions boundary %s is not imported", boundary.PermissionsBoundaryArn)
		}
		limit = boundary.PermissionsBoundaryArn[strings.LastIndexByte(boundary.PermissionsBoundaryArn, '/')+1:]
	}
	return names, own, limit, nil
}

func (a *fromAWS) convertGroups() {
	for _, g := range a.GroupDetailList {
		names, own, _, err := a.held("group", g.GroupName, g.Arn, g.AttachedManagedPolicies, g.GroupPolicyList, nil)
		if err != nil {
			a.unsupported("group", g.GroupName, "%v", err)
			continue
		}
		a.groups[g.GroupName] = true
		a.Document.Groups = append(a.Document.Groups, portable.Group{Name: g.GroupName, Path: g.Path, Policies: names, Inline: own})
	}
}

func (a *fromAWS) roles() {
	for _, r := range a.RoleDetailList {
		if strings.HasPrefix(r.Path, "/aws-service-role/") {
			a.unsupported("role", r.RoleName, "it belongs to a service of AWS")
			continue
		}
		trust := a.moved("role", r.RoleName, r.Arn, r.AssumeRolePolicyDocument)
		names, own, limit, err := a.held("role", r.RoleName, r.Arn, r.AttachedManagedPolicies, r.RolePolicyList, r.PermissionsBoundary)
		if err == nil {
			err = parses(policy.Trust, trust)
		}
		if err != nil {
			a.unsupported("role", r.RoleName, "%v", err)
			continue
		}
		if len(r.InstanceProfileList) > 0 {
			a.note("role", r.RoleName, "its instance profiles have no counterpart here")
		}
		a.Document.Roles = append(a.Document.Roles, portable.Role{
			Name: r.RoleName, Path: r.Path, Trust: trust, Policies: names, Inline: own, Boundary: limit, Tags: r.Tags,
		})
	}
}

func (a *fromAWS) users() {
	for _, u := range a.UserDetailList {
		names, own, limit, err := a.held("user", u.UserName, u.Arn, u.AttachedManagedPolicies, u.UserPolicyList, u.PermissionsBoundary)
		for _, g := range u.GroupList {
			if err == nil && !a.groups[g] {
				err = fmt.Errorf("its group %s is not imported", g)
			}
		}
		if err != nil {
			a.unsupported("user", u.UserName, "%v", err)
			continue
		}
		a.note("user", u.UserName, "AWS gives no secrets out: it needs a new access key")
		a.Document.Users = append(a.Document.Users, portable.User{
			Name: u.UserName, Path: u.Path, Groups: u.GroupList, Policies: names, Inline: own, Boundary: limit, Tags: u.Tags,
		})
	}
}
