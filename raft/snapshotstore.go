package raft

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
	hraft "github.com/hashicorp/raft"
)

// The folder of a data directory that holds the snapshots, and the file in each
// that describes it.
const (
	snapshotDir = "snapshots"
	metaFile    = "meta.json"
)

// snapshotStore keeps snapshots on disk and the log in agreement with them.
type snapshotStore struct {
	hraft.SnapshotStore
	dir  string // of the snapshots
	disk *disk
	log  *logStore
	last atomic.Uint64 // entry of the newest, zero if there is none
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
	if err := sumMeta(k.store.dir, k.ID()); err != nil {
		return err
	}
	dropped, err := dropConflict(k.store.log, k.index, k.term)
	if err != nil {
		return err
	}
	k.store.last.Store(k.index)
	if dropped {
		k.store.disk.fail(fmt.Errorf("%w: the snapshot at %d replaced a log that had gone another way", ErrRestart, k.index))
	}
	return nil
}

// covered returns the last entry that the newest snapshot has and the state machine
// too; zero if there is none.
func (n *Node) covered() uint64 {
	last := n.snaps.last.Load()
	// A snapshot that came from elsewhere is durable before it is in effect.
	if applied, _ := n.machine.applied.get(); last > applied {
		return 0
	}
	return last
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

// The description of a snapshot names the members of the cluster and has no
// checksum, so it gets one in a file beside the snapshot's folder.
const sumSuffix = ".sum"

func sumMeta(dir, id string) error {
	text, err := os.ReadFile(filepath.Join(dir, id, metaFile))
	if err != nil {
		return fmt.Errorf("raft: %w", err)
	}
	return WriteFileDurably(filepath.Join(dir, id+sumSuffix), fmt.Appendf(nil, "%016x\n", xxhash.Sum64(text)))
}

// removeUnfinished deletes what crashes left behind: snapshots that were never
// finished, which the library passes over and keeps; older ones that it had begun
// to remove, and so are without a description; and checksums without a snapshot.
func removeUnfinished(dir string) error {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("raft: %w", err)
	}
	newest := newestFolder(entries)
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if strings.HasSuffix(e.Name(), ".tmp") || isOrphan(path) || e.IsDir() && e.Name() != newest && isMissing(filepath.Join(path, metaFile)) {
			if err := os.RemoveAll(path); err != nil {
				return fmt.Errorf("raft: remove unfinished snapshot: %w", err)
			}
		}
	}
	return nil
}

// isOrphan reports whether path is a checksum whose snapshot is gone.
func isOrphan(path string) bool {
	snapshot, isSum := strings.CutSuffix(path, sumSuffix)
	return isSum && isMissing(snapshot)
}

func isMissing(path string) bool {
	_, err := os.Stat(path)
	return os.IsNotExist(err)
}

// newestFolder returns the finished snapshot with the highest term and index,
// which the name of its folder begins with.
func newestFolder(entries []os.DirEntry) (newest string) {
	var highest [3]uint64
	for _, e := range entries {
		var at [3]uint64
		if n, _ := fmt.Sscanf(e.Name(), "%d-%d-%d", &at[0], &at[1], &at[2]); n != 3 || !e.IsDir() || strings.HasSuffix(e.Name(), ".tmp") {
			continue
		}
		if newest == "" || slices.Compare(at[:], highest[:]) > 0 {
			newest, highest = e.Name(), at
		}
	}
	return newest
}

// checkSnapshots reads the newest snapshot through, checksum included, and returns
// where it ends; zeros if there is none. The library would fall back on an older
// one, which is right only if the log still reaches back that far: so a person
// decides.
func checkSnapshots(dir string, store hraft.SnapshotStore) (index, term uint64, err error) {
	if err := checkSnapshotMeta(dir); err != nil {
		return 0, 0, err
	}
	list, err := store.List()
	if err != nil || len(list) == 0 {
		return 0, 0, err
	}
	_, r, err := store.Open(list[0].ID)
	if err != nil {
		return 0, 0, &CorruptError{
			Path:   filepath.Join(dir, list[0].ID),
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
// description is unreadable, or would believe though it has changed.
func checkSnapshotMeta(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("raft: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() || strings.HasSuffix(e.Name(), ".tmp") {
			continue
		}
		if err := checkMeta(path, e.Name()); err != nil {
			return &CorruptError{filepath.Join(path, e.Name(), metaFile), err.Error(), snapshotRemedy}
		}
	}
	return nil
}
