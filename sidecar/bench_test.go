package sidecar

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/doorward/doorward/sidecar/client"
	"github.com/doorward/doorward/sidecar/protocol"
)

// BenchmarkAuthorize is a whole decision in process: parse, look up, verify, name,
// evaluate.
func BenchmarkAuthorize(b *testing.B) {
	s := serve(b)
	q := s.signed(cred("AKIAALICE"), "GET", "/bucket/x")
	var d Decision
	b.ReportAllocs()
	for b.Loop() {
		s.auth.Authorize(context.Background(), q, &d)
	}
	if !d.Allowed() {
		b.Fatalf("%+v", d)
	}
}

// BenchmarkSocket compares a check over the socket, one by one, with a bare echo of
// as many bytes on a socket of the same kind, in one run: ns/echo is the echo's.
func BenchmarkSocket(b *testing.B) {
	s := serve(b)
	q := s.question(cred("AKIAALICE"), "GET", "/bucket/x")
	frame, err := q.Append(make([]byte, protocol.HeaderSize))
	if err != nil {
		b.Fatal(err)
	}
	echo := newEcho(b, len(frame))
	c := s.connect(b, client.Config{Connections: 1, Brief: true})
	var inEcho, inCheck time.Duration
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		echo.round(b)
		middle := time.Now()
		a, err := c.Check(context.Background(), &q)
		if err != nil || a.Decision != protocol.Allow {
			b.Fatalf("%+v, %v", a, err)
		}
		inEcho += middle.Sub(began)
		inCheck += time.Since(middle)
	}
	b.ReportMetric(float64(inEcho.Nanoseconds())/float64(b.N), "ns/echo")
	b.ReportMetric(float64(inCheck.Nanoseconds())/float64(b.N), "ns/check")
	b.ReportMetric(float64(inCheck)/float64(inEcho), "ratio")
}

// BenchmarkSocketBatches asks 256 questions in a frame, on as many connections as
// there are processors.
func BenchmarkSocketBatches(b *testing.B) {
	s := serve(b)
	const batch = 256
	questions := make([]protocol.Check, batch)
	for i := range questions {
		questions[i] = s.question(cred("AKIAALICE"), "GET", "/bucket/x")
	}
	c := s.connect(b, client.Config{Connections: 4, Brief: true})
	b.ReportAllocs()
	began, spent := time.Now(), processorTime(b)
	b.RunParallel(func(p *testing.PB) {
		answers := make([]protocol.Answer, batch)
		for p.Next() {
			if err := c.CheckAll(context.Background(), questions, answers); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)*batch/time.Since(began).Seconds(), "decisions/s")
	b.ReportMetric(float64(processorTime(b)-spent)/float64(b.N)/batch, "cpu-ns/decision")
}

// processorTime is what this process has used so far, client and sidecar together:
// on a machine that others use too it says more than the clock.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// echo is the least that a question over a unix socket can cost.
type echo struct {
	conn net.Conn
	out  []byte
	in   []byte
}

func newEcho(b *testing.B, size int) *echo {
	path := filepath.Join(b.TempDir(), "echo.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		buffer := make([]byte, size)
		for {
			if _, err := io.ReadFull(conn, buffer); err != nil {
				return
			}
			if _, err := conn.Write(buffer); err != nil {
				return
			}
		}
	}()
	conn, err := net.Dial("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return &echo{conn, make([]byte, size), make([]byte, size)}
}

func (e *echo) round(b *testing.B) {
	if _, err := e.conn.Write(e.out); err != nil {
		b.Fatal(err)
	}
	if _, err := io.ReadFull(e.conn, e.in); err != nil {
		b.Fatal(err)
	}
}
