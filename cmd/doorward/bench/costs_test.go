package bench

import (
	"testing"

	"github.com/doorward/doorward/cmd/doorward/bench/workload"
)

// Everything that is measured does what it says.
func TestTheWorksDoTheirWork(t *testing.T) {
	works, end, err := Verify{Statements: []int{1, 1000}}.Works(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	if len(works) != 4 {
		t.Fatalf("%d works", len(works))
	}
	for _, w := range works {
		w.Do(2)
	}
}

func TestARequestThatNoStatementCoversIsNotMeasured(t *testing.T) {
	p, host, err := Inhabit(t.Context(), workload.Config{Keys: 2, Statements: []int{10}})
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	r, err := Get(p.Key(0), p.Secret(p.Key(0)), "elsewhere", "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Authorization(host.Authorizer, Question(r)); err == nil {
		t.Error("it is allowed")
	}
}

func TestAnEngineThatAnswersWronglyIsNotMeasured(t *testing.T) {
	statements := workload.Mix(10)
	always := func(workload.Question) func() bool { return func() bool { return true } }
	if _, err := Decisions(always, statements, 100, 1); err == nil {
		t.Error("one that allows everything is measured")
	}
	right, err := Evaluate(statements)
	if err != nil {
		t.Fatal(err)
	}
	work, err := Decisions(right, statements, 100, 1)
	if err != nil {
		t.Fatal(err)
	}
	work.Do(200)
}
