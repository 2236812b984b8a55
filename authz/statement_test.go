package authz

import (
	"strings"
	"testing"

	"github.com/doorward/doorward/authz/policy"
)

func TestActionsAreFoundByNameInAnyCase(t *testing.T) {
	for i, a := range policy.S3Actions {
		for _, name := range []string{a.Name, strings.ToLower(a.Name), strings.ToUpper(a.Name)} {
			var q query
			if q.nameAction(name); q.action != i {
				t.Errorf("%s is action %d, want %d", name, q.action, i)
			}
		}
		for _, name := range []string{a.Name[1:], a.Name + "s", a.Name[:len(a.Name)-1] + "\x00", "iam" + a.Name[2:]} {
			if actionByName(name) >= 0 {
				t.Errorf("%q was found", name)
			}
		}
	}
	if len(policy.S3Actions) > maxActions {
		t.Errorf("%d actions need more bits", len(policy.S3Actions))
	}
}
