package authz

// combine decides from the verdicts of the layers, none of which denied, in the
// manner of [Reference]: by the rules for one account and across accounts.
func (e *engine) combine(r *Request, bucket *BucketPolicy) Decision {
	sameOwner := r.ResourceAccount == "" || r.ResourceAccount == r.Principal.Account
	if bucket == nil && sameOwner && e.plain() {
		// Nothing but the identity policies has a say, as is the case for most.
		switch v := &e.verdicts[IdentityLayer]; {
		case v.allowed == no:
			return Decision{Effect: Deny, Layer: IdentityLayer, Statement: -1}
		case v.allowed == yes && !e.openDeny:
			e.set = e.authority.identity
			return e.decision(Allow, IdentityLayer, v)
		}
	}
	s := standing{
		guardRails: e.verdicts[ServiceControlLayer].allowed,
		narrowing:  yes,
		own:        IdentityLayer,
		identity:   e.verdicts[IdentityLayer].allowed,
		boundary:   yes,
		session:    truthOf(e.caller.Type != FederatedUser),
		sameOwner:  sameOwner,
	}
	if e.authority.parent != nil {
		s.narrowing, s.identity, s.own = s.identity, e.verdicts[ParentLayer].allowed, ParentLayer
	}
	if e.authority.boundary != nil {
		s.boundary = e.verdicts[BoundaryLayer].allowed
	}
	if e.authority.session != nil {
		s.session = e.verdicts[SessionLayer].allowed
	}
	for g := sessionGrant; g >= accountGrant; g-- {
		s.resource[g] = e.granted(g).allowed
		if g < sessionGrant {
			s.resource[g] = max(s.resource[g], s.resource[g+1])
		}
	}
	switch allowed := s.allowed(e.caller.Type); {
	case allowed == no:
		return Decision{Effect: Deny, Layer: s.refusing(e.caller.Type), Statement: -1}
	case allowed == unknown:
		return Decision{Effect: Need, Statement: -1, Missing: e.missing | e.openAllow(&s)}
	case e.openDeny:
		return Decision{Effect: Need, Statement: -1, Missing: e.missing}
	}
	return e.grant(&s, bucket)
}

// plain reports whether nothing limits what the identity policies allow.
func (e *engine) plain() bool {
	a, who := e.authority, e.caller.Type
	return a.parent == nil && a.boundary == nil && a.session == nil && len(a.guardRails) == 0 && (who == User || who == AssumedRole)
}

// standing is how a request stands with each limit. Index g of resource says
// whether the bucket policy names the caller at least as strongly as g.
type standing struct {
	guardRails, narrowing, identity, boundary, session truth
	resource                                           [sessionGrant + 1]truth
	sameOwner                                          bool
	// own is the layer that identity is about: a service account's is its user's.
	own Layer
}

func (s *standing) allowed(who PrincipalType) truth {
	switch {
	case who.outside():
		return s.resource[accountGrant]
	case who == Root:
		return min(s.guardRails, max(s.resource[accountGrant], truthOf(s.sameOwner)))
	case !s.sameOwner:
		return min(s.guardRails, s.narrowing, s.identity, s.boundary, s.session, s.resource[accountGrant])
	}
	// Each line passes by one limit less.
	let := s.resource[roleGrant]
	let = max(s.resource[userGrant], min(max(let, s.identity), s.boundary))
	let = max(s.resource[sessionGrant], min(let, s.session))
	return min(s.guardRails, s.narrowing, let)
}

// refusing is the first layer that does not allow.
func (s *standing) refusing(who PrincipalType) Layer {
	user := !who.outside() && who != Root
	switch {
	case !who.outside() && s.guardRails == no:
		return ServiceControlLayer
	case user && s.narrowing == no:
		return IdentityLayer
	case user && s.identity == no:
		return s.own
	case user && s.boundary == no:
		return BoundaryLayer
	case user && s.session == no:
		return SessionLayer
	}
	return ResourceLayer
}

// openAllow collects the facts behind every layer whose Allow is open.
func (e *engine) openAllow(s *standing) (missing Facts) {
	for i := range e.verdicts {
		open := e.verdicts[i].allowed == unknown
		if g := accountGrant + grant(i-int(ResourceLayer)); i >= int(ResourceLayer) {
			open = open && s.resource[g] == unknown
		}
		if open {
			missing |= e.verdicts[i].missing
		}
	}
	return missing
}

// grant names the statement that lets an allowed request in: of the identity
// policies where they are enough, else of the bucket policy.
func (e *engine) grant(s *standing, bucket *BucketPolicy) Decision {
	least := accountGrant
	switch who := e.caller.Type; {
	case who == Root && s.sameOwner:
		return Decision{Effect: Allow, Layer: RootLayer, Statement: -1}
	case who == Root || who.outside():
	case min(s.identity, s.boundary, s.session) == yes:
		e.set = e.authority.identity
		return e.decision(Allow, IdentityLayer, &e.verdicts[IdentityLayer])
	case s.session != yes:
		least = sessionGrant
	case s.boundary != yes:
		least = userGrant
	default:
		least = roleGrant
	}
	for e.granted(least).allowed != yes {
		least++
	}
	e.set = bucket.set
	return e.decision(Allow, ResourceLayer, e.granted(least))
}
