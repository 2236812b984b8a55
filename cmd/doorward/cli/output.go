package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/doorward/doorward/iam"
)

// The two forms of output.
const (
	outputTable = "table"
	outputJSON  = "json"
)

// table is a list for people: a header and a row for each item.
type table struct {
	header []string
	rows   [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// list prints items as JSON, or the table made of them.
func (a *app) list(items any, t *table) error {
	if a.output == outputJSON {
		return a.json(items)
	}
	w := tabwriter.NewWriter(a.Out, 0, 8, 2, ' ', 0)
	for _, row := range append([][]string{t.header}, t.rows...) {
		fmt.Fprintln(w, strings.TrimRight(strings.Join(row, "\t"), "\t"))
	}
	return w.Flush()
}

// field is one line of a record for people. Empty ones are left out.
type field struct{ label, value string }

// record prints one thing as JSON, or its fields a line each.
func (a *app) record(thing any, fields ...field) error {
	if a.output == outputJSON {
		return a.json(thing)
	}
	w := tabwriter.NewWriter(a.Out, 0, 8, 2, ' ', 0)
	for _, f := range fields {
		if f.value != "" {
			fmt.Fprintf(w, "%s\t%s\n", f.label, f.value)
		}
	}
	return w.Flush()
}

func (a *app) json(thing any) error {
	encoder := json.NewEncoder(a.Out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(thing)
}

// outcome is what a change without a result prints as JSON.
type outcome struct {
	Action string    `json:"action"`
	On     string    `json:"on"`
	Index  iam.Index `json:"index"` // log position of the change
}

// done reports a change without a result: as a message for people, as an outcome
// in JSON.
func (a *app) done(index iam.Index, action, on, format string, args ...any) error {
	if a.output == outputJSON {
		return a.json(outcome{action, on, index})
	}
	a.say(format+" (index %d)", append(args, index)...)
	return nil
}

// say prints a message for people on standard error.
func (a *app) say(format string, args ...any) { fmt.Fprintf(a.Err, format+"\n", args...) }
