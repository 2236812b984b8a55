package main

import (
	"bytes"
	"cmp"
	"fmt"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"github.com/doorward/doorward/cmd/doorward/bench/measure"
)

// The length of a profile, and how many of its functions are shown.
const (
	profileTime  = 2 * time.Second
	profileLines = 12
)

// profile shows where a work spends its time.
func (p *page) profile(of string, work measure.Work) error {
	var raw bytes.Buffer
	if err := pprof.StartCPUProfile(&raw); err != nil {
		return err
	}
	for began := time.Now(); time.Since(began) < profileTime; {
		work.Do(1000)
	}
	pprof.StopCPUProfile()
	made, err := profile.Parse(&raw)
	if err != nil {
		return err
	}
	flat, total := map[string]int64{}, int64(0)
	for _, s := range made.Sample {
		if len(s.Location) == 0 || len(s.Location[0].Line) == 0 {
			continue
		}
		// Inlined functions count as themselves: the first line is the innermost.
		flat[s.Location[0].Line[0].Function.Name] += s.Value[1]
		total += s.Value[1]
	}
	functions := make([]string, 0, len(flat))
	for name := range flat {
		functions = append(functions, name)
	}
	slices.SortFunc(functions, func(a, b string) int { return cmp.Or(cmp.Compare(flat[b], flat[a]), strings.Compare(a, b)) })
	fmt.Fprintf(p, "Where %s spends its time (processor profile of %v):\n\n| function | share |\n|---|--:|\n", of, profileTime)
	for _, name := range functions[:min(profileLines, len(functions))] {
		fmt.Fprintf(p, "| `%s` | %.1f %% |\n", strings.TrimPrefix(name, "github.com/doorward/doorward/"), 100*float64(flat[name])/float64(max(total, 1)))
	}
	p.WriteString("\n")
	return nil
}
