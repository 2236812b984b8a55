package dev

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/doorward/doorward/api"
	"github.com/doorward/doorward/cmd/doorward/parts"
	"github.com/doorward/doorward/sidecar/metrics"
)

// startTime bounds how long a part may take until it serves, reading the log
// included.
const startTime = time.Minute

// Run starts all parts, says so, and works until ctx is done or a part fails.
func Run(ctx context.Context, config Config) (err error) {
	if err := config.complete(); err != nil {
		return err
	}
	if err := os.MkdirAll(config.Dir, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	closing := func(close func() error) { err = errors.Join(err, close()) }

	// The address and the socket are taken before anything is written: whoever finds
	// one taken has not made, shown and lost a root key pair. Nobody is answered yet.
	listener, err := net.Listen("tcp", config.Listen)
	if err != nil {
		return fmt.Errorf("%w: is another doorward running? Choose another address with --listen", err)
	}
	defer listener.Close()
	doors, err := takeDoors(config)
	if err != nil {
		return err
	}
	defer doors.Close()

	// The node runs first, for all others ask it. It stops last, so that what they
	// still have in flight is answered and on disk.
	node, err := openNode(config)
	if err != nil {
		return err
	}
	store := parts.Start("store node", node.Run)
	defer closing(store.Stop)
	key, err := bear(ctx, node, store)
	if err != nil {
		return err
	}

	// The authorizer comes before the API, and has a view before its door opens: a key
	// that the API hands out works at the S3 server at once. It stops after the API
	// for the same reason.
	decisions, err := openDecisionLog(config.DecisionLog, config.Log)
	if err != nil {
		return err
	}
	defer closing(decisions.close)
	counters := metrics.New(nil)
	authorizer, err := newAuthorizer(node, decisions, counters)
	if err != nil {
		return err
	}
	follower := parts.Start("authorizer", authorizer.Run)
	defer closing(follower.Stop)
	if err := current(ctx, authorizer, node, follower); err != nil {
		return err
	}
	doors.Frontend.Metrics = counters.Handler()
	door := doors.Open(authorizer)
	defer closing(door.Stop)
	uses := parts.Start("last uses", func(ctx context.Context) error { return reportUses(ctx, authorizer, node) })
	defer closing(uses.Stop)

	// The API comes last: when it answers, everything does. It stops first and lets
	// the requests that it has begun finish.
	server, err := parts.API(node, listener, filepath.Join(config.Dir, "audit"), api.Limits{}, nil, config.Log.With("part", "api"))
	if err != nil {
		return err
	}
	defer closing(server.Stop)

	if err := announce(config, listener.Addr(), doors.HTTP.Addr(), key); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		fmt.Fprintln(config.Err, "doorward: stopping")
	case <-store.Ended():
	case <-follower.Ended():
	case <-door.Ended():
	case <-server.Ended():
	}
	return nil
}
