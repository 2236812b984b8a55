package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/doorward/doorward/cluster/gossip"
	"github.com/doorward/doorward/cluster/mesh"
	"github.com/doorward/doorward/cluster/pki"
	"github.com/doorward/doorward/iam/wire"
	"github.com/doorward/doorward/internal/seal"
	"github.com/doorward/doorward/raft"
)

// Config says what a node is made of. [DefaultConfig] fills everything but Dir and
// Root.
type Config struct {
	// Dir is the data directory. One process at a time may use it.
	Dir string

	// Root says where the root key is: outside Dir, on a real node. Every node of a
	// cluster has the same one.
	Root seal.Source

	// Former are root keys that were in use before. What they sealed can still be
	// opened; new secrets are sealed under Root, and what was sealed before stays so.
	Former []seal.Source

	// Listen is the address of the one port for other nodes and sidecars; empty: none,
	// for a node that is alone. Advertise is where others reach it; empty: what was
	// bound.
	Listen, Advertise string

	// TLS is the node's certificate; nil: none, on loopback addresses only.
	TLS *pki.Files

	// OwnTLS says that the node keeps its certificate itself, in [TLSDir], signed by an
	// authority that the store has; TLS is then set by the node. The first node makes
	// both, the others get theirs with a token (package enrol) before they join.
	OwnTLS bool

	// Carrier is where connections come from; nil means TCP.
	Carrier mesh.Carrier

	// Gossip is the address of the port on which nodes tell one another who is alive,
	// host:port over UDP and TCP; empty: none. It needs Listen. A node serves without:
	// what it hears there are hints. GossipCarrier is where its packets come from; nil
	// means the network.
	Gossip        string
	GossipCarrier gossip.Carrier

	// Peers are addresses of other nodes, for a node that finds none of those it knew
	// where it knew them. Needed only when all have moved.
	Peers []string

	// MaxVoters is how many nodes vote; 5. Those beyond follow, and take over when one
	// is removed. CatchUp is how many entries a node may be behind, and Stable for how
	// long it has to be no further, before it gets a vote; 256 and 10 s.
	MaxVoters int
	CatchUp   uint64
	Stable    time.Duration

	// RemoveDeadAfter is how long a member has to be silent, to the leader's log, to its
	// questions and to the gossip, before the leader removes it; 72 h. Zero: never. See
	// reap.go for what else has to hold.
	RemoveDeadAfter time.Duration

	// ReconcileEvery is how often the leader asks the others how they are, 1 s;
	// MeetEvery how often a node without a leader looks for one, 5 s; CompareEvery how
	// often a node compares its state with the leader's, 30 s.
	ReconcileEvery, MeetEvery, CompareEvery time.Duration

	// Version is this build's, for the status of the cluster.
	Version string

	// Level is the newest feature level that this node says it knows; that of its build.
	// Below that, it plays an older build.
	Level uint16

	// Regions get signing keys brought to sidecars before they are needed;
	// us-east-1. Keys for other regions are asked for.
	Regions []string

	// Timeout bounds a write or consistent read whose caller has set no earlier end:
	// through an election, it waits for the new leader; 5 s.
	Timeout time.Duration

	// ExpireEvery is how often the leader removes sessions that are over, and
	// ExpireBatch how many a command removes at most; 1 min and 1024. Nothing depends
	// on it but memory: readers refuse an expired session by themselves.
	ExpireEvery time.Duration
	ExpireBatch uint32

	// RecordUsesEvery is how often a node writes when access keys were last used, as
	// sidecars tell it; 1 min. A key has one write a day at most.
	RecordUsesEvery time.Duration

	// Raft is how the log is kept. Its Dir, Network and Logger are set by the node.
	Raft raft.Config

	// Now is the clock; nil means time.Now.
	Now func() time.Time

	// Logger gets what happens; nil discards.
	Logger *slog.Logger
}

// DefaultConfig returns the values named at the fields of [Config].
func DefaultConfig() Config {
	return Config{
		Regions: []string{"us-east-1"},
		Timeout: 5 * time.Second, ExpireEvery: time.Minute, ExpireBatch: 1024, RecordUsesEvery: time.Minute,
		MaxVoters: 5, CatchUp: 256, Stable: 10 * time.Second, RemoveDeadAfter: 72 * time.Hour,
		ReconcileEvery: time.Second, MeetEvery: 5 * time.Second, CompareEvery: 30 * time.Second,
		Level: wire.FeatureLevel,
		Raft:  raft.DefaultConfig(),
	}
}

// Validate reports the first field that cannot work, and what would.
func (c *Config) Validate() error {
	switch {
	case c.Dir == "":
		return errors.New("cluster config: Dir is empty, a data directory is needed")
	case c.Level < 1 || c.Level > wire.FeatureLevel:
		return fmt.Errorf("cluster config: Level %d is not between 1 and %d", c.Level, wire.FeatureLevel)
	case c.OwnTLS && (c.Listen == "" || c.TLS != nil):
		return errors.New("cluster config: OwnTLS needs Listen, and TLS to be nil")
	case c.Gossip != "" && c.Listen == "":
		return errors.New("cluster config: Gossip needs Listen")
	case c.Root == (seal.Source{}):
		return errors.New("cluster config: Root is empty, a root key is needed")
	case len(c.Regions) == 0:
		return errors.New("cluster config: Regions is empty, the region of the S3 servers is needed")
	case c.Timeout <= 0 || c.ExpireEvery <= 0 || c.ExpireBatch < 1:
		return fmt.Errorf("cluster config: Timeout %v and ExpireEvery %v have to be positive, ExpireBatch %d at least 1", c.Timeout, c.ExpireEvery, c.ExpireBatch)
	case c.RecordUsesEvery <= 0:
		return errors.New("cluster config: RecordUsesEvery has to be positive")
	case c.RemoveDeadAfter < 0:
		return fmt.Errorf("cluster config: RemoveDeadAfter %v is negative; zero is never", c.RemoveDeadAfter)
	case c.MaxVoters < 1 || c.Stable < 0 || c.ReconcileEvery <= 0 || c.MeetEvery <= 0 || c.CompareEvery <= 0:
		return errors.New("cluster config: MaxVoters has to be at least 1, ReconcileEvery, MeetEvery and CompareEvery positive")
	}
	return nil
}

func (c *Config) setDefaults() {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.OwnTLS {
		c.TLS = pki.FilesIn(TLSDir(c.Dir))
	}
	c.Raft.Dir, c.Raft.Logger = c.Dir, c.Logger
}
