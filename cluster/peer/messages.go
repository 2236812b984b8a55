package peer

import (
	"errors"
	"fmt"
	"time"

	"github.com/doorward/doorward/cluster/feed"
	"github.com/doorward/doorward/cluster/pki"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/raft"
)

// Handler answers the questions of other nodes. Errors are those of package raft,
// and arrive as such.
type Handler interface {
	// Propose replicates commands, on the leader only, and returns one result for each.
	Propose(commands [][]byte) []Proposed
	// ReadIndex confirms that this node leads, as raft.Node.ReadIndex does.
	ReadIndex() (uint64, error)
	// Meet says which cluster this is.
	Meet() Card
	// Change carries out a change of membership, on the leader only.
	Change(Change) error
	// Health says how the node is doing.
	Health() Health
	// Fence waits until the node's sidecars have applied index, or until limit is over,
	// and returns them.
	Fence(index iam.Index, limit time.Duration) []feed.Follower
	// SumAt returns the sum of the view at an index, empty if it is not known.
	SumAt(index uint64) string
}

// Proposed is what became of a command.
type Proposed struct {
	Result iam.Result
	Err    error
}

// Card is what a node tells to one that wants to join.
type Card struct {
	ID      string
	Cluster string // empty: it belongs to none
	SealKey string // id of the sealing key; equal root keys have equal ids
	Gossip  string // address of its gossip; empty: it has none
}

// Op is a change of membership.
type Op string

// The changes.
const (
	Join     Op = "join"     // follow the log without a vote
	Announce Op = "announce" // a member has a new address
	Promote  Op = "promote"  // give it a vote
	Remove   Op = "remove"
	Transfer Op = "transfer" // let it lead; any voter if ID is empty
)

// Change is a wish for a change of membership.
type Change struct {
	Op      Op
	ID      string
	Address string
	Level   uint16 // of a joiner: the newest feature level that its build knows
	Force   bool   // though it endangers the cluster
	Passed  bool   // by a node that does not lead; it is not passed on again
}

// Health is how a node is doing.
type Health struct {
	ID      string
	Applied uint64
	Last    uint64
	Term    uint64
	Version string
	Level   uint16        // the newest feature level that its build knows
	Trouble string        // why it is not fit for service; empty: it is
	SealKey string        // id of the key that it seals with
	Role    string        // Leader, Follower, Candidate
	Disk    time.Duration // that a write to its log takes
	Free    uint64        // bytes left on its disk
	Gossip  iam.Gossip    // the keys of its gossip
	Trust   pki.Trust     // whose certificates it accepts, and whose it has; zero: it has none
	ByHand  bool          // its certificate is made by hand
}

// fault is an error on its way between nodes.
type fault struct{ Kind, Detail string }

// faults are the errors that keep their identity.
var faults = map[string]error{
	"not leader":      raft.ErrNotLeader,
	"overloaded":      raft.ErrOverloaded,
	"disk full":       raft.ErrDiskFull,
	"too large":       raft.ErrTooLarge,
	"unknown outcome": raft.ErrUnknownOutcome,
	"cancelled":       raft.ErrCancelled,
	"member":          raft.ErrMember,
}

func toFault(err error) fault {
	if err == nil {
		return fault{}
	}
	// Of several, the one that promises least comes first.
	if errors.Is(err, raft.ErrUnknownOutcome) {
		return fault{"unknown outcome", err.Error()}
	}
	if errors.Is(err, raft.ErrStopped) { // that node has; whoever asks has not
		return fault{"not leader", err.Error()}
	}
	for kind, sentinel := range faults {
		if errors.Is(err, sentinel) {
			return fault{kind, err.Error()}
		}
	}
	return fault{"other", err.Error()}
}

func (f fault) err() error {
	if f.Kind == "" {
		return nil
	}
	if sentinel, ok := faults[f.Kind]; ok {
		return fmt.Errorf("%w (at the leader: %s)", sentinel, f.Detail)
	}
	return errors.New(f.Detail)
}
