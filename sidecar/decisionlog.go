package sidecar

import (
	"bufio"
	"context"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/doorward/doorward/authz"
)

// DecisionLog writes decisions as lines of JSON. [DecisionLog.Record] is for
// Events.Decided: it never waits. What does not fit the queue is dropped and
// counted. No line holds a signature, a token or a query string.
type DecisionLog struct {
	now     func() time.Time
	allows  uint64
	queue   chan *[]byte
	seen    atomic.Uint64 // allows, for sampling
	dropped atomic.Uint64
	written atomic.Uint64
	lines   sync.Pool
}

// DecisionLogConfig says what is logged.
type DecisionLogConfig struct {
	// Queue is how many lines may wait to be written; zero means 8192.
	Queue int
	// Allows logs one in so many allowed requests, every refused one is logged. Zero
	// means 1: all.
	Allows uint64
	// Now is the clock for the lines; nil means time.Now.
	Now func() time.Time
}

// NewDecisionLog returns a log that keeps lines until [DecisionLog.Run] writes them.
func NewDecisionLog(config DecisionLogConfig) *DecisionLog {
	if config.Queue <= 0 {
		config.Queue = 8192
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &DecisionLog{
		now: config.Now, allows: max(1, config.Allows), queue: make(chan *[]byte, config.Queue),
		lines: sync.Pool{New: func() any { return new([]byte) }},
	}
}

// Dropped returns how many decisions were not logged because the queue was full.
func (l *DecisionLog) Dropped() uint64 { return l.dropped.Load() }

// Written returns how many decisions have been logged.
func (l *DecisionLog) Written() uint64 { return l.written.Load() }

// Record takes a decision. It keeps nothing of d.
func (l *DecisionLog) Record(d *Decision) {
	if d.Effect == authz.Allow && l.allows > 1 && l.seen.Add(1)%l.allows != 1 {
		return
	}
	line := l.lines.Get().(*[]byte)
	*line = appendDecision((*line)[:0], d, l.now())
	select {
	case l.queue <- line:
	default:
		l.dropped.Add(1)
		l.lines.Put(line)
	}
}

// Run writes lines to w until ctx is done, and then those that wait. It returns the
// first error of w; lines after it are taken and not written.
func (l *DecisionLog) Run(ctx context.Context, w io.Writer) error {
	out := bufio.NewWriterSize(w, 64<<10)
	var failed error
	buffered := uint64(0)
	write := func(line *[]byte) {
		// An error stays with the buffer until Flush returns it.
		_, _ = out.Write(*line)
		buffered++
		l.lines.Put(line)
		if len(l.queue) > 0 {
			return
		}
		if err := out.Flush(); err != nil && failed == nil {
			failed = err
		}
		if failed == nil {
			l.written.Add(buffered)
		}
		buffered = 0
	}
	for {
		select {
		case line := <-l.queue:
			write(line)
		case <-ctx.Done():
			for {
				select {
				case line := <-l.queue:
					write(line)
				default:
					return failed
				}
			}
		}
	}
}

// appendDecision appends a line. The names stay as they are.
func appendDecision(b []byte, d *Decision, now time.Time) []byte {
	b = append(b, `{"time":"`...)
	b = now.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","decision":"`...)
	b = append(append(b, d.Effect.String()...), '"')
	b = appendField(b, "reason", d.Why())
	b = appendField(b, "principal", string(d.Principal))
	b = appendField(b, "access_key", string(d.AccessKey))
	b = appendField(b, "parent", string(d.Parent))
	b = appendField(b, "session", d.Session)
	b = appendField(b, "action", d.Action)
	b = appendField(b, "resource", d.Resource)
	b = appendField(b, "layer", d.Reason.Layer.String())
	b = appendField(b, "policy", d.Reason.Policy)
	b = appendField(b, "statement", d.Statement())
	b = append(b, `,"index":`...)
	b = strconv.AppendUint(b, uint64(d.Index), 10)
	b = append(b, `,"staleness_ms":`...)
	b = strconv.AppendInt(b, d.Staleness.Milliseconds(), 10)
	b = append(b, `,"took_us":`...)
	b = strconv.AppendInt(b, d.Took.Microseconds(), 10)
	return append(b, '}', '\n')
}

// appendField appends a member with a text, nothing if the text is empty.
func appendField(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, ',', '"')
	b = append(append(b, name...), '"', ':', '"')
	for i := 0; i < len(value); {
		c := value[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < 0x20 || c == 0x7f:
			b = append(b, `\u00`...)
			b = append(b, hexDigits[c>>4], hexDigits[c&15])
		case c < utf8.RuneSelf:
			b = append(b, c)
		default:
			r, size := utf8.DecodeRuneInString(value[i:])
			b = utf8.AppendRune(b, r)
			i += size - 1
		}
		i++
	}
	return append(b, '"')
}

const hexDigits = "0123456789abcdef"
