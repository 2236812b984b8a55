package fsm

import (
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
)

// Try returns the view that a command would make of v at an instant, without making
// it, or the refusal. The log may make something else of it if another command comes
// first.
func Try(v *state.View, at iam.Time, c iam.Command) (*state.View, *iam.Error) {
	next, result := v.Edit(), iam.Result{}
	if _, alarm := attempt(next, at, c, &result); alarm != nil {
		return nil, iam.Errorf(iam.InternalFailure, "The command cannot be applied.")
	}
	if result.Err != nil {
		return nil, result.Err
	}
	return next.View(v.Index()), nil
}
