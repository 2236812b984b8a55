package policy

import (
	"fmt"
	"strings"
)

// Error says why a document was refused and what would be right. The API turns
// it into AWS's MalformedPolicyDocument.
type Error struct {
	// Statement is the index of the statement, -1 outside of the statements.
	Statement int
	// Sid is the statement's name, if it was known by then.
	Sid string
	// Element is the element or path that is wrong, e.g. "Action" or
	// "Condition.StringEquals".
	Element string
	Pos     Position
	// Wrong says what was found, Right what would be accepted.
	Wrong, Right string
}

// Error returns one line: where, what was wrong, what would be right.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Statement >= 0 {
		fmt.Fprintf(&b, "statement %d", e.Statement)
		if e.Sid != "" {
			fmt.Fprintf(&b, " (%q)", e.Sid)
		}
		b.WriteString(", ")
	}
	if e.Element != "" {
		b.WriteString(e.Element + ", ")
	}
	fmt.Fprintf(&b, "%s: %s", e.Pos, e.Wrong)
	if e.Right != "" {
		b.WriteString("; " + e.Right)
	}
	return b.String()
}
