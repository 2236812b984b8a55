package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/doorward/doorward/cmd/doorward/bench/workload"
	"github.com/doorward/doorward/cmd/doorward/parts"
	"github.com/doorward/doorward/internal/lockout"
	"github.com/doorward/doorward/sidecar"
	"github.com/doorward/doorward/sidecar/frontend"
)

// Host is an authorizer with its doors that follows a population, in this process.
type Host struct {
	Authorizer *sidecar.Authorizer
	Socket     string // of sidecar/protocol
	Gateway    string // of versitygw's protocol
	HTTP       string // address of /auth, as nginx asks

	dir      string
	follower *parts.Part
	doors    *parts.Part
}

// NewHost starts a host and waits until it decides.
func NewHost(ctx context.Context, source sidecar.Source) (h *Host, err error) {
	h = &Host{}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.Close())
		}
	}()
	if h.dir, err = os.MkdirTemp("", "doorward-bench-"); err != nil {
		return h, err
	}
	config := sidecar.DefaultConfig()
	// Forged requests come from everywhere, so that none is answered by a lock; but a
	// sample that is sent again and again would be.
	config.Lockout = lockout.Config{Attempts: -1}
	if h.Authorizer, err = sidecar.New(config, source); err != nil {
		return h, err
	}
	h.follower = parts.Start("authorizer", h.Authorizer.Run)
	if err := h.Authorizer.Wait(ctx, 1); err != nil {
		return h, err
	}
	return h, h.open()
}

func (h *Host) open() (err error) {
	h.Socket, h.Gateway = filepath.Join(h.dir, "run", "sidecar.sock"), filepath.Join(h.dir, "run", "versitygw.sock")
	doors := parts.Doors{Server: sidecar.DefaultServerConfig(), Frontend: frontend.Config{Proxy: &frontend.Nginx}, Log: slog.New(slog.DiscardHandler)}
	if doors.Frames, err = (sidecar.Socket{Path: h.Socket, Group: -1}).Listen(); err != nil {
		return err
	}
	if doors.Gateway, err = (sidecar.Socket{Path: h.Gateway, Group: -1}).Listen(); err != nil {
		return errors.Join(err, doors.Close())
	}
	if doors.HTTP, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return errors.Join(err, doors.Close())
	}
	h.HTTP = doors.HTTP.Addr().String()
	h.doors = doors.Open(h.Authorizer)
	return nil
}

// Close ends the host and leaves nothing behind.
func (h *Host) Close() (err error) {
	if h.doors != nil {
		err = h.doors.Stop()
	}
	if h.follower != nil {
		err = errors.Join(err, h.follower.Stop())
	}
	return errors.Join(err, os.RemoveAll(h.dir))
}

// Inhabit makes a population and a host that follows it.
func Inhabit(ctx context.Context, c workload.Config) (*workload.Population, *Host, error) {
	p, err := workload.New(c, time.Now())
	if err != nil {
		return nil, nil, err
	}
	h, err := NewHost(ctx, p)
	if err != nil {
		return nil, nil, fmt.Errorf("start an authorizer: %w", err)
	}
	return p, h, nil
}
