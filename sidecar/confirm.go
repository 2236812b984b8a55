package sidecar

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/doorward/doorward/iam"
)

// confirmer asks the store for its current index on behalf of all requests that
// want to know: one question at a time, with a gap between two, so that their
// rate has a bound whatever the number of requests. A request joins the next
// question, never the one under way, because the answer must be newer than the
// request.
type confirmer struct {
	source Source
	config *Config

	mu     sync.Mutex
	next   *round        // that requests join; never nil
	wanted chan struct{} // capacity 1: somebody has joined
}

// round is one question and its answer, readable once done is closed.
type round struct {
	done  chan struct{}
	asked time.Time // before the question was sent
	index iam.Index
	err   error
}

func newConfirmer(source Source, config *Config) *confirmer {
	return &confirmer{source: source, config: config, next: newRound(), wanted: make(chan struct{}, 1)}
}

func newRound() *round { return &round{done: make(chan struct{})} }

// ask returns the answer to a question that is sent after the call.
func (c *confirmer) ask(ctx context.Context) (iam.Index, error) {
	if ctx == impatient {
		return 0, errImpatient
	}
	c.mu.Lock()
	r := c.next
	c.mu.Unlock()
	c.hurry()
	select {
	case <-r.done:
		return r.index, r.err
	case <-ctx.Done():
		return 0, fmt.Errorf("%w: %w", ErrUnconfirmed, ctx.Err())
	}
}

// hurry has the next question asked as soon as the gap allows.
func (c *confirmer) hurry() {
	select {
	case c.wanted <- struct{}{}:
	default:
	}
}

// run asks whenever somebody wants to know, and every Prove to learn how fresh the
// view is, and hands each answer to proved. It ends with ctx.
func (c *confirmer) run(ctx context.Context, proved func(asked time.Time, index iam.Index)) {
	tick := time.NewTicker(c.config.Prove)
	defer tick.Stop()
	gap := time.NewTimer(0)
	defer gap.Stop()
	for {
		select {
		case <-gap.C:
		case <-ctx.Done():
			c.close(ctx.Err())
			return
		}
		c.round(ctx, proved)
		gap.Reset(c.config.ConfirmGap)
		select {
		case <-c.wanted:
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func (c *confirmer) round(ctx context.Context, proved func(time.Time, iam.Index)) {
	c.mu.Lock()
	r := c.next
	c.next = newRound()
	c.mu.Unlock()
	r.asked = c.config.Now()
	bounded, cancel := context.WithTimeout(ctx, c.config.Patience)
	defer cancel()
	r.index, r.err = c.source.Confirm(bounded)
	if c.config.Events.Confirmed != nil {
		c.config.Events.Confirmed(c.config.Now().Sub(r.asked), r.err)
	}
	if r.err != nil {
		r.err = fmt.Errorf("%w: %w", ErrUnconfirmed, r.err)
	} else {
		proved(r.asked, r.index)
	}
	close(r.done)
}

// close answers those who joined last.
func (c *confirmer) close(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next.err = fmt.Errorf("%w: %w", ErrUnconfirmed, err)
	close(c.next.done)
	c.next = newRound()
}
