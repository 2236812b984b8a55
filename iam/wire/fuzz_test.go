package wire

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"testing"

	"github.com/doorward/doorward/iam/state"
)

// FuzzDecodeEntry tries bytes as the body of each kind behind a valid header and
// checksum, so that the fuzzer reaches the fields.
func FuzzDecodeEntry(f *testing.F) {
	for i, c := range filledCommands() {
		entry, err := AppendEntry(nil, envelope(c))
		if err != nil {
			f.Fatal(err)
		}
		_, body := entryParts(entry)
		f.Add(kinds[i].number, body)
	}
	f.Fuzz(func(t *testing.T, number uint16, body []byte) {
		k, ok := kindByNumber[number]
		if !ok || len(body) > MaxEntry/2 {
			return
		}
		c := newReader()
		c.reset(body)
		e := envelope(nil)
		k.code(c, &e.Command)
		if c.finish() != nil {
			return
		}
		written, err := AppendEntry(nil, e)
		if err != nil {
			t.Skip(err)
		}
		again, _, err := DecodeEntry(written)
		if err != nil || !reflect.DeepEqual(again, e) {
			t.Fatalf("%+v came back as %+v, %v", e, again, err)
		}
		if _, _, err := DecodeEntry(body); err == nil {
			t.Fatal("a body without header was taken for an entry")
		}
	})
}

func FuzzReadSnapshot(f *testing.F) {
	f.Add(writeSnapshot(f, fullView(), someRequests()))
	f.Add(writeSnapshot(f, state.Empty(), nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ReadSnapshot(bytes.NewReader(b), state.InTurn)
		if err != nil {
			return
		}
		if again, err := ReadSnapshot(bytes.NewReader(writeSnapshot(t, s.View, s.Requests)), state.InTurn); err != nil || again.View.Sum() != s.View.Sum() {
			t.Fatalf("read again: %v", err)
		}
	})
}

// FuzzSection tries bytes as the records of a section behind valid checksums.
func FuzzSection(f *testing.F) {
	for _, change := range everyChange() {
		table, _, _ := state.KeyOf(change)
		if change.Delete != nil {
			continue
		}
		w := newWriter()
		w.changed(table, &change)
		f.Add(uint16(table), w.buf)
	}
	f.Fuzz(func(t *testing.T, id uint16, records []byte) {
		if len(records) > maxSnapshotFrame {
			return
		}
		r := &snapshotReader{c: newReader(), loader: state.NewLoader()}
		r.c.known = make([]string, sharing)
		r.header.Sections = []Section{{ID: id, Required: true, Records: 1}}
		if r.checkSections() == nil {
			if r.readRecords(append([]byte{byte(id >> 8), byte(id), 0, 0, 0, 1}, records...)) != nil {
				return
			}
			r.loading = r.read
			r.load()
			if _, err := r.loader.View(1, state.InTurn); err != nil && !errors.Is(err, state.ErrOrder) {
				t.Fatal(err)
			}
		}
	})
}

func FuzzReadFrame(f *testing.F) {
	var stream []byte
	for _, frame := range filledFrames() {
		one, err := AppendFrame(nil, frame)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(one)
		stream = append(stream, one...)
	}
	f.Add(stream)
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewFrameReader(bytes.NewReader(b))
		for {
			frame, err := r.Read()
			if err != nil {
				if err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrTooLarge) {
					t.Fatalf("error of no kind: %v", err)
				}
				return
			}
			written, err := AppendFrame(nil, frame)
			if err != nil {
				t.Fatalf("%T was read but cannot be written: %v", frame, err)
			}
			again, err := NewFrameReader(bytes.NewReader(written)).Read()
			if err != nil || !reflect.DeepEqual(again, frame) {
				t.Fatalf("%+v came back as %+v, %v", frame, again, err)
			}
		}
	})
}
