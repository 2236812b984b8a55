package sidecar

import (
	"crypto/subtle"
	"errors"
	"strings"
	"time"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
)

// identify pins the view that decides, finds who the access key stands for in it,
// and makes sure that the key may be used now and that a session's token is its
// own. The caller is nil for an anonymous request.
func (i *inquiry) identify(least iam.Index) error {
	if err := i.pin(least); err != nil {
		return err
	}
	if i.claim.Kind() == sigv4.Anonymous {
		return nil
	}
	why, err := i.find(i.claim.AccessKeyID())
	switch {
	case err != nil:
		return err
	case why != 0:
		return i.claim.Refuse(why)
	}
	return nil
}

// pin chooses the one view that decides, and refuses one that is too old.
func (i *inquiry) pin(least iam.Index) (err error) {
	if i.view, err = i.authorizer.replica.pin(i.ctx, least); err != nil {
		return err
	}
	i.decision.Index = i.view.Index()
	i.decision.Staleness, err = i.authorizer.replica.fresh(i.view, i.began)
	return err
}

// find looks an access key up and says why it may not be used, zero if it may.
//
// That a key is not in the view proves nothing: it may be newer than the view. So
// the verdict waits until the store has confirmed that the view is current, or, for
// a session, until the view has the index that its token names.
func (i *inquiry) find(id iam.AccessKeyID) (sigv4.Refusal, error) {
	i.who = i.view.callers.find(i.view.View, id)
	if i.who == nil {
		least, why, err := i.newest(id)
		if why != 0 || err != nil {
			return why, err
		}
		if err := i.pin(least); err != nil {
			return 0, err
		}
		if i.who = i.view.callers.find(i.view.View, id); i.who == nil {
			return i.absent(), nil
		}
	}
	why := i.who.admits(i.view, i.token, i.now())
	if why != 0 {
		i.who = nil
	}
	return why, nil
}

// newest returns the index at which a view knows a key that this one does not, if
// anybody does.
func (i *inquiry) newest(id iam.AccessKeyID) (iam.Index, sigv4.Refusal, error) {
	if i.token != "" {
		if i.view.tokens == nil {
			return 0, 0, ErrNotReady
		}
		t, err := i.view.tokens.Open(i.token)
		switch {
		case err != nil || t.Key != id:
			return 0, sigv4.TokenInvalid, nil
		case t.Expires <= i.now():
			return 0, sigv4.TokenExpired, nil
		case t.Index > i.view.Index():
			return t.Index, 0, nil
		}
	}
	index, err := i.authorizer.confirmer.ask(i.ctx)
	return index, 0, err
}

// absent says what it means that a current view has no such key: a session whose
// token is genuine has been revoked.
func (i *inquiry) absent() sigv4.Refusal {
	if i.token != "" {
		return sigv4.TokenInvalid
	}
	return sigv4.UnknownAccessKey
}

// admits returns why the caller may not be used at this moment, zero if it may.
func (c *caller) admits(v *view, token string, now iam.Time) sigv4.Refusal {
	fault := c.identity.Refused(now)
	switch {
	case c.session() && token == "":
		return sigv4.TokenMissing
	case !c.session() && token != "", c.session() && !c.owns(v, token):
		return sigv4.TokenInvalid
	case c.session() && fault == authz.Expired:
		return sigv4.TokenExpired
	case c.session() && fault != authz.NoFault:
		return sigv4.TokenInvalid
	case fault != authz.NoFault:
		return sigv4.UnknownAccessKey
	}
	return 0
}

// owns reports whether a session token is this caller's. A token that was opened
// once is only compared afterwards.
func (c *caller) owns(v *view, token string) bool {
	if known := c.token.Load(); known != nil && constantTimeEqual(*known, token) {
		return true
	}
	if v.tokens == nil {
		return false
	}
	t, err := v.tokens.Open(token)
	if err != nil || t.Key != c.id {
		return false
	}
	own := strings.Clone(token)
	c.token.Store(&own)
	return true
}

func constantTimeEqual(a, b string) bool {
	return subtle.ConstantTimeCompare(view8(a), view8(b)) == 1
}

// prove makes sure that the signature holds, and counts those that do not. Who sent too
// many for an access key is refused before anything is compared.
func (i *inquiry) prove() error {
	if i.who == nil || i.request == nil || !i.request.Remote.IsValid() {
		return i.compare() // a source without address would be everybody's
	}
	key, source, lockout := string(i.claim.AccessKeyID()), i.request.Remote, i.authorizer.lockout
	if _, locked := lockout.Locked(key, source, i.began); locked {
		return lockedOut
	}
	err := i.compare()
	switch {
	case err == nil:
		lockout.Right(key, source)
	case errors.Is(err, mismatch):
		lockout.Wrong(key, source, i.began)
	}
	return err
}

// lockedOut refuses an access key for a source that sent too many wrong signatures.
var lockedOut = &sigv4.Error{
	Code: iam.AccessDenied, Status: 403,
	Message: "Too many requests with a wrong signature of this access key came from your address. Try again later.",
}

// compare verifies the signature with the caller's key for its scope. A signature
// that does not hold may have been made with a secret that is newer than the view,
// so it is looked at again if the store has moved on.
func (i *inquiry) compare() error {
	err := i.verify()
	if err == nil || i.who == nil || !errors.Is(err, mismatch) {
		return err
	}
	before := i.who
	newest, unknown := i.authorizer.confirmer.ask(i.ctx)
	if unknown == errImpatient {
		return unknown
	}
	if unknown != nil || newest <= i.view.Index() {
		return err
	}
	if again := i.identify(newest); again != nil {
		return again
	}
	if i.who == before {
		return err
	}
	return i.verify()
}

func (i *inquiry) verify() (err error) {
	if i.who == nil {
		i.proof, err = i.claim.Admit()
		return err
	}
	key, err := i.authorizer.signingKey(i.ctx, i.who, i.claim.Scope())
	switch {
	case err == nil:
		i.proof, err = i.claim.Verify(key)
		return err
	case errors.Is(err, noSuchKey):
		return i.claim.Refuse(sigv4.UnknownAccessKey)
	case errors.Is(err, noSuchScope):
		return badScope
	}
	return err
}

// badScope refuses a scope that the store derives no keys for.
var badScope = &sigv4.Error{
	Code: sigv4.AuthorizationHeaderMalformed, Status: 400,
	Message: "The authorization header is malformed; no key is derived for its date and region.",
}

// youth is how long after a key was made a denial is looked at again in a view
// that is certainly current: what gives a new identity its rights is often written
// a moment after its key.
const youth = 15 * time.Second

// reconsider reports whether a denied request has to be evaluated again, because
// the caller is so new that the view may not have had all of it.
func (i *inquiry) reconsider() (bool, error) {
	d := i.decision
	if d.Effect != authz.Deny || d.Reason.Explicit || i.who == nil || !i.who.young(i.now()) {
		return false, nil
	}
	newest, err := i.authorizer.confirmer.ask(i.ctx)
	if err != nil || newest <= i.view.Index() {
		return false, err
	}
	if err := i.identify(newest); err != nil {
		return false, err
	}
	d.Refusal = nil
	return true, nil
}

func (c *caller) young(now iam.Time) bool {
	age := now - c.created()
	return -iam.Time(youth.Milliseconds()) < age && age < iam.Time(youth.Milliseconds())
}
