package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/doorward/doorward/bench/doors"
	"github.com/doorward/doorward/bench/etcd"
	"github.com/doorward/doorward/cmd/doorward/bench"
	"github.com/doorward/doorward/cmd/doorward/bench/load"
	"github.com/doorward/doorward/cmd/doorward/bench/report"
	"github.com/doorward/doorward/cmd/doorward/bench/workload"
)

// seconds is how long a step takes.
func (p *page) seconds(long float64) string {
	if p.short {
		long = 0.3
	}
	return fmt.Sprint(long)
}

// authzSection loads the doors of a sidecar.
func authzSection(p *page) error {
	p.WriteString(`## Under load

` + "`doorward bench authz`" + `: whole answers at the doors of a sidecar. Access keys are drawn by a Zipf law; some are temporary, some requests are denied, some
signatures are wrong, and every answer is held against what it has to be. First each door is kept busy; then it is asked at fixed rates, where the time of
a question counts from when it was due, so that a pause is charged for all who had to wait. A wrong signature is no verdict until the store has confirmed
that the sidecar knows all there is to know, at most every 20 ms: such requests are timed apart, and are not in batches, because a frame is answered
with its last item.

`)
	if err := p.run("authz", "--seconds", p.seconds(1.5)); err != nil {
		return err
	}
	for _, name := range []string{"authz/saturation", "authz/echo", "authz/socket", "authz/batch", "authz/http"} {
		p.table(name)
	}
	share := axis{label: "share of requests", nines: true}
	if err := p.picture("latency.svg", "Answered within", share, axis{label: "time, µs", log: true}, p.curves("latency")); err != nil {
		return err
	}
	return p.picture("throughput.svg", "Time of an answer against load", axis{label: "decisions a second", log: true}, axis{label: "p99, µs", log: true}, p.curves("throughput"))
}

// doorTurns is how often the doors take turns.
const doorTurns = 3

// doorSection puts the doors for proxies side by side.
func doorSection(p *page) error {
	p.WriteString(`## Doors for proxies

The same requests at ` + "`/auth`" + ` (HTTP, as nginx asks), at Envoy's ext_authz (gRPC, which asks the sidecar over its socket) and at the socket itself, in
turns, one at a time and by 32 at once.

`)
	c, traffic := workload.DefaultConfig(), workload.DefaultTraffic()
	c.Keys, traffic.Requests, traffic.Forged = 1000, 4096, 0
	population, host, err := bench.Inhabit(p.ctx, c)
	if err != nil {
		return err
	}
	defer host.Close()
	requests, err := population.Requests(traffic, time.Now())
	if err != nil {
		return err
	}
	envoy, end, err := doors.AskEnvoy(host.Socket, requests, 32)
	if err != nil {
		return err
	}
	defer end()
	socket, closing, err := bench.Socket(host.Socket, requests)
	if err != nil {
		return err
	}
	defer closing()
	table := p.figures.Add("doors", "turns", doorTurns)
	all := []bench.Door{socket, bench.AskHTTP(host.HTTP, requests), envoy}
	for _, workers := range []int{1, 32} {
		best := make([]*load.Result, len(all))
		for range doorTurns {
			for i, door := range all {
				step := time.Second
				if p.short {
					step = 100 * time.Millisecond
				}
				r := load.Plan{Workers: workers, For: step}.Run(p.ctx, door.Ask)
				if r.Err != nil || r.Done == 0 {
					return fmt.Errorf("%s: %d done: %w", door.Name, r.Done, r.Err)
				}
				if best[i] == nil || r.PerSecond() > best[i].PerSecond() {
					best[i] = r
				}
			}
		}
		for i, r := range best {
			table.Row(fmt.Sprintf("%s, %d at once", all[i].Name, workers), append([]report.Figure{{Name: "rate", Unit: report.PerSecond, Value: r.PerSecond()}},
				report.Percentiles(r.Latency)...)...)
		}
	}
	p.table("doors")
	return nil
}

// writeSection writes into Doorward and etcd in turns.
func writeSection(p *page) (err error) {
	p.WriteString(`## Writes

Acknowledged writes into three processes of each, on this disk, in turns. *Doorward* writes as one node forwards to the leader, which is what etcd's put
is compared with: an entry of some 160 bytes, no signature, no TLS. *Doorward API* is the whole call: signed, authorised, validated, recorded in an audit log of its
own that is synced too.

`)
	dir, err := os.MkdirTemp("", "doorward-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := bench.DefaultWrite()
	b.Program, b.For, b.Progress = p.doorward, 3*time.Second, bench.Progress{To: os.Stderr}
	if p.short {
		b.For = 300 * time.Millisecond
	}
	store, done, err := b.Store(p.ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	log, err := b.Log(p.ctx, store)
	if err != nil {
		return err
	}
	api, err := b.API(store)
	if err != nil {
		return err
	}
	defer api.Close()
	log.Name = "Doorward"
	competing := []bench.Door{log, {Name: "Doorward API", Ask: bench.Users(p.ctx, api)}}
	version := "not installed"
	cluster, err := etcd.Start(p.ctx, dir, 32)
	switch {
	case errors.Is(err, etcd.ErrMissing):
		fmt.Fprintf(p, "**etcd is missing from this run**: %v.\n\n", err)
	case err != nil:
		return err
	default:
		defer func() { err = errors.Join(err, cluster.Close()) }()
		competing, version = append(competing, cluster.Door(p.ctx)), cluster.Version
	}
	return p.writes(b, competing, version)
}

func (p *page) writes(b bench.Write, competing []bench.Door, version string) error {
	table := p.figures.Add("write", "nodes of each", b.Nodes, "etcd", version, "seconds", b.For.Seconds())
	lines := make([]line, len(competing))
	for _, writers := range b.Writers {
		for i, door := range competing {
			r, err := b.Drive(p.ctx, door, writers)
			if err != nil {
				return err
			}
			lines[i].name = door.Name
			lines[i].add(float64(writers), r.PerSecond())
			table.Row(fmt.Sprintf("%s, %d writers", door.Name, writers), append([]report.Figure{{Name: "rate", Unit: report.PerSecond, Value: r.PerSecond()}},
				report.Percentiles(r.Latency)...)...)
		}
	}
	p.table("write")
	return p.picture("writes.svg", "Acknowledged writes", axis{label: "writers at once", log: true}, axis{label: "writes a second", log: true}, lines)
}

// failoverSection kills the leader.
func failoverSection(p *page) error {
	p.WriteString(`## Failover

` + "`doorward bench failover`" + `: the leader of three processes is killed with SIGKILL, until another acknowledges a write. A sidecar is asked all the while; one
question that is not allowed would fail the run.

`)
	kills := "50"
	if p.short {
		kills = "2"
	}
	if err := p.run("failover", "--kills", kills); err != nil {
		return err
	}
	p.table("failover")
	lines := p.curves("staleness")
	for i := range lines {
		lines[i].marks = i > 0
	}
	return p.picture("staleness.svg", "What a sidecar knows while leaders are killed", axis{label: "seconds"}, axis{label: "staleness, ms"}, lines)
}

// fleetSection lets many sidecars follow.
func fleetSection(p *page) error {
	p.WriteString(`## A fleet

` + "`doorward bench fleet`" + `: sidecars that follow three processes, from the acknowledgement of a change until each of them has it, and until the last one does;
what one costs its node and the network; and how they come back when the leader is killed. [docs/scale.md](../docs/scale.md) reckons from here.

`)
	sizes := "1,100,1000,5000"
	if p.short {
		sizes = "1,50"
	}
	if err := p.run("fleet", "--sidecars", sizes); err != nil {
		return err
	}
	p.table("fleet/propagation")
	p.table("fleet/storm")
	return nil
}

// scaleSection grows.
func scaleSection(p *page) error {
	p.WriteString(`## Growth

` + "`doorward bench scale`" + `: access keys, one in ten of them temporary, each with a user who holds one of 10,000 policies of ten statements, in the state of a
store and in a sidecar; one user who holds more and more statements; and five million temporary credentials that are issued and end. The policies are in
the memory of each key, which is why few keys seem dear.

`)
	args := []string{"scale"}
	if p.short {
		args = []string{"scale", "--keys", "1000,10000", "--policies", "1000", "--statements", "1,1000", "--sessions", "20000", "--lasting", "5000"}
	}
	if err := p.run(args...); err != nil {
		return err
	}
	for _, name := range []string{"scale/store", "scale/sidecar", "scale/statements", "scale/sessions"} {
		p.table(name)
	}
	if err := p.picture("identities.svg", "Growth with identities", axis{label: "access keys", log: true}, axis{label: "ms", log: true}, p.curves("identities")); err != nil {
		return err
	}
	if err := p.picture("statements.svg", "Growth with the statements of a user", axis{label: "statements", log: true}, axis{label: "KiB, ms", log: true}, p.curves("statements")); err != nil {
		return err
	}
	return p.picture("sessions.svg", "Memory while sessions are issued and end", axis{label: "issued"}, axis{label: "MiB"}, p.curves("sessions"))
}
