package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/cmd/doorward/bench/report"
	"github.com/doorward/doorward/cmd/doorward/bench/stores"
	"github.com/doorward/doorward/sidecar/client"
	"github.com/doorward/doorward/sidecar/protocol"
)

// Failover kills the leader of a store of three processes, again and again, and
// measures how long it takes until a write is acknowledged. Meanwhile an S3 server asks
// a sidecar all the time, and must not be refused once.
type Failover struct {
	Program  string
	Kills    int
	Every    time.Duration // between two questions to the sidecar
	Progress Progress
}

// DefaultFailover kills fifty times.
func DefaultFailover() Failover { return Failover{Kills: 50, Every: time.Millisecond} }

// Run adds the table and the curve of staleness.
func (b Failover) Run(ctx context.Context, to *report.Report) (err error) {
	defer b.Progress.End()
	writes := Write{Program: b.Program, Nodes: 3, Progress: b.Progress}
	store, done, err := writes.Store(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	asker, err := b.asker(ctx, writes, store)
	if err != nil {
		return err
	}
	defer asker.client.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	asking.Go(func() { asker.run(ctx, b.Every) }) // ends with ctx
	outages := hdrhistogram.New(1, int64(time.Minute), 3)
	for n := range b.Kills {
		b.Progress.Step("failover: kill %d of %d", n+1, b.Kills)
		took, err := b.kill(ctx, store, asker)
		if err != nil {
			return fmt.Errorf("kill %d: %w", n+1, err)
		}
		_ = outages.RecordValue(int64(took))
	}
	cancel()
	asking.Wait()
	return b.show(to, outages, asker)
}

func (b Failover) show(to *report.Report, outages *hdrhistogram.Histogram, asker *asker) error {
	table := to.Add("failover", "nodes", 3, "kills", b.Kills, "a question every", b.Every)
	asked, failed := report.Figure{Name: "number", Unit: report.Count, Value: float64(b.Kills)}, report.Figure{Name: "failed", Unit: report.Count}
	table.Row("leader killed, until a write", append([]report.Figure{asked}, append(report.Percentiles(outages), failed)...)...)
	asked.Value, failed.Value = float64(asker.took.TotalCount()), float64(asker.failed)
	table.Row("answer of the sidecar meanwhile", append([]report.Figure{asked}, append(report.Percentiles(asker.took), failed)...)...)
	to.Curves = append(to.Curves, report.Curve{Plot: "staleness", Name: "staleness of the sidecar", Points: asker.staleness},
		report.Curve{Plot: "staleness", Name: "leader killed", Points: asker.killed}, report.Curve{Plot: "staleness", Name: "writes again", Points: asker.healed})
	if asker.failed > 0 {
		return fmt.Errorf("%d of %d questions to the sidecar were not allowed, the first one with: %w", asker.failed, asker.took.TotalCount(), asker.err)
	}
	return nil
}

// attemptTime bounds one attempt to write: a node that is cut off from the leader
// waits for the next one for longer than it takes to ask another node.
const attemptTime = time.Second

// kill kills the leader, returns the time until a write is acknowledged, and brings
// the node back.
func (b Failover) kill(ctx context.Context, store *stores.Store, asker *asker) (time.Duration, error) {
	leader, _, err := store.Leader(ctx)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := store.KillNode(leader); err != nil {
		return 0, err
	}
	asker.mark(&asker.killed, began)
	command, err := newUser(fmt.Sprint("failover-", began.UnixNano()))
	if err != nil {
		return 0, err
	}
	for !b.attempt(ctx, store, leader, command) {
		if ctx.Err() != nil || time.Since(began) > time.Minute {
			return 0, fmt.Errorf("nothing could be written for %v", time.Since(began))
		}
	}
	took := time.Since(began)
	asker.mark(&asker.healed, time.Now())
	if err := store.StartNode(ctx, leader); err != nil {
		return 0, err
	}
	return took, store.AwaitVoters(ctx)
}

// attempt writes at whoever of the others leads. It is the same request each time, so
// that it cannot matter whether an attempt before was heard.
func (b Failover) attempt(ctx context.Context, store *stores.Store, dead int, command []byte) bool {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	for i := range store.Nodes {
		if i == dead {
			continue
		}
		health, err := store.Pool().Health(ctx, "", store.Nodes[i].Peer)
		if err != nil || health.Role != "Leader" {
			continue
		}
		if propose(ctx, store.Pool(), health.ID, store.Nodes[i].Peer, command) == nil {
			return true
		}
	}
	select {
	case <-time.After(2 * time.Millisecond):
	case <-ctx.Done():
	}
	return false
}

// asker asks a sidecar all the time, as an S3 server does.
type asker struct {
	client *client.Client
	creds  sigv4.Credentials
	began  time.Time

	question protocol.Check
	signed   time.Time

	took      *hdrhistogram.Histogram
	failed    int
	err       error        // the first
	staleness [][2]float64 // ms, by seconds

	mu             sync.Mutex
	killed, healed [][2]float64 // at staleness 0, by seconds
}

// plotted is how much of the time is kept for the picture.
const plotted = 12 * time.Second

func (b Failover) asker(ctx context.Context, writes Write, store *stores.Store) (*asker, error) {
	user, err := newAssumer(ctx, writes, store)
	if err != nil {
		return nil, err
	}
	socket, err := store.StartSidecar(ctx)
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Config{Socket: socket, Name: "bench"})
	if err != nil {
		return nil, err
	}
	a := &asker{client: c, creds: user.credentials(), began: time.Now(), took: hdrhistogram.New(1, int64(time.Minute), 3)}
	// What a sidecar has never had it has to ask for. Here a key is measured that is in use.
	if err := a.sign(); err != nil {
		return nil, err
	}
	_, err = a.ask()
	return a, err
}

func (a *asker) mark(curve *[][2]float64, at time.Time) {
	if since := at.Sub(a.began); since < plotted {
		a.mu.Lock()
		defer a.mu.Unlock()
		*curve = append(*curve, [2]float64{since.Seconds(), 0})
	}
}

// signEvery is how often the question is signed anew.
const signEvery = 30 * time.Second

func (a *asker) sign() error {
	r, err := Get(a.creds.AccessKeyID, a.creds.Secret, "bucket", "object")
	if err != nil {
		return err
	}
	a.question, a.signed = checkOf(Question(r)), time.Now()
	return nil
}

func (a *asker) ask() (protocol.Answer, error) {
	answer, err := a.client.Check(context.Background(), &a.question)
	if err == nil && answer.Decision != protocol.Allow {
		err = fmt.Errorf("%d %s: %s", answer.Status, answer.Code, answer.Message)
	}
	return answer, err
}

func (a *asker) run(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		now := time.Now()
		if now.Sub(a.signed) > signEvery {
			if err := a.sign(); err != nil {
				a.note(0, err)
				return
			}
		}
		answer, err := a.ask()
		a.note(time.Since(now), err)
		if since := now.Sub(a.began); since < plotted {
			a.staleness = append(a.staleness, [2]float64{since.Seconds(), float64(answer.Staleness)})
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (a *asker) note(took time.Duration, err error) {
	_ = a.took.RecordValue(int64(took))
	if err != nil {
		if a.failed++; a.err == nil {
			a.err = err
		}
	}
}
