// Package stage sets up what the story and the client tests play on: a Doorward
// in dev mode ([Start]), or a store of three nodes with a sidecar ([StartFleet]), and a
// stock versitygw that asks on every request. All are real binaries on loopback with
// their data in one folder.
package stage

import (
	"bytes"
	"context"
	"crypto/rand"
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
	"syscall"
	"time"
)

// Config says which binaries to start and where their data goes.
type Config struct {
	Doorward string // path of the doorward binary
	Gateway  string // path of the versitygw binary
	Dir      string // an empty folder for data, sockets and logs
}

// Stage is the running pair.
type Stage struct {
	Endpoint  string // IAM, STS and /v1, e.g. http://127.0.0.1:41234
	S3        string // the gateway
	AccessKey string // the store's root key pair
	SecretKey string
	Decisions string // file of the sidecar's decision log, JSON lines
	Dir       string

	config   Config
	api      string // host:port of the API
	doorward *process
	server   *process
}

// ready is what `doorward dev --ready-file` writes.
type ready struct {
	Endpoint        string `json:"endpoint"`
	Socket          string `json:"socket"`
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
}

// Start brings up both programs and waits until they answer. On error nothing is
// left running.
func Start(ctx context.Context, config Config) (*Stage, error) {
	s := &Stage{config: config, Dir: config.Dir, Decisions: filepath.Join(config.Dir, "decisions.jsonl")}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Stage) start(ctx context.Context) (err error) {
	if s.api, err = freeAddress(); err != nil {
		return err
	}
	if err := s.startDoorward(ctx); err != nil {
		return fmt.Errorf("start doorward dev: %w", err)
	}
	if err := s.startGateway(ctx); err != nil {
		return fmt.Errorf("start versitygw: %w", err)
	}
	return nil
}

// Close stops both programs; the gateway first, because it asks Doorward.
func (s *Stage) Close() error {
	return errors.Join(s.server.stop(), s.doorward.stop())
}

// Kill ends Doorward as a crash would and leaves the gateway running.
func (s *Stage) Kill() error { return s.doorward.kill() }

// Restart starts Doorward again on the same data and address.
func (s *Stage) Restart(ctx context.Context) error { return s.startDoorward(ctx) }

func (s *Stage) startDoorward(ctx context.Context) error {
	file := filepath.Join(s.Dir, "ready.json")
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var err error
	s.doorward, err = start(ctx, filepath.Join(s.Dir, "doorward.log"), nil, s.config.Doorward, "dev",
		"--data", filepath.Join(s.Dir, "doorward"), "--listen", s.api, "--ready-file", file, "--decision-log", s.Decisions)
	if err != nil {
		return err
	}
	var r ready
	if err := s.doorward.until(ctx, func() error { return readJSON(file, &r) }); err != nil {
		return err
	}
	s.Endpoint = r.Endpoint
	if r.SecretAccessKey != "" {
		s.AccessKey, s.SecretKey = r.AccessKeyID, r.SecretAccessKey
	}
	return nil
}

func (s *Stage) startGateway(ctx context.Context) (err error) {
	var r ready
	if err := readJSON(filepath.Join(s.Dir, "ready.json"), &r); err != nil {
		return err
	}
	s.server, s.S3, err = startGateway(ctx, s.config, r.Socket)
	return err
}

// startGateway runs versitygw with a root key of its own that nobody uses, object
// data and metadata in plain folders, and Doorward's socket as its only authority. It
// returns its URL.
func startGateway(ctx context.Context, config Config, socket string) (*process, string, error) {
	data, meta := filepath.Join(config.Dir, "objects"), filepath.Join(config.Dir, "metadata")
	for _, dir := range []string{data, meta} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, "", err
		}
	}
	address, err := freeAddress()
	if err != nil {
		return nil, "", err
	}
	env := []string{"ROOT_ACCESS_KEY=gateway" + rand.Text()[:8], "ROOT_SECRET_KEY=" + rand.Text()}
	server, err := start(ctx, filepath.Join(config.Dir, "versitygw.log"), env, config.Gateway,
		"--quiet", "--health", "/healthz", "--port", address, "--iam-standalone-endpoint", socket,
		"posix", "--sidecar", meta, data)
	if err != nil {
		return nil, "", err
	}
	url := "http://" + address
	return server, url, server.until(ctx, func() error { return answers(ctx, url+"/healthz") })
}

func readJSON(file string, into any) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

func answers(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return err
}

// freeAddress finds a loopback port that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// process is a program whose output goes to a file.
type process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when the program has ended
	err  error         // its end, valid after done
}

// started bounds how long a program may take to answer.
const started = 30 * time.Second

func start(ctx context.Context, log string, env []string, program string, args ...string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p := &process{cmd: exec.CommandContext(ctx, program, args...), log: log, done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 10 * time.Second
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	// Ends with the program, which stop, kill or the context end.
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// until asks again and again until ask succeeds, the program ends or the time is up.
func (p *process) until(ctx context.Context, ask func() error) error {
	deadline := time.NewTimer(started)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended: %w\n%s", filepath.Base(p.cmd.Path), p.err, p.tail())
		case <-deadline.C:
			return fmt.Errorf("%s did not answer: %w\n%s", filepath.Base(p.cmd.Path), err, p.tail())
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (p *process) stop() error {
	if p == nil {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		return errors.Join(fmt.Errorf("%s did not stop on SIGTERM", filepath.Base(p.cmd.Path)), p.kill())
	}
	return nil
}

func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.done
	return nil
}

// tail returns the last lines that the program printed.
func (p *process) tail() string {
	raw, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(string(bytes.TrimSpace(raw)), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}
