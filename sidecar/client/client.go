package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/sidecar/protocol"
)

// Config says where the sidecar is and how to talk to it.
type Config struct {
	// Socket is the path of the sidecar's unix socket; empty means DefaultSocket.
	Socket string
	// Name of the S3 server, for the sidecar's operator.
	Name string
	// Connections is how many connections are kept at most; zero means 2. Each
	// carries any number of requests at once, up to what the sidecar allows.
	Connections int
	// Timeout bounds a call whose context has no earlier deadline; zero means 5 s.
	// It must be above the time that the sidecar itself waits for the store (2 s).
	Timeout time.Duration
	// Brief asks for answers without names, messages and reasons, for servers that
	// only need to know whether a request may pass.
	Brief bool
}

// DefaultSocket is where a sidecar listens unless it is told otherwise.
const DefaultSocket = "/run/doorward/sidecar.sock"

// ErrClosed is returned by calls after Close.
var ErrClosed = errors.New("sidecar client is closed")

// ErrProtocol is returned, wrapped, when the sidecar's answer is not what was asked
// for. The connection is dropped and the next call makes a new one.
var ErrProtocol = errors.New("sidecar broke the protocol")

// Client asks one sidecar. It is safe for use by many goroutines.
type Client struct {
	config Config
	turn   atomic.Uint32
	slots  []slot
	closed atomic.Bool
}

// slot is the place of one connection, which is made when it is first needed and
// again after it broke.
type slot struct {
	mu   sync.Mutex // held while connecting
	conn atomic.Pointer[conn]
}

// New returns a client. It does not connect; a sidecar that is not there is noticed
// by the first call, and one that comes back by the next.
func New(config Config) (*Client, error) {
	if config.Socket == "" {
		config.Socket = DefaultSocket
	}
	if config.Connections == 0 {
		config.Connections = 2
	}
	if config.Timeout == 0 {
		config.Timeout = 5 * time.Second
	}
	if config.Connections < 0 || config.Timeout < 0 {
		return nil, errors.New("sidecar client: Connections and Timeout must not be negative")
	}
	return &Client{config: config, slots: make([]slot, config.Connections)}, nil
}

// Close ends all connections; calls under way end with ErrClosed.
func (c *Client) Close() error {
	c.closed.Store(true)
	for i := range c.slots {
		if conn := c.slots[i].conn.Swap(nil); conn != nil {
			conn.fail(ErrClosed)
		}
	}
	return nil
}

// Check asks about one request.
func (c *Client) Check(ctx context.Context, q *protocol.Check) (protocol.Answer, error) {
	var answer protocol.Answer
	err := c.do(ctx, protocol.TypeCheck, 1, 1, q.Append, func(items *protocol.Items) error {
		_, err := items.NextAnswer(&answer)
		return err
	})
	if err != nil {
		return protocol.Answer{}, err
	}
	return answer, nil
}

// CheckAll asks about up to protocol.MaxItems requests at once. The answers are in
// the order of the questions; after an error none of them counts.
func (c *Client) CheckAll(ctx context.Context, questions []protocol.Check, answers []protocol.Answer) error {
	if len(answers) != len(questions) {
		return fmt.Errorf("sidecar client: %d answers for %d questions", len(answers), len(questions))
	}
	write := func(b []byte) (_ []byte, err error) {
		for i := range questions {
			if b, err = questions[i].Append(b); err != nil {
				return b, err
			}
		}
		return b, nil
	}
	err := c.do(ctx, protocol.TypeCheck, len(questions), len(questions), write, readAll(answers))
	if err != nil {
		clear(answers)
	}
	return err
}

// CheckEach asks about a request that may name several objects (DeleteObjects, with
// its body in q): there is an answer for each object, in the order of the list, whose
// Each is set. If the request is refused as a whole, or is of another kind, there is
// one answer without Each; so there is from a sidecar that is older than this, and
// then it stands for all objects together.
func (c *Client) CheckEach(ctx context.Context, q *protocol.Check) ([]protocol.Answer, error) {
	one := *q
	one.Each = true
	var answers []protocol.Answer
	err := c.do(ctx, protocol.TypeCheck, 1, anyNumber, one.Append, func(items *protocol.Items) error {
		answers = make([]protocol.Answer, items.Left())
		return readAll(answers)(items)
	})
	if err != nil {
		return nil, err
	}
	return answers, nil
}

// Verify asks whether a signature holds and whether its maker may do each of q's
// contexts. There is one answer for each context.
func (c *Client) Verify(ctx context.Context, q *protocol.Verify) ([]protocol.Answer, error) {
	answers := make([]protocol.Answer, len(q.Contexts))
	if err := c.do(ctx, protocol.TypeVerify, 1, len(answers), q.Append, readAll(answers)); err != nil {
		return nil, err
	}
	return answers, nil
}

func readAll(answers []protocol.Answer) func(*protocol.Items) error {
	return func(items *protocol.Items) error {
		for i := range answers {
			if _, err := items.NextAnswer(&answers[i]); err != nil {
				return err
			}
		}
		return nil
	}
}

// SigningKey asks for the signing key of an access key within a scope. The sidecar
// must permit this user to; a refused access key is an answer with another status
// than 200.
func (c *Client) SigningKey(ctx context.Context, q *protocol.KeyRequest) (protocol.KeyAnswer, error) {
	var answer protocol.KeyAnswer
	err := c.do(ctx, protocol.TypeSigningKey, 1, 1, q.Append, func(items *protocol.Items) error {
		_, err := items.NextKeyAnswer(&answer)
		return err
	})
	if err != nil {
		return protocol.KeyAnswer{}, err
	}
	return answer, nil
}

// Chunk asks whether a link of a chunk signature chain holds: status 200.
func (c *Client) Chunk(ctx context.Context, q *protocol.Chunk) (protocol.ChunkAnswer, error) {
	var answer protocol.ChunkAnswer
	err := c.do(ctx, protocol.TypeChunk, 1, 1, q.Append, func(items *protocol.Items) error {
		_, err := items.NextChunkAnswer(&answer)
		return err
	})
	if err != nil {
		return protocol.ChunkAnswer{}, err
	}
	return answer, nil
}

// Ping asks nothing and waits for the answer.
func (c *Client) Ping(ctx context.Context) error {
	nothing := func(b []byte) ([]byte, error) { return b, nil }
	return c.do(ctx, protocol.TypePing, 0, 0, nothing, func(*protocol.Items) error { return nil })
}

// FromHTTP makes the question about a request that a server of net/http received.
// The server must not have a proxy in front of it that changes the request. Over
// HTTP/2 an Expect field is not seen by net/http, so it must not be signed there.
func FromHTTP(r *http.Request) protocol.Check {
	q := protocol.Check{Method: r.Method, Target: r.RequestURI, Remote: r.RemoteAddr}
	q.Headers = append(make([]protocol.Pair, 0, len(r.Header)+2), protocol.Pair{Name: "Host", Value: r.Host})
	for name, values := range r.Header {
		for _, value := range values {
			q.Headers = append(q.Headers, protocol.Pair{Name: name, Value: value})
		}
	}
	if r.ContentLength >= 0 && r.Header.Get("Content-Length") == "" && (r.ContentLength > 0 || r.Method == http.MethodPut || r.Method == http.MethodPost) {
		q.Headers = append(q.Headers, protocol.Pair{Name: "Content-Length", Value: strconv.FormatInt(r.ContentLength, 10)})
	}
	if r.TLS != nil {
		switch q.TLS = protocol.TLSUnknown; r.TLS.Version {
		case tls.VersionTLS12:
			q.TLS = protocol.TLS12
		case tls.VersionTLS13:
			q.TLS = protocol.TLS13
		}
	}
	return q
}

// do sends one request and reads its answers. If the connection breaks before the
// answer, it asks once more, on a connection made since: to ask again changes nothing.
func (c *Client) do(ctx context.Context, t protocol.Type, items, answers int, write func([]byte) ([]byte, error), read func(*protocol.Items) error) error {
	deadline := time.Now().Add(c.config.Timeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	// Both times in one slot: its broken connection is replaced, whereas those of the
	// other slots may be as old and break alike.
	s := &c.slots[int(c.turn.Add(1))%len(c.slots)]
	err := c.attempt(ctx, s, deadline, t, items, answers, write, read)
	var broken *brokenError
	if errors.As(err, &broken) && ctx.Err() == nil && time.Now().Before(deadline) {
		err = c.attempt(ctx, s, deadline, t, items, answers, write, read)
	}
	return err
}

func (c *Client) attempt(ctx context.Context, s *slot, deadline time.Time, t protocol.Type, items, answers int, write func([]byte) ([]byte, error), read func(*protocol.Items) error) error {
	conn, err := c.conn(ctx, s, deadline)
	if err != nil {
		return err
	}
	call := calls.Get().(*call)
	defer calls.Put(call)
	if err := conn.send(call, deadline, t, items, write); err != nil {
		return err
	}
	if err := conn.await(ctx, call, deadline); err != nil {
		return err
	}
	return call.result(t, answers, read, conn)
}

// conn returns a slot's connection, which is up.
func (c *Client) conn(ctx context.Context, s *slot, deadline time.Time) (*conn, error) {
	if conn := s.conn.Load(); conn != nil && conn.up() {
		return conn, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if conn := s.conn.Load(); conn != nil && conn.up() {
		return conn, nil
	}
	if c.closed.Load() {
		return nil, ErrClosed
	}
	conn, err := dial(ctx, &c.config, deadline)
	if err != nil {
		return nil, fmt.Errorf("sidecar at %s: %w", c.config.Socket, err)
	}
	s.conn.Store(conn)
	if c.closed.Load() {
		conn.fail(ErrClosed)
		return nil, ErrClosed
	}
	return conn, nil
}
