package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/cmd/doorward/bench/load"
	"github.com/doorward/doorward/cmd/doorward/bench/report"
	"github.com/doorward/doorward/cmd/doorward/bench/workload"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar"
	"github.com/doorward/doorward/sidecar/client"
	"github.com/doorward/doorward/sidecar/protocol"
)

// Authz measures whole answers: who signed this request, and may they do it? Each of
// the doors is asked by as many workers as keep it busy, and then at fixed rates. The
// authorizer is in this process and shares its processors with who asks.
type Authz struct {
	Workload workload.Config
	Traffic  workload.Traffic
	Targets  []string      // of AuthzTargets
	Shares   []float64     // of the rate at saturation, to ask at
	Batch    int           // requests in a frame, for the target batch
	For      time.Duration // for each step
	Progress Progress
}

// AuthzTargets are the doors at which Authz can ask.
var AuthzTargets = []string{"in-process", "socket", "batch", "http"}

// DefaultAuthz asks at every door.
func DefaultAuthz() Authz {
	return Authz{
		Workload: workload.DefaultConfig(), Traffic: workload.DefaultTraffic(), Targets: AuthzTargets,
		Shares: []float64{0.1, 0.3, 0.5, 0.7, 0.9}, Batch: 256, For: 2 * time.Second,
	}
}

// Door is where an authorizer is asked.
type Door struct {
	Name string
	// Workers is how many have to ask at once to keep it busy, Each how many requests
	// are in one question.
	Workers, Each int
	// Forged tells which questions have a wrong signature; nil: none. The answer to one
	// waits until the store has confirmed that the sidecar knows all there is to know.
	Forged func(question uint64) bool
	// Ask asks the question with the given number and holds the answer against what it
	// has to be.
	Ask func(worker int, question uint64) error
}

// Run adds the tables of all targets.
func (b Authz) Run(ctx context.Context, to *report.Report) error {
	defer b.Progress.End()
	b.Progress.Step("authz: making %d identities and %d requests", b.Workload.Keys, b.Traffic.Requests)
	population, host, err := Inhabit(ctx, b.Workload)
	if err != nil {
		return err
	}
	defer host.Close()
	requests, err := population.Requests(b.Traffic, time.Now())
	if err != nil {
		return err
	}
	doors, err := b.doors(host, requests)
	if err != nil {
		return err
	}
	settings := []any{
		"keys", b.Workload.Keys, "statements", fmt.Sprint(b.Workload.Statements), "different requests", b.Traffic.Requests, "zipf", b.Traffic.Skew,
		"sessions", b.Workload.Sessions, "denied", b.Traffic.Denied, "forged", b.Traffic.Forged, "seed", b.Workload.Seed, "seconds", b.For.Seconds(),
	}
	var sustained []float64
	saturation := to.Add("authz/saturation", settings...)
	for _, door := range doors {
		r, err := b.saturate(ctx, door, door.Workers)
		if err != nil {
			return err
		}
		saturation.Row(door.Name, append([]report.Figure{{Name: "workers", Unit: report.Count, Value: float64(door.Workers)}}, loaded(r, door.Each)...)...)
		sustained = append(sustained, r.PerSecond())
	}
	if err := b.echo(ctx, to, host, requests); err != nil {
		return err
	}
	for i, door := range doors {
		if door.Name == "in-process" {
			continue // a call takes less time than any timer can tell
		}
		if err := b.rates(ctx, to, door, sustained[i], settings); err != nil {
			return err
		}
	}
	return nil
}

// saturate warms a door up with every question once, and then keeps workers busy.
func (b Authz) saturate(ctx context.Context, door Door, workers int) (*load.Result, error) {
	what := fmt.Sprintf("authz %s, %d workers", door.Name, workers)
	warm := load.Plan{Workers: door.Workers, For: time.Minute, Calls: uint64(b.Traffic.Requests / door.Each), Apart: door.Forged}.Run(ctx, door.Ask)
	if err := failure(what, warm); err != nil {
		return nil, err
	}
	b.Progress.Step("%s", what)
	r := load.Plan{Workers: workers, For: b.For, Apart: door.Forged, Seen: b.Progress.seen(what)}.Run(ctx, door.Ask)
	return r, failure(what, r)
}

// rates asks at fixed shares of what a door can answer.
func (b Authz) rates(ctx context.Context, to *report.Report, door Door, sustained float64, settings []any) error {
	table := to.Add("authz/"+door.Name, settings...)
	curve := report.Curve{Plot: "throughput", Name: door.Name}
	for _, share := range b.Shares {
		rate := sustained * share
		what := fmt.Sprintf("authz %s at %.0f/s", door.Name, rate)
		b.Progress.Step("%s", what)
		r := load.Plan{Workers: door.Workers, For: b.For, Rate: rate, Apart: door.Forged, Seen: b.Progress.seen(what)}.Run(ctx, door.Ask)
		if err := failure(what, r); err != nil {
			return err
		}
		figures := append([]report.Figure{{Name: "asked", Unit: report.PerSecond, Value: rate * float64(door.Each)}}, loaded(r, door.Each)...)
		figures = append(figures, report.Figure{Name: "begun late, p50", Unit: report.Nanoseconds, Value: float64(r.Late.ValueAtPercentile(50))})
		table.Row(fmt.Sprintf("%.0f %%", share*100), figures...)
		curve.Points = append(curve.Points, [2]float64{r.PerSecond() * float64(door.Each), float64(r.Latency.ValueAtPercentile(99)) / 1e3})
		if share == 0.5 {
			to.Curves = append(to.Curves, report.Distribution("latency", door.Name+" at half its rate", r.Latency))
		}
	}
	to.Curves = append(to.Curves, curve)
	return nil
}

func (b Authz) doors(host *Host, requests []workload.Request) ([]Door, error) {
	var doors []Door
	for _, name := range b.Targets {
		switch name {
		case "in-process":
			doors = append(doors, inProcess(host.Authorizer, requests))
		case "socket", "batch":
			// Half of the workers' share of processors is the authorizer's.
			c, err := client.New(client.Config{Socket: host.Socket, Name: "bench", Brief: true, Connections: 2 * runtime.GOMAXPROCS(0)})
			if err != nil {
				return nil, err
			}
			if name == "socket" {
				doors = append(doors, askSocket(c, requests))
			} else {
				doors = append(doors, askBatches(c, requests, b.Batch))
			}
		case "http":
			doors = append(doors, AskHTTP(host.HTTP, requests))
		default:
			return nil, fmt.Errorf("target %q is not known: want %s", name, strings.Join(AuthzTargets, ", "))
		}
	}
	return doors, nil
}

// waiting is how many workers a processor has: enough that it is busy although some of
// them wait for a confirmation.
const waiting = 64

func forged(requests []workload.Request) func(uint64) bool {
	return func(n uint64) bool { return requests[n%uint64(len(requests))].Code == iam.SignatureDoesNotMatch }
}

func inProcess(a *sidecar.Authorizer, requests []workload.Request) Door {
	workers := waiting * runtime.GOMAXPROCS(0)
	// A decision is used again, as servers do.
	decisions := make([]struct {
		sidecar.Decision
		_ [64]byte // apart, so that processors do not share a line of memory
	}, workers)
	return Door{"in-process", workers, 1, forged(requests), func(worker int, n uint64) error {
		q, d := &requests[n%uint64(len(requests))], &decisions[worker].Decision
		if a.Authorize(context.Background(), &q.Sidecar, d); d.Code() != q.Code {
			return fmt.Errorf("%s %s is %q, want %q", q.Sidecar.Method, q.Sidecar.Target, d.Code(), q.Code)
		}
		return nil
	}}
}

// Socket asks one request in a frame, over one connection to the socket, which end
// closes.
func Socket(path string, requests []workload.Request) (door Door, end func() error, err error) {
	c, err := client.New(client.Config{Socket: path, Name: "bench", Brief: true, Connections: 1})
	if err != nil {
		return Door{}, nil, err
	}
	return askSocket(c, requests), c.Close, nil
}

func askSocket(c *client.Client, requests []workload.Request) Door {
	return Door{"socket", waiting * runtime.GOMAXPROCS(0), 1, forged(requests), func(_ int, n uint64) error {
		q := &requests[n%uint64(len(requests))]
		answer, err := c.Check(context.Background(), &q.Check)
		if err == nil && answer.Code != string(q.Code) {
			err = fmt.Errorf("%s %s is %q, want %q", q.Check.Method, q.Check.Target, answer.Code, q.Code)
		}
		return err
	}}
}

// askBatches leaves forged requests out: a frame is answered with its last item.
func askBatches(c *client.Client, requests []workload.Request, size int) Door {
	workers := 2 * runtime.GOMAXPROCS(0)
	requests = slices.DeleteFunc(slices.Clone(requests), func(q workload.Request) bool { return q.Code == iam.SignatureDoesNotMatch })
	var batches [][]protocol.Check
	for part := range slices.Chunk(requests, size) {
		batch := make([]protocol.Check, len(part))
		for i := range part {
			batch[i] = part[i].Check
		}
		batches = append(batches, batch)
	}
	if last := len(batches) - 1; last > 0 && len(batches[last]) < size {
		batches = batches[:last]
	}
	each := len(batches[0])
	answers := make([][]protocol.Answer, workers)
	for i := range answers {
		answers[i] = make([]protocol.Answer, each)
	}
	return Door{"batch", workers, each, nil, func(worker int, n uint64) error {
		at := int(n % uint64(len(batches)))
		if err := c.CheckAll(context.Background(), batches[at], answers[worker]); err != nil {
			return err
		}
		for i := range answers[worker] {
			if q := &requests[at*each+i]; answers[worker][i].Code != string(q.Code) {
				return fmt.Errorf("%s %s is %q, want %q", q.Check.Method, q.Check.Target, answers[worker][i].Code, q.Code)
			}
		}
		return nil
	}}
}

// AskHTTP asks at /auth as nginx does.
func AskHTTP(address string, requests []workload.Request) Door {
	workers := waiting / 2 * runtime.GOMAXPROCS(0)
	asked := make([]*http.Request, len(requests))
	for i := range requests {
		asked[i] = proxied(address, &requests[i])
	}
	transport := &http.Transport{MaxIdleConnsPerHost: workers, DisableCompression: true}
	return Door{"http", workers, 1, forged(requests), func(_ int, n uint64) error {
		at := n % uint64(len(requests))
		answer, err := transport.RoundTrip(asked[at])
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if got := answer.Header.Get("X-Doorward-Code"); err == nil && got != string(requests[at].Code) {
			err = fmt.Errorf("%s %s is %q, want %q", requests[at].Check.Method, requests[at].Check.Target, got, requests[at].Code)
		}
		return err
	}}
}

func proxied(address string, q *workload.Request) *http.Request {
	r, err := http.NewRequest(http.MethodGet, "http://"+address+"/auth", nil)
	if err != nil {
		panic(err) // the address is that of a listener
	}
	for _, h := range q.Check.Headers {
		if http.CanonicalHeaderKey(h.Name) == "Host" {
			r.Host = h.Value
			continue
		}
		r.Header.Add(h.Name, h.Value)
	}
	r.Header.Set("X-Original-Method", q.Check.Method)
	r.Header.Set("X-Original-URI", q.Check.Target)
	r.Header.Set("X-Real-IP", q.Check.Remote)
	r.Header.Set("X-Original-Scheme", "https")
	r.Header.Set("X-Original-Content-Length", strconv.Itoa(0))
	return r
}

// echoTurns is how often the echo and the socket take turns.
const echoTurns = 5

// echo compares one question at a time on the socket with a bare echo of as many
// bytes on a socket of the same kind.
func (b Authz) echo(ctx context.Context, to *report.Report, host *Host, requests []workload.Request) error {
	if !slices.Contains(b.Targets, "socket") {
		return nil
	}
	socket, end, err := Socket(host.Socket, requests)
	if err != nil {
		return err
	}
	defer end()
	frame, err := requests[0].Check.Append(make([]byte, protocol.HeaderSize))
	if err != nil {
		return err
	}
	bare, err := newEcho(len(frame))
	if err != nil {
		return err
	}
	defer bare.close()
	b.Progress.Step("authz: the socket and a bare echo in turns")
	best := [2]report.Figure{}
	for range echoTurns {
		for i, ask := range []func(int, uint64) error{bare.round, socket.Ask} {
			r := load.Plan{Workers: 1, For: b.For / echoTurns}.Run(ctx, ask)
			if err := failure("echo", r); err != nil {
				return err
			}
			if p50 := float64(r.Latency.ValueAtPercentile(50)); best[i].Value == 0 || p50 < best[i].Value {
				best[i] = report.Figure{Name: "p50, best of turns", Unit: report.Nanoseconds, Value: p50}
			}
		}
	}
	table := to.Add("authz/echo", "bytes", len(frame), "turns", echoTurns)
	table.Row("bare echo", best[0], report.Figure{Name: "÷ echo", Unit: report.Ratio, Value: 1})
	table.Row("socket, one by one", best[1], report.Figure{Name: "÷ echo", Unit: report.Ratio, Value: best[1].Value / best[0].Value})
	return nil
}
