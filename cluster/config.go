package cluster

import (
	"log/slog"

	"github.com/doorward/doorward/internal/seal"
)

// Config says what a node is made of.
type Config struct {
	// Dir is the data directory. One process at a time may use it.
	Dir string

	// Root says where the root key is. It is never in Dir on a real node.
	Root seal.Source

	// Logger gets what happens; nil discards.
	Logger *slog.Logger
}
