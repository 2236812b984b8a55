package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"filippo.io/age"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/doorward/doorward/api/portable"
	"github.com/doorward/doorward/cmd/doorward/client"
	"github.com/doorward/doorward/cmd/doorward/migrate"
	"github.com/doorward/doorward/iam"
)

// maxExport bounds a file that is imported, in bytes.
const maxExport = 64 << 20

// importFlags are those of every import.
type importFlags struct {
	dryRun, yes, skip bool
	identity          string // file of an age identity
}

func newImport(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Take users, groups, roles and policies over from another system",
		Long: `Take identities over from MinIO, from AWS or from another Doorward.

First the plan is shown, worked out by the store itself: what is made, what is
changed, what is the same already, and what cannot be taken over and why. Then
everything is done together or not at all; what does not fit into one step is done in
several, each whole, and a second run of the same command completes it. Nothing is
ever taken away: what exists is added to and brought up to date.

Whoever may import may make anybody an administrator. It takes the permission
doorward:Import and, for each thing, the permission of the call that makes it.`,
		Example: `  doorward import minio export.zip --dry-run
  doorward import aws details.json --yes`,
	}
	cmd.AddCommand(
		a.newImporter("minio FILE.zip", "Take over what `mc admin cluster iam export` has written", `Read an archive of `+"`mc admin cluster iam export`"+`: users with their secrets, groups,
policies, service accounts and what is attached to whom. The archive holds every
secret in the clear: delete it afterwards.`, "doorward import minio export.zip --dry-run",
			func(_ context.Context, _ *client.Client, content []byte, _ importFlags) (*migrate.Result, error) {
				return migrate.MinIO(content)
			}),
		a.newImporter("aws FILE.json", "Take over what `aws iam get-account-authorization-details` has printed", `Read the output of `+"`aws iam get-account-authorization-details`"+`. AWS gives no secrets
out: the users need new access keys.`, "doorward import aws details.json --dry-run",
			func(ctx context.Context, c *client.Client, content []byte, _ importFlags) (*migrate.Result, error) {
				here, err := c.CallerIdentity(ctx)
				if err != nil {
					return nil, err
				}
				return migrate.AWS(content, iam.AccountID(here.Account))
			}),
		a.newImporter("doorward FILE", "Take over what `doorward export` has written", `Read the output of `+"`doorward export`"+`, encrypted or not. There are no secrets in it,
unless somebody has added them: secret_key to a user, secret_access_key to an access
key.`, "doorward import doorward identities.age --identity key.txt", readOwn),
	)
	return cmd
}

// reader makes a document of the content of a file.
type reader func(context.Context, *client.Client, []byte, importFlags) (*migrate.Result, error)

func (a *app) newImporter(use, short, long, example string, read reader) *cobra.Command {
	var flags importFlags
	kind, file, _ := strings.Cut(use, " ")
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long, Example: "  " + example, Args: exactly(file),
		RunE: func(cmd *cobra.Command, args []string) error {
			content, err := fileOf(args[0], maxExport)
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			result, err := read(cmd.Context(), c, content, flags)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return a.importResult(cmd.Context(), c, result, flags)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&flags.dryRun, "dry-run", false, "only show the plan")
	f.BoolVarP(&flags.yes, "yes", "y", false, "do not ask before the import")
	f.BoolVar(&flags.skip, "skip-unsupported", false, "import the rest if something cannot be taken over")
	if kind == "doorward" {
		f.StringVar(&flags.identity, "identity", "", "age identity `FILE` to decrypt with")
	}
	return cmd
}

func fileOf(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(content)) > most {
		err = fmt.Errorf("%s has more than %d bytes", name, most)
	}
	return content, err
}

// readOwn reads an export of ours.
func readOwn(_ context.Context, _ *client.Client, content []byte, flags importFlags) (*migrate.Result, error) {
	if bytes.HasPrefix(content, []byte("age-encryption.org/")) {
		if flags.identity == "" {
			return nil, withHint(errors.New("it is encrypted"), "Name the age identity with --identity FILE.")
		}
		keys, err := fileOf(flags.identity, 1<<20)
		if err != nil {
			return nil, err
		}
		identities, err := age.ParseIdentities(bytes.NewReader(keys))
		if err != nil {
			return nil, fmt.Errorf("age identity %s: %w", flags.identity, err)
		}
		r, err := age.Decrypt(bytes.NewReader(content), identities...)
		if err != nil {
			return nil, err
		}
		if content, err = io.ReadAll(io.LimitReader(r, maxExport)); err != nil {
			return nil, err
		}
	}
	var d portable.Document
	if err := json.Unmarshal(content, &d); err != nil || d.Format != portable.Format {
		return nil, fmt.Errorf("not an export of doorward in the format %s", portable.Format)
	}
	return &migrate.Result{Document: d}, nil
}

// unsupported is the action of what a reader has left out.
const unsupported = "unsupported"

// importPlan is the JSON form of a plan.
type importPlan struct {
	portable.Plan
	Unsupported int `json:"unsupported"`
	Create      int `json:"create"`
	Update      int `json:"update"`
	Same        int `json:"same"`
}

func (a *app) importResult(ctx context.Context, c *client.Client, result *migrate.Result, flags importFlags) error {
	plan, d, err := a.planImport(ctx, c, result, flags)
	if err != nil {
		return err
	}
	if a.output != outputJSON || flags.dryRun {
		if err := a.showPlan(plan); err != nil {
			return err
		}
	}
	todo := plan.Create + plan.Update
	switch {
	case plan.Unsupported > 0 && !flags.skip:
		if flags.dryRun {
			a.say("%d cannot be taken over; the rest can be with --skip-unsupported.", plan.Unsupported)
			return nil
		}
		if a.output == outputJSON {
			a.showPlan(plan)
		}
		return withHint(fmt.Errorf("%d cannot be taken over; nothing was imported", plan.Unsupported),
			"Mend them where they come from, or import the rest with --skip-unsupported.")
	case flags.dryRun:
		a.say("Nothing was changed: this is only the plan.")
		return nil
	case todo == 0:
		a.say("There is nothing to do.")
		return a.imported(plan)
	}
	if !flags.yes {
		if err := a.confirmImport(ctx, todo); err != nil {
			return err
		}
	}
	if err := a.apply(ctx, c, d, &plan); err != nil {
		return err
	}
	return a.imported(plan)
}

// imported prints the plan as what was done, in JSON.
func (a *app) imported(plan importPlan) error {
	if a.output == outputJSON {
		return a.json(plan)
	}
	return nil
}

// planImport asks the store for the plan. With --skip-unsupported what it refuses
// is left out, and what depends on that, until the rest holds together.
func (a *app) planImport(ctx context.Context, c *client.Client, result *migrate.Result, flags importFlags) (importPlan, portable.Document, error) {
	d := result.Document
	var refused []portable.Item
	for {
		plan, _, err := c.Import(ctx, d, true)
		if err != nil {
			return importPlan{}, d, err
		}
		var now []portable.Item
		for _, item := range plan.Items {
			if item.Action == portable.Refuse {
				item.Action = unsupported
				now = append(now, item)
			}
		}
		if len(now) == 0 || !flags.skip {
			return finished(plan, refused, result.Findings), d, nil
		}
		refused = append(refused, now...)
		d = without(d, now)
	}
}

// finished joins what the store and the reader have to say.
func finished(plan portable.Plan, refused []portable.Item, findings []migrate.Finding) importPlan {
	for i := range plan.Items {
		item := &plan.Items[i]
		if item.Action == portable.Refuse {
			item.Action = unsupported
		}
		for _, f := range findings {
			if !f.Unsupported && f.Kind == item.Kind && f.Name == item.Name {
				item.Detail = append(item.Detail, f.Text)
			}
		}
	}
	p := importPlan{Plan: plan}
	p.Items = append(p.Items, refused...)
	for _, f := range findings {
		listed := slices.ContainsFunc(plan.Items, func(i portable.Item) bool { return i.Kind == f.Kind && i.Name == f.Name })
		switch {
		case f.Unsupported:
			p.Items = append(p.Items, portable.Item{Kind: f.Kind, Name: f.Name, Action: unsupported, Reason: f.Text})
		case !listed:
			p.Items = append(p.Items, portable.Item{Kind: f.Kind, Name: f.Name, Action: portable.Same, Detail: []string{f.Text}})
		}
	}
	p.Create, p.Update, p.Same, p.Unsupported = p.Count(portable.Create), p.Count(portable.Update), p.Count(portable.Same), p.Count(unsupported)
	return p
}

func without(d portable.Document, refused []portable.Item) portable.Document {
	gone := map[[2]string]bool{}
	for _, i := range refused {
		gone[[2]string{i.Kind, i.Name}] = true
	}
	d.Policies = slices.DeleteFunc(slices.Clone(d.Policies), func(p portable.Policy) bool { return gone[[2]string{"policy", p.Name}] })
	d.Groups = slices.DeleteFunc(slices.Clone(d.Groups), func(g portable.Group) bool { return gone[[2]string{"group", g.Name}] })
	d.Roles = slices.DeleteFunc(slices.Clone(d.Roles), func(r portable.Role) bool { return gone[[2]string{"role", r.Name}] })
	d.Users = slices.DeleteFunc(slices.Clone(d.Users), func(u portable.User) bool { return gone[[2]string{"user", u.Name}] })
	d.ServiceAccounts = slices.DeleteFunc(slices.Clone(d.ServiceAccounts), func(s portable.ServiceAccount) bool {
		return gone[[2]string{"service account", s.ID}]
	})
	return d
}

func (a *app) showPlan(plan importPlan) error {
	t := &table{header: []string{"ACTION", "KIND", "NAME", "DETAIL"}}
	for _, i := range plan.Items {
		t.add(i.Action, i.Kind, i.Name, strings.Join(append(slices.Clone(i.Detail), nonEmpty(i.Reason)...), "; "))
	}
	if err := a.list(plan, t); err != nil {
		return err
	}
	a.say("%d to create, %d to update, %d the same, %d unsupported", plan.Create, plan.Update, plan.Same, plan.Unsupported)
	return nil
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func (a *app) confirmImport(ctx context.Context, todo int) error {
	if !term.IsTerminal(int(a.In.Fd())) {
		return withHint(errors.New("nobody was there to confirm the import; nothing was imported"), "Say --yes, or --dry-run for the plan alone.")
	}
	fmt.Fprintf(a.Err, "Import %d? [y/N] ", todo)
	answer := make(chan string, 1)
	go func() { // ends with the line, or with the process
		line, _ := bufio.NewReader(a.In).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case line := <-answer:
		if line == "y" || line == "yes" {
			return nil
		}
		return errors.New("nothing was imported")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A step of an import is one entry of the log. These bounds keep it well below the
// size of one.
const (
	stepItems = 500
	stepBytes = 150 << 10
)

// apply imports in as few steps as fit, in an order in which none needs a later one.
func (a *app) apply(ctx context.Context, c *client.Client, d portable.Document, plan *importPlan) error {
	steps := split(d)
	done := 0
	bar := a.progress("importing", int64(d.Len()), count)
	defer bar.end()
	for n, step := range steps {
		part, meta, err := c.Import(ctx, step, false)
		if err != nil {
			bar.end()
			if done > 0 {
				a.say("%d of %d were imported before this and stay. Run the same command again to complete the import.", done, d.Len())
			}
			return err
		}
		done += step.Len()
		bar.add(step.Len())
		if part.Applied {
			plan.Applied, plan.Index = true, part.Index
			bar.end()
			a.warnBehind(meta.Fence)
		}
		if len(steps) > 1 && bar.out == nil {
			a.say("imported %d of %d (step %d of %d)", done, d.Len(), n+1, len(steps))
		}
	}
	bar.end()
	a.say("%d created, %d updated (index %d)", plan.Create, plan.Update, plan.Index)
	return nil
}

// split cuts a document into steps.
func split(d portable.Document) (steps []portable.Document) {
	step, size := portable.Document{Format: d.Format}, 0
	add := func(item any, put func()) {
		text, err := json.Marshal(item)
		if err != nil {
			text = nil // the request will say so
		}
		if step.Len() > 0 && (step.Len() >= stepItems || size+len(text) > stepBytes) {
			steps = append(steps, step)
			step, size = portable.Document{Format: d.Format}, 0
		}
		size += len(text)
		put()
	}
	for _, p := range d.Policies {
		add(p, func() { step.Policies = append(step.Policies, p) })
	}
	for _, g := range d.Groups {
		add(g, func() { step.Groups = append(step.Groups, g) })
	}
	for _, r := range d.Roles {
		add(r, func() { step.Roles = append(step.Roles, r) })
	}
	for _, u := range d.Users {
		add(u, func() { step.Users = append(step.Users, u) })
	}
	for _, s := range d.ServiceAccounts {
		add(s, func() { step.ServiceAccounts = append(step.ServiceAccounts, s) })
	}
	return append(steps, step)
}
