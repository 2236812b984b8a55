package main

import (
	"os"
	"strings"
	"testing"
)

// TestPolicyComparisonPageIsWhatTheScriptRuns asks that every block of
// docs/policy-comparison.md stands in the script: documents and output word by
// word, and commands as ones that are run.
func TestPolicyComparisonPageIsWhatTheScriptRuns(t *testing.T) {
	page, err := os.ReadFile("../../docs/policy-comparison.md")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("testdata/policy-comparison.txt")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(page), "```")
	for i := 1; i < len(parts); i += 2 {
		kind, block, _ := strings.Cut(parts[i], "\n")
		wanted := []string{"--\n" + block}
		if kind == "sh" {
			wanted = strings.SplitAfter(strings.TrimSpace(block), "\n")
		}
		for _, text := range wanted {
			if !strings.Contains(string(script), text) {
				t.Errorf("the script does not hold %q", text)
			}
		}
	}
	if len(parts) < 15 {
		t.Errorf("the page has %d blocks", len(parts)/2)
	}
}
