package sidecar

import (
	"context"
	"time"

	"github.com/doorward/doorward/authz/s3"
	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/internal/lockout"
)

// Authorizer answers who signed a request and whether they may do it. All methods
// are safe for concurrent use.
type Authorizer struct {
	config    Config
	rules     *sigv4.Rules
	mapper    *s3.Mapper
	replica   *replica
	keys      *keys
	lockout   *lockout.Table
	confirmer *confirmer
	instants  instants
	uses      uses
}

// New makes an authorizer that follows source. It starts nothing and answers 503
// until [Authorizer.Run] has received a view.
func New(config Config, source Source) (*Authorizer, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	if err := config.Validate(); err != nil {
		return nil, err
	}
	mapper, err := config.mapper()
	if err != nil {
		return nil, err
	}
	a := &Authorizer{config: config, rules: config.rules(), mapper: mapper, lockout: lockout.New(config.Lockout)}
	a.keys = newKeys(source, &a.config)
	a.confirmer = newConfirmer(source, &a.config)
	a.replica = newReplica(source, &a.config, a.keys, a.confirmer.hurry)
	if config.Keep != nil {
		a.replica.keeper = newKeeper(*config.Keep, a.replica)
		a.keys.keeper = a.replica.keeper
	}
	return a, nil
}

// Authorize decides about q and says why in d. It takes microseconds, unless the
// request needs something newer than the view: then it waits, but no longer than
// Patience. Whatever goes wrong ends in a decision that does not allow.
func (a *Authorizer) Authorize(ctx context.Context, q *Request, d *Decision) { a.authorize(ctx, q, d) }

// AuthorizeNow is Authorize for a caller that must not be held up. It returns false
// if it would have to wait; then nothing is decided, and Authorize will wait.
func (a *Authorizer) AuthorizeNow(q *Request, d *Decision) bool { return a.authorize(impatient, q, d) }

// AuthorizeObjects is Authorize for a request that may name several objects
// (DeleteObjects), whose denials do not fail one another: each is called for every
// object, in order, with a decision that has Each set and is valid during the call.
// For a request of another kind, and for one that is refused as a whole, it is
// called once, without Each.
func (a *Authorizer) AuthorizeObjects(ctx context.Context, q *Request, d *Decision, each func(*Decision)) {
	a.authorizeObjects(ctx, q, d, each)
}

// authorize is the whole decision.
func (a *Authorizer) authorize(ctx context.Context, q *Request, d *Decision) bool {
	i := a.inquire(ctx, d)
	err := i.understand(q)
	if err == nil {
		err = i.evaluate() // may the caller do that?
	}
	return i.record(err)
}

func (a *Authorizer) authorizeObjects(ctx context.Context, q *Request, d *Decision, each func(*Decision)) bool {
	i := a.inquire(ctx, d)
	err := i.understand(q)
	if err == nil && i.lists() {
		return i.evaluateEach(each)
	}
	if err == nil {
		err = i.evaluate()
	}
	if !i.record(err) {
		return false
	}
	each(d)
	return true
}

// understand takes the steps before the decision.
func (i *inquiry) understand(q *Request) error {
	err := i.parse(q) // what does the request claim?
	if err == nil {
		err = i.identify(q.MinIndex) // in one view: whose key is it, and may it be used?
	}
	if err == nil {
		err = i.prove() // does the signature hold?
	}
	if err == nil {
		err = i.name() // which operation is it, and what does it need?
	}
	return err
}
