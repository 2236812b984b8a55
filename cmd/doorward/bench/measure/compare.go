package measure

import (
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Work is something that is done over and over.
type Work struct {
	Name string
	// Do does it n times.
	Do func(n int)
}

// Cost is what one turn of a work costs.
type Cost struct {
	// CPU is the processor time of the whole process, so that it holds the garbage
	// collection that the work causes, and does not hold what other processes do.
	CPU time.Duration
	// Nanoseconds is CPU with its fraction.
	Nanoseconds float64
	// Allocations and Bytes are what the work allocates.
	Allocations, Bytes float64
}

// slice is how long a work runs before the next has its turn.
const slice = 25 * time.Millisecond

// Compare runs the works in turns, rounds times, and returns the median cost of each.
func Compare(rounds int, works ...Work) []Cost {
	counts := make([]int, len(works))
	for i, w := range works {
		counts[i] = calibrate(w)
	}
	times := make([][]float64, len(works))
	costs := make([]Cost, len(works))
	for range rounds {
		for i, w := range works {
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := processorTime()
			w.Do(counts[i])
			spent := processorTime() - began
			runtime.ReadMemStats(&after)
			times[i] = append(times[i], float64(spent)/float64(counts[i]))
			costs[i].Allocations = float64(after.Mallocs-before.Mallocs) / float64(counts[i])
			costs[i].Bytes = float64(after.TotalAlloc-before.TotalAlloc) / float64(counts[i])
		}
	}
	for i := range costs {
		slices.Sort(times[i])
		costs[i].Nanoseconds = times[i][len(times[i])/2]
		costs[i].CPU = time.Duration(costs[i].Nanoseconds)
	}
	return costs
}

// calibrate returns how often a work can be done in a slice, and warms it up.
func calibrate(w Work) int {
	for n := 1; ; n *= 2 {
		began := processorTime()
		w.Do(n)
		if spent := processorTime() - began; spent >= int64(slice)/2 {
			return max(1, int(int64(n)*int64(slice)/spent))
		}
	}
}

// processorTime is what this process has used so far, in nanoseconds.
func processorTime() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return t.Nano()
}
