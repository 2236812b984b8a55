package api

import (
	"slices"
	"strconv"
	"strings"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/iam"
)

var (
	sourceARN     = param{name: "PolicySourceArn", presence: notNull, min: 20, max: 2048}
	callerARN     = param{name: "CallerArn", min: 1, max: 2048}
	policyInput   = param{name: "PolicyInputList", kind: list}
	actionNames   = param{name: "ActionNames", kind: list, presence: notNull, max: 1000}
	resourceARNs  = param{name: "ResourceArns", kind: list, max: 1000}
	boundaryInput = param{name: "PermissionsBoundaryPolicyInputList", kind: list, max: 1}
	contextInput  = param{name: "ContextEntries", kind: structs, fields: []string{"ContextKeyName", "ContextKeyType", "ContextKeyValues.member"}}
	resourceInput = param{name: "ResourcePolicy", min: 1, max: maxDocument}
	resourceOwner = param{name: "ResourceOwner", min: 1, max: 2048}
	handling      = param{name: "ResourceHandlingOption", min: 1, max: 64}
)

// simulation is the parameters that both simulators take.
var simulation = []param{
	policyInput, actionNames, resourceARNs, boundaryInput, contextInput, resourceInput, resourceOwner, handling, marker, maxItems,
}

// maxSimulated bounds the questions of one call, actions times resources.
const maxSimulated = 10_000

// simulated is the user, group or role whose policies are asked about.
func simulated(c *call) []target {
	e, err := c.source()
	if err != nil {
		return one(target{arn: iam.ARN(c.form["PolicySourceArn"])})
	}
	return one(targetOf(e))
}

// source finds the entity of the PolicySourceArn parameter.
func (c *call) source() (entity, error) {
	arn := iam.ARN(c.form["PolicySourceArn"])
	kindName, _, _ := strings.Cut(arn.Resource(), "/")
	kinds := map[string]iam.Kind{"user": iam.KindUser, "group": iam.KindGroup, "role": iam.KindRole}
	if kind, ok := kinds[kindName]; ok && arn.Account() == c.caller.account {
		if e, err := c.lookup(kind, lastSegment(arn)); err == nil && e.arn == arn {
			return e, nil
		}
	}
	return entity{}, iam.Errorf(iam.NoSuchEntity, "The entity %s cannot be found.", arn)
}

type statementXML struct {
	SourcePolicyID   string `xml:"SourcePolicyId"`
	SourcePolicyType string
}

type boundaryDetailXML struct{ AllowedByPermissionsBoundary bool }

type evaluationXML struct {
	EvalActionName                    string
	EvalResourceName                  string
	EvalDecision                      string
	MatchedStatements                 listOf[statementXML]
	MissingContextValues              listOf[string]
	PermissionsBoundaryDecisionDetail *boundaryDetailXML
}

// question is one simulated request.
type question struct{ action, resource string }

func simulatePrincipalPolicy(c *call) (any, error) {
	e, err := c.source()
	if err != nil {
		return nil, err
	}
	policies, principal := c.policiesOf(e)
	return c.simulate(policies, principal)
}

func simulateCustomPolicy(c *call) (any, error) {
	return c.simulate(authz.Policies{}, authz.Principal{
		Type: authz.User, Account: c.caller.account, ARN: c.caller.account.Root(),
	})
}

// simulate asks the reference evaluator each question of the call.
func (c *call) simulate(policies authz.Policies, principal authz.Principal) (any, error) {
	if err := c.simulatedPolicies(&policies); err != nil {
		return nil, err
	}
	if arn := iam.ARN(c.form["CallerArn"]); arn != "" {
		principal.Type, principal.ARN, principal.Account = authz.User, arn, arn.Account()
	}
	resources := c.form.list("ResourceArns")
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	actions := c.form.list("ActionNames")
	if len(actions)*len(resources) > maxSimulated {
		return nil, iam.Errorf(iam.InvalidInput, "%d actions on %d resources are more than %d questions.", len(actions), len(resources), maxSimulated)
	}
	var questions []question
	for _, a := range actions {
		if !strings.Contains(a, ":") {
			return nil, iam.Errorf(iam.InvalidInput, "The action %q has no service prefix, e.g. s3:GetObject.", a)
		}
		for _, r := range resources {
			questions = append(questions, question{a, r})
		}
	}
	numbered := func(q question) string {
		return strconv.Itoa(1_000_000 + slices.Index(questions, q))
	}
	shown, end, err := pagedSlice(c, questions, numbered, every)
	return struct {
		EvaluationResults listOf[evaluationXML]
		page
	}{listing(shown, func(q question) evaluationXML { return c.evaluate(policies, principal, q) }), end}, err
}

// simulatedPolicies adds the policies that the call brings along.
func (c *call) simulatedPolicies(policies *authz.Policies) error {
	for i, text := range c.form.list("PolicyInputList") {
		if err := malformed(policy.Identity, text); err != nil {
			return err
		}
		policies.Identity = append(slices.Clip(policies.Identity), authz.Policy{Name: "PolicyInputList." + strconv.Itoa(i+1), Document: text})
	}
	for i, text := range c.form.list("PermissionsBoundaryPolicyInputList") {
		if err := malformed(policy.Boundary, text); err != nil {
			return err
		}
		policies.Boundary = &authz.Policy{Name: "PermissionsBoundaryPolicyInputList." + strconv.Itoa(i+1), Document: text}
	}
	if text := c.form["ResourcePolicy"]; text != "" {
		if err := malformed(policy.Resource, text); err != nil {
			return err
		}
		policies.Resource = &authz.Policy{Name: "ResourcePolicy", Document: text}
	}
	return nil
}

func (c *call) evaluate(policies authz.Policies, principal authz.Principal, q question) evaluationXML {
	owner := iam.ARN(c.form["ResourceOwner"]).Account()
	d := authz.Reference(policies, &authz.Request{
		Principal: principal, Action: q.action, Resource: q.resource, ResourceAccount: owner, Context: c.simulatedContext(),
	})
	x := evaluationXML{EvalActionName: q.action, EvalResourceName: q.resource, EvalDecision: "implicitDeny"}
	switch {
	case d.Allowed():
		x.EvalDecision = "allowed"
	case d.Explicit:
		x.EvalDecision = "explicitDeny"
	}
	if d.Statement >= 0 {
		x.MatchedStatements.Member = []statementXML{{d.Policy, policyTypes[d.Layer]}}
	}
	if policies.Boundary != nil {
		x.PermissionsBoundaryDecisionDetail = &boundaryDetailXML{d.Layer != authz.BoundaryLayer || d.Allowed()}
	}
	x.MissingContextValues.Member = c.missingKeys(policies)
	return x
}

// policyTypes are the names of the IAM API for where a statement stands.
var policyTypes = map[authz.Layer]string{
	authz.IdentityLayer: "IAM Policy", authz.ParentLayer: "IAM Policy", authz.BoundaryLayer: "IAM Permissions Boundary Policy",
	authz.ResourceLayer: "Resource Policy", authz.ServiceControlLayer: "Service Control Policy", authz.SessionLayer: "IAM Policy",
}

// simulatedContext is the condition keys that the call brings along.
func (c *call) simulatedContext() *authz.Context {
	ctx := &authz.Context{}
	for _, m := range c.form.members("ContextEntries") {
		name, values := m.fields["ContextKeyName"], m.fields.list("ContextKeyValues")
		if strings.HasSuffix(m.fields["ContextKeyType"], "List") || len(values) != 1 {
			ctx.SetNamedList(name, values)
			continue
		}
		ctx.SetStated(name, values[0])
	}
	return ctx
}

// missingKeys are the condition keys that the policies speak of and the call does
// not give.
func (c *call) missingKeys(policies authz.Policies) []string {
	given := map[string]bool{}
	for _, m := range c.form.members("ContextEntries") {
		given[strings.ToLower(m.fields["ContextKeyName"])] = true
	}
	return slices.DeleteFunc(conditionKeys(policies), func(key string) bool { return given[strings.ToLower(key)] })
}

// conditionKeys are the condition keys in the conditions and variables of
// policies, sorted.
func conditionKeys(policies authz.Policies) []string {
	sets := []authz.PolicySet{policies.Identity}
	for _, p := range []*authz.Policy{policies.Boundary, policies.Resource} {
		if p != nil {
			sets = append(sets, authz.PolicySet{*p})
		}
	}
	keys := map[string]string{}
	for _, set := range sets {
		for _, p := range set {
			addConditionKeys(keys, policy.ParseStored([]byte(p.Document), policy.Identity))
		}
	}
	sorted := make([]string, 0, len(keys))
	for _, spelling := range keys {
		sorted = append(sorted, spelling)
	}
	slices.Sort(sorted)
	return sorted
}

func addConditionKeys(keys map[string]string, doc *policy.Document) {
	add := func(key string) {
		if _, ok := keys[strings.ToLower(key)]; !ok && key != "" {
			keys[strings.ToLower(key)] = key
		}
	}
	variables := func(texts []policy.Text) {
		for _, t := range texts {
			for _, name := range variablesIn(t.Value) {
				add(name)
			}
		}
	}
	for _, st := range doc.Statements {
		if doc.HasVariables() {
			variables(st.Resources.List)
		}
		for _, condition := range st.Conditions {
			add(condition.Key.Value)
			if doc.HasVariables() && condition.Operator.Comparison.HasVariables() {
				variables(condition.Values)
			}
		}
	}
}

// variablesIn are the names of the policy variables ${name} and ${name, 'default'}
// in a text; the escapes ${*}, ${?} and ${$} are none.
func variablesIn(text string) (names []string) {
	for {
		_, rest, found := strings.Cut(text, "${")
		if !found {
			return names
		}
		inside, after, closed := strings.Cut(rest, "}")
		if !closed {
			return names
		}
		name, _, _ := strings.Cut(inside, ",")
		if name = strings.TrimSpace(name); name != "*" && name != "?" && name != "$" {
			names = append(names, name)
		}
		text = after
	}
}

type contextKeysResult struct{ ContextKeyNames listOf[string] }

func getContextKeysForCustomPolicy(c *call) (any, error) {
	var policies authz.Policies
	if err := c.simulatedPolicies(&policies); err != nil {
		return nil, err
	}
	return contextKeysResult{listOf[string]{conditionKeys(policies)}}, nil
}

func getContextKeysForPrincipalPolicy(c *call) (any, error) {
	e, err := c.source()
	if err != nil {
		return nil, err
	}
	policies, _ := c.policiesOf(e)
	if err := c.simulatedPolicies(&policies); err != nil {
		return nil, err
	}
	return contextKeysResult{listOf[string]{conditionKeys(policies)}}, nil
}
