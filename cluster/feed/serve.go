package feed

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/wire"
)

// How long a follower on the network may take. One that reads too slowly or says
// nothing is dropped, and resumes from where it is.
const (
	subscribeTime = 5 * time.Second
	writeTime     = 10 * time.Second // for one write
	silence       = 30 * time.Second // followers ask for the current index every second or so
	confirmTime   = 2 * time.Second
)

// answersWaiting is how many answers may wait for a follower to read them. One that
// asks more gets no answer to some, which ends its wait with an error.
const answersWaiting = 1024

// Peer is what the certificate of a follower says; zero: it has shown none.
type Peer struct {
	Name   string // empty: it says itself who it is
	Signer string // see [Follower]
}

// Serve is Follow for a follower at the other end of a connection, and answers its
// questions. The connection is the caller's to close. Serve returns when ctx is done,
// with [ErrBehind], or with what is wrong with the connection or the follower.
func (f *Feed) Serve(ctx context.Context, conn net.Conn, peer Peer) error {
	in := wire.NewFollowerReader(conn)
	hello, err := subscription(conn, in, peer.Name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	member := f.followers.join(Follower{
		Name: hello.Name, Instance: hello.Instance, Version: hello.Version, Address: conn.RemoteAddr().String(), Serves: hello.Serves,
		Signer: peer.Signer,
	})
	defer f.followers.leave(member)
	out := &network{
		feed: f, conn: conn, member: member, queue: make(chan wire.Frame, answersWaiting),
		out: bufio.NewWriterSize(deadlined{conn}, 32<<10),
	}
	var reading sync.WaitGroup
	// Ends with the connection's read deadline, which is over when ctx is.
	reading.Go(func() { cancel(f.listen(ctx, conn, in, out)) })
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer reading.Wait()
	defer cancel(nil)
	defer stop()
	err = f.follow(ctx, hello.From, out)
	if errors.Is(err, ErrBehind) {
		err = errors.Join(err, out.frame(wire.GoAway{Reason: ErrBehind.Error()}), out.idle())
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	conn.SetDeadline(time.Unix(1, 0))
	return err
}

// subscription reads the first frame.
func subscription(conn net.Conn, in *wire.FrameReader, peer string) (wire.Subscribe, error) {
	if err := conn.SetReadDeadline(time.Now().Add(subscribeTime)); err != nil {
		return wire.Subscribe{}, err
	}
	first, err := in.Read()
	if err != nil {
		return wire.Subscribe{}, fmt.Errorf("feed: %w", err)
	}
	hello, ok := first.(wire.Subscribe)
	switch {
	case !ok:
		return wire.Subscribe{}, fmt.Errorf("feed: follower begins with %T", first)
	case peer != "":
		hello.Name = peer
	case hello.Name == "":
		return wire.Subscribe{}, errors.New("feed: follower has no name")
	}
	return hello, nil
}

// listen takes what a follower says until the connection ends.
func (f *Feed) listen(ctx context.Context, conn net.Conn, in *wire.FrameReader, out *network) error {
	for {
		if err := conn.SetReadDeadline(time.Now().Add(silence)); err != nil {
			return err
		}
		if ctx.Err() != nil { // the deadline above may have undone the one that ends this
			return ctx.Err()
		}
		frame, err := in.Read()
		if err != nil {
			return fmt.Errorf("feed: follower %s: %w", out.member.Name, err)
		}
		switch q := frame.(type) {
		case wire.Progress:
			f.followers.progress(out.member, q)
			if f.cfg.Used != nil && len(q.Used) > 0 {
				f.cfg.Used(q.Used)
			}
		case wire.Trust:
			f.followers.trusts(out.member, q.Authorities)
		case wire.Confirm:
			f.confirms.ask(f.cfg.Confirm, func(index iam.Index, err error) { out.confirmed(q.Nonce, index, err) })
		case wire.AskKey:
			key, err := f.SigningKey(ctx, q.AccessKey, q.Scope)
			if err != nil {
				out.answer(refused(q.Nonce, err))
				continue
			}
			out.answer(wire.Key{Nonce: q.Nonce, Key: key})
		}
	}
}

// refused says in a frame why a question has no answer. What went wrong inside a
// node is not for followers.
func refused(nonce uint64, err error) wire.Refused {
	var told *iam.Error
	if errors.As(err, &told) {
		return wire.Refused{Nonce: nonce, Code: told.Code, Message: told.Message}
	}
	return wire.Refused{Nonce: nonce, Code: iam.ServiceUnavailable, Message: "the node cannot tell at the moment"}
}

// network is an outlet at the other end of a connection.
type network struct {
	feed   *Feed
	conn   net.Conn
	member *follower
	queue  chan wire.Frame
	out    *bufio.Writer
	buf    []byte
}

// deadlined bounds each write.
type deadlined struct{ net.Conn }

func (d deadlined) Write(b []byte) (int, error) {
	if err := d.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return 0, err
	}
	return d.Conn.Write(b)
}

// frame writes one frame, and first the answers that wait: a snapshot takes long.
func (n *network) frame(f wire.Frame) error {
	for len(n.queue) > 0 {
		if err := n.write(<-n.queue); err != nil {
			return err
		}
	}
	return n.write(f)
}

func (n *network) write(f wire.Frame) (err error) {
	if n.buf, err = wire.AppendFrame(n.buf[:0], f); err != nil {
		return err
	}
	_, err = n.out.Write(n.buf)
	return err
}

func (n *network) step(s *step) error {
	b, err := s.encoded()
	if err == nil {
		_, err = n.out.Write(b)
	}
	if err != nil {
		return err
	}
	if b, err = n.feed.encodedKeys(s); err == nil && len(b) > 0 {
		_, err = n.out.Write(b)
	}
	return err
}

func (*network) placed(iam.Index)             {} // it reports that itself, once it is sure to keep it
func (n *network) idle() error                { return n.out.Flush() }
func (n *network) answers() <-chan wire.Frame { return n.queue }

// answer queues an answer, or drops it if the follower does not read.
func (n *network) answer(f wire.Frame) {
	select {
	case n.queue <- f:
	default:
	}
}

func (n *network) confirmed(nonce uint64, index iam.Index, err error) {
	if err != nil {
		n.answer(refused(nonce, err))
		return
	}
	n.feed.followers.told(n.member, index)
	n.answer(wire.Pong{Nonce: nonce, Index: index, Time: iam.At(n.feed.cfg.Now())})
}

// confirms asks for the current index on behalf of all followers, one question at a
// time. Whoever asks while one is under way waits for the next, because the answer
// has to be newer than the question.
type confirms struct {
	mu      sync.Mutex
	asking  bool
	waiting []func(iam.Index, error)
}

func (c *confirms) ask(confirm func(context.Context) (iam.Index, error), then func(iam.Index, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, then)
	if !c.asking {
		c.asking = true
		go c.rounds(confirm) // ends when nobody waits; each round within confirmTime
	}
}

func (c *confirms) rounds(confirm func(context.Context) (iam.Index, error)) {
	for {
		c.mu.Lock()
		round := c.waiting
		c.waiting = nil
		c.asking = len(round) > 0
		c.mu.Unlock()
		if len(round) == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), confirmTime)
		index, err := confirm(ctx)
		cancel()
		for _, then := range round {
			then(index, err)
		}
	}
}
