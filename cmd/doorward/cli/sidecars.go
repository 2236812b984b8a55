package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newSidecars(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "sidecars",
		Short: "List the sidecars: how far each has followed, how stale it is, how busy",
		Long: `List the sidecars that are connected to any node, and those that were lately and may
still serve. LAG is how many entries of the log a sidecar is behind; STALENESS is the
time since what it decides by was last known to be current; one that hears nothing
from the store decides nothing any more after SERVES UNTIL.`,
		Example: `  doorward sidecars
  doorward sidecars --output json`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			sidecars, silent, err := c.Sidecars(cmd.Context())
			if err != nil {
				return err
			}
			t := &table{header: []string{"NAME", "CONNECTED", "INDEX", "LAG", "STALENESS", "DECISIONS/S", "VERSION", "SERVES UNTIL", "FROM"}}
			for _, s := range sidecars {
				stale := time.Duration(s.Staleness * float64(time.Second)).Round(time.Millisecond)
				t.add(s.Name, yesNo(s.Connected), fmt.Sprint(s.Index), strconv.FormatUint(s.Lag, 10), stale.String(), fmt.Sprint(s.Rate), s.Version, s.Until, s.Address)
			}
			if len(silent) > 0 {
				a.say("Nodes that did not answer: %s. Their sidecars are missing here.", strings.Join(silent, ", "))
			}
			return a.list(sidecars, t)
		},
	}
}

func yesNo(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}
