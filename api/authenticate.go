package api

import (
	"fmt"
	"strings"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
)

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
	if err := c.lockedOut(cred.AccessKeyID()); err != nil {
		return err
	}
	identity, err := c.identify(&cred)
	if err != nil {
		return err
	}
	secret, err := c.server.config.Secrets.OpenSecret(cred.AccessKeyID(), sealedSecret(identity))
	if err != nil {
		return fmt.Errorf("open the secret of %s: %w", cred.AccessKeyID(), err)
	}
	key := sigv4.DeriveSigningKey(string(secret), cred.Scope())
	if _, err := cred.Verify(&key); err != nil {
		return c.wrong(cred.AccessKeyID(), err)
	}
	c.server.lockout.Right(string(cred.AccessKeyID()), c.peer())
	c.caller = caller{cred.AccessKeyID(), identity.Principal.Account, identity.Principal.ARN, identity}
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

func sealedSecret(i *authz.Identity) iam.Sealed {
	if i.Session != nil {
		return i.Session.Secret
	}
	return i.Key.Secret
}

// identify finds whom the access key stands for, in the view at hand or, if it has
// no such key in use, in one that holds all that was committed.
func (c *call) identify(cred *sigv4.Credential) (*authz.Identity, error) {
	if err := c.checkToken(cred); err != nil {
		return nil, err
	}
	temporary := cred.Token() != ""
	if identity := inUse(c.server.config.Store.View(), cred.AccessKeyID(), temporary, c.now); identity != nil {
		return identity, nil
	}
	view, err := c.server.config.Store.Consistent(c.ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	if identity := inUse(view, cred.AccessKeyID(), temporary, c.now); identity != nil {
		return identity, nil
	}
	return nil, cred.Refuse(sigv4.UnknownAccessKey)
}

// checkToken refuses a session token that is not of this store, not of this access
// key, or has expired, and a session's key without one.
func (c *call) checkToken(cred *sigv4.Credential) error {
	if cred.Token() == "" {
		if strings.HasPrefix(string(cred.AccessKeyID()), sessionPrefix) {
			return cred.Refuse(sigv4.TokenMissing)
		}
		return nil
	}
	opened, err := c.server.config.Tokens.OpenToken(cred.Token())
	switch {
	case err != nil || opened.Key != cred.AccessKeyID():
		return cred.Refuse(sigv4.TokenInvalid)
	case opened.Expires <= c.now:
		return cred.Refuse(sigv4.TokenExpired)
	}
	return nil
}

// inUse returns whom an access key stands for, nil if the view has no such key that
// may be used now: a session for those who sent a token, a long-term key for others.
func inUse(view *state.View, id iam.AccessKeyID, temporary bool, now iam.Time) *authz.Identity {
	identity, ok := authz.Resolve(view, id)
	if !ok || (identity.Session != nil) != temporary {
		return nil
	}
	if fault := identity.Refused(now); fault != authz.NoFault && !(fault == authz.Expired && ageless(identity)) {
		return nil
	}
	return identity
}

// ageless reports whether the key is the root user's and has no expiry of its own:
// the greatest age of keys must not lock out whoever could change it.
func ageless(i *authz.Identity) bool {
	return i.Key != nil && i.Key.Owner.Kind == iam.KindRoot && i.Key.Expires == 0
}
