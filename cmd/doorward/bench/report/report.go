package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Report is what one benchmark, or several of one run, found.
type Report struct {
	Run    Run      `json:"run"`
	Tables []*Table `json:"tables"`
	Curves []Curve  `json:"curves,omitempty"`
}

// Table is figures that belong together. All of its rows have the same columns.
type Table struct {
	Name     string    `json:"name"`     // of the benchmark and the question, such as "authz/saturation"
	Settings []Setting `json:"settings"` // under which the figures were made
	Rows     []Row     `json:"rows"`
}

// Setting is one of the circumstances.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Row is one line of figures.
type Row struct {
	Name    string   `json:"name"`
	Figures []Figure `json:"figures"`
}

// Figure is a number with what it means.
type Figure struct {
	Name  string  `json:"name"`
	Unit  Unit    `json:"unit"`
	Value float64 `json:"value"`
}

// Unit says what a number counts.
type Unit string

// The units of figures.
const (
	Nanoseconds Unit = "ns"
	PerSecond   Unit = "1/s"
	ByteCount   Unit = "B"
	Count       Unit = "count"
	Ratio       Unit = "ratio"
)

// Curve is points of one line of a plot.
type Curve struct {
	Plot   string       `json:"plot"` // that the line belongs to
	Name   string       `json:"name"`
	Points [][2]float64 `json:"points"`
}

// New returns a report of a run without figures.
func New(run Run) *Report { return &Report{Run: run} }

// Add begins a table; settings are names and values in turns.
func (r *Report) Add(name string, settings ...any) *Table {
	t := &Table{Name: name}
	for i := 0; i+1 < len(settings); i += 2 {
		t.Settings = append(t.Settings, Setting{fmt.Sprint(settings[i]), fmt.Sprint(settings[i+1])})
	}
	r.Tables = append(r.Tables, t)
	return t
}

// Row adds a row to the table.
func (t *Table) Row(name string, figures ...Figure) { t.Rows = append(t.Rows, Row{name, figures}) }

// Get returns a figure of a row, zero if there is none.
func (r *Row) Get(name string) float64 {
	for _, f := range r.Figures {
		if f.Name == name {
			return f.Value
		}
	}
	return 0
}

// Find returns a table, nil if there is none of that name.
func (r *Report) Find(name string) *Table {
	for _, t := range r.Tables {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// Percentiles are the figures of a histogram of nanoseconds.
func Percentiles(h *hdrhistogram.Histogram) []Figure {
	at := func(p float64) float64 { return float64(h.ValueAtPercentile(p)) }
	return []Figure{{"p50", Nanoseconds, at(50)}, {"p90", Nanoseconds, at(90)}, {"p99", Nanoseconds, at(99)}, {"p99.9", Nanoseconds, at(99.9)}, {"max", Nanoseconds, float64(h.Max())}}
}

// Distribution is a histogram of nanoseconds as a curve: for each share of the calls
// the time within which they were answered. The share is counted in nines, 1 for 90 %,
// 2 for 99 %, and the time in microseconds.
func Distribution(plot, name string, h *hdrhistogram.Histogram) Curve {
	c := Curve{Plot: plot, Name: name}
	for tenths := range 41 {
		nines := float64(tenths) / 10
		c.Points = append(c.Points, [2]float64{nines, float64(max(h.ValueAtPercentile(100*(1-pow10(-nines))), h.Min())) / 1e3})
	}
	return c
}

// Join puts reports of one run together. Reports of different runs are refused: their
// figures cannot be compared.
func Join(reports ...*Report) (*Report, error) {
	if len(reports) == 0 {
		return nil, fmt.Errorf("no report to show")
	}
	all := New(reports[0].Run)
	for _, r := range reports {
		if difference := all.Run.differs(r.Run); difference != "" {
			return nil, fmt.Errorf("figures of different runs cannot be compared: %s", difference)
		}
		all.Tables, all.Curves = append(all.Tables, r.Tables...), append(all.Curves, r.Curves...)
	}
	return all, nil
}

// Write writes the report for people.
func (r *Report) Write(to io.Writer) error {
	if _, err := fmt.Fprintf(to, "%s\n", r.Run); err != nil {
		return err
	}
	w := tabwriter.NewWriter(to, 0, 8, 2, ' ', tabwriter.AlignRight)
	for _, t := range r.Tables {
		fmt.Fprintf(w, "\n%s", t.Name)
		for i, s := range t.Settings {
			fmt.Fprintf(w, "%s%s %s", []string{"; ", ", "}[min(i, 1)], s.Name, s.Value)
		}
		fmt.Fprintln(w)
		for i, row := range t.Rows {
			if i == 0 {
				fmt.Fprintf(w, "\t%s\t\n", strings.Join(names(row), "\t"))
			}
			fmt.Fprintf(w, "%s\t", row.Name)
			for _, f := range row.Figures {
				fmt.Fprintf(w, "%s\t", f)
			}
			fmt.Fprintln(w)
		}
	}
	return w.Flush()
}

func names(row Row) (names []string) {
	for _, f := range row.Figures {
		names = append(names, f.Name)
	}
	return names
}
