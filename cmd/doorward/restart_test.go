package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/cmd/doorward/bench/process"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar/client"
	"github.com/doorward/doorward/sidecar/protocol"
)

// TestNobodyIsRefusedWhileASidecarWhoseSocketsAreHeldStartsAnew holds the sockets as
// systemd does, has S3 servers, a gateway and proxies ask without a pause, and ends and
// starts the sidecar five times.
func TestNobodyIsRefusedWhileASidecarWhoseSocketsAreHeldStartsAnew(t *testing.T) {
	t.Parallel()
	peer, root := startStore(t)
	sockets := holdSockets(t)
	sidecar := sockets.start(t, peer)

	server, err := client.New(client.Config{Socket: sockets.path(0), Name: "test", Connections: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	question := signedQuestion(t, root)
	gateway, proxy := sockets.client(1), sockets.client(2)
	ask := []func() error{
		func() error { return allowed(server, &question) },
		func() error {
			return answered(gateway.Post("http://gateway/private/version", "application/json", strings.NewReader(`{}`)))
		},
		func() error { return answered(proxy.Get("http://proxy/livez")) },
	}
	for err = errors.New("not asked"); err != nil && t.Context().Err() == nil; err = allowed(server, &question) {
		time.Sleep(time.Millisecond)
	}
	ctx, stop := context.WithCancel(t.Context())
	var askers sync.WaitGroup
	asked := make([]atomic.Int64, len(ask))
	for door := range ask {
		for range 4 {
			askers.Go(func() {
				for ctx.Err() == nil {
					if err := ask[door](); err != nil {
						t.Errorf("%s, after %d answers: %v", socketNames[door], asked[door].Load(), err)
						return
					}
					asked[door].Add(1)
				}
			})
		}
	}
	// underLoad waits until every door has answered as often again.
	underLoad := func() {
		for door := range asked {
			for before := asked[door].Load(); asked[door].Load() < before+200 && !t.Failed(); {
				time.Sleep(time.Millisecond)
			}
		}
	}
	for range 5 {
		underLoad()
		terminate(t, sidecar)
		sidecar = sockets.start(t, peer)
	}
	underLoad()
	stop()
	askers.Wait()
	terminate(t, sidecar)
	t.Logf("answers: %d over frames, %d to gateways, %d over HTTP", asked[0].Load(), asked[1].Load(), asked[2].Load())
}

// socketNames are the doors in the order of their descriptors.
var socketNames = []string{"sidecar", "versitygw", "http"}

// heldSockets are sockets that outlive the sidecar.
type heldSockets struct {
	dir   string
	files []*os.File
	http  string
}

func holdSockets(t *testing.T) *heldSockets {
	t.Helper()
	h := &heldSockets{dir: t.TempDir()}
	for door, name := range socketNames {
		network, address := "unix", h.path(door)
		if name == "http" {
			network, address = "tcp", "127.0.0.1:0"
		}
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		file, err := l.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { file.Close() })
		h.files = append(h.files, file)
		h.http = l.Addr().String()
	}
	return h
}

func (h *heldSockets) path(door int) string { return filepath.Join(h.dir, socketNames[door]+".sock") }

// client asks at a door of HTTP.
func (h *heldSockets) client(door int) *http.Client {
	network, address := "unix", h.path(door)
	if socketNames[door] == "http" {
		network, address = "tcp", h.http
	}
	return &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 8,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}}
}

// start starts a sidecar that is given the sockets.
func (h *heldSockets) start(t *testing.T, peer string) *exec.Cmd {
	t.Helper()
	sidecar := exec.Command("sh", "-c", `LISTEN_PID=$$ exec doorward sidecar "$@"`, "sh",
		"--nodes", peer, "--plain", "--state", filepath.Join(h.dir, "state"))
	sidecar.Env = append(os.Environ(), "LISTEN_FDS=3", "LISTEN_FDNAMES="+strings.Join(socketNames, ":"))
	sidecar.ExtraFiles, sidecar.Stderr = h.files, &strings.Builder{}
	if err := sidecar.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if sidecar.ProcessState == nil {
			sidecar.Process.Kill()
			sidecar.Wait()
		}
		if t.Failed() {
			t.Logf("sidecar: %v", sidecar.Stderr)
		}
	})
	return sidecar
}

// terminate ends a sidecar as systemd does, and returns when it has ended.
func terminate(t *testing.T, sidecar *exec.Cmd) {
	t.Helper()
	if err := sidecar.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := sidecar.Wait(); err != nil {
		t.Fatalf("the sidecar ended with %v", err)
	}
}

// startStore starts a store of one node and returns where sidecars reach it, and its
// root key pair.
func startStore(t *testing.T) (peer string, root sigv4.Credentials) {
	t.Helper()
	api, err := process.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	if peer, err = process.FreeAddress(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	flags := []string{"--data", filepath.Join(dir, "data"), "--root-key-file", filepath.Join(dir, "root.key"), "--listen", api, "--peer-plain", "--peer-listen", peer}
	made, err := exec.Command("doorward", append([]string{"init", "--output", "json"}, flags...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var key struct {
		ID     string `json:"access_key_id"`
		Secret string `json:"secret_access_key"`
	}
	if err := json.Unmarshal(made, &key); err != nil {
		t.Fatal(err)
	}
	// Ended by the clean-up, when the test's context is done already.
	store, err := process.Start(context.Background(), filepath.Join(dir, "store.log"), nil, "doorward", append([]string{"server"}, flags...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Stop() })
	return peer, sigv4.Credentials{AccessKeyID: iam.AccessKeyID(key.ID), Secret: key.Secret}
}

// signedQuestion is about a request that the store's root has signed.
func signedQuestion(t *testing.T, root sigv4.Credentials) protocol.Check {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://s3.test/bucket/key", nil)
	if err == nil {
		err = sigv4.Sign(r, root, "us-east-1", sigv4.S3, "UNSIGNED-PAYLOAD", iam.At(time.Now()))
	}
	if err != nil {
		t.Fatal(err)
	}
	r.RequestURI, r.RemoteAddr = r.URL.RequestURI(), "192.0.2.1:1"
	return client.FromHTTP(r)
}

func allowed(server *client.Client, question *protocol.Check) error {
	answer, err := server.Check(context.Background(), question)
	if err == nil && answer.Decision != protocol.Allow {
		err = fmt.Errorf("%d %s %s", answer.Status, answer.Code, answer.Message)
	}
	return err
}

func answered(answer *http.Response, err error) error {
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = errors.New(answer.Status)
	}
	return errors.Join(err, answer.Body.Close())
}
