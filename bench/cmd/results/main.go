// Command results measures Doorward and its peers in one run, and writes
// RESULTS.md and its pictures into the current folder.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/doorward/doorward/cmd/doorward/bench/report"
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

Written by `+"`make bench`"+`. One run, on %s. Times are processor time, garbage collection included, the median of %d turns in which
Doorward and its peers took turns; compare them with one another, not with those of another machine.
`, report.NewRun(""), rounds)
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
