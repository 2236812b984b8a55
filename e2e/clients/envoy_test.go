package clients_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/doorward/doorward/sidecar"
	"github.com/doorward/doorward/sidecar/client"
	"github.com/doorward/doorward/sidecar/extauthz"
)

// envoyed stands where Envoy does, since no Envoy can be had here: it asks ext_authz
// over gRPC as Envoy documents that it does, set up as in deploy/envoy, and does what it
// is told. It shows what Doorward makes of real clients' requests, not how Envoy behaves.
// Source: the comments of attribute_context.proto and external_auth.proto, and the
// pages on ext_authz and HTTP header manipulation in Envoy's documentation.
type envoyed struct {
	authorization authv3.AuthorizationClient
	upstream      httputil.ReverseProxy
}

// patience and largestBody are timeout and max_request_bytes of deploy/envoy.
const (
	patience    = 6 * time.Second
	largestBody = 900_000
)

// startEnvoyed starts the sidecar's socket, doorward-extauthz's service on it, and what
// asks there before it sends a request on; it returns the URL of that.
func startEnvoyed(t *testing.T, behind http.Handler) string {
	t.Helper()
	server := httptest.NewServer(behind)
	t.Cleanup(server.Close)
	socket := filepath.Join(t.TempDir(), "run", "sidecar.sock")
	door, err := sidecar.Socket{Path: socket, Group: -1}.Listen()
	if err != nil {
		t.Fatal(err)
	}
	background(t, func(ctx context.Context) {
		_ = sidecar.NewServer(sidecar.DefaultServerConfig(), insideAuthorizer).Serve(ctx, door)
	})
	asked, err := client.New(client.Config{Socket: socket, Name: "envoy"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = asked.Close() })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	service := grpc.NewServer()
	authv3.RegisterAuthorizationServer(service, extauthz.New(extauthz.Config{Sidecar: asked}))
	background(t, func(ctx context.Context) {
		context.AfterFunc(ctx, service.Stop)
		_ = service.Serve(l)
	})
	connection, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	proxy := httptest.NewServer(&envoyed{
		authorization: authv3.NewAuthorizationClient(connection),
		upstream: httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.Out.URL.Scheme, r.Out.URL.Host = "http", server.Listener.Addr().String()
				r.Out.URL.RawQuery, r.Out.URL.ForceQuery = r.In.URL.RawQuery, r.In.URL.ForceQuery // not cleaned
			},
			Transport: &http.Transport{DisableCompression: true},
		},
	})
	t.Cleanup(proxy.Close)
	return proxy.URL
}

// background runs f until the test ends.
func background(t *testing.T, f func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	// Ended by the clean-up.
	go func() { defer close(done); f(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

func (e *envoyed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.RequestURI() != r.RequestURI {
		// net/http would send on another target than it was asked for.
		http.Error(w, "the stand-in for Envoy cannot pass "+strconv.Quote(r.RequestURI), http.StatusNotImplemented)
		return
	}
	question, err := e.question(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	answer, err := e.authorization.Check(ctx, question)
	switch {
	case err != nil: // failure_mode_allow: false, status_on_error
		http.Error(w, "", http.StatusServiceUnavailable)
	case answer.GetStatus().GetCode() == int32(codes.OK):
		ok := answer.GetOkResponse()
		for _, option := range ok.GetHeaders() {
			apply(r.Header, option)
		}
		for _, name := range ok.GetHeadersToRemove() {
			r.Header.Del(name)
		}
		e.upstream.ServeHTTP(w, r)
	default:
		denied := answer.GetDeniedResponse()
		for _, option := range denied.GetHeaders() {
			apply(w.Header(), option)
		}
		w.WriteHeader(cmp.Or(int(denied.GetStatus().GetCode()), http.StatusForbidden))
		if r.Method != http.MethodHead {
			_, _ = io.WriteString(w, denied.GetBody())
		}
	}
}

// question is what Envoy asks about a request that came over HTTP/1.1: a field for each
// that the client sent, raw, in small letters and not merged; those that are for the
// connection alone are gone, Host is :authority, and some are Envoy's own.
func (e *envoyed) question(r *http.Request) (*authv3.CheckRequest, error) {
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return nil, err
	}
	fields := &corev3.HeaderMap{}
	add := func(name, value string) {
		fields.Headers = append(fields.Headers, &corev3.HeaderValue{Key: name, RawValue: []byte(value)})
	}
	add(":authority", r.Host)
	add(":path", r.RequestURI)
	add(":method", r.Method)
	add(":scheme", "http")
	for name, values := range r.Header {
		switch name = strings.ToLower(name); name {
		case "connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade", "expect", "x-forwarded-for", "x-forwarded-proto", "x-request-id":
			continue
		}
		for _, value := range values {
			add(name, value)
		}
	}
	add("x-forwarded-for", strings.Join(append(r.Header.Values("X-Forwarded-For"), peer), ","))
	add("x-forwarded-proto", "http")
	add("x-request-id", "9b0c5b0e-0000-4000-8000-000000000000")
	add("x-envoy-external-address", peer)
	request := &authv3.AttributeContext_HttpRequest{
		Id: "1", Method: r.Method, Path: r.RequestURI, Host: r.Host, Scheme: "http", Size: r.ContentLength, Protocol: "HTTP/1.1", HeaderMap: fields,
	}
	if r.Method == http.MethodPost && r.URL.Query().Has("delete") { // the route with_request_body
		if request.RawBody, err = io.ReadAll(io.LimitReader(r.Body, largestBody+1)); err != nil {
			return nil, err
		}
		if len(request.RawBody) > largestBody {
			return nil, fmt.Errorf("more than %d bytes", largestBody)
		}
		r.Body = io.NopCloser(bytes.NewReader(request.RawBody))
		add("x-envoy-auth-partial-body", "false")
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
			SocketAddress: &corev3.SocketAddress{Address: peer},
		}}},
		Request: &authv3.AttributeContext_Request{Http: request},
	}}, nil
}

// apply changes a field as told.
func apply(h http.Header, option *corev3.HeaderValueOption) {
	name, value := option.GetHeader().GetKey(), option.GetHeader().GetValue()
	if option.GetAppendAction() == corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD {
		h.Set(name, value)
		return
	}
	h.Add(name, value)
}
