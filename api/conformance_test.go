package api

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// deviations are the cases of versitygw's conformance client in which Doorward
// answers otherwise on purpose, each with the reason.
var deviations = map[string]string{}

// TestConformance runs the IAM cases of versitygw v1.8.0's own test client, named
// by DOORWARD_VERSITYGW, against the API. Source: https://github.com/versity/versitygw,
// "versitygw test iam".
func TestConformance(t *testing.T) {
	client := os.Getenv("DOORWARD_VERSITYGW")
	if client == "" {
		t.Skip("DOORWARD_VERSITYGW does not name a versitygw binary")
	}
	w := newWorldAs(t, Config{StrictRegion: true, Now: time.Now})
	run := exec.Command(client, "test", "-a", w.root.id, "-s", w.root.secret, "-e", w.http.URL, "iam")
	run.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") })
	output, err := run.CombinedOutput()
	passed, failed := tally(output)
	t.Logf("passed %d, failed %d, deviations %d (%v)", passed, len(failed), len(deviations), err)
	if passed < 400 {
		t.Errorf("only %d cases ran and passed", passed)
	}
	for name, why := range failed {
		if deviations[name] == "" {
			t.Errorf("%s: %s", name, why)
		}
	}
	for name := range deviations {
		if _, ok := failed[name]; !ok {
			t.Errorf("%s is listed as a deviation and passes", name)
		}
	}
}

// tally reads the client's report: lines of colour codes, PASS or FAIL, and the
// name of the case.
func tally(output []byte) (passed int, failed map[string]string) {
	failed = map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(output))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if _, rest, ok := strings.Cut(line, "FAIL"); ok && strings.Contains(rest, ": ") {
			name, why, _ := strings.Cut(strings.TrimLeft(rest, " \x1b[0m\t:"), ": ")
			failed[name] = why
		}
		if strings.Contains(line, "PASS ") {
			passed++
		}
	}
	return passed, failed
}
