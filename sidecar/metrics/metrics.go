// Package metrics counts what a sidecar does, for Prometheus.
//
// [New] makes the counters, [Metrics.Listen] hooks them to a sidecar's events, and
// [Metrics.Handler] serves them. Counting a decision costs a few additions and
// allocates nothing.
package metrics

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar"
)

// The names, each with its meaning.
var (
	decisions  = describe("decisions_total", "Decisions, by what was decided and the S3 error code.", "decision", "code")
	took       = describe("decision_seconds", "Time from question to decision.")
	index      = describe("index", "Log index of the view that decides.")
	staleness  = describe("staleness_seconds", "Time since the view was last known to be current.")
	ready      = describe("ready", "1 while requests are decided.")
	applied    = describe("applied_steps_total", "Steps of the feed that were taken.")
	restored   = describe("restored_snapshots_total", "Snapshots that were taken.")
	lost       = describe("source_lost_total", "Times that the feed ended.")
	diverged   = describe("diverged_total", "Times that the view differed from the store's.")
	confirmed  = describe("confirmations_total", "Questions for the current index, by outcome.", "outcome")
	fetched    = describe("signing_keys_fetched_total", "Signing keys asked for on demand, by outcome.", "outcome")
	logDropped = describe("decision_log_dropped_total", "Decisions that the decision log had no room for.")
	logWritten = describe("decision_log_written_total", "Decisions in the decision log.")
	buckets    = []time.Duration{ // upper bounds
		500 * time.Nanosecond, time.Microsecond, 2 * time.Microsecond, 4 * time.Microsecond, 8 * time.Microsecond,
		16 * time.Microsecond, 32 * time.Microsecond, 64 * time.Microsecond, 128 * time.Microsecond, 256 * time.Microsecond,
		512 * time.Microsecond, time.Millisecond, 4 * time.Millisecond, 16 * time.Millisecond, 64 * time.Millisecond,
		256 * time.Millisecond, time.Second, 4 * time.Second,
	}
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("doorward_sidecar_"+name, help, labels, nil)
}

// Metrics are the counters of one sidecar. It is a prometheus.Collector.
type Metrics struct {
	authorizer atomic.Pointer[sidecar.Authorizer]
	log        *sidecar.DecisionLog

	allowed, needed atomic.Uint64
	denied          [len(codes) + 1]atomic.Uint64 // by place in codes, others last
	inBucket        [32]atomic.Uint64             // of buckets, slower ones at len(buckets)
	nanoseconds     atomic.Uint64

	applied, restored, lost, diverged atomic.Uint64
	confirmed, fetched                outcomes
}

// codes are the refusals that are counted by name. The list is short so that a
// client cannot make it long.
var codes = [...]iam.Code{
	iam.AccessDenied, iam.SignatureDoesNotMatch, "InvalidAccessKeyId", "ExpiredToken", "InvalidToken", "RequestTimeTooSkewed",
	"SlowDown", iam.ServiceUnavailable, "AuthorizationHeaderMalformed", "InvalidRequest", "InvalidArgument",
}

type outcomes struct{ ok, failed atomic.Uint64 }

func (o *outcomes) count(err error) {
	if err != nil {
		o.failed.Add(1)
		return
	}
	o.ok.Add(1)
}

// New returns counters at zero. Log is the decision log whose losses are told; nil:
// there is none.
func New(log *sidecar.DecisionLog) *Metrics { return &Metrics{log: log} }

// Of says whose index and staleness are told.
func (m *Metrics) Of(a *sidecar.Authorizer) { m.authorizer.Store(a) }

// Listen puts the counters in front of who listens to events already.
func (m *Metrics) Listen(events *sidecar.Events) {
	before := *events
	events.Decided = func(d *sidecar.Decision) {
		m.decided(d)
		if before.Decided != nil {
			before.Decided(d)
		}
	}
	events.Applied = func(at iam.Index, changes int) {
		m.applied.Add(1)
		if before.Applied != nil {
			before.Applied(at, changes)
		}
	}
	events.Restored = func(at iam.Index, records uint64) {
		m.restored.Add(1)
		if before.Restored != nil {
			before.Restored(at, records)
		}
	}
	events.SourceLost = func(err error, retry time.Duration) {
		m.lost.Add(1)
		if before.SourceLost != nil {
			before.SourceLost(err, retry)
		}
	}
	events.Diverged = func(at iam.Index) {
		m.diverged.Add(1)
		if before.Diverged != nil {
			before.Diverged(at)
		}
	}
	events.Confirmed = func(took time.Duration, err error) {
		m.confirmed.count(err)
		if before.Confirmed != nil {
			before.Confirmed(took, err)
		}
	}
	events.KeyFetched = func(took time.Duration, err error) {
		m.fetched.count(err)
		if before.KeyFetched != nil {
			before.KeyFetched(took, err)
		}
	}
}

func (m *Metrics) decided(d *sidecar.Decision) {
	switch d.Effect {
	case authz.Allow:
		m.allowed.Add(1)
	case authz.Need:
		m.needed.Add(1)
	default:
		m.denied[place(d.Code())].Add(1)
	}
	m.nanoseconds.Add(uint64(max(0, d.Took)))
	at := 0
	for at < len(buckets) && d.Took > buckets[at] {
		at++
	}
	m.inBucket[at].Add(1)
}

func place(code iam.Code) int {
	for i, known := range codes {
		if known == code {
			return i
		}
	}
	return len(codes)
}

// Decisions returns how many decisions there were.
func (m *Metrics) Decisions() (n uint64) {
	n = m.allowed.Load() + m.needed.Load()
	for i := range m.denied {
		n += m.denied[i].Load()
	}
	return n
}

// Describe says nothing, so that all names are accepted.
func (m *Metrics) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, out) }

// Collect gives what is counted.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	counter := func(of *prometheus.Desc, n uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(of, prometheus.CounterValue, float64(n), labels...)
	}
	gauge := func(of *prometheus.Desc, value float64) {
		out <- prometheus.MustNewConstMetric(of, prometheus.GaugeValue, value)
	}
	counter(decisions, m.allowed.Load(), "allow", "")
	counter(decisions, m.needed.Load(), "need", "")
	for i, code := range codes {
		counter(decisions, m.denied[i].Load(), "deny", string(code))
	}
	counter(decisions, m.denied[len(codes)].Load(), "deny", "other")
	out <- m.histogram()
	for of, n := range map[*prometheus.Desc]*atomic.Uint64{applied: &m.applied, restored: &m.restored, lost: &m.lost, diverged: &m.diverged} {
		counter(of, n.Load())
	}
	for of, n := range map[*prometheus.Desc]*outcomes{confirmed: &m.confirmed, fetched: &m.fetched} {
		counter(of, n.ok.Load(), "ok")
		counter(of, n.failed.Load(), "failed")
	}
	if m.log != nil {
		counter(logDropped, m.log.Dropped())
		counter(logWritten, m.log.Written())
	}
	if a := m.authorizer.Load(); a != nil {
		s := a.Status()
		gauge(index, float64(s.Index))
		gauge(staleness, s.Staleness.Seconds())
		up := 0.0
		if s.Err == nil {
			up = 1
		}
		gauge(ready, up)
	}
}

func (m *Metrics) histogram() prometheus.Metric {
	cumulative := make(map[float64]uint64, len(buckets))
	n := uint64(0)
	for i, bound := range buckets {
		n += m.inBucket[i].Load()
		cumulative[bound.Seconds()] = n
	}
	n += m.inBucket[len(buckets)].Load()
	return prometheus.MustNewConstHistogram(took, n, time.Duration(m.nanoseconds.Load()).Seconds(), cumulative)
}

// Handler serves the counters, and those of others, in a registry of their own.
func (m *Metrics) Handler(others ...prometheus.Collector) http.Handler {
	registry := prometheus.NewRegistry()
	for _, c := range append(others, m) {
		registry.MustRegister(c)
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}
