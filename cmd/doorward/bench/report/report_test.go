package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
)

func made(id string, change ...func(*Run)) *Report {
	run := Run{ID: id, Processor: "p", Kernel: "k", Go: "g", Commit: "c"}
	for _, c := range change {
		c(&run)
	}
	r := New(run)
	r.Add("authz", "keys", 1000).Row("socket", Figure{"p50", Nanoseconds, 12_345}, Figure{"rate", PerSecond, 1_234_567})
	return r
}

func TestFiguresOfDifferentRunsAreNotPutSideBySide(t *testing.T) {
	if all, err := Join(made("a"), made("a")); err != nil || len(all.Tables) != 2 {
		t.Errorf("of one run: %v", err)
	}
	for name, other := range map[string]*Report{
		"another run":       made("b"),
		"another processor": made("a", func(r *Run) { r.Processor = "q" }),
		"another kernel":    made("a", func(r *Run) { r.Kernel = "l" }),
		"another commit":    made("a", func(r *Run) { r.Commit = "d" }),
		"another Go":        made("a", func(r *Run) { r.Go = "h" }),
	} {
		if _, err := Join(made("a"), other); err == nil || !strings.Contains(err.Error(), "cannot be compared") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAReportIsTheSameAfterJSON(t *testing.T) {
	text, err := json.Marshal(made("a"))
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	var before, after bytes.Buffer
	if err := made("a").Write(&before); err != nil {
		t.Fatal(err)
	}
	if err := back.Write(&after); err != nil || before.String() != after.String() {
		t.Errorf("%v\n%s\n%s", err, before.String(), after.String())
	}
	for _, want := range []string{"authz; keys 1000", "12.3 µs", "1,234,567/s"} {
		if !strings.Contains(after.String(), want) {
			t.Errorf("no %q in\n%s", want, after.String())
		}
	}
}

func TestADistributionGoesFromNoneToFourNines(t *testing.T) {
	h := hdrhistogram.New(1, 1_000_000, 3)
	for v := range int64(100_000) {
		_ = h.RecordValue(v + 1)
	}
	c := Distribution("p", "n", h)
	if got := c.Points[10]; got[0] != 1 || got[1] < 89.9 || got[1] > 90.1 {
		t.Errorf("90 %% within %v µs", got)
	}
	if got := c.Points[40]; got[0] != 4 || got[1] < 99.9 {
		t.Errorf("99.99 %% within %v µs", got)
	}
}
