package extauthz

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/sidecar/protocol"
)

// partialBody is how the filter says whether the body that it sends is cut off. It
// is no part of the client's request.
const partialBody = "x-envoy-auth-partial-body"

// rewritten are the fields in which an Envoy, this or one before it, keeps what it
// replaced. A request with one of them is not what the client sent.
var rewritten = map[string]bool{
	"x-envoy-original-path": true, "x-envoy-original-host": true, "x-envoy-original-url": true, "x-envoy-original-method": true,
}

// question makes the question for the sidecar out of Envoy's.
func question(a *authv3.AttributeContext) (*protocol.Check, *sigv4.Error) {
	h := a.GetRequest().GetHttp()
	q := &protocol.Check{Method: h.GetMethod(), Target: h.GetPath()}
	if q.Method == "" || !strings.HasPrefix(q.Target, "/") {
		return nil, setupError("want attributes.request.http with a method and a path that begins with a slash")
	}
	address, err := netip.ParseAddr(a.GetSource().GetAddress().GetSocketAddress().GetAddress())
	if err != nil {
		return nil, setupError("want the client's IP address in attributes.source")
	}
	q.Remote = address.String()
	// The scheme is a pseudo header, which the client may choose; the session is
	// Envoy's own word. Without include_tls_session there is none, and the request
	// counts as unencrypted.
	if a.GetTlsSession() != nil {
		q.TLS = protocol.TLSUnknown
	}
	partial, refusal := headers(q, h)
	if refusal != nil {
		return nil, refusal
	}
	body(q, h, partial)
	return q, nil
}

// headers copies the header fields, and returns the values of partialBody.
func headers(q *protocol.Check, h *authv3.AttributeContext_HttpRequest) (partial []string, _ *sigv4.Error) {
	if len(h.GetHeaders()) != 0 || len(h.GetHeaderMap().GetHeaders()) == 0 {
		return nil, setupError("header fields come merged; set encode_raw_headers to true")
	}
	pseudo := map[string]string{":method": h.GetMethod(), ":path": h.GetPath(), ":authority": h.GetHost(), ":scheme": h.GetScheme()}
	q.Headers = append(make([]protocol.Pair, 0, len(h.HeaderMap.Headers)+1), protocol.Pair{Name: "Host", Value: h.GetHost()})
	for _, field := range h.HeaderMap.Headers {
		name, refusal := fieldName(field)
		if refusal != nil {
			return nil, refusal
		}
		value := string(field.RawValue)
		switch want, isPseudo := pseudo[name]; {
		case isPseudo && value != want:
			return nil, setupError("the header " + name + " is not what the attributes say")
		case isPseudo:
		case strings.HasPrefix(name, ":"), name == "host": // Envoy has made it :authority
			return nil, setupError("the header " + name + " is not known here")
		case rewritten[name]:
			return nil, setupError("the header " + name + " tells that the request was rewritten")
		case name == partialBody:
			partial = append(partial, value)
		default:
			q.Headers = append(q.Headers, protocol.Pair{Name: name, Value: value})
		}
	}
	return partial, nil
}

// fieldName returns the name of a raw header field, in small letters.
func fieldName(field *corev3.HeaderValue) (string, *sigv4.Error) {
	if field.GetKey() == "" || field.GetValue() != "" {
		return "", setupError("want header fields with a key and a raw_value; set encode_raw_headers to true")
	}
	return strings.ToLower(field.Key), nil
}

// body passes on a body that Envoy was told to send, for the requests that name
// objects in it. One that may be cut off or framed is left out; the sidecar then
// refuses what cannot be decided without.
func body(q *protocol.Check, h *authv3.AttributeContext_HttpRequest, partial []string) {
	if len(h.GetRawBody()) == 0 || len(partial) != 1 || partial[0] != "false" {
		return
	}
	for _, field := range q.Headers {
		switch {
		case field.Name == "content-length" && field.Value != strconv.Itoa(len(h.RawBody)):
			return
		case field.Name == "x-amz-content-sha256" && strings.HasPrefix(field.Value, "STREAMING-"):
			return
		}
	}
	q.Body, q.HasBody = string(h.RawBody), true
}

// setupError is a mistake in Envoy's configuration.
func setupError(text string) *sigv4.Error {
	return &sigv4.Error{Code: sigv4.InternalError, Status: http.StatusInternalServerError, Message: "Envoy is not set up: " + text + "."}
}
