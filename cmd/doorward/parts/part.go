package parts

import (
	"context"
	"errors"
	"fmt"
)

// Part is something that works in the background until it is stopped.
type Part struct {
	name   string
	cancel context.CancelFunc
	ended  context.Context // done when the part has ended
	err    error           // why, valid after that
}

// Start runs a part until its Stop is called or it fails. No context of the caller
// reaches it, because the order of stopping matters.
func Start(name string, run func(context.Context) error) *Part {
	ctx, cancel := context.WithCancel(context.Background())
	ended, end := context.WithCancel(context.Background())
	p := &Part{name: name, cancel: cancel, ended: ended}
	// Ended by p.Stop, or by a failure of the part.
	go func() {
		defer end()
		p.err = run(ctx)
	}()
	return p
}

// Stop ends the part, waits until it has, and returns why if it failed. Stopping
// twice is harmless.
func (p *Part) Stop() error {
	p.cancel()
	<-p.ended.Done()
	return p.failure()
}

// Ended is closed when the part has ended, told to or not.
func (p *Part) Ended() <-chan struct{} { return p.ended.Done() }

// failure is why the part ended, nil if it was told to.
func (p *Part) failure() error {
	if p.err == nil || errors.Is(p.err, context.Canceled) {
		return nil
	}
	return fmt.Errorf("%s: %w", p.name, p.err)
}

// While returns a context that ends with ctx or with the part.
func (p *Part) While(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(p.ended, cancel)
	return ctx, func() { stop(); cancel() }
}
