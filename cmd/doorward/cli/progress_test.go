package cli

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

func TestABarSaysHowFarWorkHasComeAndWipesItself(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	bar := &progress{out: &out, width: 60, verb: "importing", unit: count, total: 4, now: func() time.Time { return now }}
	bar.add(1)
	bar.add(1) // too soon to be drawn
	now = now.Add(redraw)
	bar.add(1)
	bar.add(1) // the last is drawn at once
	bar.end()
	lines := strings.Split(out.String(), "\r")
	for i, want := range []string{
		"", "importing [######------------------] 1 of 4", "importing [##################------] 3 of 4", "importing [########################] 4 of 4",
	} {
		if lines[i] != want {
			t.Errorf("drawing %d is %q, want %q", i, lines[i], want)
		}
	}
	if wiped := lines[4]; strings.TrimSpace(wiped) != "" || len(wiped) != len(lines[3]) || lines[5] != "" || len(lines) != 6 {
		t.Errorf("the end is %q", lines[4:])
	}
}

func TestABarFitsItsTerminal(t *testing.T) {
	var out bytes.Buffer
	bar := &progress{out: &out, width: 10, verb: "saving", unit: megabytes, now: time.Now}
	bar.Write(make([]byte, 1_500_000))
	if got := out.String(); got != "\rsaving 1." {
		t.Errorf("%q", got)
	}
}

func TestThereIsNoBarWhereNobodyLooks(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/messages")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	bar := (&app{Process: Process{Err: file}, output: outputTable}).progress("importing", 1, count)
	bar.add(1)
	bar.end()
	if content, _ := os.ReadFile(file.Name()); len(content) > 0 {
		t.Errorf("%q", content)
	}
}
