package policyoracle

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"testing"
)

// vector is what is used of a row of authz/testdata/policy-eval.jsonl.gz.
type vector struct {
	ID               string
	Principal        struct{ Type, Account string }
	Action, Resource string
	ResourceAccount  string
	Context          map[string]json.RawMessage
	IdentityPolicies []json.RawMessage

	SessionPolicy, PermissionsBoundary, ResourcePolicy, ServiceControlPolicies json.RawMessage

	Expected string
}

// vectors reads the rows on which identity policies alone decide.
func vectors(t *testing.T) (questions []question, expected []string) {
	f, err := os.Open("../authz/testdata/policy-eval.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	answers := map[string]string{"Allowed": allowed, "ExplicitlyDenied": denied, "ImplicitlyDenied": implicit}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var v vector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		if v.identityOnly() {
			questions = append(questions, v.question())
			expected = append(expected, answers[v.Expected])
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return questions, expected
}

func (v *vector) identityOnly() bool {
	absent := v.SessionPolicy == nil && v.PermissionsBoundary == nil && v.ResourcePolicy == nil && v.ServiceControlPolicies == nil
	return absent && v.Principal.Type == "User" && v.Principal.Account == "111122223333" && len(v.IdentityPolicies) > 0 && (v.ResourceAccount == "" || v.ResourceAccount == "111122223333")
}

func (v *vector) question() question {
	q := question{name: v.ID, action: v.Action, resource: v.Resource, context: map[string][]string{}, lists: map[string]bool{}}
	for _, d := range v.IdentityPolicies {
		q.documents = append(q.documents, string(d))
	}
	for key, raw := range v.Context {
		var one string
		var many []string
		if json.Unmarshal(raw, &one) == nil {
			q.context[key] = []string{one}
		} else if json.Unmarshal(raw, &many) == nil {
			q.context[key], q.lists[key] = many, true
		}
	}
	return q
}

// TestVectors holds both against the rows: ours has to give the expected answer,
// theirs too unless a departure explains the difference.
func TestVectors(t *testing.T) {
	questions, expected := vectors(t)
	differ := 0
	for i, q := range questions {
		if got := q.ours(); got != expected[i] {
			t.Errorf("%s: ours gives %s, want %s", q.name, got, expected[i])
		}
		if got := q.theirs(); got != expected[i] {
			differ++
			if !q.explained() {
				t.Errorf("%s: versitygw gives %s, want %s, and no departure is listed that explains it: %s", q.name, got, expected[i], q)
			}
		}
	}
	t.Logf("%d rows, %d differ", len(questions), differ)
	if len(questions) < 1000 {
		t.Errorf("only %d rows were read", len(questions))
	}
}
