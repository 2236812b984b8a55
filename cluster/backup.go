package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/doorward/doorward/fsm"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/iam/wire"
	"github.com/doorward/doorward/raft"
)

// WriteSnapshot writes the state of the store as it is when the call begins, or
// later; writers are not held up. With stale, what this node has will do, for a
// cluster without a leader. Secrets in it are sealed.
func (n *Node) WriteSnapshot(ctx context.Context, w io.Writer, stale bool) error {
	if !stale {
		if _, err := n.Consistent(ctx); err != nil {
			return err
		}
	}
	s := n.replica.latest.Load()
	if s == nil {
		return ErrNotInitialized
	}
	return s.Write(w, n.raft.Status().Term)
}

// Restore makes a store out of a backup, in an empty data directory, whose node then
// is its only member. The root key has to be that of the backup. A new epoch begins:
// sidecars that have heard more than the backup knows begin anew, too. Nodes of the
// store as it was must not run any more. The error is raft.ErrNotEmpty if the
// directory holds a store.
func Restore(cfg Config, backup io.Reader) (wire.Header, error) {
	n, err := offline(&cfg)
	if err != nil {
		return wire.Header{}, err
	}
	s, err := wire.ReadSnapshot(backup, SideBySide)
	if err != nil {
		return wire.Header{}, fmt.Errorf("cluster: backup: %w", err)
	}
	cluster := s.View.Store().ClusterID
	if cluster == "" {
		return wire.Header{}, errors.New("cluster: the backup is of a store that was not initialised")
	}
	if err := n.checkRoot(cluster, s.View); err != nil {
		return wire.Header{}, err
	}
	was, err := readCluster(cfg.Dir)
	if err != nil || was != "" && was != cluster {
		return wire.Header{}, errors.Join(err, fmt.Errorf("%w: %s belongs to cluster %s", raft.ErrNotEmpty, cfg.Dir, was))
	}
	n.machine.Load(s)
	n.machine.BeginEpoch(newEpoch())
	term := max(s.Header.Term, 1)
	if err := raft.Seed(cfg.Raft, &recovering{machine: fsm.New()}, cfg.reachable(), uint64(s.Header.Index), term, snapshot{n.machine.Snapshot()}); err != nil {
		return wire.Header{}, err
	}
	return s.Header, n.writeRecord(clusterRecord{Cluster: cluster})
}

// Recover makes the node of a data directory the only member of its store, when a
// majority of the nodes is lost for good. It keeps all that this node has heard of,
// and begins a new epoch. It returns the index and term that the node had come to:
// of several survivors, the one with the highest term, and then the highest index,
// is the one to recover. The others have to join again, with empty directories.
func Recover(cfg Config) (index, term uint64, err error) {
	if _, err := offline(&cfg); err != nil {
		return 0, 0, err
	}
	cluster, err := readCluster(cfg.Dir)
	if err != nil {
		return 0, 0, err
	}
	if cluster == "" {
		return 0, 0, ErrNotInitialized
	}
	return raft.Recover(cfg.Raft, &recovering{machine: fsm.New()}, cfg.reachable())
}

// Progress returns how far the log of a data directory has come: the index and term
// of its last entry, for comparing survivors. The node must not be running.
func Progress(cfg Config) (index, term uint64, err error) {
	if _, err := offline(&cfg); err != nil {
		return 0, 0, err
	}
	return raft.Progress(cfg.Raft, &recovering{machine: fsm.New()})
}

// offline returns a node that takes part in nothing, for working on its files.
func offline(cfg *Config) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.setDefaults()
	return &Node{cfg: *cfg, log: cfg.Logger, machine: fsm.New()}, nil
}

// reachable is where others will reach the node. It makes its address known by
// itself, should it be another when it runs.
func (c *Config) reachable() string {
	if c.Advertise != "" {
		return c.Advertise
	}
	if c.Listen != "" {
		return c.Listen
	}
	return "local"
}

// checkRoot opens a secret of the store, so that a wrong root key is found out now
// and not at the first signature.
func (n *Node) checkRoot(cluster string, v *state.View) error {
	k, err := n.deriveKeys(cluster)
	if err != nil {
		return err
	}
	for key := range v.AccessKeys("") {
		if key.Owner.Kind != iam.KindRoot {
			continue
		}
		if _, err := k.seal.Open(k.record(key.ID), key.Secret); err != nil {
			return fmt.Errorf("cluster: the root key is not that of the backup: %w", err)
		}
		return nil
	}
	return nil
}

// recovering replays a log once, and begins a new epoch at its end.
type recovering struct{ machine *fsm.Machine }

var _ raft.StateMachine = (*recovering)(nil)

// Apply puts entries into effect.
func (r *recovering) Apply(entries []raft.Entry) ([][]any, error) {
	batch := make([]fsm.Entry, len(entries))
	for i, e := range entries {
		batch[i] = fsm.Entry{Index: iam.Index(e.Index), Commands: e.Commands}
	}
	_, err := r.machine.Apply(batch)
	return make([][]any, len(entries)), err
}

// Snapshot captures the end of the log.
func (r *recovering) Snapshot() (raft.Snapshot, error) {
	r.machine.BeginEpoch(newEpoch())
	return snapshot{r.machine.Snapshot()}, nil
}

// Restore begins with a snapshot.
func (r *recovering) Restore(in io.Reader) (uint64, error) {
	err := r.machine.Restore(in, SideBySide)
	return uint64(r.machine.View().Index()), err
}
