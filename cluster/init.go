package cluster

import (
	"context"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/internal/seal"
)

// Birth is what a new store begins with.
type Birth struct {
	Account  iam.AccountID // empty: iam.FirstAccount
	Policies []iam.Policy  // the built-in policies
	Settings iam.Settings
}

// RootKey is the access key pair of the account's root, shown once.
type RootKey struct {
	ID     iam.AccessKeyID
	Secret seal.Secret
}

// Init makes this node the first of a new store and returns the root key pair,
// which is not kept in readable form anywhere. The node has to be running. It is
// refused with [ErrInitialized] if the node belongs to a store already.
func (n *Node) Init(ctx context.Context, b Birth) (RootKey, error) {
	return RootKey{}, ErrUnavailable
}
