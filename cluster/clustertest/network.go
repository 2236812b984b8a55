package clustertest

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// latency is how long a byte is on its way.
const latency = time.Millisecond

// window is how many bytes may be on their way in one direction.
const window = 1 << 20

// Network connects hosts. A link that is cut holds bytes back, as TCP does: they
// arrive once it is mended, unless an end has given up.
type Network struct {
	mu        sync.Mutex
	cut       map[[2]string]bool // from, to
	changed   chan struct{}      // closed and replaced when a link changes
	listeners map[string]*listener
	ears      map[string]*ear // of the gossip, by host
	mute      bool            // the gossip is lost
}

func newNetwork() *Network {
	return &Network{cut: make(map[[2]string]bool), changed: make(chan struct{}), listeners: make(map[string]*listener), ears: make(map[string]*ear)}
}

// Set cuts or mends the link in one direction.
func (n *Network) Set(from, to string, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cut[[2]string{from, to}] == cut {
		return
	}
	n.cut[[2]string{from, to}] = cut
	close(n.changed)
	n.changed = make(chan struct{})
}

// Heal mends all links.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.cut)
	close(n.changed)
	n.changed = make(chan struct{})
}

func (n *Network) open(from, to string) (bool, <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.cut[[2]string{from, to}], n.changed
}

// carrier is the network as one host sees it.
type carrier struct {
	net  *Network
	host string
}

// Listen makes the host reachable; addresses are host names.
func (c carrier) Listen(string) (net.Listener, error) {
	l := &listener{net: c.net, host: c.host, conns: make(chan net.Conn), done: make(chan struct{})}
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	c.net.listeners[c.host] = l
	return l, nil
}

// Dial connects to a host. While a link is cut it waits, as for an answer that does
// not come.
func (c carrier) Dial(ctx context.Context, to string) (net.Conn, error) {
	for {
		out, changed := c.net.open(c.host, to)
		back, _ := c.net.open(to, c.host)
		if out && back {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	c.net.mu.Lock()
	l := c.net.listeners[to]
	c.net.mu.Unlock()
	if l == nil {
		return nil, errors.New("connection refused")
	}
	there, back := newPipe(c.net, c.host, to), newPipe(c.net, to, c.host)
	near := &conn{in: back, out: there, local: c.host, remote: to}
	far := &conn{in: there, out: back, local: to, remote: c.host}
	select {
	case l.conns <- far:
		return near, nil
	case <-l.done:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type listener struct {
	net   *Network
	host  string
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() {
		close(l.done)
		l.net.mu.Lock()
		defer l.net.mu.Unlock()
		if l.net.listeners[l.host] == l {
			delete(l.net.listeners, l.host)
		}
	})
	return nil
}

func (l *listener) Addr() net.Addr { return hostAddr(l.host) }

type hostAddr string

func (hostAddr) Network() string  { return "virtual" }
func (a hostAddr) String() string { return string(a) }

// pipe is one direction of a connection.
type pipe struct {
	net      *Network
	from, to string

	mu      sync.Mutex
	parts   []part
	size    int
	closed  bool
	changed chan struct{}
}

type part struct {
	bytes []byte
	due   time.Time
}

func newPipe(n *Network, from, to string) *pipe {
	return &pipe{net: n, from: from, to: to, changed: make(chan struct{})}
}

func (p *pipe) wakeLocked() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *pipe) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		p.wakeLocked()
	}
}

func (p *pipe) write(b []byte, limit deadline) (int, error) {
	for {
		p.mu.Lock()
		changed := p.changed
		switch {
		case p.closed:
			p.mu.Unlock()
			return 0, io.ErrClosedPipe
		case p.size < window:
			p.parts = append(p.parts, part{append([]byte(nil), b...), time.Now().Add(latency)})
			p.size += len(b)
			p.wakeLocked()
			p.mu.Unlock()
			return len(b), nil
		}
		p.mu.Unlock()
		if err := limit.wait(changed, nil, 0); err != nil {
			return 0, err
		}
	}
}

func (p *pipe) read(b []byte, limit deadline) (int, error) {
	for {
		open, linkChanged := p.net.open(p.from, p.to)
		p.mu.Lock()
		changed := p.changed
		var pause time.Duration
		if len(p.parts) > 0 && open {
			first := &p.parts[0]
			if pause = time.Until(first.due); pause <= 0 {
				n := copy(b, first.bytes)
				p.size -= n
				if first.bytes = first.bytes[n:]; len(first.bytes) == 0 {
					p.parts = p.parts[1:]
				}
				p.wakeLocked()
				p.mu.Unlock()
				return n, nil
			}
		}
		ended := p.closed && open && len(p.parts) == 0
		p.mu.Unlock()
		if ended {
			return 0, io.EOF
		}
		if err := limit.wait(changed, linkChanged, pause); err != nil {
			return 0, err
		}
	}
}

// deadline is the end of an operation, which may be moved while it waits.
type deadline struct {
	c     *conn
	write bool
}

// wait returns when one of the channels is closed or the pause is over, or with an
// error at the deadline or when this end was closed.
func (d deadline) wait(a, b <-chan struct{}, pause time.Duration) error {
	at, moved := d.c.deadlineOf(d.write)
	var stop, over <-chan time.Time
	if !at.IsZero() {
		left := time.Until(at)
		if left <= 0 {
			return os.ErrDeadlineExceeded
		}
		t := time.NewTimer(left)
		defer t.Stop()
		stop = t.C
	}
	if pause > 0 {
		t := time.NewTimer(pause)
		defer t.Stop()
		over = t.C
	}
	select {
	case <-a:
	case <-b:
	case <-over:
	case <-moved:
	case <-stop:
		return os.ErrDeadlineExceeded
	}
	if d.c.isClosed() {
		return net.ErrClosed
	}
	return nil
}

// conn is one end of a connection.
type conn struct {
	in, out       *pipe
	local, remote string

	mu      sync.Mutex
	closed  bool
	readBy  time.Time
	writeBy time.Time
	moved   chan struct{}
}

func (c *conn) deadlineOf(write bool) (time.Time, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.moved == nil {
		c.moved = make(chan struct{})
	}
	if write {
		return c.writeBy, c.moved
	}
	return c.readBy, c.moved
}

func (c *conn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

func (c *conn) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	if c.moved != nil {
		close(c.moved)
		c.moved = nil
	}
}

func (c *conn) Read(b []byte) (int, error) {
	if c.isClosed() {
		return 0, net.ErrClosed
	}
	return c.in.read(b, deadline{c, false})
}

func (c *conn) Write(b []byte) (int, error) {
	if c.isClosed() {
		return 0, net.ErrClosed
	}
	return c.out.write(b, deadline{c, true})
}

func (c *conn) Close() error {
	c.change(func() { c.closed = true })
	c.in.close()
	c.out.close()
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return hostAddr(c.local) }
func (c *conn) RemoteAddr() net.Addr { return hostAddr(c.remote) }

func (c *conn) SetDeadline(t time.Time) error {
	c.change(func() { c.readBy, c.writeBy = t, t })
	return nil
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.change(func() { c.readBy = t })
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.change(func() { c.writeBy = t })
	return nil
}
