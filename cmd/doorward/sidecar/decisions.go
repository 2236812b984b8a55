package sidecar

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/doorward/doorward/cmd/doorward/config"
	"github.com/doorward/doorward/cmd/doorward/parts"
	"github.com/doorward/doorward/sidecar"
)

// decisions is where decisions are logged; the zero value is nowhere.
type decisions struct {
	log    *sidecar.DecisionLog // nil: nowhere
	writer *parts.Part
	file   *os.File // nil: standard output
}

// openDecisions appends to the file that the settings name, which only its owner may
// read, because it tells who reads what.
func openDecisions(s *config.Sidecar, out io.Writer) (*decisions, error) {
	d := &decisions{}
	switch s.DecisionLog {
	case "":
		return d, nil
	case "-":
	default:
		f, err := os.OpenFile(s.DecisionLog, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, fmt.Errorf("decision_log: %w", err)
		}
		d.file, out = f, f
	}
	d.log = sidecar.NewDecisionLog(sidecar.DecisionLogConfig{Allows: uint64(s.Allows)})
	d.writer = parts.Start("decision log", func(ctx context.Context) error { return d.log.Run(ctx, out) })
	return d, nil
}

// ended is closed when decisions cannot be logged any more, nil if none are.
func (d *decisions) ended() <-chan struct{} {
	if d.writer == nil {
		return nil
	}
	return d.writer.Ended()
}

// close writes what waits.
func (d *decisions) close() error {
	if d.writer == nil {
		return nil
	}
	err := d.writer.Stop()
	if d.file != nil {
		if closed := d.file.Close(); err == nil {
			err = closed
		}
	}
	return err
}
