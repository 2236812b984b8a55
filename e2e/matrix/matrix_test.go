package matrix

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// store is a running store with two users: the root, and one who may do nothing.
type store struct {
	Endpoint    string               `json:"endpoint"`
	Credentials map[string][3]string `json:"credentials"`
	Saved       map[string]string    `json:"saved"`
}

func start(t *testing.T) *store {
	t.Helper()
	dev := exec.Command("../../bin/doorward", "dev", "--listen", "127.0.0.1:0", "--output", "json", "--data", t.TempDir())
	out, err := dev.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := dev.Start(); err != nil {
		t.Fatalf("%v (make test-e2e builds the binaries)", err)
	}
	t.Cleanup(func() { dev.Process.Kill(); dev.Wait() })
	var ready struct{ Endpoint, AccessKeyID, SecretAccessKey string }
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &ready)
	}
	if err != nil {
		t.Fatalf("dev: %v", err)
	}
	s := &store{Endpoint: ready.Endpoint, Credentials: map[string][3]string{root: {ready.AccessKeyID, ready.SecretAccessKey}}, Saved: map[string]string{}}
	set := exec.Command("../../bin/doorward", "--endpoint", s.Endpoint, "settings", "set", "groups_per_user=2", "attached_policies=2")
	set.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+ready.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+ready.SecretAccessKey, "AWS_SESSION_TOKEN=")
	if out, err := set.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, step := range []step{
		{Action: "CreateUser", Params: p{"UserName": nobody}},
		{Action: "CreateAccessKey", Params: p{"UserName": nobody}, Becomes: nobody},
	} {
		step.As, step.Service = root, "iam"
		if r := s.goSDK(t.Context(), step); r.Code != step.Want {
			t.Fatalf("%s: %s", step.Action, r.Code)
		}
	}
	s.trust(t)
	return s
}

const (
	root   = "root"
	nobody = "nobody"
)

// p are the parameters of a call.
type p map[string]any

// step is one call and what comes of it.
type step struct {
	Service string `json:"service"`
	As      string `json:"as"`
	Action  string `json:"action"`
	// Params are the parameters; $NAME in them is a value that an earlier step has saved.
	Params p `json:"params"`
	// Save is NAME=PATH: keeps a value of the answer.
	Save string `json:"save,omitempty"`
	// Becomes is who signs with the credentials in the answer from here on.
	Becomes string `json:"becomes,omitempty"`
	// Walk asks for a whole list in pages of one.
	Walk bool `json:"walk,omitempty"`

	Want  string `json:"-"` // error code; empty: success
	Items int    `json:"-"` // in the list that is walked, and so its pages
	Class string `json:"-"`
}

// result is what a client made of a step. Pages and Items are those of a walk.
type result struct {
	Code         string
	Pages, Items int
}

func (s *store) filled(params p) []byte {
	text, _ := json.Marshal(params)
	for name, value := range s.Saved {
		text = bytes.ReplaceAll(text, []byte("$"+name), []byte(value))
	}
	return text
}

// goSDK makes a call with aws-sdk-go-v2: the method of the action's name, whose input
// has fields of the parameters' names.
func (s *store) goSDK(ctx context.Context, st step) result {
	who := s.Credentials[st.As]
	config := aws.Config{
		Region: "us-east-1", BaseEndpoint: &s.Endpoint, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(who[0], who[1], who[2]),
	}
	client := reflect.ValueOf(iam.NewFromConfig(config))
	if st.Service == "sts" {
		client = reflect.ValueOf(sts.NewFromConfig(config))
	}
	method := client.MethodByName(st.Action)
	if !method.IsValid() {
		return result{Code: "the SDK has no such call"}
	}
	input := reflect.New(method.Type().In(1).Elem())
	if err := json.Unmarshal(s.filled(st.Params), input.Interface()); err != nil {
		return result{Code: err.Error()}
	}
	if st.Walk {
		input.Elem().FieldByName("MaxItems").Set(reflect.ValueOf(aws.Int32(1)))
	}
	var all result
	for {
		out := method.Call([]reflect.Value{reflect.ValueOf(ctx), input})
		if err, _ := out[1].Interface().(error); err != nil {
			if refused, ok := errors.AsType[smithy.APIError](err); ok {
				return result{Code: refused.ErrorCode()}
			}
			return result{Code: err.Error()}
		}
		answer := fieldsOf(out[0].Interface())
		s.keep(st, answer)
		if !st.Walk {
			return result{}
		}
		all.Pages++
		all.Items += listed(answer)
		if more, _ := answer["IsTruncated"].(bool); !more {
			return all
		}
		input.Elem().FieldByName("Marker").Set(out[0].Elem().FieldByName("Marker"))
	}
}

func fieldsOf(answer any) (fields map[string]any) {
	text, _ := json.Marshal(answer)
	json.Unmarshal(text, &fields)
	return fields
}

// listed counts what an answer lists.
func listed(answer map[string]any) (items int) {
	for _, value := range answer {
		list, _ := value.([]any)
		items += len(list)
	}
	return items
}

// keep does what a step wants done with its answer.
func (s *store) keep(st step, answer map[string]any) {
	if name, path, ok := strings.Cut(st.Save, "="); ok {
		var value any = answer
		for part := range strings.SplitSeq(path, ".") {
			fields, _ := value.(map[string]any)
			value = fields[part]
		}
		s.Saved[name], _ = value.(string)
	}
	for _, made := range []string{"AccessKey", "Credentials"} {
		if given, ok := answer[made].(map[string]any); ok && st.Becomes != "" {
			var who [3]string
			for i, name := range []string{"AccessKeyId", "SecretAccessKey", "SessionToken"} {
				who[i], _ = given[name].(string)
			}
			s.Credentials[st.Becomes] = who
		}
	}
}

func judge(t *testing.T, client string, st step, got result) {
	t.Helper()
	if got.Code != st.Want || got.Items != st.Items || got.Pages != st.Items {
		t.Errorf("%s: %s %v as %s (%s): %q, %d items in %d pages, want %q, %d items in as many pages",
			client, st.Action, st.Params, st.As, st.Class, got.Code, got.Items, got.Pages, st.Want, st.Items)
	}
}

func TestGo(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, st := range s.complete() {
		judge(t, "aws-sdk-go-v2", st, s.goSDK(t.Context(), st))
	}
}

//go:embed matrix.py
var python string

func TestBoto3(t *testing.T)  { t.Parallel(); inPython(t, "boto3") }
func TestAWSCLI(t *testing.T) { t.Parallel(); inPython(t, "awscli") }

// inPython plays the steps with a client that is written in Python, in one process: the
// AWS command line takes a second to start, and 50 ms for a command.
func inPython(t *testing.T, client string) {
	if out, err := exec.Command("/usr/bin/python3", "-c", "import "+client).CombinedOutput(); err != nil {
		if os.Getenv("DOORWARD_REQUIRE_CLIENTS") != "" {
			t.Fatalf("there is no %s; .ci/packages lists what is needed: %s", client, out)
		}
		t.Skipf("NOT TESTED: there is no %s; .ci/packages lists what is needed", client)
	}
	s := start(t)
	all := s.complete()
	job, err := json.Marshal(struct {
		*store
		Steps []step `json:"steps"`
	}{s, all})
	if err != nil {
		t.Fatal(err)
	}
	run := exec.Command("/usr/bin/python3", "-c", python, client, t.TempDir())
	run.Env = []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1", "AWS_PAGER="}
	run.Stdin = bytes.NewReader(job)
	var stderr bytes.Buffer
	run.Stderr = &stderr
	out, err := run.Output()
	var results []result
	if err == nil {
		err = json.Unmarshal(out, &results)
	}
	if err != nil || len(results) != len(all) {
		t.Fatalf("%d results of %d: %v\n%s", len(results), len(all), err, stderr.String())
	}
	for i, st := range all {
		judge(t, client, st, results[i])
	}
}
