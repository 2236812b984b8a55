package story

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// decisions reads the sidecar's decision log as it grows.
type decisions struct {
	file   *os.File
	reader *bufio.Reader
	part   []byte // the beginning of a line that is not complete yet
}

// decision is what the story shows of a line of the log.
type decision struct {
	Principal string `json:"principal"`
	Action    string `json:"action"`
	Resource  string `json:"resource"`
	Decision  string `json:"decision"`
	Reason    string `json:"reason"`
	Layer     string `json:"layer"`
	Policy    string `json:"policy"`
	Statement string `json:"statement"`
}

func openDecisions(name string) (*decisions, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return &decisions{file: f, reader: bufio.NewReader(f)}, nil
}

// settle is how long the log may take to reach the file after an answer.
const settle = 300 * time.Millisecond

// next returns the decisions that were logged since the last call, as sentences.
func (d *decisions) next() ([]string, error) {
	var lines []string
	for deadline := time.Now().Add(settle); time.Now().Before(deadline); {
		raw, err := d.reader.ReadBytes('\n')
		d.part = append(d.part, raw...)
		if errors.Is(err, io.EOF) {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if err != nil {
			return nil, err
		}
		var got decision
		if err := json.Unmarshal(d.part, &got); err != nil {
			return nil, fmt.Errorf("decision log: %w in %q", err, d.part)
		}
		d.part = d.part[:0]
		lines = append(lines, got.String())
	}
	return lines, nil
}

func (d decision) String() string {
	why := d.Reason
	if d.Policy != "" {
		why = fmt.Sprintf("%s, %s policy %s, statement %s", d.Reason, d.Layer, d.Policy, d.Statement)
	}
	return fmt.Sprintf("%-5s %s on %s (%s)", d.Decision, d.Action, d.Resource, why)
}
