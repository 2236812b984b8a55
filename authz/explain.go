package authz

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/doorward/doorward/authz/policy"
)

// Explanation says why [Reference] decides a request as it does: what each layer
// says, which statement decides, and which statements nearly would. It is a
// value for people and programs: String is its text form, and it marshals to
// JSON.
type Explanation struct {
	// Principal is the caller's ARN, empty if anonymous.
	Principal string `json:"principal,omitempty"`
	Action    string `json:"action"`
	Resource  string `json:"resource"`
	// Effect is "ALLOW", "DENY" or "NEED".
	Effect string `json:"effect"`
	// Explicit is true if a Deny statement decided.
	Explicit bool `json:"explicit"`
	// Layer is the deciding one; for an implicit deny the first that does not
	// allow; empty for NEED.
	Layer string `json:"layer,omitempty"`
	// By is the deciding statement, nil if none decided.
	By *StatementName `json:"by,omitempty"`
	// Missing is, for NEED, the condition keys whose values the answer turns on.
	Missing []string `json:"missing,omitempty"`
	// Layers are the layers that there are, in the order of evaluation.
	Layers []LayerVerdict `json:"layers"`

	// Decision is what [Reference] answers.
	Decision Decision `json:"-"`
}

// StatementName names one statement of a policy.
type StatementName struct {
	Policy string `json:"policy"`
	// Index counts from 0.
	Index int    `json:"index"`
	Sid   string `json:"sid,omitempty"`
	// Effect is "Allow" or "Deny".
	Effect string `json:"effect"`
	// Line is where the statement begins in its document, from 1.
	Line int `json:"line"`
}

// The verdicts of a layer.
const (
	// Denies: a Deny of the layer applies.
	Denies = "denies"
	// Allows: an Allow of the layer applies, and no Deny.
	Allows = "allows"
	// AllowsNot: no Allow of the layer applies.
	AllowsNot = "does not allow"
	// Open: the answer turns on facts that are not known.
	Open = "open"
	// Silent: the layer has no say on this type of principal.
	Silent = "has no say"
)

// LayerVerdict is what one layer says by itself.
type LayerVerdict struct {
	// Layer is its name, as [Layer.String] has it; Level is that of a guard rail,
	// counted from 0 at the root.
	Layer string `json:"layer"`
	Level int    `json:"level,omitempty"`
	// Verdict is one of the constants above.
	Verdict string `json:"verdict"`
	// By is the statement that denies or allows, nil if none does.
	By *StatementName `json:"by,omitempty"`
	// Names says of an Allow of a bucket or trust policy whom it names: "account",
	// "role", "user" (or everyone) or "session". It passes by the more of the
	// caller's own limits the more closely it names the caller.
	Names string `json:"names,omitempty"`
	// Missing is, for an open layer, the condition keys that it turns on.
	Missing []string `json:"missing,omitempty"`
	// Statements is how many there are in the layer.
	Statements int `json:"statements"`
	// Near are the statements that nearly apply, nearest first, NearLimit at
	// most; More is how many others are as near.
	Near []Miss `json:"near,omitempty"`
	More int    `json:"more,omitempty"`
}

// NearLimit is how many near misses an explanation tells for each layer.
const NearLimit = 5

// Miss is a statement that does not apply, and the first of its elements that
// does not match, in the order Principal, Action, Resource, Condition.
type Miss struct {
	Statement StatementName `json:"statement"`
	// Element is "Principal", "NotAction" and the like, for a condition its
	// operator, e.g. "StringEquals". Key is the condition key.
	Element string `json:"element"`
	Key     string `json:"key,omitempty"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	// Expected is what the policy says, as written; one of them had to match, or
	// none of them for a negated operator and a Not element.
	Expected []string `json:"expected"`
	None     bool     `json:"none,omitempty"`
	// Got is what the request has: nil if it does not have the key.
	Got []string `json:"got"`
	// Note says what else matters, such as the values of variables.
	Note string `json:"note,omitempty"`
	// Others is how many further elements do not match.
	Others int `json:"others,omitempty"`
}

// Explain decides a request as [Reference] does and says why. It reads every
// statement; it is not for the hot path.
func Explain(p Policies, r *Request) Explanation {
	e := evaluate(read(p), r)
	d := e.decide()
	x := Explanation{
		Principal: string(r.Principal.ARN), Action: r.Action, Resource: r.Resource,
		Effect: d.Effect.String(), Explicit: d.Explicit, Layer: d.Layer.String(), Missing: d.Missing.Keys(),
		Decision: d,
	}
	for i := range e.findings {
		if f := &e.findings[i]; f.layer == d.Layer && f.name == d.Policy && f.index == d.Statement && x.By == nil {
			x.By = f.named()
		}
	}
	for level := range p.ServiceControl {
		x.Layers = append(x.Layers, e.verdict(ServiceControlLayer, level))
	}
	for layer := IdentityLayer; layer <= ResourceLayer; layer++ {
		if e.has(layer) {
			x.Layers = append(x.Layers, e.verdict(layer, 0))
		}
	}
	return x
}

// has reports whether the layer is there, or is missed.
func (e *evaluation) has(layer Layer) bool {
	p, who := &e.policies, e.request.Principal.Type
	switch layer {
	case ParentLayer:
		return p.Parent != nil
	case BoundaryLayer:
		return p.Boundary != nil
	case SessionLayer:
		return p.Session != nil || who == FederatedUser
	case ResourceLayer:
		return p.Resource != nil || p.Trust != nil || who.outside() || !e.sameAccount()
	}
	return true
}

func (f *finding) named() *StatementName {
	return &StatementName{
		Policy: f.name, Index: f.index, Sid: f.statement.Sid.Value,
		Effect: f.statement.Effect.String(), Line: f.statement.Pos.Line,
	}
}

var grantNames = [...]string{"", "account", "role", "user", "session"}

// verdict is what the layer says by itself.
func (e *evaluation) verdict(layer Layer, level int) LayerVerdict {
	v := LayerVerdict{Layer: layer.String(), Level: level, Verdict: AllowsNot}
	if !speaks(layer, e.request.Principal.Type) {
		v.Verdict = Silent
		return v
	}
	var allow, deny *finding
	var openDeny bool
	var missing Facts
	for i := range e.findings {
		f := &e.findings[i]
		if f.layer != layer || f.level != level {
			continue
		}
		v.Statements++
		missing |= f.missing
		denies := f.statement.Effect == policy.Deny
		switch {
		case f.applies == unknown:
			openDeny = openDeny || denies
		case f.applies == yes && denies && deny == nil:
			deny = f
		case f.applies == yes && !denies && (allow == nil || f.grant > allow.grant):
			allow = f
		}
	}
	switch allowed := e.allows(layer, level, noGrant); {
	case deny != nil:
		v.Verdict, v.By = Denies, deny.named()
		return v
	case allowed == unknown, allowed == yes && openDeny:
		v.Verdict, v.Missing = Open, missing.Keys()
	case allowed == yes:
		v.Verdict, v.By, v.Names = Allows, allow.named(), grantNames[allow.grant]
	}
	v.Near, v.More = e.near(layer, level, allow == nil)
	return v
}

// near lists the statements that nearly apply: the Allows with the fewest
// elements that do not match, if the layer does not allow, and the Denies with
// one. A statement about another action on another resource is not near.
func (e *evaluation) near(layer Layer, level int, allows bool) (near []Miss, more int) {
	fewest := 0
	for i := range e.findings {
		f := &e.findings[i]
		if f.layer != layer || f.level != level || f.applies != no {
			continue
		}
		m := e.matcher(f)
		misses := m.misses()
		isAllow := f.statement.Effect == policy.Allow
		if isAllow && !allows || !isAllow && len(misses) > 1 || m.unrelated() {
			continue
		}
		if isAllow && (fewest == 0 || len(misses) < fewest) {
			fewest = len(misses)
		}
		first := misses[0]
		first.Statement, first.Others = *f.named(), len(misses)-1
		near = append(near, first)
	}
	near = slices.DeleteFunc(near, func(m Miss) bool {
		return m.Statement.Effect == policy.Allow.String() && m.Others+1 > fewest
	})
	slices.SortStableFunc(near, func(a, b Miss) int { return cmp.Compare(a.Others, b.Others) })
	if len(near) > NearLimit {
		near, more = near[:NearLimit], len(near)-NearLimit
	}
	return near, more
}

func (e *evaluation) matcher(f *finding) *matcher {
	return &matcher{doc: f.document, statement: f.statement, request: e.request, bounded: e.policies.Boundary != nil}
}

// unrelated reports whether the statement is about another action on another
// resource.
func (m *matcher) unrelated() bool {
	resource, _ := m.resource()
	return !m.action() && resource == no
}

// misses lists the elements that do not match, in the order in which applies
// asks. It is empty if and only if the statement applies or is open.
func (m *matcher) misses() []Miss {
	st := m.statement
	if u := st.Unknown; u != nil && st.Effect == policy.Allow {
		return []Miss{{Element: cmp.Or(u.Element, "statement"), Line: u.Pos.Line, Column: u.Pos.Column, Note: u.Wrong}}
	}
	var misses []Miss
	add := func(element string, not bool, at policy.Position, expected []string, got string) {
		if not {
			element = "Not" + element
		}
		misses = append(misses, Miss{Element: element, Line: at.Line, Column: at.Column, Expected: expected, None: not, Got: []string{got}})
	}
	if !m.principal() {
		caller := cmp.Or(string(m.request.Principal.ARN), "anonymous")
		add("Principal", st.Principals.Not, st.Principals.Pos, principalTexts(st.Principals.List), caller)
	}
	if !m.action() {
		add("Action", st.Actions.Not, st.Actions.Pos, texts(st.Actions.List), m.request.Action)
	}
	if t, _ := m.resource(); t == no {
		add("Resource", st.Resources.Not, st.Resources.Pos, texts(st.Resources.List), m.request.Resource)
		misses[len(misses)-1].Note = m.variables(st.Resources.List)
	}
	for i := range st.Conditions {
		if t, _ := m.condition(&st.Conditions[i]); t == no {
			misses = append(misses, m.conditionMiss(&st.Conditions[i]))
		}
	}
	return misses
}

func (m *matcher) conditionMiss(c *policy.Condition) Miss {
	value, _ := m.request.Context.Lookup(c.Key.Value)
	miss := Miss{
		Element: c.Operator.String(), Key: c.Key.Value, Line: c.Key.Pos.Line, Column: c.Key.Pos.Column,
		Expected: texts(c.Values), None: c.Operator.Comparison.Negated(), Got: value.Values,
	}
	switch {
	case c.Operator.Comparison == policy.Null:
		miss.Note = `"true" asks for a key that is missing, "false" for one that is there`
	case value.Multi && c.Operator.Quantifier == policy.Single && m.statement.Effect == policy.Allow:
		miss.Note = "the key can have several values and asks for ForAnyValue: or ForAllValues:"
	case c.Operator.Comparison.HasVariables():
		miss.Note = m.variables(c.Values)
	}
	return miss
}

// variables says what the variables in a list stand for.
func (m *matcher) variables(list []policy.Text) string {
	var notes []string
	for _, t := range list {
		for _, part := range policy.ParsePattern(t.Value, true, m.doc.HasVariables()) {
			if part.Kind != policy.Variable {
				continue
			}
			note := fmt.Sprintf("${%s} has no value", part.Text)
			switch v, _ := m.request.Context.Lookup(part.Text); {
			case v.Present && !v.Multi:
				note = fmt.Sprintf("${%s} is %q", part.Text, v.Values[0])
			case part.HasDefault:
				note = fmt.Sprintf("${%s} is %q by default", part.Text, part.Default)
			}
			if !slices.Contains(notes, note) {
				notes = append(notes, note)
			}
		}
	}
	return strings.Join(notes, ", ")
}

func texts(list []policy.Text) []string {
	out := make([]string, len(list))
	for i, t := range list {
		out[i] = t.Value
	}
	return out
}

func principalTexts(list []policy.Principal) []string {
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = p.Value
	}
	return out
}
