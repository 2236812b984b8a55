package wire

import (
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
)

// Position is a place in the history of a store. An index alone does not prove
// that two holders saw the same history; the epoch and the sum do.
type Position struct {
	Cluster string
	Epoch   uint64    // changes when a store is restored from a backup
	Index   iam.Index // zero: nothing yet
	Sum     state.Sum // of the view at Index
}

// PositionOf returns where v is.
func PositionOf(v *state.View) Position {
	return Position{Cluster: v.Store().ClusterID, Epoch: v.Store().Epoch, Index: v.Index(), Sum: v.Sum()}
}

// Frame is one message of the feed that a sidecar follows:
//
//	Hello, then either a snapshot or nothing, then deltas and the rest.
//	Snapshot: SnapshotBegin, SnapshotChunk…, SnapshotEnd. It replaces whatever
//	the follower had. Hello may come again, when the token keys change or a
//	restore has begun a new epoch; after a new epoch a snapshot follows.
type Frame interface{ frame() }

// Hello opens a feed.
type Hello struct {
	Cluster   string
	Epoch     uint64
	Node      string    // who is speaking, for messages
	Applied   iam.Index // of the node's view
	Floor     iam.Index // the oldest index from which the node can continue with deltas
	TokenKeys [][]byte  // keys that open session tokens, current first, as token.Import takes them
	Nodes     []string  // addresses at which a node of the cluster can be followed, this one among them
}

// SnapshotBegin announces all records of a view. The follower builds them aside
// and goes on serving what it has.
type SnapshotBegin struct {
	Position Position // what the follower is at after SnapshotEnd
	Records  uint64   // how many will come
}

// SnapshotChunk is some of the records of a snapshot, in the order of
// state.View.All.
type SnapshotChunk struct{ Changes []iam.Change }

// SnapshotEnd completes a snapshot. The follower checks count and sum of what it
// built, and only then puts it in the place of what it had.
type SnapshotEnd struct{ Position Position }

// Delta is what one step of the log changed.
type Delta struct {
	Prev    iam.Index // index of the view that Changes apply to
	Index   iam.Index // index of the view after them
	Changes []iam.Change
	Sum     state.Sum // of the view after them
}

// Bookmark moves a follower's index forward where nothing changed.
type Bookmark struct {
	Index iam.Index
	Sum   state.Sum
}

// Pong answers a question for freshness: everything that was committed before the
// question with this nonce was asked has an index of at most Index, and was sent
// before this frame.
type Pong struct {
	Nonce uint64
	Index iam.Index
	Time  iam.Time // by the clock of the node, so that the follower knows how far its own is off
}

// SigningKeys brings signing keys before they are needed.
type SigningKeys struct{ Keys []SigningKey }

// GoAway asks the follower to leave and follow another node.
type GoAway struct {
	Reason string
	Retry  uint32   // milliseconds to wait before coming back to this node
	Peers  []string // nodes to try meanwhile
}

func (Hello) frame()         {}
func (SnapshotBegin) frame() {}
func (SnapshotChunk) frame() {}
func (SnapshotEnd) frame()   {}
func (Delta) frame()         {}
func (Bookmark) frame()      {}
func (Pong) frame()          {}
func (SigningKeys) frame()   {}
func (GoAway) frame()        {}

// Public returns changes as sidecars may see them: without sealed secrets and the
// keys of the gossip.
// Records that have none are shared with the argument.
func Public(changes []iam.Change) []iam.Change {
	public := make([]iam.Change, len(changes))
	for i, c := range changes {
		public[i] = publicChange(c)
	}
	return public
}

func publicChange(c iam.Change) iam.Change {
	if k := c.AccessKey; k != nil && k.Secret != nil {
		bare := *k
		bare.Secret = nil
		c.AccessKey = &bare
	}
	if s := c.Session; s != nil && s.Secret != nil {
		bare := *s
		bare.Secret = nil
		c.Session = &bare
	}
	if a := c.Authority; a != nil && a.Key != nil {
		bare := *a
		bare.Key = nil
		c.Authority = &bare
	}
	if s := c.Store; s != nil && s.Gossip != (iam.Gossip{}) {
		bare := *s
		bare.Gossip = iam.Gossip{}
		c.Store = &bare
	}
	return c
}
