package policy

import (
	"strconv"
	"strings"
)

// checkAction holds an entry to "*" or service:name. The service has no
// wildcards; a name that exists in no service is accepted and matches nothing.
func (r *reader) checkAction(element string, t Text) bool {
	if t.Value == "*" {
		return true
	}
	service, name, ok := strings.Cut(t.Value, ":")
	switch {
	case !ok || service == "" || strings.IndexFunc(service, notServiceName) >= 0:
		r.fail(element, t.Pos, "the action "+strconv.Quote(t.Value)+" has no service before a colon", `"*" or SERVICE:NAME such as "s3:GetObject"; wildcards only in the name`)
		return false
	case name == "" || strings.IndexFunc(name, notActionName) >= 0:
		r.refuse(element, t.Pos, "the action "+strconv.Quote(t.Value)+" has no valid name after the colon", "letters, digits, * and ?")
	case r.doc.Kind == Trust && !strings.EqualFold(service, "sts"):
		r.refuse(element, t.Pos, "the action "+strconv.Quote(t.Value)+" is not one of STS", `a trust policy allows "sts:AssumeRole" and its like`)
	}
	return true
}

func notServiceName(c rune) bool { return notAlphanumeric(c) && c != '-' }

func notActionName(c rune) bool {
	return notAlphanumeric(c) && c != '*' && c != '?' && c != '-' && c != '_'
}

var partitions = []string{"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc"}

// checkResource holds an entry to "*" or an ARN with a partition that exists and
// a service without wildcards. Fewer than six segments are accepted.
func (r *reader) checkResource(element string, t Text) bool {
	if t.Value == "*" {
		return true
	}
	parts := strings.SplitN(t.Value, ":", 4)
	quoted := strconv.Quote(t.Value)
	switch {
	case parts[0] != "arn" || len(parts) < 3:
		r.fail(element, t.Pos, "the resource "+quoted+" is not an ARN", `"*" or arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE such as "arn:aws:s3:::bucket/*"`)
		return false
	case !strings.ContainsAny(parts[1], "*?") && !contains(partitions, parts[1]):
		r.refuse(element, t.Pos, "the partition "+strconv.Quote(parts[1])+" of "+quoted+" does not exist", `"aws"`)
	case len(parts) > 3 && (parts[2] == "" || strings.IndexFunc(parts[2], notServiceName) >= 0):
		r.refuse(element, t.Pos, "the service "+strconv.Quote(parts[2])+" of "+quoted+" is not a service", `a name without wildcards such as "s3"`)
	}
	return true
}

func (r *reader) principals(at Position, got map[string]member) Principals {
	if !r.doc.Kind.HasPrincipal() {
		r.forbid(got, "Principal", "NotPrincipal")
		return Principals{}
	}
	m, not, ok := r.either("Principal", at, got)
	if !ok {
		return Principals{}
	}
	p := Principals{Not: not, Pos: m.pos}
	name := "Principal"
	if not {
		name = "NotPrincipal"
	}
	switch {
	case m.kind == str && m.text == "*":
		p.List = []Principal{{Everyone, Text{"*", m.node.pos}}}
	case m.kind == object && len(m.names) > 0:
		if p.List, ok = r.principalMap(name, m.node); !ok {
			return Principals{}
		}
	default:
		r.fail(name, m.node.pos, name+" is "+describe(m.node), `"*" or an object such as {"AWS": "111122223333"}`)
		return Principals{}
	}
	return p
}

func describe(n node) string {
	switch {
	case n.kind == str:
		return strconv.Quote(n.text)
	case n.kind == object && len(n.items) == 0:
		return "an empty object"
	}
	return string(n.kind)
}

var principalTypes = map[string]PrincipalType{"AWS": AWS, "CanonicalUser": CanonicalUser, "Federated": Federated, "Service": Service}

// principalMap reads {"AWS": …, …}. One entry that cannot be read makes the
// whole element unreadable.
func (r *reader) principalMap(element string, n node) ([]Principal, bool) {
	got := r.members(n, element, "AWS", "CanonicalUser", "Federated", "Service")
	if len(got) < len(n.names) {
		return nil, false
	}
	var list []Principal
	for _, name := range n.names {
		path := join(element, name.Value)
		values, ok := r.strings(path, got[name.Value].node, str)
		if !ok {
			return nil, false
		}
		for _, v := range values {
			p := Principal{principalTypes[name.Value], v}
			if p.Type == AWS && v.Value == "*" {
				p.Type = Everyone
			}
			if !r.checkPrincipal(path, p) {
				return nil, false
			}
			list = append(list, p)
		}
	}
	return list, true
}

func (r *reader) checkPrincipal(element string, p Principal) bool {
	if p.Type == Everyone {
		return true
	}
	if p.Value == "" || strings.ContainsAny(p.Value, "*?") {
		r.fail(element, p.Pos, "the principal "+strconv.Quote(p.Value)+" is a pattern", `the whole name, or "*" for everyone; patterns go into a condition on aws:PrincipalArn`)
		return false
	}
	if p.Type == Federated && !isProvider(p.Value) {
		r.refuse(element, p.Pos, "the identity provider "+strconv.Quote(p.Value)+" does not exist", `the ARN of a provider such as "arn:aws:iam::111122223333:oidc-provider/idp.example.com"`)
	}
	if p.Type == AWS && !isAWSPrincipal(p.Value) {
		r.refuse(element, p.Pos, "the principal "+strconv.Quote(p.Value)+" does not exist", "a 12-digit account id, or the ARN of an account's root, a user, a role or a session")
	}
	return true
}

// isAWSPrincipal reports whether v is an account id, an ARN that can be a
// principal, or the unique id that AWS shows in place of a deleted user or role.
func isAWSPrincipal(v string) bool {
	if isAccount(v) || strings.HasPrefix(v, "AIDA") || strings.HasPrefix(v, "AROA") {
		return true
	}
	parts := strings.SplitN(v, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" || !contains(partitions, parts[1]) || parts[3] != "" {
		return false
	}
	account, resource := parts[4], parts[5]
	kind, name, _ := strings.Cut(resource, "/")
	switch parts[2] {
	case "iam":
		return resource == "root" && isAccount(account) || (kind == "user" || kind == "role") && name != ""
	case "sts":
		return (kind == "assumed-role" || kind == "federated-user") && name != ""
	}
	return false
}

// isProvider reports whether v can be an identity provider: an ARN of one, or a host
// such as accounts.google.com, of which AWS takes any.
func isProvider(v string) bool {
	kind, name := providerOf(v)
	return (kind == "oidc-provider" || kind == "saml-provider") && name != "" || !strings.Contains(v, ":")
}

// providerOf takes the ARN of an identity provider apart; of what is none, kind is
// that of the ARN, or empty.
func providerOf(v string) (kind, name string) {
	parts := strings.SplitN(v, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" || !contains(partitions, parts[1]) || parts[2] != "iam" || parts[3] != "" || !isAccount(parts[4]) {
		return "", ""
	}
	kind, name, _ = strings.Cut(parts[5], "/")
	return kind, name
}

func isAccount(v string) bool {
	return len(v) == 12 && strings.Trim(v, "0123456789") == ""
}

// conditions reads {operator: {key: values}}. Names that come twice have no
// clear meaning; the blocks they stand in are left out.
func (r *reader) conditions(n node) []Condition {
	if n.kind != object {
		r.fail("Condition", n.pos, "Condition is "+string(n.kind), `an object such as {"StringEquals": {"s3:prefix": "home/"}}`)
		return nil
	}
	got := r.members(n, "Condition")
	var list []Condition
	for _, name := range n.names {
		block, ok := got[name.Value]
		if !ok {
			continue
		}
		op, ok := ParseOperator(name.Value)
		if !ok {
			r.fail(join("Condition", name.Value), name.Pos, "the operator "+strconv.Quote(name.Value)+" does not exist", operatorAdvice(name.Value))
			continue
		}
		list = append(list, r.conditionBlock(op, name.Pos, block.node)...)
	}
	return list
}

func operatorAdvice(name string) string {
	for _, q := range quantifierPrefixes[1:] {
		name = strings.TrimPrefix(name, q)
	}
	for _, known := range comparisonNames {
		switch {
		case known == "Null" && strings.HasPrefix(name, known):
			return "Null takes neither a set prefix nor IfExists"
		case strings.EqualFold(name, known):
			return "did you mean " + known + "?"
		}
	}
	return "operators are StringEquals, StringLike, NumericLessThan, DateGreaterThan, Bool, IpAddress, ArnLike, Null and their like"
}

func (r *reader) conditionBlock(op Operator, at Position, n node) []Condition {
	path := join("Condition", op.String())
	if n.kind != object {
		r.fail(path, n.pos, op.String()+" is "+string(n.kind), "an object of condition keys and values")
		return nil
	}
	got := r.members(n, path)
	var list []Condition
	for _, name := range n.names {
		m, ok := got[name.Value]
		if !ok {
			continue
		}
		element := join(path, name.Value)
		r.checkKey(element, name)
		values, ok := r.strings(element, m.node, str, number, boolean)
		if ok && r.checkValues(element, op, values) {
			list = append(list, Condition{Operator: op, Key: name, Values: values, Pos: at})
		}
	}
	return list
}

// checkKey holds a condition key to service:name. A key that does not exist is
// accepted and is never in a request.
func (r *reader) checkKey(element string, key Text) {
	service, name, _ := strings.Cut(key.Value, ":")
	if service == "" || name == "" {
		r.refuse(element, key.Pos, "the condition key "+strconv.Quote(key.Value)+" has no service before a colon", `SERVICE:NAME such as "aws:SourceIp"`)
	}
}

// checkValues holds values to the type of their operator. A value that cannot
// be read leaves the whole condition without meaning.
func (r *reader) checkValues(element string, op Operator, values []Text) bool {
	for _, v := range values {
		valid, right := true, ""
		switch op.Comparison.Family() {
		case NumericFamily:
			_, valid = ParseNumber(v.Value)
			right = "a number such as 10 or 1.2"
		case DateFamily:
			_, valid = ParseDate(v.Value)
			right = "an ISO 8601 date such as 2024-05-20T10:00:00Z, or seconds since 1970"
		case BoolFamily, NullFamily:
			valid = strings.EqualFold(v.Value, "true") || strings.EqualFold(v.Value, "false")
			right = "true or false"
		case BinaryFamily:
			_, valid = ParseBinary(v.Value)
			right = "base64"
		case IPFamily:
			_, valid = ParseCIDR(v.Value)
			right = "an address or a range such as 203.0.113.0/24 or 2001:db8::/32"
		}
		if !valid {
			r.fail(element, v.Pos, "the value "+strconv.Quote(v.Value)+" cannot be read by "+op.String(), right)
			return false
		}
	}
	return true
}
