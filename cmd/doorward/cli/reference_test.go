package cli

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write docs/cli.md anew")

const reference = "../../../docs/cli.md"

// TestReferenceIsCurrent fails when docs/cli.md does not say what the commands
// say. Write it anew with: go test ./cmd/doorward/cli -run Reference -update
func TestReferenceIsCurrent(t *testing.T) {
	want := writeReference(newRoot(&app{Process: Process{Getenv: func(string) string { return "" }}}))
	if *update {
		if err := os.WriteFile(reference, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("docs/cli.md is stale: go test ./cmd/doorward/cli -run Reference -update")
	}
}

func TestEveryCommandHasAnExampleThatNamesIt(t *testing.T) {
	walk(newRoot(&app{Process: Process{Getenv: func(string) string { return "" }}}), func(cmd *cobra.Command) {
		if !strings.Contains(cmd.Example, cmd.CommandPath()) {
			t.Errorf("%s: its examples do not show it: %q", cmd.CommandPath(), cmd.Example)
		}
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: want a short description without a full stop, got %q", cmd.CommandPath(), cmd.Short)
		}
	})
}

func walk(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, verb := range cmd.Commands() {
		walk(verb, visit)
	}
}

// writeReference lays all commands out as one page.
func writeReference(root *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# The command line\n\nMade from the commands themselves; do not edit.\n\n%s\n\n## Contents\n\n", root.Long)
	walk(root, func(cmd *cobra.Command) {
		if cmd != root && cmd.RunE != nil && !groups(cmd) {
			fmt.Fprintf(&b, "- [`%s`](#%s): %s\n", cmd.CommandPath(), strings.ReplaceAll(cmd.CommandPath(), " ", "-"), cmd.Short)
		}
	})
	fmt.Fprintf(&b, "\n## Flags of every command\n\n```\n%s```\n", root.PersistentFlags().FlagUsages())
	walk(root, func(cmd *cobra.Command) {
		if cmd == root || groups(cmd) {
			return
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n```\n%s\n```\n", cmd.CommandPath(), longOf(cmd), cmd.UseLine())
		if usages := cmd.NonInheritedFlags().FlagUsages(); usages != "" {
			fmt.Fprintf(&b, "\nFlags:\n\n```\n%s```\n", usages)
		}
		fmt.Fprintf(&b, "\nExamples:\n\n```\n%s\n```\n", unindented(cmd.Example))
	})
	return b.String()
}

// groups reports whether cmd only holds others together. One with flags of its own
// does something itself.
func groups(cmd *cobra.Command) bool {
	return cmd.HasSubCommands() && !cmd.LocalNonPersistentFlags().HasFlags()
}

func longOf(cmd *cobra.Command) string {
	if cmd.Long != "" {
		return cmd.Long
	}
	return cmd.Short + "."
}

func unindented(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(line, "  ")
	}
	return strings.Join(lines, "\n")
}
