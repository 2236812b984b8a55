package frontend

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar"
	"github.com/doorward/doorward/sidecar/internal/memstore"
)

const readAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket","s3:ListAllMyBuckets"],"Resource":"*"}]}`

// newAuthorizer follows a store in which alice may read.
func newAuthorizer(t *testing.T) (*sidecar.Authorizer, *memstore.Store) {
	t.Helper()
	store := memstore.New()
	alice := &iam.User{
		Account: iam.FirstAccount, Name: "alice", Path: "/", ID: "AIDAALICE", Status: iam.Active,
		Inline: []iam.InlinePolicy{{Name: "read", Document: readAll}},
	}
	store.Secret("alice", "secret-alice")
	index := store.Write(iam.Change{User: alice}, iam.Change{AccessKey: &iam.AccessKey{ID: "alice", Owner: alice.Ref(), Status: iam.Active}})
	a, err := sidecar.New(sidecar.DefaultConfig(), store)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	// Ends with the test.
	go func() { defer close(done); _ = a.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	wait, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	if err := a.Wait(wait, index); err != nil {
		t.Fatal(err)
	}
	return a, store
}

func handler(t *testing.T, config Config) (http.Handler, *memstore.Store) {
	t.Helper()
	a, store := newAuthorizer(t)
	return New(config, a), store
}

// asked is what nginx sends about a request of alice.
func asked(t *testing.T, secret, method, target string, change ...func(*http.Request)) *http.Request {
	t.Helper()
	client, err := http.NewRequest(method, "http://s3.example"+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	if secret != "" {
		c := sigv4.Credentials{AccessKeyID: "alice", Secret: secret}
		if err := sigv4.Sign(client, c, "us-east-1", sigv4.S3, sigv4.UnsignedPayload, iam.At(time.Now())); err != nil {
			t.Fatal(err)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/auth", nil)
	r.Host, r.Header = "s3.example", client.Header
	r.Header.Set("X-Original-Method", method)
	r.Header.Set("X-Original-URI", target)
	r.Header.Set("X-Real-IP", "192.0.2.1")
	r.Header.Set("X-Original-Scheme", "http")
	for _, c := range change {
		c(r)
	}
	return r
}

func TestForwardAuth(t *testing.T) {
	h, store := handler(t, Config{Proxy: &Nginx})
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	twice := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Add(name, value) }
	}
	drop := func(name string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Del(name) }
	}
	tests := []struct {
		name           string
		secret         string
		method, target string
		change         []func(*http.Request)
		status         int
		code           string
	}{
		{"what is allowed passes", "secret-alice", "GET", "/bucket/a%20b%2Fc", nil, 200, ""},
		{"what is not allowed is refused", "secret-alice", "PUT", "/bucket/a", nil, 403, "AccessDenied"},
		{"a wrong secret", "wrong", "GET", "/bucket/a", nil, 403, "SignatureDoesNotMatch"},
		{"anonymous, with an identity in the header", "", "GET", "/bucket/a", []func(*http.Request){set("X-Auth-Principal", "arn:aws:iam::000000000000:root")}, 403, "AccessDenied"},
		{"another target than the signed one", "secret-alice", "GET", "/bucket/a", []func(*http.Request){set("X-Original-URI", "/bucket/b")}, 403, "SignatureDoesNotMatch"},
		{"another method than the signed one", "secret-alice", "GET", "/bucket/a", []func(*http.Request){set("X-Original-Method", "HEAD")}, 403, "SignatureDoesNotMatch"},
		{"two targets", "secret-alice", "GET", "/bucket/a", []func(*http.Request){twice("X-Original-URI", "/bucket/b")}, 500, "InternalError"},
		{"no target", "secret-alice", "GET", "/bucket/a", []func(*http.Request){drop("X-Original-URI")}, 500, "InternalError"},
		{"no method", "secret-alice", "GET", "/bucket/a", []func(*http.Request){drop("X-Original-Method")}, 500, "InternalError"},
		{"no address", "secret-alice", "GET", "/bucket/a", []func(*http.Request){drop("X-Real-IP")}, 500, "InternalError"},
		{"several objects named in a body", "secret-alice", "POST", "/bucket?delete", nil, 403, "AccessDenied"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, asked(t, tt.secret, tt.method, tt.target, tt.change...))
			if w.Code != tt.status || w.Header().Get("X-Doorward-Code") != tt.code {
				t.Errorf("got %d %s, want %d %s\n%s", w.Code, w.Header().Get("X-Doorward-Code"), tt.status, tt.code, w.Body)
			}
			if who := w.Header().Get("X-Auth-Principal"); (tt.status == 200) != (who != "") {
				t.Errorf("principal %q", who)
			}
			if tt.status != 200 && !strings.Contains(w.Body.String(), "<Code>"+tt.code+"</Code>") {
				t.Errorf("no S3 error document: %s", w.Body)
			}
		})
	}
	store.Stop()
	w := httptest.NewRecorder()
	r := asked(t, "secret-alice", "GET", "/bucket/a")
	r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "alice", "nobody", 1))
	if h.ServeHTTP(w, r); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("an unknown key with the store away: %d %s", w.Code, w.Body)
	}
}

func TestMinIOWebhook(t *testing.T) {
	h, store := handler(t, Config{MinIOToken: "Bearer secret"})
	ask := func(token, body string) (int, string) {
		r := httptest.NewRequest(http.MethodPost, "/minio/authz", strings.NewReader(body))
		r.Header.Set("Authorization", token)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	const yes, no = `{"result":true}`, `{"result":false}`
	tests := []struct {
		name, token, body string
		status            int
		want              string
	}{
		{"what is allowed", "Bearer secret", `{"input":{"account":"alice","action":"s3:GetObject","bucket":"b","object":"k","conditions":{"SourceIp":["192.0.2.1"]}}}`, 200, yes},
		{"a list of buckets", "Bearer secret", `{"input":{"account":"alice","action":"s3:ListAllMyBuckets"}}`, 200, yes},
		{"a session of alice", "Bearer secret", `{"input":{"account":"TEMPORARY","action":"s3:GetObject","bucket":"b","object":"k","claims":{"parent":"custom:alice"}}}`, 200, yes},
		{"a session that MinIO has issued to alice", "Bearer secret", `{"input":{"account":"TEMPORARY","action":"s3:GetObject","bucket":"b","object":"k","claims":{"parent":"alice"}}}`, 200, yes},
		{"a session of alice with a policy of its own", "Bearer secret", `{"input":{"account":"TEMPORARY","action":"s3:GetObject","bucket":"b","object":"k","claims":{"parent":"alice","sessionPolicy":"e30="}}}`, 403, no},
		{"a session of nobody", "Bearer secret", `{"input":{"account":"alice","action":"s3:GetObject","bucket":"b","object":"k","claims":{"parent":"nobody"}}}`, 403, no},
		{"what is not allowed", "Bearer secret", `{"input":{"account":"alice","action":"s3:PutObject","bucket":"b","object":"k"}}`, 200, no},
		{"what is merely not denied", "Bearer secret", `{"input":{"account":"alice","action":"s3:PutObject","bucket":"b","object":"k","denyOnly":true}}`, 200, no},
		{"MinIO's owner", "Bearer secret", `{"input":{"account":"minioroot","owner":true,"action":"s3:GetObject","bucket":"b","object":"k"}}`, 403, no},
		{"an administrative action", "Bearer secret", `{"input":{"account":"alice","action":"admin:ServerInfo"}}`, 200, no},
		{"the probe", "Bearer secret", "", 200, no},
		{"nonsense", "Bearer secret", "{", 400, no},
		{"a wrong token", "Bearer wrong", `{"input":{"account":"alice","action":"s3:GetObject","bucket":"b","object":"k"}}`, 403, no},
		{"no token", "", `{"input":{"account":"alice","action":"s3:GetObject","bucket":"b","object":"k"}}`, 403, no},
	}
	for _, tt := range tests {
		if status, body := ask(tt.token, tt.body); status != tt.status || body != tt.want {
			t.Errorf("%s: got %d %s, want %d %s", tt.name, status, body, tt.status, tt.want)
		}
	}
	store.Stop()
	if status, body := ask("Bearer secret", `{"input":{"account":"nobody","action":"s3:GetObject","bucket":"b","object":"k"}}`); status != 503 || body != no {
		t.Errorf("with the store away: %d %s", status, body)
	}
}

func TestDoorsThatAreNotOpenAreNotThere(t *testing.T) {
	h, _ := handler(t, Config{Proxy: &Caddy})
	for path, want := range map[string]int{"/minio/authz": 404, "/auth/": 404, "//auth": 404, "/": 404, "/readyz": 200} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "http://x/", nil)
		r.URL.Path = path
		if h.ServeHTTP(w, r); w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}
