// Package stores runs a real store for a benchmark: a process for each node, on
// loopback, with real files, and a sidecar that follows it. Start with [Start].
//
// Nodes and sidecars speak without TLS, as whoever they are compared with on loopback
// does.
package stores

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/cluster/mesh"
	"github.com/doorward/doorward/cluster/peer"
	"github.com/doorward/doorward/cmd/doorward/bench/process"
	"github.com/doorward/doorward/cmd/doorward/client"
)

// Config says what to run, and where.
type Config struct {
	Program string // doorward
	Dir     string // that holds all files
	Nodes   int
}

// Store is a running store.
type Store struct {
	AccessKey, Secret string // the root key pair
	Nodes             []Node

	config  Config
	pool    *peer.Pool
	sidecar *process.Process
}

// Node is one process.
type Node struct {
	API  string // URL
	Peer string // address
	run  *process.Process
}

// Start makes a store. On error nothing is left running.
func Start(ctx context.Context, c Config) (_ *Store, err error) {
	s := &Store{config: c, Nodes: make([]Node, c.Nodes)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	s.pool = peer.NewPool(func(ctx context.Context, id, address string) (net.Conn, error) {
		conn, err := mesh.Dial(ctx, mesh.Config{ID: "bench", Cluster: func() string { return "" }}, mesh.RPC, id, address)
		if err != nil {
			return nil, err // a nil *mesh.Conn is no nil net.Conn
		}
		return conn, nil
	})
	for i := range s.Nodes {
		api, err := process.FreeAddress()
		if err != nil {
			return nil, err
		}
		s.Nodes[i].API = "http://" + api
		if s.Nodes[i].Peer, err = process.FreeAddress(); err != nil {
			return nil, err
		}
	}
	if err := s.init(ctx); err != nil {
		return nil, err
	}
	for i := 1; i < len(s.Nodes); i++ {
		if err := s.run(ctx, append(append([]string{"join"}, s.flags(i)...), s.Nodes[0].Peer)...); err != nil {
			return nil, err
		}
		if err := s.StartNode(ctx, i); err != nil {
			return nil, err
		}
	}
	return s, s.AwaitVoters(ctx)
}

// Close ends everything, whoever asks before whom is asked.
func (s *Store) Close() error {
	err := s.sidecar.Stop()
	for i := range s.Nodes {
		err = errors.Join(err, s.Nodes[i].run.Stop())
	}
	s.pool.Close()
	return err
}

func (s *Store) path(name string) string { return filepath.Join(s.config.Dir, name) }

func (s *Store) flags(i int) []string {
	n := &s.Nodes[i]
	return []string{
		"--data", s.path(fmt.Sprint("node", i)), "--root-key-file", s.path("root.key"), "--log-level", "warn",
		"--listen", strings.TrimPrefix(n.API, "http://"), "--peer-listen", n.Peer, "--peer-plain", "--limits-requests", "0",
	}
}

// run runs a command to its end.
func (s *Store) run(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, s.config.Program, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("doorward %s: %w: %s", args[0], err, out)
	}
	return nil
}

func (s *Store) init(ctx context.Context) error {
	if err := os.MkdirAll(s.config.Dir, 0o700); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, s.config.Program, append([]string{"init", "--output", "json"}, s.flags(0)...)...)
	made, err := cmd.Output()
	if err != nil {
		if ended, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("%w: %s", err, ended.Stderr)
		}
		return fmt.Errorf("doorward init: %w", err)
	}
	var key struct {
		ID     string `json:"access_key_id"`
		Secret string `json:"secret_access_key"`
	}
	if err := json.Unmarshal(made, &key); err != nil {
		return fmt.Errorf("doorward init: %w", err)
	}
	s.AccessKey, s.Secret = key.ID, key.Secret
	return s.StartNode(ctx, 0)
}

// StartNode starts the i-th node and waits until its port answers.
func (s *Store) StartNode(ctx context.Context, i int) (err error) {
	n := &s.Nodes[i]
	n.run, err = process.Start(ctx, s.path(fmt.Sprintf("node%d.log", i)), nil, s.config.Program, append([]string{"server"}, s.flags(i)...)...)
	if err != nil {
		return err
	}
	return n.run.Until(ctx, func() error { return answers(ctx, n.API+"/livez") })
}

// KillNode ends the i-th node as a crash does.
func (s *Store) KillNode(i int) error { return s.Nodes[i].run.Kill() }

// Usage is what the i-th node takes of the machine.
func (s *Store) Usage(i int) (process.Usage, error) { return s.Nodes[i].run.Usage() }

// Client asks the i-th node as the root.
func (s *Store) Client(i int) (*client.Client, error) {
	return client.New(client.Config{
		Endpoint: s.Nodes[i].API, Credentials: client.Credentials{AccessKeyID: s.AccessKey, SecretAccessKey: s.Secret},
		Timeout: 10 * time.Second, UserAgent: "doorward-bench",
	})
}

// voteTime bounds how long all nodes may take to vote: a new one has to have kept up
// for ten seconds.
const voteTime = 90 * time.Second

// AwaitVoters waits until every node votes and is well.
func (s *Store) AwaitVoters(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, voteTime)
	defer cancel()
	c, err := s.Client(0)
	if err != nil {
		return err
	}
	for {
		status, err := c.DescribeCluster(ctx)
		if err == nil && status.Voters == len(s.Nodes) && status.Healthy {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%d nodes vote of %d: %w", status.Voters, len(s.Nodes), errors.Join(err, ctx.Err()))
		}
	}
}

// ErrNoLeader says that no node leads at the moment.
var ErrNoLeader = errors.New("no node of the store leads")

// Leader returns the node that leads by its own word; the pool of questions to nodes
// reaches it under its id.
func (s *Store) Leader(ctx context.Context) (node int, id string, err error) {
	for i := range s.Nodes {
		h, err := s.pool.Health(ctx, "", s.Nodes[i].Peer)
		if err == nil && h.Role == "Leader" {
			return i, h.ID, nil
		}
	}
	return 0, "", ErrNoLeader
}

// Pool asks nodes as they ask one another.
func (s *Store) Pool() *peer.Pool { return s.pool }

// StartSidecar starts a sidecar that knows all nodes, with its own files in the
// directory, waits until it decides, and returns its socket.
func (s *Store) StartSidecar(ctx context.Context) (socket string, err error) {
	address, err := process.FreeAddress()
	if err != nil {
		return "", err
	}
	var nodes []string
	for i := range s.Nodes {
		nodes = append(nodes, s.Nodes[i].Peer)
	}
	// The path of a socket has room for some hundred bytes.
	socket = filepath.Join(s.path("run"), "s.sock")
	s.sidecar, err = process.Start(ctx, s.path("sidecar.log"), nil, s.config.Program, "sidecar", "--plain", "--nodes", strings.Join(nodes, ","),
		"--name", "bench", "--state", s.path("sidecar"), "--any-region", "--socket", socket, "--versitygw-socket", "", "--http", address)
	if err != nil {
		return "", err
	}
	return socket, s.sidecar.Until(ctx, func() error { return answers(ctx, "http://"+address+"/readyz") })
}

func answers(ctx context.Context, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New(url + ": " + strconv.Itoa(answer.StatusCode))
	}
	return nil
}
