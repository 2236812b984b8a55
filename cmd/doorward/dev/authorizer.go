package dev

import (
	"context"
	"fmt"
	"net"

	"github.com/doorward/doorward/cluster"
	"github.com/doorward/doorward/cmd/doorward/parts"
	"github.com/doorward/doorward/sidecar"
	"github.com/doorward/doorward/sidecar/versitygw"
)

// newAuthorizer returns an authorizer that follows the node in this process.
func newAuthorizer(node *cluster.Node, log *decisionLog) (*sidecar.Authorizer, error) {
	settings := sidecar.DefaultConfig()
	settings.AnyRegion = true
	if log != nil {
		settings.Events.Decided = log.record
	}
	return sidecar.New(settings, node.Feed())
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

// gatewayDoor serves versitygw's private protocol on the socket. The gateway signs
// with its own root pair, which nobody here knows: the socket's peer credentials
// say who may ask.
func gatewayDoor(authorizer *sidecar.Authorizer, socket net.Listener, config Config) *parts.Part {
	handler := versitygw.New(versitygw.Config{
		Version: config.Version,
		Logger:  config.Log.With("part", "versitygw"),
	}, authorizer)
	return parts.Start("versitygw door", func(ctx context.Context) error {
		return versitygw.Serve(ctx, socket, handler)
	})
}
