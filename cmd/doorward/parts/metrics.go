package parts

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/doorward/doorward/api"
	"github.com/doorward/doorward/cluster"
)

// metrics is what a store node counts, in a registry of its own.
type metrics struct {
	registry *prometheus.Registry
	calls    *prometheus.CounterVec
	took     *prometheus.HistogramVec
}

func newMetrics(node *cluster.Node) (*metrics, error) {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "doorward_api_calls_total", Help: "Calls of the API, by action and error code; no code: it went through.",
		}, []string{"action", "code"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "doorward_api_call_seconds", Help: "Time from a call to its answer, by whether it wrote.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
		}, []string{"wrote"}),
	}
	for _, c := range []prometheus.Collector{
		m.calls, m.took, node, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := m.registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// observe counts a call.
func (m *metrics) observe(o api.Outcome) {
	m.calls.WithLabelValues(o.Action, string(o.Code)).Inc()
	wrote := "no"
	if o.Index != 0 {
		wrote = "yes"
	}
	m.took.WithLabelValues(wrote).Observe(o.Took.Seconds())
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
