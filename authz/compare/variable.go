package compare

import (
	"slices"
	"strings"

	"github.com/doorward/doorward/authz/policy"
)

// assignments give the variables of the documents values to look for examples
// with: a value of each one's own, then texts that the documents hold, for all
// variables alike. They are a selection; that none of them leads to an example
// proves nothing.
func assignments(pair [2]*policy.Document) []map[string]string {
	keys, texts := variables(pair)
	if len(keys) == 0 {
		return nil
	}
	own := map[string]string{}
	for _, key := range keys {
		own[key] = "some-" + key[strings.LastIndexAny(key, ":/")+1:]
	}
	out := []map[string]string{own}
	for _, text := range texts {
		same := map[string]string{}
		for _, key := range keys {
			same[key] = text
		}
		out = append(out, same)
	}
	return out
}

// maxAssignments bounds the texts that are tried as values.
const maxAssignments = 12

// variables collects the keys of variables, and pieces of texts beside them.
func variables(pair [2]*policy.Document) (keys, texts []string) {
	visit := func(d *policy.Document, text string) {
		for _, part := range policy.ParsePattern(text, true, d.HasVariables()) {
			switch part.Kind {
			case policy.Variable:
				keys = append(keys, canonicalKey(part.Text))
			case policy.Literal:
				texts = append(texts, strings.FieldsFunc(part.Text, func(r rune) bool { return r == '/' || r == ':' })...)
			}
		}
	}
	for _, d := range pair {
		eachPattern(d, func(t *policy.Text, _ bool) { visit(d, t.Value) })
	}
	slices.Sort(keys)
	slices.Sort(texts)
	texts = slices.Compact(texts)
	texts = slices.DeleteFunc(texts, func(s string) bool { return s == "arn" || s == "aws" || s == "s3" })
	return slices.Compact(keys), texts[:min(len(texts), maxAssignments)]
}

// eachPattern visits the texts of a document that variables may stand in;
// wildcards is true where * and ? are wildcards.
func eachPattern(d *policy.Document, visit func(t *policy.Text, wildcards bool)) {
	for i := range d.Statements {
		st := &d.Statements[i]
		for k := range st.Resources.List {
			visit(&st.Resources.List[k], true)
		}
		for k := range st.Conditions {
			c := &st.Conditions[k]
			op := c.Operator.Comparison
			for v := range c.Values {
				if op.HasVariables() {
					visit(&c.Values[v], op == policy.StringLike || op == policy.StringNotLike || op.Family() == policy.ARNFamily)
				}
			}
		}
	}
}

// instance is a document with values in the place of its variables.
func instance(d *policy.Document, values map[string]string) *policy.Document {
	out := *d
	out.Statements = slices.Clone(d.Statements)
	for i := range out.Statements {
		st := &out.Statements[i]
		st.Resources.List = slices.Clone(st.Resources.List)
		st.Conditions = slices.Clone(st.Conditions)
		for k := range st.Conditions {
			st.Conditions[k].Values = slices.Clone(st.Conditions[k].Values)
		}
	}
	if d.HasVariables() {
		eachPattern(&out, func(t *policy.Text, wildcards bool) {
			t.Value = substituted(policy.ParsePattern(t.Value, wildcards, true), values)
		})
	}
	return &out
}

func substituted(p policy.Pattern, values map[string]string) string {
	escape := strings.NewReplacer("*", "${*}", "?", "${?}", "$", "${$}")
	var b strings.Builder
	for _, part := range p {
		switch part.Kind {
		case policy.Any:
			b.WriteByte('*')
		case policy.One:
			b.WriteByte('?')
		case policy.Variable:
			b.WriteString(escape.Replace(values[canonicalKey(part.Text)]))
		default:
			b.WriteString(escape.Replace(part.Text))
		}
	}
	return b.String()
}
