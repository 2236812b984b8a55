// Package doors asks an authorizer through Envoy's ext_authz service, to be put beside
// the doors that need no gRPC. Start with [AskEnvoy].
package doors

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/doorward/doorward/cmd/doorward/bench"
	"github.com/doorward/doorward/cmd/doorward/bench/workload"
	"github.com/doorward/doorward/sidecar/client"
	"github.com/doorward/doorward/sidecar/extauthz"
)

// AskEnvoy serves ext_authz on loopback, which asks the sidecar at a socket, and
// returns the door that asks as Envoy does.
func AskEnvoy(socket string, requests []workload.Request, workers int) (door bench.Door, end func() error, err error) {
	to, err := client.New(client.Config{Socket: socket, Name: "bench"})
	if err != nil {
		return door, nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return door, nil, err
	}
	server := grpc.NewServer()
	authv3.RegisterAuthorizationServer(server, extauthz.New(extauthz.Config{Sidecar: to}))
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }() // ends with server.Stop
	connection, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		server.Stop()
		return door, nil, errors.Join(err, <-served)
	}
	end = func() error {
		err := connection.Close()
		server.Stop()
		return errors.Join(err, <-served, to.Close())
	}
	asked := make([]*authv3.CheckRequest, len(requests))
	for i := range requests {
		asked[i] = question(&requests[i])
	}
	envoy := authv3.NewAuthorizationClient(connection)
	return bench.Door{Name: "ext_authz", Workers: workers, Each: 1, Ask: func(_ int, n uint64) error {
		at := n % uint64(len(requests))
		answer, err := envoy.Check(context.Background(), asked[at])
		if err != nil {
			return err
		}
		refused := answer.GetDeniedResponse() != nil
		if refused != (requests[at].Code != "") || refused && !strings.Contains(answer.GetDeniedResponse().GetBody(), "<Code>"+string(requests[at].Code)+"</Code>") {
			return fmt.Errorf("%s %s is %v, want %q", requests[at].Check.Method, requests[at].Check.Target, answer, requests[at].Code)
		}
		return nil
	}}, end, nil
}

// question is what Envoy with encode_raw_headers sends about a request.
func question(q *workload.Request) *authv3.CheckRequest {
	h := &authv3.AttributeContext_HttpRequest{
		Method: q.Check.Method, Path: q.Check.Target, Scheme: "https", Protocol: "HTTP/1.1",
		HeaderMap: &corev3.HeaderMap{Headers: []*corev3.HeaderValue{
			raw(":path", q.Check.Target), raw(":method", q.Check.Method), raw(":scheme", "https"),
		}},
	}
	for _, field := range q.Check.Headers {
		name := strings.ToLower(field.Name)
		if name == "host" {
			h.Host, name = field.Value, ":authority"
		}
		h.HeaderMap.Headers = append(h.HeaderMap.Headers, raw(name, field.Value))
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
			Address: q.Check.Remote, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 40_000},
		}}}},
		Request: &authv3.AttributeContext_Request{Http: h},
	}}
}

func raw(name, value string) *corev3.HeaderValue {
	return &corev3.HeaderValue{Key: name, RawValue: []byte(value)}
}
