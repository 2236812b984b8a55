package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestImportPageIsWhatTheScriptRuns asks that every command of docs/import.md is run
// by testdata/import.txt, redirections and abridged recipients aside.
func TestImportPageIsWhatTheScriptRuns(t *testing.T) {
	page, err := os.ReadFile("../../docs/import.md")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("testdata/import.txt")
	if err != nil {
		t.Fatal(err)
	}
	commands := 0
	for i, block := range strings.Split(string(page), "```") {
		text, isShell := strings.CutPrefix(block, "sh\n")
		if i%2 == 0 || !isShell {
			continue
		}
		for line := range strings.Lines(text) {
			command, _, _ := strings.Cut(strings.TrimSpace(line), " > ")
			pattern := "(?m)^exec " + strings.ReplaceAll(regexp.QuoteMeta(command), "age1…", "age1[0-9a-z]+") + "$"
			if !regexp.MustCompile(pattern).Match(script) {
				t.Errorf("the script does not run %q", command)
			}
			commands++
		}
	}
	if commands < 8 {
		t.Errorf("the page has %d commands", commands)
	}
}
