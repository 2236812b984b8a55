package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Limits of a log.
const (
	// segmentSize is the size in bytes from which on a new file begins.
	segmentSize = 64 << 20
	// maxPending is how many bytes wait for a disk that does not take them before
	// calls are refused for it.
	maxPending = 4 << 20
	// maxLine is the longest line that is read, in bytes. A call's parameters are
	// bounded well below it.
	maxLine = 4 << 20
)

// Log writes records to the files of a directory. It is safe for concurrent use.
type Log struct {
	dir  string
	node string

	mu       sync.Mutex // guards the rest of this block
	sequence uint64
	hash     Hash
	pending  []byte // lines that are not written yet
	err      error  // of the last attempt to write, nil if it succeeded

	disk    sync.Mutex // held while writing; taken before mu
	file    *os.File
	size    int64  // of the file's good part
	flushed uint64 // sequence of the last record written
	synced  uint64 // and of the last that survives a loss of power
}

// Open opens the log in dir, which is made if it is not there, and goes on behind its
// last record. A line that a crash left incomplete is cut off. Node names the node in
// records.
func Open(dir, node string) (*Log, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	names, err := segments(dir)
	if err != nil {
		return nil, err
	}
	l := &Log{dir: dir, node: node}
	if len(names) == 0 {
		return l, l.begin(1)
	}
	last := names[len(names)-1]
	end, err := readTail(last)
	if err != nil {
		return nil, err
	}
	if end.sequence == 0 && len(names) > 1 { // a file that was begun and not used
		if before, err := readTail(names[len(names)-2]); err == nil {
			end.sequence, end.hash = before.sequence, before.hash
		} else {
			return nil, err
		}
	}
	l.sequence, l.hash, l.flushed, l.synced, l.size = end.sequence, end.hash, end.sequence, end.sequence, end.size
	if l.file, err = os.OpenFile(last, os.O_RDWR, 0o600); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	if err := l.file.Truncate(l.size); err != nil {
		return nil, errors.Join(fmt.Errorf("audit: %w", err), l.file.Close())
	}
	return l, nil
}

// segments are the paths of a directory's files, in the order of their records.
func segments(dir string) ([]string, error) {
	names, err := filepath.Glob(filepath.Join(dir, "audit-*.jsonl"))
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	slices.Sort(names)
	return names, nil
}

// begin starts the file whose first record has the given sequence.
func (l *Log) begin(sequence uint64) error {
	name := filepath.Join(l.dir, fmt.Sprintf("audit-%016d.jsonl", sequence))
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if err := syncDir(l.dir); err != nil {
		return errors.Join(err, file.Close())
	}
	if l.file != nil {
		if err := l.file.Close(); err != nil {
			return errors.Join(fmt.Errorf("audit: %w", err), file.Close())
		}
	}
	l.file, l.size = file, 0
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// Append adds a record, whose Sequence and Node it sets. If durable, the record is on
// disk when it returns nil; otherwise it is with the operating system. Calls share
// writes. After an error the record is kept, and the next call tries again.
func (l *Log) Append(r Record, durable bool) error {
	sequence, err := l.add(r)
	if err != nil {
		return err
	}
	l.disk.Lock()
	defer l.disk.Unlock()
	if l.synced >= sequence || !durable && l.flushed >= sequence {
		return nil
	}
	return l.flush(durable)
}

func (l *Log) add(r Record) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil && len(l.pending) > maxPending {
		return 0, l.err
	}
	r.Sequence, r.Node = l.sequence+1, l.node
	text, hash, err := line(l.hash, r)
	if err != nil {
		return 0, err
	}
	l.sequence, l.hash, l.pending = r.Sequence, hash, append(l.pending, text...)
	return r.Sequence, nil
}

// flush writes what is pending. The disk is held.
func (l *Log) flush(durable bool) error {
	l.mu.Lock()
	text, last := l.pending, l.sequence
	l.pending = nil
	l.mu.Unlock()
	err := l.write(text, last, durable)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err = err; err != nil {
		l.pending = append(text, l.pending...)
	}
	return err
}

func (l *Log) write(text []byte, last uint64, durable bool) error {
	if l.size >= segmentSize {
		if err := l.begin(l.flushed + 1); err != nil {
			return err
		}
	}
	if _, err := l.file.WriteAt(text, l.size); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if durable {
		if err := l.file.Sync(); err != nil {
			return fmt.Errorf("audit: %w", err)
		}
	}
	l.size += int64(len(text))
	l.flushed = last
	if durable {
		l.synced = last
	}
	return nil
}

// Err is why records cannot be written, nil if the last attempt succeeded. It tries
// again what is pending.
func (l *Log) Err() error {
	l.mu.Lock()
	failed := l.err != nil
	l.mu.Unlock()
	if !failed {
		return nil
	}
	l.disk.Lock()
	defer l.disk.Unlock()
	return l.flush(true)
}

// Head is the sequence and the hash of the newest record.
func (l *Log) Head() (uint64, Hash) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sequence, l.hash
}

// Read returns up to limit entries behind a sequence, oldest first, that have been
// written.
func (l *Log) Read(after uint64, limit int) ([]Entry, error) { return Read(l.dir, after, limit) }

// Close writes what is pending and closes the file.
func (l *Log) Close() error {
	l.disk.Lock()
	defer l.disk.Unlock()
	err := l.flush(true)
	if closing := l.file.Close(); closing != nil && !errors.Is(closing, fs.ErrClosed) {
		err = errors.Join(err, closing)
	}
	return err
}

// firstOf is the sequence of a file's first record, by its name.
func firstOf(name string) (sequence uint64, err error) {
	text := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(name), "audit-"), ".jsonl")
	if _, err := fmt.Sscanf(text, "%d", &sequence); err != nil {
		return 0, fmt.Errorf("audit: %s is not named for its first record", name)
	}
	return sequence, nil
}
