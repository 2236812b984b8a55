package metrics

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar"
)

func TestEachEventIsCountedUnderItsNameAndPassedOn(t *testing.T) {
	m := New(sidecar.NewDecisionLog(sidecar.DecisionLogConfig{}))
	passed := 0
	events := sidecar.Events{Decided: func(*sidecar.Decision) { passed++ }, Restored: func(iam.Index, uint64) { passed++ }}
	m.Listen(&events)
	events.Decided(&sidecar.Decision{Effect: authz.Allow, Took: 700 * time.Nanosecond})
	events.Decided(&sidecar.Decision{Effect: authz.Deny, Refusal: &sigv4.Error{Code: iam.AccessDenied}, Took: time.Hour})
	events.Decided(&sidecar.Decision{Effect: authz.Deny, Refusal: &sigv4.Error{Code: "Weird"}})
	events.Restored(1, 1)
	events.Confirmed(0, sidecar.ErrStale)
	events.Applied(2, 1)
	if passed != 4 || m.Decisions() != 3 {
		t.Errorf("%d events were passed on, %d decisions counted", passed, m.Decisions())
	}
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	text := answer.Body.String()
	for _, line := range []string{
		`doorward_sidecar_decisions_total{code="",decision="allow"} 1`,
		`doorward_sidecar_decisions_total{code="AccessDenied",decision="deny"} 1`,
		`doorward_sidecar_decisions_total{code="other",decision="deny"} 1`,
		`doorward_sidecar_decision_seconds_bucket{le="5e-07"} 1`,
		`doorward_sidecar_decision_seconds_bucket{le="1e-06"} 2`,
		`doorward_sidecar_decision_seconds_bucket{le="4"} 2`,
		`doorward_sidecar_decision_seconds_count 3`,
		`doorward_sidecar_restored_snapshots_total 1`,
		`doorward_sidecar_confirmations_total{outcome="failed"} 1`,
		`doorward_sidecar_applied_steps_total 1`,
		`doorward_sidecar_decision_log_dropped_total 0`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no line %s in\n%s", line, text)
		}
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	m := New(nil)
	var events sidecar.Events
	m.Listen(&events)
	d := &sidecar.Decision{Effect: authz.Allow, Took: 700 * time.Nanosecond}
	if n := testing.AllocsPerRun(100, func() { events.Decided(d) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
