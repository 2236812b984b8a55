package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/doorward/doorward/api/audit"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
)

// auditable refuses to change anything while the audit log cannot be written.
func (c *call) auditable() error {
	if c.server.config.Audit == nil {
		return nil
	}
	if err := c.server.config.Audit.Err(); err != nil {
		c.server.config.Log.Error("the audit log cannot be written", slog.Any("error", err))
		return iam.Errorf(iam.ServiceUnavailable, "The audit log of this node cannot be written, so nothing is changed. Try again, or at another node.")
	}
	return nil
}

// digest is the digest of a view's state: its index and its sum.
func digest(v *state.View) string {
	sum := v.Sum()
	return fmt.Sprintf("%d:%016x%016x", v.Index(), sum[0], sum[1])
}

// record keeps the call in the audit log. What is refused before anybody was
// authenticated is counted by metrics instead: it must not be able to fill a disk.
func (c *call) record(label string, code iam.Code) {
	log := c.server.config.Audit
	if log == nil || c.caller.arn == "" && code != "" {
		return
	}
	r := audit.Record{
		Time: c.now.Go().UTC().Format(time.RFC3339Nano), Request: c.id, Caller: c.caller.arn, AccessKey: c.caller.key,
		Agent: cut(c.http.UserAgent()), Action: label, Parameters: c.parameters(), Outcome: string(code),
		Index: c.index, Before: c.before, After: c.after,
	}
	if code == "" {
		r.Outcome = "ok"
	}
	if peer, ok := peerOf(c.http.RemoteAddr); ok {
		r.Source = peer
	}
	if err := log.Append(r, c.index != 0); err != nil {
		c.server.config.Log.Error("a call could not be recorded in the audit log", slog.String("request", c.id), slog.Any("error", err))
	}
}

// hidden stands for a value that is a secret.
const hidden = "(hidden)"

// parameters are what the call asked for, without secrets.
func (c *call) parameters() map[string]string {
	out := map[string]string{}
	for name, value := range c.form {
		switch {
		case name == "Action", name == "Version":
		case secretive(name):
			out[name] = hidden
		default:
			out[name] = cut(value)
		}
	}
	if len(c.body) > 0 {
		var body map[string]any
		if json.Unmarshal(c.body, &body) == nil {
			for name, value := range body {
				out[name] = textOf(name, value)
			}
		}
	}
	return out
}

// secretive reports whether a parameter of that name may hold a secret.
func secretive(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"secret", "password", "token", "assertion"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// textOf is the value of a JSON body for the record.
func textOf(name string, value any) string {
	if secretive(name) {
		return hidden
	}
	if text, ok := value.(string); ok {
		return cut(text)
	}
	text, err := json.Marshal(hide(value))
	if err != nil {
		return "(unreadable)"
	}
	return cut(string(text))
}

// hide replaces the secrets inside of a value.
func hide(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name := range v {
			if secretive(name) {
				v[name] = hidden
			} else {
				v[name] = hide(v[name])
			}
		}
	case []any:
		for i := range v {
			v[i] = hide(v[i])
		}
	}
	return value
}

// longestValue is how much of a value is recorded, in bytes.
const longestValue = 2048

// cut shortens a long value to its beginning and a digest of all of it.
func cut(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= longestValue {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	end := longestValue
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return fmt.Sprintf("%s… (%d bytes, SHA-256 %s)", text[:end], len(text), hex.EncodeToString(sum[:]))
}

// readAudit returns records of this node's audit log, for those who follow it.
func readAudit(c *call) (any, error) {
	log := c.server.config.Audit
	if log == nil {
		return nil, iam.Errorf(notFound, "This node keeps no audit log.")
	}
	sequence, head := log.Head()
	limit := uint64(c.seconds("limit", 100))
	after, err := strconv.ParseUint(c.form["after"], 10, 64)
	if err != nil { // there is none
		after = sequence - min(limit, sequence)
	}
	entries, err := log.Read(after, int(limit))
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	return struct {
		Entries  []audit.Entry `json:"entries"`
		Sequence uint64        `json:"sequence"`
		Head     string        `json:"head"`
	}{append([]audit.Entry{}, entries...), sequence, head.String()}, nil
}
