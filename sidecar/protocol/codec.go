package protocol

import (
	"encoding/binary"
	"fmt"
	"math"
)

// reader takes fields off the front of a body. The first field that is not there
// in full makes it fail, and from then on it yields zero values.
type reader struct {
	rest string
	bad  bool
}

func (r *reader) take(n int) string {
	if r.bad || n > len(r.rest) {
		r.bad, r.rest = true, ""
		return ""
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

func (r *reader) u8() uint8 {
	if b := r.take(1); b != "" {
		return b[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if b := r.take(2); b != "" {
		return uint16(b[0])<<8 | uint16(b[1])
	}
	return 0
}

func (r *reader) u32() uint32 {
	high := r.u16()
	return uint32(high)<<16 | uint32(r.u16())
}

func (r *reader) u64() uint64 {
	high := r.u32()
	return uint64(high)<<32 | uint64(r.u32())
}

func (r *reader) text() string { return r.take(int(r.u16())) }

func (r *reader) blob() string { return r.take(int(min(r.u32(), math.MaxInt32))) }

func (r *reader) digest() (d [32]byte) {
	copy(d[:], r.take(len(d)))
	return d
}

func (r *reader) err(what string) error {
	if r.bad {
		return fmt.Errorf("%w: %s ends early", ErrMalformed, what)
	}
	return nil
}

// item returns a reader over the next item, which says its own length.
func (r *reader) item() reader {
	n := r.u32()
	if uint64(n) > uint64(len(r.rest)) {
		r.bad = true
	}
	return reader{rest: r.take(int(min(n, math.MaxInt32))), bad: r.bad}
}

func (r *reader) pairs(into []Pair, limit int, what string) ([]Pair, error) {
	n := int(r.u16())
	if n > limit {
		return into, fmt.Errorf("%w: %d %s, at most %d", ErrTooLarge, n, what, limit)
	}
	for range n {
		into = append(into, Pair{Name: r.text(), Value: r.text()})
	}
	return into, nil
}

// writer appends fields; the first one that exceeds its cap makes it fail.
type writer struct {
	b       []byte
	tooLong bool
}

func (w *writer) u8(v uint8)   { w.b = append(w.b, v) }
func (w *writer) u16(v uint16) { w.b = binary.BigEndian.AppendUint16(w.b, v) }
func (w *writer) u32(v uint32) { w.b = binary.BigEndian.AppendUint32(w.b, v) }
func (w *writer) u64(v uint64) { w.b = binary.BigEndian.AppendUint64(w.b, v) }

func (w *writer) text(s string) {
	if len(s) > math.MaxUint16 {
		w.tooLong = true
		return
	}
	w.u16(uint16(len(s)))
	w.b = append(w.b, s...)
}

// blob is a text whose length has four bytes; the frame's own cap bounds it.
func (w *writer) blob(s string) {
	if len(s) > MaxAnswer {
		w.tooLong = true
		return
	}
	w.u32(uint32(len(s)))
	w.b = append(w.b, s...)
}

func (w *writer) digest(d *[32]byte) { w.b = append(w.b, d[:]...) }

func (w *writer) pairs(pairs []Pair, limit int) {
	if len(pairs) > limit {
		w.tooLong = true
		return
	}
	w.u16(uint16(len(pairs)))
	for _, p := range pairs {
		w.text(p.Name)
		w.text(p.Value)
	}
}

// begin opens an item and returns where; end sets its length.
func (w *writer) begin() int {
	w.u32(0)
	return len(w.b)
}

func (w *writer) end(start int) {
	binary.BigEndian.PutUint32(w.b[start-4:], uint32(len(w.b)-start))
}

// done returns what was written, or before unchanged if a field exceeded its cap.
func (w *writer) done(before int, what string) ([]byte, error) {
	if w.tooLong {
		return w.b[:before], fmt.Errorf("%w: a field of the %s exceeds its cap", ErrTooLarge, what)
	}
	return w.b, nil
}

func bit(set bool, mask uint8) uint8 {
	if set {
		return mask
	}
	return 0
}
