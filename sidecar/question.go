package sidecar

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar/protocol"
)

// Question is what an S3 server asks that has verified the signature itself: may
// the holder of this access key do these things? Nothing of it is kept.
type Question struct {
	AccessKey iam.AccessKeyID
	Token     string // session token
	MinIndex  iam.Index
	// Conditions are what the S3 server knows of the request: the keys of namespace
	// s3, aws:SourceIp, aws:SecureTransport, aws:UserAgent, aws:Referer and the tag
	// keys. All others are the store's to say and are dropped.
	Conditions []protocol.Pair
	Region     string
}

// Verdict is the answer about one action and resource, in the two halves that an
// S3 server needs which keeps bucket policies itself.
type Verdict struct {
	Own     authz.Decision // the caller's own policies
	Limit   authz.Decision // what cuts even a bucket policy's grant, if Limited
	Limited bool
}

// Inspection is a question whose access key has been found. Ask it about actions,
// then Close it.
type Inspection struct{ i *inquiry }

// Inspect finds the access key of q, as [Authorizer.Authorize] does. The error is
// a *sigv4.Error with an S3 code.
func (a *Authorizer) Inspect(ctx context.Context, q *Question, d *Decision) (Inspection, error) {
	i := a.inquire(ctx, d)
	i.token = q.Token
	if err := i.identifyKey(q.AccessKey, q.MinIndex); err != nil {
		d.AccessKey = q.AccessKey
		i.record(err)
		return Inspection{}, d.Refusal
	}
	i.describeCaller("")
	i.context.Leave(authz.AllFacts)
	if q.Region != "" {
		i.context.Set(policy.RequestedRegion, q.Region)
	}
	describeStated(&i.context, q.Conditions)
	d.name(i.who)
	return Inspection{i}, nil
}

// identifyKey is identify for a key that comes without a signature.
func (i *inquiry) identifyKey(id iam.AccessKeyID, least iam.Index) error {
	if err := i.pin(least); err != nil {
		return err
	}
	why, err := i.find(id)
	switch {
	case err != nil:
		return err
	case why != 0:
		return refusal(why)
	}
	return nil
}

// describeStated sets the condition keys that an S3 server may state; those with
// several values come as several pairs.
func describeStated(ctx *authz.Context, pairs []protocol.Pair) {
	for at, p := range pairs {
		if !factual(p.Name) && !observed(p.Name) || wholeFamily(p.Name) != 0 {
			continue
		}
		values := valuesOf(pairs[at:], p.Name)
		if at > 0 && len(valuesOf(pairs[:at], p.Name)) > 0 {
			continue
		}
		if len(values) == 1 {
			ctx.SetStated(p.Name, p.Value)
		} else {
			ctx.SetNamedList(p.Name, values)
		}
	}
}

func valuesOf(pairs []protocol.Pair, name string) (values []string) {
	for _, p := range pairs {
		if strings.EqualFold(p.Name, name) {
			values = append(values, p.Value)
		}
	}
	return values
}

// observed reports whether a condition key is about the connection, which only the
// S3 server sees.
func observed(name string) bool {
	for _, key := range []string{"aws:SourceIp", "aws:SecureTransport", "aws:UserAgent", "aws:Referer"} {
		if strings.EqualFold(name, key) {
			return true
		}
	}
	return false
}

// Ask answers for one action and resource.
func (n Inspection) Ask(action, resource string) Verdict {
	i := n.i
	i.authorizer.uses.note(i.who, i.now())
	question := authz.Request{Principal: i.who.identity.Principal, Action: action, Resource: resource, Context: &i.context}
	var v Verdict
	v.Own, v.Limit, v.Limited = i.who.authority.split(&question)
	i.conclude(v, action, resource)
	return v
}

// conclude records the verdict as a decision. What a bucket policy may add to it
// is not known here.
func (i *inquiry) conclude(v Verdict, action, resource string) {
	d := i.decision
	d.Refusal, d.Missing = nil, d.Missing[:0]
	answer := v.Own
	if v.Limited && answer.Effect == authz.Allow {
		answer = v.Limit
	}
	d.conclude(answer, action, resource)
	i.tell()
}

// Principal returns the ARN of the caller.
func (n Inspection) Principal() iam.ARN { return n.i.who.identity.Principal.ARN }

// Close ends the inspection.
func (n Inspection) Close() { n.i.release() }

// HeldKey is a signing key for an S3 server that verifies signatures itself.
type HeldKey struct {
	Key       sigv4.DayKey
	Principal iam.ARN
	Role      iam.ARN // of a role session, the role
	Index     iam.Index
}

// ErrScope says that a signing key was asked for that no S3 request needs.
var ErrScope = errors.New("want service s3, a region, and a date within the last seven days, as YYYYMMDD in UTC")

// SigningKey returns the key of one access key for one day, region and the service
// s3. No other key ever leaves a sidecar. The error is ErrScope or a *sigv4.Error.
func (a *Authorizer) SigningKey(ctx context.Context, id iam.AccessKeyID, token string, scope sigv4.Scope, least iam.Index) (HeldKey, error) {
	if !signable(scope, a.config.Now()) {
		return HeldKey{}, ErrScope
	}
	var d Decision
	i := a.inquire(ctx, &d)
	defer i.release()
	i.token = token
	err := i.identifyKey(id, least)
	if err == nil {
		var raw sigv4.DayKey
		if raw, err = a.dayKey(ctx, i.who, scope); err == nil {
			p := i.who.identity.Principal
			return HeldKey{Key: raw, Principal: p.ARN, Role: p.RoleARN, Index: d.Index}, nil
		}
	}
	if err == errImpatient {
		return HeldKey{}, err
	}
	d.refuse(err)
	return HeldKey{}, d.Refusal
}

// dayKey returns the raw key of a caller.
func (a *Authorizer) dayKey(ctx context.Context, who *caller, scope sigv4.Scope) (sigv4.DayKey, error) {
	raw, err := a.keys.get(ctx, who.id, wireScope(scope))
	if err != nil && errors.Is(err, noSuchKey) {
		return sigv4.DayKey{}, refusal(sigv4.UnknownAccessKey)
	}
	return sigv4.DayKey(raw.Key), err
}

// signable reports whether a signature within scope can be good today: presigned
// URLs live for seven days, and a client's clock may be ahead.
func signable(scope sigv4.Scope, now time.Time) bool {
	day, err := time.Parse("20060102", scope.Date)
	if err != nil || scope.Service != sigv4.S3 || scope.Region == "" || len(scope.Region) > maxRegion {
		return false
	}
	return day.After(now.AddDate(0, 0, -9)) && day.Before(now.AddDate(0, 0, 1))
}

// maxRegion bounds the length of a region name that keys are derived for.
const maxRegion = 64

// Identity is what a sidecar says about an access key to anyone: that it exists
// and whose it is, which lets nobody in.
type Identity struct {
	Found     bool
	Session   bool
	Principal iam.ARN
}

// Identify tells whose an access key is, without any proof and so without any
// secret. The error says that the sidecar cannot tell.
func (a *Authorizer) Identify(ctx context.Context, id iam.AccessKeyID) (Identity, error) {
	var d Decision
	i := a.inquire(ctx, &d)
	defer i.release()
	if err := i.pin(0); err != nil {
		return Identity{}, err
	}
	who := i.view.callers.find(i.view.View, id)
	if who == nil {
		least, err := a.confirmer.ask(ctx)
		if err != nil {
			return Identity{}, err
		}
		if err := i.pin(least); err != nil {
			return Identity{}, err
		}
		who = i.view.callers.find(i.view.View, id)
	}
	if who == nil || who.identity.Refused(i.now()) != authz.NoFault {
		return Identity{}, nil
	}
	return Identity{Found: true, Session: who.session(), Principal: who.identity.Principal.ARN}, nil
}

// Account returns the id of the store's first account.
func (a *Authorizer) Account() (iam.AccountID, error) {
	v, err := a.replica.pin(context.Background(), 0)
	if err != nil {
		return "", err
	}
	return v.Store().Account, nil
}

// PrincipalExists reports whether a bucket policy may name principal: an account
// ("123456789012" or its root ARN), an existing user or role by its ARN, or a
// session of an existing role. The error says that the sidecar cannot tell.
func (a *Authorizer) PrincipalExists(ctx context.Context, principal string) (bool, error) {
	v, err := a.replica.pin(ctx, 0)
	if err != nil {
		return false, err
	}
	if exists(v, principal) {
		return true, nil
	}
	least, err := a.confirmer.ask(ctx)
	if err != nil {
		return false, err
	}
	if v, err = a.replica.pin(ctx, least); err != nil {
		return false, err
	}
	return exists(v, principal), nil
}

func exists(v *view, principal string) bool {
	account := v.Store().Account
	arn := iam.ARN(principal)
	if principal == string(account) || arn == account.Root() {
		return true
	}
	kind, path, ok := strings.Cut(arn.Resource(), "/")
	if !ok || arn.Account() != account {
		return false
	}
	name := path[strings.LastIndexByte(path, '/')+1:]
	switch kind {
	case "user":
		user, ok := v.User(account, name)
		return ok && user.ARN() == arn
	case "role":
		role, ok := v.Role(account, name)
		return ok && role.ARN() == arn
	case "assumed-role":
		roleName, session, _ := strings.Cut(path, "/")
		role, ok := v.Role(account, roleName)
		return ok && sessionName(session) &&
			principal == "arn:aws:sts::"+string(account)+":assumed-role/"+role.Name+"/"+session
	}
	return false
}

// sessionName reports whether s could be a RoleSessionName: [\w+=,.@-]{2,64}.
func sessionName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && strings.IndexByte("_+=,.@-", c) < 0 {
			return false
		}
	}
	return len(s) >= 2 && len(s) <= 64
}
