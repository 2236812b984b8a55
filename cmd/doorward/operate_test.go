package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestOperatePageIsRun runs every command of docs/operate.md, in its order, at other
// ports.
func TestOperatePageIsRun(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```sh\n")[1:]
	if len(blocks) < 8 {
		t.Fatalf("docs/operate.md has %d blocks of commands", len(blocks))
	}
	script := "set -eu\n"
	for _, block := range blocks {
		commands, _, ended := strings.Cut(block, "```")
		if !ended {
			t.Fatal("a block does not end")
		}
		script += commands
	}
	script = strings.ReplaceAll(script, "127.0.0.1:84", "127.0.0.1:"+freeHundred(t))
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "page.sh"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	run := exec.Command("bash", "-x", "page.sh")
	run.Dir, run.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	t.Cleanup(func() { // whatever the page left running
		if run.Process != nil {
			syscall.Kill(-run.Process.Pid, syscall.SIGKILL)
		}
	})
	if out, err := run.CombinedOutput(); err != nil {
		logs, _ := exec.Command("bash", "-c", "tail -n 5 "+dir+"/n*.log").CombinedOutput()
		t.Fatalf("%v\n%s\n%s", err, out, logs)
	}
}

// freeHundred returns the first digits of ports that nobody listens on: with 10 to
// 49 behind them they are those of the page.
func freeHundred(t *testing.T) string {
	t.Helper()
next:
	for range 100 {
		digits := fmt.Sprint(150 + rand.IntN(150))
		for node := 1; node <= 4; node++ {
			for port := range 3 {
				l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%s%d%d", digits, node, port))
				if err != nil {
					continue next
				}
				l.Close()
			}
		}
		return digits
	}
	t.Fatal("no free ports")
	return ""
}
