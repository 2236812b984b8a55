package policies

import (
	"fmt"
	"testing"

	"github.com/doorward/doorward/cmd/doorward/bench/workload"
)

// BenchmarkDoorward is for profiles; cmd/results compares.
func BenchmarkDoorward(b *testing.B) {
	for _, n := range []int{1, 20, 100, 1000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("statements=%d", n), func(b *testing.B) {
			statements := workload.Mix(n)
			engine, err := NewDoorward(statements)
			if err != nil {
				b.Fatal(err)
			}
			var asks []func() bool
			for _, q := range workload.Ask(statements, 512, 1) {
				asks = append(asks, engine.Prepare(q))
			}
			b.ReportAllocs()
			at := 0
			for b.Loop() {
				asks[at%len(asks)]()
				at++
			}
		})
	}
}
