package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/doorward/doorward/cmd/doorward/bench/report"
)

// page is what is written, and all figures that it is made of: those of one run.
type page struct {
	strings.Builder
	ctx      context.Context
	rounds   int
	short    bool // a rehearsal
	doorward string
	pictures string // folder
	figures  *report.Report
	failed   []string // parts that could not be measured
}

// say says on standard error what goes on.
func (*page) say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// run runs a benchmark of the binary that is shipped, as anybody would, in a process of
// its own, and takes its figures into the run.
func (p *page) run(args ...string) error {
	args = append(append([]string{"bench"}, args...), "--output", "json", "--run", p.figures.Run.ID)
	p.say("doorward %s", strings.Join(args, " "))
	var out bytes.Buffer
	cmd := exec.CommandContext(p.ctx, p.doorward, args...)
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("doorward %s: %w", strings.Join(args, " "), err)
	}
	part := &report.Report{}
	if err := json.Unmarshal(out.Bytes(), part); err != nil {
		return err
	}
	all, err := report.Join(p.figures, part)
	if err != nil {
		return err
	}
	p.figures = all
	return nil
}

// table writes a table of the run.
func (p *page) table(name string) {
	t := p.figures.Find(name)
	if t == nil || len(t.Rows) == 0 {
		return
	}
	if len(t.Settings) > 0 {
		var settings []string
		for _, s := range t.Settings {
			settings = append(settings, s.Name+" "+s.Value)
		}
		fmt.Fprintf(p, "`%s`: %s.\n\n", name, strings.Join(settings, ", "))
	}
	p.WriteString("| |")
	for _, f := range t.Rows[0].Figures {
		fmt.Fprintf(p, " %s |", f.Name)
	}
	p.WriteString("\n|---|" + strings.Repeat("--:|", len(t.Rows[0].Figures)) + "\n")
	for _, row := range t.Rows {
		fmt.Fprintf(p, "| %s |", row.Name)
		for _, f := range row.Figures {
			fmt.Fprintf(p, " %s |", f)
		}
		p.WriteString("\n")
	}
	p.WriteString("\n")
}

// figure returns a figure of the run, and whether it was made.
func (p *page) figure(table, row, name string) (float64, bool) {
	t := p.figures.Find(table)
	if t == nil {
		return 0, false
	}
	for i := range t.Rows {
		if t.Rows[i].Name != row {
			continue
		}
		for _, f := range t.Rows[i].Figures {
			if f.Name == name {
				return f.Value, true
			}
		}
	}
	return 0, false
}

// curves returns the lines of a plot.
func (p *page) curves(plot string) (lines []line) {
	for _, c := range p.figures.Curves {
		if c.Plot != plot {
			continue
		}
		l := line{name: c.Name}
		for _, at := range c.Points {
			l.add(at[0], at[1])
		}
		lines = append(lines, l)
	}
	return lines
}

// picture draws a plot and shows it.
func (p *page) picture(file, title string, x, y axis, lines []line) error {
	if len(lines) == 0 {
		return nil
	}
	fmt.Fprintf(p, "![%s](%s)\n\n", title, file)
	return plotLines(filepath.Join(p.pictures, file), title, x, y, lines)
}
