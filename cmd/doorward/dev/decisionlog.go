package dev

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar"
)

// decisionLog writes every decision as a line of JSON, in the order in which they
// were made. It is for trying and debugging: each line is a write.
type decisionLog struct {
	mu   sync.Mutex // held for one line
	file *os.File
	log  *slog.Logger
}

// openDecisionLog appends to a file that only its owner may read, because it tells
// who reads what. Without a name there is no log, which is nil and fine.
func openDecisionLog(name string, log *slog.Logger) (*decisionLog, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("decision log: %w", err)
	}
	return &decisionLog{file: f, log: log}, nil
}

// decisionLine is the form of a line. The names stay as they are.
type decisionLine struct {
	Time      string          `json:"time"`
	Decision  string          `json:"decision"`
	Reason    string          `json:"reason"`
	Principal iam.ARN         `json:"principal,omitempty"`
	AccessKey iam.AccessKeyID `json:"access_key,omitempty"`
	Action    string          `json:"action,omitempty"`
	Resource  string          `json:"resource,omitempty"`
	Layer     string          `json:"layer,omitempty"`
	Policy    string          `json:"policy,omitempty"`
	Statement string          `json:"statement,omitempty"`
	Index     iam.Index       `json:"index"`
	Micros    int64           `json:"took_us"`
}

func lineOf(d *sidecar.Decision, now time.Time) decisionLine {
	line := decisionLine{
		Time: now.UTC().Format(time.RFC3339Nano), Decision: d.Effect.String(), Reason: reasonOf(d),
		Principal: d.Principal, AccessKey: d.AccessKey, Action: d.Action, Resource: d.Resource,
		Layer: d.Reason.Layer.String(), Policy: d.Reason.Policy, Index: d.Index, Micros: d.Took.Microseconds(),
	}
	switch {
	case d.Reason.Sid != "":
		line.Statement = d.Reason.Sid
	case d.Reason.Policy != "" && d.Reason.Statement >= 0:
		line.Statement = strconv.Itoa(d.Reason.Statement + 1)
	}
	return line
}

// reasonOf says in a word or two how the decision came about: what a policy said,
// or the S3 error of a request that came to no policy.
func reasonOf(d *sidecar.Decision) string {
	switch {
	case d.Allowed():
		return "allowed"
	case d.Reason.Explicit:
		return "explicit deny"
	case d.Action == "" && d.Refusal != nil:
		return string(d.Refusal.Code)
	}
	return "no policy allows it"
}

// record appends a decision. One that cannot be written is said to be lost; it was
// made all the same.
func (l *decisionLog) record(d *sidecar.Decision) {
	text, err := json.Marshal(lineOf(d, time.Now()))
	if err == nil {
		l.mu.Lock()
		_, err = l.file.Write(append(text, '\n'))
		l.mu.Unlock()
	}
	if err != nil {
		l.log.Error("decision not logged", "error", err)
	}
}

func (l *decisionLog) close() error {
	if l == nil {
		return nil
	}
	return l.file.Close()
}
