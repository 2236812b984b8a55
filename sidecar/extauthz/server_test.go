package extauthz

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar"
	"github.com/doorward/doorward/sidecar/client"
	"github.com/doorward/doorward/sidecar/internal/memstore"
	"github.com/doorward/doorward/sidecar/protocol"
)

const policy = `{"Version":"2012-10-17","Statement":[
	{"Effect":"Allow","Action":["s3:GetObject","s3:DeleteObject"],"Resource":"arn:aws:s3:::bucket/*"},
	{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::bucket/secret/*"},
	{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::bucket/office/*","Condition":{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}},
	{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::bucket/tls/*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`

// world is a store, a sidecar on its socket, and the service in front of it, which
// is asked over gRPC as Envoy asks.
type world struct {
	*memstore.Store
	authorizer *sidecar.Authorizer
	alice      *iam.User
	envoy      authv3.AuthorizationClient
	stop       func() // ends the sidecar
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Store: memstore.New()}
	w.alice = &iam.User{
		Account: iam.FirstAccount, Name: "alice", Path: "/", ID: "AIDAALICE", Status: iam.Active,
		Inline: []iam.InlinePolicy{{Name: "mine", Document: policy}},
	}
	w.Secret("alice", "secret-alice")
	w.Write(iam.Change{User: w.alice}, iam.Change{AccessKey: &iam.AccessKey{ID: "alice", Owner: w.alice.Ref(), Status: iam.Active}})
	var err error
	if w.authorizer, err = sidecar.New(sidecar.DefaultConfig(), w.Store); err != nil {
		t.Fatal(err)
	}
	background(t, w.authorizer.Run)
	w.caughtUp(t)
	socket := filepath.Join(t.TempDir(), "run", "sidecar.sock")
	l, err := sidecar.Socket{Path: socket, Group: -1}.Listen()
	if err != nil {
		t.Fatal(err)
	}
	w.stop = background(t, func(ctx context.Context) error {
		return sidecar.NewServer(sidecar.DefaultServerConfig(), w.authorizer).Serve(ctx, l)
	})
	w.serve(t, socket)
	return w
}

// serve starts the service and connects to it.
func (w *world) serve(t *testing.T, socket string) {
	t.Helper()
	asked, err := client.New(client.Config{Socket: socket, Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = asked.Close() })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	authv3.RegisterAuthorizationServer(server, New(Config{Sidecar: asked}))
	background(t, func(ctx context.Context) error {
		context.AfterFunc(ctx, server.Stop)
		return server.Serve(l)
	})
	connection, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	w.envoy = authv3.NewAuthorizationClient(connection)
}

// background runs f until the test ends or the returned function is called.
func background(t *testing.T, f func(context.Context) error) func() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	// Ended by stop.
	go func() { defer close(done); _ = f(ctx) }()
	stop := func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

func (w *world) caughtUp(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := w.authorizer.Wait(ctx, w.View().Index()); err != nil {
		t.Fatal(err)
	}
}

// session writes a session of alice that ends at a time.
func (w *world) session(t *testing.T, id iam.AccessKeyID, expires time.Time) sigv4.Credentials {
	s := &iam.Session{
		Key: id, Kind: iam.SessionSelf, Parent: w.alice.Ref(), ParentID: w.alice.ID, Name: "work",
		Issued: iam.At(expires.Add(-time.Hour)), Expires: iam.At(expires),
	}
	w.Secret(id, "secret-session")
	index := w.Write(iam.Change{Session: s})
	w.caughtUp(t)
	return sigv4.Credentials{AccessKeyID: id, Secret: "secret-session", Token: w.Token(id, index, s.Expires)}
}

var alice = sigv4.Credentials{AccessKeyID: "alice", Secret: "secret-alice"}

// asked is what Envoy with encode_raw_headers sends about a client's request.
func asked(t *testing.T, as sigv4.Credentials, method, target, body string) *authv3.CheckRequest {
	t.Helper()
	r, err := http.NewRequest(method, "http://s3.example"+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	payload := sigv4.UnsignedPayload
	if body != "" {
		payload = sigv4.HexBody([]byte(body))
	}
	if as.AccessKeyID != "" {
		if err := sigv4.Sign(r, as, "us-east-1", sigv4.S3, payload, iam.At(time.Now())); err != nil {
			t.Fatal(err)
		}
	}
	h := &authv3.AttributeContext_HttpRequest{
		Method: method, Path: target, Host: "s3.example", Scheme: "https", Protocol: "HTTP/1.1", RawBody: []byte(body),
		HeaderMap: &corev3.HeaderMap{Headers: []*corev3.HeaderValue{
			raw(":authority", "s3.example"), raw(":path", target), raw(":method", method), raw(":scheme", "https"),
			raw("x-forwarded-for", "10.0.0.1"), raw("x-auth-principal", "arn:aws:iam::000000000000:root"),
		}},
	}
	if body != "" {
		add(partialBody, "false")(h)
	}
	for name, values := range r.Header {
		for _, value := range values {
			add(strings.ToLower(name), value)(h)
		}
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
			SocketAddress: &corev3.SocketAddress{Address: "192.0.2.1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 999}},
		}}},
		Request: &authv3.AttributeContext_Request{Http: h},
	}}
}

func raw(name, value string) *corev3.HeaderValue {
	return &corev3.HeaderValue{Key: name, RawValue: []byte(value)}
}

type change = func(*authv3.AttributeContext_HttpRequest)

func add(name, value string) change {
	return func(h *authv3.AttributeContext_HttpRequest) {
		h.HeaderMap.Headers = append(h.HeaderMap.Headers, raw(name, value))
	}
}

// merged is how Envoy sends fields without encode_raw_headers.
func merged(h *authv3.AttributeContext_HttpRequest) {
	h.Headers = make(map[string]string)
	for _, field := range h.HeaderMap.Headers {
		h.Headers[field.Key] = string(field.RawValue)
	}
	h.HeaderMap = nil
}

func path(to string) change {
	return func(h *authv3.AttributeContext_HttpRequest) {
		h.Path = to
		for _, field := range h.HeaderMap.Headers {
			if field.Key == ":path" {
				field.RawValue = []byte(to)
			}
		}
	}
}

// check asks as Envoy does: allowed, or the status and code of the refusal.
func (w *world) check(t *testing.T, r *authv3.CheckRequest) (status int, code string, ok *authv3.OkHttpResponse) {
	t.Helper()
	answer, err := w.envoy.Check(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if answer.GetStatus().GetCode() == int32(codes.OK) {
		if answer.GetOkResponse() == nil {
			t.Fatalf("allowed with %v", answer)
		}
		return 200, "", answer.GetOkResponse()
	}
	no := answer.GetDeniedResponse()
	if no == nil {
		t.Fatalf("refused without an answer: %v", answer)
	}
	_, code, _ = strings.Cut(no.Body, "<Code>")
	code, _, _ = strings.Cut(code, "</Code>")
	return int(no.GetStatus().GetCode()), code, nil
}

func TestEnvoyAsks(t *testing.T) {
	w := newWorld(t)
	long, over := w.session(t, "ASIALONG", time.Now().Add(time.Hour)), w.session(t, "ASIAOVER", time.Now().Add(-time.Hour))
	wrong := sigv4.Credentials{AccessKeyID: "alice", Secret: "wrong"}
	nobody := sigv4.Credentials{AccessKeyID: "nobody", Secret: "wrong"}
	const two = `<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object></Delete>`
	const withSecret = `<Delete><Object><Key>a</Key></Object><Object><Key>secret/b</Key></Object></Delete>`
	tests := []struct {
		name           string
		as             sigv4.Credentials
		method, target string
		body           string
		change         change
		status         int
		code           string
	}{
		{"what is allowed passes", alice, "GET", "/bucket/a", "", nil, 200, ""},
		{"so does a session", long, "GET", "/bucket/a", "", nil, 200, ""},
		{"a hostile key is taken byte for byte", alice, "GET", "/bucket//a%2F..%2F%20b/%C3%BC+%26=x..y", "", nil, 200, ""},
		{"dots lead nowhere", alice, "GET", "/bucket/secret/../a", "", nil, 403, "AccessDenied"},
		{"a slash in disguise is a slash", alice, "GET", "/bucket/secret%2Fa", "", nil, 403, "AccessDenied"},
		{"what is not allowed is refused", alice, "PUT", "/bucket/a", "", nil, 403, "AccessDenied"},
		{"a wrong signature", wrong, "GET", "/bucket/a", "", nil, 403, "SignatureDoesNotMatch"},
		{"an unknown key", nobody, "GET", "/bucket/a", "", nil, 403, "InvalidAccessKeyId"},
		{"a session that is over", over, "GET", "/bucket/a", "", nil, 400, "ExpiredToken"},
		{"anonymous", sigv4.Credentials{}, "GET", "/bucket/a", "", nil, 403, "AccessDenied"},
		{"from the address that the policy wants", alice, "GET", "/bucket/office/a", "", nil, 200, ""},
		{"not encrypted, whatever the scheme says", alice, "GET", "/bucket/tls/a", "", nil, 403, "AccessDenied"},
		{"slashes that Envoy has merged are no longer what was signed", alice, "GET", "/bucket//a", "", path("/bucket/a"), 403, "SignatureDoesNotMatch"},
		{"nor are dots that it has resolved", alice, "GET", "/bucket/x/../a", "", path("/bucket/a"), 403, "SignatureDoesNotMatch"},
		{"header fields that were merged", alice, "GET", "/bucket/a", "", merged, 500, "InternalError"},
		{"a path that an Envoy has rewritten", alice, "GET", "/bucket/a", "", add("x-envoy-original-path", "/b"), 500, "InternalError"},
		{"two paths", alice, "GET", "/bucket/a", "", add(":path", "/bucket/b"), 500, "InternalError"},
		{"two hosts", alice, "GET", "/bucket/a", "", add("host", "s3.example"), 500, "InternalError"},
		{"no path", alice, "GET", "/bucket/a", "", path("*"), 500, "InternalError"},
		{"no method", alice, "GET", "/bucket/a", "", func(h *authv3.AttributeContext_HttpRequest) { h.Method = "" }, 500, "InternalError"},
		{"a field whose bytes are not raw", alice, "GET", "/bucket/a", "", func(h *authv3.AttributeContext_HttpRequest) { h.HeaderMap.Headers[4].Value = "x" }, 500, "InternalError"},
		{"several objects, all allowed", alice, "POST", "/bucket?delete", two, nil, 200, ""},
		{"several objects, one of them denied", alice, "POST", "/bucket?delete", withSecret, nil, 403, "AccessDenied"},
		{"several objects in a body that is cut off", alice, "POST", "/bucket?delete", two, add(partialBody, "true"), 403, "AccessDenied"},
		{"several objects in a body that is too short", alice, "POST", "/bucket?delete", two, add("content-length", "1000"), 403, "AccessDenied"},
		{"several objects and no body", alice, "POST", "/bucket?delete", "", nil, 403, "AccessDenied"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := asked(t, tt.as, tt.method, tt.target, tt.body)
			if tt.change != nil {
				tt.change(r.Attributes.Request.Http)
			}
			if status, code, _ := w.check(t, r); status != tt.status || code != tt.code {
				t.Errorf("got %d %q, want %d %q", status, code, tt.status, tt.code)
			}
		})
	}
}

func TestTheConnectionIsEnvoysWord(t *testing.T) {
	w := newWorld(t)
	r := asked(t, alice, "GET", "/bucket/tls/a", "")
	r.Attributes.TlsSession = &authv3.AttributeContext_TLSSession{}
	if status, code, _ := w.check(t, r); status != 200 {
		t.Errorf("with a TLS session: %d %s", status, code)
	}
	r = asked(t, alice, "GET", "/bucket/office/a", "")
	r.Attributes.Source.Address.GetSocketAddress().Address = "198.51.100.1"
	if status, code, _ := w.check(t, r); status != 403 || code != "AccessDenied" {
		t.Errorf("from another address: %d %s", status, code)
	}
	r.Attributes.Source = nil
	if status, code, _ := w.check(t, r); status != 500 || code != "InternalError" {
		t.Errorf("from no address: %d %s", status, code)
	}
	if status, code, _ := w.check(t, &authv3.CheckRequest{}); status != 500 || code != "InternalError" {
		t.Errorf("about nothing: %d %s", status, code)
	}
}

// TestIdentityIsSetOrRemoved: Envoy removes after it has set, so no field may be in
// both lists, and none in neither.
func TestIdentityIsSetOrRemoved(t *testing.T) {
	w := newWorld(t)
	_, _, ok := w.check(t, asked(t, alice, "GET", "/bucket/a", ""))
	want := map[string]string{
		"x-auth-principal": "arn:aws:iam::000000000000:user/alice", "x-auth-account": "000000000000", "x-auth-user": "alice",
	}
	for _, option := range ok.Headers {
		name := option.Header.Key
		if option.Header.Value != want[name] || option.AppendAction != corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD {
			t.Errorf("%s: got %v, want %q", name, option, want[name])
		}
		if slices.Contains(ok.HeadersToRemove, name) {
			t.Errorf("%s is set and removed", name)
		}
		delete(want, name)
	}
	if len(want) != 0 || len(ok.HeadersToRemove) != 0 {
		t.Errorf("not set: %v; removed: %v", want, ok.HeadersToRemove)
	}
	anonymous := allowed(&protocol.Answer{Decision: protocol.Allow}).GetOkResponse()
	if want := []string{"x-auth-principal", "x-auth-account", "x-auth-user"}; len(anonymous.Headers) != 0 || !slices.Equal(anonymous.HeadersToRemove, want) {
		t.Errorf("of an anonymous client: set %v, removed %v, want %v removed", anonymous.Headers, anonymous.HeadersToRemove, want)
	}
}

func TestWithoutASidecarTheClientIsToldToTryAgain(t *testing.T) {
	w := newWorld(t)
	w.stop()
	if status, code, _ := w.check(t, asked(t, alice, "GET", "/bucket/a", "")); status != 503 || code != "ServiceUnavailable" {
		t.Errorf("got %d %s", status, code)
	}
}

// FuzzQuestion: whatever Envoy's message says, either it is refused or the question
// is about exactly its method and path.
func FuzzQuestion(f *testing.F) {
	seed := &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
			SocketAddress: &corev3.SocketAddress{Address: "192.0.2.1"},
		}}},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: "POST", Path: "/b?delete", Host: "h", RawBody: []byte("x"),
			HeaderMap: &corev3.HeaderMap{Headers: []*corev3.HeaderValue{raw(":path", "/b?delete"), raw(partialBody, "false"), raw("a", "b")}},
		}},
	}
	bytes, err := proto.Marshal(seed)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bytes)
	f.Fuzz(func(t *testing.T, bytes []byte) {
		var a authv3.AttributeContext
		if proto.Unmarshal(bytes, &a) != nil {
			return
		}
		q, refusal := question(&a)
		if (q == nil) == (refusal == nil) {
			t.Fatalf("question %v, refusal %v", q, refusal)
		}
		if q == nil {
			return
		}
		h := a.GetRequest().GetHttp()
		if q.Method != h.Method || q.Target != h.Path || q.Target[0] != '/' {
			t.Fatalf("asked about %s %s, not %s %s", q.Method, q.Target, h.Method, h.Path)
		}
		for _, field := range q.Headers[1:] {
			if name := strings.ToLower(field.Name); name == "host" || name[0] == ':' || rewritten[name] || name == partialBody {
				t.Fatalf("field %s in the question", field.Name)
			}
		}
	})
}
