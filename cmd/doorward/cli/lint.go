package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/authz/policy"
)

// documentKinds are the kinds of policy documents by the names of --kind.
var documentKinds = map[string]policy.Kind{
	"identity": policy.Identity, "session": policy.Session, "boundary": policy.Boundary,
	"bucket": policy.Resource, "trust": policy.Trust, "service-control": policy.ServiceControl,
}

const documentKindNames = "identity, session, boundary, bucket, trust or service-control"

// defaultPolicySize is the store's limit of a document unless its setting
// policy_size says otherwise, in characters, white space aside.
const defaultPolicySize = 2048

// finding is what lint has to say about a document.
type finding struct {
	File      string `json:"file"`
	Valid     bool   `json:"valid"`
	Size      int    `json:"size"` // as the store counts it
	Statement *int   `json:"statement,omitempty"`
	Element   string `json:"element,omitempty"`
	Line      int    `json:"line,omitempty"`
	Column    int    `json:"column,omitempty"`
	Wrong     string `json:"wrong,omitempty"`
	Right     string `json:"right,omitempty"`
}

func newPolicyLint(a *app) *cobra.Command {
	var kind string
	var size int
	cmd := &cobra.Command{
		Use:   "lint FILE...",
		Short: "Check policy documents as the store would, without a store",
		Long: `Check policy documents for what the store would refuse: where it is, what is wrong,
what would be right. Exit code 1 if one of them is refused.`,
		Example: `  doorward policy lint reports.json
  doorward policy lint --kind trust trust.json
  generate-policy | doorward policy lint -`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			as, known := documentKinds[kind]
			if !known {
				return withHint(fmt.Errorf("kind %q is not known", kind), "Say %s.", documentKindNames)
			}
			var findings []finding
			for _, name := range args {
				document, err := a.readDocument(name)
				if err != nil {
					return err
				}
				findings = append(findings, examine(name, document, as, size))
			}
			return a.showFindings(findings)
		},
	}
	cmd.Flags().StringVar(&kind, "kind", "identity", "`KIND` of policy: "+documentKindNames)
	cmd.Flags().IntVar(&size, "size", defaultPolicySize, "largest size in `CHARACTERS`, white space aside, as the store's setting policy_size has it")
	return cmd
}

// examine says what is wrong with a document, if anything.
func examine(name, document string, kind policy.Kind, size int) finding {
	f := finding{File: name, Size: policy.Size([]byte(document))}
	_, err := policy.Parse([]byte(document), kind)
	refused, isRefused := errors.AsType[*policy.Error](err)
	switch {
	case isRefused:
		f.Element, f.Wrong, f.Right = refused.Element, refused.Wrong, refused.Right
		f.Line, f.Column = refused.Pos.Line, refused.Pos.Column
		if refused.Statement >= 0 {
			f.Statement = &refused.Statement
		}
	case f.Size > size:
		f.Wrong, f.Right = fmt.Sprintf("the document has %d characters", f.Size), fmt.Sprintf("at most %d", size)
	default:
		f.Valid = true
	}
	return f
}

func (f finding) String() string {
	if f.Valid {
		return fmt.Sprintf("%s: valid, %d characters", f.File, f.Size)
	}
	var where []string
	if f.Line > 0 {
		where = append(where, fmt.Sprintf("line %d, column %d", f.Line, f.Column))
	}
	if f.Statement != nil {
		where = append(where, fmt.Sprintf("statement %d", *f.Statement))
	}
	if f.Element != "" {
		where = append(where, f.Element)
	}
	text := f.File + ": "
	if len(where) > 0 {
		text += strings.Join(where, ", ") + ": "
	}
	text += f.Wrong
	if f.Right != "" {
		text += "\n  want " + f.Right
	}
	return text
}

func (a *app) showFindings(findings []finding) error {
	refused := 0
	for _, f := range findings {
		if !f.Valid {
			refused++
		}
		if a.output != outputJSON {
			fmt.Fprintln(a.Out, f)
		}
	}
	if a.output == outputJSON {
		if err := a.json(findings); err != nil {
			return err
		}
	}
	if refused > 0 {
		return fmt.Errorf("%d of %d documents would be refused", refused, len(findings))
	}
	return nil
}
