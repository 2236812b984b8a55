// Command results measures Doorward and its peers in one run, and writes
// RESULTS.md and its pictures into the current folder.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/doorward/doorward/bench/measure"
)

func main() {
	rounds := flag.Int("rounds", 15, "`turns` that each work gets; the median of them counts")
	only := flag.String("only", "", "measure one `section`, policies or requests, and print it")
	flag.Parse()
	if err := run(*rounds, *only); err != nil {
		fmt.Fprintln(os.Stderr, "results:", err)
		os.Exit(1)
	}
}

// sections are the parts of the page, in their order.
var sections = []struct {
	name  string
	write func(page *strings.Builder, rounds int) error
}{{"policies", policySection}, {"requests", requestSection}}

func run(rounds int, only string) error {
	var page strings.Builder
	fmt.Fprintf(&page, `# Results

Written by `+"`make bench`"+`. One run, on %s: %s, commit %s. Times are processor time, garbage collection included, the median of %d turns in which
Doorward and its peers took turns; compare them with one another, not with those of another machine.
`, time.Now().UTC().Format(time.DateOnly), measure.Machine(), measure.Commit(), rounds)
	for _, section := range sections {
		if only != "" && only != section.name {
			continue
		}
		if err := section.write(&page, rounds); err != nil {
			return err
		}
	}
	if only != "" {
		fmt.Print(page.String())
		return nil
	}
	return os.WriteFile("RESULTS.md", []byte(page.String()), 0o644)
}

// duration writes a time with three digits.
func duration(ns float64) string {
	switch {
	case ns < 1e3:
		return fmt.Sprintf("%.3g ns", ns)
	case ns < 1e6:
		return fmt.Sprintf("%.3g µs", ns/1e3)
	}
	return fmt.Sprintf("%.3g ms", ns/1e6)
}
