package fleet

import (
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/doorward/doorward/e2e/plain"
	"github.com/doorward/doorward/embed"
)

// embedded runs an S3 server with the authorizer in its own process. It stops when the
// returned function is called.
func embedded(t *testing.T, config embed.Config, objects string) (url string, stop func()) {
	t.Helper()
	host, err := embed.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	server, err := plain.New(host.Authorizer(), objects)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- host.Run(ctx) }()
	until(t, host.Ready)
	listener := httptest.NewServer(server)
	return listener.URL, func() {
		listener.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	}
}

func TestAServerInGoHasItsAuthorizerInItsOwnProcess(t *testing.T) {
	f, dir := open(t)
	ctx := t.Context()
	doorward := func(args ...string) string {
		t.Helper()
		out, err := f.Doorward(ctx, 0, args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("Correct-Horse-1"), 0o600); err != nil {
		t.Fatal(err)
	}
	doorward("user", "create", "alice", "--secret-key-file", secret, "--policy", "readwrite")
	token, err := f.Token(ctx, "sidecar")
	if err != nil {
		t.Fatal(err)
	}
	config := embed.Config{Nodes: f.Peers(), Name: "my-s3", State: filepath.Join(dir, "my-s3"), Version: "test"}
	if _, err := embed.Open(ctx, config); !errors.Is(err, embed.ErrNoToken) {
		t.Errorf("without a token: %v", err)
	}
	config.Token = token
	url, stop := embedded(t, config, t.TempDir())
	alice := clientOf(url, "alice", "Correct-Horse-1")
	if _, err := alice.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("pics")}); err != nil {
		t.Fatal(err)
	}
	put := func() string {
		_, err := alice.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("pics"), Key: aws.String("a"), Body: strings.NewReader("hello")})
		return code(err)
	}
	if got := put(); got != "" {
		t.Errorf("put: %s", got)
	}
	// It is a sidecar like any other: whoever takes authority away waits for it.
	if out := doorward("user", "detach", "alice", "readwrite"); !strings.Contains(out, "applied 2/2") {
		t.Errorf("detach: %s", out)
	}
	if got := put(); got != "AccessDenied" {
		t.Errorf("put without a policy: %q", got)
	}
	if out := doorward("sidecars"); !strings.Contains(out, "my-s3") {
		t.Errorf("sidecars: %s", out)
	}
	doorward("user", "attach", "alice", "readwrite")
	until(t, func() error {
		if got := put(); got != "" {
			return errors.New(got)
		}
		return nil
	})
	stop()

	// It starts without the store, and without a token, from what it has kept.
	for node := range 3 {
		if err := f.KillNode(node); err != nil {
			t.Fatal(err)
		}
	}
	config.Token = ""
	url, stop = embedded(t, config, t.TempDir())
	defer stop()
	alice = clientOf(url, "alice", "Correct-Horse-1")
	if _, err := alice.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("pics")}); err != nil {
		t.Errorf("with the store down: %v", err)
	}
}
