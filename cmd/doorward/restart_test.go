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

// TestNobodyIsRefusedWhileASidecarStartsAnew has S3 servers, a gateway and proxies ask
// without a pause, while the sidecar starts anew five times.
func TestNobodyIsRefusedWhileASidecarStartsAnew(t *testing.T) {
	for _, way := range []struct {
		name  string
		start func(*doors, *testing.T) *exec.Cmd
		again func(*doors, *testing.T, *exec.Cmd) *exec.Cmd
	}{
		{"its sockets are held, as systemd does", (*doors).startHeld, func(d *doors, t *testing.T, sidecar *exec.Cmd) *exec.Cmd {
			terminate(t, sidecar)
			return d.startHeld(t)
		}},
		{"it is told to by SIGUSR2, and has sockets of its own", (*doors).startOwn, func(d *doors, t *testing.T, sidecar *exec.Cmd) *exec.Cmd {
			before := d.log.count("msg=serving")
			if err := sidecar.Process.Signal(syscall.SIGUSR2); err != nil {
				t.Fatal(err)
			}
			d.log.await(t, "msg=serving", before+1)
			return sidecar
		}},
	} {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			peer, root := startStore(t)
			d := openDoors(t, peer)
			startAnew(t, d, root, way.start, way.again)
		})
	}
}

func startAnew(t *testing.T, sockets *doors, root sigv4.Credentials, start func(*doors, *testing.T) *exec.Cmd, again func(*doors, *testing.T, *exec.Cmd) *exec.Cmd) {
	sidecar := start(sockets, t)
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
		sidecar = again(sockets, t, sidecar)
	}
	underLoad()
	stop()
	askers.Wait()
	terminate(t, sidecar)
	t.Logf("answers: %d over frames, %d to gateways, %d over HTTP", asked[0].Load(), asked[1].Load(), asked[2].Load())
}

// socketNames are the doors in the order of their descriptors.
var socketNames = []string{"sidecar", "versitygw", "http"}

// doors are where a sidecar is asked, and what it logs.
type doors struct {
	dir, peer string
	http      string
	held      []*os.File // by socketNames
	log       log
}

func openDoors(t *testing.T, peer string) *doors {
	t.Helper()
	http, err := process.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return &doors{dir: t.TempDir(), peer: peer, http: http}
}

func (d *doors) path(door int) string { return filepath.Join(d.dir, socketNames[door]+".sock") }

// address is where a door is.
func (d *doors) address(door int) (network, address string) {
	if socketNames[door] == "http" {
		return "tcp", d.http
	}
	return "unix", d.path(door)
}

// client asks at a door of HTTP.
func (d *doors) client(door int) *http.Client {
	return &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 8,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			network, address := d.address(door)
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}}
}

// startHeld starts a sidecar that is given sockets, which the test holds from then on.
func (d *doors) startHeld(t *testing.T) *exec.Cmd {
	t.Helper()
	if d.held == nil {
		for door := range socketNames {
			l, err := net.Listen(d.address(door))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			file, err := l.(interface{ File() (*os.File, error) }).File()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { file.Close() })
			d.held = append(d.held, file)
		}
	}
	sidecar := exec.Command("sh", "-c", `LISTEN_PID=$$ exec doorward sidecar "$@"`, "sh",
		"--nodes", d.peer, "--plain", "--state", filepath.Join(d.dir, "state"))
	sidecar.Env = append(os.Environ(), "LISTEN_FDS=3", "LISTEN_FDNAMES="+strings.Join(socketNames, ":"))
	sidecar.ExtraFiles = d.held
	return d.run(t, sidecar)
}

// startOwn starts a sidecar that makes its sockets.
func (d *doors) startOwn(t *testing.T) *exec.Cmd {
	t.Helper()
	return d.run(t, exec.Command("doorward", "sidecar", "--nodes", d.peer, "--plain", "--state", filepath.Join(d.dir, "state"),
		"--socket", d.path(0), "--versitygw-socket", d.path(1), "--http", d.http))
}

func (d *doors) run(t *testing.T, sidecar *exec.Cmd) *exec.Cmd {
	t.Helper()
	sidecar.Stderr = &d.log
	if err := sidecar.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if sidecar.ProcessState == nil {
			sidecar.Process.Kill()
			sidecar.Wait()
		}
		if t.Failed() {
			t.Log(d.log.String())
		}
	})
	return sidecar
}

// log is what a program writes, read while it does.
type log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *log) count(what string) int { return strings.Count(l.String(), what) }

// await waits until something has been logged so often.
func (l *log) await(t *testing.T, what string, times int) {
	t.Helper()
	for l.count(what) < times {
		select {
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
			t.Fatalf("%q was not logged %d times", what, times)
		}
	}
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
