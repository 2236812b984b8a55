package workload

import (
	"context"
	"testing"
	"time"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar"
)

func population(t *testing.T, c Config) *Population {
	t.Helper()
	p, err := New(c, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAnAuthorizerAnswersEveryRequestAsTheWorkloadSays(t *testing.T) {
	c, traffic := DefaultConfig(), DefaultTraffic()
	c.Keys, traffic.Requests = 1000, 4000
	p := population(t, c)
	requests, err := p.Requests(traffic, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	a, err := sidecar.New(sidecar.DefaultConfig(), p)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = a.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	if err := a.Wait(ctx, p.View().Index()); err != nil {
		t.Fatal(err)
	}
	codes, sessions := map[iam.Code]int{}, 0
	for i := range requests {
		q := &requests[i]
		var d sidecar.Decision
		if a.Authorize(ctx, &q.Sidecar, &d); d.Code() != q.Code {
			t.Fatalf("request %d, %s %s by %s: %q (%s), want %q", i, q.Sidecar.Method, q.Sidecar.Target, d.AccessKey, d.Code(), d.Message(), q.Code)
		}
		codes[q.Code]++
		if d.AccessKey != "" && d.AccessKey[:4] == "ASIA" {
			sessions++
		}
	}
	if n := codes[iam.AccessDenied]; n < 150 || n > 250 {
		t.Errorf("%d of 4000 are denied, want about 200", n)
	}
	if n := codes[iam.SignatureDoesNotMatch]; n < 15 || n > 80 {
		t.Errorf("%d of 4000 have a wrong signature, want about 40", n)
	}
	if sessions < 40 {
		t.Errorf("%d of 4000 use temporary credentials", sessions)
	}
}

func TestOneKeyInTenIsTemporary(t *testing.T) {
	p, temporary := population(t, DefaultConfig()), 0
	for i := range p.Config.Keys {
		id := p.Key(i)
		if _, ok := p.View().Session(id); ok != (id[:4] == "ASIA") {
			t.Fatalf("%s is a session: %v", id, ok)
		} else if ok {
			temporary++
		} else if _, ok := p.View().AccessKey(id); !ok {
			t.Fatalf("there is no key %s", id)
		}
	}
	if temporary != p.Config.Keys/10 {
		t.Errorf("%d of %d are temporary", temporary, p.Config.Keys)
	}
}

func TestTheSameSeedMakesTheSameRequests(t *testing.T) {
	c, traffic, now := DefaultConfig(), DefaultTraffic(), time.Now()
	c.Keys, traffic.Requests = 100, 200
	var targets [2][]string
	for i := range targets {
		requests, err := population(t, c).Requests(traffic, now)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range requests {
			targets[i] = append(targets[i], q.Check.Target+" "+string(q.Code))
		}
	}
	for i := range targets[0] {
		if targets[0][i] != targets[1][i] {
			t.Fatalf("request %d is %s and %s", i, targets[0][i], targets[1][i])
		}
	}
}
