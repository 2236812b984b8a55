package bench

import (
	"fmt"
	"io"
	"time"

	"github.com/doorward/doorward/cmd/doorward/bench/load"
	"github.com/doorward/doorward/cmd/doorward/bench/report"
)

// Progress shows in one line what is going on. The zero value shows nothing.
type Progress struct {
	To io.Writer
	// Live says that the line may be written over, because it is on a terminal.
	Live bool
}

// Step says that something begins.
func (p Progress) Step(format string, args ...any) {
	if p.To == nil {
		return
	}
	if p.Live {
		fmt.Fprintf(p.To, "\r\x1b[K"+format, args...)
		return
	}
	fmt.Fprintf(p.To, format+"\n", args...)
}

// seen returns what load tells of its progress while a step lasts.
func (p Progress) seen(step string) func(uint64, time.Duration) {
	if p.To == nil || !p.Live {
		return nil
	}
	return func(done uint64, passed time.Duration) {
		p.Step("%s: %s done, %s, %.1f s", step, report.Figure{Unit: report.Count, Value: float64(done)},
			report.Figure{Unit: report.PerSecond, Value: float64(done) / passed.Seconds()}, passed.Seconds())
	}
}

// End clears the line.
func (p Progress) End() {
	if p.To != nil && p.Live {
		fmt.Fprint(p.To, "\r\x1b[K")
	}
}

// loaded is the row of figures of a load; each call did so many things.
func loaded(r *load.Result, each int) []report.Figure {
	figures := []report.Figure{{Name: "rate", Unit: report.PerSecond, Value: r.PerSecond() * float64(each)}}
	figures = append(figures, report.Percentiles(r.Latency)...)
	figures = append(figures, report.Figure{Name: "failed", Unit: report.Count, Value: float64(r.Failed * uint64(each))})
	if r.Plan.Apart != nil { // last, because not every row of a table has it
		figures = append(figures, report.Figure{Name: "forged, p50", Unit: report.Nanoseconds, Value: float64(r.Apart.ValueAtPercentile(50))})
	}
	return figures
}

// failure is an error if a load has calls that failed: its figures would be of
// something else than what is asked.
func failure(what string, r *load.Result) error {
	switch {
	case r.Done == 0:
		return fmt.Errorf("%s: nothing was done in %v", what, r.Took)
	case r.Failed > 0:
		return fmt.Errorf("%s: %d of %d failed, the first one with: %w", what, r.Failed, r.Done, r.Err)
	}
	return nil
}
