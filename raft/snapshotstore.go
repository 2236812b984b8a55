package raft

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	hraft "github.com/hashicorp/raft"
)

// snapshotDir is the folder of a data directory that holds the snapshots.
const snapshotDir = "snapshots"

// snapshotStore keeps snapshots on disk and the log in agreement with them.
type snapshotStore struct {
	hraft.SnapshotStore
	disk *disk
	log  *logStore
}

// Create begins a snapshot.
func (s *snapshotStore) Create(version hraft.SnapshotVersion, index, term uint64, servers hraft.Configuration, serversIndex uint64, t hraft.Transport) (hraft.SnapshotSink, error) {
	sink, err := s.SnapshotStore.Create(version, index, term, servers, serversIndex, t)
	if err != nil {
		return nil, err
	}
	return &snapshotSink{sink, s, index, term}, nil
}

type snapshotSink struct {
	hraft.SnapshotSink
	store       *snapshotStore
	index, term uint64
}

// Write appends to the snapshot. A failure costs the snapshot, not the node.
func (k *snapshotSink) Write(p []byte) (n int, err error) {
	err = k.store.disk.timed(OpSnapshotWrite, func() error {
		n, err = k.SnapshotSink.Write(p)
		return err
	})
	return n, err
}

// Close makes the snapshot valid and durable.
func (k *snapshotSink) Close() error {
	if err := k.store.disk.timed(OpSnapshotClose, k.SnapshotSink.Close); err != nil {
		return err
	}
	dropped, err := dropConflict(k.store.log, k.index, k.term)
	if err != nil {
		return err
	}
	if dropped {
		k.store.disk.fail(fmt.Errorf("%w: the snapshot at %d replaced a log that had gone another way", ErrRestart, k.index))
	}
	return nil
}

// dropConflict empties a log that contradicts a durable snapshot: its entry at the
// snapshot's index is of another term, so it was never committed. The library
// keeps such a log, then finds that what follows the snapshot does not fit, and
// asks for the snapshot again, for ever (hashicorp/raft#697). What it has in memory
// about its log cannot be corrected from outside; hence the restart.
func dropConflict(log *logStore, index, term uint64) (bool, error) {
	var entry hraft.Log
	switch err := log.read(index, &entry); {
	case err == hraft.ErrLogNotFound:
		return false, nil
	case err != nil:
		return false, err
	case entry.Term == term:
		return false, nil
	}
	first, err := log.FirstIndex()
	if err != nil {
		return false, err
	}
	last, err := log.LastIndex()
	if err != nil {
		return false, err
	}
	return true, log.DeleteRange(first, last)
}

// removeUnfinished deletes what crashes in the middle of a snapshot left behind;
// the library passes it over and keeps it.
func removeUnfinished(dir string) error {
	entries, err := os.ReadDir(filepath.Join(dir, snapshotDir))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("raft: %w", err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".tmp") {
			if err := os.RemoveAll(filepath.Join(dir, snapshotDir, e.Name())); err != nil {
				return fmt.Errorf("raft: remove unfinished snapshot: %w", err)
			}
		}
	}
	return nil
}

// checkSnapshots reads the newest snapshot through, checksum included, and returns
// where it ends; zeros if there is none. The library would fall back on an older
// one, which is right only if the log still reaches back that far: so a person
// decides.
func checkSnapshots(dir string, store hraft.SnapshotStore) (index, term uint64, err error) {
	path := filepath.Join(dir, snapshotDir)
	if err := checkSnapshotMeta(path); err != nil {
		return 0, 0, err
	}
	list, err := store.List()
	if err != nil || len(list) == 0 {
		return 0, 0, err
	}
	_, r, err := store.Open(list[0].ID)
	if err != nil {
		return 0, 0, &CorruptError{
			Path:   filepath.Join(path, list[0].ID),
			Detail: err.Error(),
			Remedy: snapshotRemedy,
		}
	}
	defer r.Close()
	if _, err := io.Copy(io.Discard, r); err != nil {
		return 0, 0, fmt.Errorf("raft: read snapshot: %w", err)
	}
	return list[0].Index, list[0].Term, nil
}

const snapshotRemedy = "move that folder away to fall back on the snapshot before it and the log, or, in a cluster, move the whole data directory away and join again"

// checkSnapshotMeta finds snapshots that the library would pass over because their
// description is unreadable.
func checkSnapshotMeta(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("raft: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() || strings.HasSuffix(e.Name(), ".tmp") {
			continue
		}
		if err := readMeta(filepath.Join(path, e.Name(), "meta.json"), e.Name()); err != nil {
			return &CorruptError{filepath.Join(path, e.Name(), "meta.json"), err.Error(), snapshotRemedy}
		}
	}
	return nil
}
