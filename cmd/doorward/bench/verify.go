package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/doorward/doorward/cmd/doorward/bench/measure"
	"github.com/doorward/doorward/cmd/doorward/bench/report"
	"github.com/doorward/doorward/cmd/doorward/bench/workload"
)

// Verify measures what an answer costs in processor time and allocations, beside the
// cryptography in it: all of them in turns.
type Verify struct {
	Statements []int // that who asks may hold
	Rounds     int   // turns
	Progress   Progress
}

// DefaultVerify asks as users with few and many statements.
func DefaultVerify() Verify { return Verify{Statements: []int{1, 100, 1_000}, Rounds: 15} }

// Works are the floor, the verification, and the whole answer for each number of
// statements. Close ends the authorizer.
func (b Verify) Works(ctx context.Context) (works []measure.Work, close func() error, err error) {
	p, host, err := Inhabit(ctx, workload.Config{Seed: 1, Keys: len(b.Statements), Statements: b.Statements})
	if err != nil {
		return nil, nil, err
	}
	bucket, object := "project-00000", "team/2026/11/report.csv" // the first statement of each mix
	for i, n := range b.Statements {
		r, err := Get(p.Key(i), p.Secret(p.Key(i)), bucket, object)
		if err != nil {
			return nil, host.Close, err
		}
		if i == 0 {
			verification, err := Verification(r, p.Secret(p.Key(i)))
			if err != nil {
				return nil, host.Close, err
			}
			works = append(works, Floor(r), verification)
		}
		work, err := Authorization(host.Authorizer, Question(r))
		if err != nil {
			return nil, host.Close, err
		}
		work.Name = fmt.Sprintf("verify, map, decide; %d statements", n)
		works = append(works, work)
	}
	return works, host.Close, nil
}

// Run adds the table.
func (b Verify) Run(ctx context.Context, to *report.Report) error {
	defer b.Progress.End()
	works, close, err := b.Works(ctx)
	if close != nil {
		defer close()
	}
	if err != nil {
		return err
	}
	b.Progress.Step("verify: %d works in %d turns", len(works), b.Rounds)
	costs := measure.Compare(b.Rounds, works...)
	table := to.Add("verify", "turns", b.Rounds)
	for i, c := range costs {
		table.Row(works[i].Name, append(Costs(c), report.Figure{Name: "÷ floor", Unit: report.Ratio, Value: c.Nanoseconds / costs[0].Nanoseconds})...)
	}
	return nil
}

// Costs are the figures of one turn of a work.
func Costs(c measure.Cost) []report.Figure {
	return []report.Figure{
		{Name: "processor time", Unit: report.Nanoseconds, Value: c.Nanoseconds},
		{Name: "allocations", Unit: report.Count, Value: float64(int(c.Allocations + 0.5))},
	}
}

// Policy measures a decision alone, without a signature, against the number of
// statements that who asks holds.
type Policy struct {
	Statements []int
	Questions  int
	Seed       uint64
	Rounds     int
	Progress   Progress
}

// DefaultPolicy grows from one statement to a hundred thousand.
func DefaultPolicy() Policy {
	return Policy{Statements: []int{1, 10, 100, 1_000, 10_000, 100_000}, Questions: 512, Seed: 1, Rounds: 15}
}

// Run adds the table and the curve.
func (b Policy) Run(_ context.Context, to *report.Report) error {
	defer b.Progress.End()
	works, compiled := make([]measure.Work, len(b.Statements)), make([]time.Duration, len(b.Statements))
	for i, n := range b.Statements {
		b.Progress.Step("policy: compiling %d statements", n)
		statements := workload.Mix(n)
		began := time.Now()
		evaluation, err := Evaluate(statements)
		if err != nil {
			return err
		}
		compiled[i] = time.Since(began)
		if works[i], err = Decisions(evaluation, statements, b.Questions, b.Seed); err != nil {
			return err
		}
	}
	b.Progress.Step("policy: %d sizes in %d turns", len(works), b.Rounds)
	costs := measure.Compare(b.Rounds, works...)
	table := to.Add("policy", "questions", b.Questions, "seed", b.Seed, "turns", b.Rounds)
	curve := report.Curve{Plot: "statements", Name: "Doorward"}
	for i, c := range costs {
		table.Row(fmt.Sprintf("%d statements", b.Statements[i]), append(Costs(c),
			report.Figure{Name: "÷ the first", Unit: report.Ratio, Value: c.Nanoseconds / costs[0].Nanoseconds},
			report.Figure{Name: "parse and compile", Unit: report.Nanoseconds, Value: float64(compiled[i])})...)
		curve.Points = append(curve.Points, [2]float64{float64(b.Statements[i]), c.Nanoseconds / 1e3})
	}
	to.Curves = append(to.Curves, curve)
	return nil
}

// Decisions is the work of answering questions about statements, one after another,
// with an engine that has shown that it answers each as it should.
func Decisions(engine Evaluation, statements []workload.Statement, questions int, seed uint64) (measure.Work, error) {
	asks := make([]func() bool, questions)
	for i, q := range workload.Ask(statements, questions, seed) {
		asks[i] = engine(q)
		if got := asks[i](); got != workload.Allowed(statements, q) {
			return measure.Work{}, fmt.Errorf("the answer is %v about %+v among %d statements", got, q, len(statements))
		}
	}
	next := 0
	return measure.Work{Do: func(n int) {
		for range n {
			asks[next%len(asks)]()
			next++
		}
	}}, nil
}
