package clustertest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doorward/doorward/cluster"
	"github.com/doorward/doorward/cluster/pki"
	"github.com/doorward/doorward/embed"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar"
)

// ownTLS is a cluster that has an authority.
func ownTLS(c *cluster.Config) { c.OwnTLS = true }

// member is a host whose sidecar has a certificate, as the program runs it.
type member struct {
	*host
	config embed.Config
	cancel context.CancelFunc
	done   chan struct{}
}

// member makes a sidecar join and starts it.
func (w *World) member(name string, knows *Node) *member {
	w.t.Helper()
	rules := sidecar.DefaultConfig()
	rules.Callers, rules.Keys = 1<<10, 1<<10
	m := &member{config: embed.Config{
		Nodes: []string{knows.host}, Name: name, State: w.t.TempDir(), Token: w.Token(iam.MemberSidecar, name),
		Carrier: w.Carrier(name), Authorizer: &rules, Version: "test",
	}}
	if os.Getenv("DOORWARD_CLUSTER_LOG") != "" {
		m.config.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("host", name)
	}
	w.t.Cleanup(func() { m.stop() })
	m.start(w)
	return m
}

func (m *member) start(w *World) {
	w.t.Helper()
	h, err := embed.Open(w.t.Context(), m.config)
	if err != nil {
		w.t.Fatal(err)
	}
	m.host = &host{Authorizer: h.Authorizer(), world: w, name: m.config.Name}
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel, m.done = cancel, make(chan struct{})
	go func() { defer close(m.done); h.Run(ctx) }() // ends with stop
}

func (m *member) stop() { m.cancel(); <-m.done }

// trust is what the sidecar has on its disk.
func (m *member) trust(w *World) pki.Trust {
	w.t.Helper()
	trust, err := pki.FilesIn(m.config.State).Trust()
	if err != nil {
		w.t.Fatal(err)
	}
	return trust
}

// authorities waits until nobody is too late for the next step, which has to be this one.
func (w *World) authorities(next cluster.Step) cluster.Authorities {
	w.t.Helper()
	var a cluster.Authorities
	began := time.Now()
	for {
		var err error
		if a, err = w.Leader().Authorities(w.t.Context()); err == nil && a.Next == next && len(a.Behind) == 0 {
			return a
		}
		if time.Since(began) > time.Minute {
			w.t.Fatalf("the next step is %s, want %s; behind %+v, %v", a.Next, next, a.Behind, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// steps are those of a replacement, each with the one that comes after it.
var steps = []struct {
	name string
	do   func(context.Context, *Node) error
	next cluster.Step
}{
	{"stage", func(ctx context.Context, n *Node) error { return n.StageAuthority(ctx) }, cluster.Use},
	{"use", func(ctx context.Context, n *Node) error { return n.UseAuthority(ctx, false) }, cluster.Drop},
	{"drop", func(ctx context.Context, n *Node) error { return n.DropAuthority(ctx, "", false) }, cluster.Stage},
}

// TestAuthorityIsReplacedUnderLoadAndNobodyNotices asks for decisions all the time, with
// credentials that were made the moment before among others, and writes at all nodes.
func TestAuthorityIsReplacedUnderLoadAndNobodyNotices(t *testing.T) {
	within(t, 3, ownTLS, func(t *testing.T, w *World) {
		s := newStorm(w, 10*credentialsPerUser)
		var hosts []*member
		for i := range 4 {
			hosts = append(hosts, w.member(fmt.Sprint("s", i), w.Node(i%3)))
		}
		known := s.credential(w.Leader(), 0)
		for _, h := range hosts {
			h.caughtUp(w.Leader())
		}
		before := w.authorities(cluster.Stage)
		w.Load(4, 1)
		ctx, stop := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		asked := make([]int, len(hosts))
		var made atomic.Int64
		for i, h := range hosts {
			asking.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					c := known
					if n%20 == 0 {
						c = s.credential(w.Node(n/20%3), int(made.Add(1)))
					}
					if d := s.ask(h.host, c); !d.Allowed() {
						t.Errorf("%s at %s: %d %s", c.AccessKeyID, h.name, d.Status(), d.Message())
					}
					asked[i]++
					time.Sleep(5 * time.Millisecond)
				}
			})
		}
		for i, step := range steps {
			if err := step.do(t.Context(), w.Node(i%3)); err != nil {
				t.Fatal(step.name, err)
			}
			w.authorities(step.next)
			if err := step.do(t.Context(), w.Node(i%3)); step.next != cluster.Stage && err != nil {
				t.Errorf("%s once more: %v", step.name, err)
			}
			time.Sleep(time.Second)
		}
		stop()
		asking.Wait()
		after := w.authorities(cluster.Stage)
		old, signs := before.All[0].Fingerprint, after.All[0].Fingerprint
		if len(after.All) != 1 || old == signs {
			t.Errorf("before %+v, after %+v", before.All, after.All)
		}
		w.Await("the sidecars let go of the old authority", time.Minute, func() bool {
			return !slices.ContainsFunc(hosts, func(h *member) bool {
				trust := h.trust(w)
				return trust.Signer != signs || !slices.Equal(trust.Authorities, []string{signs})
			})
		})
		for i, n := range asked {
			if n < 500 {
				t.Errorf("%s was asked %d times only", hosts[i].name, n)
			}
		}
		w.Verify()
	})
}

// TestWhoIsRestartedAtAnyStepComesBack stops every node and every sidecar once after each
// step, some of them before all have made it, and checks at the end that the old authority
// is of no use to anybody: not to a sidecar that slept through it, until it joins anew.
func TestWhoIsRestartedAtAnyStepComesBack(t *testing.T) {
	within(t, 3, ownTLS, func(t *testing.T, w *World) {
		s := newStorm(w, credentialsPerUser)
		awake, sleeper := w.member("awake", w.Node(0)), w.member("sleeper", w.Node(1))
		known := s.credential(w.Leader(), 0)
		awake.caughtUp(w.Leader())
		sleeper.caughtUp(w.Leader())
		old := w.authorities(cluster.Stage).All[0].Fingerprint
		sleeper.stop()
		w.Load(2, 2)
		for i, step := range steps {
			// A node that is down is waited for, whatever is forced.
			down := w.Follower()
			down.Crash()
			if i > 0 {
				err := force(t.Context(), w.Leader(), step.name)
				if !errors.Is(err, cluster.ErrAuthority) || !strings.Contains(err.Error(), "node "+down.ID()+": it does not answer") {
					t.Errorf("%s without a node: %v", step.name, err)
				}
			}
			down.Restart()
			w.AwaitVoters(3)
			awake.caughtUp(w.Leader())
			if i > 0 {
				w.behind(step.name, "sleeper", "not connected")
				if err := step.do(t.Context(), w.Leader()); !errors.Is(err, cluster.ErrAuthority) || !strings.Contains(err.Error(), "sidecar sleeper") {
					t.Errorf("%s without a sidecar: %v", step.name, err)
				}
				if err := force(t.Context(), w.Leader(), step.name); err != nil {
					t.Fatal(step.name, err)
				}
			} else if err := step.do(t.Context(), w.Leader()); err != nil {
				t.Fatal(step.name, err)
			}
			// At once, before they have heard of it, and one after the other.
			awake.stop()
			for _, n := range w.nodes {
				n.Crash()
				n.Restart()
				w.AwaitVoters(3)
			}
			awake.start(w)
			awake.caughtUp(w.Leader())
			if d := s.ask(awake.host, known); !d.Allowed() {
				t.Errorf("after %s: %d %s", step.name, d.Status(), d.Message())
			}
			w.behind(step.name, "", "")
		}
		w.Await("the old authority is gone", time.Minute, func() bool {
			a, err := w.Leader().Authorities(t.Context())
			return err == nil && len(a.All) == 1 && a.All[0].Fingerprint != old && len(a.Behind) == 0
		})

		// The certificate of the old authority opens nothing, in either direction.
		follow := cluster.SidecarDialer("sleeper", pki.FilesIn(sleeper.config.State), w.Carrier("sleeper"))
		if _, err := follow(t.Context(), w.Leader().Host()); !errors.Is(err, pki.ErrOtherAuthority) {
			t.Errorf("with a certificate and an authority from before: %v", err)
		}
		trusting := t.TempDir()
		text, err := os.ReadFile(filepath.Join(sleeper.config.State, "member.pem"))
		if err == nil {
			err = os.WriteFile(filepath.Join(trusting, "member.pem"), text, 0o600)
		}
		if err == nil {
			text, err = os.ReadFile(filepath.Join(awake.config.State, "authority.pem"))
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(trusting, "authority.pem"), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		follow = cluster.SidecarDialer("sleeper", pki.FilesIn(trusting), w.Carrier("sleeper"))
		if _, err := follow(t.Context(), w.Leader().Host()); !errors.Is(err, pki.ErrOtherAuthority) || !strings.Contains(err.Error(), "new token") {
			t.Errorf("with a certificate from before: %v", err)
		}
		sleeper.config.Token = w.Token(iam.MemberSidecar, "sleeper")
		sleeper.start(w)
		sleeper.caughtUp(w.Leader())
		if d := s.ask(sleeper.host, known); !d.Allowed() {
			t.Errorf("joined anew: %d %s", d.Status(), d.Message())
		}
		w.Verify()
	})
}

// force makes a step though sidecars are behind.
func force(ctx context.Context, n *Node, step string) error {
	if step == "use" {
		return n.UseAuthority(ctx, true)
	}
	return n.DropAuthority(ctx, "", true)
}

// behind waits until nobody is too early for the next step but the sidecars of a name.
func (w *World) behind(after, name, why string) {
	w.t.Helper()
	var a cluster.Authorities
	w.Await("only "+name+" is behind after "+after, 2*time.Minute, func() bool {
		var err error
		a, err = w.Leader().Authorities(w.t.Context())
		return err == nil && !slices.ContainsFunc(a.Behind, func(b cluster.Straggler) bool { return b.Name != "sleeper" })
	})
	if name != "" && !slices.ContainsFunc(a.Behind, func(b cluster.Straggler) bool { return b.Name == name && strings.Contains(b.Reason, why) }) {
		w.t.Errorf("after %s: behind %+v", after, a.Behind)
	}
}
