package policy

import (
	"slices"
	"strings"
)

// whoKeys are the condition keys, in lower case and up to a slash, that say who
// asks or where from.
var whoKeys = strings.Fields(`aws:sourceip aws:vpcsourceip aws:sourcevpc aws:sourcevpce aws:userid aws:username
aws:principalarn aws:principalaccount aws:principalorgid aws:principalorgpaths aws:principaltag aws:principaltype
aws:principalisawsservice aws:principalservicename aws:principalservicenameslist aws:sourcearn aws:sourceaccount
aws:sourceorgid aws:sourceorgpaths aws:sourceidentity aws:federatedprovider aws:referer sts:externalid
s3:dataaccesspointarn s3:dataaccesspointaccount s3:accessgrantsinstancearn`)

// everyone finds an Allow for everyone that no condition on the caller narrows.
func (l *linter) everyone() {
	st := l.st
	if st.Effect != Allow || !slices.ContainsFunc(st.Principals.List, func(p Principal) bool { return p.Type == Everyone }) {
		return
	}
	for _, c := range st.Conditions {
		key, _, _ := strings.Cut(strings.ToLower(c.Key.Value), "/")
		if slices.Contains(whoKeys, key) && c.Operator.narrows() {
			return
		}
	}
	who := "everyone in, anonymous callers too"
	if l.doc.Kind == Trust {
		who = "every caller of every account assume the role"
	}
	l.warn("public", "Principal", st.Principals.Pos, `name the principals, or add a condition on who asks, such as aws:PrincipalAccount or aws:SourceIp`, "this lets %s", who)
}

const withWebIdentity = "sts:AssumeRoleWithWebIdentity"

// federated finds identity providers that match nobody, and Allows for every token of
// a provider.
func (l *linter) federated() {
	st := l.st
	if !slices.ContainsFunc(st.Principals.List, func(p Principal) bool { return p.Type == Federated }) {
		return
	}
	for _, p := range st.Principals.List {
		if p.Type == Federated {
			l.provider(p)
		}
	}
	others := slices.ContainsFunc(st.Principals.List, func(p Principal) bool { return p.Type != Federated })
	asks := slices.ContainsFunc(st.Actions.List, func(t Text) bool { return coversAction(t.Value, withWebIdentity) })
	if l.doc.Kind == Trust && st.Effect == Allow && !others && !st.Principals.Not && asks == st.Actions.Not {
		l.warn("never-applies", element("Action", st.Actions.Not), st.Actions.Pos, withWebIdentity, "who has a provider's token calls %s, %s", withWebIdentity, l.never())
	}
}

func (l *linter) provider(p Principal) {
	warn := func(right, wrong string, args ...any) {
		l.warn("federated", "Principal.Federated", p.Pos, right, wrong, args...)
	}
	kind, issuer := providerOf(p.Value)
	switch {
	case l.doc.Kind != Trust:
		warn("name the role whose sessions the provider's users have", "requests are signed by sessions and not by a provider, so %q matches nobody", p.Value)
	case kind != "oidc-provider":
		warn("an OpenID Connect provider, arn:aws:iam::ACCOUNT:oidc-provider/HOST", "%q brings no OpenID Connect tokens, and AssumeRoleWithSAML is not supported, so it matches nobody", p.Value)
	case l.st.Effect == Allow && !l.st.Principals.Not && !l.holds(issuer+":sub"):
		warn("add a condition on "+issuer+":sub", "this lets in whoever has a token of %s for one of its clients", issuer)
	}
}

// holds reports whether a condition holds a key to values.
func (l *linter) holds(key string) bool {
	return slices.ContainsFunc(l.st.Conditions, func(c Condition) bool {
		return strings.EqualFold(c.Key.Value, key) && c.Operator.narrows()
	})
}

// narrows reports whether a condition holds only for requests that have its key with
// one of its values.
func (op Operator) narrows() bool {
	return op.Comparison != Null && !op.Comparison.Negated() && !op.IfExists
}
