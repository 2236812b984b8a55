package clustertest

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/doorward/doorward/cluster"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/wire"
	"github.com/doorward/doorward/internal/seal"
	"github.com/doorward/doorward/sidecar/remote"
)

// fleet is one node on this machine and subscribers that only look at the index: each
// costs a connection and the decoding of its frames, in this process.
type fleet struct {
	node    *cluster.Node
	reached []atomic.Uint64 // by subscriber
	moved   chan int
	stop    func()
}

func newFleet(tb testing.TB, n int) *fleet {
	tb.Helper()
	dir := tb.TempDir()
	if _, err := seal.CreateRootFile(filepath.Join(dir, "root.key")); err != nil {
		tb.Fatal(err)
	}
	c := cluster.DefaultConfig()
	c.Dir, c.Root.File, c.Listen = filepath.Join(dir, "node"), filepath.Join(dir, "root.key"), "127.0.0.1:0"
	node, err := cluster.Open(c)
	if err != nil {
		tb.Fatal(err)
	}
	f := &fleet{node: node, reached: make([]atomic.Uint64, n), moved: make(chan int, n)}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	// All end with ctx.
	running.Go(func() { node.Run(ctx) })
	if _, err := node.Init(tb.Context(), cluster.Birth{}); err != nil {
		tb.Fatal(err)
	}
	dial := cluster.SidecarDialer("fleet", nil, nil)
	for i := range n {
		source, err := remote.New(remote.Config{
			Nodes: []string{node.Address()}, Name: fmt.Sprint("s", i),
			Dial: func(ctx context.Context, address string) (net.Conn, error) { return dial(ctx, address) },
		})
		if err != nil {
			tb.Fatal(err)
		}
		running.Go(func() {
			for ctx.Err() == nil {
				source.Follow(ctx, wire.Position{}, func(frame wire.Frame) error { return f.take(i, frame) })
			}
		})
		running.Go(func() { // what a sidecar asks every second
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					source.Confirm(ctx)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	f.stop = func() { cancel(); running.Wait() }
	return f
}

func (f *fleet) take(i int, frame wire.Frame) error {
	switch frame := frame.(type) {
	case wire.SnapshotEnd:
		f.reached[i].Store(uint64(frame.Position.Index))
	case wire.Delta:
		f.reached[i].Store(uint64(frame.Index))
	default:
		return nil
	}
	f.moved <- i
	return nil
}

// all waits until every subscriber has index.
func (f *fleet) all(tb testing.TB, index iam.Index) {
	tb.Helper()
	limit := time.After(time.Minute)
	for {
		behind := 0
		for i := range f.reached {
			if f.reached[i].Load() < uint64(index) {
				behind++
			}
		}
		if behind == 0 {
			return
		}
		select {
		case <-f.moved:
		case <-limit:
			tb.Fatalf("%d subscribers have not got to %d", behind, index)
		}
	}
}

// write makes a user and returns the index.
func (f *fleet) write(tb testing.TB, i int) iam.Index {
	r, err := f.node.Propose(tb.Context(), iam.Envelope{
		Command: createUser(fmt.Sprint("fleet", i)), Actor: iam.FirstAccount.Root(), Time: iam.At(time.Now()),
	})
	if err != nil || r.Err != nil {
		tb.Fatal(err, r.Err)
	}
	return r.Index
}

func TestThousandSubscribersAllGetEveryChange(t *testing.T) {
	n := 1000
	if testing.Short() {
		n = 100
	}
	f := newFleet(t, n)
	defer f.stop()
	f.all(t, f.node.View().Index())
	for i := range 10 {
		f.all(t, f.write(t, i))
	}
	all := f.node.Fence(t.Context(), f.node.View().Index(), time.Minute)
	if len(all.Followers) != n {
		t.Errorf("the node knows %d of %d", len(all.Followers), n)
	}
}

// BenchmarkPropagation is the time from the acknowledgement of a write until the last
// subscriber has it, in the middle of all writes and at the 99th of a hundred; and the
// processor time for each subscriber of each write, node and subscriber together, which is
// less dependent on what else the machine does.
func BenchmarkPropagation(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f := newFleet(b, n)
			defer f.stop()
			f.all(b, f.node.View().Index())
			var last []time.Duration
			spent := processorTime(b)
			for i := 0; b.Loop(); i++ {
				index := f.write(b, i)
				began := time.Now()
				f.all(b, index)
				last = append(last, time.Since(began))
			}
			b.ReportMetric(float64((processorTime(b)-spent).Microseconds())/float64(b.N*n), "cpu-us/subscriber")
			slices.Sort(last)
			b.ReportMetric(float64(last[len(last)/2].Microseconds()), "p50-us")
			b.ReportMetric(float64(last[len(last)*99/100].Microseconds()), "p99-us")
		})
	}
}

// processorTime is what this process has used so far.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
