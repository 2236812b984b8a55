package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/cluster/feed"
	"github.com/doorward/doorward/iam"
)

// ErrUnreachable: the question did not get to the other node.
var ErrUnreachable = errors.New("peer: node cannot be reached")

// ErrNoAnswer: the question was sent, and whether the other node has acted on it
// is not known.
var ErrNoAnswer = errors.New("peer: no answer")

// Pool asks other nodes, over one connection to each. All methods are safe for
// concurrent use.
type Pool struct {
	dial func(ctx context.Context, id, address string) (net.Conn, error)

	mu      sync.Mutex
	clients map[string]*client // by address
	closed  bool
}

type client struct {
	ready chan struct{} // closed when rpc or err is set
	rpc   *rpc.Client
	err   error
	dead  atomic.Bool // nothing can be sent any more

	proposals proposals
}

// watched notices the end of a connection, which rpc.Client keeps to itself.
type watched struct {
	net.Conn
	dead *atomic.Bool
}

func (w watched) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if err != nil {
		w.dead.Store(true)
	}
	return n, err
}

// NewPool makes a pool. With an empty id, dial connects to whoever is at the
// address.
func NewPool(dial func(ctx context.Context, id, address string) (net.Conn, error)) *Pool {
	return &Pool{dial: dial, clients: make(map[string]*client)}
}

// Close ends all connections; questions that wait get [ErrNoAnswer].
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for key, c := range p.clients {
		delete(p.clients, key)
		go c.close() // ends once its dialling has
	}
}

func (c *client) close() {
	<-c.ready
	if c.rpc != nil {
		c.rpc.Close()
	}
}

// client returns the connection to a node, making it if there is none.
func (p *Pool) client(ctx context.Context, id, address string) (*client, error) {
	key := id + "@" + address
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, net.ErrClosed
	}
	c, ok := p.clients[key]
	if !ok {
		c = &client{ready: make(chan struct{})}
		p.clients[key] = c
	}
	p.mu.Unlock()
	if !ok {
		conn, err := p.dial(ctx, id, address)
		if err == nil {
			c.rpc = rpc.NewClient(watched{conn, &c.dead})
		}
		c.err = err
		close(c.ready)
		if err != nil {
			p.drop(key, c)
		}
	}
	select {
	case <-c.ready:
		return c, c.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// drop forgets a connection that is of no use.
func (p *Pool) drop(key string, c *client) {
	p.mu.Lock()
	if p.clients[key] == c {
		delete(p.clients, key)
	}
	p.mu.Unlock()
	c.dead.Store(true)
	if c.rpc != nil {
		c.rpc.Close()
	}
}

// call asks a question. GiveUp ends the wait early.
func (p *Pool) call(ctx context.Context, giveUp <-chan struct{}, id, address, question string, args, reply any) error {
	c, err := p.alive(ctx, id, address)
	if err != nil {
		return err
	}
	call := c.rpc.Go(serviceName+"."+question, args, reply, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
		if call.Error == nil {
			return nil
		}
		p.drop(id+"@"+address, c)
		return fmt.Errorf("%w: %w", ErrNoAnswer, call.Error)
	case <-giveUp:
	case <-ctx.Done():
	}
	return p.leave(ctx, id, address, c)
}

// alive returns a connection to a node that has not ended as far as is known. The error
// is [ErrUnreachable].
func (p *Pool) alive(ctx context.Context, id, address string) (*client, error) {
	c, err := p.client(ctx, id, address)
	if err == nil && c.dead.Load() {
		p.drop(id+"@"+address, c)
		c, err = p.client(ctx, id, address)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return c, nil
}

// leave ends the wait for an answer, because ctx is done or because the node leads no
// longer.
func (p *Pool) leave(ctx context.Context, id, address string, c *client) error {
	err := ctx.Err()
	if err == nil {
		err = errors.New("it leads no longer")
	}
	// Too slow an answer may mean that the connection leads nowhere.
	if !errors.Is(err, context.Canceled) {
		p.drop(id+"@"+address, c)
	}
	return fmt.Errorf("%w: %w", ErrNoAnswer, err)
}

// Propose carries a command to the leader. The error is one of raft's,
// [ErrUnreachable] or, when the outcome is not known, [ErrNoAnswer]. The command must
// not be changed any more, whatever comes of it. Commands that are proposed at the same
// time share messages.
func (p *Pool) Propose(ctx context.Context, giveUp <-chan struct{}, id, address string, command []byte) (iam.Result, error) {
	c, err := p.alive(ctx, id, address)
	if err != nil {
		return iam.Result{}, err
	}
	mine := &proposal{command: command, done: make(chan struct{})}
	c.proposals.add(c.rpc, mine)
	select {
	case <-mine.done:
		if mine.err == nil {
			return mine.reply.result()
		}
		p.drop(id+"@"+address, c)
		return iam.Result{}, fmt.Errorf("%w: %w", ErrNoAnswer, mine.err)
	case <-giveUp:
	case <-ctx.Done():
	}
	return iam.Result{}, p.leave(ctx, id, address, c)
}

// ReadIndex asks the leader how far a read has to wait.
func (p *Pool) ReadIndex(ctx context.Context, giveUp <-chan struct{}, id, address string) (uint64, error) {
	reply := new(IndexReply)
	if err := p.call(ctx, giveUp, id, address, "ReadIndex", struct{}{}, reply); err != nil {
		return 0, err
	}
	return reply.Index, fault{reply.Kind, reply.Detail}.err()
}

// Meet asks whoever is at an address who it is.
func (p *Pool) Meet(ctx context.Context, address string) (Card, error) {
	reply := new(Card)
	if err := p.call(ctx, nil, "", address, "Meet", struct{}{}, reply); err != nil {
		return Card{}, err // the reply may still be written to
	}
	return *reply, nil
}

// Change asks the leader for a change of membership.
func (p *Pool) Change(ctx context.Context, id, address string, c Change) error {
	reply := new(ErrorReply)
	if err := p.call(ctx, nil, id, address, "Change", c, reply); err != nil {
		return err
	}
	return fault{reply.Kind, reply.Detail}.err()
}

// Health asks a node how it is doing.
func (p *Pool) Health(ctx context.Context, id, address string) (Health, error) {
	reply := new(Health)
	if err := p.call(ctx, nil, id, address, "Health", struct{}{}, reply); err != nil {
		return Health{}, err
	}
	return *reply, nil
}

// Fence asks a node to wait for its sidecars.
func (p *Pool) Fence(ctx context.Context, id, address string, index iam.Index, limit time.Duration) ([]feed.Follower, error) {
	reply := new(FenceReply)
	if err := p.call(ctx, nil, id, address, "Fence", FenceArgs{index, limit}, reply); err != nil {
		return nil, err
	}
	return reply.Followers, nil
}

// SumAt asks a node for the sum of its view at an index.
func (p *Pool) SumAt(ctx context.Context, id, address string, index uint64) (string, error) {
	reply := new(string)
	if err := p.call(ctx, nil, id, address, "SumAt", index, reply); err != nil {
		return "", err
	}
	return *reply, nil
}
