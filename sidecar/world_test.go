package sidecar

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar/internal/memstore"
	"github.com/doorward/doorward/sidecar/protocol"
)

// world is a store, a sidecar that follows it, and a clock that the test owns.
type world struct {
	t     testing.TB
	store *memstore.Store
	auth  *Authorizer
	stop  func()

	mu   sync.Mutex
	time time.Time
}

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	w := &world{t: t, store: memstore.New(), time: noon}
	w.auth = w.sidecar(change...)
	return w
}

// sidecar starts one more sidecar of the store and waits until it is ready.
func (w *world) sidecar(change ...func(*Config)) *Authorizer {
	w.t.Helper()
	config := DefaultConfig()
	config.Now = w.now
	config.ConfirmGap, config.Prove = time.Millisecond, 50*time.Millisecond
	config.Callers = 1 << 12
	for _, c := range change {
		c(&config)
	}
	a, err := New(config, w.store)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	// Ends with the test.
	go func() { defer close(done); _ = a.Run(ctx) }()
	w.t.Cleanup(func() { cancel(); <-done })
	w.caughtUp(a)
	return a
}

// caughtUp waits until a has everything that is written.
func (w *world) caughtUp(a *Authorizer) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := a.Wait(ctx, w.store.View().Index()); err != nil {
		w.t.Fatalf("sidecar did not catch up: %v", err)
	}
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.time
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.time = w.time.Add(d)
}

// long ago, so that a key is not young.
const longAgo = -1000 * time.Hour

func document(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

const (
	readAll  = `{"Sid":"Read","Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":"*"}`
	writeAll = `{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}`
	noSecret = `{"Sid":"NoSecret","Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::bucket/secret/*"}`
)

// user writes a user whose name is also the secret of key, with inline policies.
func (w *world) user(name string, documents ...string) *iam.User {
	u := &iam.User{Account: iam.FirstAccount, Name: name, Path: "/", ID: iam.UniqueID("AIDA" + strings.ToUpper(name)), Status: iam.Active}
	for i, d := range documents {
		u.Inline = append(u.Inline, iam.InlinePolicy{Name: "p" + string(rune('1'+i)), Document: d})
	}
	w.store.Write(iam.Change{User: u})
	return u
}

func keyOf(owner iam.Ref, id string) *iam.AccessKey {
	return &iam.AccessKey{ID: iam.AccessKeyID(id), Owner: owner, Status: iam.Active, Created: iam.At(noon.Add(longAgo))}
}

// key writes a key whose secret is its id in small letters.
func (w *world) key(owner iam.Ref, id string) iam.Index {
	w.store.Secret(iam.AccessKeyID(id), strings.ToLower(id))
	return w.store.Write(iam.Change{AccessKey: keyOf(owner, id)})
}

// session writes a session of a user and returns its credentials.
func (w *world) session(of *iam.User, id string, change ...func(*iam.Session)) sigv4.Credentials {
	s := &iam.Session{
		Key: iam.AccessKeyID(id), Kind: iam.SessionSelf, Parent: of.Ref(), ParentID: of.ID, Name: "work",
		Issued: iam.At(noon.Add(longAgo)), Expires: iam.At(noon.Add(time.Hour)),
	}
	for _, c := range change {
		c(s)
	}
	w.store.Secret(s.Key, strings.ToLower(id))
	index := w.store.Write(iam.Change{Session: s})
	return sigv4.Credentials{AccessKeyID: s.Key, Secret: strings.ToLower(id), Token: w.store.Token(s.Key, index, s.Expires)}
}

func cred(id string) sigv4.Credentials {
	return sigv4.Credentials{AccessKeyID: iam.AccessKeyID(id), Secret: strings.ToLower(id)}
}

// signed makes the request that a client would send.
func (w *world) signed(c sigv4.Credentials, method, target string) *Request {
	w.t.Helper()
	r, err := http.NewRequest(method, "http://s3.example"+target, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if c.AccessKeyID != "" {
		if err := sigv4.Sign(r, c, "us-east-1", sigv4.S3, sigv4.UnsignedPayload, iam.At(w.now())); err != nil {
			w.t.Fatal(err)
		}
	}
	q := &Request{Method: method, Target: target, Remote: netip.MustParseAddr("192.0.2.1")}
	for _, h := range sigv4.FromHTTP(r, nil).Headers {
		q.Headers = append(q.Headers, protocol.Pair(h))
	}
	return q
}

// ask signs and asks in one.
func (w *world) ask(a *Authorizer, c sigv4.Credentials, method, target string) Decision {
	w.t.Helper()
	var d Decision
	a.Authorize(context.Background(), w.signed(c, method, target), &d)
	return d
}

func (w *world) want(d Decision, code iam.Code) {
	w.t.Helper()
	if d.Code() != code || d.Allowed() != (code == "") {
		w.t.Errorf("got %v %s (%s), want %q; %+v", d.Effect, d.Code(), d.Message(), code, d.Reason)
	}
}

func hmacSHA256(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
