package cluster

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"strings"

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
// refused with [ErrInitialized] if the store exists already; an Init that was cut
// short is taken up where it ended.
func (n *Node) Init(ctx context.Context, b Birth) (RootKey, error) {
	n.birth.Lock()
	defer n.birth.Unlock()
	select {
	case <-n.Running():
	case <-ctx.Done():
		return RootKey{}, ctx.Err()
	}
	if n.keys.Load() == nil {
		if err := n.adopt(newClusterID()); err != nil {
			return RootKey{}, err
		}
	}
	if len(n.raft.Status().Members) == 0 {
		if err := n.raft.Bootstrap(); err != nil {
			return RootKey{}, err
		}
	}
	v, err := n.Consistent(ctx)
	if err != nil {
		return RootKey{}, err
	}
	if v.Store().ClusterID != "" {
		return RootKey{}, ErrInitialized
	}
	root, err := n.initialize(ctx, b)
	if err == nil {
		// What fails here is made up for while the node runs; the key pair is not lost
		// for it.
		if err := n.upkeep(ctx); err != nil {
			n.log.Warn("upkeep of a new store", "error", err)
		}
	}
	return root, err
}

func (n *Node) initialize(ctx context.Context, b Birth) (RootKey, error) {
	account := b.Account
	if account == "" {
		account = iam.FirstAccount
	}
	root := RootKey{newAccessKeyID(), seal.NewSecret(newSecret())}
	sealed, err := n.SealSecret(root.ID, root.Secret.Reveal())
	if err != nil {
		return RootKey{}, err
	}
	now := iam.At(n.cfg.Now())
	result, err := n.Propose(ctx, iam.Envelope{
		Command: iam.Initialize{
			ClusterID: n.keys.Load().cluster,
			Epoch:     newEpoch(),
			Account:   account,
			RootKey: iam.AccessKey{
				ID: root.ID, Secret: sealed, Status: iam.Active, Created: now,
				Owner: iam.Ref{Account: account, Kind: iam.KindRoot},
			},
			Policies: b.Policies,
			Settings: b.Settings,
		},
		Request: newRequest(), Actor: account.Root(), Time: now,
	})
	switch {
	case err != nil:
		return RootKey{}, err
	case result.Err != nil:
		return RootKey{}, result.Err
	}
	return root, nil
}

func random(size int) []byte {
	b := make([]byte, size)
	rand.Read(b)
	return b
}

func newRequest() [16]byte { return [16]byte(random(16)) }

func newClusterID() string {
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random(16)))
}

func newEpoch() uint64 { return binary.BigEndian.Uint64(random(8)) | 1 }

// newAccessKeyID returns an id in the form of AWS: AKIA and 16 characters.
func newAccessKeyID() iam.AccessKeyID {
	return iam.AccessKeyID("AKIA" + base32.StdEncoding.EncodeToString(random(10)))
}

// newSecret returns a secret access key in the form of AWS: 40 characters.
func newSecret() []byte { return []byte(base64.StdEncoding.EncodeToString(random(30))) }
