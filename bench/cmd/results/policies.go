package main

import (
	"fmt"
	"strings"

	"github.com/doorward/doorward/bench/policies"
	"github.com/doorward/doorward/cmd/doorward/bench"
	"github.com/doorward/doorward/cmd/doorward/bench/measure"
	"github.com/doorward/doorward/cmd/doorward/bench/report"
	"github.com/doorward/doorward/cmd/doorward/bench/workload"
)

const (
	questionsAsked = 512
	seed           = 1
)

// statementCounts are the sizes of the policies.
var statementCounts = []int{1, 10, 20, 100, 1_000, 10_000, 100_000}

// policySection asks every engine the same questions at every size.
func policySection(page *page) error {
	page.WriteString(`## Policy decisions

The same questions about the same statements, each in the form that the engine's documentation recommends: read and write below a prefix, listings limited
by ` + "`s3:prefix`" + `, a wildcard before a bucket's name, a network in ` + "`aws:SourceIp`" + `, a Deny (` + "`cmd/doorward/bench/workload`" + `). A test holds that all answer alike.
What a server has at hand when it asks (our request and its context, MinIO's Args, Cedar's entities, OPA's input, Casbin's attributes) is made beforehand.

| statements |`)
	for _, e := range policies.Engines {
		fmt.Fprintf(page, " %s | allocs |", e.Name)
	}
	page.WriteString(" fastest peer ÷ Doorward |\n|--:|" + strings.Repeat("--:|--:|", len(policies.Engines)) + "--:|\n")
	lines := make([]line, len(policies.Engines))
	for i, e := range policies.Engines {
		lines[i].name = e.Name
	}
	figures := page.figures.Add("policies", "questions", questionsAsked, "seed", seed, "turns", page.rounds)
	for _, n := range statementCounts {
		if page.short && n > 1000 {
			continue
		}
		costs, err := decide(n, page.rounds)
		if err != nil {
			return err
		}
		fmt.Fprintf(page, "| %d |", n)
		fastest, row := 0.0, []report.Figure{}
		for i, c := range costs {
			if c == nil {
				page.WriteString(" | |")
				continue
			}
			fmt.Fprintf(page, " %s | %.0f |", report.Duration(c.Nanoseconds), c.Allocations)
			lines[i].add(float64(n), c.Nanoseconds/1e3)
			row = append(row, report.Figure{Name: policies.Engines[i].Name, Unit: report.Nanoseconds, Value: c.Nanoseconds})
			if i > 0 && (fastest == 0 || c.Nanoseconds < fastest) {
				fastest = c.Nanoseconds
			}
		}
		if fastest > 0 {
			fmt.Fprintf(page, " %.0f× |\n", fastest/costs[0].Nanoseconds)
		} else {
			page.WriteString(" |\n")
		}
		figures.Row(fmt.Sprint(n), row...)
		page.say("policies: %d statements measured", n)
	}
	page.WriteString("\n")
	if page.short {
		return nil
	}
	grows, err := growth(page.rounds)
	if err != nil {
		return err
	}
	page.figures.Add("growth").Row("Doorward", report.Figure{Name: "÷ the smallest", Unit: report.Ratio, Value: grows})
	fmt.Fprintf(page, "Doorward grows %.2f× from %d to %d statements, measured with both sizes taking turns.\n\n", grows, smallest, largest)
	return page.picture("policies.svg", "One decision", axis{label: "statements of the principal", log: true}, axis{label: "processor time, µs", log: true}, lines)
}

// smallest and largest are the sizes between which growth is measured.
var smallest, largest = statementCounts[0], statementCounts[len(statementCounts)-1]

// growth returns how much more a decision costs Doorward among the largest number of
// statements than among the smallest. The two take turns, because a machine that
// others use too is not equally fast for minutes.
func growth(rounds int) (float64, error) {
	var works []measure.Work
	for _, n := range []int{smallest, largest} {
		work, err := decisions(policies.Engines[0].New, workload.Mix(n))
		if err != nil {
			return 0, err
		}
		works = append(works, work)
	}
	costs := measure.Compare(rounds, works...)
	return costs[1].Nanoseconds / costs[0].Nanoseconds, nil
}

// decide returns what a decision costs each engine among n statements, nil for an
// engine that is not asked with so many.
func decide(n, rounds int) ([]*measure.Cost, error) {
	statements := workload.Mix(n)
	var works []measure.Work
	for _, e := range policies.Engines {
		if n > e.Most {
			continue
		}
		work, err := decisions(e.New, statements)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name, err)
		}
		works = append(works, work)
	}
	measured := measure.Compare(rounds, works...)
	costs := make([]*measure.Cost, len(policies.Engines))
	at := 0
	for i, e := range policies.Engines {
		if n <= e.Most {
			costs[i] = &measured[at]
			at++
		}
	}
	return costs, nil
}

// decisions is one engine's work: to answer questions about statements in turn.
func decisions(give func([]workload.Statement) (policies.Engine, error), statements []workload.Statement) (measure.Work, error) {
	engine, err := give(statements)
	if err != nil {
		return measure.Work{}, err
	}
	return bench.Decisions(engine.Prepare, statements, questionsAsked, seed)
}
