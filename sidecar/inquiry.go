package sidecar

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/head"
	"github.com/doorward/doorward/authz/s3"
	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
)

// inquiry is one decision in the making, and the memory it works in. Inquiries are
// pooled, so that deciding allocates nothing; between uses they hold nothing that
// anyone looks at.
type inquiry struct {
	authorizer *Authorizer
	ctx        context.Context // of the question, for what it may have to wait for
	request    *Request
	decision   *Decision
	began      time.Time // the one reading of the clock

	signed sigv4.Request
	claim  sigv4.Credential
	token  string
	view   *view
	who    *caller // nil: anonymous
	proof  sigv4.Verified
	form   *sigv4.Form // of a browser form
	mapped s3.Request
	result s3.Result

	fields   []head.Field // of the headers
	text     []byte       // of the token
	context  authz.Context
	question authz.Request
	need     *s3.Need      // that the context is about, nil if it is about none
	owner    iam.AccountID // of the bucket
	tags     []authz.Tag
	age, ip  []byte
}

var inquiries = sync.Pool{New: func() any { return new(inquiry) }}

func (a *Authorizer) inquire(ctx context.Context, d *Decision) *inquiry {
	i := inquiries.Get().(*inquiry)
	d.reset()
	i.authorizer, i.ctx, i.decision, i.began = a, ctx, d, a.config.Now()
	i.request, i.view, i.who, i.form, i.token = nil, nil, nil, nil, ""
	i.claim, i.proof = sigv4.Credential{}, sigv4.Verified{}
	return i
}

func (i *inquiry) now() iam.Time { return iam.At(i.began) }

// parse reads what the request claims about who signed it.
func (i *inquiry) parse(q *Request) (err error) {
	i.request = q
	i.fields = head.Read(i.fields[:0], q.Headers)
	i.signed = sigv4.Request{Method: q.Method, Target: q.Target, Headers: q.Headers, Fields: i.fields, Body: q.BodyHash}
	if i.claim, err = i.authorizer.rules.Parse(&i.signed, i.now()); err != nil {
		return err
	}
	if i.claim.Kind() == sigv4.PostForm {
		if err := i.parseForm(); err != nil {
			return err
		}
	}
	i.text = i.claim.AppendToken(i.text[:0])
	i.token = borrow(i.text)
	return nil
}

// parseForm reads a browser form, which holds the credential and the key. Form and
// mapping see the same fields.
func (i *inquiry) parseForm() (err error) {
	if !i.request.HasBody {
		return errNoForm
	}
	if i.form, err = sigv4.ReadForm(&i.signed, bytes.NewReader(i.request.Body)); err != nil {
		return err
	}
	if err := i.name(); err != nil {
		return err
	}
	i.claim, err = i.authorizer.rules.ParseForm(&i.signed, i.form, i.result.Bucket, i.now())
	return err
}

// errNoForm says that a request is a form whose body was not given.
var errNoForm = errors.New("the body of the form is needed")

// name finds out which operation the request is and what it needs.
func (i *inquiry) name() error {
	q := i.request
	i.mapped = s3.Request{
		Method: q.Method, Target: q.Target, Headers: q.Headers, Fields: i.fields,
		Secure: q.Secure, TLSVersion: q.TLSVersion, RemoteAddr: q.Remote, Now: i.now(),
		HasBody: q.HasBody, Body: q.Body,
		Signature: s3.Signature{AuthType: i.proof.AuthType(), Age: i.proof.Age().Milliseconds()},
	}
	if i.form != nil {
		i.mapped.Form = i.form.Form
	}
	switch i.proof.Algorithm() {
	case sigv4.HMACSHA256:
		i.mapped.Signature.Version = "AWS4-HMAC-SHA256"
	case sigv4.ECDSAP256:
		i.mapped.Signature.Version = "AWS4-ECDSA-P256-SHA256"
	}
	return i.authorizer.mapper.Map(&i.mapped, &i.result)
}

// evaluate decides by the caller's policies, and looks again if the caller is so
// new that the view may not have all of it.
func (i *inquiry) evaluate() error {
	i.weigh()
	again, err := i.reconsider()
	if again {
		i.weigh()
	}
	return err
}

// weigh asks the caller's authority about each thing that the request needs. All
// must be allowed; the first that is not decides.
func (i *inquiry) weigh() {
	d, r := i.decision, &i.result
	d.Bucket, d.Key = r.Bucket, r.Key
	if len(r.Needs) == 0 {
		d.unnamed(r)
		return
	}
	i.weighAll(r.Needs)
}

func (i *inquiry) weighAll(needs []s3.Need) {
	d := i.decision
	owner, policy := i.bucketOf(i.result.Bucket, i.request.BucketAccount, i.request.BucketPolicy)
	for at := range needs {
		n := &needs[at]
		i.describe(n, owner)
		answer := i.ask(n.Action.Name(), n.Resource, owner, policy)
		if n.If != s3.Certain && answer.Effect == authz.Deny {
			answer = authz.Decision{Effect: authz.Need, Statement: -1, Missing: provided(n.If)}
		}
		if at > 0 && answer.Effect == authz.Allow {
			continue
		}
		d.conclude(answer, n.Action.Name(), n.Resource)
		if answer.Effect != authz.Allow {
			return
		}
	}
}

// lists reports whether the request names objects that are decided about one by one.
func (i *inquiry) lists() bool { return i.result.Evaluation == s3.Each && len(i.result.Needs) > 0 }

// evaluateEach is evaluate and record for each object of a list.
func (i *inquiry) evaluateEach(each func(*Decision)) bool {
	defer i.release()
	if i.ctx == impatient && i.who != nil && i.who.young(i.now()) {
		return false // a denial may have to be looked at again, and half an answer is none
	}
	d := i.decision
	var err error // once the caller may not be used any more, that holds for the rest
	for left := i.result.Needs; len(left) > 0; {
		n := 1
		for n < len(left) && left[n].Group == left[0].Group {
			n++
		}
		d.Each, d.Refusal, d.Missing = true, nil, d.Missing[:0]
		d.Bucket, d.Key = left[0].Bucket, left[0].Key
		if err == nil {
			err = i.evaluateAll(left[:n])
		}
		if err != nil {
			d.refuse(err)
		}
		d.name(i.who)
		i.tell()
		each(d)
		left = left[n:]
	}
	return true
}

func (i *inquiry) evaluateAll(needs []s3.Need) error {
	i.weighAll(needs)
	again, err := i.reconsider()
	if again {
		i.weighAll(needs)
	}
	return err
}

// ask puts one question, under the context that is in place, to the caller's
// authority.
func (i *inquiry) ask(action, resource string, owner iam.AccountID, bucket *authz.BucketPolicy) authz.Decision {
	i.question = authz.Request{Action: action, Resource: resource, ResourceAccount: owner, Context: &i.context}
	if i.who == nil {
		return nobody.decide(&i.question, bucket)
	}
	i.authorizer.uses.note(i.who, i.now())
	i.question.Principal = i.who.identity.Principal
	return i.who.authority.decide(&i.question, bucket)
}

// bucketOf returns the owner and the policy of a bucket: what the S3 server says,
// else what the store has.
func (i *inquiry) bucketOf(name string, owner iam.AccountID, document string) (iam.AccountID, *authz.BucketPolicy) {
	if record, ok := i.view.Bucket(name); ok {
		if owner == "" {
			owner = record.Account
		}
		if document == "" {
			document = record.Policy
		}
	}
	if document == "" {
		return owner, nil
	}
	return owner, i.view.callers.compile.bucket(document)
}

// record notes the decision for whoever listens, and ends the inquiry. It returns
// false if there is none, because it would have to be waited for.
func (i *inquiry) record(err error) bool {
	if err == errImpatient {
		i.release()
		return false
	}
	switch {
	case err == errNoForm:
		i.decision.Effect = authz.Need
		i.decision.Missing = append(i.decision.Missing, "body:"+s3.FormBody.String())
	case err != nil:
		i.decision.refuse(err)
	}
	i.decision.name(i.who)
	i.tell()
	i.release()
	return true
}

func (i *inquiry) tell() {
	if listen := i.authorizer.config.Events.Decided; listen != nil {
		i.decision.Took = i.authorizer.config.Now().Sub(i.began)
		listen(i.decision)
	}
}

func (i *inquiry) release() {
	i.request, i.decision, i.ctx, i.view, i.who, i.form, i.need = nil, nil, nil, nil, nil, nil, nil
	inquiries.Put(i)
}

// provided is the fact behind a proviso.
func provided(p s3.Proviso) authz.Facts {
	if p == s3.IfBodyTagged {
		return authz.RequestTags
	}
	return authz.ExistingObjectTags
}
