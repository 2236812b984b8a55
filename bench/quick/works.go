// Package quick counts what the hot paths cost in instructions and allocations, which
// are the same on every machine of an architecture, and holds them against what was
// recorded. Start with [Count] and [Compare].
package quick

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"github.com/doorward/doorward/cmd/doorward/bench"
	"github.com/doorward/doorward/cmd/doorward/bench/measure"
	"github.com/doorward/doorward/cmd/doorward/bench/workload"
)

// names are the works, in the order of the table.
var names = []string{"verify", "answer/1", "answer/1000", "decide/1", "decide/100", "decide/1000"}

// floor is the cryptography in a verification. Its instructions are taken off those of
// the works that hold it: without the processor's help they are most of them, and no
// matter of ours.
const floor = "floor"

// onFloor reports whether a work holds the cryptography.
func onFloor(name string) bool { return name == "verify" || strings.HasPrefix(name, "answer/") }

// prepare returns a work that is ready to be done.
func prepare(name string) (work measure.Work, end func() error, err error) {
	nothing := func() error { return nil }
	var statements int
	if _, err := fmt.Sscanf(name, "decide/%d", &statements); err == nil {
		mix := workload.Mix(statements)
		evaluation, err := bench.Evaluate(mix)
		if err != nil {
			return work, nothing, err
		}
		work, err = bench.Decisions(evaluation, mix, 64, 1)
		return work, nothing, err
	}
	if _, err := fmt.Sscanf(name, "answer/%d", &statements); err != nil {
		statements = 1
	}
	works, end, err := bench.Verify{Statements: []int{statements}}.Works(context.Background())
	if err != nil {
		return work, nothing, err
	}
	switch name {
	case floor:
		return works[0], end, nil
	case "verify":
		return works[1], end, nil
	}
	return works[2], end, nil
}

// Do does a work so many times. Its first rounds, which fill caches, are always done.
func Do(name string, times int) error {
	work, end, err := prepare(name)
	if err != nil {
		return err
	}
	work.Do(64)
	work.Do(times)
	return end()
}

// allocations are those of a work when it is done once more.
func allocations(work measure.Work) float64 {
	const times = 1000
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	work.Do(64)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	work.Do(times)
	runtime.ReadMemStats(&after)
	return float64((after.Mallocs - before.Mallocs) / times) // what else runs allocates less than once each time
}
