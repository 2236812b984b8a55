package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/doorward/doorward/cmd/doorward/client"
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
	*client.Fence
}

// done reports a change without a result: as a message for people, as an outcome
// in JSON.
func (a *app) done(meta client.Meta, action, on, format string, args ...any) error {
	if a.output == outputJSON {
		return a.json(outcome{action, on, meta.Index, meta.Fence})
	}
	a.say(format+" (index %d%s)", append(args, meta.Index, applied(meta.Fence))...)
	a.warnBehind(meta.Fence)
	return nil
}

// applied says how many sidecars have followed a change.
func applied(f *client.Fence) string {
	if f == nil || f.Sidecars == 0 {
		return ""
	}
	return fmt.Sprintf(", applied %d/%d in %d ms", f.Applied, f.Sidecars, f.Millis)
}

// warnBehind names who may still act on what was before.
func (a *app) warnBehind(f *client.Fence) {
	if f == nil {
		return
	}
	for _, s := range f.Behind {
		a.say("  sidecar %s has not confirmed it and may serve what was before until %s", s.Name, s.Until)
	}
	for _, node := range f.Silent {
		a.say("  node %s did not answer: who follows it is not known", node)
	}
}

// say prints a message for people on standard error.
func (a *app) say(format string, args ...any) { fmt.Fprintf(a.Err, format+"\n", args...) }
