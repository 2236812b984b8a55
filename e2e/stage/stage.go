// Package stage sets up what the story and the client tests play on: a Doorward
// in dev mode ([Start]), or a store of three nodes with a sidecar ([StartFleet]), and a
// stock versitygw that asks on every request. All are real binaries on loopback with
// their data in one folder.
package stage

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/doorward/doorward/cmd/doorward/bench/process"
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
	http     string // of the sidecar's HTTP doors, which nobody uses here
	doorward *process.Process
	server   *process.Process
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
	if s.api, err = process.FreeAddress(); err != nil {
		return err
	}
	if s.http, err = process.FreeAddress(); err != nil {
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
	return errors.Join(s.server.Stop(), s.doorward.Stop())
}

// Kill ends Doorward as a crash would and leaves the gateway running.
func (s *Stage) Kill() error { return s.doorward.Kill() }

// Restart starts Doorward again on the same data and address.
func (s *Stage) Restart(ctx context.Context) error { return s.startDoorward(ctx) }

func (s *Stage) startDoorward(ctx context.Context) error {
	file := filepath.Join(s.Dir, "ready.json")
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var err error
	s.doorward, err = process.Start(ctx, filepath.Join(s.Dir, "doorward.log"), nil, s.config.Doorward, "dev",
		"--data", filepath.Join(s.Dir, "doorward"), "--listen", s.api, "--http", s.http, "--ready-file", file, "--decision-log", s.Decisions)
	if err != nil {
		return err
	}
	var r ready
	if err := s.doorward.Until(ctx, func() error { return readJSON(file, &r) }); err != nil {
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
func startGateway(ctx context.Context, config Config, socket string) (*process.Process, string, error) {
	data, meta := filepath.Join(config.Dir, "objects"), filepath.Join(config.Dir, "metadata")
	for _, dir := range []string{data, meta} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, "", err
		}
	}
	address, err := process.FreeAddress()
	if err != nil {
		return nil, "", err
	}
	env := []string{"ROOT_ACCESS_KEY=gateway" + rand.Text()[:8], "ROOT_SECRET_KEY=" + rand.Text()}
	server, err := process.Start(ctx, filepath.Join(config.Dir, "versitygw.log"), env, config.Gateway,
		"--quiet", "--health", "/healthz", "--port", address, "--iam-standalone-endpoint", socket,
		"posix", "--sidecar", meta, data)
	if err != nil {
		return nil, "", err
	}
	url := "http://" + address
	return server, url, server.Until(ctx, func() error { return answers(ctx, url+"/healthz") })
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
