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
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
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
	Credentials map[string][2]string `json:"credentials"`
	Saved       map[string]string    `json:"saved"`
}

var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "matrix")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "doorward")
	build := exec.Command("go", "build", "-o", path, "./cmd/doorward")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		return "", errors.New(string(out))
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

func start(t *testing.T) *store {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dev := exec.Command(path, "dev", "--listen", "127.0.0.1:0", "--output", "json", "--data", t.TempDir())
	out, err := dev.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := dev.Start(); err != nil {
		t.Fatal(err)
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
	s := &store{Endpoint: ready.Endpoint, Credentials: map[string][2]string{root: {ready.AccessKeyID, ready.SecretAccessKey}}, Saved: map[string]string{}}
	for _, step := range []step{
		{Action: "CreateUser", Params: p{"UserName": "nobody"}},
		{Action: "CreateAccessKey", Params: p{"UserName": "nobody"}, Save: "ID=AccessKey.AccessKeyId SECRET=AccessKey.SecretAccessKey"},
	} {
		step.As, step.Service = root, "iam"
		if r := s.goSDK(t.Context(), step); r.Code != step.Want {
			t.Fatalf("%s: %s", step.Action, r.Code)
		}
	}
	s.Credentials[nobody] = [2]string{s.Saved["ID"], s.Saved["SECRET"]}
	return s
}

const (
	root   = "root"
	nobody = "nobody"
)

// p are the parameters of a call.
type p map[string]any

// step is one call and what comes of it. $NAME in a parameter is a value that an
// earlier step has saved from its answer: Save is NAME=PATH, once or more often.
type step struct {
	Service   string `json:"service"`
	As        string `json:"as"`
	Action    string `json:"action"`
	Params    p      `json:"params"`
	Save      string `json:"save,omitempty"`
	Want      string `json:"-"` // error code; empty: success
	Truncated bool   `json:"-"`
	Class     string `json:"-"`
}

type result struct {
	Code      string
	Truncated bool
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
		Credentials: credentials.NewStaticCredentialsProvider(who[0], who[1], ""),
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
	out := method.Call([]reflect.Value{reflect.ValueOf(ctx), input})
	if err, _ := out[1].Interface().(error); err != nil {
		if refused, ok := errors.AsType[smithy.APIError](err); ok {
			return result{Code: refused.ErrorCode()}
		}
		return result{Code: err.Error()}
	}
	text, _ := json.Marshal(out[0].Interface())
	var answer map[string]any
	json.Unmarshal(text, &answer)
	truncated, _ := answer["IsTruncated"].(bool)
	s.save(st.Save, answer)
	return result{Truncated: truncated}
}

func (s *store) save(how string, answer any) {
	for one := range strings.FieldsSeq(how) {
		name, path, _ := strings.Cut(one, "=")
		value := answer
		for part := range strings.SplitSeq(path, ".") {
			fields, _ := value.(map[string]any)
			value = fields[part]
		}
		s.Saved[name], _ = value.(string)
	}
}

// complete adds to each call the same without permission, before it is made.
func complete() (all []step) {
	for _, st := range steps {
		if st.Service == "" {
			st.Service = "iam"
		}
		if st.As == "" {
			st.As = root
		}
		if st.Want == "" && !st.Truncated && !free[st.Action] {
			refused := st
			refused.As, refused.Want, refused.Save, refused.Class = nobody, "AccessDenied", "", "denied"
			all = append(all, refused)
		}
		all = append(all, st)
	}
	return all
}

func judge(t *testing.T, client string, st step, got result) {
	t.Helper()
	if got.Code != st.Want || got.Truncated != st.Truncated {
		t.Errorf("%s: %s %v as %s (%s): %q truncated %v, want %q truncated %v", client, st.Action, st.Params, st.As, st.Class, got.Code, got.Truncated, st.Want, st.Truncated)
	}
}

func TestGo(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, st := range complete() {
		judge(t, "aws-sdk-go-v2", st, s.goSDK(t.Context(), st))
	}
}

//go:embed matrix.py
var python string

func TestBoto3(t *testing.T) {
	t.Parallel()
	if exec.Command("/usr/bin/python3", "-c", "import boto3").Run() != nil {
		t.Skip("SKIPPED: there is no boto3: apt-get install python3-boto3")
	}
	s, all := start(t), complete()
	job, err := json.Marshal(struct {
		*store
		Steps []step `json:"steps"`
	}{s, all})
	if err != nil {
		t.Fatal(err)
	}
	run := exec.Command("/usr/bin/python3", "-c", python)
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
		judge(t, "boto3", st, results[i])
	}
}

var (
	wordStart = regexp.MustCompile(`([a-z])([A-Z])`)
	errorCode = regexp.MustCompile(`An error occurred \((\w+)\)`)
)

func TestAWSCLI(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/usr/bin/aws"); err != nil {
		t.Skip("SKIPPED: there is no AWS command line: apt-get install awscli")
	}
	s := start(t)
	for _, st := range complete() {
		if !forCLI[st.Action] {
			continue
		}
		who := s.Credentials[st.As]
		command := strings.ToLower(wordStart.ReplaceAllString(st.Action, "${1}-${2}"))
		run := exec.Command("/usr/bin/aws", "--endpoint-url", s.Endpoint, "--output", "json", "--no-paginate", st.Service, command, "--cli-input-json", string(s.filled(st.Params)))
		run.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+who[0], "AWS_SECRET_ACCESS_KEY="+who[1], "AWS_SESSION_TOKEN=", "AWS_DEFAULT_REGION=us-east-1",
			"AWS_CONFIG_FILE=/dev/null", "AWS_PAGER=")
		var stdout, stderr bytes.Buffer
		run.Stdout, run.Stderr = &stdout, &stderr
		var got result
		if err := run.Run(); err != nil {
			got.Code = stderr.String()
			if m := errorCode.FindStringSubmatch(got.Code); m != nil {
				got.Code = m[1]
			}
		} else {
			var answer map[string]any
			json.Unmarshal(stdout.Bytes(), &answer)
			got.Truncated, _ = answer["IsTruncated"].(bool)
			s.save(st.Save, answer)
		}
		judge(t, "awscli", st, got)
	}
}
