package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestPagesAreWhatTheirScriptsRun asks that every command of a page of docs is run by
// its script, redirections and abridged recipients aside.
func TestPagesAreWhatTheirScriptsRun(t *testing.T) {
	for _, row := range []struct {
		page, script string
		commands     int // at least
	}{
		{"import.md", "import.txt", 8},
		{"service-accounts.md", "service-accounts-page.txt", 12},
	} {
		page, err := os.ReadFile("../../docs/" + row.page)
		if err != nil {
			t.Fatal(err)
		}
		script, err := os.ReadFile("testdata/" + row.script)
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
					t.Errorf("%s: the script does not run %q", row.page, command)
				}
				commands++
			}
		}
		if commands < row.commands {
			t.Errorf("%s has %d commands", row.page, commands)
		}
	}
}
