package compare

import (
	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/policy"
)

// Verdict is how a new document stands to an old one.
type Verdict uint8

// The verdicts. All but Unknown are certain.
const (
	// Unknown means that a bound was hit, or that conditions or variables leave
	// open whether there is a request that the documents decide differently.
	Unknown Verdict = iota
	// Equal documents decide every request alike.
	Equal
	// Narrower means that the new document never decides more than the old one, and
	// sometimes less.
	Narrower
	// Wider means that it never decides less, and sometimes more.
	Wider
	// Incomparable means that it does both.
	Incomparable
)

var verdictNames = [...]string{"unknown", "equal", "narrower", "wider", "incomparable"}

// String returns the verdict in lower case.
func (v Verdict) String() string { return verdictNames[v] }

// MarshalText returns String, for JSON.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Result is the answer of [Compare].
type Result struct {
	Verdict Verdict
	// Wider is a request that the new document decides as more than the old one,
	// nil if none is known; Narrower is one that it decides as less.
	Wider, Narrower *Witness
	// Reason says, for Unknown, what was in the way.
	Reason string
}

// Compare tells what replacing old by new does. An Allow is more than silence,
// and silence more than an explicit Deny: to drop a Deny widens, since another
// policy may allow what it denied. So Equal and Narrower hold whatever other
// policies there are.
//
// Requests are an action of the S3 table, an action of S3 that a document spells
// out or any of another service, on "*" or any ARN, with any values of the
// condition keys, each of which may be missing. Both documents have to be of
// kinds that name principals alike. They are not changed.
func Compare(old, new *policy.Document) Result {
	c, reason := prepare(old, new)
	if reason != "" {
		return Result{Reason: reason}
	}
	var r Result
	wider, narrower := none, none
	r.Wider, wider = c.direction(1, anAllow, noDeny)
	r.Narrower, narrower = c.direction(0, anAllow, noDeny)
	switch {
	case wider == found && narrower == found:
		r.Verdict = Incomparable
	case wider == open || narrower == open:
		r.Reason = c.reason
	case wider == found:
		r.Verdict = Wider
	case narrower == found:
		r.Verdict = Narrower
	default:
		r.Verdict = Equal
	}
	return r
}

// Answer is the outcome of a check.
type Answer uint8

// The answers. Undecided is for what [Unknown] is.
const (
	Undecided Answer = iota
	Holds
	Broken
)

// String returns "undecided", "holds" or "broken".
func (a Answer) String() string { return [...]string{"undecided", "holds", "broken"}[a] }

// MarshalText returns String, for JSON.
func (a Answer) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Check is the answer of [NotWiderThan] and [NoPublic].
type Check struct {
	Answer Answer
	// Witness is, for Broken, a request that breaks the rule.
	Witness *Witness
	// Reason says, for Undecided, what was in the way.
	Reason string
}

// NotWiderThan checks that limit allows whatever document allows. Unlike
// [Compare] it takes a Deny for no more than what is not allowed, as the limit
// need not be a policy that is in force.
func NotWiderThan(document, limit *policy.Document) Check {
	c, reason := prepare(limit, document)
	if reason != "" {
		return Check{Reason: reason}
	}
	return c.check()
}

// NoPublic checks that a bucket policy, or a trust policy, allows nothing to
// callers without credentials, whatever its conditions ask of the rest of the
// request.
func NoPublic(document *policy.Document) Check {
	c, reason := prepare(&policy.Document{Kind: document.Kind}, document)
	switch {
	case reason != "":
		return Check{Reason: reason}
	case !document.Kind.HasPrincipal():
		return Check{Reason: "the document names no principals; only bucket and trust policies can be public"}
	}
	c.settings = c.settings[:1] // callers begins with the anonymous one
	r := c.check()
	if r.Witness != nil {
		r.Witness.Old = authz.Decision{}
	}
	return r
}

// comparison is a pair of documents on the way to an answer.
type comparison struct {
	pair     [2]*policy.Document
	settings []setting
	texts    [2]string
	reason   string
}

// prepare refuses what cannot be compared, with a reason.
func prepare(first, second *policy.Document) (c *comparison, reason string) {
	c = &comparison{pair: [2]*policy.Document{first, second}}
	for side, d := range c.pair {
		if notUnderstood(d) {
			return nil, "a document holds what this version does not understand"
		}
		c.texts[side] = string(policy.Print(d))
	}
	if first.Kind.HasPrincipal() != second.Kind.HasPrincipal() || first.Kind.HasResource() != second.Kind.HasResource() {
		return nil, "a " + first.Kind.String() + " policy and a " + second.Kind.String() + " policy have nothing to compare"
	}
	var ok bool
	if c.settings, ok = settings(first.Kind, first, second); !ok {
		return nil, "the documents tell too many callers apart"
	}
	return c, ""
}

func notUnderstood(d *policy.Document) bool {
	unknown := d.Unknown != nil
	for i := range d.Statements {
		unknown = unknown || d.Statements[i].Unknown != nil
	}
	return unknown
}

func (c *comparison) check() Check {
	switch w, o := c.direction(1, anAllow); o {
	case found:
		return Check{Answer: Broken, Witness: w}
	case open:
		return Check{Reason: c.reason}
	}
	return Check{Answer: Holds}
}

// direction looks for a request by which the document of one side gains.
func (c *comparison) direction(side int, gains ...gain) (*Witness, outcome) {
	if c.texts[0] == c.texts[1] {
		return nil, none
	}
	result := none
	b := &budget{left: maxWork}
	projections := c.projections()
	for _, what := range gains {
		for _, p := range projections {
			w, o := c.find(p, side, what, b)
			if o == found {
				return w, found
			}
			result = max(result, o)
		}
	}
	if result == open {
		c.reason = "conditions or variables leave open whether there is such a request"
		if b.hit {
			c.reason = "the documents take more work to compare than the bound allows"
		}
	}
	return nil, result
}

// projection is a setting and the statements that speak to its caller.
type projection struct {
	setting
	speaks [2][]bool
}

// projections are the settings that differ by the statements that speak in them.
func (c *comparison) projections() []projection {
	var out []projection
	seen := map[string]bool{}
	asked := map[string]bool{}
	for n, set := range c.settings {
		p := projection{setting: set}
		for side, d := range c.pair {
			for i := range d.Statements {
				p.speaks[side] = append(p.speaks[side], speaks(n, set, d, i, asked))
			}
		}
		key := boolKey(p.speaks[0]) + "|" + boolKey(p.speaks[1])
		if outside[set.principal.Type] != nil {
			key += "|" + string(rune(set.principal.Type))
		}
		if !seen[key] {
			seen[key] = true
			out = append(out, p)
		}
	}
	return out
}

// speaks asks the evaluator whether a statement's principals take in the caller
// of a setting, by a document that has nothing else in it.
func speaks(n int, set setting, d *policy.Document, i int, asked map[string]bool) bool {
	if !d.Kind.HasPrincipal() {
		return true
	}
	all := policy.Entries{Pos: policy.Position{Line: 1, Column: 1}, List: []policy.Text{{Value: anyName}}}
	bare := policy.Statement{Effect: d.Statements[i].Effect, Principals: d.Statements[i].Principals, Actions: all}
	if d.Kind.HasResource() {
		bare.Resources = all
	}
	text := string(policy.Print(&policy.Document{Statements: []policy.Statement{bare}}))
	key := string(rune(n)) + text
	if answer, ok := asked[key]; ok {
		return answer
	}
	w := Witness{Principal: set.principal, ResourceAccount: set.resourceAccount, Action: familiar[0], Resource: s3ARN + "b/k"}
	decision := authz.Reference(set.policies(text), w.Request())
	asked[key] = decision.Allowed() || decision.Explicit
	return asked[key]
}

// find searches a projection. With variables a first search proves that there is
// nothing to be found, or else examples are looked for with values in their place.
func (c *comparison) find(p projection, side int, what gain, b *budget) (w *Witness, o outcome) {
	attempt := func(pair [2]*policy.Document, fixed map[string]string) outcome {
		s := newSpace(pair, func(side, statement int) bool { return p.speaks[side][statement] }, b)
		s.fixed, s.nobody = fixed, outside[p.principal.Type]
		return s.search(side, what, func(e example) bool {
			candidate := c.witness(p.setting, e, s)
			confirmed := candidate.gains(side, what)
			if confirmed {
				w = candidate
			}
			return confirmed
		})
	}
	o = attempt(c.pair, nil)
	if o != open {
		return w, o
	}
	for _, values := range assignments(c.pair) {
		pair := [2]*policy.Document{instance(c.pair[0], values), instance(c.pair[1], values)}
		if attempt(pair, values) == found {
			return w, found
		}
	}
	return nil, open
}
