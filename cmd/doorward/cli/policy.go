package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/cmd/doorward/client"
	"github.com/doorward/doorward/iam"
)

func newPolicy(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Create, show and delete managed policies",
		Example: `  doorward policy create reports --document reports.json
  doorward policy list`,
	}
	cmd.AddCommand(newPolicyCreate(a), newPolicyList(a), newPolicyShow(a), newPolicyDelete(a), newPolicyLint(a), newPolicyDiff(a), newPolicyCheck(a))
	return cmd
}

// maxDocument bounds what is read of a policy document, in bytes; the store's
// own limit is lower.
const maxDocument = 1 << 20

// readDocument reads a policy document from a file or, for "-", from standard
// input.
func (a *app) readDocument(name string) (string, error) {
	in := io.Reader(a.In)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", withHint(fmt.Errorf("read policy document: %w", err), "Name a file that holds the JSON document, or - for standard input.")
		}
		defer f.Close()
		in = f
	}
	document, err := io.ReadAll(io.LimitReader(in, maxDocument+1))
	if err != nil {
		return "", fmt.Errorf("read policy document: %w", err)
	}
	if len(document) > maxDocument {
		return "", fmt.Errorf("policy document %s is larger than %d bytes", name, maxDocument)
	}
	return string(document), nil
}

func newPolicyCreate(a *app) *cobra.Command {
	var document, path, description string
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a managed policy from a JSON document",
		Long: `Create a managed policy. The document is JSON in the AWS policy language, at most
2,048 bytes, white space not counted (a setting of the store).`,
		Example: `  doorward policy create reports --document reports.json
  generate-policy | doorward policy create reports --document -`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if document == "" {
				return withHint(errors.New("no policy document given"), "Say --document FILE, or --document - for standard input.")
			}
			text, err := a.readDocument(document)
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			policy, meta, err := c.CreatePolicy(cmd.Context(), args[0], path, description, text)
			if err != nil {
				return err
			}
			return a.record(struct {
				client.Policy
				Index iam.Index `json:"index"`
			}{policy, meta.Index}, field{"Policy", policy.Name}, field{"ARN", string(policy.ARN)})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&document, "document", "", "`FILE` that holds the document, or - for standard input")
	flags.StringVar(&path, "path", "", "`PATH` that groups policies, such as /ci/ (default /)")
	flags.StringVar(&description, "description", "", "`TEXT` that says what the policy is for")
	return cmd
}

func newPolicyList(a *app) *cobra.Command {
	var custom bool
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the managed policies",
		Example: `  doorward policy list
  doorward policy list --custom --output json`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			policies, err := c.ListPolicies(cmd.Context(), custom)
			if err != nil {
				return err
			}
			t := &table{header: []string{"NAME", "VERSION", "ATTACHED", "UPDATED", "ARN"}}
			for _, p := range policies {
				t.add(p.Name, p.Version, strconv.Itoa(p.Attachments), p.Updated, string(p.ARN))
			}
			return a.list(policies, t)
		},
	}
	cmd.Flags().BoolVar(&custom, "custom", false, "leave out the policies that every store has")
	return cmd
}

func newPolicyShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "show POLICY",
		Short: "Show a managed policy and its document",
		Example: `  doorward policy show readonly
  doorward policy show reports --output json`,
		Args: exactly("POLICY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			policy, err := withPolicyARN(cmd.Context(), a, c, args[0], c.GetPolicy)
			if err != nil {
				return err
			}
			if err := a.record(policy,
				field{"Policy", policy.Name},
				field{"ARN", string(policy.ARN)},
				field{"Description", policy.Description},
				field{"Version", policy.Version},
				field{"Attached", strconv.Itoa(policy.Attachments)},
				field{"Created", policy.Created},
				field{"Updated", policy.Updated},
			); err != nil || a.output == outputJSON {
				return err
			}
			_, err = fmt.Fprintf(a.Out, "\n%s\n", indented(policy.Document))
			return err
		},
	}
}

// indented lays a JSON document out for reading; what is not JSON stays as it is.
func indented(document string) string {
	var out bytes.Buffer
	if json.Indent(&out, []byte(document), "", "  ") != nil {
		return document
	}
	return strings.TrimSpace(out.String())
}

func newPolicyDelete(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "delete POLICY",
		Aliases: []string{"rm"},
		Short:   "Delete a managed policy that is attached nowhere",
		Example: `  doorward policy delete reports`,
		Args:    exactly("POLICY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			meta, err := withPolicyARN(cmd.Context(), a, c, args[0], c.DeletePolicy)
			if errors.Is(err, &client.Error{Code: iam.DeleteConflict}) {
				return withHint(err, "Detach it first: doorward user detach NAME %s.", args[0])
			}
			if err != nil {
				return err
			}
			return a.done(meta, "deleted", args[0], "policy %s deleted", args[0])
		},
	}
}

// withPolicyARN calls do with the ARN of a policy that is named by ARN or by name.
func withPolicyARN[T any](ctx context.Context, a *app, c *client.Client, policy string, do func(context.Context, iam.ARN) (T, error)) (T, error) {
	arn, err := a.policyARN(ctx, c, policy)
	if err != nil {
		var none T
		return none, err
	}
	return do(ctx, arn)
}

// policyARNs is policyARN for each.
func (a *app) policyARNs(ctx context.Context, c *client.Client, names []string) ([]iam.ARN, error) {
	var arns []iam.ARN
	for _, name := range names {
		arn, err := a.policyARN(ctx, c, name)
		if err != nil {
			return nil, err
		}
		arns = append(arns, arn)
	}
	return arns, nil
}

// policyARN returns the ARN of a managed policy that is named by ARN or by name.
// Names are unique in an account whatever the path and the case, so the list
// decides.
func (a *app) policyARN(ctx context.Context, c *client.Client, policy string) (iam.ARN, error) {
	if strings.HasPrefix(policy, "arn:") {
		return iam.ARN(policy), nil
	}
	policies, err := c.ListPolicies(ctx, false)
	if err != nil {
		return "", fmt.Errorf("look up policy %s: %w", policy, err)
	}
	for _, p := range policies {
		if strings.EqualFold(p.Name, policy) {
			return p.ARN, nil
		}
	}
	return "", withHint(&client.Error{Code: iam.NoSuchEntity, Message: fmt.Sprintf("policy %s does not exist", policy)},
		"See `doorward policy list`.")
}
