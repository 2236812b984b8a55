package remote

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/wire"
)

// Config says whom to follow, and as whom.
type Config struct {
	// Nodes are addresses of nodes. One will do: a node tells the others.
	Nodes []string
	// Dial connects to a node, ready for frames.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// Name and Version are told to operators.
	Name, Version string

	// Report returns what a node is told now and then of how the sidecar does; Index is
	// filled in. It takes from Used what it returns: a report that is lost loses them.
	// Nil: nothing.
	Report func() wire.Progress
	// Trust returns the fingerprints of the authorities whose certificates the sidecar
	// accepts, sorted; nil: it says nothing of them.
	Trust func() []string
	// Settle returns once what is in effect would be so after a restart of the sidecar
	// too; a node is told of it after that, and never if there is an error. Nil: at once.
	Settle func() error
	// Connected is called when a node has been found, and Lost when it is left; nil:
	// nobody.
	Connected func(node, address string)
}

// How long a node may take. A sidecar asks what is current every second or so, so
// that silence means that nobody is there.
const (
	dialTime    = 2 * time.Second // certificates included
	silence     = 5 * time.Second
	writeTime   = 5 * time.Second
	reportEvery = 5 * time.Second
	// doubt is for how long a node may be unable to tell what is current before the
	// sidecar tries another: longer than an election.
	doubt = 4 * time.Second
)

// ErrLost says that no node is connected.
var ErrLost = errors.New("remote: no node of the store is connected")

// errDoubt ends a connection to a node that is cut off from the others.
var errDoubt = errors.New("remote: node cannot tell what is current")

// Source follows one node at a time. Its methods are safe for concurrent use, but
// Follow is for one caller at a time.
type Source struct {
	config   Config
	instance uint64
	nonce    atomic.Uint64
	skew     atomic.Int64 // nanoseconds

	mu      sync.Mutex
	nodes   []string // to try, next first; configured ones always among them
	current *session // nil while no node is connected
	serves  bool     // a view has been applied in this process
}

// New makes a source. It connects to nobody until it is followed.
func New(config Config) (*Source, error) {
	switch {
	case len(config.Nodes) == 0:
		return nil, errors.New("remote: no node: name at least one, such as store-1:8471")
	case config.Dial == nil || config.Name == "":
		return nil, errors.New("remote: Dial and Name have to be set")
	}
	nodes := slices.Clone(config.Nodes)
	// A fleet with one configuration does not go to one node.
	rand.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	return &Source{config: config, instance: rand.Uint64(), nodes: nodes}, nil
}

// Node returns the address of the node that is followed, empty if there is none.
func (s *Source) Node() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		return ""
	}
	return s.current.address
}

// Follow implements sidecar.Source: it connects to the first node that answers, and
// ends when that one is lost.
func (s *Source) Follow(ctx context.Context, from wire.Position, sink func(wire.Frame) error) error {
	session, err := s.connect(ctx, from)
	if err != nil {
		return err
	}
	for {
		err := session.follow(ctx, sink)
		next := s.part(session)
		if next == nil {
			return err
		}
		if err = ctx.Err(); err == nil {
			err = next.subscribe(session.at)
		}
		if err != nil {
			next.end()
			s.part(next)
			return err
		}
		session = next
	}
}

// Redial connects to the node that is followed once more, with what Dial uses by now,
// such as another certificate, and goes on with that connection from where the feed
// is. No question is lost. The error is [ErrLost] if no node is followed; one that cannot
// be connected to is left.
func (s *Source) Redial(ctx context.Context) error {
	old, err := s.session()
	if err != nil {
		return err
	}
	conn, err := s.dial(ctx, old.address)
	if err != nil {
		old.conn.Close()
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != old {
		conn.Close()
		return ErrLost
	}
	old.next = newSession(s, conn, old.address)
	s.current = old.next
	old.conn.Close() // which ends its follow
	return nil
}

// connect tries every node once.
func (s *Source) connect(ctx context.Context, from wire.Position) (*session, error) {
	var failed error
	for _, address := range s.candidates() {
		conn, err := s.dial(ctx, address)
		if err == nil {
			session := newSession(s, conn, address)
			if err = session.subscribe(from); err == nil {
				s.mu.Lock()
				s.current = session
				s.mu.Unlock()
				return session, nil
			}
			conn.Close()
		}
		s.last(address)
		failed = errors.Join(failed, err)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return nil, fmt.Errorf("%w: %w", ErrLost, failed)
}

// Nodes returns the addresses of the nodes that are known, those that answered last
// first.
func (s *Source) Nodes() []string { return s.candidates() }

func (s *Source) dial(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	return s.config.Dial(ctx, address)
}

func (s *Source) candidates() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.nodes)
}

// last moves a node to the end of those to try.
func (s *Source) last(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.nodes, address); i >= 0 {
		s.nodes = append(slices.Delete(s.nodes, i, i+1), address)
	}
}

// maxNodes bounds the nodes that are remembered.
const maxNodes = 64

// learn remembers the nodes that a node tells of, in the place of those it told
// before. Configured ones stay.
func (s *Source) learn(told []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keep := func(address string) bool {
		return slices.Contains(s.config.Nodes, address) || slices.Contains(told, address) || s.current != nil && s.current.address == address
	}
	s.nodes = slices.DeleteFunc(s.nodes, func(address string) bool { return !keep(address) })
	for _, address := range told {
		if address != "" && len(s.nodes) < maxNodes && !slices.Contains(s.nodes, address) {
			s.nodes = append(s.nodes, address)
		}
	}
}

// part leaves a session that has ended. It returns the one that takes its place; if
// there is none, the node is tried last.
func (s *Source) part(old *session) (next *session) {
	s.mu.Lock()
	next = old.next
	if s.current == old {
		s.current = nil
	}
	s.mu.Unlock()
	if next == nil {
		s.last(old.address)
	}
	return next
}

func (s *Source) session() (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		return nil, ErrLost
	}
	return s.current, nil
}

// SigningKey implements sidecar.Source.
func (s *Source) SigningKey(ctx context.Context, id iam.AccessKeyID, scope wire.Scope) (wire.SigningKey, error) {
	nonce := s.nonce.Add(1)
	answer, err := s.ask(ctx, nonce, wire.AskKey{Nonce: nonce, AccessKey: id, Scope: scope})
	if err != nil {
		return wire.SigningKey{}, err
	}
	key, ok := answer.(wire.Key)
	if !ok {
		return wire.SigningKey{}, fmt.Errorf("remote: %T in answer to a question for a signing key", answer)
	}
	return key.Key, nil
}

// Confirm implements sidecar.Source.
func (s *Source) Confirm(ctx context.Context) (iam.Index, error) {
	nonce, asked := s.nonce.Add(1), time.Now()
	answer, err := s.ask(ctx, nonce, wire.Confirm{Nonce: nonce})
	if err != nil {
		return 0, err
	}
	pong, ok := answer.(wire.Pong)
	if !ok {
		return 0, fmt.Errorf("remote: %T in answer to a question for the index", answer)
	}
	if pong.Time != 0 {
		s.skew.Store(int64(pong.Time.Go().Sub(asked.Add(time.Since(asked) / 2))))
	}
	return pong.Index, nil
}

// Skew returns how far the clock of the node is ahead of this host's, as of the last
// answer; zero before one.
func (s *Source) Skew() time.Duration { return time.Duration(s.skew.Load()) }

// ask sends a question and waits for its answer, on the connection that takes the place
// of another if need be.
func (s *Source) ask(ctx context.Context, nonce uint64, question wire.Frame) (wire.Frame, error) {
	for {
		session, err := s.session()
		if err != nil {
			return nil, err
		}
		answer, err := session.ask(ctx, nonce, question)
		if !errors.Is(err, ErrLost) || !s.hasMoved(session) {
			return answer, err
		}
	}
}

// hasMoved reports whether another session has taken the place of one.
func (s *Source) hasMoved(from *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return from.next != nil
}
