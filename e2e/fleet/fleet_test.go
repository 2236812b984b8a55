package fleet

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/doorward/doorward/e2e/stage"
)

// open starts a fleet whose data is removed at the end.
func open(t *testing.T) (f *stage.Fleet, dir string) {
	t.Helper()
	return openWith(t, "doorward")
}

// openWith is open for another binary of doorward, named as in the folder of binaries.
func openWith(t *testing.T, doorward string) (f *stage.Fleet, dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "fleet") // short, for the sockets in it
	if err != nil {
		t.Fatal(err)
	}
	f, err = stage.StartFleet(context.Background(), stage.Config{Doorward: binary(t, doorward), Gateway: binary(t, "versitygw"), Dir: dir})
	if err != nil {
		t.Fatalf("%v (make test-e2e builds the binaries)", err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		_ = os.RemoveAll(dir)
	})
	return f, dir
}

// binary is the path of one that make has built.
func binary(t *testing.T, name string) string {
	t.Helper()
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(bin, name)
}

func client(f *stage.Fleet, id, secret string) *s3.Client { return clientOf(f.S3, id, secret) }

func clientOf(url, id, secret string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(url), Region: "us-east-1", UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(id, secret, ""),
	})
}

// code is the error code of an answer, empty if it is none.
func code(err error) string {
	var refused smithy.APIError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &refused):
		return refused.ErrorCode()
	}
	return err.Error()
}

func TestAFleetServesWhateverComesAndGoes(t *testing.T) {
	f, _ := open(t)
	ctx := t.Context()
	doorward := func(node int, args ...string) string {
		t.Helper()
		out, err := f.Doorward(ctx, node, args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("Correct-Horse-1"), 0o600); err != nil {
		t.Fatal(err)
	}
	doorward(0, "user", "create", "alice", "--secret-key-file", secret, "--policy", "readwrite")
	alice := client(f, "alice", "Correct-Horse-1")
	if _, err := alice.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("pics")}); err != nil {
		t.Fatal(err)
	}
	put := func() string {
		_, err := alice.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("pics"), Key: aws.String("a"), Body: strings.NewReader("hello")})
		return code(err)
	}
	if got := put(); got != "" {
		t.Fatalf("put: %s", got)
	}

	// Once a change that takes away is answered, it is in effect.
	if out := doorward(1, "user", "detach", "alice", "readwrite"); !strings.Contains(out, "applied 1/1") {
		t.Errorf("detach: %s", out)
	}
	if got := put(); got != "AccessDenied" {
		t.Errorf("put without a policy: %q", got)
	}
	doorward(2, "user", "attach", "alice", "readwrite")
	if got := put(); got != "" {
		t.Errorf("put with the policy again: %s", got)
	}

	// While the leader is killed and another elected, not one request is refused.
	leader, err := f.Leader(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	stop, requests := make(chan struct{}), 0
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if got := put(); got != "" {
				t.Errorf("put during the failover: %s", got)
				return
			}
			requests++
		}
	})
	if err := f.KillNode(leader); err != nil {
		t.Fatal(err)
	}
	other := (leader + 1) % 3
	until(t, func() error {
		_, err := f.Doorward(ctx, other, "user", "create", "bob")
		return err
	})
	close(stop)
	wg.Wait()
	if requests == 0 {
		t.Error("nothing was asked during the failover")
	}
	if err := f.StartNode(ctx, leader); err != nil {
		t.Fatal(err)
	}

	// With the whole store down, the sidecar serves from memory, and after a restart
	// from what it kept.
	for node := range 3 {
		if err := f.KillNode(node); err != nil {
			t.Fatal(err)
		}
	}
	if got := put(); got != "" {
		t.Errorf("put with the store down: %s", got)
	}
	if err := f.StopSidecar(); err != nil {
		t.Fatal(err)
	}
	if err := f.StartSidecar(ctx); err != nil {
		t.Fatal(err)
	}
	if got := put(); got != "" {
		t.Errorf("put after the sidecar started without a store: %s", got)
	}
	if got := code(func() error {
		_, err := client(f, "alice", "wrong").GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("pics"), Key: aws.String("a")})
		return err
	}()); got != "SignatureDoesNotMatch" {
		t.Errorf("a wrong secret with the store down: %q", got)
	}
	for node := range 3 {
		if err := f.StartNode(ctx, node); err != nil {
			t.Fatal(err)
		}
	}
	until(t, func() error {
		_, err := f.Doorward(ctx, 0, "user", "detach", "alice", "readwrite")
		return err
	})
	until(t, func() error {
		if got := put(); got != "AccessDenied" {
			return errors.New("put after the store came back: " + got)
		}
		return nil
	})
}

// until asks again until it succeeds.
func until(t *testing.T, ask func() error) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
