package raft

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"testing"
	"time"

	hraft "github.com/hashicorp/raft"
)

// loopback is a [Network] of TCP connections on this host.
type loopback struct{ net.Listener }

func (loopback) DialPeer(ctx context.Context, id, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", address)
}

// everybody lets all requests in.
type everybody struct{}

func (everybody) admitted() bool  { return true }
func (everybody) covered() uint64 { return 0 }

// TestHeartbeatsGoToTheMainGoroutine is hashicorp/raft#695: the library handles them on
// the goroutine of their connection, beside the one that owns the term.
func TestHeartbeatsGoToTheMainGoroutine(t *testing.T) {
	for _, c := range []struct {
		name     string
		register func(*serialTransport, func(hraft.RPC))
		beside   bool
	}{
		{"through the guard", func(t *serialTransport, f func(hraft.RPC)) { t.SetHeartbeatHandler(f) }, false},
		{"without it", func(t *serialTransport, f func(hraft.RPC)) { t.NetworkTransport.SetHeartbeatHandler(f) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := func(id string) *serialTransport {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				s := newTransport(loopback{l}, id, everybody{}, newSlogger(slog.New(slog.DiscardHandler))).(*serialTransport)
				t.Cleanup(func() { s.Close() })
				return s
			}
			a, b := start("a"), start("b")
			beside := make(chan bool, 2)
			answer := func(where bool) func(hraft.RPC) {
				return func(r hraft.RPC) {
					beside <- where
					r.Respond(&hraft.AppendEntriesResponse{}, nil)
				}
			}
			c.register(b, answer(true))
			go func() { // the library's main goroutine
				select {
				case r := <-b.Consumer():
					answer(false)(r)
				case <-t.Context().Done():
				}
			}()
			heartbeat := &hraft.AppendEntriesRequest{RPCHeader: hraft.RPCHeader{ProtocolVersion: 3, ID: []byte("a"), Addr: []byte(a.LocalAddr())}, Term: 1, Leader: []byte(a.LocalAddr())}
			if err := a.AppendEntries("b", b.LocalAddr(), heartbeat, &hraft.AppendEntriesResponse{}); err != nil {
				t.Fatal(err)
			}
			select {
			case got := <-beside:
				if got != c.beside {
					t.Errorf("handled beside the main goroutine: %t, want %t", got, c.beside)
				}
			case <-time.After(time.Minute):
				t.Error("the heartbeat never arrived")
			}
		})
	}
}

func TestEntriesBehindASnapshotBeginALog(t *testing.T) {
	const last = 10 // the snapshot ends with
	for _, c := range []struct {
		name                string
		previous            uint64
		entries             int
		committed           uint64
		wantFirst, wantLast uint64 // zero: none is left
		wantCommitted       uint64
	}{
		{"right behind it", 10, 3, 12, 11, 13, 12},
		{"the first of them are in it", 7, 6, 13, 11, 13, 13},
		{"all of them are in it", 5, 3, 8, 0, 0, 8},
		{"all of them are in it and later ones are committed, of which nothing is known here", 5, 3, 20, 0, 0, 10},
		{"its last entry is the last of them", 9, 1, 10, 0, 0, 10},
		{"they begin with the first", 0, 12, 12, 11, 12, 12},
		{"none are sent", 10, 0, 20, 0, 0, 10},
		{"later ones than those are committed", 10, 2, 20, 11, 12, 12},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &hraft.AppendEntriesRequest{Term: 3, PrevLogEntry: c.previous, PrevLogTerm: 2, LeaderCommitIndex: c.committed}
			for i := range c.entries {
				r.Entries = append(r.Entries, &hraft.Log{Index: c.previous + 1 + uint64(i)})
			}
			beginAfter(r, last)
			var first, end uint64
			if n := len(r.Entries); n > 0 {
				first, end = r.Entries[0].Index, r.Entries[n-1].Index
			}
			got := fmt.Sprint(first, end, r.LeaderCommitIndex, r.PrevLogEntry, r.PrevLogTerm, r.Term)
			if want := fmt.Sprint(c.wantFirst, c.wantLast, c.wantCommitted, 0, 0, 3); got != want {
				t.Errorf("first, last, committed, previous, its term, term: %s, want %s", got, want)
			}
		})
	}
}
