package cluster

import (
	"errors"
	"fmt"

	"github.com/doorward/doorward/iam"
)

// What a call on a [Node] may fail with. A refused command is not among them: it
// is an iam.Result whose Err is set. Those that a caller may meet by trying again are
// iam.ErrUnchanged.
var (
	// ErrUnavailable: there is no leader that could be reached, or this node is not
	// ready. Nothing happened; try again after a moment.
	ErrUnavailable = fmt.Errorf("cluster: no leader can be reached; %w", iam.ErrUnchanged)

	// ErrOverloaded: too much is in flight. Nothing happened; try again after a
	// moment, and slower.
	ErrOverloaded = fmt.Errorf("cluster: too many commands in flight; %w", iam.ErrUnchanged)

	// ErrUnknownOutcome: the command was handed to the log, and whether it took or
	// will take effect is not known. Only a repetition with the same request id is
	// safe; it has no effect if the first one had.
	ErrUnknownOutcome = errors.New("cluster: the outcome of the command is not known")

	// ErrDiskFull: the leader has no room for more log. Nothing happened; reads go
	// on, and writes do again once there is room.
	ErrDiskFull = fmt.Errorf("cluster: disk full, writes are refused; %w", iam.ErrUnchanged)

	// ErrTooLarge: the command does not fit into a log entry.
	ErrTooLarge = errors.New("cluster: command is too large")

	// ErrDiverged: the state of this node is not that of the others. Nothing happened;
	// ask another node, and see Node.Trouble.
	ErrDiverged = errors.New("cluster: the state of this node differs from that of the others; ask another node")

	// ErrLevel: a node of the cluster runs a build that does not know the command.
	// Nothing happened; it is accepted a moment after the last node was upgraded.
	ErrLevel = errors.New("cluster: not every node knows this command yet; upgrade them all (doorward cluster status)")

	// ErrNotInitialized: the node belongs to no cluster yet; run init or join.
	ErrNotInitialized = errors.New("cluster: node is not initialised (run doorward init or doorward join)")

	// ErrInitialized: the node belongs to a cluster already.
	ErrInitialized = errors.New("cluster: node is initialised already")

	// ErrRemoved: the node was taken out of its cluster. Its data directory is of no
	// use any more; a new one may join.
	ErrRemoved = errors.New("cluster: node was removed from its cluster (move the data directory away and join again)")

	// ErrStopped: the node is closed, or has stopped itself because it could not go
	// on safely.
	ErrStopped = errors.New("cluster: node has stopped")
)
