package compare

import (
	"slices"
	"strconv"
	"strings"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/iam"
)

// account is the one that examples are set in.
type account iam.AccountID

const home account = "000000000000"

func (a account) arn(service, resource string) iam.ARN {
	return iam.ARN("arn:aws:" + service + "::" + string(a) + ":" + resource)
}

func (a account) role() string { return string(a.arn("iam", "role/example")) }

var someUser = authz.Principal{Type: authz.User, Account: iam.AccountID(home), ARN: home.arn("iam", "user/example")}

// setting is a caller and what else speaks on its requests, arranged so that
// everything hangs on the document under comparison.
type setting struct {
	principal       authz.Principal
	resourceAccount iam.AccountID
	// words tell the arrangement, empty if there is nothing to tell.
	words string
	// policies put a document in its place.
	policies func(document string) authz.Policies
}

const (
	allowAll  = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
	allowNone = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"none:None","Resource":"*"}}`
)

func asIdentity(d *policy.Document) authz.Policies { return identityOf(string(policy.Print(d))) }

func identityOf(document string) authz.Policies {
	return authz.Policies{Identity: authz.PolicySet{{Name: "policy", Document: document}}}
}

// settings are those that matter for a kind of document, with the principals that
// the two documents name; false if there are too many.
func settings(kind policy.Kind, documents ...*policy.Document) ([]setting, bool) {
	if !kind.HasPrincipal() {
		return []setting{{principal: someUser, policies: identityOf}}, true
	}
	var out []setting
	for _, caller := range callers(kind, documents) {
		out = append(out, arrangements(kind, caller)...)
		if len(out) > maxCallers {
			return nil, false
		}
	}
	return out, true
}

// arrangements of one caller differ in how strongly an Allow has to name it, and
// in whether it has a permissions boundary (see [authz.Policies.Resource]).
func arrangements(kind policy.Kind, caller authz.Principal) []setting {
	make := func(owner iam.AccountID, words string, p authz.Policies) setting {
		if p.Session == nil && caller.Type == authz.FederatedUser {
			p.Session = &authz.PolicySet{{Name: "session", Document: allowAll}}
		}
		return setting{caller, owner, words, func(document string) authz.Policies {
			own := &authz.Policy{Name: "policy", Document: document}
			if p.Resource = own; kind == policy.Trust {
				p.Resource, p.Trust = nil, own
			}
			return p
		}}
	}
	other := iam.AccountID("999999999999")
	if caller.Account == other {
		other = iam.AccountID(home)
	}
	if outside[caller.Type] != nil {
		return []setting{make(other, "", authz.Policies{})}
	}
	all := authz.PolicySet{{Name: "own", Document: allowAll}}
	nothing := &authz.PolicySet{{Name: "session", Document: allowNone}}
	wide, narrow := &authz.Policy{Name: "boundary", Document: allowAll}, &authz.Policy{Name: "boundary", Document: allowNone}
	abroad := make(other, "whose own policies allow everything, from another account", authz.Policies{Identity: all})
	if caller.Type == authz.Root {
		return []setting{abroad}
	}
	return []setting{
		make(caller.Account, "without policies of its own, in the owner's account", authz.Policies{}),
		abroad,
		make(other, "whose own policies and boundary allow everything, from another account", authz.Policies{Identity: all, Boundary: wide}),
		make(caller.Account, "whose boundary allows everything, without policies of its own, in the owner's account", authz.Policies{Boundary: wide}),
		make(caller.Account, "whose boundary allows nothing, in the owner's account", authz.Policies{Boundary: narrow}),
		make(caller.Account, "whose session policy allows nothing, in the owner's account", authz.Policies{Session: nothing}),
		make(caller.Account, "whose session policy and boundary allow nothing, in the owner's account", authz.Policies{Session: nothing, Boundary: narrow}),
	}
}

// census sorts the principals that documents name.
type census struct {
	accounts, canonical                          []string
	users, roles, sessions, federated, providers []iam.ARN
}

func (c *census) add(p policy.Principal) {
	switch {
	case p.Type == policy.CanonicalUser:
		c.canonical = append(c.canonical, p.Value)
	case p.Type == policy.Federated:
		c.providers = append(c.providers, iam.ARN(p.Value))
	case p.Type != policy.AWS:
	case !strings.HasPrefix(p.Value, "arn:"):
		c.accounts = append(c.accounts, p.Value)
	default:
		arn := iam.ARN(p.Value)
		c.accounts = append(c.accounts, string(accountOf(arn)))
		for kind, list := range map[string]*[]iam.ARN{":user/": &c.users, ":role/": &c.roles, ":assumed-role/": &c.sessions, ":federated-user/": &c.federated} {
			if strings.Contains(p.Value, kind) {
				*list = append(*list, arn)
			}
		}
	}
}

func accountOf(arn iam.ARN) account {
	if parts := strings.SplitN(string(arn), ":", 6); len(parts) == 6 {
		return account(parts[4])
	}
	return ""
}

// callers are everybody whom the principals of the documents tell apart: anonymous
// first, then, of trust policies, whoever has a provider's token, then those who are
// named, then others of their accounts, and strangers.
func callers(kind policy.Kind, documents []*policy.Document) []authz.Principal {
	var c census
	for _, d := range documents {
		for i := range d.Statements {
			for _, p := range d.Statements[i].Principals.List {
				c.add(p)
			}
		}
	}
	for _, list := range []*[]string{&c.accounts, &c.canonical} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	out := []authz.Principal{{}}
	if kind == policy.Trust {
		for _, arn := range append(c.providers, home.arn("iam", "oidc-provider/another.example.com")) {
			out = append(out, authz.Principal{Type: authz.WebIdentity, ARN: arn})
		}
	}
	for n := range len(c.accounts) + 1 {
		in := stranger(c.accounts)
		if n < len(c.accounts) {
			in = account(c.accounts[n])
		}
		for _, canonical := range append([]string{""}, c.canonical...) {
			for _, p := range c.of(in) {
				p.Account, p.Canonical = iam.AccountID(in), canonical
				out = append(out, p)
			}
		}
	}
	return out
}

// stranger is an account that is not listed.
func stranger(listed []string) account {
	for n := 111122223333; ; n++ {
		if id := strconv.Itoa(n); !slices.Contains(listed, id) {
			return account(id)
		}
	}
}

// of lists the callers of one account.
func (c *census) of(in account) []authz.Principal {
	var out []authz.Principal
	users := in.known(c.users, in.arn("iam", "user/someone-else"))
	for _, arn := range users {
		out = append(out, authz.Principal{Type: authz.User, ARN: arn})
	}
	for _, role := range c.rolesOf(in) {
		name := role[strings.LastIndexByte(string(role), '/')+1:]
		prefix := "assumed-role/" + string(name) + "/"
		for _, session := range in.known(c.sessions, in.arn("sts", prefix+"another-session")) {
			if strings.Contains(string(session), ":"+prefix) {
				out = append(out, authz.Principal{Type: authz.AssumedRole, ARN: session, RoleARN: role})
			}
		}
	}
	for _, arn := range in.known(c.federated, in.arn("sts", "federated-user/somebody-else")) {
		for _, user := range users {
			out = append(out, authz.Principal{Type: authz.FederatedUser, ARN: arn, UserARN: user})
		}
	}
	return append(out, authz.Principal{Type: authz.Root, ARN: in.arn("iam", "root")})
}

// known are the ARNs of the account, and fresh, which stands for those that are not
// named.
func (a account) known(named []iam.ARN, fresh iam.ARN) []iam.ARN {
	var out []iam.ARN
	for _, arn := range named {
		if accountOf(arn) == a && !slices.Contains(out, arn) {
			out = append(out, arn)
		}
	}
	for slices.Contains(out, fresh) {
		fresh += "x"
	}
	return append(out, fresh)
}

// rolesOf are the roles that are named, those of the sessions that are, and one
// more.
func (c *census) rolesOf(in account) []iam.ARN {
	roles := slices.Clone(c.roles)
	for _, session := range c.sessions {
		_, name, _ := strings.Cut(string(session), "/")
		name, _, _ = strings.Cut(name, "/")
		roles = append(roles, accountOf(session).arn("iam", "role/"+name))
	}
	return in.known(roles, in.arn("iam", "role/another-role"))
}

// outside are, of callers who are nobody's principal, the keys about callers that
// their requests have; every other one is missing (IAM user guide, "AWS global
// condition context keys").
var outside = map[authz.PrincipalType]map[string]string{
	authz.Anonymous: {
		policy.PrincipalTypeKey.String(): "Anonymous",
		policy.UserID.String():           "anonymous",
	},
	authz.WebIdentity: {},
}

var signedOnly = []policy.Key{
	policy.PrincipalTypeKey, policy.UserID, policy.Username, policy.PrincipalARN, policy.PrincipalAccount, policy.PrincipalOrgID, policy.PrincipalOrgPaths,
	policy.TokenIssueTime, policy.MultiFactorAuthPresent, policy.MultiFactorAuthAge, policy.FederatedProvider,
	policy.SourceIdentity, policy.RoleSessionName,
}

// fixedValue is the value of a key that has no choice: of one that stands for a
// variable, or that tells about a caller from outside.
func (s *space) fixedValue(key string) (v authz.Value, fixed bool) {
	if text, ok := s.fixed[key]; ok {
		return authz.Value{Present: true, Values: []string{text}}, true
	}
	if s.nobody == nil {
		return authz.Value{}, false
	}
	if text, ok := s.nobody[key]; ok {
		return authz.Value{Present: true, Values: []string{text}}, true
	}
	k, known := policy.KeyOf(key)
	f, _, isTag := policy.TagOf(key)
	return authz.Value{}, known && slices.Contains(signedOnly, k) || isTag && f == policy.PrincipalTag
}
