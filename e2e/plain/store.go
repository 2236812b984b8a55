package plain

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/doorward/doorward/api"
	"github.com/doorward/doorward/cluster"
	"github.com/doorward/doorward/cmd/doorward/parts"
	"github.com/doorward/doorward/internal/seal"
	"github.com/doorward/doorward/sidecar"
)

// Site is a running server.
type Site struct {
	S3, IAM           string // URLs
	AccessKey, Secret string // the store's root key pair
	Authorizer        *sidecar.Authorizer

	closers []func() error // what Close ends, last first
}

// Start brings everything up on loopback, with the store's files below dir.
func Start(ctx context.Context, dir string) (*Site, error) {
	s := &Site{}
	if err := s.start(ctx, dir); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close ends what was started, last first.
func (s *Site) Close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(errs...)
}

func (s *Site) start(ctx context.Context, dir string) error {
	node, err := s.startStore(ctx, dir)
	if err != nil {
		return err
	}
	config := sidecar.DefaultConfig()
	config.AnyRegion = true
	s.Authorizer, err = sidecar.New(config, node.Feed())
	if err != nil {
		return err
	}
	s.run(s.Authorizer.Run)
	if err := s.Authorizer.Wait(ctx, node.View().Index()); err != nil {
		return err
	}
	handler, err := api.New(api.Config{Store: node, Secrets: node, Tokens: node, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		return err
	}
	if s.IAM, err = s.serve(handler); err != nil {
		return err
	}
	objects := filepath.Join(dir, "objects")
	if err := os.Mkdir(objects, 0o700); err != nil {
		return err
	}
	server, err := New(s.Authorizer, objects)
	if err != nil {
		return err
	}
	s.S3, err = s.serve(server)
	return err
}

func (s *Site) startStore(ctx context.Context, dir string) (*cluster.Node, error) {
	rootKey := filepath.Join(dir, "root.key")
	if _, err := seal.CreateRootFile(rootKey); err != nil {
		return nil, err
	}
	config := cluster.DefaultConfig()
	config.Dir, config.Root = filepath.Join(dir, "node"), seal.Source{File: rootKey}
	config.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	if err := os.Mkdir(config.Dir, 0o700); err != nil {
		return nil, err
	}
	node, err := cluster.Open(config)
	if err != nil {
		return nil, err
	}
	s.run(node.Run)
	key, err := node.Init(ctx, parts.Birth(time.Now()))
	if err != nil {
		return nil, err
	}
	s.AccessKey, s.Secret = string(key.ID), string(key.Secret.Reveal())
	return node, nil
}

// run starts something that works until Close.
func (s *Site) run(work func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- work(ctx) }() // ends with cancel, which Close calls
	s.closers = append(s.closers, func() error {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	})
}

// serve answers HTTP on a loopback port of its own.
func (s *Site) serve(h http.Handler) (url string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(l) // ends with Close
	s.closers = append(s.closers, server.Close)
	return "http://" + l.Addr().String(), nil
}
