package sidecar

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/doorward/doorward/cmd/doorward/config"
	"github.com/doorward/doorward/cmd/doorward/parts"
	"github.com/doorward/doorward/embed"
	"github.com/doorward/doorward/sidecar"
	"github.com/doorward/doorward/sidecar/metrics"
)

// Process is what a sidecar knows of the world outside.
type Process struct {
	Version string
	Out     io.Writer // of a decision log on standard output
	Log     *slog.Logger
	Getenv  func(string) string
	Token   string   // to join with, if there is no certificate yet
	Args    []string // that it was started with, without its name
}

// CheckFlag has the command say whether it could start, and no more.
const CheckFlag = "--check"

// firstView is how long the doors stay closed for want of a view.
const firstView = time.Second

// Run serves until ctx is done or a part fails. The settings are complete and valid. At
// SIGUSR2 it ends too, and the program begins anew in this process, as it then is, with
// the settings as they then are and the sockets as they were.
func Run(ctx context.Context, settings *config.Sidecar, p Process) (err error) {
	closing := func(close func() error) { err = errors.Join(err, close()) }

	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGUSR2)
	renewal, err := parts.NewRenewal(p.Args)
	if err != nil {
		return err
	}
	held, err := parts.Inherit(p.Getenv)
	if err != nil {
		return err
	}
	renewing := false
	defer func() {
		// All else has ended.
		if signal.Ignore(syscall.SIGUSR2); renewing && ctx.Err() == nil {
			if err != nil {
				p.Log.Error("the end before the new program", "error", err)
			}
			err = renewal.Begin()
		}
	}()

	// The doors' addresses are taken first: a second sidecar on this host ends here,
	// before it has touched anything.
	doors, err := takeDoors(settings, held, p)
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
	counters := metrics.New(decisions.log)
	host, err := embed.Open(ctx, embedding(settings, p, counters, decisions.log))
	if err != nil {
		return err
	}
	counters.Of(host.Authorizer())
	follower := parts.Start("authorizer", host.Run)
	defer closing(follower.Stop)

	doors.Frontend.Ready, doors.Frontend.Metrics = host.Ready, counters.Handler()
	// Who asked while nobody ran, because the sockets are held, is not answered 503 for
	// what the sidecar will know in a moment. Without a store it answers so, and says why.
	first, cancel := context.WithTimeout(ctx, firstView)
	_ = host.Authorizer().Wait(first, 0)
	cancel()
	open := doors.Open(host.Authorizer())
	defer closing(open.Stop)

	p.Log.Info("serving", "sidecar", host.Name(), "socket", settings.Socket, "versitygw", settings.Gateway, "http", settings.HTTP, "version", p.Version)
	if err := parts.Tell(p.Getenv, "READY=1"); err != nil {
		p.Log.Warn("systemd does not hear", "error", err)
	}
	for !renewing {
		select {
		case <-told:
			err := renewal.Check(ctx, CheckFlag)
			if err == nil {
				err = hold(renewal, settings, doors, held)
			}
			if err != nil {
				p.Log.Error("goes on as it is", "error", err)
				continue
			}
			p.Log.Info("making place for a new program")
			renewing = true
		case <-ctx.Done():
			p.Log.Info("stopping")
			// Systemd is told, so that it does not take the silence for a fault; if it does not
			// hear, nothing is lost.
			_ = parts.Tell(p.Getenv, "STOPPING=1")
			return nil
		case <-follower.Ended():
			return nil
		case <-open.Ended():
			return nil
		case <-decisions.ended():
			return nil
		}
	}
	return nil
}

// embedding is what the settings say about the authorizer.
func embedding(s *config.Sidecar, p Process, counters *metrics.Metrics, decisions *sidecar.DecisionLog) embed.Config {
	rules := sidecar.DefaultConfig()
	rules.Region, rules.Regions, rules.AnyRegion, rules.Endpoints = s.Region, s.Regions, s.AnyRegion, s.Endpoints
	rules.Events = embed.Log(p.Log)
	if decisions != nil {
		rules.Events.Decided = decisions.Record
	}
	counters.Listen(&rules.Events)
	return embed.Config{
		Nodes: s.Nodes, Name: s.Name, State: s.State, Token: p.Token, Plain: s.Plain,
		Certificate: s.Certificate, Key: s.Key, Authority: s.Authority, SnapshotKey: embed.SnapshotKey(s.SnapshotKey),
		Authorizer: &rules, Decided: counters.Decisions, Version: p.Version, Logger: p.Log,
	}
}
