package main

import (
	"os"
	"strings"
	"testing"
)

// Every command of docs/audit.md stands in the script that runs it.
func TestAuditDocsAreRun(t *testing.T) {
	page, err := os.ReadFile("../../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("testdata/audit.txt")
	if err != nil {
		t.Fatal(err)
	}
	commands := 0
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "doorward ") {
			commands++
			if !strings.Contains(string(script), line) {
				t.Errorf("the script does not run %q", strings.TrimSpace(line))
			}
		}
	}
	if commands < 4 {
		t.Errorf("only %d commands were found", commands)
	}
}
