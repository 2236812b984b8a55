// Command doorward-extauthz answers Envoy's ext_authz filter from the sidecar on
// this host.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"

	"github.com/doorward/doorward/sidecar"
	"github.com/doorward/doorward/sidecar/client"
	"github.com/doorward/doorward/sidecar/extauthz"
)

// maxMessage bounds a question: headers, and a body as large as deploy/envoy lets
// Envoy send. Bytes.
const maxMessage = 2 << 20

// patience is how long the last answers may take at the end.
const patience = 10 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "doorward-extauthz:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("doorward-extauthz", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8476", "where Envoy asks: a loopback `ADDRESS`, or unix:PATH")
	users := flags.String("uids", "", "numbers of the users that may connect to unix:PATH, separated by commas (default: this process's and root)")
	socket := flags.String("socket", client.DefaultSocket, "`PATH` of the sidecar's socket")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 0 {
		return fmt.Errorf("argument %q is not known; see --help", flags.Arg(0))
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	asked, err := client.New(client.Config{Socket: *socket, Name: "envoy"})
	if err != nil {
		return err
	}
	defer asked.Close()
	l, err := door(*listen, *users)
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage))
	authv3.RegisterAuthorizationServer(server, extauthz.New(extauthz.Config{Sidecar: asked, Logger: log}))
	log.Info("answering Envoy", "address", l.Addr().String(), "socket", *socket)
	return serve(ctx, server, l)
}

// door opens the listener. What Envoy says is believed, so it is not for the network.
func door(listen, users string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(listen, "unix:"); ok {
		socket := sidecar.Socket{Path: path, Group: -1}
		for _, text := range strings.FieldsFunc(users, func(r rune) bool { return r == ',' }) {
			id, err := strconv.Atoi(text)
			if err != nil {
				return nil, fmt.Errorf("--uids: %q is no number", text)
			}
			socket.Users = append(socket.Users, id)
		}
		return socket.Listen()
	}
	if users != "" {
		return nil, errors.New("--uids needs --listen unix:PATH; whoever is on this host can connect to a port")
	}
	address, err := netip.ParseAddrPort(listen)
	if err != nil || !address.Addr().IsLoopback() {
		return nil, fmt.Errorf("--listen %s: want a loopback address with a port, such as 127.0.0.1:8476, or unix:PATH", listen)
	}
	return net.Listen("tcp", listen)
}

// serve answers until ctx ends, and what has been asked by then.
func serve(ctx context.Context, server *grpc.Server, l net.Listener) error {
	ended := make(chan error, 1)
	// Ended by Stop.
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	late := time.AfterFunc(patience, server.Stop)
	defer late.Stop()
	server.GracefulStop()
	return <-ended
}
