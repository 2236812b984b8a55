package sidecar

import (
	"context"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/wire"
)

// Source is what a sidecar follows: a node of the store, in the same process or
// across the network. Its methods may be called at the same time.
type Source interface {
	// Follow sends frames to sink, one after another, from the given position on:
	// deltas if the source can continue there, else a snapshot first. It returns
	// when ctx is done, the source ends, or sink fails, with sink's error. Frames
	// are shared with other followers and are not changed.
	Follow(ctx context.Context, from wire.Position, sink func(wire.Frame) error) error

	// SigningKey returns the key of an access key for one scope. The error is an
	// iam.Error with code NoSuchEntity if there is no such access key, and with code
	// ValidationError if no key is derived for the scope. The answer
	// is as new as every frame that was sent before the call.
	SigningKey(ctx context.Context, id iam.AccessKeyID, scope wire.Scope) (wire.SigningKey, error)

	// Confirm returns an index at or past every write that was acknowledged before
	// the call.
	Confirm(ctx context.Context) (iam.Index, error)
}
