package api

import (
	"errors"
	"fmt"
	"strings"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
)

// caller is who signed a request. Exactly one of user, role and root says whose
// authority it has; service account and session say how it was handed on.
type caller struct {
	key       iam.AccessKeyID
	account   iam.AccountID
	principal authz.Principal
	policies  authz.Policies
	root      bool
	user      *iam.User           // also of a service account, a self or token session
	role      *iam.Role           // of a role session
	service   *iam.ServiceAccount // signed with a service account, or a session of one
	session   *iam.Session        // temporary credentials
}

// longTerm reports whether the caller signed with a key of its own and not with
// temporary credentials.
func (c *caller) longTerm() bool { return c.session == nil }

// own reports whether the caller is a user who signed with a key of the user's
// own: neither a service account nor temporary credentials.
func (c *caller) own() bool { return c.user != nil && c.service == nil && c.session == nil }

// authenticate finds out who signed the request.
func (c *call) authenticate(body []byte, service sigv4.Service) error {
	req := sigv4.FromHTTP(c.http, nil)
	req.Body = sigv4.HashBody(body)
	cred, err := c.server.rules(service).Parse(&req, c.now)
	if err != nil {
		return err
	}
	if cred.Kind() == sigv4.Anonymous {
		return cred.Refuse(sigv4.CredentialNeeded)
	}
	found, err := c.credential(&cred)
	if err != nil {
		return err
	}
	secret, err := c.server.config.Secrets.OpenSecret(cred.AccessKeyID(), found.sealed)
	if err != nil {
		return fmt.Errorf("open the secret of %s: %w", cred.AccessKeyID(), err)
	}
	key := sigv4.DeriveSigningKey(string(secret), cred.Scope())
	if _, err := cred.Verify(&key); err != nil {
		return err
	}
	c.caller = found.caller
	c.token = c.clientToken()
	return nil
}

// clientToken is what the client sends again when it retries: our own header, or
// that of the AWS SDKs.
func (c *call) clientToken() string {
	if t := c.http.Header.Get("X-Doorward-Request"); t != "" {
		return t
	}
	return c.http.Header.Get("Amz-Sdk-Invocation-Id")
}

// identified is a credential that exists and may be used, not yet proved.
type identified struct {
	caller caller
	sealed iam.Sealed
}

// errUnknown says that a view has no such credential, or that it may not be used.
// The view may be behind, so it is asked again on a consistent one.
var errUnknown = errors.New("credential not in use")

// credential looks the access key up in the view at hand and, if it is not there,
// in one that holds all that was committed.
func (c *call) credential(cred *sigv4.Credential) (identified, error) {
	view := c.server.config.Store.View()
	if opened, err := c.server.config.Tokens.OpenToken(cred.Token()); cred.Token() != "" {
		switch {
		case err != nil || opened.Key != cred.AccessKeyID():
			return identified{}, cred.Refuse(sigv4.TokenInvalid)
		case opened.Expires <= c.now:
			return identified{}, cred.Refuse(sigv4.TokenExpired)
		}
	} else if strings.HasPrefix(string(cred.AccessKeyID()), sessionPrefix) {
		return identified{}, cred.Refuse(sigv4.TokenMissing)
	}
	found, err := identify(view, cred.AccessKeyID(), cred.Token() != "", c.now)
	if errors.Is(err, errUnknown) {
		if view, err = c.server.config.Store.Consistent(c.ctx); err != nil {
			return identified{}, unavailable(err)
		}
		found, err = identify(view, cred.AccessKeyID(), cred.Token() != "", c.now)
	}
	if errors.Is(err, errUnknown) {
		return identified{}, cred.Refuse(sigv4.UnknownAccessKey)
	}
	return found, err
}

// identify finds the caller behind an access key.
func identify(view *state.View, id iam.AccessKeyID, hasToken bool, now iam.Time) (identified, error) {
	if hasToken {
		session, ok := view.Session(id)
		if !ok || session.Expires <= now {
			return identified{}, errUnknown
		}
		return identifySession(view, session, now)
	}
	key, ok := view.AccessKey(id)
	if !ok || !usable(view, key, now) {
		return identified{}, errUnknown
	}
	who, err := owner(view, key.Owner, now)
	who.key = id
	return identified{who, key.Secret}, err
}

// usable reports whether a long-term key may sign now.
func usable(view *state.View, key *iam.AccessKey, now iam.Time) bool {
	age := iam.Time(view.Settings().KeyMaxAge) * 1000
	return key.Status == iam.Active &&
		(key.Expires == 0 || now < key.Expires) &&
		(age == 0 || key.Owner.Kind == iam.KindRoot || now < key.Created+age)
}
