package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/cespare/xxhash/v2"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
)

// A snapshot file, integers big-endian:
//
//	8   "DOORWARD"
//	2   format, 1
//	    frames: one header, then the sections in the order that the header
//	    names, each in as many frames as it takes, then one trailer
//
// A frame:
//
//	1   type: 1 header, 2 section, 3 trailer
//	4   length of the body
//	n   body, msgpack
//	8   xxhash64 of all of the above
//
// The trailer repeats how many records there were and holds the xxhash64 of the
// file up to its own frame. A section that a reader does not know is refused if
// the header marks it as required, and passed over if not. Nothing may follow the
// trailer.
const (
	snapshotMagic = "DOORWARD"

	frameOfHeader  = 1
	frameOfSection = 2
	frameOfTrailer = 3

	snapshotFrameHeader = 1 + 4
	// maxSnapshotFrame bounds a body, and sectionFrame is where a writer begins
	// the next: a record of up to the difference always fits.
	maxSnapshotFrame = 1 << 20
	sectionFrame     = 256 << 10
)

// sectionRequests is the section of remembered requests. Sections below it are
// tables of package iam, by their numbers.
const sectionRequests uint16 = 100

// Header says what a snapshot holds and where in the history of a store it is.
type Header struct {
	Position
	Term         uint64    // of the entry at Position.Index
	FeatureLevel uint16    // that the store is at
	Time         iam.Time  // of the newest command, which the next one's is not before
	SecretSum    state.Sum // of the sealed secrets
	RequestSum   state.Sum // of the remembered requests
	Sections     []Section
}

// Section is one table of a snapshot.
type Section struct {
	ID       uint16
	Required bool // a reader that does not know the section must refuse the snapshot
	Records  uint64
}

// Snapshot is all that a replica is: a view, and the requests that it remembers
// in order to apply none twice.
type Snapshot struct {
	Header   Header
	View     *state.View
	Requests []Request // oldest first
}

// Request is a remembered request and what came of it.
type Request struct {
	Actor  iam.ARN
	ID     [16]byte
	Time   iam.Time // of the store when it was applied
	Index  iam.Index
	Code   iam.Code // empty: done
	Reason string   // the message of the refusal
	Count  uint32
}

// Sum returns the request's part of Header.RequestSum. The words of a refusal do
// not count: two builds may put it differently and still have done the same.
func (r Request) Sum() state.Sum {
	b := make([]byte, 0, 256)
	b = append(binary.AppendUvarint(b, uint64(len(r.Actor))), r.Actor...)
	b = append(b, r.ID[:]...)
	b = binary.AppendVarint(b, int64(r.Time))
	b = binary.AppendUvarint(b, uint64(r.Index))
	b = append(binary.AppendUvarint(b, uint64(len(r.Code))), r.Code...)
	b = binary.AppendUvarint(b, uint64(r.Count))
	return state.SumOf(b)
}

// ErrUnknownSection says that a snapshot needs a newer build.
var ErrUnknownSection = errors.New("wire: snapshot has a required section that this build does not know")

// WriteSnapshot writes a snapshot of a view and of remembered requests, oldest
// first. It reads the view as it goes and holds no more than a frame in memory.
// The header's position, sums and sections are filled in from the view.
func WriteSnapshot(out io.Writer, h Header, v *state.View, requests int, each iter.Seq[Request]) error {
	h.Position, h.SecretSum = PositionOf(v), v.SecretSum()
	h.Sections = sectionsOf(v, requests)
	w := &snapshotWriter{out: out, c: newWriter()}
	if err := w.begin(&h); err != nil {
		return fmt.Errorf("wire: write snapshot: %w", err)
	}
	for t := iam.TableUsers; t <= iam.LastTable; t++ {
		for c := range v.Table(t) {
			w.record(uint16(t), func() { w.c.changed(t, &c) })
		}
		w.flush(uint16(t))
	}
	for r := range each {
		w.record(sectionRequests, func() { w.c.request(&r) })
	}
	w.flush(sectionRequests)
	if err := w.end(); err != nil {
		return fmt.Errorf("wire: write snapshot: %w", err)
	}
	return nil
}

func sectionsOf(v *state.View, requests int) []Section {
	var sections []Section
	for t := iam.TableUsers; t <= iam.LastTable; t++ {
		// Builds of level 1 do not know the later tables.
		if n := v.Len(t); n > 0 || t <= iam.TableProviders {
			sections = append(sections, Section{uint16(t), true, uint64(n)})
		}
	}
	return append(sections, Section{sectionRequests, true, uint64(requests)})
}

type snapshotWriter struct {
	out     io.Writer
	digest  xxhash.Digest // of everything written so far
	c       *codec        // collects records of the current frame
	count   uint32        // records in it
	records uint64        // in all frames
	err     error
}

func (w *snapshotWriter) begin(h *Header) error {
	w.digest.Reset()
	w.write(binary.BigEndian.AppendUint16([]byte(snapshotMagic), snapshotFormat))
	w.c.header(h)
	w.frame(frameOfHeader)
	return w.err
}

// record adds one record to a section.
func (w *snapshotWriter) record(section uint16, body func()) {
	if w.err != nil {
		return
	}
	if w.count == 0 {
		w.c.buf = append(w.c.buf, make([]byte, 6)...) // section and count, filled in by flush
	}
	body()
	w.count++
	w.records++
	if len(w.c.buf) >= sectionFrame {
		w.flush(section)
	}
}

// flush writes the frame that is being collected, if it has any records.
func (w *snapshotWriter) flush(section uint16) {
	if w.count == 0 {
		return
	}
	binary.BigEndian.PutUint16(w.c.buf, section)
	binary.BigEndian.PutUint32(w.c.buf[2:], w.count)
	w.count = 0
	w.frame(frameOfSection)
}

func (w *snapshotWriter) end() error {
	sum := w.digest.Sum64()
	w.c.trailer(&w.records, &sum)
	w.frame(frameOfTrailer)
	return w.err
}

// frame writes what the codec holds as one frame and empties it.
func (w *snapshotWriter) frame(kind byte) {
	body := w.c.buf
	if w.err == nil && w.c.err != nil {
		w.err = w.c.err
	}
	if w.err == nil && len(body) > maxSnapshotFrame {
		w.err = fmt.Errorf("%w: snapshot frame of %d bytes", ErrTooLarge, len(body))
	}
	header := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)))
	var d xxhash.Digest
	d.Reset()
	d.Write(header)
	d.Write(body)
	w.write(header)
	w.write(body)
	w.write(binary.BigEndian.AppendUint64(nil, d.Sum64()))
	w.c.buf = w.c.buf[:0]
}

func (w *snapshotWriter) write(b []byte) {
	if w.err == nil {
		w.digest.Write(b)
		_, w.err = w.out.Write(b)
	}
}

// ReadSnapshot reads a snapshot and checks it end to end: every frame's checksum,
// the file's, the number of records of every section, and the sums of what was
// built. Nothing that is in use changes until the caller puts the result in place.
// Together, if it has two processors, nearly halves the time.
//
// Errors: [ErrCorrupt] if the bytes are not what was written or end too early,
// [ErrUnknownSection] if a newer build wrote them, and whatever in returns.
func ReadSnapshot(in io.Reader, together state.Together) (*Snapshot, error) {
	r := &snapshotReader{in: bufio.NewReaderSize(in, 256<<10), together: together, c: newReader(), loader: state.NewLoader()}
	r.digest.Reset()
	r.c.known = make([]string, sharing)
	s, err := r.snapshot()
	if err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	return s, nil
}

// ReadSnapshotHeader reads the header alone, for those who want to know what a
// file is. It checks no more than the header's own checksum.
func ReadSnapshotHeader(in io.Reader) (Header, error) {
	r := &snapshotReader{in: bufio.NewReader(in), c: newReader()}
	r.digest.Reset()
	if err := r.begin(); err != nil {
		return Header{}, fmt.Errorf("read snapshot header: %w", err)
	}
	return r.header, nil
}

type snapshotReader struct {
	in       *bufio.Reader
	together state.Together
	digest   xxhash.Digest // of everything read so far
	c        *codec
	buf      []byte
	header   Header
	loader   *state.Loader
	read     []iam.Change // of the newest frame, not in the loader yet
	loading  []iam.Change // of the frame before, on their way there
	requests []Request
	counts   []uint64 // records read, by place in header.Sections
	section  int      // the place being read
}

func (r *snapshotReader) snapshot() (*Snapshot, error) {
	if err := r.begin(); err != nil {
		return nil, err
	}
	for ended := false; !ended; {
		var err error
		r.read, r.loading = r.loading[:0], r.read
		r.together(func() { ended, err = r.next() }, r.load)
		if err != nil {
			return nil, err
		}
	}
	return r.verified()
}

// next reads a frame and reports whether it was the trailer.
func (r *snapshotReader) next() (ended bool, err error) {
	before := r.digest.Sum64()
	kind, body, err := r.frame()
	if err != nil {
		return false, err
	}
	switch kind {
	case frameOfSection:
		return false, r.readRecords(body)
	case frameOfTrailer:
		return true, r.end(body, before)
	}
	return false, fmt.Errorf("%w: frame of type %d where a section or the trailer belongs", ErrCorrupt, kind)
}

func (r *snapshotReader) load() {
	for i := range r.loading {
		r.loader.Add(r.loading[i])
	}
}

func (r *snapshotReader) begin() error {
	var start [len(snapshotMagic) + 2]byte
	if err := r.full(start[:]); err != nil {
		return err
	}
	if string(start[:len(snapshotMagic)]) != snapshotMagic {
		return fmt.Errorf("%w: not a snapshot, it begins with %q", ErrCorrupt, start[:len(snapshotMagic)])
	}
	if format := binary.BigEndian.Uint16(start[len(snapshotMagic):]); format != snapshotFormat {
		return fmt.Errorf("%w: snapshot format %d, only %d is known", ErrCorrupt, format, snapshotFormat)
	}
	kind, body, err := r.frame()
	if err != nil {
		return err
	}
	if kind != frameOfHeader {
		return fmt.Errorf("%w: frame of type %d where the header belongs", ErrCorrupt, kind)
	}
	r.c.reset(body)
	r.c.header(&r.header)
	if err := r.c.finish(); err != nil {
		return fmt.Errorf("%w: header: %w", ErrCorrupt, err)
	}
	return r.checkSections()
}

func (r *snapshotReader) checkSections() error {
	if level := r.header.FeatureLevel; level > FeatureLevel {
		return fmt.Errorf("%w: feature level %d, this build is at %d", ErrUnknownSection, level, FeatureLevel)
	}
	for _, s := range r.header.Sections {
		if s.Required && !knownSection(s.ID) {
			return fmt.Errorf("%w: section %d", ErrUnknownSection, s.ID)
		}
	}
	r.counts = make([]uint64, len(r.header.Sections))
	return nil
}

func knownSection(id uint16) bool {
	return id >= uint16(iam.TableUsers) && id <= uint16(iam.LastTable) || id == sectionRequests
}

// frame reads the next frame and checks its checksum.
func (r *snapshotReader) frame() (kind byte, body []byte, err error) {
	var header [snapshotFrameHeader]byte
	if err := r.full(header[:]); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(header[1:])
	if size > maxSnapshotFrame {
		return 0, nil, fmt.Errorf("%w: frame of %d bytes, %d are the most", ErrCorrupt, size, maxSnapshotFrame)
	}
	r.buf = append(r.buf[:0], make([]byte, size)...)
	if err := r.full(r.buf); err != nil {
		return 0, nil, err
	}
	var d xxhash.Digest
	d.Reset()
	d.Write(header[:])
	d.Write(r.buf)
	var sum [8]byte
	if err := r.full(sum[:]); err != nil {
		return 0, nil, err
	}
	if binary.BigEndian.Uint64(sum[:]) != d.Sum64() {
		return 0, nil, fmt.Errorf("%w: checksum of a frame of type %d is wrong", ErrCorrupt, header[0])
	}
	return header[0], r.buf, nil
}

func (r *snapshotReader) full(b []byte) error {
	_, err := io.ReadFull(r.in, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: it ends too early", ErrCorrupt)
	}
	r.digest.Write(b)
	return err
}

// readRecords reads the records of one section frame.
func (r *snapshotReader) readRecords(body []byte) error {
	if len(body) < 6 {
		return fmt.Errorf("%w: section frame of %d bytes", ErrCorrupt, len(body))
	}
	id, count := binary.BigEndian.Uint16(body), binary.BigEndian.Uint32(body[2:])
	for r.section < len(r.header.Sections) && r.header.Sections[r.section].ID != id {
		r.section++
	}
	if r.section == len(r.header.Sections) {
		return fmt.Errorf("%w: section %d is not where the header says", ErrCorrupt, id)
	}
	r.counts[r.section] += uint64(count)
	if !knownSection(id) {
		return nil
	}
	r.c.reset(body[6:])
	for range count {
		r.c.left = 1
		if r.readRecord(id); r.c.err != nil {
			break
		}
	}
	if err := r.c.finish(); err != nil {
		return fmt.Errorf("%w: section %d: %w", ErrCorrupt, id, err)
	}
	return nil
}

func (r *snapshotReader) readRecord(id uint16) {
	if id == sectionRequests {
		var req Request
		if r.c.request(&req); r.c.err == nil {
			r.requests = append(r.requests, req)
		}
		return
	}
	r.read = append(r.read, iam.Change{})
	r.c.changed(iam.Table(id), &r.read[len(r.read)-1])
}

// end checks the trailer against what was read.
func (r *snapshotReader) end(body []byte, sum uint64) error {
	var records, read, want uint64
	r.c.reset(body)
	r.c.trailer(&records, &want)
	if err := r.c.finish(); err != nil {
		return fmt.Errorf("%w: trailer: %w", ErrCorrupt, err)
	}
	for i, s := range r.header.Sections {
		if r.counts[i] != s.Records {
			return fmt.Errorf("%w: section %d has %d records, the header says %d", ErrCorrupt, s.ID, r.counts[i], s.Records)
		}
		read += r.counts[i]
	}
	if read != records || sum != want {
		return fmt.Errorf("%w: %d records with file sum %016x, the trailer says %d with %016x", ErrCorrupt, read, sum, records, want)
	}
	if _, err := r.in.ReadByte(); err != io.EOF {
		return fmt.Errorf("%w: something follows the trailer", ErrCorrupt)
	}
	return nil
}

// verified compares the sums of what was built with those of the header.
func (r *snapshotReader) verified() (*Snapshot, error) {
	v, err := r.loader.View(r.header.Index, r.together)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if at := PositionOf(v); at != r.header.Position || v.SecretSum() != r.header.SecretSum {
		return nil, fmt.Errorf("%w: its records are at %+v with secrets %v, the header says %+v with secrets %v",
			ErrCorrupt, at, v.SecretSum(), r.header.Position, r.header.SecretSum)
	}
	var requests state.Sum
	for i := range r.requests {
		requests = requests.Add(r.requests[i].Sum())
	}
	if requests != r.header.RequestSum {
		return nil, fmt.Errorf("%w: its requests have sum %v, the header says %v", ErrCorrupt, requests, r.header.RequestSum)
	}
	return &Snapshot{Header: r.header, View: v, Requests: r.requests}, nil
}

func (c *codec) header(h *Header) {
	c.record(7, func() {
		c.position(&h.Position)
		number(c, &h.Term)
		number(c, &h.FeatureLevel)
		c.time(&h.Time)
		c.sum(&h.SecretSum)
		c.sum(&h.RequestSum)
		list(c, &h.Sections, func(s *Section) {
			c.record(3, func() {
				number(c, &s.ID)
				c.flag(&s.Required)
				number(c, &s.Records)
			})
		})
	})
}

func (c *codec) request(r *Request) {
	c.record(7, func() {
		common(c, &r.Actor)
		c.fixed(r.ID[:])
		c.time(&r.Time)
		number(c, &r.Index)
		common(c, &r.Code)
		common(c, &r.Reason)
		number(c, &r.Count)
	})
}

func (c *codec) trailer(records, sum *uint64) {
	c.record(2, func() {
		number(c, records)
		number(c, sum)
	})
}
