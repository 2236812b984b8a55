package raft

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cespare/xxhash/v2"
	hraft "github.com/hashicorp/raft"
)

const logRemedy = "in a cluster, move the whole data directory away and join again; a single node has to be restored from a backup"

// checkLog reads every entry, the term and the vote. Behind the newest snapshot
// the entries have to be there without a gap.
func checkLog(path string, log *logStore, stable *stableStore, snapshotIndex uint64) error {
	refuse := func(err error) error { return &CorruptError{path, err.Error(), logRemedy} }

	_, termErr := stable.get(keyTerm)
	_, voteErr := stable.get(keyVote)
	for _, err := range []error{termErr, voteErr} {
		if err != nil && err != errNotFound {
			return refuse(err)
		}
	}
	first, err := log.FirstIndex()
	if err != nil {
		return refuse(err)
	}
	last, err := log.LastIndex()
	if err != nil {
		return refuse(err)
	}
	if last > 0 && termErr == errNotFound {
		return refuse(errors.New("there is a log but no term"))
	}
	if last > snapshotIndex && first > snapshotIndex+1 {
		return refuse(fmt.Errorf("the log begins at entry %d, but the newest snapshot ends at %d", first, snapshotIndex))
	}
	for i := first; i <= last && i != 0; i++ {
		var entry hraft.Log
		switch err := log.read(i, &entry); {
		case err == hraft.ErrLogNotFound && i <= snapshotIndex:
		case err != nil:
			return refuse(fmt.Errorf("log entry %d: %w", i, err))
		}
	}
	return nil
}

// checkMeta verifies the description of a snapshot, whose folder is named after
// it. Its checksum is missing if the process ended right after the snapshot was
// finished, and is made up for.
func checkMeta(dir, folder string) error {
	text, err := os.ReadFile(filepath.Join(dir, folder, metaFile))
	if err != nil {
		return err
	}
	var meta hraft.SnapshotMeta
	if err := json.Unmarshal(text, &meta); err != nil {
		return err
	}
	if meta.ID != folder || !strings.HasPrefix(folder, fmt.Sprintf("%d-%d-", meta.Term, meta.Index)) {
		return errors.New("it describes another snapshot")
	}
	sum, err := os.ReadFile(filepath.Join(dir, folder+sumSuffix))
	switch {
	case os.IsNotExist(err):
		return sumMeta(dir, folder)
	case err != nil:
		return err
	case strings.TrimSpace(string(sum)) != fmt.Sprintf("%016x", xxhash.Sum64(text)):
		return errors.New("it does not match its checksum")
	}
	return nil
}
