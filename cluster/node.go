package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/cluster/enrol"
	"github.com/doorward/doorward/cluster/feed"
	"github.com/doorward/doorward/cluster/mesh"
	"github.com/doorward/doorward/cluster/peer"
	"github.com/doorward/doorward/fsm"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/raft"
)

// Node is one member of the store. All methods are safe for concurrent use.
type Node struct {
	cfg     Config
	log     *slog.Logger
	machine *fsm.Machine
	replica *replica
	feed    *feed.Feed
	raft    *raft.Node
	keys    atomic.Pointer[keys] // nil until the node belongs to a cluster
	keeping sync.Mutex           // held by upkeep
	birth   sync.Mutex           // held by Init and Join

	mesh      *mesh.Mesh // nil for a node that is alone, as is pool
	pool      *peer.Pool
	book      book
	gossip    atomic.Pointer[whispers] // nil while there is none
	uses      uses
	health    healths
	reaped    time.Time              // when this node last removed a dead one; of reconcileLoop
	trouble   atomic.Pointer[string] // why the node is not fit for service
	diverged  atomic.Bool            // its state is not that of the others
	opened    atomic.Bool            // the root key opens the store's secrets
	certified atomic.Bool            // it has a certificate, if it keeps its own
	removed   chan struct{}          // closed when the node is no member any longer
	removing  sync.Once
	removeErr error // of removing
}

// Open makes a node from its data directory and reads the root key. It refuses a
// directory that another process uses and damaged files, as raft.Open does. It
// starts nothing; a node that is not run has to be closed.
func Open(cfg Config) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.setDefaults()
	n := &Node{cfg: cfg, log: cfg.Logger, machine: fsm.New(), removed: make(chan struct{})}
	cluster, err := readCluster(cfg.Dir)
	if err != nil {
		return nil, err
	}
	if cluster != "" {
		k, err := n.deriveKeys(cluster)
		if err != nil {
			return nil, err
		}
		n.keys.Store(k)
	}
	r := &replica{machine: n.machine, log: n.log}
	n.replica = r
	if cfg.Listen != "" {
		cfg.Raft.Network = n.openMesh
	}
	if n.raft, err = raft.Open(cfg.Raft, r); err != nil {
		if n.mesh != nil {
			n.mesh.Close()
		}
		return nil, err
	}
	n.feed = feed.New(feed.Config{
		Node: n.raft.ID(), View: n.machine.View, TokenKeys: n.tokenKeys, OpenSecret: n.OpenSecret,
		Now: cfg.Now, Regions: cfg.Regions, Confirm: n.readIndex, Nodes: n.feedNodes,
		Used: func(reported []iam.Use) { n.uses.add(n, reported) },
	})
	r.feed = n.feed
	return n, nil
}

// Run works until ctx is done, which gives nil, or the node cannot go on safely,
// which gives the reason. A leader hands over before it stops. Run leaves nothing
// running; after an error the process should end all the same, because a disk that
// hangs may hold a goroutine for ever.
func (n *Node) Run(ctx context.Context) error {
	port := begin(n.portLoops()...)
	log := begin(n.raft.Run)
	work := begin(n.workLoops()...)
	var err error
	select {
	case <-ctx.Done():
		farewell, cancel := context.WithTimeout(context.WithoutCancel(ctx), handOverTime)
		if err := n.handOver(farewell); err != nil && !errors.Is(err, ErrMember) {
			n.log.Warn("could not hand leadership over", "error", err)
		}
		cancel()
	case <-n.removed:
		err = ErrRemoved
	case <-log.done:
	}
	// What proposes goes before the log, so that it still gets its answers; the port
	// goes last, so that the log can say good-bye.
	work.end()
	err = errors.Join(err, log.end())
	if n.pool != nil {
		n.pool.Close()
		n.mesh.Close()
	}
	port.end()
	return err
}

// portLoops are what a node needs to hear others.
func (n *Node) portLoops() []func(context.Context) error {
	if n.mesh == nil {
		return nil
	}
	serve := func(context.Context) error {
		peer.Serve(n.mesh.Listener(mesh.RPC), handler{n})
		return nil
	}
	certify := func(context.Context) error {
		enrol.Serve(n.mesh.Listener(mesh.Enrol), issuer{n}, n.log)
		return nil
	}
	return []func(context.Context) error{n.mesh.Run, serve, certify, n.followPort}
}

// workLoops are what a node does by itself.
func (n *Node) workLoops() []func(context.Context) error {
	loops := []func(context.Context) error{n.feed.Run, n.expireLoop, n.useLoop, n.upkeepLoop}
	if n.mesh != nil {
		loops = append(loops, n.meetLoop, n.reconcileLoop, n.compareLoop)
	}
	if n.cfg.Gossip != "" {
		loops = append(loops, n.gossipLoop)
	}
	return loops
}

// group is some loops that end together.
type group struct {
	stop  context.CancelFunc
	parts sync.WaitGroup
	done  chan struct{} // closed when the first has ended
	once  sync.Once
	err   error // of the first
}

// begin starts loops; end stops them.
func begin(loops ...func(context.Context) error) *group {
	ctx, stop := context.WithCancel(context.Background())
	g := &group{stop: stop, done: make(chan struct{})}
	for _, loop := range loops {
		g.parts.Go(func() {
			err := loop(ctx)
			g.once.Do(func() {
				g.err = err
				close(g.done)
			})
		})
	}
	return g
}

// end stops the loops, waits for them, and returns the error of the first to end.
func (g *group) end() error {
	g.stop()
	g.parts.Wait()
	return g.err
}

// Close releases a node that was never run, and waits for one whose Run is ending.
func (n *Node) Close() error {
	err := n.raft.Close()
	if n.mesh != nil {
		n.pool.Close()
		err = errors.Join(err, n.mesh.Close())
	}
	return err
}

// Address returns where other nodes reach this one; empty if they cannot.
func (n *Node) Address() string {
	if n.mesh == nil {
		return ""
	}
	return n.mesh.Address()
}

// Trouble says why the node is not fit for service; empty: it is.
func (n *Node) Trouble() string {
	if text := n.trouble.Load(); text != nil {
		return *text
	}
	if !n.opens() {
		return "the root key of this node does not open the store's secrets; give it the right one and restart it"
	}
	if n.cfg.OwnTLS && !n.certified.Load() {
		return "this node has no certificate yet"
	}
	return ""
}

// Running is closed once the node takes part in its cluster.
func (n *Node) Running() <-chan struct{} { return n.raft.Running() }

// ID returns the id of the node, which belongs to its data directory.
func (n *Node) ID() string { return n.raft.ID() }

// View returns the newest local view, without waiting for anything.
func (n *Node) View() *state.View { return n.machine.View() }

// Consistent returns a view that holds every command whose outcome anyone was told
// before the call (linearizable). The error is [ErrUnavailable], [ErrDiverged],
// [ErrStopped] or ctx's.
func (n *Node) Consistent(ctx context.Context) (*state.View, error) {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timeout)
	defer cancel()
	if n.diverged.Load() {
		return nil, ErrDiverged
	}
	index, err := n.readIndex(ctx)
	if err != nil {
		return nil, err
	}
	return n.WaitFor(ctx, index)
}

// WaitFor returns a local view at or past index. The error is [ErrUnavailable],
// [ErrStopped] or ctx's.
func (n *Node) WaitFor(ctx context.Context, index iam.Index) (*state.View, error) {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timeout)
	defer cancel()
	if err := n.raft.WaitApplied(ctx, uint64(index)); err != nil {
		return nil, clusterError(err)
	}
	return n.View(), nil
}

// clusterError says what an error of the log means to the callers of a node.
func clusterError(err error) error {
	for _, pair := range [][2]error{
		{raft.ErrUnknownOutcome, ErrUnknownOutcome},
		{peer.ErrNoAnswer, ErrUnknownOutcome},
		{raft.ErrOverloaded, ErrOverloaded},
		{raft.ErrDiskFull, ErrDiskFull},
		{raft.ErrTooLarge, ErrTooLarge},
		{raft.ErrStopped, ErrStopped},
		{raft.ErrNotLeader, ErrUnavailable},
		{peer.ErrUnreachable, ErrUnavailable},
		{raft.ErrCancelled, ErrUnavailable},
		{context.DeadlineExceeded, ErrUnavailable},
	} {
		if errors.Is(err, pair[0]) {
			return fmt.Errorf("%w: %w", pair[1], err)
		}
	}
	return err
}
