package sidecar

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/doorward/doorward/sidecar/protocol"
)

// ServerConfig says how a sidecar answers on its socket.
type ServerConfig struct {
	// Name and version of the sidecar, told to clients.
	Name string
	// Users are the user ids that may ask, for types of request that not everybody may
	// ask whom the socket lets in. A type without any is for everybody, except that
	// signing keys are for the process's own user and root.
	Users map[protocol.Type][]int
	// MaxConnections bounds the connections; further ones are closed at once.
	MaxConnections int
	// Slow bounds, for one connection, the requests that wait for the store. While
	// so many wait, the connection is not read.
	Slow int
	// WriteTimeout bounds how long a client may take to read its answers.
	WriteTimeout time.Duration
	// Logger gets connections that broke the protocol; nil discards.
	Logger *slog.Logger
}

// DefaultServerConfig returns the settings that fit one host.
func DefaultServerConfig() ServerConfig {
	return ServerConfig{Name: "doorward", MaxConnections: 1024, Slow: 256, WriteTimeout: 10 * time.Second}
}

// Server answers the frames of package protocol.
type Server struct {
	config     ServerConfig
	authorizer *Authorizer

	mu    sync.Mutex
	conns map[*serverConn]bool
	stop  bool
}

// NewServer returns a server that answers from a.
func NewServer(config ServerConfig, a *Authorizer) *Server {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	config.Users = maps.Clone(config.Users)
	if len(config.Users[protocol.TypeSigningKey]) == 0 {
		if config.Users == nil {
			config.Users = make(map[protocol.Type][]int)
		}
		config.Users[protocol.TypeSigningKey] = []int{os.Getuid(), 0}
	}
	return &Server{config: config, authorizer: a, conns: make(map[*serverConn]bool)}
}

// Serve answers on l until ctx is done, and then closes it, lets the requests that
// have been read be answered, and leaves nothing running.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	defer running.Wait()
	closed := make(chan error, 1)
	// Ends when ctx is done, which is before Serve returns.
	stop := context.AfterFunc(ctx, func() {
		closed <- l.Close()
		s.drain()
	})
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return errors.Join(<-closed)
			}
			stop()
			s.drain()
			return errors.Join(err, l.Close())
		}
		c := s.admit(conn)
		if c == nil {
			_ = conn.Close()
			continue
		}
		// Ends when the client goes, breaks the protocol, or the server drains.
		running.Go(func() {
			defer s.leave(c)
			c.serve(ctx)
		})
	}
}

// admit makes a connection of conn, nil if there are too many or the server stops.
func (s *Server) admit(conn net.Conn) *serverConn {
	peer, err := PeerOf(conn)
	c := &serverConn{server: s, conn: conn, peer: peer, slow: make(chan struct{}, s.config.Slow)}
	for t, users := range s.config.Users {
		c.barred[t] = len(users) > 0 && (err != nil || !slices.Contains(users, peer.UID))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop || len(s.conns) >= s.config.MaxConnections {
		return nil
	}
	s.conns[c] = true
	return c
}

func (s *Server) leave(c *serverConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// drain makes every connection end after the requests that it has read.
func (s *Server) drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop = true
	for c := range s.conns {
		// A read that is under way ends at once; writing goes on.
		_ = c.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// serverConn is one client. Its own goroutine reads requests and answers those that
// need not wait; the others step aside and are answered when they can be.
type serverConn struct {
	server *Server
	conn   net.Conn
	peer   Peer
	barred [256]bool // by type of request: this user may not ask it
	brief  bool      // granted by the hello

	in       []byte // read but not answered: in[from:]
	from     int
	work     frameWork
	slow     chan struct{}
	stepped  sync.WaitGroup // requests that stepped aside
	mu       sync.Mutex     // writing, and out
	out      []byte
	writeErr error
}

// firstBuffer is where a connection's buffers begin; they grow with its requests.
const firstBuffer = 16 << 10

func (c *serverConn) serve(ctx context.Context) {
	c.in = make([]byte, 0, firstBuffer)
	err := c.hello()
	for err == nil {
		err = c.turn(ctx)
	}
	c.stepped.Wait()
	c.flush()
	if errors.Is(err, protocol.ErrMalformed) || errors.Is(err, protocol.ErrTooLarge) {
		c.server.config.Logger.Warn("client broke the protocol", "uid", c.peer.UID, "pid", c.peer.PID, "error", err)
	}
	_ = c.conn.Close()
}

// hello answers the client's first frame.
func (c *serverConn) hello() error {
	h, body, err := c.next()
	if err != nil {
		return err
	}
	var hello protocol.Hello
	if h.Type != protocol.TypeHello {
		return c.refuse(h, protocol.ReasonNotHello, "the first frame must be a hello")
	}
	if err := hello.Read(body); err != nil {
		return c.refuse(h, protocol.ReasonMalformed, err.Error())
	}
	version, err := hello.Choose()
	if err != nil {
		return c.refuse(h, protocol.ReasonVersion, err.Error())
	}
	features := hello.Features & protocol.FeatureBrief
	if !c.barred[protocol.TypeSigningKey] {
		features |= hello.Features & protocol.FeatureSigningKey
	}
	c.brief = features&protocol.FeatureBrief != 0
	welcome := protocol.Welcome{
		Version: version, Features: features, MaxItems: protocol.MaxItems, Pipelined: protocol.MaxPipelined,
		Index: uint64(c.server.authorizer.Status().Index), Server: c.server.config.Name,
	}
	c.mu.Lock()
	start := len(c.out)
	c.out = protocol.AppendHeader(c.out, protocol.TypeWelcome, 0, 0, h.ID)
	c.out, err = welcome.Append(c.out)
	if err == nil {
		err = protocol.FinishFrame(c.out, start, protocol.MaxAnswer)
	}
	c.mu.Unlock()
	return errors.Join(err, c.flush())
}

// turn answers one request. Answers are written when no further request has been
// read in full, so that a batch of requests is answered with one write.
func (c *serverConn) turn(ctx context.Context) error {
	h, body, err := c.next()
	if err != nil {
		return err
	}
	switch h.Type {
	case protocol.TypePing:
		return c.reply(h, nil)
	case protocol.TypeCheck, protocol.TypeVerify, protocol.TypeSigningKey, protocol.TypeChunk:
		if c.barred[h.Type] {
			return c.refuse(h, protocol.ReasonNotPermitted, "this user may not ask this: an operator names who may in the sidecar's settings")
		}
	default:
		return c.refuse(h, protocol.ReasonUnknownType, "this sidecar does not know this type of request")
	}
	w := &c.work
	w.begin(c, h, body)
	done, err := w.answer(impatient)
	switch {
	case err != nil:
		return c.refuse(h, reasonOf(err), err.Error())
	case !done:
		return c.stepAside(ctx, w)
	}
	return c.reply(h, w)
}

// stepAside answers the rest of a request in a goroutine of its own, so that the
// requests behind it need not wait for the store.
func (c *serverConn) stepAside(ctx context.Context, w *frameWork) error {
	rest := w.clone()
	c.slow <- struct{}{}
	c.stepped.Go(func() {
		defer func() { <-c.slow }()
		// Ends within Patience, or when the server does.
		_, err := rest.answer(ctx)
		if err != nil {
			err = c.refuse(rest.header, reasonOf(err), err.Error())
		} else {
			err = c.reply(rest.header, rest)
		}
		if err == nil {
			err = c.flush()
		}
		if err != nil {
			// The reading side ends with it.
			_ = c.conn.SetReadDeadline(time.Unix(1, 0))
		}
	})
	return nil
}

// next returns the next frame. Its body is valid until the following call. Before
// it waits for the client, it writes the answers that are ready.
func (c *serverConn) next() (protocol.Header, string, error) {
	for {
		if pending := c.in[c.from:]; len(pending) >= protocol.HeaderSize {
			h, err := protocol.ReadHeader(pending, protocol.MaxRequest)
			if err != nil {
				return h, "", c.refuse(h, reasonOf(err), err.Error())
			}
			if end := protocol.HeaderSize + int(h.Length); len(pending) >= end {
				c.from += end
				return h, borrow(pending[protocol.HeaderSize:end]), nil
			}
		}
		if err := c.flush(); err != nil {
			return protocol.Header{}, "", err
		}
		if err := c.read(); err != nil {
			return protocol.Header{}, "", err
		}
	}
}

// read takes what the client has sent, at least a byte, and makes room for a whole
// frame first.
func (c *serverConn) read() error {
	c.in = c.in[:copy(c.in[:cap(c.in)], c.in[c.from:])]
	c.from = 0
	if len(c.in) >= protocol.HeaderSize {
		if h, err := protocol.ReadHeader(c.in, protocol.MaxRequest); err == nil {
			c.in = slices.Grow(c.in, protocol.HeaderSize+int(h.Length)-len(c.in))
		}
	}
	if len(c.in) == cap(c.in) {
		c.in = slices.Grow(c.in, firstBuffer)
	}
	n, err := c.conn.Read(c.in[len(c.in):cap(c.in)])
	c.in = c.in[:len(c.in)+n]
	if n > 0 {
		return nil
	}
	return err
}

// reply queues the answer to a request.
func (c *serverConn) reply(h protocol.Header, w *frameWork) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	start := len(c.out)
	items := 0
	if w != nil {
		items = w.items
	}
	c.out = protocol.AppendHeader(c.out, h.Type.Answer(), h.Flags, items, h.ID)
	if w != nil {
		c.out = append(c.out, w.out...)
	}
	if err := protocol.FinishFrame(c.out, start, protocol.MaxAnswer); err != nil {
		c.out = c.out[:start]
		return c.refuseLocked(h, protocol.ReasonAnswerSize, "the answer exceeds its cap: ask in smaller frames or for brief answers")
	}
	return nil
}

// refuse queues a refusal. For a reason that ends the connection it returns the
// error that does so.
func (c *serverConn) refuse(h protocol.Header, why protocol.Reason, text string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refuseLocked(h, why, text)
}

func (c *serverConn) refuseLocked(h protocol.Header, why protocol.Reason, text string) error {
	start := len(c.out)
	refusal := protocol.Refusal{Reason: why, Message: text}
	c.out = protocol.AppendHeader(c.out, protocol.TypeRefusal, 0, 0, h.ID)
	out, err := refusal.Append(c.out)
	c.out = out
	if err == nil {
		err = protocol.FinishFrame(c.out, start, protocol.MaxAnswer)
	}
	if why.Fatal() {
		err = errors.Join(err, protocol.ErrMalformed, errors.New(text))
	}
	return err
}

func reasonOf(err error) protocol.Reason {
	if errors.Is(err, protocol.ErrTooLarge) {
		return protocol.ReasonTooLarge
	}
	return protocol.ReasonMalformed
}

// flush writes the answers that are ready.
func (c *serverConn) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.out) == 0 || c.writeErr != nil {
		return c.writeErr
	}
	c.writeErr = c.conn.SetWriteDeadline(time.Now().Add(c.server.config.WriteTimeout))
	if c.writeErr == nil {
		_, c.writeErr = c.conn.Write(c.out)
	}
	if c.out = c.out[:0]; cap(c.out) > protocol.MaxRequest {
		c.out = nil
	}
	return c.writeErr
}
