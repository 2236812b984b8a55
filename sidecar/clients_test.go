package sidecar

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestClientsInOtherLanguages runs the clients of folder clients against a sidecar,
// those whose tools are installed.
func TestClientsInOtherLanguages(t *testing.T) {
	s := serve(t)
	q := s.question(cred("AKIAALICE"), "GET", "/bucket/x")
	headers := make([][2]string, len(q.Headers))
	arguments := []string{s.socket, q.Target}
	for i, h := range q.Headers {
		headers[i] = [2]string{h.Name, h.Value}
		arguments = append(arguments, h.Name, h.Value)
	}
	question, err := json.Marshal(map[string]any{"target": q.Target, "headers": headers})
	if err != nil {
		t.Fatal(err)
	}

	t.Run("python", func(t *testing.T) {
		python, err := exec.LookPath("python3")
		if err != nil {
			missing(t, "python3")
		}
		c := exec.Command(python, "-m", "unittest", "-v")
		c.Dir = "../clients/python"
		c.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "DOORWARD_SOCKET="+s.socket, "DOORWARD_QUESTION="+string(question))
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("c", func(t *testing.T) {
		cc, err := exec.LookPath("cc")
		if err != nil {
			missing(t, "cc")
		}
		program := filepath.Join(t.TempDir(), "test")
		build := exec.Command(cc, "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-o", program, "test.c")
		build.Dir = "../clients/c"
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		c := exec.Command(program, arguments...)
		c.Dir = "../clients/c"
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// missing skips a test without a program that it needs, or fails where they are required.
func missing(t *testing.T, program string) {
	t.Helper()
	if os.Getenv("DOORWARD_REQUIRE_CLIENTS") != "" {
		t.Fatalf("there is no %s", program)
	}
	t.Skipf("NOT TESTED: there is no %s", program)
}
