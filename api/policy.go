package api

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/iam"
)

// defaultPolicySize is the limit of a policy document in bytes, white space aside,
// where the settings name none.
const defaultPolicySize = 2048

// checkDocument refuses a document that is not a valid policy of its kind, or too
// large.
func (c *call) checkDocument(kind policy.Kind, document string) error {
	if err := malformed(kind, document); err != nil {
		return err
	}
	if size := policy.Size([]byte(document)); size > c.policySize() {
		return iam.Errorf(iam.LimitExceeded, "Cannot exceed quota for PolicySize: %d. The document has %d bytes without white space.", c.policySize(), size)
	}
	return nil
}

// policySize is the limit of a document in bytes, white space aside.
func (c *call) policySize() int { return int(iam.Or(c.view.Settings().PolicySize, defaultPolicySize)) }

// malformed names the statement, the element, what was wrong and what would be
// right.
func malformed(kind policy.Kind, document string) error {
	_, err := policy.Parse([]byte(document), kind)
	var wrong *policy.Error
	if errors.As(err, &wrong) {
		return iam.Errorf(iam.MalformedPolicyDocument, "%s", wrong.Error())
	}
	if err != nil {
		return iam.Errorf(iam.MalformedPolicyDocument, "%w", err)
	}
	return nil
}

type policyXML struct {
	PolicyName                    string
	PolicyID                      string `xml:"PolicyId"`
	ARN                           string `xml:"Arn"`
	Path                          string
	DefaultVersionID              string `xml:"DefaultVersionId"`
	AttachmentCount               int
	PermissionsBoundaryUsageCount int
	IsAttachable                  bool
	Description                   string `xml:",omitempty"`
	CreateDate                    stamp
	UpdateDate                    stamp
	Tags                          *tagsXML
}

func (c *call) describePolicy(p *iam.Policy) policyXML {
	x := c.describePolicyBriefly(p)
	x.Description, x.Tags = p.Description, describeTags(p.Tags)
	return x
}

func (c *call) describePolicyBriefly(p *iam.Policy) policyXML {
	return policyXML{
		PolicyName: p.Name, PolicyID: string(p.ID), ARN: string(p.ARN()), Path: p.Path,
		DefaultVersionID: versionName(p.Default), IsAttachable: true,
		AttachmentCount:               count(c.view.AttachedTo(p.ARN())),
		PermissionsBoundaryUsageCount: count(c.view.BoundaryOf(p.ARN())),
		CreateDate:                    stamp(p.Created), UpdateDate: stamp(p.Updated),
	}
}

func count[T any](seq iter.Seq[T]) (n int) {
	for range seq {
		n++
	}
	return n
}

type policyResult struct{ Policy policyXML }

func createPolicy(c *call) (any, error) {
	text := c.form["PolicyDocument"]
	if err := c.checkDocument(policy.Identity, text); err != nil {
		return nil, err
	}
	p := iam.Policy{
		Account: c.caller.account, Name: c.form["PolicyName"], Path: c.path(), ID: c.newUniqueID("ANPA"),
		Description: c.form["Description"], Created: c.now, Updated: c.now, Tags: c.form.tags(),
		Versions: []iam.PolicyVersion{{Number: 1, Document: text, Created: c.now}}, Default: 1, Next: 2,
	}
	if err := c.propose(iam.CreatePolicy{Policy: p}); err != nil {
		return nil, err
	}
	created, err := c.policyAt(p.ARN())
	if err != nil {
		return nil, err
	}
	return policyResult{c.describePolicy(created)}, nil
}

func getPolicy(c *call) (any, error) {
	p, err := c.policy()
	if err != nil {
		return nil, err
	}
	return policyResult{c.describePolicy(p)}, nil
}

func listPolicies(c *call) (any, error) {
	under := c.under()
	keep := func(p *iam.Policy) bool {
		switch scope := c.form["Scope"]; {
		case scope == "AWS" && !p.Builtin, scope == "Local" && p.Builtin, !under(p.Path):
			return false
		}
		return c.form["OnlyAttached"] != "true" || count(c.usage(p.ARN())) > 0
	}
	from := func(after string) iter.Seq[*iam.Policy] { return c.view.Policies(c.caller.account, after) }
	policies, end, err := paged(c, from, func(p *iam.Policy) string { return p.Name }, keep)
	return struct {
		Policies listOf[policyXML]
		page
	}{listing(policies, c.describePolicyBriefly), end}, err
}

func deletePolicy(c *call) (any, error) {
	p, err := c.policy()
	if err != nil {
		return nil, err
	}
	return nil, c.propose(iam.DeletePolicy{Policy: p.ARN()})
}

func versionName(number uint32) string { return "v" + strconv.FormatUint(uint64(number), 10) }

type versionXML struct {
	Document         string `xml:",omitempty"`
	VersionID        string `xml:"VersionId"`
	IsDefaultVersion bool
	CreateDate       stamp
}

type versionResult struct{ PolicyVersion versionXML }

func describeVersion(p *iam.Policy, v iam.PolicyVersion) versionXML {
	return versionXML{VersionID: versionName(v.Number), IsDefaultVersion: v.Number == p.Default, CreateDate: stamp(v.Created)}
}

// version finds the version that the call names.
func (c *call) version() (*iam.Policy, iam.PolicyVersion, error) {
	p, err := c.policy()
	if err != nil {
		return nil, iam.PolicyVersion{}, err
	}
	for _, v := range p.Versions {
		if versionName(v.Number) == c.form["VersionId"] {
			return p, v, nil
		}
	}
	return nil, iam.PolicyVersion{}, iam.Errorf(iam.NoSuchEntity, "Policy %s version %s does not exist or is not attachable.", p.ARN(), c.form["VersionId"])
}

func createPolicyVersion(c *call) (any, error) {
	p, err := c.policy()
	if err != nil {
		return nil, err
	}
	text := c.form["PolicyDocument"]
	if err := c.checkDocument(policy.Identity, text); err != nil {
		return nil, err
	}
	number := p.Next
	makeDefault := c.form["SetAsDefault"] == "true"
	if err := c.propose(iam.CreatePolicyVersion{Policy: p.ARN(), Document: text, MakeDefault: makeDefault, Created: c.now}); err != nil {
		return nil, err
	}
	return c.createdVersion(p.ARN(), number, text)
}

// createdVersion answers the version that was made. Somebody else may have made
// one in between, so it is the first from number on that holds the text.
func (c *call) createdVersion(arn iam.ARN, number uint32, text string) (any, error) {
	p, err := c.policyAt(arn)
	if err != nil {
		return nil, err
	}
	for _, v := range p.Versions {
		if v.Number >= number && v.Document == text {
			return versionResult{describeVersion(p, v)}, nil
		}
	}
	return nil, iam.Errorf(iam.ConcurrentModification, "The version of %s was deleted again before it could be read.", arn)
}

func getPolicyVersion(c *call) (any, error) {
	p, v, err := c.version()
	if err != nil {
		return nil, err
	}
	x := describeVersion(p, v)
	x.Document = encodeDocument(v.Document)
	return versionResult{x}, nil
}

func listPolicyVersions(c *call) (any, error) {
	p, err := c.policy()
	if err != nil {
		return nil, err
	}
	// Zero-padded, numbers and names have one order.
	name := func(v iam.PolicyVersion) string { return fmt.Sprintf("%010d", v.Number) }
	versions, end, err := pagedSlice(c, p.Versions, name, every)
	return struct {
		Versions listOf[versionXML]
		page
	}{listing(versions, func(v iam.PolicyVersion) versionXML { return describeVersion(p, v) }), end}, err
}

func deletePolicyVersion(c *call) (any, error) {
	p, v, err := c.version()
	if err != nil {
		return nil, err
	}
	return nil, c.propose(iam.DeletePolicyVersion{Policy: p.ARN(), Number: v.Number})
}

func setDefaultPolicyVersion(c *call) (any, error) {
	p, v, err := c.version()
	if err != nil {
		return nil, err
	}
	return nil, c.propose(iam.SetDefaultPolicyVersion{Policy: p.ARN(), Number: v.Number})
}

func attach(k iam.Kind) func(*call) (any, error) {
	return func(c *call) (any, error) {
		e, err := c.named(k)
		if err != nil {
			return nil, err
		}
		p, err := c.policy()
		if err != nil {
			return nil, err
		}
		return nil, c.propose(iam.AttachPolicy{To: e.ref, Policy: p.ARN()})
	}
}

func detach(k iam.Kind) func(*call) (any, error) {
	return func(c *call) (any, error) {
		e, err := c.named(k)
		if err != nil {
			return nil, err
		}
		arn := iam.ARN(c.form["PolicyArn"])
		if !slices.Contains(e.attached, arn) {
			return nil, iam.Errorf(iam.NoSuchEntity, "Policy %s was not found.", arn)
		}
		return nil, c.propose(iam.DetachPolicy{From: e.ref, Policy: arn})
	}
}

type attachedXML struct {
	PolicyName string
	PolicyArn  iam.ARN
}

func describeAttached(arn iam.ARN) attachedXML { return attachedXML{lastSegment(arn), arn} }

// lastSegment is the name at the end of an ARN, after the path.
func lastSegment(arn iam.ARN) string { return string(arn[strings.LastIndexByte(string(arn), '/')+1:]) }

func listAttached(k iam.Kind) func(*call) (any, error) {
	return func(c *call) (any, error) {
		e, err := c.named(k)
		if err != nil {
			return nil, err
		}
		under := c.under()
		keep := func(arn iam.ARN) bool {
			return under(strings.TrimSuffix(strings.TrimPrefix(string(arn.Resource()), "policy"), lastSegment(arn)))
		}
		attached, end, err := pagedSlice(c, e.attached, func(arn iam.ARN) string { return string(arn) }, keep)
		return struct {
			AttachedPolicies listOf[attachedXML]
			page
		}{listing(attached, describeAttached), end}, err
	}
}

type (
	policyUserXML  struct{ UserName, UserId string }
	policyGroupXML struct{ GroupName, GroupId string }
	policyRoleXML  struct{ RoleName, RoleId string }
)

func listEntitiesForPolicy(c *call) (any, error) {
	p, err := c.policy()
	if err != nil {
		return nil, err
	}
	var holders []entity
	for ref := range c.usage(p.ARN()) {
		e, err := c.lookup(ref.Kind, ref.Name)
		if err != nil {
			return nil, err
		}
		holders = append(holders, e)
	}
	under := c.under()
	keep := func(e entity) bool { return under(e.path) && c.wants(e.ref.Kind) }
	shown, end, err := pagedSlice(c, holders, func(e entity) string { return string(e.arn) }, keep)
	answer := struct {
		PolicyGroups listOf[policyGroupXML]
		PolicyUsers  listOf[policyUserXML]
		PolicyRoles  listOf[policyRoleXML]
		page
	}{page: end}
	for _, e := range shown {
		switch e.ref.Kind {
		case iam.KindUser:
			answer.PolicyUsers.Member = append(answer.PolicyUsers.Member, policyUserXML{e.ref.Name, string(e.id)})
		case iam.KindGroup:
			answer.PolicyGroups.Member = append(answer.PolicyGroups.Member, policyGroupXML{e.ref.Name, string(e.id)})
		default:
			answer.PolicyRoles.Member = append(answer.PolicyRoles.Member, policyRoleXML{e.ref.Name, string(e.id)})
		}
	}
	return answer, err
}

// usage yields the entities that the PolicyUsageFilter asks for: those whose
// boundary the policy is, or those that have it attached.
func (c *call) usage(arn iam.ARN) iter.Seq[iam.Ref] {
	if c.form["PolicyUsageFilter"] == "PermissionsBoundary" {
		return c.view.BoundaryOf(arn)
	}
	return c.view.AttachedTo(arn)
}

// wants reports whether the EntityFilter lets entities of kind k through.
func (c *call) wants(k iam.Kind) bool {
	filter := c.form["EntityFilter"]
	return filter == "" || strings.EqualFold(filter, k.String())
}
