// Package process runs a program that a benchmark measures or a test uses, and ends it
// politely or as a crash would. Start with [Start].
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process is a program whose output goes to a file.
type Process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when the program has ended
	err  error         // its end, valid after done
}

// The time that a program may take to answer, and to end.
const (
	startTime = 30 * time.Second
	stopTime  = 10 * time.Second
)

// Start runs a program until it is stopped or ctx is done, with env added to the
// environment. What it prints is appended to the file log.
func Start(ctx context.Context, log string, env []string, program string, args ...string) (*Process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p := &Process{cmd: exec.CommandContext(ctx, program, args...), log: log, done: make(chan struct{})}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = append(os.Environ(), env...), out, out
	// An interrupt of the terminal is for who started it, who stops it in good order.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = stopTime
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	// Ends with the program, which Stop, Kill or the context end.
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Until asks again and again until ask succeeds, the program ends or it takes too long.
func (p *Process) Until(ctx context.Context, ask func() error) error {
	deadline := time.NewTimer(startTime)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended: %w\n%s", filepath.Base(p.cmd.Path), p.err, p.tail())
		case <-deadline.C:
			return fmt.Errorf("%s did not answer: %w\n%s", filepath.Base(p.cmd.Path), err, p.tail())
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Stop ends the program as an operator does. Stopping none is harmless.
func (p *Process) Stop() error {
	if p == nil {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(stopTime):
		return errors.Join(fmt.Errorf("%s did not stop on SIGTERM", filepath.Base(p.cmd.Path)), p.Kill())
	}
}

// Kill ends the program as a crash does, and returns when it has ended.
func (p *Process) Kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.done
	return nil
}

// tail returns the last lines that the program printed.
func (p *Process) tail() string {
	raw, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(string(bytes.TrimSpace(raw)), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// FreeAddress finds a loopback address that nobody listens on.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// ID is the process id.
func (p *Process) ID() int { return p.cmd.Process.Pid }

// Usage is what a process takes of the machine.
type Usage struct {
	Resident  uint64        // bytes of memory
	Processor time.Duration // since it started
}

// Usage asks the kernel, which has to be Linux; the error says that it is not, or that
// the process has ended.
func (p *Process) Usage() (u Usage, err error) {
	dir := fmt.Sprintf("/proc/%d/", p.cmd.Process.Pid)
	statm, err := os.ReadFile(dir + "statm")
	if err != nil {
		return u, err
	}
	var pages uint64
	if _, err := fmt.Sscanf(string(statm), "%d %d", new(uint64), &pages); err != nil {
		return u, fmt.Errorf("%sstatm: %w", dir, err)
	}
	sched, err := os.ReadFile(dir + "stat")
	if err != nil {
		return u, err
	}
	// The name, in parentheses, may hold anything; utime and stime are the 12th and 13th
	// fields after it, in hundredths of a second (proc_pid_stat(5)).
	fields := strings.Fields(string(sched[bytes.LastIndexByte(sched, ')')+1:]))
	if len(fields) < 13 {
		return u, fmt.Errorf("%sstat has %d fields", dir, len(fields))
	}
	var ticks [2]int64
	for i := range ticks {
		if ticks[i], err = strconv.ParseInt(fields[11+i], 10, 64); err != nil {
			return u, err
		}
	}
	return Usage{pages * uint64(os.Getpagesize()), time.Duration(ticks[0]+ticks[1]) * 10 * time.Millisecond}, nil
}
