package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/internal/seal"
	"github.com/doorward/doorward/internal/token"
	"github.com/doorward/doorward/raft"
)

// clusterFile says which cluster a data directory belongs to. It is written before
// the node takes part, because the root key may depend on it.
const clusterFile = "cluster.json"

// keys are what a node derives from the root key of its cluster.
type keys struct {
	cluster string
	seal    *seal.Keyring
	tokens  *token.Keyring
	roots   []*seal.Root // the current one first
}

type clusterRecord struct {
	Cluster string `json:"cluster"`
	Removed bool   `json:"removed,omitempty"` // the node left, or was taken out
}

// readCluster returns the cluster of a data directory, empty if it has none yet.
func readCluster(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, clusterFile))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("cluster: %w", err)
	}
	var r clusterRecord
	if err := json.Unmarshal(text, &r); err != nil || r.Cluster == "" {
		return "", fmt.Errorf("cluster: %s is damaged; it holds {\"cluster\": ID}, and doorward cluster status on another node tells the id", filepath.Join(dir, clusterFile))
	}
	if r.Removed {
		return "", ErrRemoved
	}
	return r.Cluster, nil
}

// adopt makes the data directory belong to a cluster, for good.
func (n *Node) adopt(cluster string) error {
	k, err := n.deriveKeys(cluster)
	if err != nil {
		return err
	}
	if err := n.writeRecord(clusterRecord{Cluster: cluster}); err != nil {
		return err
	}
	n.keys.Store(k)
	return nil
}

func (n *Node) writeRecord(r clusterRecord) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	if err := raft.WriteFileDurably(filepath.Join(n.cfg.Dir, clusterFile), append(text, '\n')); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	return nil
}

// markRemoved makes this node stop, and its data directory never be used again: a
// member that comes back under its old id could be counted for what another has
// acknowledged.
func (n *Node) markRemoved() error {
	n.removing.Do(func() {
		n.removeErr = n.writeRecord(clusterRecord{Cluster: n.clusterID(), Removed: true})
		close(n.removed)
	})
	return n.removeErr
}

func (n *Node) deriveKeys(cluster string) (*keys, error) {
	current, err := seal.LoadRoot(n.cfg.Root, cluster)
	if err != nil {
		return nil, err
	}
	var former []*seal.Root
	var derivers []token.Deriver
	for _, source := range n.cfg.Former {
		root, err := seal.LoadRoot(source, cluster)
		if err != nil {
			return nil, err
		}
		former, derivers = append(former, root), append(derivers, root)
	}
	k := &keys{cluster: cluster, roots: append([]*seal.Root{current}, former...)}
	if k.seal, err = seal.NewKeyring(current, former...); err != nil {
		return nil, err
	}
	if k.tokens, err = token.NewKeyring(cluster, current, derivers...); err != nil {
		return nil, err
	}
	return k, nil
}

func (k *keys) record(id iam.AccessKeyID) seal.Record {
	return seal.Record{Cluster: k.cluster, Table: "credentials", Key: string(id)}
}

// SealSecret encrypts the secret of an access key or session for the log. The
// error is [ErrNotInitialized].
func (n *Node) SealSecret(id iam.AccessKeyID, secret []byte) (iam.Sealed, error) {
	k := n.keys.Load()
	if k == nil {
		return nil, ErrNotInitialized
	}
	return k.seal.Seal(k.record(id), secret), nil
}

// OpenSecret undoes [Node.SealSecret]. The error is [ErrNotInitialized] or
// seal.ErrOpen.
func (n *Node) OpenSecret(id iam.AccessKeyID, sealed iam.Sealed) ([]byte, error) {
	k := n.keys.Load()
	if k == nil {
		return nil, ErrNotInitialized
	}
	return k.seal.Open(k.record(id), sealed)
}

// SealToken makes the session token of a session that began at index; empty if
// the node is not initialised.
func (n *Node) SealToken(key iam.AccessKeyID, index iam.Index, expires iam.Time) string {
	k := n.keys.Load()
	if k == nil {
		return ""
	}
	return k.tokens.Seal(token.Token{Key: key, Index: index, Expires: expires})
}

// OpenToken opens a session token; the error is token.ErrInvalid.
func (n *Node) OpenToken(text string) (token.Token, error) {
	k := n.keys.Load()
	if k == nil {
		return token.Token{}, token.ErrInvalid
	}
	return k.tokens.Open(text)
}

// tokenKeys returns the keys that sidecars open tokens with.
func (n *Node) tokenKeys() [][]byte {
	k := n.keys.Load()
	if k == nil {
		return nil
	}
	return k.tokens.Export()
}
