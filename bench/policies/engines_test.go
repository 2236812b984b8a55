package policies

import (
	"fmt"
	"testing"

	"github.com/doorward/doorward/cmd/doorward/bench/workload"
)

// What is not the same answer is not the same work.
func TestEnginesAnswerAlike(t *testing.T) {
	for _, n := range []int{1, 10, 100, 1000} {
		statements := workload.Mix(n)
		questions := workload.Ask(statements, 500, 1)
		for _, e := range Engines {
			t.Run(fmt.Sprintf("%s with %d statements", e.Name, n), func(t *testing.T) {
				engine, err := e.New(statements)
				if err != nil {
					t.Fatal(err)
				}
				allowed := 0
				for _, q := range questions {
					expected := workload.Allowed(statements, q)
					if got := engine.Prepare(q)(); got != expected {
						t.Fatalf("%+v: %v, want %v", q, got, expected)
					}
					if expected {
						allowed++
					}
				}
				if allowed == 0 || allowed == len(questions) {
					t.Fatalf("%d of %d questions are allowed: the mix asks nothing", allowed, len(questions))
				}
			})
		}
	}
}
