package authz

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/iam"
)

// vector is one row of a policy-eval file: a request, the policies in force and
// the decision that the AWS documentation or a public simulator gives.
type vector struct {
	ID        string
	Rule      string
	Tags      []string
	Principal struct {
		Type, ARN, Account, RoleARN string
	}
	Action, Resource, ResourceAccount string
	Context                           map[string]json.RawMessage
	IdentityPolicies                  []json.RawMessage
	SessionPolicy                     json.RawMessage
	PermissionsBoundary               json.RawMessage
	ResourcePolicy                    json.RawMessage
	ServiceControlPolicies            [][]json.RawMessage
	Expected                          string
}

func (v *vector) request(t *testing.T) *Request {
	r := &Request{Action: v.Action, Resource: v.Resource, ResourceAccount: iam.AccountID(v.ResourceAccount), Context: &Context{}}
	r.Principal = Principal{
		Type:    map[string]PrincipalType{"User": User, "AssumedRole": AssumedRole, "FederatedUser": FederatedUser, "Anonymous": Anonymous, "Root": Root}[v.Principal.Type],
		Account: iam.AccountID(v.Principal.Account),
		ARN:     iam.ARN(v.Principal.ARN),
		RoleARN: iam.ARN(v.Principal.RoleARN),
	}
	for key, raw := range v.Context {
		var one string
		var many []string
		if json.Unmarshal(raw, &one) == nil {
			r.Context.SetNamed(key, one)
		} else if err := json.Unmarshal(raw, &many); err == nil {
			r.Context.SetNamedList(key, many)
		} else {
			t.Fatalf("%s: context %s: %v", v.ID, key, err)
		}
	}
	return r
}

func (v *vector) policies() Policies {
	var p Policies
	p.Identity = vectorSet("identity", v.IdentityPolicies)
	if v.SessionPolicy != nil {
		set := vectorSet("session", []json.RawMessage{v.SessionPolicy})
		p.Session = &set
	}
	if v.PermissionsBoundary != nil {
		p.Boundary = &vectorSet("boundary", []json.RawMessage{v.PermissionsBoundary})[0]
	}
	if v.ResourcePolicy != nil {
		p.Resource = &vectorSet("resource", []json.RawMessage{v.ResourcePolicy})[0]
	}
	for level, docs := range v.ServiceControlPolicies {
		p.ServiceControl = append(p.ServiceControl, vectorSet(fmt.Sprintf("scp-%d", level), docs))
	}
	return p
}

func vectorSet(name string, docs []json.RawMessage) PolicySet {
	set := PolicySet{}
	for i, doc := range docs {
		set = append(set, Policy{Name: fmt.Sprintf("%s-%d", name, i), Document: string(doc)})
	}
	return set
}

// right reports whether d is the expected decision. For a row whose only obstacle
// may be a guard rail that allows nothing, either kind of denial is right.
func (v *vector) right(d Decision) bool {
	switch {
	case v.Expected == "Allowed":
		return d.Effect == Allow
	case d.Effect != Deny:
		return false
	case slices.Contains(v.Tags, "scp") && !d.Explicit && d.Layer == ServiceControlLayer:
		return true
	}
	return d.Explicit == (v.Expected == "ExplicitlyDenied")
}

// readVectors reads the rows in testdata and in the directory DOORWARD_VECTORS.
func readVectors(t *testing.T) []vector {
	var rows []vector
	for _, dir := range []string{"testdata", os.Getenv("DOORWARD_VECTORS")} {
		if dir == "" {
			continue
		}
		plain, _ := filepath.Glob(filepath.Join(dir, "policy-eval*.jsonl"))
		packed, _ := filepath.Glob(filepath.Join(dir, "policy-eval*.jsonl.gz"))
		for _, name := range append(plain, packed...) {
			rows = append(rows, readVectorFile(t, name)...)
		}
	}
	return rows
}

func readVectorFile(t *testing.T, name string) (rows []vector) {
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var v vector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		rows = append(rows, v)
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return rows
}

func TestVectors(t *testing.T) {
	rows := readVectors(t)
	wrong := 0
	for i := range rows {
		v := &rows[i]
		d := Reference(v.policies(), v.request(t))
		if !v.right(d) {
			wrong++
			t.Errorf("%s (%s) %v: want %s, reference gives %+v", v.ID, v.Rule, v.Tags, v.Expected, d)
		} else if _, err := newEngines(v.policies()).decide(v.request(t)); err != nil {
			wrong++
			t.Errorf("%s (%s) %v: %v", v.ID, v.Rule, v.Tags, err)
		}
	}
	fmt.Printf("policy-eval: %d rows, %d wrong\n", len(rows), wrong)
	if len(rows) < 2343 {
		t.Errorf("only %d rows were read", len(rows))
	}
}

// TestVectorDocumentsAreAccepted holds the strict parser against every document
// of the rows, all of which AWS accepts.
func TestVectorDocumentsAreAccepted(t *testing.T) {
	parse := func(id string, kind policy.Kind, docs ...Policy) {
		for _, p := range docs {
			if _, err := policy.Parse(escaped(p.Document), kind); err != nil {
				t.Errorf("%s: %v policy refused: %v\n%s", id, kind, err, p.Document)
			}
		}
	}
	for _, v := range readVectors(t) {
		p := v.policies()
		parse(v.ID, policy.Identity, p.Identity...)
		if p.Session != nil {
			parse(v.ID, policy.Session, *p.Session...)
		}
		if p.Boundary != nil {
			parse(v.ID, policy.Boundary, *p.Boundary)
		}
		if p.Resource != nil {
			parse(v.ID, policy.Resource, *p.Resource)
		}
		for _, set := range p.ServiceControl {
			parse(v.ID, policy.ServiceControl, set...)
		}
	}
}

// escaped writes characters above U+00FF as the IAM API wants them.
func escaped(document string) []byte {
	var b strings.Builder
	for _, r := range document {
		if r > 0xff {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return []byte(b.String())
}
