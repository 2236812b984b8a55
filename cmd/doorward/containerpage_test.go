package main

import (
	"os"
	"strings"
	"testing"
)

// TestContainerCredentialsAreServedAsDocumented asks that the commands of
// docs/temporary-credentials.md that serve an application are run by
// testdata/container.txt, at another address.
func TestContainerCredentialsAreServedAsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/temporary-credentials.md")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("testdata/container.txt")
	if err != nil {
		t.Fatal(err)
	}
	commands := 0
	for line := range strings.Lines(string(page)) {
		command := strings.ReplaceAll(strings.TrimSpace(line), "127.0.0.1:8477", "$ADDRESS")
		if !strings.HasPrefix(command, "doorward creds serve ") {
			continue
		}
		commands++
		if !strings.Contains(string(script), "exec sh -c 'exec "+command+"'") {
			t.Errorf("the script does not run %q", command)
		}
	}
	if commands == 0 {
		t.Error("the page has no command")
	}
}
