package parts

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"

	"github.com/doorward/doorward/sidecar"
	"github.com/doorward/doorward/sidecar/frontend"
	"github.com/doorward/doorward/sidecar/versitygw"
)

// Doors are where S3 servers ask an authorizer. Listeners that are nil are closed
// doors.
type Doors struct {
	Frames  net.Listener // of sidecar/protocol, a unix socket
	Gateway net.Listener // of versitygw's protocol, a unix socket
	HTTP    net.Listener // of proxies, webhooks, health and metrics, on loopback

	Server   sidecar.ServerConfig
	Frontend frontend.Config
	Version  string
	Log      *slog.Logger
}

// Open serves all doors until the part is stopped or one of them fails; the others
// stop then too. What has been read is answered first.
func (d Doors) Open(a *sidecar.Authorizer) *Part {
	var serve []func(context.Context) error
	if d.Frames != nil {
		server := sidecar.NewServer(d.Server, a)
		serve = append(serve, func(ctx context.Context) error { return server.Serve(ctx, d.Frames) })
	}
	if d.Gateway != nil {
		// The gateway signs with its own root pair, which nobody here knows: the socket's
		// peer credentials say who may ask.
		server := d.overHTTP(versitygw.New(versitygw.Config{Version: d.Version, Logger: d.Log.With("part", "versitygw")}, a))
		server.ConnContext = sidecar.WithPeer
		serve = append(serve, func(ctx context.Context) error { return serveHTTP(ctx, server, d.Gateway) })
	}
	if d.HTTP != nil {
		server := d.overHTTP(frontend.New(d.Frontend, a))
		serve = append(serve, func(ctx context.Context) error { return serveHTTP(ctx, server, d.HTTP) })
	}
	return Start("doors", func(ctx context.Context) error { return together(ctx, serve) })
}

func (d Doors) overHTTP(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTime, ReadTimeout: readTime,
		WriteTimeout: writeTime, IdleTimeout: idleTime, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(d.Log.Handler(), slog.LevelWarn),
	}
}

// Close closes doors that were never opened.
func (d Doors) Close() error {
	var failed error
	for _, l := range []net.Listener{d.Frames, d.Gateway, d.HTTP} {
		if l != nil {
			failed = errors.Join(failed, l.Close())
		}
	}
	return failed
}

// together runs functions until the first ends, and then the others.
func together(ctx context.Context, run []func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, len(run))
	for _, one := range run {
		// Ended by cancel.
		go func() { ended <- one(ctx) }()
	}
	var failed error
	for range run {
		err := <-ended
		cancel()
		if !errors.Is(err, context.Canceled) {
			failed = errors.Join(failed, err)
		}
	}
	cancel()
	return failed
}
