package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/doorward/doorward/cmd/doorward/bench/process"
)

// Fleet is a store of three nodes, a sidecar that joined it with a token, and a stock
// versitygw that asks the sidecar on every request: what an operator has, on loopback.
type Fleet struct {
	S3                   string // the gateway
	AccessKey, SecretKey string // the store's root key pair

	config  Config
	nodes   [3]fleetNode
	sidecar *process.Process
	beside  string // the binary of the sidecar
	http    string // of the sidecar
	server  *process.Process
}

type fleetNode struct {
	api, peer string
	binary    string
	process   *process.Process
}

// StartFleet brings all of it up. On error nothing is left running.
func StartFleet(ctx context.Context, config Config) (*Fleet, error) {
	f := &Fleet{config: config, beside: config.Doorward}
	for i := range f.nodes {
		f.nodes[i].binary = config.Doorward
	}
	for _, step := range []func(context.Context) error{f.init, f.grow, f.StartSidecar, f.startGateway} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

// Close stops everything, whoever asks before whom is asked.
func (f *Fleet) Close() error {
	err := errors.Join(f.server.Stop(), f.sidecar.Stop())
	for i := range f.nodes {
		err = errors.Join(err, f.nodes[i].process.Stop())
	}
	return err
}

func (f *Fleet) path(name string) string { return filepath.Join(f.config.Dir, name) }

// flags are those of the i-th node.
func (f *Fleet) flags(i int) []string {
	n := &f.nodes[i]
	return []string{"--data", f.path(fmt.Sprint("node", i)), "--root-key-file", f.path("root.key"), "--listen", n.api, "--peer-listen", n.peer}
}

// Doorward runs a command of the command line as the root, asking the i-th node, and
// returns what it printed.
func (f *Fleet) Doorward(ctx context.Context, i int, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, f.config.Doorward, args...)
	cmd.Env = append(os.Environ(), "DOORWARD_ENDPOINT=http://"+f.nodes[i].api, "AWS_ACCESS_KEY_ID="+f.AccessKey, "AWS_SECRET_ACCESS_KEY="+f.SecretKey)
	var messages strings.Builder
	cmd.Stderr = &messages
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("doorward %s: %w: %s", strings.Join(args, " "), err, messages.String())
	}
	return string(out) + messages.String(), nil
}

func (f *Fleet) init(ctx context.Context) (err error) {
	for i := range f.nodes {
		if f.nodes[i].api, err = process.FreeAddress(); err != nil {
			return err
		}
		if f.nodes[i].peer, err = process.FreeAddress(); err != nil {
			return err
		}
	}
	if f.http, err = process.FreeAddress(); err != nil {
		return err
	}
	made, err := exec.CommandContext(ctx, f.config.Doorward, append([]string{"init", "--output", "json"}, f.flags(0)...)...).Output()
	if err != nil {
		return fmt.Errorf("doorward init: %w", err)
	}
	var key struct {
		ID     string `json:"access_key_id"`
		Secret string `json:"secret_access_key"`
	}
	if err := json.Unmarshal(made, &key); err != nil {
		return fmt.Errorf("doorward init: %w", err)
	}
	f.AccessKey, f.SecretKey = key.ID, key.Secret
	return f.StartNode(ctx, 0)
}

// grow adds the other nodes, and waits until all of them vote.
func (f *Fleet) grow(ctx context.Context) error {
	for i := 1; i < len(f.nodes); i++ {
		if err := f.token(ctx, "node"); err != nil {
			return err
		}
		args := append([]string{"join", "--token-file", f.path("token")}, f.flags(i)...)
		if out, err := exec.CommandContext(ctx, f.config.Doorward, append(args, f.nodes[0].peer)...).CombinedOutput(); err != nil {
			return fmt.Errorf("doorward join: %w: %s", err, out)
		}
		if err := f.StartNode(ctx, i); err != nil {
			return err
		}
	}
	_, err := f.Doorward(ctx, 0, "cluster", "wait", "--voters", fmt.Sprint(len(f.nodes)))
	return err
}

// Token makes a token that lets one member in, a node or a sidecar.
func (f *Fleet) Token(ctx context.Context, kind string) (string, error) {
	out, err := f.Doorward(ctx, 0, "cluster", "token", "create", "--kind", kind, "--output", "json")
	if err != nil {
		return "", err
	}
	var made struct{ Token string }
	err = json.NewDecoder(strings.NewReader(out)).Decode(&made)
	return made.Token, err
}

// token leaves a new token for a member in a file.
func (f *Fleet) token(ctx context.Context, kind string) error {
	token, err := f.Token(ctx, kind)
	if err != nil {
		return err
	}
	return os.WriteFile(f.path("token"), []byte(token), 0o600)
}

// Peers are the addresses that nodes and sidecars reach the nodes at.
func (f *Fleet) Peers() []string {
	var peers []string
	for i := range f.nodes {
		peers = append(peers, f.nodes[i].peer)
	}
	return peers
}

// StartNode starts the i-th node and waits until it serves.
func (f *Fleet) StartNode(ctx context.Context, i int) (err error) {
	n := &f.nodes[i]
	n.process, err = process.Start(ctx, f.path(fmt.Sprintf("node%d.log", i)), nil, n.binary, append([]string{"server"}, f.flags(i)...)...)
	if err != nil {
		return err
	}
	return n.process.Until(ctx, func() error { return answers(ctx, "http://"+n.api+"/livez") })
}

// ReplaceNode restarts the i-th node with another binary, as an upgrade does.
func (f *Fleet) ReplaceNode(ctx context.Context, i int, binary string) error {
	n := &f.nodes[i]
	if err := n.process.Stop(); err != nil {
		return err
	}
	n.binary = binary
	return f.StartNode(ctx, i)
}

// KillNode ends the i-th node as a crash would.
func (f *Fleet) KillNode(i int) error { return f.nodes[i].process.Kill() }

// Leader is the node that leads, as the i-th node says.
func (f *Fleet) Leader(ctx context.Context, i int) (int, error) {
	out, err := f.Doorward(ctx, i, "cluster", "status", "--output", "json")
	if err != nil {
		return 0, err
	}
	var status struct {
		Members []struct{ Address, Role string }
	}
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&status); err != nil {
		return 0, err
	}
	for _, m := range status.Members {
		for i := range f.nodes {
			if m.Role == "leader" && m.Address == f.nodes[i].peer {
				return i, nil
			}
		}
	}
	return 0, fmt.Errorf("nobody leads: %s", out)
}

// StartSidecar starts the sidecar, which joins the first time, and waits until it
// decides.
func (f *Fleet) StartSidecar(ctx context.Context) (err error) {
	args := []string{
		"sidecar", "--nodes", f.nodes[0].peer + "," + f.nodes[1].peer, "--name", "gateway-1", "--state", f.path("sidecar"), "--any-region",
		"--socket", f.path("sidecar.sock"), "--versitygw-socket", f.path("versitygw.sock"), "--http", f.http,
	}
	if _, err := os.Stat(f.path("sidecar")); errors.Is(err, os.ErrNotExist) {
		if err := f.token(ctx, "sidecar"); err != nil {
			return err
		}
		args = append(args, "--token-file", f.path("token"))
	}
	f.sidecar, err = process.Start(ctx, f.path("sidecar.log"), nil, f.beside, args...)
	if err != nil {
		return err
	}
	return f.sidecar.Until(ctx, func() error { return answers(ctx, "http://"+f.http+"/readyz") })
}

// StopSidecar ends the sidecar as a restart would.
func (f *Fleet) StopSidecar() error { return f.sidecar.Stop() }

// ReplaceSidecar restarts the sidecar with another binary.
func (f *Fleet) ReplaceSidecar(ctx context.Context, binary string) error {
	if err := f.StopSidecar(); err != nil {
		return err
	}
	f.beside = binary
	return f.StartSidecar(ctx)
}

// NodeProcess is the id of a node's process.
func (f *Fleet) NodeProcess(i int) int { return f.nodes[i].process.ID() }

// SidecarProcess is the process id of the sidecar.
func (f *Fleet) SidecarProcess() int { return f.sidecar.ID() }

func (f *Fleet) startGateway(ctx context.Context) (err error) {
	f.server, f.S3, err = startGateway(ctx, f.config, f.path("versitygw.sock"))
	return err
}
