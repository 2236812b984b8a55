package load

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Plan is how a function is called.
type Plan struct {
	// Workers call at the same time. At a fixed rate they bound how many calls can be
	// under way; those beyond wait, and the wait counts.
	Workers int
	// Apart tells of calls whose time is of another kind; nil: none is.
	Apart func(call uint64) bool
	// For bounds the time, Calls the number of calls; zero: For alone.
	For   time.Duration
	Calls uint64
	// Rate is the calls a second of all workers together; zero: each worker calls again
	// as soon as it is answered.
	Rate float64
	// Seen is told of progress about four times a second; nil: nobody is.
	Seen func(done uint64, passed time.Duration)

	sleeper func() (sleep func(time.Duration), awake func()) // nil: that of this system
}

// Result is what the callers saw.
type Result struct {
	Plan         Plan
	Took         time.Duration
	Done, Failed uint64
	// Err is the first failure.
	Err error
	// Latency is the time of each call, in nanoseconds, from when it was due; Apart that
	// of those which the plan sets apart.
	Latency, Apart *hdrhistogram.Histogram
	// Late is how long after a call was due it began, in nanoseconds: what the schedule,
	// the machine's timers and busy workers add to Latency. Empty without a rate.
	Late *hdrhistogram.Histogram
}

// PerSecond is the rate that was reached.
func (r *Result) PerSecond() float64 { return float64(r.Done) / r.Took.Seconds() }

// The span of times that are told apart, to a hundredth.
const (
	shortest = 1
	longest  = 5 * time.Minute
	digits   = 2
)

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(shortest, int64(longest), digits)
}

// shard is the record of some of the workers.
type shard struct {
	mu                   sync.Mutex
	latency, apart, late *hdrhistogram.Histogram
	err                  error
}

// running is a plan at work.
type running struct {
	Plan
	began        time.Time
	next         atomic.Uint64 // call to make
	done, failed atomic.Uint64
	shards       []shard
}

// Run calls do, which is told its worker, counted from zero, and its call, until the
// plan is fulfilled or ctx is done.
func (p Plan) Run(ctx context.Context, do func(worker int, call uint64) error) *Result {
	if p.Calls == 0 {
		p.Calls = 1 << 62
	}
	if p.sleeper == nil {
		p.sleeper = sleeper
	}
	// What was due in time is still done when a server cannot keep up, but not for ever.
	limit := p.For
	if p.Rate > 0 {
		limit += max(p.For, patience)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r := &running{Plan: p, began: time.Now(), shards: make([]shard, min(p.Workers, 4*runtime.GOMAXPROCS(0)))}
	for i := range r.shards {
		r.shards[i].latency, r.shards[i].apart, r.shards[i].late = newHistogram(), newHistogram(), newHistogram()
	}
	var ended atomic.Bool
	stop := context.AfterFunc(ctx, func() { ended.Store(true) })
	defer stop()
	var workers sync.WaitGroup
	due := make(chan due, queued)
	if p.Rate > 0 {
		workers.Go(func() { r.schedule(&ended, due) })
	}
	for w := range p.Workers {
		if p.Rate > 0 {
			workers.Go(func() { r.scheduled(&ended, due, w, do) })
		} else {
			workers.Go(func() { r.saturating(&ended, w, do) })
		}
	}
	watched := make(chan struct{})
	go func() { defer close(watched); r.watch(ctx) }() // ends with ctx, which is before Run returns
	workers.Wait()
	took := time.Since(r.began)
	cancel()
	<-watched
	return r.result(took)
}

func (r *running) result(took time.Duration) *Result {
	result := &Result{Plan: r.Plan, Took: took, Done: r.done.Load(), Failed: r.failed.Load(), Latency: newHistogram(), Apart: newHistogram(), Late: newHistogram()}
	for i := range r.shards {
		s := &r.shards[i]
		result.Latency.Merge(s.latency)
		result.Apart.Merge(s.apart)
		result.Late.Merge(s.late)
		if result.Err == nil {
			result.Err = s.err
		}
	}
	return result
}

func (r *running) watch(ctx context.Context) {
	if r.Seen == nil {
		return
	}
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.Seen(r.done.Load(), time.Since(r.began))
		case <-ctx.Done():
			return
		}
	}
}

// saturating reads the clock once for each call: the end of one is the begin of the
// next.
func (r *running) saturating(ended *atomic.Bool, worker int, do func(int, uint64) error) {
	s := &r.shards[worker%len(r.shards)]
	for began := time.Now(); !ended.Load(); {
		call := r.next.Add(1) - 1
		if call >= r.Calls {
			return
		}
		err := do(worker, call)
		now := time.Now()
		r.record(s, call, err, now.Sub(began), -1)
		began = now
	}
}

// patience is the least time that calls which were due get when the schedule is over.
const patience = time.Second

// due is a call and its moment.
type due struct {
	call uint64
	at   time.Time
}

// queued is how many calls may be due and wait for a worker before the schedule
// itself waits; their time counts all the same.
const queued = 1 << 12

// schedule hands calls out when they are due.
func (r *running) schedule(ended *atomic.Bool, to chan<- due) {
	defer close(to)
	sleep, awake := r.sleeper()
	defer awake()
	for call := uint64(0); call < r.Calls && !ended.Load(); call++ {
		after := time.Duration(float64(call) / r.Rate * float64(time.Second))
		if after >= r.For {
			return
		}
		at := r.began.Add(after)
		if wait := time.Until(at); wait > 0 {
			sleep(wait)
		}
		to <- due{call, at}
	}
}

// scheduled makes calls that are due until there are no more. When the time is over
// those that still wait are not made.
func (r *running) scheduled(ended *atomic.Bool, from <-chan due, worker int, do func(int, uint64) error) {
	s := &r.shards[worker%len(r.shards)]
	for next := range from {
		if ended.Load() {
			continue
		}
		late := time.Since(next.at)
		err := do(worker, next.call)
		r.record(s, next.call, err, time.Since(next.at), max(late, 0))
	}
}

// record notes a call; late is negative if it was not due at a time.
func (r *running) record(s *shard, call uint64, err error, took, late time.Duration) {
	apart := r.Apart != nil && r.Apart(call)
	r.done.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		r.failed.Add(1)
		if s.err == nil {
			s.err = err
		}
	}
	// A time beyond the longest counts as that.
	if took = min(took, longest); apart {
		_ = s.apart.RecordValue(int64(took))
	} else {
		_ = s.latency.RecordValue(int64(took))
	}
	if late >= 0 {
		_ = s.late.RecordValue(int64(min(late, longest)))
	}
}
