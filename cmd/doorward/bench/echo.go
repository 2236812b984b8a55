package bench

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
)

// echo is the least that a question over a unix socket can cost.
type echo struct {
	conn    net.Conn
	out, in []byte
	dir     string
	ended   chan struct{}
}

func newEcho(size int) (*echo, error) {
	dir, err := os.MkdirTemp("", "doorward-bench-")
	if err != nil {
		return nil, err
	}
	e := &echo{out: make([]byte, size), in: make([]byte, size), dir: dir, ended: make(chan struct{})}
	l, err := net.Listen("unix", filepath.Join(dir, "echo.sock"))
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	defer l.Close()
	if e.conn, err = net.Dial("unix", l.Addr().String()); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	far, err := l.Accept()
	if err != nil {
		return nil, errors.Join(err, e.conn.Close(), os.RemoveAll(dir))
	}
	// Ends when the near end is closed.
	go func() {
		defer close(e.ended)
		defer far.Close()
		buffer := make([]byte, size)
		for {
			if _, err := io.ReadFull(far, buffer); err != nil {
				return
			}
			if _, err := far.Write(buffer); err != nil {
				return
			}
		}
	}()
	return e, nil
}

func (e *echo) round(int, uint64) error {
	if _, err := e.conn.Write(e.out); err != nil {
		return err
	}
	_, err := io.ReadFull(e.conn, e.in)
	return err
}

func (e *echo) close() {
	e.conn.Close()
	<-e.ended
	os.RemoveAll(e.dir)
}
