package extauthz

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar/client"
	"github.com/doorward/doorward/sidecar/protocol"
)

// Config says whom to ask.
type Config struct {
	// Sidecar is asked about every request. It must not be Brief, or the S3 server
	// learns no names.
	Sidecar *client.Client
	// Logger gets what could not be answered; nil discards.
	Logger *slog.Logger
}

// Server is the service. It is safe for use by many goroutines.
type Server struct {
	authv3.UnimplementedAuthorizationServer
	sidecar *client.Client
	log     *slog.Logger
}

// New returns the service of config.
func New(config Config) *Server {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{sidecar: config.Sidecar, log: config.Logger}
}

// Check answers about one request. It never returns an error: what goes wrong is a
// refusal that the client can read, and no matter of Envoy's failure_mode_allow.
func (s *Server) Check(ctx context.Context, r *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	q, refusal := question(r.GetAttributes())
	if refusal != nil {
		s.log.Warn("refused without asking", "reason", refusal.Message)
		return denied(refusal, r.GetAttributes().GetRequest().GetHttp().GetPath()), nil
	}
	answer, err := s.sidecar.Check(ctx, q)
	switch {
	case errors.Is(err, protocol.ErrTooLarge):
		return denied(&sigv4.Error{Code: "RequestHeaderSectionTooLarge", Status: http.StatusBadRequest, Message: "The request is larger than can be authorized."}, q.Target), nil
	case err != nil:
		s.log.Error("no answer from the sidecar", "error", err)
		return denied(&sigv4.Error{Code: iam.ServiceUnavailable, Status: http.StatusServiceUnavailable, Message: "The request cannot be authorized at the moment. Try again."}, q.Target), nil
	case answer.Decision == protocol.Allow:
		return allowed(&answer), nil
	case answer.Decision == protocol.Need:
		return denied(&sigv4.Error{Code: iam.AccessDenied, Status: http.StatusForbidden, Message: "The decision turns on what a proxy does not see: " + answer.Needs + "."}, q.Target), nil
	}
	return denied(&sigv4.Error{Code: iam.Code(answer.Code), Status: int(answer.Status), Message: answer.Message}, q.Target), nil
}
