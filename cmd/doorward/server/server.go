package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/doorward/doorward/api"
	"github.com/doorward/doorward/cluster"
	"github.com/doorward/doorward/cluster/enrol"
	"github.com/doorward/doorward/cluster/pki"
	"github.com/doorward/doorward/cmd/doorward/config"
	"github.com/doorward/doorward/cmd/doorward/parts"
	"github.com/doorward/doorward/internal/lockout"
	"github.com/doorward/doorward/internal/seal"
)

// Open makes the node that the configuration describes, without starting it.
func Open(settings *config.Server, version string, log *slog.Logger) (*cluster.Node, error) {
	c, err := clusterConfig(settings, version, log)
	if err != nil {
		return nil, err
	}
	node, err := cluster.Open(c)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	return node, nil
}

func source(key config.RootKey) seal.Source {
	return seal.Source{File: key.File, Env: key.Env, Credential: key.Credential, Passphrase: key.Passphrase}
}

// clusterConfig translates the configuration.
func clusterConfig(settings *config.Server, version string, log *slog.Logger) (cluster.Config, error) {
	if err := settings.Validate(); err != nil {
		return cluster.Config{}, err
	}
	c := cluster.DefaultConfig()
	c.Dir, c.Regions, c.Version = settings.Data, settings.Regions, version
	c.Root = source(settings.RootKey)
	if former := source(settings.FormerRootKey); former != (seal.Source{}) {
		c.Former = []seal.Source{former}
	}
	peer := settings.Peer
	c.Listen, c.Advertise, c.Peers, c.Gossip = peer.Listen, peer.Advertise, peer.Known, peer.GossipAddress()
	c.RemoveDeadAfter = time.Duration(peer.RemoveDeadHours) * time.Hour
	c.OwnTLS = peer.Listen != "" && peer.Certificate == "" && !peer.Plain
	if peer.Certificate != "" {
		c.TLS = &pki.Files{Certificate: peer.Certificate, Key: peer.Key, Authority: peer.Authority}
		if err := c.TLS.Check(); err != nil {
			return cluster.Config{}, fmt.Errorf("peer certificate: %w", err)
		}
	}
	c.Logger = log.With("part", "node")
	return c, nil
}

// Run serves until ctx is done or a part fails.
func Run(ctx context.Context, settings *config.Server, version string, log *slog.Logger) (err error) {
	// The address is taken first: a node that cannot be asked should not take part.
	if err := settings.Validate(); err != nil {
		return err
	}
	people, err := directory(&settings.LDAP)
	if err != nil {
		return err
	}
	listener, err := listen(settings)
	if err != nil {
		return err
	}
	defer listener.Close()

	// The node runs first, for the API asks it, and stops last, so that what the API
	// still has in flight is answered and on disk.
	node, err := Open(settings, version, log)
	if err != nil {
		return err
	}
	store := parts.Start("store node", node.Run)
	defer func() { err = errors.Join(err, store.Stop()) }()

	// The API comes last: /readyz tells when the node serves. It stops first and lets
	// the requests that it has begun finish.
	server, err := parts.API(node, listener, filepath.Join(settings.Data, "audit"), limits(settings.Limits), people, log.With("part", "api"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()

	log.Info("serving", "node", node.ID(), "listen", listener.Addr().String(), "peer", node.Address(), "version", version)
	select {
	case <-ctx.Done():
		log.Info("stopping")
	case <-store.Ended():
	case <-server.Ended():
	}
	return nil
}

// limits are those of the configuration, in which zero is none.
func limits(l config.Limits) api.Limits {
	none := func(n int) int {
		if n == 0 {
			return -1
		}
		return n
	}
	return api.Limits{
		Requests: none(l.Requests),
		Lockout:  lockout.Config{Attempts: none(l.WrongSignatures), Lock: time.Duration(l.LockSeconds) * time.Second},
	}
}

// listen takes the API's address, with TLS if there is a certificate. The
// certificate is read anew when its files are replaced.
func listen(settings *config.Server) (net.Listener, error) {
	listener, err := net.Listen("tcp", settings.Listen)
	if err != nil {
		return nil, err
	}
	if settings.TLS.Certificate == "" {
		return listener, nil
	}
	pair := &certificate{files: settings.TLS}
	if _, err := pair.get(nil); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return tls.NewListener(listener, &tls.Config{
		MinVersion: tls.VersionTLS12, GetCertificate: pair.get, NextProtos: []string{"http/1.1"},
	}), nil
}

// initTime bounds init and join.
const initTime = time.Minute

// Init makes this node the first of a new store and returns the root key pair. The
// node runs meanwhile and has stopped when Init returns.
func Init(ctx context.Context, settings *config.Server, version string, log *slog.Logger) (key cluster.RootKey, err error) {
	err = briefly(ctx, settings, version, log, func(ctx context.Context, node *cluster.Node) error {
		key, err = node.Init(ctx, parts.Birth(time.Now()))
		return err
	})
	return key, err
}

// ErrNoToken: the node has no certificate, and no token to get one with.
var ErrNoToken = errors.New("a join token is needed")

// Join makes this node a member of the store that has a node at one of addresses.
// Unless the settings name a certificate, the node gets one with the token first.
func Join(ctx context.Context, settings *config.Server, version string, log *slog.Logger, token string, addresses []string) error {
	if settings.Peer.Certificate == "" && !settings.Peer.Plain {
		if err := enroll(ctx, settings, token, addresses); err != nil {
			return err
		}
	}
	return briefly(ctx, settings, version, log, func(ctx context.Context, node *cluster.Node) error {
		return node.Join(ctx, addresses)
	})
}

// enroll gets the node's certificate, if it has none yet.
func enroll(ctx context.Context, settings *config.Server, text string, addresses []string) error {
	dir := cluster.TLSDir(settings.Data)
	err := pki.FilesIn(dir).Check()
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if text == "" {
		return ErrNoToken
	}
	token, err := enrol.ParseToken(text)
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, initTime)
	defer cancel()
	_, err = enrol.Enrol(ctx, enrol.Config{
		Dir: dir, Name: memberName(host), Hosts: advertised(settings), Addresses: func() []string { return addresses },
	}, token)
	return err
}

// advertised is the host under which others reach the node.
func advertised(settings *config.Server) []string {
	for _, address := range []string{settings.Peer.Advertise, settings.Peer.Listen} {
		if host, _, err := net.SplitHostPort(address); err == nil && host != "" {
			return []string{host}
		}
	}
	return nil
}

// memberName makes a host's name one that a member may have.
func memberName(host string) string {
	name := strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '-' || r == '.' || unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return r
		}
		return '-'
	}, host)
	return name[:min(len(name), 64)]
}

// briefly runs a node for as long as do takes.
func briefly(ctx context.Context, settings *config.Server, version string, log *slog.Logger, do func(context.Context, *cluster.Node) error) error {
	node, err := Open(settings, version, log)
	if err != nil {
		return err
	}
	store := parts.Start("store node", node.Run)
	ctx, cancel := store.While(ctx)
	defer cancel()
	ctx, cancelWait := context.WithTimeout(ctx, initTime)
	defer cancelWait()
	return errors.Join(do(ctx, node), store.Stop())
}
