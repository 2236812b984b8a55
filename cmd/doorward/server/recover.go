package server

import (
	"io"
	"log/slog"

	"github.com/doorward/doorward/cluster"
	"github.com/doorward/doorward/cmd/doorward/config"
	"github.com/doorward/doorward/iam/wire"
)

// Restore makes a store out of a backup, in the empty data directory that the
// configuration names. It returns what the backup says of itself.
func Restore(settings *config.Server, log *slog.Logger, backup io.Reader) (wire.Header, error) {
	c, err := clusterConfig(settings, "", log)
	if err != nil {
		return wire.Header{}, err
	}
	return cluster.Restore(c, backup)
}

// Recover makes this node the only member of its store. With look, it changes
// nothing and returns how far the node had come.
func Recover(settings *config.Server, log *slog.Logger, look bool) (index, term uint64, err error) {
	c, err := clusterConfig(settings, "", log)
	if err != nil {
		return 0, 0, err
	}
	if look {
		return cluster.Progress(c)
	}
	return cluster.Recover(c)
}
