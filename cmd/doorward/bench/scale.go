package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/doorward/doorward/cluster"
	"github.com/doorward/doorward/cluster/feed"
	"github.com/doorward/doorward/cmd/doorward/bench/report"
	"github.com/doorward/doorward/cmd/doorward/bench/workload"
	"github.com/doorward/doorward/fsm"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/iam/wire"
	"github.com/doorward/doorward/sidecar"
	"github.com/doorward/doorward/sidecar/remote"
)

// Scale measures how memory, collection of garbage, snapshots and starts grow with the
// number of identities, in a store's state machine and in a sidecar, both in this
// process, and with the statements of one user; and then issues temporary credentials
// that end.
type Scale struct {
	Keys       []int // access keys, one in ten temporary; each has a user
	Policies   int   // managed policies of ten statements, which users hold in turns
	Statements []int // of one user
	Sessions   int   // temporary credentials to issue over time; zero: none
	Lasting    int   // of them that are not over at a time
	Progress   Progress
}

// DefaultScale grows to a million.
func DefaultScale() Scale {
	return Scale{
		Keys: []int{10_000, 100_000, 1_000_000}, Policies: 10_000,
		Statements: []int{1, 10, 100, 1_000, 10_000, 100_000},
		Sessions:   5_000_000, Lasting: 200_000,
	}
}

// scaled is what one number of keys has.
type scaled struct {
	Scale
	dir        string
	population *workload.Population
	machine    *fsm.Machine
	figures    []report.Figure
}

func (s *scaled) note(name string, unit report.Unit, value float64) {
	s.figures = append(s.figures, report.Figure{Name: name, Unit: unit, Value: value})
}

func (s *scaled) took(name string, began time.Time) {
	s.note(name, report.Nanoseconds, float64(time.Since(began)))
}

// heap is what is reachable, and how long it took to find out.
func heap() (bytes float64, collection time.Duration) {
	runtime.GC()
	began := time.Now()
	runtime.GC()
	collection = time.Since(began)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc), collection
}

// longestPause is that of the collections since there were so many.
func longestPause(since uint32) float64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	longest := uint64(0)
	for n := max(since, m.NumGC-min(m.NumGC, 256)); n < m.NumGC; n++ {
		longest = max(longest, m.PauseNs[n%256])
	}
	return float64(longest)
}

func collections() uint32 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.NumGC
}

// Run adds the tables and curves.
func (b Scale) Run(ctx context.Context, to *report.Report) error {
	defer b.Progress.End()
	store, hosts := to.Add("scale/store", "policies", b.Policies, "statements each", 10), to.Add("scale/sidecar", "policies", b.Policies, "statements each", 10)
	curves := make([]report.Curve, len(grown))
	for _, n := range b.Keys {
		dir, err := os.MkdirTemp("", "doorward-bench-")
		if err != nil {
			return err
		}
		s := &scaled{Scale: b, dir: dir}
		err = s.store(n)
		store.Row(fmt.Sprintf("%d keys", n), s.figures...)
		s.grow(curves, n)
		s.figures = nil
		if err == nil {
			err = s.sidecar(ctx, n)
		}
		hosts.Row(fmt.Sprintf("%d keys", n), s.figures...)
		s.grow(curves, n)
		if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
			return err
		}
	}
	to.Curves = append(to.Curves, curves...)
	if err := b.statements(ctx, to); err != nil {
		return err
	}
	if b.Sessions == 0 {
		return nil
	}
	return b.sessions(ctx, to)
}

// grown are the times whose growth is shown.
var grown = []string{
	"store, restore", "store, snapshot written", "sidecar, start from a node", "sidecar, start from its file", "store, collection", "store, writers wait for a snapshot",
}

// grow adds the figures of a time to the curves.
func (s *scaled) grow(curves []report.Curve, n int) {
	for _, f := range s.figures {
		if i := slices.Index(grown, f.Name); i >= 0 {
			curves[i].Plot, curves[i].Name = "identities", f.Name
			curves[i].Points = append(curves[i].Points, [2]float64{float64(n), f.Value / 1e6})
		}
	}
}

// store fills a state machine, and writes and reads its snapshot while it is written to.
func (s *scaled) store(n int) (err error) {
	s.Progress.Step("scale: a store of %d keys", n)
	before, _ := heap()
	s.population, err = workload.New(workload.Config{Seed: 1, Keys: n, Sessions: 0.1, Statements: []int{10}, Variants: s.Policies}, time.Now())
	if err != nil {
		return err
	}
	collected := collections()
	after, collection := heap()
	s.note("memory each", report.ByteCount, (after-before)/float64(n))
	s.note("store, collection", report.Nanoseconds, float64(collection))
	s.note("store, longest GC pause", report.Nanoseconds, longestPause(collected))
	s.machine = fsm.New()
	s.machine.Load(&wire.Snapshot{View: s.population.View()})
	name := filepath.Join(s.dir, "snapshot")
	if err := s.snapshot(name); err != nil {
		return err
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	s.note("snapshot size", report.ByteCount, float64(info.Size()))
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	began := time.Now()
	if err := fsm.New().Restore(bufio.NewReaderSize(f, 1<<20), cluster.SideBySide); err != nil {
		return err
	}
	s.took("store, restore", began)
	return nil
}

// snapshot writes the machine to a file while the machine is written to, and notes how
// long writers had to wait.
func (s *scaled) snapshot(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	began := time.Now()
	taken := s.machine.Snapshot()
	s.took("store, writers wait for a snapshot", began)
	written := make(chan error, 1)
	began = time.Now()
	// Ends with the file, which is awaited below.
	go func() {
		out := bufio.NewWriterSize(f, 1<<20)
		written <- errors.Join(taken.Write(out, 1), out.Flush(), f.Sync(), f.Close())
	}()
	applies, next := hdrhistogram.New(1, int64(time.Minute), 2), names()
	for {
		select {
		case err := <-written:
			s.took("store, snapshot written", began)
			s.note("writes meanwhile, p99.9", report.Nanoseconds, float64(applies.ValueAtPercentile(99.9)))
			return err
		default:
		}
		command, err := newUser(next())
		if err != nil {
			return err
		}
		begin := time.Now()
		if err := apply(s.machine, fsm.Entry{Index: s.machine.View().Index() + 1, Commands: [][]byte{command}}); err != nil {
			return err
		}
		_ = applies.RecordValue(int64(time.Since(begin)))
		time.Sleep(200 * time.Microsecond) // a writer waits for the disk, and leaves processors to others
	}
}

// aKey seals the file of a sidecar that is thrown away at once.
type aKey struct{}

func (aKey) Derive(_ string, size int) []byte { return make([]byte, size) }

// sidecar starts a sidecar from a node, over the network, and again from what it kept.
func (s *scaled) sidecar(ctx context.Context, n int) error {
	s.Progress.Step("scale: a sidecar of %d keys, from a node", n)
	source, end, err := s.node(ctx)
	if err != nil {
		return err
	}
	defer end()
	config := sidecar.DefaultConfig()
	config.Callers, config.Keep = 1<<10, &sidecar.KeepConfig{Path: filepath.Join(s.dir, "kept"), Key: aKey{}}
	before, _ := heap()
	collected := collections()
	stop, err := s.start(ctx, config, source, "sidecar, start from a node")
	if err != nil {
		return err
	}
	after, collection := heap()
	s.note("memory each", report.ByteCount, (after-before)/float64(n))
	s.note("sidecar and store, collection", report.Nanoseconds, float64(collection))
	s.note("sidecar, longest GC pause", report.Nanoseconds, longestPause(collected))
	stop() // it keeps what it has when it ends
	s.Progress.Step("scale: a sidecar of %d keys, from its file", n)
	info, err := os.Stat(config.Keep.Path)
	if err != nil {
		return err
	}
	s.note("file size", report.ByteCount, float64(info.Size()))
	stop, err = s.start(ctx, config, nobody{}, "sidecar, start from its file")
	if err != nil {
		return err
	}
	stop()
	return nil
}

// nobody is a store that cannot be reached.
type nobody struct{}

var errNobody = errors.New("nobody is there")

func (nobody) Follow(context.Context, wire.Position, func(wire.Frame) error) error { return errNobody }

func (nobody) SigningKey(context.Context, iam.AccessKeyID, wire.Scope) (wire.SigningKey, error) {
	return wire.SigningKey{}, errNobody
}

func (nobody) Confirm(context.Context) (iam.Index, error) { return 0, errNobody }

// start starts a sidecar and notes how long it takes until it decides.
func (s *scaled) start(ctx context.Context, config sidecar.Config, source sidecar.Source, as string) (stop func(), err error) {
	a, err := sidecar.New(config, source)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	began := time.Now()
	running.Go(func() { _ = a.Run(ctx) }) // ends with ctx
	stop = func() { cancel(); running.Wait(); runtime.KeepAlive(a) }
	if err := a.Wait(ctx, 1); err != nil {
		stop()
		return nil, err
	}
	s.took(as, began)
	return stop, nil
}

// node serves the population's feed on a loopback port.
func (s *scaled) node(ctx context.Context) (source *remote.Source, end func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var serving sync.WaitGroup
	// All end with the listener and ctx.
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				_ = s.population.Serve(ctx, conn, feed.Peer{Name: "scale"})
			})
		}
	})
	end = func() { cancel(); l.Close(); serving.Wait() }
	source, err = remote.New(remote.Config{
		Nodes: []string{l.Addr().String()}, Name: "scale",
		Dial: func(ctx context.Context, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		},
	})
	if err != nil {
		end()
		return nil, nil, err
	}
	return source, end, nil
}

// statementsAtOnce is how many statements are held at a time, so that a set of few is
// one of many and its memory can be told from the rest.
const statementsAtOnce = 10_000

// statements compiles the policies of one user, of more and more statements.
func (b Scale) statements(ctx context.Context, to *report.Report) error {
	table := to.Add("scale/statements")
	memory, compiling := report.Curve{Plot: "statements", Name: "memory, KiB"}, report.Curve{Plot: "statements", Name: "compiling, ms"}
	for _, n := range b.Statements {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		b.Progress.Step("scale: a user with %d statements", n)
		statements := workload.Mix(n)
		documents, size := workload.Documents(statements), 0
		for _, d := range documents {
			size += len(d)
		}
		sets := make([]Evaluation, max(1, statementsAtOnce/n))
		collected := collections()
		before, _ := heap()
		began := time.Now()
		for i := range sets {
			var err error
			if sets[i], err = Evaluate(statements); err != nil {
				return err
			}
			sets[i](workload.Question{Action: "s3:GetObject", Bucket: "bucket", Key: "key"})() // compiles, if that has not been done
		}
		took := time.Since(began)
		after, collection := heap()
		each := (after - before) / float64(len(sets))
		table.Row(fmt.Sprintf("%d statements", n),
			report.Figure{Name: "documents", Unit: report.ByteCount, Value: float64(size)},
			report.Figure{Name: "memory", Unit: report.ByteCount, Value: each},
			report.Figure{Name: "memory of each statement", Unit: report.ByteCount, Value: each / float64(n)},
			report.Figure{Name: "parsed and compiled", Unit: report.Nanoseconds, Value: float64(took) / float64(len(sets))},
			report.Figure{Name: "collection", Unit: report.Nanoseconds, Value: float64(collection)},
			report.Figure{Name: "longest GC pause", Unit: report.Nanoseconds, Value: longestPause(collected)})
		memory.Points = append(memory.Points, [2]float64{float64(n), each / 1024})
		compiling.Points = append(compiling.Points, [2]float64{float64(n), float64(took) / float64(len(sets)) / 1e6})
		runtime.KeepAlive(sets)
	}
	to.Curves = append(to.Curves, memory, compiling)
	return nil
}

// issuedAtOnce is how many sessions an entry of the log begins, and assumers how many
// users take turns to ask for them.
const (
	issuedAtOnce = 256
	assumers     = 1000
)

// newSession is the entry of the n-th session.
func newSession(v *state.View, n int, now, expires iam.Time) ([]byte, error) {
	u, ok := v.User(iam.FirstAccount, fmt.Sprintf("user-%07d", n%assumers))
	if !ok {
		return nil, fmt.Errorf("there is no user %d", n%assumers)
	}
	return wire.AppendEntry(nil, iam.Envelope{
		Command: iam.CreateSession{Session: iam.Session{
			Key: iam.AccessKeyID(fmt.Sprintf("ASIA%016X", uint64(n)*0x9e3779b97f4a7c15)), Secret: make(iam.Sealed, 73), Kind: iam.SessionSelf,
			Parent: u.Ref(), ParentID: u.ID, Name: "work", Issued: now, Expires: expires,
		}},
		Actor: u.ARN(), Time: now,
	})
}

// apply applies an entry of which no command may be refused.
func apply(m *fsm.Machine, e fsm.Entry) error {
	done, err := m.Apply([]fsm.Entry{e})
	if err != nil {
		return err
	}
	for _, r := range done[0].Results {
		if r.Err != nil {
			return r.Err
		}
	}
	return nil
}

// sessions issues temporary credentials into a state machine; each lasts until so many
// others have been issued, and then the store removes it, as it does once a minute.
func (b Scale) sessions(ctx context.Context, to *report.Report) error {
	p, err := workload.New(workload.Config{Seed: 1, Keys: assumers, Statements: []int{10}}, time.Now())
	if err != nil {
		return err
	}
	m := fsm.New()
	m.Load(&wire.Snapshot{View: p.View()})
	before, _ := heap()
	collected := collections()
	now, index, most := iam.Time(1_000_000), m.View().Index(), 0.0
	began := time.Now()
	curve := report.Curve{Plot: "sessions", Name: "heap, MiB"}
	for issued := 0; issued < b.Sessions && ctx.Err() == nil; issued += issuedAtOnce {
		entry := fsm.Entry{Index: index + 1}
		for i := range issuedAtOnce {
			now++
			command, err := newSession(m.View(), issued+i, now, now+iam.Time(b.Lasting))
			if err != nil {
				return err
			}
			entry.Commands = append(entry.Commands, command)
		}
		over, err := wire.AppendEntry(nil, iam.Envelope{Command: iam.ExpireSessions{Cutoff: now, Max: 1024}, Actor: iam.FirstAccount.Root(), Time: now})
		if err != nil {
			return err
		}
		entry.Commands = append(entry.Commands, over)
		index++
		if err := apply(m, entry); err != nil {
			return err
		}
		if issued/issuedAtOnce%(b.Sessions/issuedAtOnce/20+1) == 0 {
			bytes, _ := heap()
			most = max(most, bytes)
			curve.Points = append(curve.Points, [2]float64{float64(issued), (bytes - before) / (1 << 20)})
			b.Progress.Step("scale: %d of %d sessions issued", issued, b.Sessions)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	took := time.Since(began)
	after, collection := heap()
	left := 0
	for range m.View().Sessions("") {
		left++
	}
	to.Add("scale/sessions", "lasting at a time", b.Lasting, "in an entry", issuedAtOnce).Row(fmt.Sprintf("%d issued", b.Sessions),
		report.Figure{Name: "rate", Unit: report.PerSecond, Value: float64(b.Sessions) / took.Seconds()},
		report.Figure{Name: "left", Unit: report.Count, Value: float64(left)},
		report.Figure{Name: "memory of each that is left", Unit: report.ByteCount, Value: (after - before) / float64(max(left, 1))},
		report.Figure{Name: "most memory", Unit: report.ByteCount, Value: most - before},
		report.Figure{Name: "collection", Unit: report.Nanoseconds, Value: float64(collection)},
		report.Figure{Name: "longest GC pause", Unit: report.Nanoseconds, Value: longestPause(collected)})
	to.Curves = append(to.Curves, curve)
	return nil
}
