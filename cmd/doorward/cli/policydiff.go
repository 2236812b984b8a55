package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/compare"
	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/iam"
)

func newPolicyDiff(a *app) *cobra.Command {
	var kind string
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Tell what replacing one policy document by another does, without a store",
		Long: `Tell whether the NEW document is equal to the OLD one, narrower, wider or
incomparable, and show a request that proves it in each direction. The answer is
"unknown" when neither a proof nor a request was found. An explicit Deny counts:
a document that drops one is wider, as another policy may allow what it denied.

The exit code is 0 whatever the answer; policy check is for scripts that refuse.`,
		Example: `  doorward policy diff reports.json reports-new.json
  doorward policy diff --kind bucket old.json new.json --output json`,
		Args: exactly("OLD", "NEW"),
		RunE: func(cmd *cobra.Command, args []string) error {
			documents, err := a.parseDocuments(kind, args...)
			if err != nil {
				return err
			}
			return a.showDifference(args[0], args[1], compare.Compare(documents[0], documents[1]))
		},
	}
	cmd.Flags().StringVar(&kind, "kind", "identity", "`KIND` of policy: "+documentKindNames)
	return cmd
}

// parseDocuments reads documents of one kind and refuses what the store would.
func (a *app) parseDocuments(kind string, names ...string) ([]*policy.Document, error) {
	as, known := documentKinds[kind]
	if !known {
		return nil, withHint(fmt.Errorf("kind %q is not known", kind), "Say %s.", documentKindNames)
	}
	var documents []*policy.Document
	for _, name := range names {
		text, err := a.readDocument(name)
		if err != nil {
			return nil, err
		}
		document, err := policy.Parse([]byte(text), as)
		if err != nil {
			return nil, withHint(fmt.Errorf("%s: %w", name, err), "The documents are read as %s policies; --kind says otherwise.", kind)
		}
		documents = append(documents, document)
	}
	return documents, nil
}

// difference is what diff prints as JSON.
type difference struct {
	Verdict  compare.Verdict `json:"verdict"`
	Wider    *witness        `json:"wider,omitempty"`
	Narrower *witness        `json:"narrower,omitempty"`
	Reason   string          `json:"reason,omitempty"`
}

// witness is a request that two documents decide differently.
type witness struct {
	Principal       iam.ARN             `json:"principal,omitempty"`
	Role            iam.ARN             `json:"role,omitempty"`
	CanonicalUser   string              `json:"canonical_user,omitempty"`
	Anonymous       bool                `json:"anonymous,omitempty"`
	Setting         string              `json:"setting,omitempty"`
	ResourceAccount iam.AccountID       `json:"resource_account,omitempty"`
	Action          string              `json:"action"`
	Resource        string              `json:"resource"`
	Context         map[string][]string `json:"context"`
	Old             string              `json:"old,omitempty"` // of no-public, which compares with nothing, empty
	New             string              `json:"new"`
}

func witnessOf(w *compare.Witness) *witness {
	if w == nil {
		return nil
	}
	out := &witness{
		Principal: w.Principal.ARN, Role: w.Principal.RoleARN, CanonicalUser: w.Principal.Canonical,
		Anonymous: w.Principal.Type == authz.Anonymous, Setting: w.Setting, ResourceAccount: w.ResourceAccount,
		Action: w.Action, Resource: w.Resource, Context: map[string][]string{}, Old: decisionWords(w.Old), New: decisionWords(w.New),
	}
	for _, f := range w.Context {
		out.Context[f.Key] = append([]string{}, f.Values...)
	}
	return out
}

func decisionWords(d authz.Decision) string {
	switch {
	case d.Allowed():
		return "allowed"
	case d.Explicit:
		return "denied explicitly"
	}
	return "not allowed"
}

func (a *app) showDifference(old, new string, r compare.Result) error {
	if a.output == outputJSON {
		return a.json(difference{r.Verdict, witnessOf(r.Wider), witnessOf(r.Narrower), r.Reason})
	}
	fmt.Fprintln(a.Out, withReason(r.Verdict.String(), r.Reason))
	a.showWitness("wider", old, new, r.Wider)
	a.showWitness("narrower", old, new, r.Narrower)
	return nil
}

func withReason(answer, reason string) string {
	if reason == "" {
		return answer
	}
	return answer + ": " + reason
}

// showWitness tells a request as an indented block.
func (a *app) showWitness(title, old, new string, found *compare.Witness) {
	w := witnessOf(found)
	if w == nil {
		return
	}
	fmt.Fprintf(a.Out, "%s, for example:\n", title)
	fmt.Fprintf(a.Out, "  %s on %s\n", w.Action, w.Resource)
	switch {
	case w.Anonymous:
		fmt.Fprintln(a.Out, "  by an anonymous caller")
	case w.Setting != "":
		fmt.Fprintf(a.Out, "  by %s, %s\n", w.Principal, w.Setting)
	}
	if w.CanonicalUser != "" {
		fmt.Fprintf(a.Out, "  whose canonical user id is %s\n", w.CanonicalUser)
	}
	for _, f := range found.Context {
		values := fmt.Sprintf("%q", f.Values)
		if !f.List {
			values = fmt.Sprintf("%q", f.Values[0])
		}
		fmt.Fprintf(a.Out, "  with %s = %s\n", f.Key, values)
	}
	if old != "" {
		fmt.Fprintf(a.Out, "  %s by %s\n", w.Old, old)
	}
	fmt.Fprintf(a.Out, "  %s by %s\n", w.New, new)
}

// policyCheck collects the flags of `policy check`.
type policyCheck struct {
	kind, limit string
	noPublic    bool
}

func newPolicyCheck(a *app) *cobra.Command {
	var flags policyCheck
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Hold a policy document to rules, without a store",
		Long: `Hold a policy document to rules: that it allows nothing to anonymous callers, and
that it allows nothing that another document does not allow. A rule that is broken
is shown with a request that breaks it.

Exit code 0 if all rules hold, 1 if one is broken, or not certain to hold.`,
		Example: `  doorward policy check --no-public --kind bucket bucket.json
  doorward policy check --not-wider-than limit.json reports.json`,
		Args: exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.checkPolicy(args[0], flags) },
	}
	f := cmd.Flags()
	f.StringVar(&flags.kind, "kind", "", "`KIND` of policy: "+documentKindNames+" (default identity; bucket with --no-public)")
	f.BoolVar(&flags.noPublic, "no-public", false, "nothing is allowed to anonymous callers")
	f.StringVar(&flags.limit, "not-wider-than", "", "nothing is allowed that the document in `FILE` does not allow")
	return cmd
}

// ruleOutcome is how a document stands to one rule, as check prints it.
type ruleOutcome struct {
	Rule    string         `json:"rule"`
	Answer  compare.Answer `json:"answer"`
	Witness *witness       `json:"witness,omitempty"`
	Reason  string         `json:"reason,omitempty"`
}

func (a *app) checkPolicy(name string, flags policyCheck) error {
	kind, names := flags.kind, []string{name}
	switch {
	case !flags.noPublic && flags.limit == "":
		return withHint(errors.New("no rule to hold the document to"), "Say --no-public, --not-wider-than FILE, or both.")
	case kind == "" && flags.noPublic:
		kind = "bucket"
	case kind == "":
		kind = "identity"
	}
	if flags.limit != "" {
		names = append(names, flags.limit)
	}
	documents, err := a.parseDocuments(kind, names...)
	if err != nil {
		return err
	}
	var outcomes []ruleOutcome
	broken := 0
	hold := func(rule, limit string, c compare.Check) {
		w := witnessOf(c.Witness)
		if w != nil && limit == "" {
			w.Old = ""
		}
		outcomes = append(outcomes, ruleOutcome{rule, c.Answer, w, c.Reason})
		if c.Answer != compare.Holds {
			broken++
		}
		if a.output != outputJSON {
			fmt.Fprintln(a.Out, withReason(rule+": "+c.Answer.String(), c.Reason))
			a.showWitness("broken", limit, name, c.Witness)
		}
	}
	if flags.noPublic {
		hold("no-public", "", compare.NoPublic(documents[0]))
	}
	if flags.limit != "" {
		hold("not-wider-than", flags.limit, compare.NotWiderThan(documents[0], documents[1]))
	}
	if a.output == outputJSON {
		err = a.json(outcomes)
	}
	if err == nil && broken > 0 {
		err = fmt.Errorf("%s: %d of %d rules broken or undecided", name, broken, len(outcomes))
	}
	return err
}
