package raft

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	hraft "github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
)

// logCache is how many of the newest entries are kept in memory for followers.
const logCache = 4096

// Node is one server's part of the replicated log. All methods are safe for
// concurrent use.
type Node struct {
	cfg Config
	id  string
	log *slog.Logger

	lock    *os.File
	bolt    *raftboltdb.BoltStore
	disk    *disk
	logs    hraft.LogStore // cached
	stable  *stableStore
	snaps   *snapshotStore
	machine *machine

	network   Network // nil: none
	transport transport
	raft      *hraft.Raft // set before running is closed
	running   chan struct{}
	stopping  chan struct{} // closed when Run is about to end
	gone      chan struct{} // closed when the library answers nobody any longer
	stopped   chan struct{} // closed when nothing is left running
	ran       sync.Once
	closed    sync.Once

	failOnce sync.Once
	failure  error         // set before failed is closed
	failed   chan struct{} // closed when the node cannot go on

	queue   *queue
	reads   *readRounds
	changes *notifier
	contact contact

	handOver handOver
}

// Open makes a node from its data directory. It refuses, with an error that says
// what to do, a directory that another process uses ([ErrInUse]) and damaged files
// ([ErrCorrupt]). It starts nothing; a node that is not run has to be closed.
func Open(cfg Config, to StateMachine) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Free == nil {
		cfg.Free = freeBytes
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("raft: %w", err)
	}
	lock, err := lockDirectory(cfg.Dir)
	if err != nil {
		return nil, err
	}
	n := &Node{
		cfg: cfg, log: cfg.Logger, lock: lock,
		running: make(chan struct{}), stopping: make(chan struct{}), gone: make(chan struct{}), stopped: make(chan struct{}),
		failed:  make(chan struct{}),
		changes: newNotifier(),
	}
	n.queue = newQueue(cfg)
	n.reads = newReadRounds()
	n.machine = &machine{to: to, applied: newProgress(), fail: n.fail}
	if n.id, err = serverID(cfg.Dir); err == nil {
		err = n.openStores()
	}
	if err == nil && cfg.Network != nil {
		n.network, err = cfg.Network(n.id)
	}
	if err != nil {
		return nil, errors.Join(err, n.closeStores())
	}
	return n, nil
}

// openStores opens the files and believes nothing that it cannot verify.
func (n *Node) openStores() error {
	n.disk = newDisk(n.cfg.Disk, &room{dir: n.cfg.Dir, min: n.cfg.MinFree, free: n.cfg.Free}, n.fail)
	snapshots := filepath.Join(n.cfg.Dir, snapshotDir)
	if err := removeUnfinished(snapshots); err != nil {
		return err
	}
	files, err := hraft.NewFileSnapshotStoreWithLogger(n.cfg.Dir, n.cfg.SnapshotsKept, newSlogger(n.log))
	if err != nil {
		return fmt.Errorf("raft: %w", err)
	}
	snapshotIndex, snapshotTerm, err := checkSnapshots(snapshots, files)
	if err != nil {
		return err
	}
	path := filepath.Join(n.cfg.Dir, logFile)
	if err := checkFile(path); err != nil {
		return err
	}
	n.bolt, err = raftboltdb.New(raftboltdb.Options{Path: path, BoltOptions: &bbolt.Options{
		Timeout:         time.Second,
		NoFreelistSync:  true, // the freelist would be rewritten at every append
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: 1 << 30,
	}})
	if err != nil {
		return &CorruptError{path, err.Error(), logRemedy}
	}
	entries := &logStore{store: n.bolt, disk: n.disk}
	n.stable = &stableStore{store: n.bolt, disk: n.disk}
	n.snaps = &snapshotStore{SnapshotStore: files, dir: snapshots, disk: n.disk, log: entries}
	n.snaps.last.Store(snapshotIndex)
	if snapshotIndex > 0 {
		if dropped, err := dropConflict(entries, snapshotIndex, snapshotTerm); err != nil {
			return &CorruptError{path, err.Error(), logRemedy}
		} else if dropped {
			n.log.Warn("log contradicted the newest snapshot and was emptied", "index", snapshotIndex)
		}
	}
	if err := checkLog(path, entries, n.stable, snapshotIndex); err != nil {
		return err
	}
	n.logs, err = hraft.NewLogCache(logCache, entries)
	return err
}

// ID returns the id of the node, which belongs to its data directory.
func (n *Node) ID() string { return n.id }

// Run takes part in the cluster until ctx is done, which gives nil, or until the
// node cannot go on safely, which gives the reason: one of the errors in the second
// block of errors.go. After such an error the process should end, because a disk
// that hangs may hold a goroutine for ever.
func (n *Node) Run(ctx context.Context) error {
	err := ErrStopped
	n.ran.Do(func() { err = n.run(ctx) })
	return err
}

func (n *Node) run(ctx context.Context) error {
	if err := n.start(); err != nil {
		close(n.stopping)
		close(n.stopped)
		return errors.Join(err, n.closeStores())
	}
	close(n.running)

	var loops, watching sync.WaitGroup
	background, stop := context.WithCancel(context.Background())
	for _, loop := range []func(context.Context){n.proposeLoop, n.completeLoop, n.readLoop, n.observe} {
		loops.Go(func() { loop(background) }) // stopped below, all by background
	}
	watched, unwatch := context.WithCancel(context.Background())
	watching.Go(func() { n.watch(watched) }) // stopped last: a disk may hang at the end too
	select {
	case <-ctx.Done():
	case <-n.failed:
	}
	close(n.stopping)
	stop()
	return n.stop(&loops, func() { unwatch(); watching.Wait() })
}

// start creates the library's instance. It panics at errors of the disk that it
// meets so early.
func (n *Node) start() (err error) {
	defer func() {
		if trouble := recover(); trouble != nil {
			n.transport.Close()
			err = fmt.Errorf("raft: start: %v", trouble)
		}
	}()
	n.transport = newTransport(n.network, n.id, n, newSlogger(n.log))
	r, err := hraft.NewRaft(n.libraryConfig(), n.machine, n.logs, n.stable, n.snaps, n.transport)
	if err != nil {
		n.transport.Close()
		return fmt.Errorf("raft: start: %w", err)
	}
	n.disk.running.Store(true)
	n.raft = r
	return nil
}

func (n *Node) libraryConfig() *hraft.Config {
	c := hraft.DefaultConfig()
	c.LocalID = hraft.ServerID(n.id)
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = n.cfg.Heartbeat, n.cfg.Election, n.cfg.Lease
	c.CommitTimeout = n.cfg.CommitInterval
	c.MaxAppendEntries = n.cfg.MaxAppend
	c.SnapshotThreshold, c.TrailingLogs, c.SnapshotInterval = n.cfg.SnapshotThreshold, n.cfg.TrailingLogs, n.cfg.SnapshotInterval
	c.ShutdownOnRemove = false // the cluster decides what becomes of a removed node
	c.NoLegacyTelemetry = true
	c.Logger = newSlogger(n.log)
	return c
}

// stop ends everything that run started. The loops finish first, while the library
// still answers what they have asked, unless it takes too long: a leader whose
// followers hear it and have no room for entries would never answer.
func (n *Node) stop(loops *sync.WaitGroup, unwatch func()) error {
	finished := make(chan error, 1)
	go func() { // ends by itself, unless the disk hangs for ever
		defer close(n.stopped)
		// A library that has lost its main goroutine answers nobody, until it is shut
		// down; and then not those whose question it had not read.
		waitAtMost(loops, 4*n.cfg.Lease)
		ended := n.raft.Shutdown() // a second call would wait for nothing
		close(n.gone)
		loops.Wait()
		err := ended.Error()
		unwatch()
		n.transport.Close()
		finished <- errors.Join(err, n.closeStores())
	}()
	select {
	case err := <-finished:
		if n.reason() == nil {
			return err
		}
	case <-n.failed:
		// Silence is what lets the others elect a leader.
		n.transport.Close()
		select {
		case <-finished:
		case <-time.After(time.Second):
		}
	}
	return n.reason()
}

func waitAtMost(loops *sync.WaitGroup, limit time.Duration) {
	done := make(chan struct{})
	go func() { // ends with the loops
		loops.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(limit):
	}
}

// reason returns why the node has stopped itself, nil if it has not.
func (n *Node) reason() error {
	select {
	case <-n.failed:
		return n.failure
	default:
		return nil
	}
}

func (n *Node) closeStores() (err error) {
	n.closed.Do(func() {
		if n.bolt != nil {
			err = n.bolt.Close()
		}
		err = errors.Join(err, n.lock.Close())
	})
	return err
}

// Close releases a node that was never run, and waits for one whose Run is ending.
func (n *Node) Close() error {
	n.ran.Do(func() {
		close(n.stopping)
		close(n.stopped)
	})
	<-n.stopped
	return n.closeStores()
}

// fail stops the node for good. The first reason counts.
func (n *Node) fail(err error) {
	n.failOnce.Do(func() {
		n.log.Error("node stops itself", "node", n.id, "reason", err)
		n.failure = err
		close(n.failed)
	})
}

// ready returns the library's instance, or [ErrStopped].
func (n *Node) ready() (*hraft.Raft, error) {
	select {
	case <-n.stopping:
		return nil, ErrStopped
	case <-n.failed:
		return nil, ErrStopped
	default:
	}
	select {
	case <-n.running:
		return n.raft, nil
	default:
		return nil, ErrStopped
	}
}

// Running is closed once the node takes part in the cluster.
func (n *Node) Running() <-chan struct{} { return n.running }

// Stopping is closed once the node has stopped taking part.
func (n *Node) Stopping() <-chan struct{} { return n.stopping }

// WaitApplied waits until the state machine holds the entry at index.
func (n *Node) WaitApplied(ctx context.Context, index uint64) error {
	for {
		applied, next := n.machine.applied.get()
		if applied >= index {
			return nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return ctx.Err()
		case <-n.stopping:
			return ErrStopped
		case <-n.failed:
			return ErrStopped
		}
	}
}
