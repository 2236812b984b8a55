package compare

import (
	"slices"
	"strings"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/iam"
)

// Witness is a request that two documents decide differently, as
// [authz.Reference] has confirmed.
type Witness struct {
	Principal authz.Principal
	// Setting says, for documents that name principals, what else speaks on the
	// caller's requests; empty if nothing does.
	Setting         string
	ResourceAccount iam.AccountID
	Action          string
	Resource        string
	// Context holds the condition keys that matter, by name. All others are missing.
	Context []Fact
	// Old and New are the decisions of the two documents; of a check, those of the
	// limit, if there is one, and of the document that is checked.
	Old, New authz.Decision
}

// Fact is a condition key and its value.
type Fact struct {
	Key    string
	Values []string
	// List is true for a key with several values, which may be none.
	List bool
}

// Request returns the question.
func (w *Witness) Request() *authz.Request {
	ctx := &authz.Context{}
	for _, f := range w.Context {
		setValue(ctx, f.Key, authz.Value{Present: true, Multi: f.List, Values: f.Values})
	}
	return &authz.Request{
		Principal: w.Principal, Action: w.Action, Resource: w.Resource, ResourceAccount: w.ResourceAccount, Context: ctx,
	}
}

// witness asks the evaluator about an example.
func (c *comparison) witness(set setting, e example, s *space) *Witness {
	w := &Witness{
		Principal: set.principal, Setting: set.words, ResourceAccount: set.resourceAccount,
		Action: e.action, Resource: e.resource,
	}
	for key, v := range e.context {
		w.Context = append(w.Context, Fact{key, v.Values, v.Multi})
	}
	for _, values := range []map[string]string{s.fixed, s.nobody} {
		for key, value := range values {
			if _, known := e.context[key]; !known {
				w.Context = append(w.Context, Fact{key, []string{value}, false})
			}
		}
	}
	slices.SortFunc(w.Context, func(a, b Fact) int { return strings.Compare(a.Key, b.Key) })
	w.Old = authz.Reference(set.policies(c.texts[0]), w.Request())
	w.New = authz.Reference(set.policies(c.texts[1]), w.Request())
	return w
}

// gains reports whether the evaluator confirms what the document of a side was
// found to gain.
func (w *Witness) gains(side int, what gain) bool {
	own, other := w.Old, w.New
	if side == 1 {
		own, other = w.New, w.Old
	}
	if what == noDeny {
		return other.Explicit && !own.Explicit
	}
	return own.Allowed() && !other.Allowed()
}
