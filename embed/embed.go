package embed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/cluster"
	"github.com/doorward/doorward/cluster/mesh"
	"github.com/doorward/doorward/cluster/pki"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/wire"
	"github.com/doorward/doorward/sidecar"
	"github.com/doorward/doorward/sidecar/remote"
)

// Config says which store to follow, as whom, and how to decide.
type Config struct {
	// Nodes are addresses of store nodes (their peer.listen). One will do: a node tells
	// the others.
	Nodes []string
	// Name is what this server would like to be called when it joins; with a
	// certificate, it is called what that says. Default: the host's name.
	Name string
	// State is the directory of the certificate and of the local snapshot, for this
	// process alone. It is made if it does not exist.
	State string
	// Token lets the server join (doorward cluster token create --kind sidecar). It is
	// needed until State holds a certificate, which is renewed by itself.
	Token string
	// Certificate, Key and Authority are PEM files to use instead of a token; they are
	// read again when they change.
	Certificate, Key, Authority string
	// Plain does without certificates, to nodes on loopback only.
	Plain bool
	// SnapshotKey says where the key is that seals the local snapshot. Default: a file
	// in State, which is made.
	SnapshotKey SnapshotKey

	// Carrier is where connections come from; nil means TCP.
	Carrier mesh.Carrier

	// Authorizer says how to decide; nil is [sidecar.DefaultConfig]. Its Keep is filled in.
	Authorizer *sidecar.Config
	// Decided returns how many decisions were made so far, for operators; nil: it is not
	// told.
	Decided func() uint64
	// Version is told to operators.
	Version string
	// Logger is told what happens. Nil: nobody is.
	Logger *slog.Logger
}

// SnapshotKey is where the key of the local snapshot can be: in a file, which is made if
// it does not exist, or in a systemd credential.
type SnapshotKey struct {
	File, Credential string
	// None does without a snapshot, so that the server cannot decide before it has reached
	// the store.
	None bool
}

// Host is an authorizer and what it follows.
type Host struct {
	config     Config
	files      *pki.Files // nil: no certificates
	source     *remote.Source
	authorizer *sidecar.Authorizer
	wake       chan struct{} // capacity 1: the store's authorities may be others
	heeded     pki.Trust     // those that it was said of last

	counted atomic.Uint64 // decisions at the last report
	at      atomic.Int64  // when that was, nanoseconds since 1970
}

// Open joins the store if that is still to be done, and makes the authorizer, which
// answers 503 until [Host.Run] has a view. A build that decides wrongly on this machine
// is an error ([sidecar.SelfTest]), and so is a missing token ([ErrNoToken]).
func Open(ctx context.Context, config Config) (*Host, error) {
	if err := config.complete(); err != nil {
		return nil, err
	}
	if err := sidecar.SelfTest(ctx); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(config.State, 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	h := &Host{config: config, wake: make(chan struct{}, 1)}
	if err := h.join(ctx); err != nil {
		return nil, err
	}
	return h, h.open()
}

func (c *Config) complete() error {
	if len(c.Nodes) == 0 || c.State == "" {
		return errors.New("embed: Nodes and State have to be set")
	}
	if c.Name == "" {
		name, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("embed: no Name, and the host has none: %w", err)
		}
		c.Name = name
	}
	if c.Authorizer == nil {
		c.Authorizer = new(sidecar.DefaultConfig())
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

func (h *Host) open() (err error) {
	c := &h.config
	h.source, err = remote.New(remote.Config{
		Nodes: c.Nodes, Name: c.Name, Version: c.Version, Dial: cluster.SidecarDialer(c.Name, h.files, c.Carrier),
		Report: h.report, Settle: h.settle, Trust: h.trusted,
		Connected: func(node, address string) { c.Logger.Info("following", "node", node, "address", address) },
	})
	if err != nil {
		return err
	}
	rules := *c.Authorizer
	if rules.Keep, err = h.keep(); err != nil {
		return err
	}
	h.authorizer, err = sidecar.New(rules, h.source)
	return err
}

// Authorizer answers requests. It is safe for concurrent use.
func (h *Host) Authorizer() *sidecar.Authorizer { return h.authorizer }

// Name is what operators see this server as.
func (h *Host) Name() string { return h.config.Name }

// Run follows the store and renews the certificate until ctx is done or one of both
// fails for good. It is to be called once.
func (h *Host) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var renewal error
	var wg sync.WaitGroup
	wg.Go(func() {
		defer cancel()
		renewal = h.renew(ctx)
	})
	err := h.authorizer.Run(ctx)
	cancel()
	wg.Wait()
	return errors.Join(unlessDone(err), unlessDone(renewal))
}

func unlessDone(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// maxSkew is how far the clock of this host may be from a node's: signatures are
// good for 15 minutes.
const maxSkew = 5 * time.Minute

// Ready says why this host should not be asked: no snapshot, cut off for too long,
// or a clock that cannot be right.
func (h *Host) Ready() error {
	if err := h.authorizer.Status().Err; err != nil {
		return err
	}
	if skew := h.source.Skew(); skew.Abs() > maxSkew {
		return fmt.Errorf("the clock differs from the store's by %v", skew.Round(time.Second))
	}
	return nil
}

// report is what the node is told now and then.
func (h *Host) report() wire.Progress {
	p := wire.Progress{Staleness: uint32(h.authorizer.Status().Staleness.Milliseconds()), Used: h.authorizer.Used(wire.MaxUses)}
	if h.config.Decided != nil {
		now, decided := time.Now().UnixNano(), h.config.Decided()
		seconds := float64(now-h.at.Swap(now)) / float64(time.Second)
		p.Rate = uint32(float64(decided-h.counted.Swap(decided)) / max(seconds, 1))
	}
	return p
}

// Log returns events that tell log what an operator wants to know of an authorizer.
func Log(log *slog.Logger) sidecar.Events {
	return sidecar.Events{
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
}
