package authz

import (
	"slices"

	"github.com/doorward/doorward/authz/policy"
)

// Reference decides a request in the order of the specification (IAM user
// guide, "Policy evaluation logic"), reading every statement of every policy. It
// is the definition of what [Authority.Decide] has to answer.
//
// A fact that was left open makes what depends on it neither true nor false
// (Kleene's logic). The answer is Need only if it is open after all; then
// Missing holds the families behind every open Deny, and behind every layer
// whose Allow is open. With those facts the answer is Allow or Deny.
func Reference(p Policies, r *Request) Decision { return evaluate(read(p), r).decide() }

func (e *evaluation) decide() Decision {
	if d, ok := e.denied(); ok {
		return d
	}
	allowed := e.allowed()
	open, missing := e.openDeny()
	switch {
	case allowed == no:
		return Decision{Effect: Deny, Layer: e.refusing(), Statement: -1}
	case allowed == unknown:
		return Decision{Effect: Need, Statement: -1, Missing: missing | e.openAllow()}
	case open:
		return Decision{Effect: Need, Statement: -1, Missing: missing}
	}
	return e.grant()
}

// truth is a value of three-valued logic: "and" is the lesser, "or" the greater.
type truth uint8

const (
	no truth = iota
	unknown
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (t truth) not() truth { return yes - t }

// finding is what the evaluation of one statement gave.
type finding struct {
	policyText
	index     int
	statement *policy.Statement
	applies   truth
	missing   Facts
	// grant is, for an Allow of the resource layer, how strongly it names the
	// caller.
	grant grant
}

func (f *finding) decision(e Effect, explicit bool) Decision {
	return Decision{Effect: e, Explicit: explicit, Layer: f.layer, Policy: f.name, Statement: f.index, Sid: f.statement.Sid.Value}
}

// grant says how strongly a bucket policy's Allow names the caller, and so which
// of the caller's own limits it passes by (IAM user guide, "Policy evaluation
// for requests within a single account").
type grant uint8

const (
	noGrant grant = iota
	// accountGrant names the caller's account. It passes by nothing.
	accountGrant
	// roleGrant names the role of a session, or the user who made a federated
	// session. It passes by the identity policies.
	roleGrant
	// userGrant names the user, or everyone. It passes by the boundary too.
	userGrant
	// sessionGrant names this very session, or the provider of a web identity. It
	// passes by the session policy too.
	sessionGrant
)

// reading is the policies of a caller, parsed, in the order in which deciding
// statements are named.
type reading struct {
	policies Policies
	texts    []policyText
}

type policyText struct {
	layer    Layer
	level    int // of service control policies
	name     string
	document *policy.Document
}

func read(p Policies) *reading {
	t := &reading{policies: p}
	for level, set := range p.ServiceControl {
		t.add(ServiceControlLayer, level, policy.ServiceControl, set...)
	}
	t.add(IdentityLayer, 0, policy.Identity, p.Identity...)
	if p.Parent != nil {
		t.add(ParentLayer, 0, policy.Identity, *p.Parent...)
	}
	if p.Boundary != nil {
		t.add(BoundaryLayer, 0, policy.Boundary, *p.Boundary)
	}
	if p.Session != nil {
		t.add(SessionLayer, 0, policy.Session, *p.Session...)
	}
	switch {
	case p.Trust != nil:
		t.add(ResourceLayer, 0, policy.Trust, *p.Trust)
	case p.Resource != nil:
		t.add(ResourceLayer, 0, policy.Resource, *p.Resource)
	}
	return t
}

func (t *reading) add(layer Layer, level int, kind policy.Kind, set ...Policy) {
	for _, p := range set {
		t.texts = append(t.texts, policyText{layer, level, p.Name, policy.ParseStored([]byte(p.Document), kind)})
	}
}

// evaluation is a request with everything that was found about it.
type evaluation struct {
	policies Policies
	request  *Request
	findings []finding
}

// evaluate asks every statement that speaks on the request.
func evaluate(t *reading, r *Request) *evaluation {
	e := &evaluation{policies: t.policies, request: r}
	for _, text := range t.texts {
		if !speaks(text.layer, r.Principal.Type) {
			continue
		}
		for i := range text.document.Statements {
			st := &text.document.Statements[i]
			f := finding{policyText: text, index: i, statement: st}
			m := matcher{doc: text.document, statement: st, request: r, bounded: t.policies.Boundary != nil}
			f.applies, f.missing = m.applies()
			f.grant = m.grant()
			e.findings = append(e.findings, f)
		}
	}
	return e
}

// speaks reports whether a layer speaks on requests of a type of principal. Only
// the resource's policy does on those from outside; only guard rails and the
// resource's policy do on those of the root user.
func speaks(layer Layer, who PrincipalType) bool {
	switch layer {
	case ResourceLayer:
		return true
	case ServiceControlLayer:
		return !who.outside()
	}
	return !who.outside() && who != Root
}

// denied finds the first Deny that applies.
func (e *evaluation) denied() (Decision, bool) {
	for i := range e.findings {
		if f := &e.findings[i]; f.statement.Effect == policy.Deny && f.applies == yes {
			return f.decision(Deny, true), true
		}
	}
	return Decision{}, false
}

func (e *evaluation) openDeny() (open bool, missing Facts) {
	for _, f := range e.findings {
		if f.statement.Effect == policy.Deny && f.applies == unknown {
			open, missing = true, missing|f.missing
		}
	}
	return open, missing
}

// allows reports whether an Allow of the layer applies that names the caller at
// least as strongly as g; noGrant for layers without principals.
func (e *evaluation) allows(layer Layer, level int, g grant) truth {
	t := no
	for _, f := range e.findings {
		if f.statement.Effect == policy.Allow && f.layer == layer && f.level == level && f.grant >= g {
			t = max(t, f.applies)
		}
	}
	return t
}

// allowed applies the rules for one account and across accounts, but for the
// Denies.
func (e *evaluation) allowed() truth {
	resource := func(g grant) truth { return e.allows(ResourceLayer, 0, g) }
	who := e.request.Principal.Type
	switch {
	case who.outside():
		return resource(accountGrant)
	case who == Root:
		return min(e.guardRails(), max(resource(accountGrant), truthOf(!e.needsResource())))
	}
	identity, boundary, session := e.identity(), e.boundary(), e.session()
	own := min(identity, boundary, session)
	if e.needsResource() {
		own = min(own, resource(accountGrant))
	}
	granted := no
	if e.sameAccount() {
		granted = max(resource(sessionGrant), min(resource(userGrant), session), min(resource(roleGrant), session, boundary))
	}
	return min(e.guardRails(), e.narrowing(), max(own, granted))
}

func (e *evaluation) sameAccount() bool {
	owner := e.request.ResourceAccount
	return owner == "" || owner == e.request.Principal.Account
}

// needsResource reports whether the resource's policy has to allow as well:
// across accounts, and always for a trust policy.
func (e *evaluation) needsResource() bool { return !e.sameAccount() || e.policies.Trust != nil }

func (e *evaluation) guardRails() truth {
	t := yes
	for level := range e.policies.ServiceControl {
		t = min(t, e.allows(ServiceControlLayer, level, noGrant))
	}
	return t
}

// identity is what the caller's own policies allow: for a service account those
// of its user.
func (e *evaluation) identity() truth {
	if e.policies.Parent != nil {
		return e.allows(ParentLayer, 0, noGrant)
	}
	return e.allows(IdentityLayer, 0, noGrant)
}

// narrowing is what a service account's own policy leaves of its user's rights;
// no bucket policy passes by it.
func (e *evaluation) narrowing() truth {
	if e.policies.Parent != nil {
		return e.allows(IdentityLayer, 0, noGrant)
	}
	return yes
}

func (e *evaluation) boundary() truth {
	if e.policies.Boundary != nil {
		return e.allows(BoundaryLayer, 0, noGrant)
	}
	return yes
}

// session is what the session policy allows. A federated session without one
// has no rights.
func (e *evaluation) session() truth {
	if e.policies.Session != nil {
		return e.allows(SessionLayer, 0, noGrant)
	}
	return truthOf(e.request.Principal.Type != FederatedUser)
}

// refusing is the first layer that does not allow.
func (e *evaluation) refusing() Layer {
	who := e.request.Principal.Type
	user := !who.outside() && who != Root
	switch {
	case !who.outside() && e.guardRails() == no:
		return ServiceControlLayer
	case user && e.allows(IdentityLayer, 0, noGrant) == no:
		return IdentityLayer
	case user && e.identity() == no:
		return ParentLayer
	case user && e.boundary() == no:
		return BoundaryLayer
	case user && e.session() == no:
		return SessionLayer
	}
	return ResourceLayer
}

// openAllow collects the facts behind every layer whose Allow is open.
func (e *evaluation) openAllow() (missing Facts) {
	for _, f := range e.findings {
		if f.statement.Effect == policy.Allow && f.applies == unknown && e.allows(f.layer, f.level, f.grant) == unknown {
			missing |= f.missing
		}
	}
	return missing
}

// grant names the statement that lets an allowed request in: of the identity
// policies where they are enough, else of the bucket policy.
func (e *evaluation) grant() Decision {
	layer, least := e.granting()
	i := slices.IndexFunc(e.findings, func(f finding) bool {
		return f.layer == layer && f.statement.Effect == policy.Allow && f.applies == yes && f.grant >= least
	})
	if i < 0 {
		return Decision{Effect: Allow, Layer: RootLayer, Statement: -1}
	}
	return e.findings[i].decision(Allow, false)
}

// granting is the layer that lets an allowed request in, and how strongly its
// statement has to name the caller.
func (e *evaluation) granting() (Layer, grant) {
	who := e.request.Principal.Type
	switch {
	case who == Root && !e.needsResource():
		return RootLayer, noGrant
	case who == Root || who.outside():
		return ResourceLayer, accountGrant
	case min(e.identity(), e.boundary(), e.session()) == yes:
		return IdentityLayer, noGrant
	case e.session() != yes:
		return ResourceLayer, sessionGrant
	case e.boundary() != yes:
		return ResourceLayer, userGrant
	}
	return ResourceLayer, roleGrant
}
