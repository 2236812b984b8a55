package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/sidecar/protocol"
)

// conn is one connection. Nobody works in its background: whoever waits for an
// answer first takes the reader's role and hands out the answers of the others on
// the way to its own. A lone caller so reads its answer itself, without a switch of
// goroutines.
type conn struct {
	net     net.Conn
	brief   protocol.Flags
	limit   chan struct{} // one for each request that is unanswered
	reader  chan struct{} // capacity 1: the reader's role
	broken  atomic.Bool
	dropped chan struct{} // closed when broken

	writing sync.Mutex // held for one write
	out     []byte

	mu      sync.Mutex
	waiting map[uint32]*call
	last    uint32
	err     error // why it is broken

	in   []byte // the reader's: read and not yet handed out is in[from:]
	from int
}

// call is one request without an answer.
type call struct {
	id     uint32
	done   chan struct{} // capacity 1
	header protocol.Header
	body   string
	err    error
}

var calls = sync.Pool{New: func() any { return &call{done: make(chan struct{}, 1)} }}

// brokenError says that a connection broke before the answer.
type brokenError struct{ cause error }

func (e *brokenError) Error() string { return "connection to the sidecar broke: " + e.cause.Error() }
func (e *brokenError) Unwrap() error { return e.cause }

// dial connects and says hello.
func dial(ctx context.Context, config *Config, deadline time.Time) (*conn, error) {
	dialer := net.Dialer{Deadline: deadline}
	raw, err := dialer.DialContext(ctx, "unix", config.Socket)
	if err != nil {
		return nil, err
	}
	c := &conn{
		net: raw, reader: make(chan struct{}, 1), dropped: make(chan struct{}),
		waiting: make(map[uint32]*call), in: make([]byte, 0, 16<<10),
	}
	if err := c.greet(config, deadline); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return c, nil
}

func (c *conn) greet(config *Config, deadline time.Time) error {
	hello := protocol.Hello{MinVersion: protocol.MinVersion, MaxVersion: protocol.Version, Client: config.Name, Features: protocol.FeatureSigningKey}
	if config.Brief {
		hello.Features |= protocol.FeatureBrief
	}
	frame, err := hello.Append(protocol.AppendHeader(nil, protocol.TypeHello, 0, 0, 0))
	if err == nil {
		err = protocol.FinishFrame(frame, 0, protocol.MaxRequest)
	}
	if err == nil {
		err = c.net.SetDeadline(deadline)
	}
	if err != nil {
		return err
	}
	if _, err := c.net.Write(frame); err != nil {
		return &brokenError{err}
	}
	h, body, err := c.next()
	if err != nil {
		return &brokenError{err}
	}
	if h.Type != protocol.TypeWelcome {
		return refusalOf(h, string(body))
	}
	var welcome protocol.Welcome
	if err := welcome.Read(string(body)); err != nil {
		return err
	}
	if welcome.Features&protocol.FeatureBrief != 0 {
		c.brief = protocol.Brief
	}
	c.limit = make(chan struct{}, max(1, min(welcome.Pipelined, protocol.MaxPipelined)))
	return nil
}

func (c *conn) up() bool { return !c.broken.Load() }

// fail breaks the connection for all who wait.
func (c *conn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	c.broken.Store(true)
	close(c.dropped)
	_ = c.net.Close()
}

func (c *conn) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(c.err, ErrClosed) {
		return c.err
	}
	return &brokenError{c.err}
}

// send writes a request. What is too large to be asked breaks nothing.
func (c *conn) send(call *call, deadline time.Time, t protocol.Type, items int, write func([]byte) ([]byte, error)) error {
	if err := c.enter(call, deadline); err != nil {
		return err
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	frame, err := write(protocol.AppendHeader(c.out[:0], t, c.brief, items, call.id))
	if err == nil {
		err = protocol.FinishFrame(frame, 0, protocol.MaxRequest)
	}
	if items > protocol.MaxItems {
		err = fmt.Errorf("%w: %d items, at most %d", protocol.ErrTooLarge, items, protocol.MaxItems)
	}
	if err != nil {
		c.leave(call)
		return err
	}
	if c.out = frame; cap(c.out) > 1<<20 {
		c.out = nil
	}
	if err := c.net.SetWriteDeadline(deadline); err != nil {
		c.fail(err)
		c.leave(call)
		return c.cause()
	}
	if _, err := c.net.Write(frame); err != nil {
		// Part of a frame may have gone: nothing that follows would be understood.
		c.fail(err)
		c.leave(call)
		return c.cause()
	}
	return nil
}

// enter gives the call its id, once there are not too many unanswered.
func (c *conn) enter(call *call, deadline time.Time) error {
	select {
	case c.limit <- struct{}{}:
	default:
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		select {
		case c.limit <- struct{}{}:
		case <-c.dropped:
			return c.cause()
		case <-timer.C:
			return os.ErrDeadlineExceeded
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	call.id, call.err, call.body = c.last, nil, ""
	select {
	case <-call.done:
	default:
	}
	c.waiting[call.id] = call
	return nil
}

// leave gives up on a call; its answer, if it still comes, is thrown away.
func (c *conn) leave(call *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, call.id)
	<-c.limit
}

// await returns when the call has its answer.
func (c *conn) await(ctx context.Context, call *call, deadline time.Time) error {
	defer c.leave(call)
	if ctx.Done() != nil {
		// A cancelled caller wakes whoever reads; the reader looks whether it is meant.
		stop := context.AfterFunc(ctx, func() { _ = c.net.SetReadDeadline(time.Unix(1, 0)) })
		defer stop()
	}
	select {
	case <-call.done:
		return nil
	case c.reader <- struct{}{}:
		err := c.read(ctx, call, deadline)
		<-c.reader
		return err
	default:
	}
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-call.done:
		return nil
	case c.reader <- struct{}{}:
		err := c.read(ctx, call, deadline)
		<-c.reader
		return err
	case <-c.dropped:
		return c.cause()
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return os.ErrDeadlineExceeded
	}
}

// read hands out answers until the call's own is among them.
func (c *conn) read(ctx context.Context, own *call, deadline time.Time) error {
	for {
		select {
		case <-own.done:
			return nil
		default:
		}
		if err := c.net.SetReadDeadline(deadline); err != nil {
			c.fail(err)
			return c.cause()
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		h, body, err := c.next()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			// The stream is whole: what was read so far stays for the next reader.
			if ctx.Err() != nil || !time.Now().Before(deadline) {
				return errors.Join(ctx.Err(), err)
			}
		case err != nil:
			c.fail(err)
			return c.cause()
		default:
			c.hand(h, body)
		}
	}
}

// hand gives an answer to whoever waits for it.
func (c *conn) hand(h protocol.Header, body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	call, ok := c.waiting[h.ID]
	if !ok {
		return
	}
	delete(c.waiting, h.ID)
	call.header, call.body = h, string(body)
	call.done <- struct{}{}
}

// next returns the next frame. Its body is valid until the following call. An error
// of the deadline leaves the stream as it is.
func (c *conn) next() (protocol.Header, []byte, error) {
	for {
		if pending := c.in[c.from:]; len(pending) >= protocol.HeaderSize {
			h, err := protocol.ReadHeader(pending, protocol.MaxAnswer)
			if err != nil {
				return h, nil, fmt.Errorf("%w: %w", ErrProtocol, err)
			}
			if end := protocol.HeaderSize + int(h.Length); len(pending) >= end {
				c.from += end
				return h, pending[protocol.HeaderSize:end], nil
			} else if cap(c.in)-c.from < end {
				c.in, c.from = slices.Grow(slices.Clone(pending), end-len(pending)), 0
			}
		}
		if c.from > 0 {
			c.in, c.from = c.in[:copy(c.in[:cap(c.in)], c.in[c.from:])], 0
		}
		n, err := c.net.Read(c.in[len(c.in):cap(c.in)])
		c.in = c.in[:len(c.in)+n]
		if n == 0 && err != nil {
			return protocol.Header{}, nil, err
		}
	}
}

// anyNumber of answers, but at least one, is what a call expects that does not know
// how many there will be.
const anyNumber = -1

// result reads the answers of a call.
func (k *call) result(t protocol.Type, answers int, read func(*protocol.Items) error, c *conn) error {
	if k.header.Type == protocol.TypeRefusal {
		return refusalOf(k.header, k.body)
	}
	err := error(nil)
	if answers == anyNumber && k.header.Items > 0 {
		answers = int(k.header.Items)
	}
	if k.header.Type != t.Answer() || int(k.header.Items) != answers {
		err = fmt.Errorf("%w: type %#x with %d answers, want %#x with %d", ErrProtocol, k.header.Type, k.header.Items, t.Answer(), answers)
	} else {
		items := protocol.ReadItems(k.body, k.header.Items)
		err = read(&items)
	}
	if err != nil {
		c.fail(err)
	}
	return err
}

// refusalOf makes a refusal an error.
func refusalOf(h protocol.Header, body string) error {
	if h.Type != protocol.TypeRefusal {
		return fmt.Errorf("%w: type %#x where none is due", ErrProtocol, h.Type)
	}
	refusal := new(protocol.Refusal)
	if err := refusal.Read(body); err != nil {
		return err
	}
	return refusal
}
