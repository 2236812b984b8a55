package s3_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/authz/s3"
)

// vector is one row of the public vectors: an S3 request, and the actions,
// resources and condition keys that it gives rise to.
type vector struct {
	ID         string      `json:"id"`
	Operation  string      `json:"operation"`
	Style      string      `json:"style"`
	Endpoint   string      `json:"endpoint"`
	Method     string      `json:"method"`
	Target     string      `json:"target"`
	Headers    [][2]string `json:"headers"`
	Body       *string     `json:"body"`
	Evaluation string      `json:"evaluation"`
	Require    []struct {
		Action   string         `json:"action"`
		Resource string         `json:"resource"`
		Context  map[string]any `json:"context"`
	} `json:"require"`
	Alternatives [][]string `json:"alternatives"`
}

// TestVectors runs testdata/s3-actions.jsonl and the files of that name in the
// folder that DOORWARD_VECTORS names.
func TestVectors(t *testing.T) {
	rows, wrong := 0, 0
	for _, path := range vectorFiles(t) {
		for _, v := range readVectors(t, path) {
			rows++
			if complaint := v.check(); complaint != "" {
				wrong++
				t.Errorf("%s %s: %s %s: %s", v.ID, v.Operation, v.Method, v.Target, complaint)
			}
		}
	}
	fmt.Printf("s3-actions: %d rows, %d wrong\n", rows, wrong)
	if rows < 208 {
		t.Errorf("only %d rows were read", rows)
	}
}

func vectorFiles(t *testing.T) []string {
	t.Helper()
	paths := []string{"testdata/s3-actions.jsonl"}
	if dir := os.Getenv("DOORWARD_VECTORS"); dir != "" {
		for _, pattern := range []string{"s3-actions*.jsonl", "s3-actions*.jsonl.gz"} {
			more, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil {
				t.Fatal(err)
			}
			paths = append(paths, more...)
		}
	}
	return paths
}

func readVectors(t *testing.T, path string) []vector {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var reader io.Reader = file
	if strings.HasSuffix(path, ".gz") {
		if reader, err = gzip.NewReader(file); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	var rows []vector
	lines := bufio.NewScanner(reader)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		var v vector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		rows = append(rows, v)
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return rows
}

// check maps the row and returns what is wrong, empty if nothing is.
func (v *vector) check() string {
	m, err := s3.New(s3.Config{Endpoints: []string{v.Endpoint}})
	if err != nil {
		return err.Error()
	}
	req := s3.Request{Method: v.Method, Target: v.Target}
	for _, h := range v.Headers {
		req.Headers = append(req.Headers, s3.Header{Name: h[0], Value: h[1]})
	}
	if v.Body != nil {
		req.HasBody, req.Body = true, []byte(*v.Body)
	}
	var res s3.Result
	if err := m.Map(&req, &res); err != nil {
		return err.Error()
	}
	if got := res.Operation.Name(); got != v.Operation {
		return "operation is " + got
	}
	if got := map[s3.Evaluation]string{s3.All: "all", s3.Each: "each"}[res.Evaluation]; got != v.Evaluation {
		return "evaluation is " + got
	}
	if got := styles[res.Style]; got != v.Style && v.Style != "post-form" && res.Bucket != "" {
		return "style is " + got
	}
	return v.checkNeeds(&res)
}

// styles are the names of the styles in vectors; post-form is either, and a
// request without a bucket has none.
var styles = map[s3.Style]string{s3.PathStyle: "path", s3.VirtualHostStyle: "virtual-host"}

func (v *vector) checkNeeds(res *s3.Result) string {
	var got, want []string
	for i := range res.Needs {
		if n := &res.Needs[i]; n.If == s3.Certain {
			got = append(got, n.Action.Name()+" on "+n.Resource)
		}
	}
	for _, r := range v.Require {
		want = append(want, r.Action+" on "+r.Resource)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		if v.isAlternative(res) {
			return ""
		}
		return fmt.Sprintf("needs %q, want %q", got, want)
	}
	for _, r := range v.Require {
		for name, value := range r.Context {
			if complaint := checkContext(res, r.Action, r.Resource, name, value); complaint != "" {
				return complaint
			}
		}
	}
	return ""
}

func (v *vector) isAlternative(res *s3.Result) bool {
	var got []string
	for _, n := range res.Needs {
		got = append(got, n.Action.Name())
	}
	slices.Sort(got)
	return slices.ContainsFunc(v.Alternatives, func(names []string) bool {
		return slices.Equal(slices.Sorted(slices.Values(names)), got)
	})
}

// checkContext looks for a need of that action and resource whose condition key
// has the value.
func checkContext(res *s3.Result, action, resource, name string, value any) string {
	want, isList := value.([]any)
	if !isList {
		want = []any{value}
	}
	for i := range res.Needs {
		n := &res.Needs[i]
		if n.Action.Name() != action || n.Resource != resource {
			continue
		}
		var got []any
		for _, s := range values(res, n, name) {
			got = append(got, s)
		}
		if slices.Equal(got, want) {
			return ""
		}
	}
	return fmt.Sprintf("%s on %s lacks %s = %v", action, resource, name, want)
}

// values returns the value of a condition key by its name in any case.
func values(res *s3.Result, n *s3.Need, name string) []string {
	for k := s3.Key(1); int(k) < s3.NumKeys; k++ {
		tag := ""
		if family := k.Name(); strings.HasSuffix(family, "/") && len(name) > len(family) && strings.EqualFold(name[:len(family)], family) {
			tag = name[len(family):]
		} else if !strings.EqualFold(name, family) {
			continue
		}
		switch v := res.Lookup(n, k, tag); v.Presence {
		case s3.Single:
			return []string{v.Text}
		case s3.Many, s3.Spellings:
			return v.List
		}
	}
	return nil
}
