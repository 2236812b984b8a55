package api

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTheDocumentationWorks runs the shell and Python examples of the pages in
// order, with the AWS command line on the path, or the one that DOORWARD_AWS names.
func TestTheDocumentationWorks(t *testing.T) {
	aws := os.Getenv("DOORWARD_AWS")
	if aws == "" {
		var err error
		if aws, err = exec.LookPath("aws"); err != nil {
			if os.Getenv("DOORWARD_REQUIRE_CLIENTS") != "" {
				t.Fatal("there is no AWS command line: apt-get install awscli")
			}
			t.Skip("SKIPPED: there is no AWS command line, so the documentation is not tested here: apt-get install awscli")
		}
	}
	for _, page := range []string{"users.md", "temporary-credentials.md", "federation.md"} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join("..", "docs", page))
			if err != nil {
				t.Fatal(err)
			}
			var config Config
			if page == "federation.md" {
				config.Directory = exampleDirectory(t)
			}
			w := newWorldAs(t, config)
			w.pass(time.Since(w.now()))
			app := w.user("app", allow("iam:* doorward:* s3:*", "*"))
			script := "set -euo pipefail\naws() { '" + aws + "' --endpoint-url $DOORWARD_ENDPOINT \"$@\"; }\n"
			blocks := 0
			for _, block := range fenced(string(text)) {
				language, body, _ := strings.Cut(block, "\n")
				blocks++
				if language != "sh" && language != "python" {
					continue
				}
				if language == "python" {
					body = "/usr/bin/python3 - <<'PYTHON'\n" + body + "PYTHON\n"
				}
				script += body
			}
			if blocks < 4 {
				t.Fatalf("only %d examples", blocks)
			}
			run := exec.Command("bash", "-c", script)
			run.Env = append(os.Environ(), "DOORWARD_ENDPOINT="+w.http.URL, "AWS_ACCESS_KEY_ID="+app.id, "AWS_SECRET_ACCESS_KEY="+app.secret,
				"AWS_SESSION_TOKEN=", "AWS_DEFAULT_REGION=us-east-1", "AWS_CONFIG_FILE=/dev/null", "AWS_CA_BUNDLE=", "AWS_PAGER=")
			if output, err := run.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, output)
			}
		})
	}
}

// fenced returns the fenced blocks of a page, each beginning with its language.
func fenced(text string) (blocks []string) {
	for i, part := range strings.Split(text, "```") {
		if i%2 == 1 {
			blocks = append(blocks, part)
		}
	}
	return blocks
}
