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
func Reference(p Policies, r *Request) Decision {
	e := evaluate(p, r)
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
	layer     Layer
	level     int // of service control policies
	policy    string
	index     int
	statement *policy.Statement
	applies   truth
	missing   Facts
	// grant is, for an Allow of the resource layer, how strongly it names the
	// caller.
	grant grant
}

func (f *finding) decision(e Effect, explicit bool) Decision {
	return Decision{Effect: e, Explicit: explicit, Layer: f.layer, Policy: f.policy, Statement: f.index, Sid: f.statement.Sid.Value}
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
	// sessionGrant names this very session. It passes by the session policy too.
	sessionGrant
)

// evaluation is a request with everything that was found about it.
type evaluation struct {
	policies Policies
	request  *Request
	findings []finding
}

// evaluate reads the policies that speak on the request, in the order in which
// deciding statements are named. Only a bucket policy speaks on an anonymous
// request; only guard rails and bucket policies speak on one of the root user.
func evaluate(p Policies, r *Request) *evaluation {
	e := &evaluation{policies: p, request: r}
	if r.Principal.Type != Anonymous {
		for level, set := range p.ServiceControl {
			e.read(ServiceControlLayer, level, policy.ServiceControl, set...)
		}
	}
	if r.Principal.Type != Anonymous && r.Principal.Type != Root {
		e.read(IdentityLayer, 0, policy.Identity, p.Identity...)
		if p.Parent != nil {
			e.read(ParentLayer, 0, policy.Identity, *p.Parent...)
		}
		if p.Boundary != nil {
			e.read(BoundaryLayer, 0, policy.Boundary, *p.Boundary)
		}
		if p.Session != nil {
			e.read(SessionLayer, 0, policy.Session, *p.Session...)
		}
	}
	switch {
	case p.Trust != nil:
		e.read(ResourceLayer, 0, policy.Trust, *p.Trust)
	case p.Resource != nil:
		e.read(ResourceLayer, 0, policy.Resource, *p.Resource)
	}
	return e
}

func (e *evaluation) read(layer Layer, level int, kind policy.Kind, set ...Policy) {
	for _, p := range set {
		doc := policy.ParseStored([]byte(p.Document), kind)
		for i := range doc.Statements {
			st := &doc.Statements[i]
			f := finding{layer: layer, level: level, policy: p.Name, index: i, statement: st}
			m := matcher{doc: doc, statement: st, request: e.request, bounded: e.policies.Boundary != nil}
			f.applies, f.missing = m.applies()
			f.grant = m.grant()
			e.findings = append(e.findings, f)
		}
	}
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
	case who == Anonymous:
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
	user := who != Anonymous && who != Root
	switch {
	case who != Anonymous && e.guardRails() == no:
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
	who := e.request.Principal.Type
	layer, least := ResourceLayer, accountGrant
	switch {
	case who == Root && !e.needsResource():
		return Decision{Effect: Allow, Layer: RootLayer, Statement: -1}
	case who == Root || who == Anonymous:
	case min(e.identity(), e.boundary(), e.session()) == yes:
		layer, least = IdentityLayer, noGrant
	case e.session() != yes:
		least = sessionGrant
	case e.boundary() != yes:
		least = userGrant
	default:
		least = roleGrant
	}
	i := slices.IndexFunc(e.findings, func(f finding) bool {
		return f.layer == layer && f.statement.Effect == policy.Allow && f.applies == yes && f.grant >= least
	})
	return e.findings[i].decision(Allow, false)
}
