package quick

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Costs are those of one work.
type Costs struct {
	Instructions float64 `json:"instructions,omitempty"` // zero: not counted
	Allocations  float64 `json:"allocations"`
}

// Counted is what was counted on one architecture.
type Counted struct {
	Go    string           `json:"go"`
	Works map[string]Costs `json:"works"`
}

// Recorded is what was counted before, by architecture.
type Recorded map[string]Counted

// Margin is by how much a count of instructions may exceed what was recorded.
const Margin = 0.03

// times is how often a work is done to be counted: the runtime's own instructions, some
// ten thousand more or less, have to be few beside it.
func times(name string) int {
	if strings.HasPrefix(name, "decide/") {
		return 20_000
	}
	return 5_000
}

// required says that what cannot be counted is a failure, as in CI.
func required() bool { return os.Getenv("DOORWARD_REQUIRE_CLIENTS") != "" }

// Count counts allocations, and instructions if there is a valgrind.
func Count() (Counted, error) {
	c := Counted{Go: runtime.Version(), Works: map[string]Costs{}}
	valgrind, err := exec.LookPath("valgrind")
	if err != nil && required() {
		return c, errors.New("valgrind is not installed: install it, it is in .ci/packages")
	}
	below := 0.0
	if valgrind != "" {
		if below, err = instructions(valgrind, floor); err != nil {
			return c, fmt.Errorf("%s: %w", floor, err)
		}
	}
	for _, name := range names {
		work, end, err := prepare(name)
		if err != nil {
			return c, fmt.Errorf("%s: %w", name, err)
		}
		costs := Costs{Allocations: allocations(work)}
		if err := end(); err != nil {
			return c, err
		}
		if valgrind != "" {
			if costs.Instructions, err = instructions(valgrind, name); err != nil {
				return c, fmt.Errorf("%s: %w", name, err)
			}
			if onFloor(name) {
				costs.Instructions -= below
			}
		}
		c.Works[name] = costs
	}
	return c, nil
}

// attempts is how often a work is counted; the least counts, because what else the
// runtime does only adds.
const attempts = 2

// instructions are those of doing a work once.
func instructions(valgrind, name string) (float64, error) {
	var least [2]float64
	for range attempts {
		for i, n := range []int{0, times(name)} {
			counted, err := callgrind(valgrind, name, n)
			if err != nil {
				return 0, err
			}
			if least[i] == 0 || counted < least[i] {
				least[i] = counted
			}
		}
	}
	return math.Round((least[1] - least[0]) / float64(times(name))), nil
}

var collected = regexp.MustCompile(`Collected : (\d+)`)

// callgrind counts the instructions of a program that does a work n times.
func callgrind(valgrind, name string, n int) (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", self, "-work", name, "-times", strconv.Itoa(n))
	// The runtime's signals to itself are more than callgrind can follow.
	cmd.Env = append(os.Environ(), "GODEBUG=cpu.all=off,asyncpreemptoff=1", "GOGC=off", "GOMAXPROCS=1")
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("valgrind: %w: %s", err, out.Bytes()[max(0, out.Len()-2000):])
	}
	found := collected.FindSubmatch(out.Bytes())
	if found == nil {
		return 0, fmt.Errorf("valgrind has counted nothing: %s", out.Bytes())
	}
	return strconv.ParseFloat(string(found[1]), 64)
}

// Read reads what was recorded.
func Read(file string) (r Recorded, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}

// Record puts what was counted in the place of what was recorded on this architecture.
func (c Counted) Record(file string) error {
	r, err := Read(file)
	if errors.Is(err, os.ErrNotExist) {
		r, err = Recorded{}, nil
	}
	if err != nil {
		return err
	}
	r[runtime.GOARCH] = c
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// Compare writes both counts of each work, and returns an error that names every work
// that has become dearer. What cannot be compared is said aloud.
func Compare(to io.Writer, recorded Recorded, counted Counted) error {
	was, ok := recorded[runtime.GOARCH]
	comparable := ok && was.Go == counted.Go
	switch {
	case !ok:
		fmt.Fprintf(to, "INSTRUCTIONS ARE NOT COMPARED: nothing is recorded for %s. Record it with: make bench-record\n", runtime.GOARCH)
	case !comparable:
		fmt.Fprintf(to, "INSTRUCTIONS ARE NOT COMPARED: they were recorded with %s, and this is %s. Record them anew with: make bench-record\n", was.Go, counted.Go)
	}
	var worse []error
	for _, name := range sorted(counted.Works) {
		now, before := counted.Works[name], was.Works[name]
		fmt.Fprintf(to, "%-12s %8.0f instructions (recorded %8.0f)  %3.0f allocations (recorded %3.0f)\n", name, now.Instructions, before.Instructions, now.Allocations, before.Allocations)
		if now.Allocations > before.Allocations {
			worse = append(worse, fmt.Errorf("%s allocates %.0f times, recorded are %.0f", name, now.Allocations, before.Allocations))
		}
		switch {
		case now.Instructions == 0:
			fmt.Fprintf(to, "INSTRUCTIONS OF %s ARE NOT COMPARED: valgrind is not installed\n", name)
		case comparable && now.Instructions > before.Instructions*(1+Margin):
			worse = append(worse, fmt.Errorf("%s takes %.0f instructions, %.1f %% more than the recorded %.0f; %.0f %% are allowed",
				name, now.Instructions, 100*(now.Instructions/before.Instructions-1), before.Instructions, 100*Margin))
		}
	}
	return errors.Join(worse...)
}

func sorted(works map[string]Costs) (list []string) {
	for name := range works {
		list = append(list, name)
	}
	slices.SortFunc(list, func(a, b string) int { return cmp.Compare(slices.Index(names, a), slices.Index(names, b)) })
	return list
}
