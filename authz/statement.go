package authz

import (
	"fmt"
	"slices"
	"strings"

	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/iam"
)

// statement is a compiled statement.
type statement struct {
	principals *principalSet // nil if the statement names none
	conditions []condition
	index      int
	sid        string
	effect     policy.Effect
	actions    *actionSet
	resources  []resourcePattern
	// not is true for NotResource, and if there are no resources to exclude
	// anything.
	not bool
	// rest spells out what is neither name, effect, actions nor Resource: equal
	// texts mean that nothing of it differs.
	rest string
}

// actionSet is what an Action or NotAction element covers: for actions of the
// table one bit each, for all others the patterns.
type actionSet struct {
	bits     actionBits
	patterns []pattern
	not      bool
}

// actionBits has a bit for each action of the table.
type actionBits [(maxActions + 63) / 64]uint64

const maxActions = 256

func (b *actionBits) has(action int) bool { return b[action/64]&(1<<(action%64)) != 0 }

func (b *actionBits) add(action int) { b[action/64] |= 1 << (action % 64) }

func (b *actionBits) union(other *actionBits) {
	for i := range b {
		b[i] |= other[i]
	}
}

var lowerActions = func() []string {
	names := make([]string, len(policy.S3Actions))
	for i, a := range policy.S3Actions {
		names[i] = lowerASCII(a.Name)
	}
	return names
}()

// actionSlots is a hash table over the names of actions, as written and in lower
// case; a slot holds the position in policy.S3Actions plus one.
var actionSlots = func() (slots [1024]uint16) {
	for i, a := range policy.S3Actions {
		for _, name := range []string{a.Name, lowerActions[i]} {
			at := actionHash(name)
			for slots[at] != 0 {
				at = (at + 1) % len(slots)
			}
			slots[at] = uint16(i + 1)
		}
	}
	return slots
}()

// shortestAction is the least length that actionHash can read.
const shortestAction = len("s3:") + 8

// actionHash mixes the length with the eight characters behind the service and
// the last eight.
func actionHash(name string) int {
	const a, b = 0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f
	h := eight(name[len("s3:"):])*a ^ eight(name[len(name)-8:])*b
	return int((h + uint64(len(name))*b) >> 54)
}

func eight(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// actionByName finds an action of the table, written as there or in lower case;
// -1 if it is not there.
func actionByName(name string) int {
	if len(name) < shortestAction {
		return -1
	}
	for at := actionHash(name); actionSlots[at] != 0; at = (at + 1) % len(actionSlots) {
		i := int(actionSlots[at] - 1)
		if policy.S3Actions[i].Name == name || lowerActions[i] == name {
			return i
		}
	}
	return -1
}

func compileActions(c *Context, e policy.Entries) *actionSet {
	s := &actionSet{not: e.Not || !e.Present()}
	for _, entry := range e.List {
		s.patterns = append(s.patterns, compilePattern(lowerASCII(entry.Value), true, false))
	}
	for i, name := range lowerActions {
		if s.hasName(c, name) {
			s.bits.add(i)
		}
	}
	return s
}

// hasName matches an action in lower case.
func (s *actionSet) hasName(c *Context, name string) bool {
	for i := range s.patterns {
		if s.patterns[i].match(c, name) {
			return !s.not
		}
	}
	return s.not
}

func (s *actionSet) has(q *query) bool {
	if q.action >= 0 {
		return s.bits.has(q.action)
	}
	return s.hasName(q.context, q.actionName)
}

// principalSet is a compiled Principal or NotPrincipal element.
type principalSet struct {
	not, everyone   bool
	accounts        []iam.AccountID
	arns, providers []iam.ARN
	canonical       []string
}

func compilePrincipals(p policy.Principals) *principalSet {
	if !p.Present() {
		return nil
	}
	s := &principalSet{not: p.Not}
	for _, entry := range p.List {
		switch entry.Type {
		case policy.Everyone:
			s.everyone = true
		case policy.Federated:
			s.providers = append(s.providers, iam.ARN(entry.Value))
		case policy.CanonicalUser:
			s.canonical = append(s.canonical, entry.Value)
		case policy.AWS:
			arn := iam.ARN(entry.Value)
			if account := arn.Account(); isAccountRoot(arn, account) {
				s.accounts = append(s.accounts, account)
				continue
			}
			s.accounts = append(s.accounts, iam.AccountID(entry.Value))
			s.arns = append(s.arns, arn)
		}
	}
	return s
}

func (s *principalSet) hasARN(arn iam.ARN) bool { return slices.Contains(s.arns, arn) }

func (s *principalSet) hasProvider(p *Principal) bool {
	return p.Type == WebIdentity && slices.Contains(s.providers, p.ARN)
}

func (s *principalSet) hasAccount(p *Principal) bool {
	for _, a := range s.accounts {
		if a == p.Account {
			return true
		}
	}
	for _, c := range s.canonical {
		if c == p.Canonical {
			return true
		}
	}
	return false
}

// strongest is how strongly the entries name the caller.
func (s *principalSet) strongest(p *Principal) grant {
	g := noGrant
	switch {
	case s.hasProvider(p):
		return sessionGrant
	case s.everyone:
		g = userGrant
	}
	if p.Type.outside() {
		return g
	}
	switch {
	case p.Type != User && s.hasARN(p.ARN):
		g = sessionGrant
	case p.Type == User && s.hasARN(p.ARN):
		g = userGrant
	case p.Type == AssumedRole && s.hasARN(p.RoleARN), p.Type == FederatedUser && s.hasARN(p.UserARN):
		g = max(g, roleGrant)
	case s.hasAccount(p):
		g = max(g, accountGrant)
	}
	return g
}

// grants is how strongly an Allow names the caller. A web identity is let in by
// name only.
func (s *principalSet) grants(p *Principal) grant {
	switch g := s.strongest(p); {
	case p.Type == WebIdentity && (s.not || g != sessionGrant):
		return noGrant
	case !s.not:
		return g
	case g == noGrant:
		return userGrant
	}
	return noGrant
}

// denies reports whether a Deny speaks of the caller.
func (s *principalSet) denies(p *Principal, bounded bool) bool {
	switch {
	case !s.not:
		return s.strongest(p) != noGrant
	case bounded:
		return true
	case s.everyone || s.hasProvider(p):
		return false
	case p.Type.outside() || !s.hasAccount(p):
		return true
	case p.Type == Root:
		return false
	case p.Type == AssumedRole && !s.hasARN(p.RoleARN):
		return true
	}
	return !s.hasARN(p.ARN)
}

// resourcePattern is a compiled entry of Resource or NotResource.
type resourcePattern struct {
	text string
	// everything is "*", which matches any text at all.
	everything bool
	// head is nil if it is that of every bucket and object; bucketHead is true if
	// it matches that.
	head       *[5]pattern
	bucketHead bool
	tail       pattern
	// allBuckets is true if tail matches whatever it is asked.
	allBuckets bool
}

// bucketARN is the head of the ARN of every bucket and object.
const bucketARN = "arn:aws:s3:::"

func compileResource(c *Context, text string, variables bool) resourcePattern {
	r := resourcePattern{text: text, everything: text == "*"}
	if r.everything {
		return r
	}
	parts := segments(text)
	r.bucketHead = true
	if !strings.HasPrefix(text, bucketARN) {
		r.head = &[5]pattern{}
		for i, want := range []string{"arn", "aws", "s3", "", ""} {
			r.head[i] = compilePattern(parts[i], true, false)
			r.bucketHead = r.bucketHead && r.head[i].match(c, want)
		}
	}
	r.tail = compilePattern(parts[5], true, variables)
	r.allBuckets = len(r.tail.parts) == 1 && r.tail.parts[0].kind == policy.Any
	return r
}

// matches compares an entry with any request. It also says whether a variable
// has no value.
func (r *resourcePattern) matches(q *query) (t truth, missing Facts, valueless bool) {
	if r.everything {
		return yes, 0, false
	}
	missing, valueless = r.tail.ready(q.context)
	if valueless || !r.headMatches(q) {
		return no, 0, valueless
	}
	switch {
	case q.allBuckets:
		return truthOf(r.allBuckets), 0, false
	case missing == 0:
		return truthOf(r.tail.match(q.context, q.tail)), 0, false
	case !r.tail.mayMatch(q.context, q.tail):
		return no, 0, false
	}
	return unknown, missing, false
}

func (r *resourcePattern) headMatches(q *query) bool {
	if q.bucketHead {
		return r.bucketHead
	}
	if !q.isARN || r.head == nil {
		return false
	}
	for i := range r.head {
		if !r.head[i].match(q.context, q.head[i]) {
			return false
		}
	}
	return true
}

// compileStatement makes a statement of a stored document. It returns nil for one
// that can never apply: an Allow that was not understood.
func (c *Compiler) compileStatement(d *policy.Document, index int) *statement {
	st := &d.Statements[index]
	if st.Unknown != nil && st.Effect == policy.Allow {
		return nil
	}
	out := &statement{effect: st.Effect, index: index, sid: st.Sid.Value, rest: restOf(d, st)}
	out.actions = c.actions.get(entriesKey(st.Actions), func() *actionSet { return compileActions(&c.context, st.Actions) })
	out.principals = compilePrincipals(st.Principals)
	out.not = st.Resources.Not || !st.Resources.Present()
	for _, entry := range st.Resources.List {
		out.resources = append(out.resources, compileResource(&c.context, entry.Value, d.HasVariables()))
	}
	for i := range st.Conditions {
		out.conditions = append(out.conditions, compileCondition(d, st.Effect, &st.Conditions[i]))
	}
	return out
}

// restOf makes the text for rest.
func restOf(d *policy.Document, st *policy.Statement) string {
	var b strings.Builder
	if st.Resources.Not {
		b.WriteString(entriesKey(st.Resources))
	}
	if st.Principals.Present() {
		fmt.Fprintf(&b, "%v", st.Principals.Not)
	}
	for _, p := range st.Principals.List {
		fmt.Fprintf(&b, " %d%q", p.Type, p.Value)
	}
	for _, c := range st.Conditions {
		fmt.Fprintf(&b, " %v %q:", c.Operator, c.Key.Value)
		for _, v := range c.Values {
			fmt.Fprintf(&b, "%q", v.Value)
		}
	}
	if b.Len() > 0 && d.HasVariables() {
		b.WriteString(" variables")
	}
	return b.String()
}

func entriesKey(e policy.Entries) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %v", e.Present(), e.Not)
	for _, t := range e.List {
		fmt.Fprintf(&b, "%q", t.Value)
	}
	return b.String()
}

// listed reports whether an entry of Resource matches.
func (st *statement) listed(q *query) (truth, Facts) {
	matched, missing := no, Facts(0)
	for i := range st.resources {
		t, facts, _ := st.resources[i].matches(q)
		matched, missing = max(matched, t), missing|facts
	}
	if matched != unknown {
		missing = 0
	}
	return matched, missing
}

// outside reports whether a NotResource leaves the request to the statement. A
// statement without resources leaves every request to it.
func (st *statement) outside(q *query) (truth, Facts) {
	for i := range st.resources {
		if _, _, valueless := st.resources[i].matches(q); valueless && st.effect == policy.Allow {
			return no, 0
		}
	}
	matched, missing := st.listed(q)
	return matched.not(), missing
}

// holds evaluates the conditions.
func (st *statement) holds(c *Context) (truth, Facts) {
	result, missing := yes, Facts(0)
	for i := range st.conditions {
		t, facts := st.conditions[i].holds(c)
		if t == no {
			return no, 0
		}
		result, missing = min(result, t), missing|facts
	}
	return result, missing
}
