package frontend

import (
	"log/slog"
	"net/http"

	"github.com/doorward/doorward/sidecar"
)

// Config says which doors there are.
type Config struct {
	// Proxy is the kind of proxy that asks at /auth; nil closes that door.
	Proxy *Proxy
	// MinIOToken is what MinIO's webhook must send in Authorization
	// (MINIO_POLICY_PLUGIN_AUTH_TOKEN); empty closes /minio/authz.
	MinIOToken string
	// Ready says why the sidecar is not fit to be asked, for /readyz; nil asks whether
	// it would decide.
	Ready func() error
	// Metrics serves /metrics; nil: 404.
	Metrics http.Handler
	// Logger gets what could not be answered; nil discards.
	Logger *slog.Logger
}

// New returns the handler of all doors that config opens, and of /livez and /readyz.
func New(config Config, a *sidecar.Authorizer) http.Handler {
	if config.Ready == nil {
		config.Ready = func() error { return a.Status().Err }
	}
	if config.Metrics == nil {
		config.Metrics = http.NotFoundHandler()
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	d := &doors{config: config, authorizer: a}
	return http.HandlerFunc(d.serve)
}

type doors struct {
	config     Config
	authorizer *sidecar.Authorizer
}

// serve chooses by the exact path: nothing is cleaned or redirected.
func (d *doors) serve(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/auth" && d.config.Proxy != nil:
		d.forward(w, r)
	case r.URL.Path == "/minio/authz" && d.config.MinIOToken != "":
		d.minio(w, r)
	case r.URL.Path == "/livez":
		w.WriteHeader(http.StatusOK)
	case r.URL.Path == "/readyz":
		d.ready(w)
	case r.URL.Path == "/metrics":
		d.config.Metrics.ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}

// ready is 200 while the sidecar is fit to be asked.
func (d *doors) ready(w http.ResponseWriter) {
	if err := d.config.Ready(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusOK)
}
