package dev

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/doorward/doorward/cluster"
	"github.com/doorward/doorward/cmd/doorward/parts"
	"github.com/doorward/doorward/iam/wire"
	"github.com/doorward/doorward/sidecar"
	"github.com/doorward/doorward/sidecar/frontend"
	"github.com/doorward/doorward/sidecar/metrics"
)

// newAuthorizer returns an authorizer that follows the node in this process.
// The counters see its decisions.
func newAuthorizer(node *cluster.Node, log *decisionLog, counters *metrics.Metrics) (*sidecar.Authorizer, error) {
	settings := sidecar.DefaultConfig()
	settings.AnyRegion = true
	if log != nil {
		settings.Events.Decided = log.record
	}
	counters.Listen(&settings.Events)
	a, err := sidecar.New(settings, node.Feed())
	if err == nil {
		counters.Of(a)
	}
	return a, err
}

// current waits until the authorizer decides under a view that holds all that the
// node has.
func current(ctx context.Context, authorizer *sidecar.Authorizer, node *cluster.Node, follower *parts.Part) error {
	ctx, cancel := follower.While(ctx)
	defer cancel()
	ctx, cancelWait := context.WithTimeout(ctx, startTime)
	defer cancelWait()
	if err := authorizer.Wait(ctx, node.View().Index()); err != nil {
		return fmt.Errorf("start authorizer: %w", err)
	}
	return nil
}

// takeDoors makes the sockets where S3 servers ask.
func takeDoors(config Config) (doors parts.Doors, err error) {
	doors = parts.Doors{Server: sidecar.DefaultServerConfig(), Version: config.Version, Log: config.Log}
	doors.Server.Name = "doorward " + config.Version
	take := func(path, flag string) net.Listener {
		l, failed := sidecar.Socket{Path: path, Group: -1}.Listen()
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("%w: is another doorward running? Choose another path with %s", failed, flag))
			return nil
		}
		return l
	}
	doors.Gateway, doors.Frames = take(config.Socket, "--socket"), take(config.Frames, "--frames-socket")
	http, failed := net.Listen("tcp", config.HTTP)
	if failed != nil {
		err = errors.Join(err, fmt.Errorf("%w: is another doorward running? Choose another address with --http", failed))
	} else {
		doors.HTTP = http
	}
	if err != nil {
		return doors, errors.Join(err, doors.Close())
	}
	doors.Frontend = frontend.Config{Proxy: &frontend.Nginx, Logger: config.Log.With("part", "http")}
	return doors, nil
}

// reportEvery is how often the node is told which access keys were used.
const reportEvery = time.Minute

func reportUses(ctx context.Context, a *sidecar.Authorizer, node *cluster.Node) error {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			node.RecordUses(a.Used(wire.MaxUses))
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
