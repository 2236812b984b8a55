package fsm

import (
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
)

// batch works commands out one on top of the other. A refusal names the place, so
// that whoever made the batch can say which of its wishes it was.
func (s *step) batch(c iam.Batch) *iam.Error {
	next := s.view.Edit()
	for i, command := range c.Commands {
		switch command.(type) {
		case iam.Batch, iam.Initialize:
			return iam.Errorf(iam.InvalidInput, "A batch cannot hold the command %T.", command)
		}
		inner := &step{view: next.Peek(), now: s.now}
		if err := inner.do(command); err != nil {
			return iam.Errorf(err.Code, "Command %d of %d: %s", i+1, len(c.Commands), err.Message)
		}
		if len(s.changes)+len(inner.changes) > maxChanges {
			return iam.Errorf(iam.LimitExceeded, "The batch changes more than %d records. Split it.", maxChanges)
		}
		next.Add(inner.changes)
		s.put(inner.changes...)
		s.count += max(inner.count, 1)
	}
	return nil
}

// guarded works a command out if the parts of the store that it depends on are what
// they were for its proposer.
func (s *step) guarded(c iam.Guarded) *iam.Error {
	switch c.Command.(type) {
	case nil, iam.Guarded, iam.Initialize:
		return iam.Errorf(iam.InvalidInput, "A guarded command cannot hold the command %T.", c.Command)
	}
	for _, p := range c.Parts {
		if int(p.Bucket) >= state.Buckets {
			return iam.Errorf(iam.InvalidInput, "Part %d of the store does not exist; there are %d.", p.Bucket, state.Buckets)
		}
		if s.view.BucketSum(int(p.Bucket)) != p.Sum {
			return iam.Errorf(iam.ConcurrentModification, "What the request depends on was changed at the same moment. Try again.")
		}
	}
	return s.do(c.Command)
}

// Rehearsal works commands out on a view as the replicas would, and changes nothing
// but its own copy. It has one user.
type Rehearsal struct {
	next *state.Builder
	now  iam.Time
}

// Rehearse begins a rehearsal on v at the given time. It may run beside the machine
// that v belongs to.
func Rehearse(v *state.View, now iam.Time) *Rehearsal { return &Rehearsal{v.Edit(), now} }

// View returns the view with what went well so far, good until the next Do.
func (r *Rehearsal) View() *state.View { return r.next.Peek() }

// Do works commands out together, as [iam.Batch] does. Refused ones leave no trace.
func (r *Rehearsal) Do(commands ...iam.Command) *iam.Error {
	s := &step{view: r.next.Peek(), now: r.now}
	if len(commands) == 1 {
		if err := s.do(commands[0]); err != nil {
			return err
		}
	} else if err := s.batch(iam.Batch{Commands: commands}); err != nil {
		return err
	}
	r.next.Add(s.changes)
	return nil
}
