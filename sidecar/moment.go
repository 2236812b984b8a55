package sidecar

import (
	"errors"
	"time"
)

// Moment is an instant by every clock that tells how much time passes while a
// program does not run.
type Moment struct {
	Wall time.Time
	// Boot names the run of the machine, and Since is the time since it began, sleep
	// included. Without a name there is no such clock.
	Boot  [16]byte
	Since time.Duration
}

// errClock says that a clock went back.
var errClock = errors.New("the clock is behind what was kept: it has been set back, or was wrong before")

// elapsed returns how much time has passed from one moment to another, at least: of
// two clocks the one that says more counts. The error is errClock if the wall clock
// went back, and nothing else can tell.
func elapsed(from, to Moment) (time.Duration, error) {
	wall := to.Wall.Round(0).Sub(from.Wall.Round(0))
	if from.Boot == to.Boot && from.Boot != [16]byte{} && to.Since >= from.Since {
		return max(wall, to.Since-from.Since), nil
	}
	// Another run of the machine: it has lasted for Since at least.
	if wall < 0 {
		return 0, errClock
	}
	return max(wall, to.Since), nil
}
