package sidecar

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/iam/wire"
)

var million = flag.Bool("million", false, "also measure a million identities, which takes a minute and 2 GB")

// frozen is a store with n users, each with a managed policy and one access key, to
// which nothing is added.
type frozen struct {
	vector
	view *state.View
}

func newFrozen(n int) *frozen {
	const readonly iam.ARN = "arn:aws:iam::000000000000:policy/readonly"
	b := state.NewBuilder()
	b.Add([]iam.Change{
		{Store: &iam.Store{ClusterID: "frozen", Account: iam.FirstAccount, Epoch: 1}},
		{Policy: &iam.Policy{Account: iam.FirstAccount, Name: "readonly", Path: "/", Default: 1, Versions: []iam.PolicyVersion{{Number: 1, Document: document(readAll)}}}},
	})
	for i := range n {
		u := &iam.User{
			Account: iam.FirstAccount, Name: fmt.Sprintf("user-%07d", i), Path: "/", ID: iam.UniqueID(fmt.Sprintf("AIDA%017d", i)),
			Created: 1, Status: iam.Active, Attached: []iam.ARN{readonly},
		}
		key := iam.AccessKeyID(fmt.Sprintf("AKIA%016X", uint64(i)*0x9e3779b97f4a7c15))
		b.Add([]iam.Change{{User: u}, {AccessKey: &iam.AccessKey{ID: key, Owner: u.Ref(), Status: iam.Active, Created: 1}}})
	}
	return &frozen{view: b.View(1)}
}

func (f *frozen) Follow(ctx context.Context, from wire.Position, sink func(wire.Frame) error) error {
	at := wire.PositionOf(f.view)
	err := sink(wire.Hello{Cluster: at.Cluster, Epoch: at.Epoch, TokenKeys: [][]byte{make([]byte, 32)}})
	if err == nil && from != at {
		err = f.snapshot(at, sink)
	}
	if err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func (f *frozen) snapshot(at wire.Position, sink func(wire.Frame) error) error {
	var all []iam.Change
	for c := range f.view.All() {
		all = append(all, c)
	}
	if err := sink(wire.SnapshotBegin{Position: at, Records: uint64(len(all))}); err != nil {
		return err
	}
	for len(all) > 0 {
		n := min(512, len(all))
		// Through bytes, as over the network: what the sidecar has is its own.
		b, err := wire.AppendFrame(nil, wire.SnapshotChunk{Changes: all[:n]})
		if err != nil {
			return err
		}
		frame, err := wire.NewFrameReader(&oneRead{b}).Read()
		if err == nil {
			err = sink(frame)
		}
		if err != nil {
			return err
		}
		all = all[n:]
	}
	return sink(wire.SnapshotEnd{Position: at})
}

type oneRead struct{ b []byte }

func (r *oneRead) Read(b []byte) (int, error) {
	n := copy(b, r.b)
	r.b = r.b[n:]
	return n, nil
}

// BenchmarkColdStart starts a sidecar from what it kept, and says what a user with one
// key and one attached policy takes of its memory, and how long a collection of
// garbage takes.
func BenchmarkColdStart(b *testing.B) {
	sizes := []int{10_000, 100_000}
	if *million {
		sizes = append(sizes, 1_000_000)
	}
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) { coldStart(b, n) })
	}
}

func coldStart(b *testing.B, n int) {
	config := DefaultConfig()
	config.Callers = 1 << 10
	config.Keep = &KeepConfig{Path: filepath.Join(b.TempDir(), "kept"), Key: fixedKey("k")}
	first := newFrozen(n)
	runUntil(b, config, first, func(a *Authorizer) { a.replica.keeper.write(true) })
	first = nil
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.ResetTimer()
	var took, collect time.Duration
	for b.Loop() {
		began := time.Now()
		a, err := New(config, vector(""))
		if err != nil {
			b.Fatal(err)
		}
		if err := a.replica.keeper.restore(); err != nil || a.Status().Err != nil {
			b.Fatal(err, a.Status().Err)
		}
		took += time.Since(began)
		runtime.GC()
		runtime.ReadMemStats(&after)
		began = time.Now()
		runtime.GC()
		collect += time.Since(began)
		runtime.KeepAlive(a)
	}
	b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/float64(n), "B/identity")
	b.ReportMetric(took.Seconds()/float64(b.N), "s/start")
	b.ReportMetric(collect.Seconds()*1000/float64(b.N), "ms/gc")
}

// runUntil runs an authorizer until it is ready, does something, and ends it.
func runUntil(b *testing.B, config Config, source Source, do func(*Authorizer)) {
	b.Helper()
	a, err := New(config, source)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	// Ended by cancel.
	go func() { defer close(done); _ = a.Run(ctx) }()
	if err := a.Wait(ctx, 1); err != nil {
		b.Fatal(err)
	}
	do(a)
	cancel()
	<-done
}
