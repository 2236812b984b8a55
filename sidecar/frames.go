package sidecar

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar/protocol"
)

// frameWork is one request frame on its way to its answer: which items are done,
// and their answers. It is used again for the next frame.
type frameWork struct {
	authorizer *Authorizer
	header     protocol.Header
	brief      bool
	body       string
	left       protocol.Items
	began      protocol.Items // where the item under way begins
	out        []byte
	items      int

	check    protocol.Check
	verify   protocol.Verify
	key      protocol.KeyRequest
	chunk    protocol.Chunk
	request  Request
	attested Attested
	decision Decision
	reply    protocol.Answer
	hex      [64]byte
	each     func(*Decision)
	err      error
}

func (w *frameWork) begin(c *serverConn, h protocol.Header, body string) {
	w.authorizer, w.header, w.body = c.server.authorizer, h, body
	w.brief = c.brief && h.Flags&protocol.Brief != 0
	w.left = protocol.ReadItems(body, h.Items)
	w.out, w.items, w.err = w.out[:0], 0, nil
	if w.each == nil {
		w.each = w.append
	}
}

// clone returns work that goes on where w stands and shares no memory with it.
func (w *frameWork) clone() *frameWork {
	done := len(w.body) - w.began.Unread()
	body := strings.Clone(w.body[done:])
	return &frameWork{
		authorizer: w.authorizer, header: w.header, brief: w.brief, body: body,
		left: protocol.ReadItems(body, uint16(w.began.Left())), out: bytes.Clone(w.out), items: w.items,
	}
}

// answer answers items until all are done, or until one would have to wait if ctx
// is impatient: then it returns false and clone goes on with that item. An error
// means that the frame is not what it should be.
func (w *frameWork) answer(ctx context.Context) (bool, error) {
	if w.each == nil {
		w.each = w.append
	}
	for {
		w.began = w.left
		more, done, err := w.next(ctx)
		switch {
		case err != nil:
			return false, err
		case w.err != nil:
			return false, w.err
		case !more:
			return true, nil
		case !done:
			return false, nil
		}
	}
}

// next answers one item. more is false if there is none; done is false if it would
// have to wait.
func (w *frameWork) next(ctx context.Context) (more, done bool, err error) {
	switch w.header.Type {
	case protocol.TypeCheck:
		if more, err = w.left.NextCheck(&w.check); !more || err != nil {
			return more, false, err
		}
		return true, w.answerCheck(ctx), nil
	case protocol.TypeVerify:
		if more, err = w.left.NextVerify(&w.verify); !more || err != nil {
			return more, false, err
		}
		return true, w.answerVerify(ctx), nil
	case protocol.TypeSigningKey:
		if more, err = w.left.NextKey(&w.key); !more || err != nil {
			return more, false, err
		}
		return true, w.answerKey(ctx), nil
	}
	if more, err = w.left.NextChunk(&w.chunk); !more || err != nil {
		return more, false, err
	}
	return true, w.answerChunk(ctx), nil
}

func (w *frameWork) answerCheck(ctx context.Context) bool {
	c, q := &w.check, &w.request
	*q = Request{
		Method: c.Method, Target: c.Target, Headers: c.Headers, Remote: addressOf(c.Remote),
		Secure: c.TLS != protocol.Plain, TLSVersion: versionOf(c.TLS), MinIndex: iam.Index(c.MinIndex),
		Body: view8(c.Body), HasBody: c.HasBody,
		BucketAccount: iam.AccountID(c.BucketAccount), BucketPolicy: c.BucketPolicy, Facts: c.Facts,
	}
	if c.HasBodySum {
		q.BodyHash = sigv4.KnownBody(c.BodySum)
	}
	if c.Each {
		if w.header.Items != 1 {
			w.err = fmt.Errorf("%w: a check for each object has to be alone in its frame", protocol.ErrMalformed)
			return true
		}
		return w.authorizer.authorizeObjects(ctx, q, &w.decision, w.each)
	}
	if !w.authorizer.authorize(ctx, q, &w.decision) {
		return false
	}
	w.append(&w.decision)
	return true
}

func (w *frameWork) answerVerify(ctx context.Context) bool {
	v, q := &w.verify, &w.attested
	hex.Encode(w.hex[:], v.Signature[:])
	*q = Attested{
		Claim: sigv4.Attestation{
			AccessKeyID: iam.AccessKeyID(v.AccessKey), Token: v.Token, StringToSign: v.StringToSign,
			Signature: borrow(w.hex[:]), Presigned: v.Presigned, Expires: int64(v.Expires), Payload: v.Payload,
		},
		MinIndex: iam.Index(v.MinIndex), Remote: addressOf(v.Remote),
		Secure: v.TLS != protocol.Plain, TLSVersion: versionOf(v.TLS),
		Conditions: v.Conditions, BucketAccount: iam.AccountID(v.BucketAccount), BucketPolicy: v.BucketPolicy,
		Contexts: v.Contexts,
	}
	if w.items+len(v.Contexts) > protocol.MaxItems {
		w.err = protocol.ErrTooLarge
		return true
	}
	return w.authorizer.authorizeEach(ctx, q, &w.decision, w.each)
}

func (w *frameWork) answerKey(ctx context.Context) bool {
	k := &w.key
	scope := sigv4.Scope{Date: k.Scope.Date, Region: k.Scope.Region, Service: sigv4.Service(k.Scope.Service)}
	held, err := w.authorizer.SigningKey(ctx, iam.AccessKeyID(k.AccessKey), k.Token, scope, iam.Index(k.MinIndex))
	if err == errImpatient {
		return false
	}
	answer := protocol.KeyAnswer{Status: 200, Index: uint64(held.Index), Key: held.Key, Principal: string(held.Principal), Role: string(held.Role)}
	if err != nil {
		e := clientError(err)
		answer = protocol.KeyAnswer{Status: uint16(e.Status), Code: string(e.Code), Message: e.Message}
	}
	w.out, w.err = answer.Append(w.out)
	w.items++
	return true
}

func (w *frameWork) answerChunk(ctx context.Context) bool {
	err := w.authorizer.checkChunk(ctx, &w.chunk)
	if err == errImpatient {
		return false
	}
	answer := protocol.ChunkAnswer{Status: 200}
	if err != nil {
		e := clientError(err)
		answer = protocol.ChunkAnswer{Status: uint16(e.Status), Code: string(e.Code), Message: e.Message}
	}
	w.out, w.err = answer.Append(w.out)
	w.items++
	return true
}

// clientError is what an error means to the S3 server's client.
func clientError(err error) *sigv4.Error {
	if e, ok := err.(*sigv4.Error); ok {
		return e
	}
	if err == ErrScope {
		return &sigv4.Error{Code: sigv4.InvalidArgument, Status: 400, Message: err.Error()}
	}
	return unavailable(err)
}

// checkChunk proves one link of a chunk signature chain.
func (a *Authorizer) checkChunk(ctx context.Context, c *protocol.Chunk) error {
	scope := sigv4.Scope{Date: c.Scope.Date, Region: c.Scope.Region, Service: sigv4.Service(c.Scope.Service)}
	signedAt, err := time.Parse("20060102T150405Z", c.Date)
	if err != nil || !strings.HasPrefix(c.Date, scope.Date) || !signable(scope, a.config.Now()) {
		return ErrScope
	}
	var d Decision
	i := a.inquire(ctx, &d)
	defer i.release()
	i.token = c.Token
	if err := i.identifyKey(iam.AccessKeyID(c.AccessKey), 0); err != nil {
		return err
	}
	key, err := a.signingKey(ctx, i.who, scope)
	if err != nil {
		return err
	}
	chain, err := sigv4.ResumeChain(key, iam.At(signedAt), hex.EncodeToString(c.Previous[:]))
	if err != nil {
		return err
	}
	if c.Kind == protocol.ChunkTrailer {
		return chain.Trailer(c.Sum, hex.EncodeToString(c.Signature[:]))
	}
	return chain.Chunk(c.Sum, hex.EncodeToString(c.Signature[:]))
}

// append writes a decision as the next answer.
func (w *frameWork) append(d *Decision) {
	if w.err != nil {
		return
	}
	a := &w.reply
	*a = protocol.Answer{
		Status: uint16(d.Status()), Index: uint64(d.Index),
		Staleness: uint32(min(d.Staleness.Milliseconds(), 1<<32-1)), Code: string(d.Code()),
	}
	switch d.Effect {
	case authz.Allow:
		a.Decision = protocol.Allow
	case authz.Need:
		a.Decision = protocol.Need
	default:
		a.Decision = protocol.Deny
	}
	a.Each = d.Each
	if d.POSIX != nil {
		a.HasPOSIX, a.UID, a.GID = true, d.POSIX.UID, d.POSIX.GID
	}
	if !w.brief {
		a.Message, a.Principal, a.Account = clip(d.Message()), string(d.Principal), string(d.Account)
		a.User, a.AccessKey, a.Session = d.Name, string(d.AccessKey), d.Session
		a.Action, a.Resource = d.Action, clip(d.Resource)
		a.Policy, a.Statement = clip(d.Reason.Policy), clip(d.Statement())
	}
	if d.Effect == authz.Need {
		a.Needs = strings.Join(d.Missing, ",")
	}
	w.out, w.err = a.Append(w.out, w.brief && d.Effect != authz.Need)
	w.items++
}

// clip bounds a text of an answer, whose length has two bytes on the wire.
func clip(s string) string { return s[:min(len(s), 1<<15)] }

// addressOf reads an IP address with or without a port: 192.0.2.1, 192.0.2.1:80,
// 2001:db8::1, [2001:db8::1]:80. Anything else is no address.
func addressOf(s string) netip.Addr {
	if colon := strings.IndexByte(s, ':'); strings.HasPrefix(s, "[") || colon > 0 && colon == strings.LastIndexByte(s, ':') {
		a, _ := netip.ParseAddrPort(s)
		return a.Addr()
	}
	a, _ := netip.ParseAddr(s)
	return a
}

func versionOf(t protocol.TLS) string {
	switch t {
	case protocol.TLS12:
		return "1.2"
	case protocol.TLS13:
		return "1.3"
	}
	return ""
}
