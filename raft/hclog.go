package raft

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// slogger is the library's logger, written to slog. Its debug lines are dropped
// unless the handler wants them.
type slogger struct {
	to   *slog.Logger
	name string
	with []any
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
	return &slogger{s.to.With(args...), s.name, append(append([]any(nil), s.with...), args...)}
}

func (s *slogger) Named(name string) hclog.Logger      { return &slogger{s.to, name, s.with} }
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
