package raft

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	hraft "github.com/hashicorp/raft"
)

// Network carries the log between nodes.
type Network interface {
	// Accept, Close and Addr are as in net.Listener. Addr is the address that others
	// reach this node at.
	net.Listener
	// DialPeer connects to the node with that id, and to no other that may have come
	// to live at its address.
	DialPeer(ctx context.Context, id, address string) (net.Conn, error)
}

// ioTimeout bounds one request between nodes.
const ioTimeout = 5 * time.Second

// transport is what the library needs of a network.
type transport interface {
	hraft.Transport
	hraft.WithPreVote
	Close() error
}

// A member's address in the library's hands is "id@host:port", so that a
// connection is always meant for a node and not for whoever is at its address.
func joinAddress(id, address string) hraft.ServerAddress {
	return hraft.ServerAddress(id + "@" + address)
}

func splitAddress(a hraft.ServerAddress) (id, address string) {
	id, address, _ = strings.Cut(string(a), "@")
	return id, address
}

func newTransport(network Network, id string, gate gate, log hclog.Logger) transport {
	if network == nil {
		_, alone := hraft.NewInmemTransport(joinAddress(id, "local"))
		return alone
	}
	closed := make(chan struct{})
	inner := hraft.NewNetworkTransportWithConfig(&hraft.NetworkTransportConfig{
		Logger:  log,
		Stream:  stream{network, id, closed},
		MaxPool: 5,
		// 1 switches pipelining off: with it, a follower that refuses an entry can stop
		// being replicated to for good (hashicorp/raft#612).
		MaxRPCsInFlight: 1,
		Timeout:         ioTimeout,
	})
	t := &serialTransport{NetworkTransport: inner, gate: gate, requests: make(chan hraft.RPC), closed: closed}
	go t.pass() // ended by Close
	return t
}

// serialTransport gives every request to the library's one main goroutine. The
// library would handle heartbeats on the goroutine of their connection, where they
// change the term behind the back of the main one (hashicorp/raft#695).
type serialTransport struct {
	*hraft.NetworkTransport
	gate     gate
	requests chan hraft.RPC
	closed   chan struct{}
	once     sync.Once // closes
}

// gate is what has to be known of a node to let the requests of others in.
type gate interface {
	// admitted reports whether the node belongs to a cluster.
	admitted() bool
	// covered returns the last entry that the newest snapshot has and the state machine
	// too; zero if there is none.
	covered() uint64
}

// SetHeartbeatHandler ignores the handler.
func (t *serialTransport) SetHeartbeatHandler(func(hraft.RPC)) {}

// Consumer returns the requests from other nodes.
func (t *serialTransport) Consumer() <-chan hraft.RPC { return t.requests }

var errNotAdmitted = errors.New("this node belongs to no cluster yet and does not vote")

// pass hands requests on, except that a node that knows of no cluster does not
// vote: the library would, for anybody. And of what this node has in a snapshot, it is
// sent nothing again.
func (t *serialTransport) pass() {
	for {
		select {
		case rpc := <-t.NetworkTransport.Consumer():
			switch r := rpc.Command.(type) {
			case *hraft.RequestVoteRequest, *hraft.RequestPreVoteRequest:
				if !t.gate.admitted() {
					rpc.Respond(nil, errNotAdmitted)
					continue
				}
			case *hraft.AppendEntriesRequest:
				if last := t.gate.covered(); r.PrevLogEntry < last && len(r.Entries) > 0 || 0 < r.PrevLogEntry && r.PrevLogEntry <= last {
					beginAfter(r, last)
				}
			case *hraft.InstallSnapshotRequest:
				if r.LastLogIndex <= t.gate.covered() {
					go passOver(rpc, r) // ends with the connection
					continue
				}
			}
			select {
			case t.requests <- rpc:
			case <-t.closed:
				return
			}
		case <-t.closed:
			return
		}
	}
}

// beginAfter takes what a snapshot that ends with the entry at last already has off
// a request, so that its entries follow that snapshot. A leader holds all that was
// ever committed, so they do, and nothing is left for the library to compare. It
// would look for the entries in the log, which need not have them: it refuses, the
// leader goes back further and sends the snapshot again, for ever. A leader goes back
// when an answer is lost, or when a follower refuses for lack of room.
func beginAfter(r *hraft.AppendEntriesRequest, last uint64) {
	// What is known to be the same here and there, and so may be committed.
	same := max(last, r.PrevLogEntry+uint64(len(r.Entries)))
	r.LeaderCommitIndex = min(r.LeaderCommitIndex, same)
	r.Entries = r.Entries[min(last-r.PrevLogEntry, uint64(len(r.Entries))):]
	r.PrevLogEntry, r.PrevLogTerm = 0, 0
}

// passOver answers that a snapshot is installed which this node is past. The library
// would go back to it, and then lack the entries between it and its log.
func passOver(rpc hraft.RPC, r *hraft.InstallSnapshotRequest) {
	_, err := io.Copy(io.Discard, rpc.Reader)
	rpc.Respond(&hraft.InstallSnapshotResponse{Term: r.Term, Success: err == nil}, err)
}

// Close ends all connections. It may be called again, and at the same time.
func (t *serialTransport) Close() (err error) {
	t.once.Do(func() {
		close(t.closed)
		t.CloseStreams()
		err = t.NetworkTransport.Close()
	})
	return err
}

// stream adapts a [Network] to the library.
type stream struct {
	Network
	id     string
	closed <-chan struct{}
}

type peerAddr string

func (peerAddr) Network() string  { return "doorward" }
func (a peerAddr) String() string { return string(a) }

// Addr returns the address of this node in the library's form.
func (s stream) Addr() net.Addr {
	return peerAddr(joinAddress(s.id, s.Network.Addr().String()))
}

// Dial connects to a member. The library goes on dialling after it has closed its
// transport; a node that has stopped itself must not be heard, though.
func (s stream) Dial(a hraft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	select {
	case <-s.closed:
		return nil, net.ErrClosed
	default:
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	id, address := splitAddress(a)
	return s.DialPeer(ctx, id, address)
}
