package measure

import "testing"

func TestCompareTellsDearFromCheapWork(t *testing.T) {
	sink := 0
	spin := func(turns int) func(int) {
		return func(n int) {
			for range n * turns {
				sink += sink<<1 ^ n
			}
		}
	}
	var kept [][]byte
	costs := Compare(3,
		Work{"cheap", spin(100)},
		Work{"dear", spin(10_000)},
		Work{"allocating", func(n int) {
			kept = kept[:0]
			for range n {
				kept = append(kept[:0], make([]byte, 1000))
			}
		}},
	)
	if costs[1].Nanoseconds < 10*costs[0].Nanoseconds {
		t.Errorf("a hundred times the work costs %v, not much more than %v", costs[1].CPU, costs[0].CPU)
	}
	if costs[0].Allocations > 0.1 || costs[2].Allocations < 0.99 || costs[2].Bytes < 1000 {
		t.Errorf("allocations: %+v and %+v", costs[0], costs[2])
	}
}
