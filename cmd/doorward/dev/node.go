package dev

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/doorward/doorward/cluster"
	"github.com/doorward/doorward/cmd/doorward/parts"
	"github.com/doorward/doorward/internal/seal"
)

// openNode opens the store in the data directory, with the key that seals its
// secrets beside it.
func openNode(config Config) (*cluster.Node, error) {
	dir, rootKey := filepath.Join(config.Dir, "node"), filepath.Join(config.Dir, "root.key")
	switch _, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		// A key that is there already is from a start that got no further.
		if _, err := seal.CreateRootFile(rootKey); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("root key: %w", err)
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	}
	settings := cluster.DefaultConfig()
	settings.Dir, settings.Root = dir, seal.Source{File: rootKey}
	settings.Logger = config.Log.With("part", "node")
	node, err := cluster.Open(settings)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	return node, nil
}

// bear makes a new store with its root key pair, or waits until one that has data
// already serves; the key pair is empty then.
func bear(ctx context.Context, node *cluster.Node, store *parts.Part) (cluster.RootKey, error) {
	ctx, cancel := store.While(ctx)
	defer cancel()
	ctx, cancelWait := context.WithTimeout(ctx, startTime)
	defer cancelWait()
	key, err := node.Init(ctx, parts.Birth(time.Now()))
	if errors.Is(err, cluster.ErrInitialized) {
		_, err = node.Consistent(ctx)
	}
	if err != nil {
		return cluster.RootKey{}, fmt.Errorf("start store: %w", err)
	}
	return key, nil
}
