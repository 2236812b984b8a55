package sidecar

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/sidecar/internal/memstore"
)

// TestFloodOfUnknownKeysCostsTheStoreLittleAndGoodRequestsNothing asks with 100,000
// different keys that do not exist, in 10 seconds, and with a good one meanwhile.
func TestFloodOfUnknownKeysCostsTheStoreLittleAndGoodRequestsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, store: memstore.New(), time: noon}
		w.auth = w.sidecar(func(c *Config) { *c = DefaultConfig(); c.Now = w.now; c.Callers = 1 << 10 })
		w.key(w.user("alice", document(readAll)).Ref(), "AKIAALICE")
		w.caughtUp(w.auth)
		good := w.signed(cred("AKIAALICE"), "GET", "/bucket/x")
		bad := w.signed(cred("AKIA00000000"), "GET", "/bucket/x")
		w.want(w.ask(w.auth, cred("AKIAALICE"), "GET", "/bucket/x"), "")
		confirms, began := w.store.Confirms(), time.Now()

		const flood, senders, second = 100_000, 50, time.Second
		var clients sync.WaitGroup
		var mu sync.Mutex
		codes := map[string]int{}
		for s := range senders {
			clients.Go(func() {
				for i := range flood / senders {
					// Each sender keeps its share of the rate: what waits overlaps.
					due := began.Add(time.Duration(i) * 10 * second / (flood / senders))
					time.Sleep(time.Until(due))
					q := *bad
					q.Headers = slices.Clone(bad.Headers)
					for h := range q.Headers {
						if q.Headers[h].Name == "Authorization" {
							q.Headers[h].Value = replaceKey(q.Headers[h].Value, fmt.Sprintf("AKIA%08d", s*flood+i))
						}
					}
					clients.Go(func() {
						var d Decision
						w.auth.Authorize(context.Background(), &q, &d)
						mu.Lock()
						defer mu.Unlock()
						codes[string(d.Code())]++
					})
				}
			})
		}
		var slowest time.Duration
		for time.Since(began) < 10*second {
			var d Decision
			asked := time.Now()
			w.auth.Authorize(context.Background(), good, &d)
			slowest = max(slowest, time.Since(asked))
			if !d.Allowed() {
				t.Fatalf("a good request during the flood: %s", d.Code())
			}
			time.Sleep(time.Millisecond)
		}
		clients.Wait()
		took := time.Since(began)
		rate := float64(w.store.Confirms()-confirms) / took.Seconds()
		if rate > 60 {
			t.Errorf("the store was asked %.0f times a second", rate)
		}
		if slowest > 0 {
			t.Errorf("a good request waited %v", slowest)
		}
		if n := codes["InvalidAccessKeyId"]; n != flood {
			t.Errorf("answers: %v", codes)
		}
		t.Logf("%v of flood, %.1f questions a second", took, rate)
	})
}

func replaceKey(authorization, key string) string {
	const from = "AKIA00000000"
	for i := 0; i+len(from) <= len(authorization); i++ {
		if authorization[i:i+len(from)] == from {
			return authorization[:i] + key + authorization[i+len(from):]
		}
	}
	return authorization
}
