package parts

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/doorward/doorward/api"
	"github.com/doorward/doorward/api/audit"
	"github.com/doorward/doorward/cluster"
	"github.com/doorward/doorward/iam"
)

// The limits of an HTTP connection. The API's requests are small and its answers
// come within api.Config's timeout.
const (
	headerTime = 10 * time.Second
	readTime   = 30 * time.Second
	writeTime  = 60 * time.Second
	idleTime   = 2 * time.Minute
	drainTime  = 5 * time.Second // for requests in flight once the node stops
)

// API serves the API of a node on listener until it is stopped, and keeps the record
// of its calls in the directory records. Directory proves users of LDAP; nil: none.
func API(node *cluster.Node, listener net.Listener, records string, limits api.Limits, directory api.Directory, log *slog.Logger) (*Part, error) {
	calls, err := audit.Open(records, node.ID())
	if err != nil {
		return nil, err
	}
	counted, err := newMetrics(node)
	if err != nil {
		return nil, errors.Join(err, calls.Close())
	}
	handler, err := api.New(api.Config{
		Store: node, Secrets: node, Tokens: node, Log: log, Sidecars: follows{node}, Cluster: members{node}, Audit: calls, Limits: limits, Directory: directory,
		Observe: counted.observe, Metrics: counted.handler(),
		Ready: func() error { return errors.Join(ready(node), calls.Err()) },
	})
	if err != nil {
		return nil, errors.Join(err, calls.Close())
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       readTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       idleTime,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	return Start("api", func(ctx context.Context) error {
		return errors.Join(serveHTTP(ctx, server, listener), calls.Close())
	}), nil
}

// follows tells the API of a node's sidecars.
type follows struct{ node *cluster.Node }

func (f follows) Sidecars(ctx context.Context) api.Sidecars {
	return f.tell(f.node.Sidecars(ctx))
}

func (f follows) Fence(ctx context.Context, index iam.Index, limit time.Duration) api.Sidecars {
	return f.tell(f.node.Fence(ctx, index, limit))
}

func (f follows) tell(all cluster.Sidecars) api.Sidecars {
	told := api.Sidecars{Silent: all.Silent}
	limit := f.node.MaxStaleness()
	for _, s := range all.Followers {
		told.Sidecars = append(told.Sidecars, api.Sidecar{
			Name: s.Name, Version: s.Version, Address: s.Address, Index: s.Index, Staleness: s.Staleness, Rate: s.Rate,
			Connected: s.Left.IsZero(), Serves: s.Serves, Until: s.Proved.Add(limit),
		})
	}
	return told
}

// ready says why a node does not serve, nil if it does.
func ready(node *cluster.Node) error {
	if node.View().Store().ClusterID == "" {
		return errors.New("the store is not initialised")
	}
	if trouble := node.Trouble(); trouble != "" {
		return errors.New(trouble)
	}
	return nil
}
