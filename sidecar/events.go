package sidecar

import (
	"time"

	"github.com/doorward/doorward/iam"
)

// Events are called when something notable happens, if they are set. They run on
// the path of the thing itself, so they must be quick and must not call back.
type Events struct {
	// Decided is called for every decision. d is only valid during the call.
	Decided func(d *Decision)
	// Applied is called after a step of the feed is in effect.
	Applied func(index iam.Index, changes int)
	// Restored is called after a snapshot is in effect.
	Restored func(index iam.Index, records uint64)
	// SourceLost is called when the feed ends, with the reason and the time until
	// the next attempt.
	SourceLost func(err error, retry time.Duration)
	// Diverged is called when the view does not have the sum that the source says;
	// a snapshot follows.
	Diverged func(index iam.Index)
	// Kept is called at the start, with the index of what was kept on disk and how old it
	// is, or with why nothing is used.
	Kept func(index iam.Index, age time.Duration, err error)
	// KeepFailed is called when the disk cannot be written. It is tried again.
	KeepFailed func(err error)
	// Confirmed is called for every question to the store for its current index.
	Confirmed func(took time.Duration, err error)
	// KeyFetched is called for every signing key that was asked for on demand.
	KeyFetched func(took time.Duration, err error)
}
