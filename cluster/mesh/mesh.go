package mesh

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/doorward/doorward/cluster/pki"
)

// greetingTime bounds the exchange of certificates and greetings.
const greetingTime = 5 * time.Second

// Carrier is where connections come from.
type Carrier interface {
	Listen(address string) (net.Listener, error)
	Dial(ctx context.Context, address string) (net.Conn, error)
}

// TCP is the carrier of production.
type TCP struct{}

// Listen binds a TCP address.
func (TCP) Listen(address string) (net.Listener, error) { return net.Listen("tcp", address) }

// Dial connects to a TCP address.
func (TCP) Dial(ctx context.Context, address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "tcp", address)
}

// Config says who a member is and how it is reached.
type Config struct {
	// ID is this node's; a sidecar's name.
	ID string
	// Cluster returns the id of the cluster that this member belongs to, empty while
	// it belongs to none.
	Cluster func() string
	// Listen is the address to bind, host:port. Advertise is where others reach it;
	// empty: what was bound.
	Listen, Advertise string
	// TLS is the member's certificate. Nil: none and no encryption, which is for one
	// machine: only loopback addresses are bound or dialled.
	TLS *pki.Files
	// Admitted says why a member with a certificate that was verified may not connect,
	// nil if it may; nil lets all.
	Admitted func(pki.Identity) error

	// Carrier is where connections come from; nil means TCP.
	Carrier Carrier
	// Logger gets refused connections; nil discards.
	Logger *slog.Logger
}

// Mesh is a member's port. All methods are safe for concurrent use.
type Mesh struct {
	cfg       Config
	listener  net.Listener
	listeners map[Protocol]*listener
	server    *tls.Config // nil without TLS, as is enrolling
	enrolling *tls.Config

	mu     sync.Mutex
	conns  map[*Conn]kept
	closed bool
	done   chan struct{}
}

// kept is what the carrier gave for a connection, the name in the certificate of the
// other side and the fingerprint of the authority that signed it, empty while none was
// shown.
type kept struct {
	raw          net.Conn
	name, signer string
}

// New binds the port.
func New(cfg Config) (*Mesh, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.TLS == nil && cfg.Carrier == nil && !isLoopback(cfg.Listen) {
		return nil, fmt.Errorf("mesh: %s is not a loopback address: certificates are needed (doorward tls init, doorward tls issue)", cfg.Listen)
	}
	m := &Mesh{cfg: cfg, listeners: make(map[Protocol]*listener), conns: make(map[*Conn]kept), done: make(chan struct{})}
	if cfg.TLS != nil {
		// A member without a certificate yet is heard by nobody until it has one.
		if err := cfg.TLS.Check(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		m.server, m.enrolling = cfg.TLS.Server(protocols), cfg.TLS.Enrolling(string(Enrol))
	}
	if m.cfg.Carrier == nil {
		m.cfg.Carrier = TCP{}
	}
	l, err := m.cfg.Carrier.Listen(cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("mesh: %w", err)
	}
	m.listener = l
	if m.cfg.Advertise == "" {
		m.cfg.Advertise = l.Addr().String()
	}
	for _, p := range protocols {
		m.listeners[Protocol(p)] = &listener{mesh: m, conns: make(chan net.Conn)}
	}
	m.listeners[Enrol] = &listener{mesh: m, conns: make(chan net.Conn)}
	return m, nil
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Address returns where others reach this member.
func (m *Mesh) Address() string { return m.cfg.Advertise }

// Listener returns the connections of one protocol. Closing it changes nothing;
// they end with the mesh.
func (m *Mesh) Listener(p Protocol) net.Listener { return m.listeners[p] }

// Run accepts connections until ctx is done, then ends all there are and leaves
// nothing running.
func (m *Mesh) Run(ctx context.Context) error {
	var greetings sync.WaitGroup
	stop := context.AfterFunc(ctx, func() { m.Close() })
	defer stop()
	for {
		raw, err := m.listener.Accept()
		if err != nil {
			if m.isClosed() {
				greetings.Wait()
				return ctx.Err()
			}
			m.cfg.Logger.Warn("cannot accept a connection", "error", err)
			select {
			case <-time.After(50 * time.Millisecond): // out of files, most likely
			case <-m.done:
			}
			continue
		}
		greetings.Go(func() { m.greet(raw) }) // ends after greetingTime
	}
}

func (m *Mesh) isClosed() bool {
	select {
	case <-m.done:
		return true
	default:
		return false
	}
}

// Close ends the port and every connection. It is safe to call twice.
func (m *Mesh) Close() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil
	}
	m.closed = true
	close(m.done)
	conns := m.conns
	m.conns = nil
	m.mu.Unlock()
	err := m.listener.Close()
	for _, c := range conns {
		c.raw.Close()
	}
	return err
}

// keep registers a connection, so that it ends with the mesh.
func (m *Mesh) keep(c *Conn) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return net.ErrClosed
	}
	m.conns[c] = kept{raw: c.Conn}
	return nil
}

// vouched notes whose certificate the other side has shown, and who signed it.
func (m *Mesh) vouched(c *Conn, name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k, ok := m.conns[c]; ok {
		m.conns[c] = kept{k.raw, name, c.Peer.Signer}
	}
}

// Review ends the connections with members whose certificate is of an authority that
// is trusted no longer.
func (m *Mesh) Review() {
	if m.cfg.TLS == nil {
		return
	}
	trust, err := m.cfg.TLS.Trust()
	if err != nil {
		return // there is no certificate yet, and so no connection
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range m.conns {
		if k.signer != "" && !slices.Contains(trust.Authorities, k.signer) {
			m.cfg.Logger.Warn("connection ended", "with", k.name, "reason", "the authority of its certificate is trusted no longer")
			k.raw.Close()
		}
	}
}

func (m *Mesh) forget(c *Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.conns, c)
}

// greet accepts a connection or refuses it.
func (m *Mesh) greet(raw net.Conn) {
	c, p, err := m.accept(raw)
	if err != nil {
		m.cfg.Logger.Warn("connection refused", "from", raw.RemoteAddr().String(), "reason", err)
		raw.Close()
		return
	}
	select {
	case m.listeners[p].conns <- c:
	case <-m.done:
		c.Close()
	}
}

func (m *Mesh) accept(raw net.Conn) (*Conn, Protocol, error) {
	if err := raw.SetDeadline(time.Now().Add(greetingTime)); err != nil {
		return nil, "", err
	}
	c := &Conn{Conn: raw, mesh: m}
	if err := m.keep(c); err != nil {
		return nil, "", err
	}
	p, err := m.welcome(c)
	if err == nil {
		err = c.SetDeadline(time.Time{})
	}
	if err != nil {
		m.forget(c)
		return nil, "", err
	}
	return c, p, nil
}

// welcome checks certificate and greeting, and answers.
func (m *Mesh) welcome(c *Conn) (Protocol, error) {
	role, negotiated := pki.Node, ""
	if m.server != nil {
		secure := tls.Server(c.Conn, &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: m.settingsFor})
		ctx, cancel := context.WithTimeout(context.Background(), greetingTime)
		defer cancel()
		if err := secure.HandshakeContext(ctx); err != nil {
			return "", err
		}
		state := secure.ConnectionState()
		negotiated = state.NegotiatedProtocol
		if err := m.recognise(c, state); err != nil {
			return "", err
		}
		role, c.Conn = c.Peer.Identity.Role, secure
		if negotiated == string(Enrol) {
			return Enrol, nil
		}
	}
	var h hello
	if err := readMessage(c.Conn, &h); err != nil {
		return "", fmt.Errorf("greeting: %w", err)
	}
	c.Peer.ID, c.Peer.Cluster = h.From, h.Cluster
	answer := welcome{Cluster: m.cfg.Cluster(), ID: m.cfg.ID}
	reason := m.check(h, role, c.Peer.Name, negotiated)
	if reason != nil {
		answer.Refusal = reason.Error()
	}
	if err := writeMessage(c.Conn, answer); err != nil {
		return "", err
	}
	return h.Protocol, reason
}

// settingsFor returns the settings for a client that wants to enrol and nothing else,
// or those for members.
func (m *Mesh) settingsFor(client *tls.ClientHelloInfo) (*tls.Config, error) {
	if slices.Equal(client.SupportedProtos, []string{string(Enrol)}) {
		return m.enrolling.GetConfigForClient(client)
	}
	return m.server.GetConfigForClient(client)
}

// recognise notes whose certificate was shown, if one was, and refuses members that
// were taken out.
func (m *Mesh) recognise(c *Conn, state tls.ConnectionState) (err error) {
	if len(state.PeerCertificates) == 0 {
		return nil // settings for members ask for one
	}
	if c.Peer.Identity, err = pki.IdentityOf(state.PeerCertificates[0]); err != nil {
		return err
	}
	c.Peer.Name = c.Peer.Identity.Name
	if err := m.cfg.sign(c, state.PeerCertificates[0]); err != nil {
		return err
	}
	if m.cfg.Admitted == nil {
		return nil
	}
	return m.cfg.Admitted(c.Peer.Identity)
}

// sign notes which authority signed the certificate of the other side. It was verified,
// but an authority may have gone in between.
func (cfg *Config) sign(c *Conn, certificate *x509.Certificate) error {
	if c.Peer.Signer = cfg.TLS.SignerOf(certificate); c.Peer.Signer == "" {
		return pki.ErrOtherAuthority
	}
	if c.mesh != nil {
		c.mesh.vouched(c, certificate.Subject.CommonName)
	}
	return nil
}

// check returns why a greeting is refused, nil if it is not.
func (m *Mesh) check(h hello, role pki.Role, name, negotiated string) error {
	mine := m.cfg.Cluster()
	switch {
	case m.listeners[h.Protocol] == nil || h.Protocol == Enrol:
		return fmt.Errorf("protocol %q is not known", h.Protocol)
	case negotiated != "" && negotiated != string(h.Protocol):
		return fmt.Errorf("protocol %q was negotiated and %q is asked for", negotiated, h.Protocol)
	case m.server != nil && negotiated == "":
		return errors.New("no protocol was negotiated")
	case role != pki.Node && h.Protocol != Feed:
		return fmt.Errorf("a %s may not use protocol %q", role, h.Protocol)
	case role == pki.Sidecar && h.From != name:
		return fmt.Errorf("the certificate is that of %q, who says to be %q", name, h.From)
	case h.From == "" || h.From == m.cfg.ID:
		return fmt.Errorf("the id %q of the caller cannot be", h.From)
	case h.To != "" && h.To != m.cfg.ID:
		return fmt.Errorf("this is node %s, not %s", m.cfg.ID, h.To)
	case h.Protocol == Raft && (h.To == "" || h.Cluster == "" || mine == ""):
		return errors.New("the log is for nodes of one cluster that know one another")
	case h.Cluster != "" && mine != "" && h.Cluster != mine:
		return fmt.Errorf("this is cluster %s, not %s", mine, h.Cluster)
	}
	return nil
}

// Dial connects to a member. With an id, it connects to that node or to none; the
// error is then [ErrRefused].
func (m *Mesh) Dial(ctx context.Context, p Protocol, id, address string) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, greetingTime)
	defer cancel()
	raw, err := m.cfg.dial(ctx, address)
	if err != nil {
		return nil, err
	}
	c := &Conn{Conn: raw, mesh: m}
	if err := m.keep(c); err != nil {
		raw.Close()
		return nil, err
	}
	return m.cfg.introduce(ctx, c, p, id, address)
}

// Dial connects to a member on behalf of one without a port of its own, such as a
// sidecar. Listen and Advertise of the configuration are not looked at.
func Dial(ctx context.Context, cfg Config, p Protocol, id, address string) (*Conn, error) {
	if cfg.Carrier == nil {
		cfg.Carrier = TCP{}
	}
	ctx, cancel := context.WithTimeout(ctx, greetingTime)
	defer cancel()
	raw, err := cfg.dial(ctx, address)
	if err != nil {
		return nil, err
	}
	return cfg.introduce(ctx, &Conn{Conn: raw}, p, id, address)
}

func (cfg *Config) dial(ctx context.Context, address string) (net.Conn, error) {
	if cfg.TLS == nil && cfg.Carrier == (TCP{}) && !isLoopback(address) {
		return nil, fmt.Errorf("mesh: %s is not a loopback address: certificates are needed", address)
	}
	raw, err := cfg.Carrier.Dial(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("mesh: %w", err)
	}
	return raw, nil
}

// introduce makes a connection ready for a protocol. If that fails it is closed.
func (cfg *Config) introduce(ctx context.Context, c *Conn, p Protocol, id, address string) (*Conn, error) {
	if err := cfg.greet(ctx, c, hello{Protocol: p, Cluster: cfg.Cluster(), From: cfg.ID, To: id}); err != nil {
		c.Close()
		return nil, fmt.Errorf("mesh: %s: %w", address, err)
	}
	return c, nil
}

func (cfg *Config) greet(ctx context.Context, c *Conn, h hello) error {
	deadline, _ := ctx.Deadline()
	if err := c.SetDeadline(deadline); err != nil {
		return err
	}
	if cfg.TLS != nil {
		config, err := cfg.TLS.Client(string(h.Protocol))
		if err != nil {
			return err
		}
		secure := tls.Client(c.Conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			return err
		}
		if err := cfg.sign(c, secure.ConnectionState().PeerCertificates[0]); err != nil {
			return err
		}
		c.Conn = secure
	}
	if err := writeMessage(c.Conn, h); err != nil {
		return err
	}
	var w welcome
	if err := readMessage(c.Conn, &w); err != nil {
		return pki.Refused(err)
	}
	if w.Refusal != "" {
		return fmt.Errorf("%w: %s", ErrRefused, w.Refusal)
	}
	c.Peer.ID, c.Peer.Cluster = w.ID, w.Cluster
	if h.Cluster != "" && w.Cluster != "" && h.Cluster != w.Cluster {
		return fmt.Errorf("%w: it belongs to cluster %s, this node to %s", ErrRefused, w.Cluster, h.Cluster)
	}
	return c.SetDeadline(time.Time{})
}

// listener hands out the connections of one protocol.
type listener struct {
	mesh  *Mesh
	conns chan net.Conn
}

// Accept returns the next connection, a [*Conn].
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.mesh.done:
		return nil, net.ErrClosed
	}
}

// Close does nothing: the port is the mesh's.
func (l *listener) Close() error { return nil }

type address string

func (address) Network() string  { return "doorward" }
func (a address) String() string { return string(a) }

// Addr returns where others reach this member.
func (l *listener) Addr() net.Addr { return address(l.mesh.Address()) }
