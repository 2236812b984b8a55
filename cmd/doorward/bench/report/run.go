package report

import (
	"crypto/rand"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Run is where and when figures were made. Only figures of one run are comparable.
type Run struct {
	ID         string    `json:"id"` // shared by the parts of one run
	Started    time.Time `json:"started"`
	Processor  string    `json:"processor"`
	Processors int       `json:"processors"`
	Memory     uint64    `json:"memory_bytes"`
	Kernel     string    `json:"kernel"`
	Go         string    `json:"go"`
	Platform   string    `json:"platform"`
	Commit     string    `json:"commit"` // with a plus if the source had been changed
}

// NewRun describes this machine and this binary. An empty id means a new one.
func NewRun(id string) Run {
	if id == "" {
		id = rand.Text()[:8]
	}
	return Run{
		ID: id, Started: time.Now().UTC().Truncate(time.Second), Processor: processor(), Processors: runtime.NumCPU(), Memory: memory(),
		Kernel: kernel(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Commit: commit(),
	}
}

// String is the run in a line.
func (r Run) String() string {
	return fmt.Sprintf("%s: %s, %d processors, %s of memory, %s, %s %s, commit %s",
		r.Started.Format(time.DateOnly), r.Processor, r.Processors, Bytes(float64(r.Memory)), r.Kernel, r.Go, r.Platform, r.Commit)
}

// differs names the first thing in which two runs are not the same, with both values;
// empty: they are the same.
func (r Run) differs(other Run) string {
	for _, f := range []struct{ name, ours, theirs string }{
		{"run", r.ID, other.ID}, {"processor", r.Processor, other.Processor},
		{"number of processors", fmt.Sprint(r.Processors), fmt.Sprint(other.Processors)},
		{"memory", fmt.Sprint(r.Memory), fmt.Sprint(other.Memory)},
		{"kernel", r.Kernel, other.Kernel}, {"Go", r.Go, other.Go}, {"platform", r.Platform, other.Platform}, {"commit", r.Commit, other.Commit},
	} {
		if f.ours != f.theirs {
			return fmt.Sprintf("%s %s and %s", f.name, f.ours, f.theirs)
		}
	}
	return ""
}

func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "unknown kernel"
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
}

func processor() string { return procField("/proc/cpuinfo", "model name", "unknown processor") }

// memory is what the machine has, zero if that cannot be found out.
func memory() (bytes uint64) {
	if _, err := fmt.Sscanf(procField("/proc/meminfo", "MemTotal", ""), "%d kB", &bytes); err != nil {
		return 0
	}
	return bytes << 10
}

func procField(file, field, otherwise string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return otherwise
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == field {
			return strings.TrimSpace(value)
		}
	}
	return otherwise
}

// commit names the source of this binary, as the Go toolchain recorded it.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	commit, changed := "unknown", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 7:
			commit = s.Value[:7]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "+"
		}
	}
	return commit + changed
}
