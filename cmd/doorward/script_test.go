package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"doorward": main})
}

// TestScripts drives the real binary through testdata/*.txt, a file for each
// topic.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			running := &stage{}
			env.Values[stageKey{}] = running
			env.Defer(func() { running.end(os.Kill) })
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": status,
			"dev":    startDev,
			"devend": endDev,
			"setenv": setenv,
			"zip":    zipFolder,

			"freeports": freePorts,
			"httpget":   httpGet,
		},
	})
}

// TestEveryDocumentedCommandIsRun asks that each command of the reference occurs
// in a script.
func TestEveryDocumentedCommandIsRun(t *testing.T) {
	reference, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	var scripts strings.Builder
	for _, name := range names {
		script, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		scripts.Write(script)
	}
	commands := 0
	for line := range strings.Lines(string(reference)) {
		command, isCommand := strings.CutPrefix(strings.TrimSpace(line), "## doorward ")
		if !isCommand {
			continue
		}
		commands++
		// dev runs through the script command of that name.
		if command != "dev" && !strings.Contains(scripts.String(), "doorward "+command) {
			t.Errorf("doorward %s is run by no script", command)
		}
	}
	if commands == 0 {
		t.Error("docs/cli.md documents no command")
	}
}

// status CODE PROGRAM ARG... runs a program and asks for its exit code. stdout and
// stderr then see its output.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status CODE PROGRAM ARG...")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		ended, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = ended.ExitCode()
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

// stage is what a script has running.
type stage struct {
	dev *exec.Cmd // nil: nothing
	log bytes.Buffer
}

type stageKey struct{}

// dev ARG... starts a dev node on a free port and waits until it serves.
// DOORWARD_ENDPOINT and SOCKET name it; the first start on a data directory puts
// the root key pair into the environment, a later one leaves that as it is.
func startDev(ts *testscript.TestScript, neg bool, args []string) {
	stage := ts.Value(stageKey{}).(*stage)
	if neg || stage.dev != nil {
		ts.Fatalf("usage: dev ARG..., once at a time")
	}
	path, err := exec.LookPath("doorward")
	ts.Check(err)
	stage.log.Reset()
	stage.dev = exec.Command(path, append([]string{"dev", "--listen", "127.0.0.1:0", "--output", "json"}, args...)...)
	stage.dev.Dir, stage.dev.Env = ts.MkAbs("."), []string{"HOME=" + ts.Getenv("HOME")}
	stage.dev.Stderr = &stage.log
	out, err := stage.dev.StdoutPipe()
	ts.Check(err)
	ts.Check(stage.dev.Start())
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		err := stage.end(os.Kill)
		ts.Fatalf("dev ended before it served: %v\n%s", err, &stage.log)
	}
	var ready struct{ Endpoint, Socket, AccessKeyID, SecretAccessKey string }
	ts.Check(json.Unmarshal(line, &ready))
	ts.Setenv("DOORWARD_ENDPOINT", ready.Endpoint)
	ts.Setenv("SOCKET", ready.Socket)
	if ready.SecretAccessKey != "" {
		ts.Setenv("AWS_ACCESS_KEY_ID", ready.AccessKeyID)
		ts.Setenv("AWS_SECRET_ACCESS_KEY", ready.SecretAccessKey)
	}
	fmt.Fprintf(ts.Stdout(), "%s", line)
}

// devend ends the script's dev node with SIGTERM and asks for exit status 0;
// devend kill ends it as a crash would. stderr then sees what the node said.
func endDev(ts *testscript.TestScript, neg bool, args []string) {
	stage := ts.Value(stageKey{}).(*stage)
	if neg || stage.dev == nil {
		ts.Fatalf("usage: devend [kill], after dev")
	}
	if len(args) > 0 && args[0] == "kill" {
		stage.end(os.Kill)
	} else if err := stage.end(syscall.SIGTERM); err != nil {
		ts.Fatalf("dev ended with %v\n%s", err, &stage.log)
	}
	fmt.Fprintf(ts.Stderr(), "%s", &stage.log)
}

// end signals the node, if there is one, and waits for its end.
func (s *stage) end(signal os.Signal) error {
	if s.dev == nil {
		return nil
	}
	s.dev.Process.Signal(signal)
	err := s.dev.Wait()
	s.dev = nil
	return err
}

// setenv NAME FIELD sets a variable to a field of the JSON object on stdout.
func setenv(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: setenv NAME FIELD")
	}
	var object map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &object))
	value, found := object[args[1]]
	if !found {
		ts.Fatalf("no field %s on stdout", args[1])
	}
	ts.Setenv(args[0], fmt.Sprint(value))
}

// freeports NAME... sets variables to loopback addresses that nobody listens on.
func freePorts(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		defer l.Close()
		ts.Setenv(name, l.Addr().String())
	}
}

// httpget URL [NAME:VALUE] asks without a signature, with a header field; a value
// that begins with @ names a file. stdout then sees the answer.
func httpGet(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: httpget URL [NAME:VALUE]")
	}
	question, err := http.NewRequest(http.MethodGet, args[0], nil)
	ts.Check(err)
	if len(args) == 2 {
		name, value, _ := strings.Cut(args[1], ":")
		if file, isFile := strings.CutPrefix(value, "@"); isFile {
			value = strings.TrimSpace(ts.ReadFile(file))
		}
		question.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(question)
	ts.Check(err)
	defer answer.Body.Close()
	_, err = io.Copy(ts.Stdout(), answer.Body)
	ts.Check(err)
}
