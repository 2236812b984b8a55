package policies

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/doorward/doorward/cmd/doorward/bench"
	"github.com/doorward/doorward/cmd/doorward/bench/workload"
	minio "github.com/minio/pkg/v3/policy"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
)

// Engine is a policy engine that was given the statements. Prepare turns a question
// into what the engine takes, which a server would have at hand and is not timed;
// the function that it returns is one decision.
type Engine struct {
	Name    string
	Prepare func(workload.Question) func() bool
}

// Engines are Doorward and its peers, Doorward first.
var Engines = []struct {
	Name string
	New  func([]workload.Statement) (Engine, error)
	// Most is the largest number of statements that the engine is asked with:
	// beyond it, giving it the statements takes minutes.
	Most int
}{
	{"Doorward", NewDoorward, 100_000},
	{"MinIO", NewMinIO, 10_000},
	{"cedar-go", NewCedar, 10_000},
	{"OPA", NewOPA, 10_000},
	{"Casbin", NewCasbin, 1_000},
}

// NewDoorward compiles the statements as the policies that are attached to a user.
func NewDoorward(statements []workload.Statement) (Engine, error) {
	evaluation, err := bench.Evaluate(statements)
	return Engine{"Doorward", evaluation}, err
}

// NewMinIO gives the statements to MinIO's policy package as it is used by the
// server: a parsed policy and Args.
func NewMinIO(statements []workload.Statement) (Engine, error) {
	p, err := minio.ParseConfig(bytes.NewReader([]byte(workload.Document(statements))))
	if err != nil {
		return Engine{}, fmt.Errorf("minio: %w", err)
	}
	return Engine{"minio/pkg", func(q workload.Question) func() bool {
		args := minio.Args{
			AccountName: "alice", Action: minio.Action(q.Action), BucketName: q.Bucket, ObjectName: q.Key,
			ConditionValues: map[string][]string{"SourceIp": {q.SourceIP}, "prefix": {q.Prefix}},
		}
		return func() bool { return p.IsAllowed(args) }
	}}, nil
}

// NewCedar gives each statement to cedar-go as one policy over the attributes of
// the resource and the context.
func NewCedar(statements []workload.Statement) (Engine, error) {
	var text strings.Builder
	for _, s := range statements {
		text.WriteString(cedarPolicy(s))
	}
	set, err := cedar.NewPolicySetFromBytes("mix.cedar", []byte(text.String()))
	if err != nil {
		return Engine{}, fmt.Errorf("cedar: %w", err)
	}
	return Engine{"cedar-go", func(q workload.Question) func() bool {
		uid := types.NewEntityUID("Object", types.String(q.Resource()))
		entities := types.EntityMap{uid: types.Entity{UID: uid, Attributes: types.NewRecord(types.RecordMap{
			"bucket": types.String(q.Bucket), "key": types.String(q.Key), "whole": types.Boolean(q.Key == ""),
		})}}
		request := cedar.Request{
			Principal: types.NewEntityUID("User", "alice"), Action: types.NewEntityUID("Action", types.String(q.Action)), Resource: uid,
			Context: types.NewRecord(types.RecordMap{
				"source": types.IPAddr(netip.PrefixFrom(netip.MustParseAddr(q.SourceIP), 32)), "prefix": types.String(q.Prefix),
			}),
		}
		return func() bool {
			decision, _ := cedar.Authorize(set, entities, request)
			return decision == cedar.Allow
		}
	}}, nil
}

func cedarPolicy(s workload.Statement) string {
	effect := "permit"
	if s.Deny {
		effect = "forbid"
	}
	actions := make([]string, len(s.Actions))
	for i, a := range s.Actions {
		actions[i] = fmt.Sprintf("Action::%q", a)
	}
	conditions := []string{fmt.Sprintf("resource.whole == %v", s.Whole), `resource.bucket == "` + s.Bucket + `"`}
	if strings.HasPrefix(s.Bucket, "*") {
		conditions[1] = `resource.bucket like "` + s.Bucket + `"`
	}
	if !s.Whole {
		conditions = append(conditions, `resource.key like "`+s.Prefix+`*"`)
	}
	if s.Source != "" {
		conditions = append(conditions, `context.source.isInRange(ip("`+s.Source+`"))`)
	}
	if s.Listing != "" {
		conditions = append(conditions, `context.prefix like "`+s.Listing+`*"`)
	}
	return fmt.Sprintf("%s (principal, action in [%s], resource) when { %s };\n", effect, strings.Join(actions, ", "), strings.Join(conditions, " && "))
}

// NewOPA gives each statement to OPA as one rule whose equalities its rule index
// can use, in a prepared query.
func NewOPA(statements []workload.Statement) (Engine, error) {
	var text strings.Builder
	text.WriteString("package mix\n\ndefault allowed := false\n\nallowed if { permit; not forbid }\n\n")
	for _, s := range statements {
		text.WriteString(regoRules(s))
	}
	text.WriteString("default permit := false\n\ndefault forbid := false\n")
	prepared, err := rego.New(rego.Query("data.mix.allowed"), rego.Module("mix.rego", text.String())).PrepareForEval(context.Background())
	if err != nil {
		return Engine{}, fmt.Errorf("opa: %w", err)
	}
	return Engine{"OPA", func(q workload.Question) func() bool {
		input, err := ast.InterfaceToValue(map[string]any{
			"action": q.Action, "bucket": q.Bucket, "key": q.Key, "whole": q.Key == "", "source": q.SourceIP, "prefix": q.Prefix})
		if err != nil {
			panic(err)
		}
		return func() bool {
			results, err := prepared.Eval(context.Background(), rego.EvalParsedInput(input))
			return err == nil && results.Allowed()
		}
	}}, nil
}

func regoRules(s workload.Statement) string {
	head := "permit"
	if s.Deny {
		head = "forbid"
	}
	var b strings.Builder
	for _, action := range s.Actions {
		fmt.Fprintf(&b, "%s if {\n\tinput.action == %q\n\tinput.whole == %v\n", head, action, s.Whole)
		if tail, wild := strings.CutPrefix(s.Bucket, "*"); wild {
			fmt.Fprintf(&b, "\tendswith(input.bucket, %q)\n", tail)
		} else {
			fmt.Fprintf(&b, "\tinput.bucket == %q\n", s.Bucket)
		}
		if !s.Whole {
			fmt.Fprintf(&b, "\tstartswith(input.key, %q)\n", s.Prefix)
		}
		if s.Source != "" {
			fmt.Fprintf(&b, "\tnet.cidr_contains(%q, input.source)\n", s.Source)
		}
		if s.Listing != "" {
			fmt.Fprintf(&b, "\tstartswith(input.prefix, %q)\n", s.Listing)
		}
		b.WriteString("}\n\n")
	}
	return b.String()
}
