package api

import (
	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/iam"
)

// The inline policies of users, groups and roles differ in nothing but whom they
// belong to; each function below makes the action for one kind.

func putInline(k iam.Kind) func(*call) (any, error) {
	return func(c *call) (any, error) {
		e, err := c.named(k)
		if err != nil {
			return nil, err
		}
		document := c.form["PolicyDocument"]
		if err := malformed(policy.Identity, document); err != nil {
			return nil, err
		}
		if policy.Size([]byte(document)) > c.policySize() {
			return nil, iam.Errorf(iam.LimitExceeded, "Maximum policy size of %d bytes exceeded for %s %s", c.policySize(), k, e.ref.Name)
		}
		return nil, c.propose(iam.PutInlinePolicy{On: e.ref, Policy: iam.InlinePolicy{Name: c.form["PolicyName"], Document: document}})
	}
}

func (c *call) inline(k iam.Kind) (entity, iam.InlinePolicy, error) {
	e, err := c.named(k)
	if err != nil {
		return e, iam.InlinePolicy{}, err
	}
	for _, p := range e.inline {
		if p.Name == c.form["PolicyName"] {
			return e, p, nil
		}
	}
	return e, iam.InlinePolicy{}, iam.Errorf(iam.NoSuchEntity, "The %s policy with name %s cannot be found.", k, c.form["PolicyName"])
}

type inlineXML struct {
	UserName       string `xml:",omitempty"`
	GroupName      string `xml:",omitempty"`
	RoleName       string `xml:",omitempty"`
	PolicyName     string
	PolicyDocument string
}

func getInline(k iam.Kind) func(*call) (any, error) {
	return func(c *call) (any, error) {
		e, p, err := c.inline(k)
		if err != nil {
			return nil, err
		}
		x := inlineXML{PolicyName: p.Name, PolicyDocument: encodeDocument(p.Document)}
		switch k {
		case iam.KindUser:
			x.UserName = e.ref.Name
		case iam.KindGroup:
			x.GroupName = e.ref.Name
		default:
			x.RoleName = e.ref.Name
		}
		return x, nil
	}
}

func deleteInline(k iam.Kind) func(*call) (any, error) {
	return func(c *call) (any, error) {
		e, p, err := c.inline(k)
		if err != nil {
			return nil, err
		}
		return nil, c.propose(iam.DeleteInlinePolicy{On: e.ref, Name: p.Name})
	}
}

func listInline(k iam.Kind) func(*call) (any, error) {
	return func(c *call) (any, error) {
		e, err := c.named(k)
		if err != nil {
			return nil, err
		}
		name := func(p iam.InlinePolicy) string { return p.Name }
		policies, end, err := pagedSlice(c, e.inline, name, every)
		return struct {
			PolicyNames listOf[string]
			page
		}{listing(policies, name), end}, err
	}
}
