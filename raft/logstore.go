package raft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
	hraft "github.com/hashicorp/raft"
)

// compactChunk is how many entries one transaction removes from the beginning of
// the log. A transaction holds up appends, about 10 ms for a chunk on a slow disk.
const compactChunk = 512

// logStore keeps log entries with a checksum of all that they say, timed and
// failing for good as [disk] does.
//
// The bolt file has no checksums of its own, and the entries that the library
// makes itself (elections, membership) carry none, so each stored entry gets one,
// appended to its extensions and taken off when it is read.
type logStore struct {
	store hraft.LogStore
	disk  *disk
	// cut is set when entries were taken off the end to make way for others. Those
	// have to be stored then, full disk or not: the library does not expect less.
	cut atomic.Bool
}

var errFollowerFull = errors.New("disk full, the log is not extended")

func entrySum(log *hraft.Log, extensions []byte) []byte {
	var head [17]byte
	binary.BigEndian.PutUint64(head[:], log.Index)
	binary.BigEndian.PutUint64(head[8:], log.Term)
	head[16] = byte(log.Type)
	h := xxhash.New()
	h.Write(head[:])
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(log.Data))))
	h.Write(log.Data)
	h.Write(extensions)
	return binary.BigEndian.AppendUint64(nil, h.Sum64())
}

// verifyStored checks an entry as it lies in the store and takes its checksum off.
func verifyStored(log *hraft.Log, index uint64) error {
	n := len(log.Extensions) - 8
	if n < 0 || log.Index != index || string(log.Extensions[n:]) != string(entrySum(log, log.Extensions[:n])) {
		return fmt.Errorf("%w: stored log entry %d does not match its checksum", ErrCorrupt, index)
	}
	log.Extensions = log.Extensions[:n:n]
	return nil
}

func (s *logStore) FirstIndex() (uint64, error) { return s.store.FirstIndex() }
func (s *logStore) LastIndex() (uint64, error)  { return s.store.LastIndex() }

// GetLog is called by the library, which panics if an entry cannot be read.
func (s *logStore) GetLog(index uint64, log *hraft.Log) error {
	err := s.read(index, log)
	if errors.Is(err, ErrCorrupt) {
		s.disk.fail(err)
		s.disk.abandon()
	}
	return err
}

// read returns an entry, hraft.ErrLogNotFound, or an [ErrCorrupt].
func (s *logStore) read(index uint64, log *hraft.Log) error {
	if err := s.store.GetLog(index, log); err != nil {
		return err
	}
	return verifyStored(log, index)
}

func (s *logStore) StoreLog(log *hraft.Log) error { return s.StoreLogs([]*hraft.Log{log}) }

// StoreLogs appends entries; they are on the disk when it returns.
func (s *logStore) StoreLogs(logs []*hraft.Log) error {
	if !s.cut.Load() && s.disk.room.short(0.5) && hasCommand(logs) {
		return errFollowerFull
	}
	sealed := make([]*hraft.Log, len(logs))
	for i, log := range logs {
		c := *log
		c.Extensions = append(append(make([]byte, 0, len(log.Extensions)+8), log.Extensions...), entrySum(log, log.Extensions)...)
		sealed[i] = &c
	}
	err := s.disk.do(OpAppend, func() error { return s.store.StoreLogs(sealed) })
	if err == nil {
		s.cut.Store(false)
	}
	return err
}

func hasCommand(logs []*hraft.Log) bool {
	for _, log := range logs {
		if log.Type == hraft.LogCommand {
			return true
		}
	}
	return false
}

// DeleteRange removes entries. From the beginning it goes in chunks, lowest first,
// so that appends get their turn in between and a crash leaves a shorter log. At
// the end it is one transaction: a crash in the middle of several would leave a
// hole below the last entry.
func (s *logStore) DeleteRange(low, high uint64) error {
	last, err := s.store.LastIndex()
	if err != nil {
		return err
	}
	if high >= last {
		s.cut.Store(true)
		return s.disk.do(OpTruncate, func() error { return s.store.DeleteRange(low, high) })
	}
	for from := low; from <= high; from += compactChunk {
		to := min(from+compactChunk-1, high)
		if err := s.disk.do(OpCompact, func() error { return s.store.DeleteRange(from, to) }); err != nil {
			return err
		}
	}
	return nil
}
