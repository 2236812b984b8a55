// Command results measures Doorward and its peers in one run, and writes
// RESULTS.md and its pictures into the current folder.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/doorward/doorward/cmd/doorward/bench/report"
)

func main() {
	rounds := flag.Int("rounds", 15, "`turns` that each work gets; the median of them counts")
	only := flag.String("only", "", "measure these `parts`, separated by commas, and print them instead of writing the page: "+strings.Join(names(), ", "))
	short := flag.Bool("short", false, "measure briefly, as a rehearsal, and print the page instead of writing it")
	doorward := flag.String("doorward", "../bin/doorward", "`program` to measure")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := &page{ctx: ctx, rounds: *rounds, short: *short, doorward: *doorward, figures: report.New(report.NewRun(""))}
	if err := p.prepare(*only != ""); err != nil {
		fmt.Fprintln(os.Stderr, "results:", err)
		os.Exit(1)
	}
	if err := p.measure(strings.FieldsFunc(*only, func(r rune) bool { return r == ',' })); err != nil {
		fmt.Fprintln(os.Stderr, "results:", err)
		os.Exit(1)
	}
}

// prepare decides where the pictures go: beside the page, or, if there will be none, out
// of the way.
func (p *page) prepare(some bool) (err error) {
	if p.doorward, err = filepath.Abs(p.doorward); err != nil {
		return err
	}
	if p.pictures = "."; some || p.short {
		if p.pictures, err = os.MkdirTemp("", "doorward-results-"); err == nil {
			p.say("pictures are in %s", p.pictures)
		}
	}
	return err
}

// parts are those of the page, in their order.
var parts = []struct {
	name    string
	measure func(*page) error
}{
	{"policies", policySection}, {"requests", requestSection}, {"authz", authzSection}, {"doors", doorSection}, {"gateway", gatewaySection},
	{"write", writeSection}, {"failover", failoverSection}, {"fleet", fleetSection}, {"scale", scaleSection},
}

func names() (names []string) {
	for _, part := range parts {
		names = append(names, part.name)
	}
	return names
}

// measure measures the parts that are named, or all. A part that fails does not take
// the others with it: the page says that it is missing, and the error follows.
func (p *page) measure(only []string) error {
	for _, name := range only {
		if !slices.Contains(names(), name) {
			return fmt.Errorf("part %q is not known: want %s", name, strings.Join(names(), ", "))
		}
	}
	began := time.Now()
	for _, part := range parts {
		if len(only) > 0 && !slices.Contains(only, part.name) {
			continue
		}
		from := time.Now()
		if err := part.measure(p); err != nil {
			if p.ctx.Err() != nil {
				return p.ctx.Err()
			}
			p.failed = append(p.failed, fmt.Sprintf("%s: %v", part.name, err))
			fmt.Fprintf(p, "This part could not be measured: %v\n\n", err)
		}
		p.say("%s took %v", part.name, time.Since(from).Round(time.Second))
	}
	text := p.head(began) + p.String()
	if len(only) > 0 || p.short {
		fmt.Print(text)
	} else if err := os.WriteFile("RESULTS.md", []byte(text), 0o644); err != nil {
		return err
	}
	if len(p.failed) > 0 {
		return fmt.Errorf("%d parts failed:\n%s", len(p.failed), strings.Join(p.failed, "\n"))
	}
	return nil
}

func (p *page) head(began time.Time) string {
	return fmt.Sprintf(`# Results

Written by `+"`make bench`"+` in %v. One run, %s.

Figures are comparable within this run only; compare ratios, not times, with those of another machine. Processor times are the median of %d turns in
which Doorward and its peers took turns, garbage collection included. Whoever asks, and whom they ask, share the machine's processors.

%s`, time.Since(began).Round(time.Second), p.figures.Run, p.rounds, p.targets())
}
