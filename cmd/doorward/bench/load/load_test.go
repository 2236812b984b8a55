package load

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// virtual sleeps in the time of a bubble of testing/synctest.
func virtual() (func(time.Duration), func()) { return time.Sleep, func() {} }

func TestAServerThatStopsIsChargedForEveryCallThatWasDueMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := Plan{Workers: 1, For: time.Second, Rate: 1000, sleeper: virtual}.Run(t.Context(), func(_ int, call uint64) error {
			if call == 100 {
				time.Sleep(200 * time.Millisecond)
			}
			return nil
		})
		if r.Done != 1000 {
			t.Fatalf("%d calls in %v", r.Done, r.Took)
		}
		// One call took 200 ms; two hundred were due meanwhile.
		if p90 := time.Duration(r.Latency.ValueAtPercentile(90)); p90 < 99*time.Millisecond || p90 > 102*time.Millisecond {
			t.Errorf("p90 is %v: the calls that had to wait are not counted", p90)
		}
		if late := time.Duration(r.Late.ValueAtPercentile(90)); late < 98*time.Millisecond {
			t.Errorf("nine in ten began within %v", late)
		}
	})
}

func TestAPlanEndsWithItsNumberOfCalls(t *testing.T) {
	for _, rate := range []float64{0, 1e6} {
		r := Plan{Workers: 3, For: time.Minute, Calls: 1000, Rate: rate}.Run(t.Context(), func(int, uint64) error { return nil })
		if r.Done != 1000 || r.Latency.TotalCount() != 1000 {
			t.Errorf("rate %v: %d calls, %d recorded", rate, r.Done, r.Latency.TotalCount())
		}
	}
}

func TestWorkersThatSaturateCallUntilTheTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		r := Plan{Workers: 4, For: time.Second}.Run(t.Context(), func(worker int, _ uint64) error {
			time.Sleep(10 * time.Millisecond)
			if worker == 3 {
				return broken
			}
			return nil
		})
		if r.Done < 400 || r.Done > 404 || r.Failed < 100 || r.Failed > 101 || !errors.Is(r.Err, broken) {
			t.Errorf("%d calls, %d failed with %v", r.Done, r.Failed, r.Err)
		}
		if took := time.Duration(r.Latency.ValueAtPercentile(50)); took < 9*time.Millisecond || took > 11*time.Millisecond {
			t.Errorf("a call takes %v", took)
		}
		if r.PerSecond() < 390 || r.PerSecond() > 410 {
			t.Errorf("%v a second", r.PerSecond())
		}
	})
}

func TestCallsThatAreSetApartDoNotCountWithTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(call uint64) bool { return call%10 == 0 }
		r := Plan{Workers: 2, For: time.Minute, Calls: 100, Apart: slow}.Run(t.Context(), func(_ int, call uint64) error {
			if slow(call) {
				time.Sleep(time.Second)
			}
			return nil
		})
		if r.Apart.TotalCount() != 10 || r.Latency.TotalCount() != 90 || r.Latency.Max() > 1 {
			t.Errorf("%d apart, %d not, which take up to %v", r.Apart.TotalCount(), r.Latency.TotalCount(), time.Duration(r.Latency.Max()))
		}
	})
}

func TestAPlanEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := Plan{Workers: 2, For: time.Hour}.Run(ctx, func(_ int, call uint64) error {
		if call == 10 {
			cancel()
		}
		return nil
	})
	if r.Done < 10 {
		t.Errorf("%d calls", r.Done)
	}
}
