package fsm

import (
	"fmt"
	"io"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/iam/wire"
)

// Snapshot is a machine as it was at one moment. Taking one costs nothing, and
// writing it does not hold the machine up.
type Snapshot struct {
	view     *state.View
	time     iam.Time
	requests captured
	sum      state.Sum // of the requests
}

// Snapshot captures the machine. Only the owner calls it.
func (m *Machine) Snapshot() *Snapshot {
	return &Snapshot{m.View(), m.time, m.requests.capture(), m.requests.sum}
}

// View returns the view that the snapshot is of.
func (s *Snapshot) View() *state.View { return s.view }

// Write writes the snapshot. Term is that of the entry at the view's index, for
// those who inspect the file; zero if it is not known.
func (s *Snapshot) Write(w io.Writer, term uint64) error {
	h := wire.Header{Term: term, FeatureLevel: s.view.Level(), Time: s.time, RequestSum: s.sum}
	return wire.WriteSnapshot(w, h, s.view, s.requests.count(), s.requests.all())
}

// Restore makes the machine what a snapshot says, or leaves it as it is: the
// snapshot is built aside, verified, and put in place at once.
func (m *Machine) Restore(r io.Reader, together state.Together) error {
	s, err := wire.ReadSnapshot(r, together)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	m.Load(s)
	return nil
}

// Load makes the machine what a snapshot that was read says.
func (m *Machine) Load(s *wire.Snapshot) {
	m.requests = newRequests()
	for _, q := range s.Requests {
		m.requests.push(q)
	}
	m.time = s.Header.Time
	m.view.Store(s.View)
}

// BeginEpoch makes what follows another history than what anybody has heard of it:
// after a backup was restored, or a log was cut off. Only the owner calls it, and not
// while the machine takes part in a log.
func (m *Machine) BeginEpoch(epoch uint64) {
	v := m.View()
	store := v.Store()
	store.Epoch = epoch
	m.view.Store(v.Apply(v.Index(), []iam.Change{{Store: &store}}))
}
