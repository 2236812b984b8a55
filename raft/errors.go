package raft

import (
	"errors"
	"fmt"
)

// What a call may fail with. Those of the first group say that nothing happened,
// so that the same command may be proposed again, here or at another node.
var (
	// ErrNotLeader: another node leads, or none does. Ask [Node.Leader] where to go.
	ErrNotLeader = errors.New("raft: this node is not the leader")
	// ErrOverloaded: too many commands or bytes are in flight. Wait and try again.
	ErrOverloaded = errors.New("raft: too many commands in flight")
	// ErrDiskFull: too little room is left for more log. Reads go on; writes do when
	// there is room again.
	ErrDiskFull = errors.New("raft: disk full, writes are refused")
	// ErrTooLarge: the command is larger than Config.MaxCommand.
	ErrTooLarge = errors.New("raft: command is too large")
	// ErrStopped: the node is closed, was never run, or has stopped itself.
	ErrStopped = errors.New("raft: node has stopped")
	// ErrCancelled: the caller's context ended before the command left the queue.
	ErrCancelled = errors.New("raft: cancelled before it was proposed")

	// ErrUnknownOutcome: the command may have been committed, may be later, or never.
	// It must not be proposed again unless the state machine recognises repetitions.
	ErrUnknownOutcome = errors.New("raft: the outcome of the command is not known")
)

// Why a node stops itself. [Node.Run] returns one of these, wrapped.
var (
	// ErrDiskStalled: the disk did not answer for too long. The process must end, so
	// that a hung leader is replaced (hashicorp/raft#503).
	ErrDiskStalled = errors.New("raft: disk stalled")
	// ErrDiskFailed: a write or sync failed. What the kernel kept of it is not known,
	// so it is never tried again in this process (hashicorp/raft#614).
	ErrDiskFailed = errors.New("raft: disk failed")
	// ErrCorrupt: bytes in the log are not what was written. Going on would diverge.
	ErrCorrupt = errors.New("raft: corrupt data")
	// ErrMachine: the state machine could not apply a committed entry.
	ErrMachine = errors.New("raft: state machine failed")
	// ErrRestart: the node is sound but has to be opened again to go on.
	ErrRestart = errors.New("raft: node has to be started again")
)

// A CorruptError refuses to start on damaged files. It names the file and the way
// out.
type CorruptError struct {
	Path   string
	Detail string
	Remedy string
}

// Error returns the three on one line.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s is damaged: %s; %s", e.Path, e.Detail, e.Remedy)
}

// Is makes a CorruptError an [ErrCorrupt].
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }
