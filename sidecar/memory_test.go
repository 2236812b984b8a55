package sidecar

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/doorward/doorward/authz/sigv4"
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
		key := frozenKey(i)
		b.Add([]iam.Change{{User: u}, {AccessKey: &iam.AccessKey{ID: key, Owner: u.Ref(), Status: iam.Active, Created: 1}}})
	}
	return &frozen{view: b.View(1)}
}

// frozenKey is the access key of a frozen store's user.
func frozenKey(i int) iam.AccessKeyID {
	return iam.AccessKeyID(fmt.Sprintf("AKIA%016X", uint64(i)*0x9e3779b97f4a7c15))
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

// BenchmarkColdStart starts a sidecar from what it kept, at three sizes. It says how long
// that takes by the clock and by the processor, what a user with one key and one attached
// policy takes of the memory, and what a collection of garbage costs: how much memory it
// has to look into, which does not depend on what else the machine does, and how long it
// takes.
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
	before, after := heap(), int64(0)
	b.ResetTimer()
	var took, spent, collect time.Duration
	for b.Loop() {
		began, used := time.Now(), processorTime(b)
		a, err := New(config, vector(""))
		if err != nil {
			b.Fatal(err)
		}
		if err := a.replica.keeper.restore(); err != nil || a.Status().Err != nil {
			b.Fatal(err, a.Status().Err)
		}
		took, spent = took+time.Since(began), spent+processorTime(b)-used
		after = heap()
		began = time.Now()
		runtime.GC()
		collect += time.Since(began)
		runtime.KeepAlive(a)
		b.ReportMetric(scannable()/float64(n), "scan-B/identity")
	}
	b.ReportMetric(float64(after-before)/float64(n), "B/identity")
	b.ReportMetric(took.Seconds()/float64(b.N), "s/start")
	b.ReportMetric(spent.Seconds()/float64(b.N), "cpu-s/start")
	b.ReportMetric(collect.Seconds()*1000/float64(b.N), "ms/gc")
}

// scannable is how much memory the last collection of garbage had to look into, in bytes.
func scannable() float64 {
	sample := []metrics.Sample{{Name: "/gc/scan/heap:bytes"}}
	metrics.Read(sample)
	return float64(sample[0].Value.Uint64())
}

// heap is how many bytes are in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkKeyInUse says what an access key takes in addition while it is in use: ready to
// decide, with the signing keys that the feed has brought for three days. There are
// Config.Callers of them at most, and Config.Keys signing keys, however many identities
// there are.
func BenchmarkKeyInUse(b *testing.B) {
	const n = 20_000
	config := DefaultConfig()
	source := newFrozen(n)
	for b.Loop() {
		runUntil(b, config, source, func(a *Authorizer) {
			v := a.replica.current.Load()
			ids := make([]iam.AccessKeyID, n)
			for i := range ids {
				ids[i] = frozenKey(i)
			}
			before := heap()
			for _, id := range ids {
				if v.callers.find(v.View, id) == nil {
					b.Fatal("no such key")
				}
			}
			ready := heap()
			for _, id := range ids {
				var keys []wire.SigningKey
				for _, day := range []string{"20260101", "20260102", "20260103"} {
					keys = append(keys, wire.SigningKey{AccessKey: id, Scope: wire.Scope{Date: day, Region: "us-east-1", Service: "s3"}})
				}
				a.keys.push(keys)
			}
			keyed := heap()
			for _, id := range ids {
				who := v.callers.find(v.View, id)
				if _, err := a.signingKey(context.Background(), who, sigv4.Scope{Date: "20260102", Region: "us-east-1", Service: sigv4.S3}); err != nil {
					b.Fatal(err)
				}
			}
			signed := heap()
			b.ReportMetric(float64(ready-before)/n, "B/caller")
			b.ReportMetric(float64(keyed-ready)/n, "B/keys")
			b.ReportMetric(float64(signed-keyed)/n, "B/ready-key")
		})
	}
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
