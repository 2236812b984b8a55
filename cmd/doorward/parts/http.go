package parts

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// lingerTime is how long a server that stops goes on with the connections that it has.
// A client that asks constantly has by then been told to go; one that has not asked
// for so long is most unlikely to ask in the very moment of the end.
const lingerTime = 250 * time.Millisecond

// serveHTTP serves until ctx is done. Then it accepts nobody any more, ends every
// connection after its next answer, as that answer says, and lets requests in flight
// finish. Idle connections are not simply closed, because a client whose request crosses
// the end must not send it again unless it knows that nothing happened: Go's client
// does not do it for a POST.
func serveHTTP(ctx context.Context, server *http.Server, listener net.Listener) error {
	var stopping atomic.Bool
	handler := server.Handler
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if stopping.Load() {
			w.Header().Set("Connection", "close")
		}
		handler.ServeHTTP(w, r)
	})
	open := &connections{state: make(map[net.Conn]http.ConnState)}
	server.ConnState = open.note
	closed := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		stopping.Store(true)
		closed <- listener.Close()
	})
	if err := server.Serve(listener); stop() {
		return err // it failed before anybody asked it to stop
	}
	err := <-closed
	open.linger()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	return errors.Join(err, server.Shutdown(drain), server.Close())
}

// connections are those that a server has.
type connections struct {
	mu    sync.Mutex
	state map[net.Conn]http.ConnState
}

func (c *connections) note(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state[conn] = state; state == http.StateClosed || state == http.StateHijacked {
		delete(c.state, conn)
	}
}

// linger waits until all are closed, lingerTime at most, and closes those that have
// never asked anything, for which http.Server.Shutdown waits longer than drainTime.
func (c *connections) linger() {
	for end := time.Now().Add(lingerTime); time.Now().Before(end) && c.count() > 0; {
		time.Sleep(time.Millisecond)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn, state := range c.state {
		if state == http.StateNew {
			_ = conn.Close()
		}
	}
}

func (c *connections) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.state)
}
