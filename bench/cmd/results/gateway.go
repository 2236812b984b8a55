package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/doorward/doorward/bench/gateway"
	"github.com/doorward/doorward/cmd/doorward/bench"
	"github.com/doorward/doorward/cmd/doorward/bench/load"
	"github.com/doorward/doorward/cmd/doorward/bench/report"
)

// gatewayWorkers ask at once.
const gatewayWorkers = 16

// gatewaySection asks what versitygw asks about a request.
func gatewaySection(p *page) error {
	p.WriteString(`## Behind versitygw

What a stock versitygw asks about each request, for the signing key and for the decision, over its private protocol on a unix socket: asked of a Doorward sidecar,
and of versitygw's own standalone IAM service with a file, which it reads
for each question. The users are the same, each with ten statements, and take turns; 16 ask at once.

`)
	program, err := filepath.Abs(filepath.Join(filepath.Dir(p.doorward), "versitygw"))
	if err != nil {
		return err
	}
	if _, err := os.Stat(program); err != nil {
		return fmt.Errorf("versitygw has not been built: make gateway: %w", err)
	}
	sizes := []int{10, 1_000, 10_000}
	if p.short {
		sizes = sizes[:2]
	}
	table := p.figures.Add("gateway", "statements each", gateway.Statements, "workers", gatewayWorkers)
	for _, users := range sizes {
		if err := p.gateways(table, program, users); err != nil {
			return err
		}
	}
	p.table("gateway")
	return nil
}

func (p *page) gateways(table *report.Table, program string, users int) (err error) {
	dir, err := os.MkdirTemp("", "doorward-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	population, host, err := bench.Inhabit(p.ctx, gateway.Users(users))
	if err != nil {
		return err
	}
	defer host.Close()
	run, socket, err := gateway.Start(p.ctx, program, dir, population)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.Kill()) }() // under load it does not hear SIGTERM for long
	step := 2 * time.Second
	if p.short {
		step = 300 * time.Millisecond
	}
	for _, door := range []bench.Door{
		gateway.Ask("Doorward", host.Gateway, population, gatewayWorkers), gateway.Ask("versitygw's own", socket, population, gatewayWorkers),
	} {
		r := load.Plan{Workers: door.Workers, For: step}.Run(p.ctx, door.Ask)
		if r.Err != nil || r.Done == 0 {
			return fmt.Errorf("%s: %d done: %w", door.Name, r.Done, r.Err)
		}
		table.Row(fmt.Sprintf("%s, %d users", door.Name, users), append([]report.Figure{{Name: "requests", Unit: report.PerSecond, Value: r.PerSecond()}},
			report.Percentiles(r.Latency)...)...)
	}
	return nil
}
