// Command quick counts the instructions and allocations of the hot paths and compares
// them with the recorded ones, in recorded.json. Times differ between machines and
// moments; these numbers hardly do. With -record it writes them instead.
//
// Instructions are counted by valgrind's callgrind, as the difference between doing a
// work many times and not at all, with every optional feature of the processor
// switched off (GODEBUG=cpu.all=off): then all machines of an architecture run the
// same code. The cryptography in a work, counted alike, is taken off. What was recorded with another Go is not compared.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/doorward/doorward/bench/quick"
)

func main() {
	work := flag.String("work", "", "do one `work`, under callgrind")
	times := flag.Int("times", 0, "do it so many `times`")
	record := flag.Bool("record", false, "record what is counted")
	file := flag.String("file", "quick/recorded.json", "`FILE` of what was recorded")
	flag.Parse()
	if err := run(*work, *times, *record, *file); err != nil {
		fmt.Fprintln(os.Stderr, "quick:", err)
		os.Exit(1)
	}
}

func run(work string, times int, record bool, file string) error {
	if work != "" {
		return quick.Do(work, times)
	}
	counted, err := quick.Count()
	if err != nil {
		return err
	}
	if record {
		return counted.Record(file)
	}
	recorded, err := quick.Read(file)
	if err != nil {
		return err
	}
	return quick.Compare(os.Stdout, recorded, counted)
}
