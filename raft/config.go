package raft

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Config says how a node keeps its log. [DefaultConfig] fills everything but Dir.
// The three election times have to be equal on all voters.
type Config struct {
	// Dir is the data directory, created with mode 0700. One process at a time.
	Dir string

	// Network makes what reaches the other nodes, given the id of this one; nil for a
	// node that has no peers. [Open] calls it.
	Network func(id string) (Network, error)

	// Heartbeat is how long a follower hears nothing before it asks for an election;
	// 500 ms. Election is how long a candidate waits; at least Heartbeat. Lease is how
	// long a leader goes on without a majority: equal to Heartbeat, because heartbeats
	// wait behind disk writes here (hashicorp/raft#695) and a shorter lease would
	// depose a leader for one slow write.
	Heartbeat, Election, Lease time.Duration

	// CommitInterval is how long a leader may keep a commit index to itself when
	// nothing is proposed, once to twice; 10 ms, because followers, their sidecars, and
	// who wrote through a follower wait for it.
	CommitInterval time.Duration

	// MaxAppend is how many entries travel in one request; 256, at most 1024.
	MaxAppend int

	// BatchCommands and BatchBytes bound what shares a log entry; 256 and 512 KiB.
	BatchCommands, BatchBytes int

	// MaxCommand is the largest command, in bytes; 512 KiB, at most BatchBytes.
	MaxCommand int

	// MaxInFlight and MaxInFlightBytes bound what is proposed and not yet applied;
	// 4096 commands and 32 MiB. Beyond, [ErrOverloaded].
	MaxInFlight      int
	MaxInFlightBytes int

	// SnapshotThreshold is how many entries lie between snapshots; 65,536.
	// SnapshotInterval is how often that is looked at; 60 s. SnapshotsKept is how many
	// stay on disk; 3. TrailingLogs is how many entries stay in the log behind a
	// snapshot, so that a node that was away catches up without one; 262,144.
	SnapshotThreshold, TrailingLogs uint64
	SnapshotInterval                time.Duration
	SnapshotsKept                   int

	// LeaderStall and FollowerStall are how long one disk operation may take before
	// the node stops itself; 2 s and 5 s. StallWarning is when it is logged; 500 ms.
	LeaderStall, FollowerStall, StallWarning time.Duration

	// MinFree is the room on the disk below which writes are refused, in bytes;
	// 64 MiB. Zero: no limit.
	MinFree uint64

	// Free returns the room on the disk of a directory, in bytes; nil asks the file
	// system.
	Free func(dir string) (uint64, error)

	// Logger gets what happens; nil discards.
	Logger *slog.Logger

	// Disk is asked before each operation on the disk; nil in production. It may
	// block or fail, as a disk does.
	Disk func(op DiskOp) error
}

// DiskOp names an operation on the disk.
type DiskOp string

// The operations that change what is on the disk.
const (
	OpAppend        DiskOp = "append"         // entries at the end of the log
	OpTruncate      DiskOp = "truncate"       // entries off the end of the log
	OpCompact       DiskOp = "compact"        // entries off the beginning of the log
	OpVote          DiskOp = "vote"           // term or vote
	OpSnapshotWrite DiskOp = "snapshot write" // a part of a snapshot
	OpSnapshotClose DiskOp = "snapshot close" // a snapshot becomes valid
)

// DefaultConfig returns the values named at the fields of [Config].
func DefaultConfig() Config {
	return Config{
		Heartbeat: 500 * time.Millisecond, Election: 500 * time.Millisecond, Lease: 500 * time.Millisecond,
		CommitInterval: 10 * time.Millisecond,
		MaxAppend:      256,
		BatchCommands:  256, BatchBytes: 512 << 10, MaxCommand: 512 << 10,
		MaxInFlight: 4096, MaxInFlightBytes: 32 << 20,
		SnapshotThreshold: 65_536, TrailingLogs: 262_144,
		SnapshotInterval: 60 * time.Second, SnapshotsKept: 3,
		LeaderStall: 2 * time.Second, FollowerStall: 5 * time.Second, StallWarning: 500 * time.Millisecond,
		MinFree: 64 << 20,
	}
}

// Validate reports the first field that cannot work, and what would.
func (c *Config) Validate() error {
	switch {
	case c.Dir == "":
		return errors.New("raft config: Dir is empty, a data directory is needed")
	case c.Heartbeat < 10*time.Millisecond:
		return fmt.Errorf("raft config: Heartbeat %v is below 10ms", c.Heartbeat)
	case c.Election < c.Heartbeat:
		return fmt.Errorf("raft config: Election %v is below Heartbeat %v", c.Election, c.Heartbeat)
	case c.Lease > c.Heartbeat || c.Lease < 5*time.Millisecond:
		return fmt.Errorf("raft config: Lease %v is not between 5ms and Heartbeat %v", c.Lease, c.Heartbeat)
	case c.CommitInterval < time.Millisecond:
		return fmt.Errorf("raft config: CommitInterval %v is below 1ms", c.CommitInterval)
	case c.MaxAppend < 1 || c.MaxAppend > 1024:
		return fmt.Errorf("raft config: MaxAppend %d is not between 1 and 1024", c.MaxAppend)
	case c.BatchCommands < 1 || c.BatchBytes < 1:
		return errors.New("raft config: BatchCommands and BatchBytes have to be at least 1")
	case c.MaxCommand < 1 || c.MaxCommand > c.BatchBytes:
		return fmt.Errorf("raft config: MaxCommand %d is not between 1 and BatchBytes %d", c.MaxCommand, c.BatchBytes)
	case c.MaxInFlight < 1 || c.MaxInFlightBytes < c.MaxCommand:
		return errors.New("raft config: MaxInFlight has to be at least 1, MaxInFlightBytes at least MaxCommand")
	case c.SnapshotThreshold < 1 || c.SnapshotInterval < 5*time.Millisecond || c.SnapshotsKept < 1:
		return errors.New("raft config: SnapshotThreshold and SnapshotsKept have to be at least 1, SnapshotInterval 5ms")
	case c.LeaderStall <= 0 || c.FollowerStall <= 0 || c.StallWarning <= 0:
		return errors.New("raft config: LeaderStall, FollowerStall and StallWarning have to be positive")
	}
	return nil
}
