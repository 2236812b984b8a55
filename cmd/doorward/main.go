// Command doorward is all of Doorward in one binary: the store, the authorizer
// beside every S3 server, and the commands that administer them.
//
// Here is wiring only. The commands live in cli, a store node in server, the
// one-machine setup in dev, what those two share in parts, settings in config, and
// the calls to a store in client.
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
