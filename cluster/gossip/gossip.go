package gossip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// State is what the gossip has about a node.
type State string

// The states.
const (
	Alive   State = "alive"   // others vouch for it, and it answers this node
	Suspect State = "suspect" // it does not answer this node, but is not given up
	Left    State = "left"    // it said that it stops
	Dead    State = "dead"    // it has been given up
)

// Member is a node, as the gossip has it.
type Member struct {
	ID      string
	Address string // where it says that other nodes reach it
	State   State
}

// KeySize is the length of a key in bytes, for AES-256-GCM.
const KeySize = 32

// Keys encrypt the gossip.
type Keys struct {
	Use    []byte   // for what is sent
	Accept [][]byte // for what is received; Use may be among them
}

// Config says who a node is.
type Config struct {
	// ID is the node's, Cluster that of the cluster, which is authenticated with each
	// message. Address is where other nodes reach the node; they are told.
	ID, Cluster, Address string
	// Listen is the address to bind, host:port, and Host the name or IP address under
	// which others reach it.
	Listen, Host string
	// Keys encrypt.
	Keys Keys
	// Carrier is where packets come from; nil means UDP and TCP.
	Carrier Carrier
	// Logger gets what memberlist has to say; nil discards.
	Logger *slog.Logger
}

// Carrier is where packets come from.
type Carrier interface {
	// Open binds an address, and returns the IP address and port that others know it by.
	Open(ctx context.Context, listen, host string, log *log.Logger) (t memberlist.Transport, ip string, port int, err error)
}

// probeInterval is how often the gossip asks one other node whether it is there.
const probeInterval = time.Second

// A node is probed once a round, of one interval for each node; at the beginning of one
// and at the end of the next, at worst. Who has not answered for two rounds is suspect.
const suspectRounds = 2

// Gossip is a node's part in it. All methods are safe for concurrent use.
type Gossip struct {
	cfg  Config
	list *memberlist.Memberlist
	ring *memberlist.Keyring

	mu      sync.Mutex
	members map[string]*member // by id, without this node
}

type member struct {
	address  string
	gone     bool      // given up, or left
	leaving  bool      // it said that it stops
	answered time.Time // when it last answered, or appeared
}

// Start takes part. The result has to be closed.
func Start(ctx context.Context, cfg Config) (*Gossip, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Carrier == nil {
		cfg.Carrier = Network{}
	}
	g := &Gossip{cfg: cfg, members: make(map[string]*member)}
	var err error
	if g.ring, err = memberlist.NewKeyring(cfg.Keys.Accept, cfg.Keys.Use); err != nil {
		return nil, fmt.Errorf("gossip: %w", err)
	}
	logger := log.New(lines{cfg.Logger}, "", 0)
	transport, ip, port, err := cfg.Carrier.Open(ctx, cfg.Listen, cfg.Host, logger)
	if err != nil {
		return nil, fmt.Errorf("gossip: %w", err)
	}
	c := memberlist.DefaultLANConfig()
	c.Name, c.Label, c.Keyring, c.Transport, c.Logger = cfg.ID, cfg.Cluster, g.ring, transport, logger
	c.AdvertiseAddr, c.AdvertisePort, c.BindPort = ip, port, port
	c.Delegate, c.Events, c.Ping = told{g}, told{g}, told{g}
	c.ProbeInterval, c.TCPTimeout = probeInterval, 2*time.Second
	c.EnableCompression = false         // a message has a few dozen bytes
	c.DeadNodeReclaimTime = time.Second // an id belongs to one node, wherever it lives
	if g.list, err = memberlist.Create(c); err != nil {
		return nil, errors.Join(fmt.Errorf("gossip: %w", err), transport.Shutdown())
	}
	return g, nil
}

// Address returns where others reach this node's gossip.
func (g *Gossip) Address() string { return g.list.LocalNode().Address() }

// Join meets the node whose gossip is at an address, and all that it knows.
func (g *Gossip) Join(address string) error {
	if _, err := g.list.Join([]string{address}); err != nil {
		return fmt.Errorf("gossip: %w", err)
	}
	return nil
}

// Members returns all other nodes that were heard of, those given up included.
func (g *Gossip) Members() []Member {
	g.mu.Lock()
	defer g.mu.Unlock()
	patience := time.Duration(suspectRounds*len(g.members)) * probeInterval
	var all []Member
	for id, m := range g.members {
		s := Alive
		switch {
		case m.gone && m.leaving:
			s = Left
		case m.gone:
			s = Dead
		case time.Since(m.answered) > patience:
			s = Suspect
		}
		all = append(all, Member{id, m.address, s})
	}
	return all
}

// SetKeys replaces the keys. Nothing is lost if those in use by others are among
// those accepted.
func (g *Gossip) SetKeys(k Keys) error {
	wanted := append(slices.Clone(k.Accept), k.Use)
	for _, key := range wanted {
		if err := g.ring.AddKey(key); err != nil {
			return fmt.Errorf("gossip: %w", err)
		}
	}
	// Those that stay come to the front, because memberlist moves what lies behind a key
	// that it removes, under the eyes of those who read.
	for _, key := range wanted {
		if err := g.ring.UseKey(key); err != nil {
			return fmt.Errorf("gossip: %w", err)
		}
	}
	for _, key := range slices.Backward(g.ring.GetKeys()) {
		if slices.ContainsFunc(wanted, func(w []byte) bool { return bytes.Equal(w, key) }) {
			break
		}
		if err := g.ring.RemoveKey(key); err != nil {
			return fmt.Errorf("gossip: %w", err)
		}
	}
	return nil
}

// leaveTime bounds the farewell.
const leaveTime = 500 * time.Millisecond

// Close says good-bye and leaves nothing running.
func (g *Gossip) Close() error {
	for _, n := range g.list.Members() {
		if n.Name != g.cfg.ID {
			g.list.SendBestEffort(n, []byte(leaving+g.cfg.ID)) // who does not hear it finds out
		}
	}
	g.list.Leave(leaveTime) // likewise
	return g.list.Shutdown()
}

// leaving precedes the id of a node that stops.
const leaving = "leaving "

// told is what memberlist calls. It holds a lock of its own meanwhile, so nothing here
// may wait.
type told struct{ g *Gossip }

var (
	_ memberlist.Delegate      = told{}
	_ memberlist.EventDelegate = told{}
	_ memberlist.PingDelegate  = told{}
)

// NodeMeta is what the others are told about this node.
func (t told) NodeMeta(limit int) []byte {
	if len(t.g.cfg.Address) > limit {
		return nil
	}
	return []byte(t.g.cfg.Address)
}

// addressOf reads what a node says about itself. What follows a line feed is for later
// builds.
func addressOf(meta []byte) string {
	text, _, _ := bytes.Cut(meta, []byte("\n"))
	if bytes.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ""
	}
	return string(text)
}

// NotifyMsg hears that a node stops.
func (t told) NotifyMsg(message []byte) {
	id, ok := strings.CutPrefix(string(message), leaving)
	if !ok {
		return
	}
	t.g.mu.Lock()
	defer t.g.mu.Unlock()
	if m := t.g.members[id]; m != nil {
		m.leaving = true
	}
}

// NotifyJoin hears of a node, or again of one that was gone.
func (t told) NotifyJoin(n *memberlist.Node) { t.heard(n, false) }

// NotifyUpdate hears that a node says something else of itself.
func (t told) NotifyUpdate(n *memberlist.Node) { t.heard(n, false) }

// NotifyLeave hears that a node has left or is given up.
func (t told) NotifyLeave(n *memberlist.Node) { t.heard(n, true) }

func (t told) heard(n *memberlist.Node, gone bool) {
	if n.Name == t.g.cfg.ID {
		return
	}
	t.g.mu.Lock()
	defer t.g.mu.Unlock()
	m := t.g.members[n.Name]
	if m == nil {
		m = &member{answered: time.Now()}
		t.g.members[n.Name] = m
	}
	if m.gone && !gone {
		m.leaving, m.answered = false, time.Now()
	}
	m.gone, m.address = gone, addressOf(n.Meta)
}

// NotifyPingComplete hears that a node has answered.
func (t told) NotifyPingComplete(n *memberlist.Node, _ time.Duration, _ []byte) {
	t.g.mu.Lock()
	defer t.g.mu.Unlock()
	if m := t.g.members[n.Name]; m != nil {
		m.answered = time.Now()
	}
}

// AckPayload is empty, as are the rest: nothing else is told.
func (told) AckPayload() []byte              { return nil }
func (told) GetBroadcasts(_, _ int) [][]byte { return nil }
func (told) LocalState(bool) []byte          { return nil }
func (told) MergeRemoteState([]byte, bool)   {}

// Network is the carrier of production.
type Network struct{}

// Open binds UDP and TCP. A host that is a name is looked up.
func (Network) Open(ctx context.Context, listen, host string, logger *log.Logger) (memberlist.Transport, string, int, error) {
	bind, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, "", 0, err
	}
	number, err := net.DefaultResolver.LookupPort(ctx, "udp", port)
	if err != nil {
		return nil, "", 0, err
	}
	if bind, err = lookup(ctx, bind); err != nil {
		return nil, "", 0, err
	}
	ip, err := lookup(ctx, host)
	if err != nil {
		return nil, "", 0, err
	}
	t, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{BindAddrs: []string{bind}, BindPort: number, Logger: logger})
	if err != nil {
		return nil, "", 0, err
	}
	return t, ip, t.GetAutoBindPort(), nil
}

// lookup returns an IP address of a host, empty for none.
func lookup(ctx context.Context, host string) (string, error) {
	if host == "" || net.ParseIP(host) != nil {
		return host, nil
	}
	all, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return "", err
	}
	return all[0].IP.String(), nil
}

// lines gives what memberlist logs, "[WARN] memberlist: text", to slog. Nothing of it
// is an error of the node's.
type lines struct{ to *slog.Logger }

var levels = map[string]slog.Level{"[DEBUG]": slog.LevelDebug, "[INFO]": slog.LevelDebug, "[WARN]": slog.LevelInfo, "[ERR]": slog.LevelWarn}

// Write logs one line.
func (l lines) Write(line []byte) (int, error) {
	mark, text, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
	level, known := levels[mark]
	if !known {
		level, text = slog.LevelInfo, mark+" "+text
	}
	l.to.Log(context.Background(), level, "gossip", "message", strings.TrimPrefix(text, "memberlist: "))
	return len(line), nil
}
