package cli

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by release builds: -ldflags "-X …/cli.version=1.2.3".
var version string

// buildVersion is the release, or what the Go toolchain recorded of the source.
func buildVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value
		}
	}
	return ""
}

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version of this binary",
		Example: `  doorward version
  doorward version --output json`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			build := struct {
				Version  string `json:"version"`
				Revision string `json:"revision,omitempty"`
				Go       string `json:"go"`
				Platform string `json:"platform"`
			}{buildVersion(), revision(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			return a.record(build,
				field{"Version", build.Version},
				field{"Revision", build.Revision},
				field{"Go", build.Go},
				field{"Platform", build.Platform})
		},
	}
}
