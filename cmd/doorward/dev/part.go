package dev

import (
	"context"
	"errors"
	"fmt"
)

// part is something that works in the background until it is stopped.
type part struct {
	name   string
	cancel context.CancelFunc
	ended  context.Context // done when the part has ended
	err    error           // why, valid after that
}

// start runs a part until its stop is called or it fails. The end of the context
// that Run was called with does not reach it, because the order of stopping
// matters.
func start(name string, run func(context.Context) error) *part {
	ctx, cancel := context.WithCancel(context.Background())
	ended, end := context.WithCancel(context.Background())
	p := &part{name: name, cancel: cancel, ended: ended}
	// Ended by p.stop, or by a failure of the part.
	go func() {
		defer end()
		p.err = run(ctx)
	}()
	return p
}

// stop ends the part, waits until it has, and returns why if it failed. Stopping
// twice is harmless.
func (p *part) stop() error {
	p.cancel()
	<-p.ended.Done()
	return p.failure()
}

// failure is why the part ended, nil if it was told to.
func (p *part) failure() error {
	if p.err == nil || errors.Is(p.err, context.Canceled) {
		return nil
	}
	return fmt.Errorf("%s: %w", p.name, p.err)
}

// while returns a context that ends with ctx or with the part.
func (p *part) while(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(p.ended, cancel)
	return ctx, func() { stop(); cancel() }
}
