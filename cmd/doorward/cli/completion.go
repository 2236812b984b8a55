package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func newCompletion(a *app) *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print a script that teaches a shell to complete commands",
		Long:  "Print a completion script for " + strings.Join(shells, ", ") + ".",
		Example: `  source <(doorward completion bash)
  doorward completion zsh > ~/.zsh/completions/_doorward
  doorward completion fish > ~/.config/fish/completions/doorward.fish`,
		Args:      exactly("SHELL"),
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch args[0] {
			case "bash":
				return cmd.Root().GenBashCompletionV2(a.Out, true)
			case "zsh":
				return cmd.Root().GenZshCompletion(a.Out)
			case "fish":
				return cmd.Root().GenFishCompletion(a.Out, true)
			case "powershell":
				return cmd.Root().GenPowerShellCompletionWithDesc(a.Out)
			}
			return withHint(fmt.Errorf("shell %q is not known", args[0]), "Say %s.", strings.Join(shells, ", "))
		},
	}
}
