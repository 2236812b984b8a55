// Package migrate reads what other identity systems export and makes documents of
// package portable of it: [MinIO] and [AWS]. What has no place here it reports, item
// by item with the reason; nothing is left out in silence.
//
// The rule about what cannot be taken over: nobody ends up with more than before. A
// user or group that depends on a policy that is not imported is not imported
// either, because that policy may have denied something.
package migrate

import (
	"fmt"

	"github.com/doorward/doorward/api/portable"
)

// Finding is something that a reader has to say about one item.
type Finding struct {
	Kind, Name string
	// Unsupported: the item is not in the document. Otherwise it is, and Text says
	// what is different there.
	Unsupported bool
	Text        string
}

// Result is what a reader made of an export.
type Result struct {
	Document portable.Document
	Findings []Finding
}

func (r *Result) unsupported(kind, name, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{kind, name, true, fmt.Sprintf(format, args...)})
}

func (r *Result) note(kind, name, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{kind, name, false, fmt.Sprintf(format, args...)})
}
