package authz

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/iam"
)

// matcher holds one statement against one request, for [Reference].
type matcher struct {
	doc       *policy.Document
	statement *policy.Statement
	request   *Request
	// bounded is true if the caller has a permissions boundary.
	bounded bool
}

// applies reports whether every element of the statement matches, and if that is
// open, on which facts it turns. An element that is absent excludes nothing: it
// is one that this kind of policy does not have, or one that could not be read.
func (m *matcher) applies() (truth, Facts) {
	st := m.statement
	if st.Unknown != nil && st.Effect == policy.Allow {
		return no, 0
	}
	if !m.principal() || !m.action() {
		return no, 0
	}
	result, missing := m.resource()
	for i := range st.Conditions {
		t, facts := m.condition(&st.Conditions[i])
		result, missing = min(result, t), missing|facts
	}
	if result == no {
		missing = 0
	}
	return result, missing
}

// principal reports whether the statement speaks of the caller.
func (m *matcher) principal() bool {
	ps := m.statement.Principals
	switch {
	case !ps.Present():
		return true
	case m.statement.Effect == policy.Allow:
		return m.grant() != noGrant
	case ps.Not:
		return m.bounded || !m.exempt()
	}
	return m.strongest() != noGrant
}

// grant is how strongly an Allow names the caller. NotPrincipal names everyone
// whom it does not list. A web identity is let in by name only.
func (m *matcher) grant() grant {
	ps := m.statement.Principals
	switch {
	case !ps.Present():
		return noGrant
	case m.request.Principal.Type == WebIdentity && (ps.Not || m.strongest() != sessionGrant):
		return noGrant
	case !ps.Not:
		return m.strongest()
	case m.strongest() == noGrant:
		return userGrant
	}
	return noGrant
}

func (m *matcher) strongest() grant {
	g := noGrant
	for _, entry := range m.statement.Principals.List {
		g = max(g, names(entry, &m.request.Principal))
	}
	return g
}

// names says how strongly one principal entry names the caller.
func names(entry policy.Principal, caller *Principal) grant {
	arn := iam.ARN(entry.Value)
	switch {
	case entry.Type == policy.Everyone:
		return userGrant
	case caller.Type == WebIdentity && entry.Type == policy.Federated && arn == caller.ARN:
		return sessionGrant
	case caller.Type.outside():
		return noGrant
	}
	switch entry.Type {
	case policy.CanonicalUser:
		if entry.Value == caller.Canonical {
			return accountGrant
		}
	case policy.AWS:
		switch {
		case iam.AccountID(entry.Value) == caller.Account || isAccountRoot(arn, caller.Account):
			return accountGrant
		case arn == caller.ARN && caller.Type == User:
			return userGrant
		case arn == caller.ARN:
			return sessionGrant
		case arn == caller.RoleARN && caller.Type == AssumedRole, arn == caller.UserARN && caller.Type == FederatedUser:
			return roleGrant
		}
	}
	return noGrant
}

// isAccountRoot reports whether arn is arn:PARTITION:iam::ACCOUNT:root.
func isAccountRoot(arn iam.ARN, account iam.AccountID) bool {
	parts := strings.Split(string(arn), ":")
	return len(parts) == 6 && parts[0] == "arn" && parts[2] == "iam" && parts[3] == "" && parts[4] == string(account) && parts[5] == "root"
}

// exempt reports whether a Deny with NotPrincipal lists the caller in full: its
// account and its own ARN, and for a role session the role as well (IAM user
// guide, "NotPrincipal"). A provider stands alone.
func (m *matcher) exempt() bool {
	listed := func(arn iam.ARN) bool {
		return slices.ContainsFunc(m.statement.Principals.List, func(p policy.Principal) bool {
			return p.Type == policy.AWS && iam.ARN(p.Value) == arn
		})
	}
	account, everyone := false, false
	for _, entry := range m.statement.Principals.List {
		account = account || names(entry, &m.request.Principal) == accountGrant
		everyone = everyone || entry.Type == policy.Everyone
	}
	caller := &m.request.Principal
	switch {
	case everyone:
		return true
	case caller.Type == WebIdentity:
		return m.strongest() != noGrant
	case caller.Type == Root:
		return account
	case caller.Type == AssumedRole && !listed(caller.RoleARN):
		return false
	}
	return account && listed(caller.ARN)
}

// action compares without regard to case. NotAction covers every action of every
// service that no entry matches.
func (m *matcher) action() bool {
	e := m.statement.Actions
	if !e.Present() {
		return true
	}
	action := lowerASCII(m.request.Action)
	matched := slices.ContainsFunc(e.List, func(entry policy.Text) bool {
		return glob(policy.ParsePattern(lowerASCII(entry.Value), true, false), action)
	})
	return matched != e.Not
}

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// resource compares with Resource or NotResource. An entry whose variable has no
// value matches nothing; in NotResource that would widen an Allow, which then
// does not apply.
func (m *matcher) resource() (truth, Facts) {
	e := m.statement.Resources
	if !e.Present() {
		return yes, 0
	}
	matched, missing := no, Facts(0)
	for _, entry := range e.List {
		t, facts, valueless := m.resourceEntry(entry.Value)
		if valueless && e.Not && m.statement.Effect == policy.Allow {
			return no, 0
		}
		matched, missing = max(matched, t), missing|facts
	}
	if matched != unknown {
		missing = 0
	}
	if e.Not {
		return matched.not(), missing
	}
	return matched, missing
}

// listAllMyBuckets acts on no bucket. Its resource is "*", and policies also
// write arn:aws:s3:::* for it (S3 user guide, "Policy actions for Amazon S3").
const listAllMyBuckets = "s3:listallmybuckets"

func (m *matcher) resourceEntry(entry string) (t truth, missing Facts, valueless bool) {
	if entry == "*" {
		return yes, 0, false
	}
	pattern := segments(entry)
	resource := m.request.Resource
	allBuckets := resource == "*" && lowerASCII(m.request.Action) == listAllMyBuckets
	if allBuckets {
		resource = "arn:aws:s3:::*"
	}
	asked := strings.SplitN(resource, ":", 6)
	tail, missing, valueless := m.substitute(policy.ParsePattern(pattern[5], true, m.doc.HasVariables()))
	if valueless || len(asked) < 6 {
		return no, 0, valueless
	}
	for i := range 5 {
		if !glob(policy.ParsePattern(pattern[i], true, false), asked[i]) {
			return no, 0, false
		}
	}
	switch {
	case allBuckets:
		return truthOf(strings.Trim(pattern[5], "*") == "" && pattern[5] != ""), 0, false
	case !glob(tail, asked[5]):
		return no, 0, false
	case missing != 0:
		return unknown, missing, false
	}
	return yes, 0, false
}

// segments splits an ARN at its first five colons and completes a short one
// with wildcards (IAM user guide, "Resource": incomplete ARNs).
func segments(arn string) []string {
	parts := strings.SplitN(arn, ":", 6)
	for len(parts) < 6 {
		parts = append(parts, "*")
	}
	return parts
}

// substitute replaces variables by their values, as literal text, and those that
// wait for a fact by "*", as they may still become anything. It reports these
// facts, and whether a variable has neither value nor default.
func (m *matcher) substitute(p policy.Pattern) (out policy.Pattern, missing Facts, valueless bool) {
	for _, part := range p {
		if part.Kind == policy.Variable {
			v, open := m.request.Context.Lookup(part.Text)
			switch {
			case v.Present && !v.Multi:
				part = policy.Part{Kind: policy.Literal, Text: v.Values[0]}
			case open != 0:
				part, missing = policy.Part{Kind: policy.Any}, missing|open
			default:
				valueless = valueless || !part.HasDefault
				part = policy.Part{Kind: policy.Literal, Text: part.Default}
			}
		}
		out = append(out, part)
	}
	return out, missing, valueless
}

// glob matches a pattern without variables against the whole of s. It keeps the
// places that the parts so far can end at. Parts begin and end between
// characters, which are those of UTF-8, or bytes that belong to none.
func glob(p policy.Pattern, s string) bool {
	between := make([]bool, len(s)+1)
	for i := range s {
		between[i] = true
	}
	between[len(s)] = true
	reached := make([]bool, len(s)+1)
	reached[0] = true
	for _, part := range p {
		next := make([]bool, len(s)+1)
		for at := range reached {
			switch {
			case !reached[at]:
			case part.Kind == policy.Literal && strings.HasPrefix(s[at:], part.Text):
				end := at + len(part.Text)
				next[end] = next[end] || between[end]
			case part.Kind == policy.One && at < len(s):
				_, width := utf8.DecodeRuneInString(s[at:])
				next[at+width] = true
			case part.Kind == policy.Any:
				copy(next[at:], between[at:])
			}
		}
		reached = next
	}
	return reached[len(s)]
}
