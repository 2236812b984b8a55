package raft

import (
	"errors"
	"fmt"
	"io"

	hraft "github.com/hashicorp/raft"
)

// ErrNotEmpty: a state was to be put into a data directory that has one.
var ErrNotEmpty = errors.New("raft: the data directory is not empty")

// Recover makes the node of a data directory the only member of its cluster, reached
// at address, when the others are lost. All that is in its log takes effect,
// acknowledged or not. The node must not be running, and the state machine must not
// be used afterwards; its Snapshot becomes the state that the node starts with. It
// returns the index and term that the log had come to.
func Recover(cfg Config, to StateMachine, address string) (index, term uint64, err error) {
	cfg.Network = nil
	n, err := Open(cfg, to)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	if has, err := n.hasState(); err != nil || !has {
		return 0, 0, errors.Join(err, errors.New("raft: there is nothing to recover: the data directory holds no log and no snapshot"))
	}
	_, transport := hraft.NewInmemTransport(joinAddress(n.id, "local"))
	if err := hraft.RecoverCluster(n.libraryConfig(), n.machine, n.logs, n.stable, n.snaps, transport, n.alone(address)); err != nil {
		return 0, 0, fmt.Errorf("raft: recover: %w", errors.Join(err, n.reason()))
	}
	list, err := n.snaps.List()
	if err != nil || len(list) == 0 {
		return 0, 0, fmt.Errorf("raft: recover: no snapshot was written: %w", err)
	}
	return list[0].Index, list[0].Term, nil
}

// Seed puts a state that a backup holds into an empty data directory, whose node
// then is the only member of its cluster, reached at address. The state ends at
// index, in term. The error is [ErrNotEmpty] if there is a log or snapshot already.
func Seed(cfg Config, to StateMachine, address string, index, term uint64, state io.WriterTo) (err error) {
	cfg.Network = nil
	n, err := Open(cfg, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	if has, err := n.hasState(); err != nil || has {
		return errors.Join(err, fmt.Errorf("%w: %s", ErrNotEmpty, cfg.Dir))
	}
	_, transport := hraft.NewInmemTransport(joinAddress(n.id, "local"))
	sink, err := n.snaps.Create(hraft.SnapshotVersionMax, index, term, n.alone(address), 1, transport)
	if err != nil {
		return fmt.Errorf("raft: seed: %w", err)
	}
	if _, err := state.WriteTo(sink); err != nil {
		return fmt.Errorf("raft: seed: %w", errors.Join(err, sink.Cancel()))
	}
	// The snapshot is what makes the directory count, so it goes last.
	if err := n.stable.SetUint64([]byte(keyTerm), term); err != nil {
		return fmt.Errorf("raft: seed: %w", errors.Join(err, sink.Cancel()))
	}
	return sink.Close()
}

// Progress returns the index and term of the last entry in a data directory, whose
// node must not be running.
func Progress(cfg Config, to StateMachine) (index, term uint64, err error) {
	cfg.Network = nil
	n, err := Open(cfg, to)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	if index, err = n.logs.LastIndex(); err != nil {
		return 0, 0, err
	}
	var last hraft.Log
	if err := n.logs.GetLog(index, &last); err == nil {
		return index, last.Term, nil
	}
	list, err := n.snaps.List()
	if err != nil || len(list) == 0 {
		return 0, 0, err
	}
	return list[0].Index, list[0].Term, nil
}

// alone is the configuration of a cluster of this node.
func (n *Node) alone(address string) hraft.Configuration {
	return hraft.Configuration{Servers: []hraft.Server{{
		ID: hraft.ServerID(n.id), Address: joinAddress(n.id, address), Suffrage: hraft.Voter,
	}}}
}

// hasState reports whether the directory holds a log or a snapshot.
func (n *Node) hasState() (bool, error) {
	last, err := n.logs.LastIndex()
	if err != nil {
		return false, err
	}
	list, err := n.snaps.List()
	return last > 0 || len(list) > 0, err
}
