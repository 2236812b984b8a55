package versitygw

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar"
	"github.com/doorward/doorward/sidecar/internal/memstore"
)

// world is a store with a few people in it and a sidecar that follows.
type world struct {
	t       *testing.T
	store   *memstore.Store
	auth    *sidecar.Authorizer
	handler *Handler
	socket  string
}

const (
	readAll = `{"Version":"2012-10-17","Statement":[{"Sid":"Read","Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":"*"}]}`
	january = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::bucket/january/*"}]}`
	anyS3   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`
	denyAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}`
	agent   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:UserAgent":"tool","aws:PrincipalTag/team":"blue"}}}]}`
)

func newWorld(t *testing.T, config Config) *world {
	t.Helper()
	w := &world{t: t, store: memstore.New(), socket: filepath.Join(t.TempDir(), "run", "vgw.sock")}
	w.user("alice", readAll)
	w.user("bob")
	w.user("carl", readAll, denyAll)
	w.user("tess", agent)
	w.user("root2", anyS3)
	a, err := sidecar.New(sidecar.DefaultConfig(), w.store)
	if err != nil {
		t.Fatal(err)
	}
	w.auth, w.handler = a, New(config, a)
	w.background(func(ctx context.Context) error { return a.Run(ctx) })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := a.Wait(ctx, w.store.View().Index()); err != nil {
		t.Fatal(err)
	}
	return w
}

// background runs f until the test ends.
func (w *world) background(f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	// Ends with the test.
	go func() { done <- f(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, http.ErrServerClosed) {
			w.t.Error(err)
		}
	})
}

// user writes a user NAME with the key AKIANAME, whose secret is secret-NAME.
func (w *world) user(name string, documents ...string) *iam.User {
	u := &iam.User{Account: iam.FirstAccount, Name: name, Path: "/", ID: iam.UniqueID("AIDA" + strings.ToUpper(name)), Status: iam.Active}
	for i, d := range documents {
		u.Inline = append(u.Inline, iam.InlinePolicy{Name: "p" + string(rune('1'+i)), Document: d})
	}
	id := iam.AccessKeyID("AKIA" + strings.ToUpper(name))
	w.store.Secret(id, "secret-"+name)
	w.store.Write(iam.Change{User: u}, iam.Change{AccessKey: &iam.AccessKey{ID: id, Owner: u.Ref(), Status: iam.Active}})
	return u
}

func cred(name string) sigv4.Credentials {
	return sigv4.Credentials{AccessKeyID: iam.AccessKeyID("AKIA" + strings.ToUpper(name)), Secret: "secret-" + name}
}

// session writes a session of a user that ends after life.
func (w *world) session(user, id string, life time.Duration, policies ...string) sigv4.Credentials {
	u, _ := w.store.View().User(iam.FirstAccount, user)
	now := time.Now()
	s := &iam.Session{
		Key: iam.AccessKeyID(id), Kind: iam.SessionSelf, Parent: u.Ref(), ParentID: u.ID, Name: "work", Policies: policies,
		Issued: iam.At(now), Expires: iam.At(now.Add(life)),
	}
	w.store.Secret(s.Key, "secret-"+id)
	index := w.store.Write(iam.Change{Session: s})
	return sigv4.Credentials{AccessKeyID: s.Key, Secret: "secret-" + id, Token: w.store.Token(s.Key, index, s.Expires)}
}

// serve puts the handler on the socket.
func (w *world) serve() {
	w.t.Helper()
	l, err := sidecar.Socket{Path: w.socket, Group: -1}.Listen()
	if err != nil {
		w.t.Fatal(err)
	}
	server := &http.Server{Handler: w.handler, ConnContext: sidecar.WithPeer}
	w.background(func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { server.Close() })()
		return server.Serve(l)
	})
}

func sign(t *testing.T, r *http.Request, c sigv4.Credentials, service sigv4.Service, body string) {
	t.Helper()
	if err := sigv4.Sign(r, c, "us-east-1", service, sigv4.HexBody([]byte(body)), iam.At(time.Now())); err != nil {
		t.Fatal(err)
	}
}
