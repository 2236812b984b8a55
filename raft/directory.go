package raft

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/cespare/xxhash/v2"
)

// The files of a data directory.
const (
	lockFile = "lock"
	idFile   = "server-id"
	logFile  = "raft.db"
)

// ErrInUse: another process works with the data directory.
var ErrInUse = errors.New("raft: data directory is in use by another process")

// lockDirectory makes this process the only one to use dir until the file is
// closed, which the kernel does for a process that dies.
func lockDirectory(dir string) (*os.File, error) {
	path := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("raft: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder := make([]byte, 32)
		n, _ := f.Read(holder)
		f.Close()
		return nil, fmt.Errorf("%w: %s is locked (by process %s)", ErrInUse, path, strings.TrimSpace(string(holder[:n])))
	}
	// The number only helps a person to find the other process.
	if err := errors.Join(f.Truncate(0), writeAt(f, fmt.Sprintln(os.Getpid()))); err != nil {
		f.Close()
		return nil, fmt.Errorf("raft: %w", err)
	}
	return f, nil
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// serverID returns the id of the data directory, making one the first time.
//
// The id belongs to the directory and not to the host: a node whose disk was
// replaced is another node. Were it to come back under its old id, it would vote
// with an empty log and acknowledged writes could be lost.
func serverID(dir string) (string, error) {
	path := filepath.Join(dir, idFile)
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return mintID(dir, path)
	}
	if err != nil {
		return "", fmt.Errorf("raft: %w", err)
	}
	id, sum, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	if sum != idSum(id) {
		return "", &CorruptError{path, "the id does not match its checksum", logRemedy}
	}
	return id, nil
}

func idSum(id string) string { return fmt.Sprintf("%016x", xxhash.Sum64String(id)) }

func mintID(dir, path string) (string, error) {
	if _, err := os.Stat(filepath.Join(dir, logFile)); err == nil {
		return "", &CorruptError{path, "the file is missing beside an existing log", logRemedy}
	}
	raw := make([]byte, 16)
	rand.Read(raw)
	id := idEncoding.EncodeToString(raw)
	if err := WriteFileDurably(path, []byte(id+" "+idSum(id)+"\n")); err != nil {
		return "", err
	}
	return id, nil
}

// WriteFileDurably replaces the file at path by one with that content and mode
// 0600. After a crash either the old or the new content is there, whole.
func WriteFileDurably(path string, content []byte) error {
	temporary := path + ".tmp"
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("raft: %w", err)
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("raft: %w", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("raft: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("raft: %w", err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("raft: %w", err)
	}
	return nil
}
