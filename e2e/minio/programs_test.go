package minio

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// The programs that `make minio-test` has built.
const (
	minioProgram    = "../../bin/minio"
	doorwardProgram = "../../bin/doorward"
)

// credential is what a request is signed with.
type credential struct{ id, secret, token string }

// server is a running program and the credential of its root.
type server struct {
	url  string
	root credential
	dir  string
}

// patience is how long a program may take to answer after its start.
const patience = 2 * time.Minute

// start runs a program until the test ends. What it prints is shown if the test fails.
func start(t *testing.T, env []string, program string, args ...string) {
	t.Helper()
	path, err := filepath.Abs(program)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: `make minio-test` builds it", err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s printed:\n%s", filepath.Base(program), out.String())
		}
	})
}

// eventually asks until the answer is true.
func eventually(t *testing.T, what string, ask func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ask() {
		select {
		case <-ctx.Done():
			t.Fatalf("after %v: %s", patience, what)
		case <-tick.C:
		}
	}
}

// freeAddress finds a loopback address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startMinIO starts a server with one folder for its data.
func startMinIO(t *testing.T, root credential, env ...string) *server {
	t.Helper()
	address := freeAddress(t)
	s := &server{url: "http://" + address, root: root, dir: t.TempDir()}
	env = append(env, "MINIO_ROOT_USER="+s.root.id, "MINIO_ROOT_PASSWORD="+s.root.secret,
		"MINIO_CI_CD=1", "MINIO_UPDATE=off", "MINIO_BROWSER=off")
	start(t, env, minioProgram, "server", filepath.Join(s.dir, "data"), "--address", address)
	eventually(t, "MinIO does not answer", func() bool { return answers(s.url + "/minio/health/ready") })
	return s
}

// startDoorward starts a store and an authorizer in one process.
func startDoorward(t *testing.T) *server {
	t.Helper()
	s := &server{dir: t.TempDir()}
	file := filepath.Join(s.dir, "ready.json")
	start(t, nil, doorwardProgram, "dev", "--data", filepath.Join(s.dir, "store"), "--listen", "127.0.0.1:0", "--http", freeAddress(t), "--ready-file", file)
	var ready struct{ Endpoint, AccessKeyID, SecretAccessKey string }
	eventually(t, "doorward dev is not ready", func() bool {
		text, err := os.ReadFile(file)
		return err == nil && json.Unmarshal(text, &ready) == nil
	})
	s.url, s.root = ready.Endpoint, credential{id: ready.AccessKeyID, secret: ready.SecretAccessKey}
	return s
}

func answers(url string) bool {
	response, err := http.Get(url)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// command runs the doorward program as the root of a store, and returns what it printed.
func (s *server) command(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), doorwardProgram, append([]string{"--endpoint", s.url}, args...)...)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+s.root.id, "AWS_SECRET_ACCESS_KEY="+s.root.secret)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("doorward %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// ask sends a signed request and returns the status and body of the answer.
func (s *server) ask(t *testing.T, who credential, service, method, path string, header http.Header, body []byte) (int, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256(body)
	sum := hex.EncodeToString(hash[:])
	request.Header.Set("X-Amz-Content-Sha256", sum)
	for name, values := range header {
		request.Header[name] = values
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
	key := aws.Credentials{AccessKeyID: who.id, SecretAccessKey: who.secret}
	if err := signer.SignHTTP(t.Context(), key, request, sum, service, "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, text
}
