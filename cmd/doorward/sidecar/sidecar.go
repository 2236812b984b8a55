package sidecar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/cluster"
	"github.com/doorward/doorward/cluster/pki"
	"github.com/doorward/doorward/cmd/doorward/config"
	"github.com/doorward/doorward/cmd/doorward/parts"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/wire"
	"github.com/doorward/doorward/sidecar"
	"github.com/doorward/doorward/sidecar/metrics"
	"github.com/doorward/doorward/sidecar/remote"
)

// Process is what a sidecar knows of the world outside.
type Process struct {
	Version string
	Out     io.Writer // of a decision log on standard output
	Log     *slog.Logger
	Getenv  func(string) string
	Token   string // to join with, if there is no certificate yet
}

// Run serves until ctx is done or a part fails. The settings are complete and valid.
func Run(ctx context.Context, settings *config.Sidecar, p Process) (err error) {
	closing := func(close func() error) { err = errors.Join(err, close()) }

	// A build that decides wrongly on this machine must not serve.
	if err := sidecar.SelfTest(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(settings.State, 0o700); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}

	// The doors' addresses are taken first: a second sidecar on this host ends here,
	// before it has touched anything.
	doors, err := takeDoors(settings, p)
	if err != nil {
		return err
	}
	defer doors.Close()

	decisions, err := openDecisions(settings, p.Out)
	if err != nil {
		return err
	}
	defer closing(decisions.close)

	// The authorizer follows before the doors open, and stops after them: what they have
	// read is answered.
	h := &host{settings: settings, process: p, name: settings.Name, counters: metrics.New(decisions.log)}
	if err := h.join(ctx); err != nil {
		return err
	}
	if err := h.open(decisions.log); err != nil {
		return err
	}
	renewal := parts.Start("certificate", h.renew)
	defer closing(renewal.Stop)
	follower := parts.Start("authorizer", h.authorizer.Run)
	defer closing(follower.Stop)

	doors.Frontend.Ready, doors.Frontend.Metrics = h.ready, h.counters.Handler()
	open := doors.Open(h.authorizer)
	defer closing(open.Stop)

	p.Log.Info("serving", "sidecar", h.name, "socket", settings.Socket, "versitygw", settings.Gateway, "http", settings.HTTP, "version", p.Version)
	if err := parts.Tell(p.Getenv, "READY=1"); err != nil {
		p.Log.Warn("systemd does not hear", "error", err)
	}
	select {
	case <-ctx.Done():
		p.Log.Info("stopping")
		// Systemd is told, so that it does not take the silence for a fault; if it does not
		// hear, nothing is lost.
		_ = parts.Tell(p.Getenv, "STOPPING=1")
	case <-follower.Ended():
	case <-open.Ended():
	case <-decisions.ended():
	}
	return nil
}

// host is the authorizer of this host and what it follows.
type host struct {
	settings   *config.Sidecar
	process    Process
	name       string
	files      *pki.Files // nil: no certificates
	counters   *metrics.Metrics
	source     *remote.Source
	authorizer *sidecar.Authorizer

	counted atomic.Uint64 // decisions at the last report
	at      atomic.Int64  // when that was, nanoseconds since 1970
}

func (h *host) open(decisions *sidecar.DecisionLog) (err error) {
	s := h.settings
	h.source, err = remote.New(remote.Config{
		Nodes: s.Nodes, Name: h.name, Version: h.process.Version, Dial: cluster.SidecarDialer(h.name, h.files),
		Report: h.report, Settle: func() error { return h.authorizer.Settle() },
		Connected: func(node, address string) { h.process.Log.Info("following", "node", node, "address", address) },
	})
	if err != nil {
		return err
	}
	c := sidecar.DefaultConfig()
	c.Region, c.Regions, c.AnyRegion, c.Endpoints = s.Region, s.Regions, s.AnyRegion, s.Endpoints
	if c.Keep, err = h.keep(); err != nil {
		return err
	}
	c.Events = h.events(decisions)
	h.counters.Listen(&c.Events)
	if h.authorizer, err = sidecar.New(c, h.source); err != nil {
		return err
	}
	h.counters.Of(h.authorizer)
	return nil
}

// events logs what an operator wants to know.
func (h *host) events(decisions *sidecar.DecisionLog) sidecar.Events {
	log := h.process.Log
	e := sidecar.Events{
		Restored: func(index iam.Index, records uint64) {
			log.Info("snapshot in effect", "index", index, "records", records)
		},
		Kept: func(index iam.Index, age time.Duration, err error) {
			switch {
			case err != nil:
				log.Warn("nothing that was kept is used", "reason", err)
			case index > 0:
				log.Info("serving from what was kept", "index", index, "age", age.Round(time.Millisecond))
			}
		},
		KeepFailed: func(err error) {
			log.Error("local snapshot cannot be written", "reason", err)
		},
		SourceLost: func(err error, retry time.Duration) {
			log.Warn("store lost, serving from memory", "retry", retry, "reason", err)
		},
		Diverged: func(index iam.Index) {
			log.Error("view differs from the store's, taking a snapshot", "index", index)
		},
	}
	if decisions != nil {
		e.Decided = decisions.Record
	}
	return e
}

// maxSkew is how far the clock of this host may be from a node's: signatures are
// good for 15 minutes.
const maxSkew = 5 * time.Minute

// ready says why this host should not be asked: no snapshot, cut off for too long,
// or a clock that cannot be right.
func (h *host) ready() error {
	if err := h.authorizer.Status().Err; err != nil {
		return err
	}
	if skew := h.source.Skew(); skew.Abs() > maxSkew {
		return fmt.Errorf("the clock differs from the store's by %v", skew.Round(time.Second))
	}
	return nil
}

// report is what the node is told now and then.
func (h *host) report() wire.Progress {
	now, decided := time.Now().UnixNano(), h.counters.Decisions()
	seconds := float64(now-h.at.Swap(now)) / float64(time.Second)
	rate := float64(decided-h.counted.Swap(decided)) / max(seconds, 1)
	return wire.Progress{
		Staleness: uint32(h.authorizer.Status().Staleness.Milliseconds()), Rate: uint32(rate),
		Used: h.authorizer.Used(wire.MaxUses),
	}
}
