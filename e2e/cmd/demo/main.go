// Command demo plays the story of package story against a Doorward in dev mode
// and a stock versitygw, and ends non-zero if a step does not end as told.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/doorward/doorward/e2e/stage"
	"github.com/doorward/doorward/e2e/story"
)

func main() {
	doorward := flag.String("doorward", "bin/doorward", "the doorward `binary`")
	gateway := flag.String("versitygw", "bin/versitygw", "the versitygw `binary`")
	keep := flag.Bool("keep", false, "leave both running afterwards and print lines to go on with")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *doorward, *gateway, *keep); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, doorward, gateway string, keep bool) (err error) {
	dir, err := os.MkdirTemp("", "doorward-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := stage.Start(ctx, stage.Config{Doorward: doorward, Gateway: gateway, Dir: dir})
	if err != nil {
		return err
	}
	defer func() {
		if stopped := s.Close(); err == nil {
			err = stopped
		}
	}()

	fmt.Printf("Doorward answers IAM and STS at %s.\nversitygw serves S3 at %s and asks Doorward on every request.\n\n", s.Endpoint, s.S3)
	if err := story.Play(ctx, s, os.Stdout); err != nil {
		return err
	}
	fmt.Println("\nEvery step ended as told.")
	if !keep {
		fmt.Println("`make demo KEEP=1` leaves both running, to go on by hand.")
		return nil
	}
	goOn(s, doorward)
	<-ctx.Done()
	return nil
}

// goOn prints lines that can be pasted into a shell as they are.
func goOn(s *stage.Stage, doorward string) {
	binary, err := filepath.Abs(doorward)
	if err != nil {
		binary = doorward
	}
	fmt.Printf(`
Both keep running until Ctrl-C. Paste this into another shell to go on:

export AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s AWS_DEFAULT_REGION=us-east-1
export DOORWARD_ENDPOINT=%s
alias doorward=%s
doorward user create bob --generate --policy readonly
doorward user list
aws --endpoint-url %s iam list-users
aws --endpoint-url %s s3 ls s3://reports --recursive
tail -f %s
`, s.AccessKey, s.SecretKey, s.Endpoint, binary, s.Endpoint, s.S3, s.Decisions)
}
