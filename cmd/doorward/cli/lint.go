package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/authz/s3"
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

	Warnings []warning `json:"warnings,omitempty"`
}

// warning is something legal that was probably not meant.
type warning struct {
	Check     string `json:"check"`
	Statement int    `json:"statement"` // -1 outside of the statements
	Element   string `json:"element"`
	Line      int    `json:"line"`
	Column    int    `json:"column"`
	Wrong     string `json:"wrong"`
	Right     string `json:"right"`

	text string
}

func newPolicyLint(a *app) *cobra.Command {
	var kind string
	var size int
	var strict bool
	cmd := &cobra.Command{
		Use:   "lint FILE...",
		Short: "Check policy documents as the store would, without a store",
		Long: `Check policy documents for what the store would refuse: where it is, what is wrong,
what would be right. What is legal but probably not meant is told as a warning, such
as an action that matches nothing or a condition key that its requests never carry.
Exit code 1 if one of them is refused or, with --strict, has warnings.`,
		Example: `  doorward policy lint reports.json
  doorward policy lint --kind trust --strict trust.json
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
			return a.showFindings(findings, strict)
		},
	}
	cmd.Flags().StringVar(&kind, "kind", "identity", "`KIND` of policy: "+documentKindNames)
	cmd.Flags().BoolVar(&strict, "strict", false, "take warnings for errors")
	cmd.Flags().IntVar(&size, "size", defaultPolicySize, "largest size in `CHARACTERS`, white space aside, as the store's setting policy_size has it")
	return cmd
}

// examine says what is wrong with a document, if anything.
func examine(name, document string, kind policy.Kind, size int) finding {
	f := finding{File: name, Size: policy.Size([]byte(document))}
	parsed, err := policy.Parse([]byte(document), kind)
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
	if !isRefused {
		for _, w := range policy.Lint(parsed, s3.Carries) {
			f.Warnings = append(f.Warnings, warning{w.Check, w.Statement, w.Element, w.Pos.Line, w.Pos.Column, w.Wrong, w.Right, w.String()})
		}
	}
	return f
}

func (f finding) String() string {
	text := f.verdict()
	for _, w := range f.Warnings {
		text += fmt.Sprintf("\n  warning (%s): %s", w.Check, w.text)
	}
	return text
}

func (f finding) verdict() string {
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

func (a *app) showFindings(findings []finding, strict bool) error {
	refused, doubtful := 0, 0
	for _, f := range findings {
		if len(f.Warnings) > 0 {
			doubtful++
		}
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
	if strict && doubtful > 0 {
		return fmt.Errorf("%d of %d documents have warnings", doubtful, len(findings))
	}
	return nil
}
