package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/doorward/doorward/cluster"
	"github.com/doorward/doorward/cmd/doorward/bench/process"
	"github.com/doorward/doorward/cmd/doorward/bench/report"
	"github.com/doorward/doorward/cmd/doorward/bench/stores"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/wire"
	"github.com/doorward/doorward/sidecar/remote"
)

// Fleet measures a store of three processes with many sidecars: how long a change takes
// to reach all of them, what each costs a node and the network, and how they come back
// when a node is killed. The sidecars are subscribers in this process, with connections,
// frames and questions as real ones have, that only keep the index; so what is measured
// of them holds for the store, not for the memory of a sidecar.
type Fleet struct {
	Program  string
	Sidecars []int // growing
	Changes  int   // that are followed, for each number of sidecars
	Progress Progress
}

// DefaultFleet grows to five thousand.
func DefaultFleet() Fleet { return Fleet{Sidecars: []int{1, 100, 1000, 5000}, Changes: 50} }

// Run adds the tables.
func (b Fleet) Run(ctx context.Context, to *report.Report) (err error) {
	defer b.Progress.End()
	store, done, err := Write{Program: b.Program, Nodes: 3, Progress: b.Progress}.Store(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	f := newFleet(ctx, store)
	defer f.stop()
	bare, err := f.usage()
	if err != nil {
		return err
	}
	table := to.Add("fleet/propagation", "nodes", 3, "changes", b.Changes)
	curve := report.Curve{Plot: "propagation", Name: "the last sidecar, p99"}
	for _, n := range b.Sidecars {
		b.Progress.Step("fleet: %d sidecars", n)
		if err := f.grow(ctx, n); err != nil {
			return err
		}
		each, last, err := b.propagate(ctx, f)
		if err != nil {
			return err
		}
		cost, err := f.costs(ctx, bare)
		if err != nil {
			return err
		}
		table.Row(fmt.Sprintf("%d sidecars", n), append([]report.Figure{
			at("each, p50", each, 50), at("each, p99", each, 99), at("the last, p50", last, 50), at("the last, p99", last, 99),
		}, cost...)...)
		curve.Points = append(curve.Points, [2]float64{float64(n), float64(last.ValueAtPercentile(99)) / 1e6})
	}
	to.Curves = append(to.Curves, curve)
	return b.storm(ctx, to, f)
}

func at(name string, h *hdrhistogram.Histogram, percentile float64) report.Figure {
	return report.Figure{Name: name, Unit: report.Nanoseconds, Value: float64(h.ValueAtPercentile(percentile))}
}

// fleetPatience bounds how long a fleet may take for anything.
const fleetPatience = time.Minute

// propagate makes changes and returns how long after its acknowledgement each was at
// each sidecar, and at the last one.
func (b Fleet) propagate(ctx context.Context, f *fleet) (each, last *hdrhistogram.Histogram, err error) {
	each, last = hdrhistogram.New(1, int64(fleetPatience), 3), hdrhistogram.New(1, int64(fleetPatience), 3)
	for range b.Changes {
		index, acknowledged, err := f.write(ctx)
		if err == nil {
			err = f.await(ctx, index)
		}
		if err != nil {
			return nil, nil, err
		}
		slowest := time.Duration(0)
		for _, s := range f.sidecars {
			after := max(time.Duration(s.arrived.Load()-acknowledged.UnixNano()), 0)
			_ = each.RecordValue(int64(after))
			slowest = max(slowest, after)
		}
		_ = last.RecordValue(int64(slowest))
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond) // at no beat with anything
	}
	return each, last, nil
}

// storm kills the node that leads, and measures how its sidecars come back.
func (b Fleet) storm(ctx context.Context, to *report.Report, f *fleet) error {
	b.Progress.Step("fleet: %d sidecars lose a node", len(f.sidecars))
	leader, _, err := f.store.Leader(ctx)
	if err != nil {
		return err
	}
	lost, before := 0, uint64(0)
	for _, s := range f.sidecars {
		if s.source.Node() == f.store.Nodes[leader].Peer {
			lost++
		}
		before += s.snapshots.Load()
	}
	began := time.Now()
	if err := f.store.KillNode(leader); err != nil {
		return err
	}
	index, acknowledged, err := f.write(ctx)
	if err != nil {
		return err
	}
	if err := f.await(ctx, index); err != nil {
		return err
	}
	took := time.Since(began)
	after := uint64(0)
	for _, s := range f.sidecars {
		after += s.snapshots.Load()
	}
	resumed := 1.0
	if lost > 0 {
		resumed = 1 - float64(after-before)/float64(lost)
	}
	to.Add("fleet/storm", "nodes", 3, "sidecars", len(f.sidecars)).Row("the leader is killed",
		report.Figure{Name: "sidecars that lost it", Unit: report.Count, Value: float64(lost)},
		report.Figure{Name: "resumed without a snapshot", Unit: report.Ratio, Value: resumed},
		report.Figure{Name: "until a write", Unit: report.Nanoseconds, Value: float64(acknowledged.Sub(began))},
		report.Figure{Name: "until all sidecars have it", Unit: report.Nanoseconds, Value: float64(took)})
	return nil
}

// fleet is subscribers of a store.
type fleet struct {
	store    *stores.Store
	names    func() string
	sidecars []*subscriber
	moved    chan struct{} // capacity 1: some sidecar has moved

	ctx     context.Context // of the subscribers
	stop    func()
	running sync.WaitGroup
}

// subscriber follows as a sidecar does, and keeps only where it is.
type subscriber struct {
	source  *remote.Source
	fleet   *fleet
	bytes   atomic.Uint64 // received
	index   atomic.Uint64
	arrived atomic.Int64 // when index came, nanoseconds since 1970

	at        wire.Position // of the goroutine that follows
	snapshots atomic.Uint64
}

func newFleet(ctx context.Context, store *stores.Store) *fleet {
	f := &fleet{store: store, names: names(), moved: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(ctx)
	f.ctx, f.stop = ctx, func() { cancel(); f.running.Wait() }
	return f
}

// counted counts what comes over a connection.
type counted struct {
	net.Conn
	bytes *atomic.Uint64
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.bytes.Add(uint64(n))
	return n, err
}

// atOnce is how many sidecars may be connecting to a growing fleet.
const atOnce = 64

// grow adds subscribers until there are n, and waits until all follow.
func (f *fleet) grow(ctx context.Context, n int) error {
	var addresses []string
	for i := range f.store.Nodes {
		addresses = append(addresses, f.store.Nodes[i].Peer)
	}
	dial := cluster.SidecarDialer("bench", nil, nil)
	for len(f.sidecars) < n {
		s := &subscriber{fleet: f}
		var err error
		s.source, err = remote.New(remote.Config{
			Nodes: addresses, Name: fmt.Sprint("bench-", len(f.sidecars)), Version: "bench",
			Dial: func(ctx context.Context, address string) (net.Conn, error) {
				conn, err := dial(ctx, address)
				if err != nil {
					return nil, err
				}
				return counted{conn, &s.bytes}, nil
			},
			Report: func() wire.Progress { return wire.Progress{} },
		})
		if err != nil {
			return err
		}
		f.sidecars = append(f.sidecars, s)
		// Both end with f.stop.
		f.running.Go(s.follow)
		f.running.Go(s.prove)
		if len(f.sidecars)%atOnce == 0 {
			if err := f.await(ctx, 1); err != nil {
				return err
			}
		}
	}
	index, _, err := f.write(ctx)
	if err != nil {
		return err
	}
	return f.await(ctx, index)
}

// The pauses before a sidecar tries another node, as package sidecar has them.
const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = time.Second
)

func (s *subscriber) follow() {
	for retry := firstRetry; s.fleet.ctx.Err() == nil; retry = min(2*retry, lastRetry) {
		before := s.index.Load()
		_ = s.source.Follow(s.fleet.ctx, s.at, s.take) // it ends when the node does; the next one is asked
		if s.index.Load() > before {
			retry = firstRetry
		}
		select {
		case <-time.After(rand.N(retry)):
		case <-s.fleet.ctx.Done():
		}
	}
}

// prove asks every second what is current, as a sidecar does.
func (s *subscriber) prove() {
	select { // not all at the same moment
	case <-time.After(rand.N(time.Second)):
	case <-s.fleet.ctx.Done():
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_, _ = s.source.Confirm(s.fleet.ctx) // a node that is lost is noticed by follow
		case <-s.fleet.ctx.Done():
			return
		}
	}
}

func (s *subscriber) take(frame wire.Frame) error {
	switch frame := frame.(type) {
	case wire.Hello:
		s.at.Cluster, s.at.Epoch = frame.Cluster, frame.Epoch
	case wire.SnapshotEnd:
		s.snapshots.Add(1)
		s.reached(frame.Position.Index, frame.Position)
	case wire.Delta:
		s.reached(frame.Index, wire.Position{Cluster: s.at.Cluster, Epoch: s.at.Epoch, Index: frame.Index, Sum: frame.Sum})
	case wire.Bookmark:
		s.reached(frame.Index, wire.Position{Cluster: s.at.Cluster, Epoch: s.at.Epoch, Index: frame.Index, Sum: frame.Sum})
	}
	return nil
}

func (s *subscriber) reached(index iam.Index, at wire.Position) {
	s.at = at
	s.arrived.Store(time.Now().UnixNano())
	s.index.Store(uint64(index))
	select {
	case s.fleet.moved <- struct{}{}:
	default:
	}
}

// write makes a user and returns the index and when it was acknowledged. While the
// store has no leader it tries again.
func (f *fleet) write(ctx context.Context) (iam.Index, time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, fleetPatience)
	defer cancel()
	command, err := newUser(f.names())
	if err != nil {
		return 0, time.Time{}, err
	}
	for {
		leader, id, err := f.store.Leader(ctx)
		if err == nil {
			var result iam.Result
			if result, err = f.store.Pool().Propose(ctx, ctx.Done(), id, f.store.Nodes[leader].Peer, command); err == nil && result.Err == nil {
				return result.Index, time.Now(), nil
			}
		}
		select {
		case <-time.After(2 * time.Millisecond):
		case <-ctx.Done():
			return 0, time.Time{}, fmt.Errorf("write: %w", errors.Join(err, ctx.Err()))
		}
	}
}

// await waits until every subscriber has index.
func (f *fleet) await(ctx context.Context, index iam.Index) error {
	limit := time.NewTimer(fleetPatience)
	defer limit.Stop()
	for from := 0; ; {
		for from < len(f.sidecars) && f.sidecars[from].index.Load() >= uint64(index) {
			from++
		}
		if from == len(f.sidecars) {
			return nil
		}
		select {
		case <-f.moved:
		case <-limit.C:
			return fmt.Errorf("sidecar %d of %d has not got to index %d", from, len(f.sidecars), index)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// usage is what the nodes take together.
func (f *fleet) usage() (all process.Usage, err error) {
	for i := range f.store.Nodes {
		one, err := f.store.Usage(i)
		if err != nil {
			return all, err
		}
		all.Resident, all.Processor = all.Resident+one.Resident, all.Processor+one.Processor
	}
	return all, nil
}

// quiet is how long a fleet is watched in which nothing is written.
const quiet = 3 * time.Second

// costs are what a sidecar takes of the nodes, and of the network, while nothing is
// written, and what a change costs the network.
func (f *fleet) costs(ctx context.Context, bare process.Usage) ([]report.Figure, error) {
	runtime.GC()
	before, err := f.usage()
	if err != nil {
		return nil, err
	}
	bytes := f.received()
	select {
	case <-time.After(quiet):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	idle := float64(f.received() - bytes)
	after, err := f.usage()
	if err != nil {
		return nil, err
	}
	bytes = f.received()
	index, _, err := f.write(ctx)
	if err == nil {
		err = f.await(ctx, index)
	}
	if err != nil {
		return nil, err
	}
	n := float64(len(f.sidecars))
	return []report.Figure{
		{Name: "node memory each", Unit: report.ByteCount, Value: max(float64(after.Resident)-float64(bare.Resident), 0) / n},
		{Name: "node processor each, a second", Unit: report.Nanoseconds, Value: float64(after.Processor-before.Processor) / quiet.Seconds() / n},
		{Name: "received each, a second", Unit: report.ByteCount, Value: idle / quiet.Seconds() / n},
		{Name: "received each, a change", Unit: report.ByteCount, Value: float64(f.received()-bytes) / n},
	}, nil
}

func (f *fleet) received() (all uint64) {
	for _, s := range f.sidecars {
		all += s.bytes.Load()
	}
	return all
}
