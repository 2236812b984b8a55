// Package etcd runs three processes of etcd on loopback and writes into them, as the
// store that one would keep identities in instead. Start with [Start].
package etcd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/grpclog"

	"github.com/doorward/doorward/cmd/doorward/bench"
	"github.com/doorward/doorward/cmd/doorward/bench/process"
)

// nodes is how many there are.
const nodes = 3

// valueSize is the length of what is written: that of the entry that makes a user.
const valueSize = 160

// Cluster is a running etcd.
type Cluster struct {
	Version string
	runs    []*process.Process
	clients []*clientv3.Client // to the leader
}

// ErrMissing says that etcd is not installed.
var ErrMissing = errors.New("etcd is not installed: install Debian's etcd-server")

// Start makes a cluster in a directory and connects so many times to its leader. On
// error nothing is left running.
func Start(ctx context.Context, dir string, connections int) (_ *Cluster, err error) {
	program, err := exec.LookPath("etcd")
	if err != nil {
		return nil, ErrMissing
	}
	c := &Cluster{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	var members string
	var clients, peers [nodes]string
	for i := range nodes {
		if clients[i], err = process.FreeAddress(); err != nil {
			return nil, err
		}
		if peers[i], err = process.FreeAddress(); err != nil {
			return nil, err
		}
		members += fmt.Sprintf(",n%d=http://%s", i, peers[i])
	}
	for i := range nodes {
		name := fmt.Sprint("n", i)
		run, err := process.Start(ctx, filepath.Join(dir, name+".log"), nil, program, "--name", name, "--data-dir", filepath.Join(dir, name),
			"--listen-client-urls", "http://"+clients[i], "--advertise-client-urls", "http://"+clients[i],
			"--listen-peer-urls", "http://"+peers[i], "--initial-advertise-peer-urls", "http://"+peers[i],
			"--initial-cluster", members[1:], "--initial-cluster-state", "new", "--logger", "zap", "--log-level", "error")
		if err != nil {
			return nil, err
		}
		c.runs = append(c.runs, run)
	}
	leader, err := c.leader(ctx, clients[:])
	if err != nil {
		return nil, err
	}
	for range connections {
		to, err := connect(leader)
		if err != nil {
			return nil, err
		}
		c.clients = append(c.clients, to)
	}
	return c, nil
}

func connect(address string) (*clientv3.Client, error) {
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(discard{}, discard{}, discard{}))
	return clientv3.New(clientv3.Config{Endpoints: []string{address}, DialTimeout: 5 * time.Second})
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// leader waits until there is one, and returns its address.
func (c *Cluster) leader(ctx context.Context, addresses []string) (leader string, err error) {
	err = c.runs[0].Until(ctx, func() error {
		for _, address := range addresses {
			to, err := connect(address)
			if err != nil {
				return err
			}
			asked, cancel := context.WithTimeout(ctx, time.Second)
			status, err := to.Status(asked, address)
			cancel()
			to.Close()
			if err != nil {
				return err
			}
			if c.Version = status.Version; status.Leader == status.Header.MemberId {
				leader = address
				return nil
			}
		}
		return errors.New("no node leads")
	})
	return leader, err
}

// Door writes a key that is new each time.
func (c *Cluster) Door(ctx context.Context) bench.Door {
	var n atomic.Uint64
	run, value := rand.Text()[:6], string(make([]byte, valueSize))
	return bench.Door{Name: "etcd", Ask: func(worker int, _ uint64) error {
		_, err := c.clients[worker%len(c.clients)].Put(ctx, fmt.Sprintf("bench-%s-%d", run, n.Add(1)), value)
		return err
	}}
}

// Close ends the cluster.
func (c *Cluster) Close() (err error) {
	for _, to := range c.clients {
		err = errors.Join(err, to.Close())
	}
	for _, run := range c.runs {
		err = errors.Join(err, run.Stop())
	}
	return err
}
