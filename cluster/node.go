package cluster

import (
	"context"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/internal/token"
)

// Node is one member of the store. All methods are safe for concurrent use.
type Node struct{}

// Open makes a node from its data directory. It starts nothing; see [Node.Run].
func Open(cfg Config) (*Node, error) { return nil, ErrNotInitialized }

// Run works until ctx is done or the node cannot go on safely, and leaves nothing
// running. After an error the process should end: a hung disk may hold a thread.
func (n *Node) Run(ctx context.Context) error { return ErrStopped }

// View returns the newest local view, without waiting for anything.
func (n *Node) View() *state.View { return state.Empty() }

// Consistent returns a view that holds every command whose outcome anyone was told
// before the call (linearizable), or [ErrUnavailable].
func (n *Node) Consistent(ctx context.Context) (*state.View, error) { return nil, ErrUnavailable }

// WaitFor returns a local view at or past index, or ctx's error.
func (n *Node) WaitFor(ctx context.Context, index iam.Index) (*state.View, error) {
	return nil, ErrUnavailable
}

// Propose writes: it returns once the command is committed and in effect on this
// node, so that [Node.View] shows it. A refused command is a Result with Err set;
// the error is [ErrUnavailable], [ErrOverloaded], [ErrDiskFull], [ErrTooLarge] or
// [ErrStopped], all of which say that nothing happened, or [ErrUnknownOutcome].
func (n *Node) Propose(ctx context.Context, e iam.Envelope) (iam.Result, error) {
	return iam.Result{}, ErrUnavailable
}

// SealSecret encrypts the secret of an access key or session for the log.
func (n *Node) SealSecret(id iam.AccessKeyID, secret []byte) (iam.Sealed, error) {
	return nil, ErrNotInitialized
}

// OpenSecret undoes [Node.SealSecret].
func (n *Node) OpenSecret(id iam.AccessKeyID, sealed iam.Sealed) ([]byte, error) {
	return nil, ErrNotInitialized
}

// SealToken makes a session token.
func (n *Node) SealToken(key iam.AccessKeyID, index iam.Index, expires iam.Time) string { return "" }

// OpenToken opens a session token; the error is token.ErrInvalid.
func (n *Node) OpenToken(text string) (token.Token, error) { return token.Token{}, token.ErrInvalid }
