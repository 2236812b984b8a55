package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/api/audit"
)

func newAudit(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Read and check the record of administrative calls",
		Example: `  doorward audit tail
  doorward audit verify /var/lib/doorward/audit`,
	}
	cmd.AddCommand(newAuditTail(a), newAuditVerify(a))
	return cmd
}

func newAuditTail(a *app) *cobra.Command {
	var count int
	var follow bool
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Show the newest calls",
		Long: `Show the newest calls that the node at the endpoint has answered: who called, from
where, what for, and how it ended. Each node keeps the record of its own calls. With
--output json each line is a record with its hash, as it is in the file.`,
		Example: `  doorward audit tail --lines 50
  doorward audit tail --follow --output json`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.auditTail(cmd.Context(), count, follow) },
	}
	cmd.Flags().IntVarP(&count, "lines", "n", 20, "show the newest `N` calls, at most 1000")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on showing calls as they come")
	return cmd
}

// followTime is how often a node is asked for new records.
const followTime = time.Second

func (a *app) auditTail(ctx context.Context, count int, follow bool) error {
	if count < 1 || count > 1000 {
		return withHint(fmt.Errorf("cannot show %d calls", count), "Say --lines 1 to --lines 1000.")
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	log, err := c.Audit(ctx, nil, count)
	if err != nil {
		return err
	}
	shown := log.Sequence - min(log.Sequence, uint64(len(log.Entries)))
	for {
		for _, e := range log.Entries {
			sequence, err := a.showCall(e)
			if err != nil {
				return err
			}
			shown = sequence
		}
		if !follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followTime):
		}
		if log, err = c.Audit(ctx, &shown, 1000); err != nil {
			return err
		}
	}
}

// showCall prints one record in a line.
func (a *app) showCall(e audit.Entry) (sequence uint64, err error) {
	var r audit.Record
	if err := json.Unmarshal(e.Record, &r); err != nil {
		return 0, fmt.Errorf("audit record: %w", err)
	}
	if a.output == outputJSON {
		return r.Sequence, json.NewEncoder(a.Out).Encode(e)
	}
	about := ""
	for _, name := range []string{"UserName", "GroupName", "RoleName", "PolicyArn", "PolicyName", "AccessKeyId", "RoleArn", "name", "user", "role"} {
		if value := r.Parameters[name]; value != "" {
			about = " " + value
			break
		}
	}
	_, err = fmt.Fprintf(a.Out, "%d  %s  %s from %s: %s%s  %s\n", r.Sequence, r.Time, orDash(string(r.Caller)), orDash(r.Source), r.Action, about, r.Outcome)
	return r.Sequence, err
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func newAuditVerify(a *app) *cobra.Command {
	var known []string
	cmd := &cobra.Command{
		Use:   "verify DIR",
		Short: "Check that no record was changed, left out or put in",
		Long: `Check the audit log in a node's directory: that each record is as it was written,
and that none is missing. It prints the head, the hash of the last record. Kept where
the node cannot write, and given later with --head, it proves that nothing up to it was
changed and that the log was not cut short.`,
		Example: `  doorward audit verify /var/lib/doorward/audit
  doorward audit verify /var/lib/doorward/audit --head 4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945`,
		Args: exactly("DIR"),
		RunE: func(_ *cobra.Command, args []string) error { return a.auditVerify(args[0], known) },
	}
	cmd.Flags().StringArrayVar(&known, "head", nil, "`HASH` that has to be in the log; may be given again")
	return cmd
}

func (a *app) auditVerify(dir string, known []string) error {
	var heads []audit.Hash
	for _, text := range known {
		h, err := audit.ParseHash(text)
		if err != nil {
			return err
		}
		heads = append(heads, h)
	}
	s, err := audit.Verify(dir, heads...)
	if err != nil {
		return err
	}
	if s.Cut > 0 {
		a.say("The last line is incomplete (%d bytes): the node is writing it, or a crash left it.", s.Cut)
	}
	return a.record(struct {
		audit.Summary
		Head string `json:"head"`
	}{s, s.Head.String()},
		field{"Records", fmt.Sprint(s.Records)}, field{"First", s.First}, field{"Last", s.Last}, field{"Head", s.Head.String()})
}
