package raft

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// slogger is the library's logger, written to slog. Its debug lines are dropped
// unless the handler wants them, and what it says again and again about a member that
// is down is said once a minute.
type slogger struct {
	to   *slog.Logger
	said *repeats // shared by all that were made from one
	name string
	with []any
}

func newSlogger(to *slog.Logger) *slogger { return &slogger{to: to, said: new(repeats)} }

// repeatAfter is how long a warning is kept back after it was logged; maxRepeats bounds
// those that are remembered.
const (
	repeatAfter = time.Minute
	maxRepeats  = 256
)

// repeats remembers which warnings were logged lately.
type repeats struct {
	mu   sync.Mutex
	seen map[string]*repeat
}

type repeat struct {
	logged time.Time
	kept   int // kept back since
}

// due reports whether a warning should be logged now, and how many like it were kept
// back since the last.
func (r *repeats) due(warning string, now time.Time) (kept int, due bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := r.seen[warning]
	switch {
	case last == nil:
		if r.seen == nil || len(r.seen) >= maxRepeats {
			r.seen = make(map[string]*repeat)
		}
		r.seen[warning] = &repeat{logged: now}
		return 0, true
	case now.Sub(last.logged) < repeatAfter:
		last.kept++
		return 0, false
	}
	kept, last.kept, last.logged = last.kept, 0, now
	return kept, true
}

var _ hclog.Logger = (*slogger)(nil)

func levelOf(l hclog.Level) slog.Level {
	switch l {
	case hclog.Trace, hclog.Debug:
		return slog.LevelDebug
	case hclog.Warn:
		return slog.LevelWarn
	case hclog.Error:
		return slog.LevelError
	}
	return slog.LevelInfo
}

// Log writes one line; values that the library wants formatted are formatted.
func (s *slogger) Log(level hclog.Level, msg string, args ...any) {
	to := levelOf(level)
	if !s.to.Enabled(context.Background(), to) {
		return
	}
	for i, arg := range args {
		if f, ok := arg.(hclog.Format); ok {
			args[i] = fmt.Sprintf(f[0].(string), f[1:]...)
		}
	}
	if to >= slog.LevelWarn {
		about := ""
		if len(args) > 1 {
			about = fmt.Sprint(args[1]) // the library names the member first
		}
		kept, due := s.said.due(msg+" "+about, time.Now())
		if !due {
			return
		}
		if kept > 0 {
			args = append(args, "repeated", kept)
		}
	}
	s.to.Log(context.Background(), to, msg, args...)
}

func (s *slogger) Trace(msg string, args ...any) { s.Log(hclog.Trace, msg, args...) }
func (s *slogger) Debug(msg string, args ...any) { s.Log(hclog.Debug, msg, args...) }
func (s *slogger) Info(msg string, args ...any)  { s.Log(hclog.Info, msg, args...) }
func (s *slogger) Warn(msg string, args ...any)  { s.Log(hclog.Warn, msg, args...) }
func (s *slogger) Error(msg string, args ...any) { s.Log(hclog.Error, msg, args...) }

func (s *slogger) enabled(l slog.Level) bool { return s.to.Enabled(context.Background(), l) }

func (s *slogger) IsTrace() bool { return false }
func (s *slogger) IsDebug() bool { return s.enabled(slog.LevelDebug) }
func (s *slogger) IsInfo() bool  { return s.enabled(slog.LevelInfo) }
func (s *slogger) IsWarn() bool  { return s.enabled(slog.LevelWarn) }
func (s *slogger) IsError() bool { return s.enabled(slog.LevelError) }

func (s *slogger) ImpliedArgs() []any { return s.with }
func (s *slogger) Name() string       { return s.name }

func (s *slogger) With(args ...any) hclog.Logger {
	return &slogger{s.to.With(args...), s.said, s.name, append(append([]any(nil), s.with...), args...)}
}

func (s *slogger) Named(name string) hclog.Logger      { return &slogger{s.to, s.said, name, s.with} }
func (s *slogger) ResetNamed(name string) hclog.Logger { return s.Named(name) }
func (s *slogger) SetLevel(hclog.Level)                {}
func (s *slogger) GetLevel() hclog.Level {
	if s.IsDebug() {
		return hclog.Debug
	}
	return hclog.Info
}

func (s *slogger) StandardLogger(*hclog.StandardLoggerOptions) *log.Logger {
	return slog.NewLogLogger(s.to.Handler(), slog.LevelInfo)
}

func (s *slogger) StandardWriter(o *hclog.StandardLoggerOptions) io.Writer {
	return s.StandardLogger(o).Writer()
}
