package quick

import (
	"bytes"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func counted(instructions, allocations float64) Counted {
	return Counted{Go: runtime.Version(), Works: map[string]Costs{"verify": {instructions, allocations}}}
}

func TestOnlyWhatHasBecomeDearerFails(t *testing.T) {
	was := Recorded{runtime.GOARCH: counted(1000, 0)}
	other := counted(1000, 0)
	other.Go = "go1.0"
	for _, c := range []struct {
		name     string
		recorded Recorded
		now      Counted
		fails    string // in the error; empty: none
		says     string // aloud
	}{
		{"the same", was, counted(1000, 0), "", ""},
		{"cheaper", was, counted(10, 0), "", ""},
		{"within the margin", was, counted(1029, 0), "", ""},
		{"beyond the margin", was, counted(1031, 0), "verify takes 1031 instructions, 3.1 % more", ""},
		{"one allocation", was, counted(1000, 1), "verify allocates 1 times, recorded are 0", ""},
		{"another Go", Recorded{runtime.GOARCH: other}, counted(2000, 0), "", "ARE NOT COMPARED: they were recorded with go1.0"},
		{"another Go, one allocation", Recorded{runtime.GOARCH: other}, counted(1000, 1), "allocates", "ARE NOT COMPARED"},
		{"another architecture", Recorded{}, counted(2000, 0), "", "ARE NOT COMPARED: nothing is recorded"},
		{"no valgrind", was, counted(0, 0), "", "ARE NOT COMPARED: valgrind is not installed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			err := Compare(&out, c.recorded, c.now)
			if (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Errorf("got %v, want %q", err, c.fails)
			}
			if !strings.Contains(out.String(), c.says) || c.says == "" && strings.Contains(out.String(), "NOT COMPARED") {
				t.Errorf("says %q, want %q", out.String(), c.says)
			}
		})
	}
}

func TestWhatIsRecordedIsRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "recorded.json")
	if err := counted(7, 1).Record(file); err != nil {
		t.Fatal(err)
	}
	r, err := Read(file)
	if err != nil || r[runtime.GOARCH].Works["verify"] != (Costs{7, 1}) {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestEveryWorkIsRecordedAndDoesNotAllocate(t *testing.T) {
	r, err := Read("recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if c, ok := r["amd64"].Works[name]; !ok || c.Instructions == 0 {
			t.Errorf("%s is not recorded", name)
		}
		work, end, err := prepare(name)
		if err != nil {
			t.Fatal(err)
		}
		if n := allocations(work); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	}
}
