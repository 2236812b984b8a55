package api

import (
	"errors"
	"fmt"
	"testing"

	"github.com/doorward/doorward/iam"
)

// TestABusyStoreSaysWhenToAskAgain holds, in every form, that a client learns when to
// repeat what had no effect, and is not told so about what may have had one.
func TestABusyStoreSaysWhenToAskAgain(t *testing.T) {
	calls := map[string]func(*world, credentials) answer{
		"IAM": func(w *world, _ credentials) answer { return w.call(w.root, "CreateUser", "UserName", "alice") },
		"STS": func(w *world, bob credentials) answer {
			return w.call(bob, "AssumeRole", "RoleArn", "arn:aws:iam::000000000000:role/x", "RoleSessionName", "session")
		},
		"/v1": func(w *world, _ credentials) answer { return w.json(w.root, "POST", "/v1/users", `{"name":"alice"}`) },
	}
	for form, call := range calls {
		for name, row := range map[string]struct {
			busy  error
			after string
		}{
			"too much in flight":       {fmt.Errorf("too many commands in flight; %w", iam.ErrUnchanged), "1"},
			"the outcome is not known": {errors.New("the outcome is not known"), ""},
		} {
			t.Run(form+", "+name, func(t *testing.T) {
				w := newWorld(t)
				bob := w.user("bob", administrator)
				w.store.busy = row.busy
				a := call(w, bob)
				w.want(a, 503, "ServiceUnavailable")
				if got := a.header.Get("Retry-After"); got != row.after {
					t.Errorf("Retry-After is %q, want %q", got, row.after)
				}
			})
		}
	}
}
