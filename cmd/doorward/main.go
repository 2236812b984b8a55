// Doorward is an identity store for S3-compatible storage, and an authorizer
// beside every S3 server. This binary is all of it: the store, the authorizer and
// the commands that administer them. Here is wiring only; the commands live in
// cli, the one-machine setup in dev, the calls to a store in client.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/doorward/doorward/cmd/doorward/cli"
)

func main() { os.Exit(run()) }

// run ends commands in an orderly way at the first interrupt; the second one
// meets the default handler and kills.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return cli.Main(ctx, cli.Process{
		Args:   os.Args[1:],
		In:     os.Stdin,
		Out:    os.Stdout,
		Err:    os.Stderr,
		Getenv: os.Getenv,
	})
}
