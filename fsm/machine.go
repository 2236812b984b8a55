package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/iam/wire"
)

// Machine is one replica: a view, and what it remembers to apply no request
// twice. Its owner calls [Machine.Apply] and [Machine.Restore], one at a time and
// in the order of the log; [Machine.View] is for everybody.
type Machine struct {
	view     atomic.Pointer[state.View]
	time     iam.Time // of the newest command; never goes back
	requests requests
}

// New returns a machine before the first entry of a log.
func New() *Machine {
	m := &Machine{requests: newRequests()}
	m.view.Store(state.Empty())
	return m
}

// View returns the newest view. It does not change; see state.View for how long
// to keep it.
func (m *Machine) View() *state.View { return m.view.Load() }

// Time returns the store's time: that of the newest command, or of an earlier one
// if that was later. Only the owner calls it.
func (m *Machine) Time() iam.Time { return m.time }

// Sum returns the StateSum: it stands for everything that a replica is, sealed
// secrets and remembered requests included, and is equal on all replicas at the
// same index. Only the owner calls it.
func (m *Machine) Sum() state.Sum {
	v := m.View()
	at := binary.BigEndian.AppendUint64([]byte("time"), uint64(m.time))
	return v.Sum().Add(v.SecretSum()).Add(m.requests.sum).Add(state.SumOf(at))
}

// Entry is one entry of the log: commands as wire.AppendEntry writes them, which
// take effect together and in order.
type Entry struct {
	Index    iam.Index
	Commands [][]byte
}

// Applied is what an entry did.
type Applied struct {
	Index   iam.Index
	Prev    iam.Index    // of the view that Changes apply to
	Changes []iam.Change // of all commands, in order; shared with the view, so read only
	Sum     state.Sum    // of the view after them
	Results []iam.Result // one for each command
	Alarms  []error      // what should not have happened and was survived, for the operator's log
}

// LogError says that the log holds something that this build cannot apply. The
// node has to stop: skipping an entry would make it another store than its peers.
type LogError struct {
	Index   iam.Index
	Command int // which of the entry's, from zero
	Cause   error
}

// Error names the place, what was wrong, and the way out.
func (e *LogError) Error() string {
	way := "restore this node from its peers or a backup"
	if unknown := new(wire.UnknownKindError); errors.As(e.Cause, &unknown) {
		way = "upgrade this node"
	}
	return fmt.Sprintf("log entry %d, command %d: %v; %s", e.Index, e.Command, e.Cause, way)
}

// Unwrap returns the cause, a *wire.UnknownKindError or one that wraps
// wire.ErrCorrupt.
func (e *LogError) Unwrap() error { return e.Cause }

// Apply applies entries in order and makes the view after the last of them the
// newest, once. After an error, which is a [*LogError], the machine must not be
// used on; [Machine.View] then stays at the view before the call.
func (m *Machine) Apply(entries []Entry) ([]Applied, error) {
	base := m.View()
	next, index := base.Edit(), base.Index()
	applied := make([]Applied, len(entries))
	for i, e := range entries {
		a := &applied[i]
		a.Index, a.Prev, index = e.Index, index, e.Index
		a.Results = make([]iam.Result, len(e.Commands))
		for n, bytes := range e.Commands {
			sound, err := m.command(next, a, n, bytes)
			if err != nil {
				return nil, &LogError{e.Index, n, err}
			}
			if !sound {
				next = redo(base, applied[:i+1])
			}
		}
		a.Sum = next.Peek().Sum()
	}
	m.view.Store(next.View(index))
	return applied, nil
}

// redo makes the changes of what was applied so far again, after a panic left the
// builder in an unknown state.
func redo(base *state.View, applied []Applied) *state.Builder {
	next := base.Edit()
	for i := range applied {
		next.Add(applied[i].Changes)
	}
	return next
}

// command applies one command of an entry. It reports whether next is sound
// afterwards: after a panic it must not be used on.
func (m *Machine) command(next *state.Builder, a *Applied, n int, bytes []byte) (sound bool, err error) {
	result := &a.Results[n]
	result.Index = a.Index
	envelope, rest, err := wire.DecodeEntry(bytes)
	if unknown := new(wire.UnknownKindError); errors.As(err, &unknown) && unknown.Ignorable {
		return true, nil
	}
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%w: %d bytes after the command", wire.ErrCorrupt, len(rest))
	}
	if err != nil {
		return false, err
	}
	m.time = max(m.time, envelope.Time)
	m.requests.evict(m.time)
	if earlier, ok := m.requests.find(envelope.Actor, envelope.Request); ok {
		*result = earlier
		return true, nil
	}
	changes, alarm := attempt(next, m.time, envelope.Command, result)
	if alarm != nil {
		a.Alarms = append(a.Alarms, fmt.Errorf("log entry %d, command %d: %w", a.Index, n, alarm))
	}
	if a.Changes == nil {
		a.Changes = make([]iam.Change, 0, max(len(changes), len(a.Results))) // most commands make one
	}
	a.Changes = append(a.Changes, changes...)
	m.requests.add(envelope, m.time, *result)
	return alarm == nil, nil
}

// attempt applies one command to next and returns its changes. A command whose
// handler panics changes nothing: every replica refuses it with InternalFailure,
// so that it can neither stop nor divide them. The alarm then is the panic, for
// people.
func attempt(next *state.Builder, now iam.Time, c iam.Command, r *iam.Result) (changes []iam.Change, alarm error) {
	defer func() {
		if p := recover(); p != nil {
			changes = nil
			r.Count, r.Err = 0, iam.Errorf(iam.InternalFailure, "The command could not be applied because of a defect in the store; nothing was changed.")
			alarm = fmt.Errorf("%T panicked: %v\n%s", c, p, debug.Stack())
		}
	}()
	s := &step{view: next.Peek(), now: now}
	if r.Err = s.do(c); r.Err != nil {
		return nil, nil
	}
	next.Add(s.changes)
	r.Count = s.count
	return s.changes, nil
}
