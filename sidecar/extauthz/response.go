package extauthz

import (
	"net/http"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/sidecar/protocol"
)

// allowed lets the request pass and tells the S3 server whose it is. Each of these
// fields is either set, in the place of whatever the client sent, or removed. None
// is both: Envoy removes after it has set.
func allowed(a *protocol.Answer) *authv3.CheckResponse {
	ok := &authv3.OkHttpResponse{}
	for _, field := range []protocol.Pair{
		{Name: "x-auth-principal", Value: a.Principal}, {Name: "x-auth-account", Value: a.Account}, {Name: "x-auth-user", Value: a.User},
	} {
		if field.Value == "" {
			ok.HeadersToRemove = append(ok.HeadersToRemove, field.Name)
		} else {
			ok.Headers = append(ok.Headers, set(field.Name, field.Value))
		}
	}
	return &authv3.CheckResponse{
		Status:       &status.Status{Code: int32(codes.OK)},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: ok},
	}
}

// denied answers in the request's place, with the S3 error document.
func denied(e *sigv4.Error, target string) *authv3.CheckResponse {
	code := typev3.StatusCode(e.Status)
	if _, known := typev3.StatusCode_name[int32(code)]; !known || code < http.StatusBadRequest {
		code = typev3.StatusCode_Forbidden
	}
	path, _, _ := strings.Cut(target, "?")
	refusal := &authv3.DeniedHttpResponse{
		Status: &typev3.HttpStatus{Code: code},
		Headers: []*corev3.HeaderValueOption{
			set("content-type", "application/xml"), set("x-doorward-code", string(e.Code)),
		},
		Body: strings.ToValidUTF8(string(e.AppendS3(nil, path, "", "")), "\uFFFD"),
	}
	if code == typev3.StatusCode_ServiceUnavailable {
		refusal.Headers = append(refusal.Headers, set("retry-after", "1"))
	}
	return &authv3.CheckResponse{
		Status:       &status.Status{Code: int32(codes.PermissionDenied)},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: refusal},
	}
}

func set(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: name, Value: value},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}
