package remote

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/wire"
)

// session is the conversation with one node: frames come in one after another, and
// questions and reports go out beside them.
type session struct {
	source  *Source
	conn    net.Conn
	address string

	out     chan wire.Frame // questions on their way
	applied chan iam.Index  // capacity 1: the newest index to report
	done    chan struct{}   // closed when the session has ended
	at      wire.Position   // where the feed is; of who follows
	trusts  []string        // that the node was told of; of acknowledge, once there is one
	next    *session        // takes this one's place; guarded by source.mu

	mu      sync.Mutex
	waiting map[uint64]chan wire.Frame // by nonce
	doubted time.Time                  // since when the node cannot tell what is current; zero: it can
}

// questionsWaiting is how many questions may be on their way to the connection.
const questionsWaiting = 64

func newSession(s *Source, conn net.Conn, address string) *session {
	return &session{
		source: s, conn: conn, address: address,
		out: make(chan wire.Frame, questionsWaiting), applied: make(chan iam.Index, 1), done: make(chan struct{}),
		waiting: make(map[uint64]chan wire.Frame),
	}
}

// subscribe says who follows, and from where.
func (c *session) subscribe(from wire.Position) error {
	s := c.source
	s.mu.Lock()
	s.serves = s.serves || from.Index > 0
	serves := s.serves
	s.mu.Unlock()
	if from.Index > 0 {
		c.applied <- from.Index // as soon as it is settled
	}
	c.at = from
	if err := c.write(wire.Subscribe{Name: s.config.Name, Version: s.config.Version, Instance: s.instance, From: from, Serves: serves}); err != nil {
		return err
	}
	if trust, changed := c.trust(); changed {
		return c.write(trust)
	}
	return nil
}

// trust returns whose certificates are accepted, and whether the node does not know yet.
func (c *session) trust() (wire.Trust, bool) {
	if c.source.config.Trust == nil {
		return wire.Trust{}, false
	}
	now := c.source.config.Trust()
	if slices.Equal(now, c.trusts) {
		return wire.Trust{}, false
	}
	c.trusts = now
	return wire.Trust{Authorities: now}, true
}

func (c *session) write(f wire.Frame) error {
	b, err := wire.AppendFrame(nil, f)
	if err != nil {
		return err
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	_, err = c.conn.Write(b)
	return err
}

// follow takes frames until the connection or the sink fails, or ctx is done.
func (c *session) follow(ctx context.Context, sink func(wire.Frame) error) error {
	var speaking sync.WaitGroup
	// Both end when done is closed, which is before follow returns.
	speaking.Go(c.speak)
	speaking.Go(c.acknowledge)
	stop := context.AfterFunc(ctx, func() { c.conn.Close() })
	err := c.listen(sink)
	stop()
	c.end()
	speaking.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("node at %s: %w", c.address, err)
}

// end ends the connection, and the wait for answers.
func (c *session) end() {
	close(c.done)
	c.conn.Close()
}

// listen takes frames one after another.
func (c *session) listen(sink func(wire.Frame) error) error {
	in := wire.NewFrameReader(c.conn)
	for {
		if err := c.conn.SetReadDeadline(time.Now().Add(silence)); err != nil {
			return err
		}
		frame, err := in.Read()
		if err != nil {
			return err
		}
		switch f := frame.(type) {
		case wire.Pong:
			c.answer(f.Nonce, f)
		case wire.Key:
			c.answer(f.Nonce, f)
		case wire.Refused:
			c.answer(f.Nonce, f)
		case wire.Subscribe, wire.Progress, wire.Trust, wire.Confirm, wire.AskKey:
			return fmt.Errorf("%T from a node", f)
		default:
			if err := c.take(f, sink); err != nil {
				return err
			}
		}
		if err := c.doubtful(); err != nil {
			return err
		}
	}
}

// take hands a frame of the feed on, and reports what is in effect after it.
func (c *session) take(frame wire.Frame, sink func(wire.Frame) error) error {
	if err := sink(frame); err != nil {
		return err
	}
	switch f := frame.(type) {
	case wire.Hello:
		c.source.learn(f.Nodes)
		if c.source.config.Connected != nil {
			c.source.config.Connected(f.Node, c.address)
		}
	case wire.GoAway:
		c.source.learn(f.Peers)
	case wire.SnapshotEnd:
		c.at = f.Position
		c.reached(f.Position.Index)
	case wire.Delta:
		c.at.Index, c.at.Sum = f.Index, f.Sum
		c.reached(f.Index)
	case wire.Bookmark:
		c.at.Index, c.at.Sum = f.Index, f.Sum
		c.reached(f.Index)
	}
	return nil
}

func (c *session) reached(index iam.Index) {
	c.source.mu.Lock()
	c.source.serves = true
	c.source.mu.Unlock()
	select {
	case <-c.applied: // an older one, that nobody has reported yet
	default:
	}
	c.applied <- index
}

// acknowledge reports each index as soon as it is in effect and would be so after a
// restart. Those that come meanwhile are reported together.
func (c *session) acknowledge() {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	var at iam.Index
	for {
		p := wire.Progress{}
		select {
		case <-c.done:
			return
		case index := <-c.applied:
			if settle := c.source.config.Settle; settle != nil && settle() != nil {
				continue
			}
			at = index
		case <-tick.C:
			if trust, changed := c.trust(); changed && !c.say(trust) {
				return
			}
			if at == 0 {
				continue
			}
			p = c.report()
		}
		p.Index = at
		if !c.say(p) {
			return
		}
	}
}

// say has a frame sent, unless the session ends first.
func (c *session) say(f wire.Frame) bool {
	select {
	case c.out <- f:
		return true
	case <-c.done:
		return false
	}
}

// speak sends questions and reports.
func (c *session) speak() {
	for {
		var frame wire.Frame
		select {
		case <-c.done:
			return
		case frame = <-c.out:
		}
		if err := c.write(frame); err != nil {
			c.conn.Close() // which ends listen
			<-c.done
			return
		}
	}
}

func (c *session) report() (p wire.Progress) {
	if c.source.config.Report != nil {
		p = c.source.config.Report()
	}
	return p
}

// ask sends a question and waits for its answer.
func (c *session) ask(ctx context.Context, nonce uint64, question wire.Frame) (wire.Frame, error) {
	answer := make(chan wire.Frame, 1)
	c.mu.Lock()
	c.waiting[nonce] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, nonce)
		c.mu.Unlock()
	}()
	select {
	case c.out <- question:
	case <-c.done:
		return nil, ErrLost
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case frame := <-answer:
		return c.said(question, frame)
	case <-c.done:
		return nil, ErrLost
	case <-ctx.Done():
		c.doubt(question)
		return nil, ctx.Err()
	}
}

// doubt notes that a node does not tell what is current.
func (c *session) doubt(question wire.Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := question.(wire.Confirm); ok && c.doubted.IsZero() {
		c.doubted = time.Now()
	}
}

// said makes an error of a refusal, and notes whether the node can tell what is
// current.
func (c *session) said(question, answer wire.Frame) (wire.Frame, error) {
	if refusal, refused := answer.(wire.Refused); refused {
		c.doubt(question)
		return nil, &iam.Error{Code: refusal.Code, Message: refusal.Message}
	}
	if _, ok := question.(wire.Confirm); ok {
		c.mu.Lock()
		c.doubted = time.Time{}
		c.mu.Unlock()
	}
	return answer, nil
}

// doubtful returns an error when the node has not been able for long to tell what is
// current, and there are others to ask.
func (c *session) doubtful() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.doubted.IsZero() && time.Since(c.doubted) > doubt && len(c.source.candidates()) > 1 {
		return errDoubt
	}
	return nil
}

// answer hands an answer to who waits for it, if anybody still does.
func (c *session) answer(nonce uint64, frame wire.Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if waiting, ok := c.waiting[nonce]; ok {
		select {
		case waiting <- frame:
		default: // a second answer to one question
		}
	}
}
