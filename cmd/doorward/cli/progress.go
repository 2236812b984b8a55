package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// progress shows on a terminal how far long work has come, on one line of standard
// error that is drawn anew and wiped in the end. Elsewhere, and where the output is JSON,
// it shows nothing.
type progress struct {
	out    io.Writer // nil: silent
	width  int       // of the terminal, in columns
	verb   string    // what is being done
	unit   func(n int64) string
	total  int64 // zero: not known
	done   int64
	now    func() time.Time
	drawn  time.Time
	length int // of the line that stands there
}

// redraw is the least time between two drawings.
const redraw = 100 * time.Millisecond

// barWidth is the length of the bar, in columns.
const barWidth = 24

// progress begins to show work. Whoever begins it ends it, before anything else is said.
func (a *app) progress(verb string, total int64, unit func(int64) string) *progress {
	p := &progress{verb: verb, total: total, unit: unit, now: time.Now}
	f, ok := a.Err.(*os.File)
	if !ok || a.output == outputJSON || !term.IsTerminal(int(f.Fd())) {
		return p
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width == 0 {
		width = 80
	}
	p.out, p.width = f, width
	return p
}

// add tells that n more are done.
func (p *progress) add(n int) {
	p.done += int64(n)
	if p.out == nil {
		return
	}
	now := p.now()
	if now.Sub(p.drawn) < redraw && p.done != p.total {
		return
	}
	p.drawn = now
	p.draw(p.line())
}

// Write counts bytes that pass by.
func (p *progress) Write(b []byte) (int, error) {
	p.add(len(b))
	return len(b), nil
}

func (p *progress) line() string {
	if p.total == 0 {
		return fmt.Sprintf("%s %s", p.verb, p.unit(p.done))
	}
	filled := int(min(p.done, p.total) * barWidth / p.total)
	return fmt.Sprintf("%s [%s%s] %s of %s", p.verb, strings.Repeat("#", filled), strings.Repeat("-", barWidth-filled), p.unit(p.done), p.unit(p.total))
}

// draw replaces the line. Blanks wipe the rest of what stood there, so that terminals
// need no control sequence but the carriage return.
func (p *progress) draw(line string) {
	line = line[:min(len(line), p.width-1)]
	fmt.Fprintf(p.out, "\r%s%s", line, strings.Repeat(" ", max(0, p.length-len(line))))
	p.length = len(line)
}

// end wipes the line.
func (p *progress) end() {
	if p.length > 0 {
		p.draw("")
		fmt.Fprint(p.out, "\r")
	}
}

// count is the unit of things, megabytes that of bytes.
func count(n int64) string     { return fmt.Sprint(n) }
func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
