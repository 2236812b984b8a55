package authz

// Authority is everything that may speak on the requests of one principal, but
// for bucket policies: compiled, immutable and shared by all principals with the
// same policies.
type Authority struct {
	identity, parent, boundary, session *set
	guardRails                          []*set
}

// BucketPolicy is a compiled bucket policy.
type BucketPolicy struct{ set *set }

// set is the policies of one layer.
type set struct {
	serial uint64
	// documents are kept so that the compiler finds them again.
	documents []*document
	names     []string
	// parts are asked one after the other: one for each document while there are
	// few, so that sets share them, or one for all.
	parts []setPart
}

type setPart struct {
	index *index
	// first is the position in the set of the part's first document.
	first int32
}

// Decide answers a request: an explicit Deny of any layer, else what the layers
// allow together. The bucket's policy may be nil. A nil Authority is one without
// policies, as anonymous callers have. Of S3 actions Decide allocates nothing.
func (a *Authority) Decide(r *Request, bucket *BucketPolicy) Decision {
	if a == nil {
		a = &Authority{}
	}
	e := engine{authority: a}
	e.prepare(r)
	e.bounded = a.boundary != nil
	if !e.ask(bucket) {
		return e.denial
	}
	return e.combine(r, bucket)
}

// engine gathers the verdicts of the layers on one request.
type engine struct {
	query
	authority *Authority
	// layer, set and first are of the documents that are being asked.
	layer Layer
	set   *set
	first int32
	// denial is the answer once a Deny has applied.
	denial Decision
	// openDeny is true if a Deny is open; missing has the facts behind it.
	openDeny bool
	missing  Facts
	verdicts [verdictCount]verdict
}

// verdict is what the Allows of a layer say together. A bucket policy has one
// for each strength of grant.
type verdict struct {
	allowed truth
	missing Facts
	// first and by name the statement that allowed.
	first int32
	by    *ref
}

const verdictCount = int(ResourceLayer) + int(sessionGrant)

// verdict finds the place for an Allow of the layer that is being asked.
func (e *engine) verdict(g grant) *verdict {
	if g == noGrant {
		return &e.verdicts[e.layer]
	}
	return e.granted(g)
}

// granted is what the bucket policy says in statements of one strength.
func (e *engine) granted(g grant) *verdict {
	return &e.verdicts[int(ResourceLayer)+int(g-accountGrant)]
}

// ask shows the request to every layer that speaks on it. It returns false as
// soon as one denies.
func (e *engine) ask(bucket *BucketPolicy) bool {
	a, who := e.authority, e.caller.Type
	if !who.outside() && !e.askGuardRails() {
		return false
	}
	if !who.outside() && who != Root {
		ok := e.askLayer(IdentityLayer, a.identity) && e.askLayer(ParentLayer, a.parent) &&
			e.askLayer(BoundaryLayer, a.boundary) && e.askLayer(SessionLayer, a.session)
		if !ok {
			return false
		}
	}
	return bucket == nil || e.askLayer(ResourceLayer, bucket.set)
}

// askGuardRails shows the request to each level; all of them have to allow.
func (e *engine) askGuardRails() bool {
	all := verdict{allowed: yes}
	v := &e.verdicts[ServiceControlLayer]
	for _, level := range e.authority.guardRails {
		*v = verdict{}
		if !e.askLayer(ServiceControlLayer, level) {
			return false
		}
		all.allowed = min(all.allowed, v.allowed)
		all.missing |= v.missing
	}
	*v = all
	return true
}

// askLayer shows the request to the documents of a set; nil is a layer that is
// not there, as most are.
func (e *engine) askLayer(layer Layer, s *set) bool { return s == nil || e.askSet(layer, s) }

func (e *engine) askSet(layer Layer, s *set) bool {
	e.layer, e.set = layer, s
	for i := range s.parts {
		e.first = s.parts[i].first
		if !s.parts[i].index.visit(e) {
			return false
		}
	}
	return true
}

// visit lets the statements filed under one prefix speak; nil is none. It returns
// false if one of them denies.
func (e *engine) visit(n *node) bool { return n == nil || e.hearAll(n) }

func (e *engine) hearAll(n *node) bool {
	for i := range n.refs {
		if !e.hear(&n.refs[i]) {
			return false
		}
	}
	return n.further == nil || n.further[0].visit(e) && n.further[1].visit(e) && n.further[2].visit(e)
}

// hear lets one statement speak, if it is about the action. It returns false if it
// denies.
func (e *engine) hear(r *ref) bool {
	switch {
	case !r.actions.has(&e.query):
	case r.deny:
		return !e.denies(r)
	default:
		e.allows(r)
	}
	return true
}

func (e *engine) denies(r *ref) bool {
	if r.names && !r.statement.principals.denies(e.caller, e.bounded) {
		return false
	}
	t, facts := r.applies(&e.query)
	switch t {
	case yes:
		e.denial = e.decision(Deny, e.layer, &verdict{first: e.first, by: r})
		e.denial.Explicit = true
	case unknown:
		e.openDeny, e.missing = true, e.missing|facts
	}
	return t == yes
}

func (e *engine) allows(r *ref) {
	g := noGrant
	if r.names {
		if g = r.statement.principals.grants(e.caller); g == noGrant {
			return
		}
	}
	v := e.verdict(g)
	if v.allowed == yes {
		return
	}
	switch t, facts := r.applies(&e.query); t {
	case yes:
		*v = verdict{allowed: yes, first: e.first, by: r}
	case unknown:
		v.allowed, v.missing = unknown, v.missing|facts
	}
}

// decision names the statement behind a verdict.
func (e *engine) decision(effect Effect, layer Layer, v *verdict) Decision {
	st := v.by.statement
	return Decision{Effect: effect, Layer: layer, Policy: e.set.names[v.first+v.by.document], Statement: st.index, Sid: st.sid}
}
