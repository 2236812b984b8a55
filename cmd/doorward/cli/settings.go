package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/iam"

	"github.com/doorward/doorward/cmd/doorward/client"
)

func newSettings(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:         "settings",
		Short:       "Show and change the limits of the store",
		Annotations: map[string]string{string(iam.InvalidInput): "See the names of all settings with `doorward settings show`."},
		Example: `  doorward settings show
  doorward settings set policy_size=20480`,
	}
	cmd.AddCommand(newSettingsShow(a), newSettingsSet(a))
	return cmd
}

func newSettingsShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "show",
		Short:   "Show all settings",
		Example: `  doorward settings show --output json`,
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			settings, err := c.GetSettings(cmd.Context())
			if err != nil {
				return err
			}
			t := &table{header: []string{"SETTING", "VALUE"}}
			for _, name := range slices.Sorted(maps.Keys(settings)) {
				t.add(name, string(settings[name]))
			}
			return a.list(settings, t)
		},
	}
}

func newSettingsSet(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "set NAME=VALUE...",
		Short: "Change settings; values are JSON",
		Example: `  doorward settings set policy_size=20480 max_staleness=60
  doorward settings set self_assume=false`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			change := client.Settings{}
			for _, arg := range args {
				name, value, found := strings.Cut(arg, "=")
				if !found || !json.Valid([]byte(value)) {
					return withHint(fmt.Errorf("%q is not NAME=VALUE with a JSON value", arg), "For example policy_size=20480. See `doorward settings show`.")
				}
				change[name] = json.RawMessage(value)
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			meta, err := c.UpdateSettings(cmd.Context(), change)
			if err != nil {
				return err
			}
			return a.done(meta, "updated", "settings", "settings updated")
		},
	}
}
