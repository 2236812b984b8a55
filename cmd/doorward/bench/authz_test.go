package bench

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/cmd/doorward/bench/report"
)

func TestEveryDoorIsMeasuredAndItsAnswersAreHeldAgainstWhatTheyHaveToBe(t *testing.T) {
	b := DefaultAuthz()
	b.Workload.Keys, b.Traffic.Requests, b.Batch, b.For, b.Shares = 200, 512, 16, 300*time.Millisecond, []float64{0.5}
	r := report.New(report.NewRun(""))
	if err := b.Run(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	saturation := r.Find("authz/saturation")
	if saturation == nil || len(saturation.Rows) != len(AuthzTargets) {
		t.Fatalf("%+v", saturation)
	}
	for _, row := range saturation.Rows {
		if row.Get("rate") <= 0 || row.Get("p50") <= 0 || row.Get("failed") != 0 {
			t.Errorf("%+v", row)
		}
	}
	var text bytes.Buffer
	if err := r.Write(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"authz/echo", "authz/socket", "authz/batch", "authz/http", "50 %"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %s in\n%s", want, text.String())
		}
	}
}

func TestADoorThatAnswersWronglyIsNotMeasured(t *testing.T) {
	b := DefaultAuthz()
	b.Workload.Keys, b.Traffic.Requests, b.For = 50, 256, 50*time.Millisecond
	p, host, err := Inhabit(t.Context(), b.Workload)
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	requests, err := p.Requests(b.Traffic, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for i := range requests {
		requests[i].Code = "SomethingElse"
	}
	for _, name := range AuthzTargets {
		b.Targets = []string{name}
		doors, err := b.doors(host, requests)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.saturate(context.Background(), doors[0], 1); err == nil || !strings.Contains(err.Error(), "SomethingElse") {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.Targets = []string{"carrier pigeon"}
	if _, err := b.doors(host, requests); err == nil {
		t.Error("a door that does not exist is opened")
	}
}
