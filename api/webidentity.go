package api

import (
	"errors"
	"slices"
	"strconv"

	"github.com/doorward/doorward/api/oidc"
	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/iam"
)

const withWebIdentity = "sts:AssumeRoleWithWebIdentity"

var (
	webToken   = param{name: "WebIdentityToken", presence: notNull, min: 4, max: 20000}
	providerID = param{name: "ProviderId", min: 1, max: 2048}

	samlProvider  = param{name: "PrincipalArn", presence: notNull, min: 20, max: 2048}
	samlAssertion = param{name: "SAMLAssertion", presence: notNull, min: 4, max: 100000}
)

// assumeRoleWithSAML tells who has a SAML assertion where to go.
func assumeRoleWithSAML(*call) (any, error) {
	return nil, iam.Errorf(iam.InvalidAction,
		"AssumeRoleWithSAML is not supported: identities from elsewhere come through OpenID Connect (AssumeRoleWithWebIdentity) or LDAP (AssumeRoleWithLDAPIdentity).")
}

// webIdentity is a token that has been read, and whose it claims to be.
type webIdentity struct {
	token    *oidc.Token
	issuer   string // without its scheme
	audience string // the client that the token was issued to
	original []string
}

// assumeRoleWithWebIdentity gives a session of a role to whoever brings a token of
// an identity provider that the role trusts. The request is not signed: the token
// is the proof. What can be refused without asking the provider is refused first.
// Sources: STS API reference; IAM user guide, "OIDC federation".
func assumeRoleWithWebIdentity(c *call) (any, error) {
	if c.form["ProviderId"] != "" {
		return nil, iam.Errorf(iam.InvalidInput, "ProviderId is not supported by this implementation.")
	}
	if text := c.form["Policy"]; text != "" {
		if err := malformed(policy.Session, text); err != nil {
			return nil, err
		}
	}
	token, err := oidc.Parse(c.form["WebIdentityToken"])
	if err != nil {
		return nil, iam.Errorf(invalidIdentity, "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
	}
	role, ok := c.roleAt(iam.ARN(c.form["RoleArn"]))
	if !ok {
		return nil, errWebIdentity
	}
	c.caller.account = role.Account
	lasts, err := c.roleDuration(role)
	if err != nil {
		return nil, err
	}
	identity, err := readIdentity(token)
	if err != nil {
		return nil, err
	}
	provider, err := c.trusted(role, identity)
	if err != nil {
		return nil, err
	}
	if err := c.proved(identity, provider); err != nil {
		return nil, err
	}
	return c.webSession(role, lasts, identity, provider)
}

var (
	errWebIdentity = iam.Errorf(iam.AccessDenied, "Not authorized to perform sts:AssumeRoleWithWebIdentity")
	errClaims      = iam.Errorf(invalidIdentity,
		"The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity documentation for requirements.")
)

// readIdentity reads issuer and audience. Whom a token for several audiences was
// issued to says its azp claim (OpenID Connect Core, section 2).
func readIdentity(token *oidc.Token) (webIdentity, error) {
	id := webIdentity{token: token, issuer: trimScheme(token.Text("iss"))}
	audiences := token.Texts("aud")
	switch party := token.Text("azp"); {
	case id.issuer == "":
		return id, errWebIdentity
	case len(audiences) == 0:
		return id, errClaims
	case party != "":
		id.audience, id.original = party, audiences
	case len(audiences) > 1:
		return id, iam.Errorf(invalidIdentity, "Token audience contains more than one audience while authorized party is not present")
	default:
		id.audience = audiences[0]
	}
	return id, nil
}

func trimScheme(issuer string) string {
	const scheme = "https://"
	if len(issuer) > len(scheme) && issuer[:len(scheme)] == scheme {
		return issuer[len(scheme):]
	}
	return issuer
}

// trusted asks the role's trust policy about the token's claims, which are not
// proved yet, and returns the provider that it trusts to prove them.
func (c *call) trusted(role *iam.Role, id webIdentity) (*iam.Provider, error) {
	provider, known := c.view.Provider(role.Account, id.issuer)
	switch {
	case !c.trustsAnyProvider(role):
		return nil, errWebIdentity
	case !known:
		return nil, errClaims
	}
	trust := authz.Policy{Name: "trust policy", Document: role.Trust}
	d := authz.Reference(authz.Policies{Trust: &trust}, &authz.Request{
		Principal: authz.Principal{Type: authz.WebIdentity, ARN: provider.ARN()},
		Action:    withWebIdentity, Resource: string(role.ARN()), ResourceAccount: role.Account, Context: c.claimed(id),
	})
	switch {
	case d.Explicit:
		return nil, errWebIdentity
	case !d.Allowed() || !slices.Contains(provider.ClientIDs, id.audience):
		return nil, errClaims
	}
	return provider, nil
}

// trustsAnyProvider reports whether the role's trust policy names a provider that
// exists. A role that does not is none for tokens, whatever they claim.
func (c *call) trustsAnyProvider(role *iam.Role) bool {
	for _, st := range policy.ParseStored([]byte(role.Trust), policy.Trust).Statements {
		for _, p := range st.Principals.List {
			arn := iam.ARN(p.Value)
			if _, exists := c.view.Provider(arn.Account(), providerOf(arn)); exists && p.Type == policy.Federated {
				return true
			}
		}
	}
	return false
}

// claimed are the condition keys of the call, and of the token under the name of
// its issuer.
func (c *call) claimed(id webIdentity) *authz.Context {
	ctx := c.connection()
	c.requestedSession(ctx)
	for claim := range id.token.Claims {
		switch claim {
		case "iss", "aud", "azp", "sub", "exp", "iat", "nbf":
			continue
		}
		setClaim(ctx, id.issuer+":"+claim, id.token.Texts(claim))
	}
	setClaim(ctx, id.issuer+":aud", []string{id.audience})
	setClaim(ctx, id.issuer+":oaud", id.original)
	if subject := id.token.Text("sub"); subject != "" {
		setClaim(ctx, id.issuer+":sub", []string{subject})
	}
	return ctx
}

func setClaim(ctx *authz.Context, key string, values []string) {
	switch len(values) {
	case 0:
	case 1:
		ctx.SetNamed(key, values[0])
	default:
		ctx.SetNamedList(key, values)
	}
}

// proved asks the provider's keys.
func (c *call) proved(id webIdentity, provider *iam.Provider) error {
	err := c.server.config.Identity.Verify(c.ctx, id.token, oidc.Issuer{URL: provider.URL, Thumbprints: provider.Thumbprints}, c.now.Go())
	var expired *oidc.ExpiredError
	switch {
	case err == nil && id.token.Text("sub") == "":
		return iam.Errorf(invalidIdentity, "Missing a required claim: sub.")
	case err == nil:
		return nil
	case errors.As(err, &expired):
		return iam.Errorf(expiredIdentity, "Token expired: current date/time %s must be before the expiration date/time %s",
			strconv.FormatInt(expired.Now.Unix(), 10), strconv.FormatInt(expired.Expires.Unix(), 10))
	case errors.Is(err, oidc.ErrUnreachable):
		c.server.config.Log.Warn("identity provider not reachable", "provider", provider.URL, "error", err)
		return iam.Errorf(invalidIdentity,
			"Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements")
	}
	return errClaims
}

func (c *call) webSession(role *iam.Role, lasts uint32, id webIdentity, provider *iam.Provider) (any, error) {
	c.caller.arn = assumedARN(role, c.form["RoleSessionName"])
	s, err := c.newSession(iam.SessionRole, role.Ref(), role.ID, lasts)
	if err != nil {
		return nil, err
	}
	s.Name = c.form["RoleSessionName"]
	given, err := c.begin(s)
	if err != nil {
		return nil, err
	}
	answer := struct {
		assumedXML
		SubjectFromWebIdentityToken string
		Audience                    string
		Provider                    string
	}{assumedXML{Credentials: given, PackedPolicySize: c.packedSize()}, id.token.Text("sub"), id.audience, id.token.Text("iss")}
	answer.AssumedRoleUser.AssumedRoleID = string(role.ID) + ":" + s.Name
	answer.AssumedRoleUser.ARN = c.caller.arn
	return answer, nil
}
