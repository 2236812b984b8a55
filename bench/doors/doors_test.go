package doors

import (
	"testing"
	"time"

	"github.com/doorward/doorward/cmd/doorward/bench"
	"github.com/doorward/doorward/cmd/doorward/bench/workload"
)

func TestEnvoyGetsTheAnswersThatTheWorkloadAsksFor(t *testing.T) {
	c, traffic := workload.DefaultConfig(), workload.DefaultTraffic()
	c.Keys, traffic.Requests = 100, 300
	p, host, err := bench.Inhabit(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	requests, err := p.Requests(traffic, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	door, end, err := AskEnvoy(host.Socket, requests, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	denied := 0
	for n := range requests {
		if err := door.Ask(0, uint64(n)); err != nil {
			t.Fatal(err)
		}
		if requests[n].Code != "" {
			denied++
		}
	}
	if denied == 0 {
		t.Error("nothing was denied")
	}
	requests[0].Code = "SomethingElse"
	if door.Ask(0, 0) == nil {
		t.Error("a wrong answer is not noticed")
	}
}
