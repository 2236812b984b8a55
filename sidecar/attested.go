package sidecar

import (
	"context"
	"net/netip"
	"strconv"
	"strings"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar/protocol"
)

// Attested is a request of which the S3 server has built the string to sign itself
// and says what it is about to do. Its strings must stay unchanged until the
// answer; nothing of it is kept.
type Attested struct {
	Claim    sigv4.Attestation
	MinIndex iam.Index

	Remote     netip.Addr
	Secure     bool
	TLSVersion string

	// Conditions are what the server knows of the request beyond that, for all
	// contexts; see Question.Conditions.
	Conditions    []protocol.Pair
	BucketAccount iam.AccountID
	BucketPolicy  string
	Contexts      []protocol.Context
}

// AuthorizeEach verifies the signature once and decides about each context. each is
// called for every context, in order, with a decision that is valid during the
// call. If the request is refused before that, each is called with the refusal for
// every context.
func (a *Authorizer) AuthorizeEach(ctx context.Context, q *Attested, d *Decision, each func(*Decision)) {
	a.authorizeEach(ctx, q, d, each)
}

// AuthorizeEachNow is AuthorizeEach for a caller that must not be held up. It
// returns false if it would have to wait; then each has not been called.
func (a *Authorizer) AuthorizeEachNow(q *Attested, d *Decision, each func(*Decision)) bool {
	return a.authorizeEach(impatient, q, d, each)
}

func (a *Authorizer) authorizeEach(ctx context.Context, q *Attested, d *Decision, each func(*Decision)) bool {
	i := a.inquire(ctx, d)
	err := i.parseAttested(&q.Claim)
	if err == nil {
		err = i.identify(q.MinIndex)
	}
	if err == nil {
		err = i.prove()
	}
	if err == nil && i.who.young(i.now()) && ctx == impatient {
		// A denial may have to be looked at again, and half an answer is none.
		err = errImpatient
	}
	if err == errImpatient {
		i.release()
		return false
	}
	for at := range q.Contexts {
		d.Refusal, d.Missing = nil, d.Missing[:0]
		if err == nil {
			// A caller that may not be used any more is not for the rest either.
			err = i.evaluateContext(q, &q.Contexts[at])
		}
		if err != nil {
			d.refuse(err)
		}
		d.name(i.who)
		i.tell()
		each(d)
	}
	i.release()
	return true
}

func (i *inquiry) parseAttested(claim *sigv4.Attestation) (err error) {
	if i.claim, err = i.authorizer.rules.ParseStringToSign(claim, i.now()); err != nil {
		return err
	}
	i.token = claim.Token
	return nil
}

// evaluateContext decides about one context.
func (i *inquiry) evaluateContext(q *Attested, c *protocol.Context) error {
	i.weighContext(q, c)
	again, err := i.reconsider()
	if again {
		i.weighContext(q, c)
	}
	return err
}

func (i *inquiry) weighContext(q *Attested, c *protocol.Context) {
	name, key, _ := strings.Cut(strings.TrimPrefix(c.Resource, "arn:aws:s3:::"), "/")
	owner, bucket := i.bucketOf(name, q.BucketAccount, q.BucketPolicy)
	i.describeCaller(owner)
	i.describeSignature()
	i.describeConnection(q)
	describeStated(&i.context, q.Conditions)
	describeStated(&i.context, c.Conditions)
	i.context.Leave(authz.AllFacts &^ (families(q.Conditions) | families(c.Conditions)))
	i.decision.Bucket, i.decision.Key = name, key
	i.decision.conclude(i.ask(c.Action, c.Resource, owner, bucket), c.Action, c.Resource)
}

// families returns the facts that are stated as a whole.
func families(pairs []protocol.Pair) (stated authz.Facts) {
	for _, p := range pairs {
		stated |= wholeFamily(p.Name)
	}
	return stated
}

// describeSignature sets the keys that every signed S3 request has.
func (i *inquiry) describeSignature() {
	ctx := &i.context
	ctx.Set(policy.S3AuthType, i.proof.AuthType())
	ctx.Set(policy.S3SignatureVersion, "AWS4-HMAC-SHA256")
	i.age = strconv.AppendInt(i.age[:0], i.proof.Age().Milliseconds(), 10)
	ctx.Set(policy.S3SignatureAge, borrow(i.age))
}

func (i *inquiry) describeConnection(q *Attested) {
	ctx := &i.context
	ctx.Set(policy.SecureTransport, strconv.FormatBool(q.Secure))
	if q.TLSVersion != "" {
		ctx.Set(policy.S3TLSVersion, q.TLSVersion)
	}
	if q.Remote.IsValid() {
		i.ip = q.Remote.AppendTo(i.ip[:0])
		ctx.Set(policy.SourceIP, borrow(i.ip))
	}
}

// wholeFamily returns the facts that a name stands for as a whole, such as
// s3:ExistingObjectTag/*: it says that what is not stated of them does not exist.
// It is zero for the name of a single key.
func wholeFamily(name string) authz.Facts {
	if !strings.HasSuffix(name, "*") {
		return 0
	}
	return factFamilies[name]
}

var factFamilies = func() map[string]authz.Facts {
	table := make(map[string]authz.Facts)
	for f := authz.Facts(1); f <= authz.AllFacts; f <<= 1 {
		table[f.String()] = f
	}
	return table
}()
