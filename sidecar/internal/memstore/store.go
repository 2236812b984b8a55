// Package memstore is a store in memory for the sidecar's tests: a view, the
// secrets that belong to it, and the feed, with the troubles that a real one may
// have. Start with [New], then [Store.Write]; a Store is a sidecar.Source.
package memstore

import (
	"context"
	"errors"
	"sync"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/iam/wire"
	"github.com/doorward/doorward/internal/token"
)

// Store is the whole store. Its exported fields are set before it is followed or
// under Lock.
type Store struct {
	mu      sync.Mutex
	view    *state.View
	secrets map[iam.AccessKeyID]string
	tokens  *token.Keyring
	deltas  []wire.Delta
	moved   chan struct{}
	held    iam.Index // followers see nothing beyond it; zero: everything
	down    bool
	lost    chan struct{} // closed to end all feeds

	confirms, fetches int
}

// ErrDown is what a store answers that cannot be reached.
var ErrDown = errors.New("store is down")

type fixedRoot struct{}

func (fixedRoot) Derive(string, int) []byte { return make([]byte, token.KeySize) }

// New makes a store with an account, no users, and index 1.
func New() *Store {
	tokens, err := token.NewKeyring("test", fixedRoot{})
	if err != nil {
		panic(err)
	}
	s := &Store{
		view: state.Empty(), secrets: make(map[iam.AccessKeyID]string), tokens: tokens,
		moved: make(chan struct{}), lost: make(chan struct{}),
	}
	s.Write(iam.Change{Store: &iam.Store{ClusterID: "test", Account: iam.FirstAccount, Epoch: 1}})
	return s
}

// Write makes changes and returns their index.
func (s *Store) Write(changes ...iam.Change) iam.Index {
	s.mu.Lock()
	defer s.mu.Unlock()
	prev := s.view.Index()
	s.view = s.view.Apply(prev+1, changes)
	s.deltas = append(s.deltas, wire.Delta{Prev: prev, Index: prev + 1, Changes: wire.Public(changes), Sum: s.view.Sum()})
	s.moveLocked()
	return prev + 1
}

// Secret sets the secret of a key that is about to be written.
func (s *Store) Secret(id iam.AccessKeyID, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets[id] = secret
}

// Token returns the token of a session that began at index.
func (s *Store) Token(id iam.AccessKeyID, index iam.Index, expires iam.Time) string {
	return s.tokens.Seal(token.Token{Key: id, Index: index, Expires: expires})
}

// Hold keeps followers from seeing anything written from now on, until Release.
func (s *Store) Hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = s.view.Index()
}

// Release lets followers see everything again.
func (s *Store) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = 0
	s.moveLocked()
}

// Stop ends all feeds and answers nobody until Start.
func (s *Store) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = true
	close(s.lost)
	s.lost = make(chan struct{})
}

// Start undoes Stop.
func (s *Store) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = false
}

// View returns the newest view.
func (s *Store) View() *state.View {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.view
}

// Confirms returns how often the index was asked for, and Fetches how often a
// signing key was.
func (s *Store) Confirms() int { s.mu.Lock(); defer s.mu.Unlock(); return s.confirms }

// Fetches returns how often a signing key was asked for.
func (s *Store) Fetches() int { s.mu.Lock(); defer s.mu.Unlock(); return s.fetches }

func (s *Store) moveLocked() {
	close(s.moved)
	s.moved = make(chan struct{})
}

// Follow implements sidecar.Source.
func (s *Store) Follow(ctx context.Context, from wire.Position, sink func(wire.Frame) error) error {
	s.mu.Lock()
	view, lost, down := s.view, s.lost, s.down
	s.mu.Unlock()
	if down {
		return ErrDown
	}
	hello := wire.Hello{Cluster: "test", Epoch: 1, Node: "memory", Applied: view.Index(), TokenKeys: s.tokens.Export()}
	if err := sink(hello); err != nil {
		return err
	}
	at := from.Index
	if at == 0 {
		if err := s.snapshot(view, sink); err != nil {
			return err
		}
		at = view.Index()
	}
	for {
		next, moved := s.after(at)
		if next != nil {
			if err := sink(*next); err != nil {
				return err
			}
			at = next.Index
			continue
		}
		select {
		case <-moved:
		case <-lost:
			return ErrDown
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *Store) snapshot(v *state.View, sink func(wire.Frame) error) error {
	var all []iam.Change
	for c := range v.All() {
		all = append(all, c)
	}
	begin := wire.SnapshotBegin{Position: wire.PositionOf(v), Records: uint64(len(all))}
	for _, frame := range []wire.Frame{begin, wire.SnapshotChunk{Changes: wire.Public(all)}, wire.SnapshotEnd{Position: begin.Position}} {
		if err := sink(frame); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) after(at iam.Index) (*wire.Delta, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held != 0 && at >= s.held {
		return nil, s.moved
	}
	for i := len(s.deltas) - 1; i >= 0; i-- {
		if s.deltas[i].Prev == at {
			return &s.deltas[i], s.moved
		}
	}
	return nil, s.moved
}

// SigningKey implements sidecar.Source.
func (s *Store) SigningKey(_ context.Context, id iam.AccessKeyID, scope wire.Scope) (wire.SigningKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fetches++
	secret, ok := s.secrets[id]
	switch {
	case s.down:
		return wire.SigningKey{}, ErrDown
	case !ok:
		return wire.SigningKey{}, iam.Errorf(iam.NoSuchEntity, "no access key %s", id)
	}
	day := sigv4.DeriveDayKey(secret, sigv4.Scope{Date: scope.Date, Region: scope.Region, Service: sigv4.Service(scope.Service)})
	return wire.SigningKey{AccessKey: id, Scope: scope, Key: wire.DerivedKey(day)}, nil
}

// Confirm implements sidecar.Source.
func (s *Store) Confirm(context.Context) (iam.Index, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.confirms++
	if s.down {
		return 0, ErrDown
	}
	return s.view.Index(), nil
}
