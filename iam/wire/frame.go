package wire

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// A frame of the feed, integers big-endian:
//
//	4   length of what follows
//	1   type
//	n   body, msgpack
//
// Integrity is TLS's on the way, and the sums' of Delta, Bookmark and SnapshotEnd
// from one view to the other. No frame carries a sealed secret: whatever changes
// it is given, the encoder leaves them out.
const frameHeader = 5

// MaxFrame is the size of the largest frame, in bytes.
const MaxFrame = 32 << 20

// The types of frame.
const (
	typeHello         = 1
	typeSnapshotBegin = 2
	typeSnapshotChunk = 3
	typeSnapshotEnd   = 4
	typeDelta         = 5
	typeBookmark      = 6
	typePong          = 7
	typeSigningKeys   = 8
	typeGoAway        = 9
	typeSubscribe     = 10
	typeProgress      = 11
	typeConfirm       = 12
	typeAskKey        = 13
	typeKey           = 14
	typeRefused       = 15
	typeTrust         = 16
	lastType          = typeTrust
)

// AppendFrame appends f to b. The error wraps [ErrTooLarge] if f is larger than
// [MaxFrame].
func AppendFrame(b []byte, f Frame) ([]byte, error) {
	c := newWriter()
	c.public = true
	c.buf = make([]byte, frameHeader, 512)
	kind := c.frame(typeOf(f), &f)
	if c.err != nil {
		return b, fmt.Errorf("wire: write %T: %w", f, c.err)
	}
	frame := c.buf
	if len(frame) > MaxFrame {
		return b, fmt.Errorf("%w: %T of %d bytes", ErrTooLarge, f, len(frame))
	}
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	frame[4] = kind
	return append(b, frame...), nil
}

// FrameReader reads frames from a stream.
type FrameReader struct {
	in  *bufio.Reader
	max uint32 // bytes of a frame
	buf []byte
	c   *codec
}

// NewFrameReader returns a reader of the frames that come from r.
func NewFrameReader(r io.Reader) *FrameReader { return newFrameReader(r, 64<<10, MaxFrame) }

// NewFollowerReader is NewFrameReader for what a follower sends, which is never
// larger than [MaxFollowerFrame].
func NewFollowerReader(r io.Reader) *FrameReader { return newFrameReader(r, 4<<10, MaxFollowerFrame) }

func newFrameReader(r io.Reader, buffer int, max uint32) *FrameReader {
	c := newReader()
	c.lenient, c.public = true, true
	return &FrameReader{in: bufio.NewReaderSize(r, buffer), max: max, c: c}
}

// Buffered returns how many bytes have arrived that Read has not returned yet.
func (r *FrameReader) Buffered() int { return r.in.Buffered() }

// Read returns the next frame. Frames of types that this build does not know are
// passed over. Errors: io.EOF at the end of the stream between two frames,
// io.ErrUnexpectedEOF within one, [ErrCorrupt], [ErrTooLarge], and whatever the
// stream returns.
func (r *FrameReader) Read() (Frame, error) {
	for {
		kind, body, err := r.next()
		if err != nil {
			return nil, err
		}
		if kind == 0 {
			return nil, fmt.Errorf("%w: frame of type 0", ErrCorrupt)
		}
		if kind > lastType {
			continue
		}
		return r.decode(kind, body)
	}
}

func (r *FrameReader) decode(kind byte, body []byte) (Frame, error) {
	if kind == typeSnapshotBegin {
		r.c.known = make([]string, sharing) // many records will share texts
	} else if kind == typeSnapshotEnd {
		r.c.known = nil
	}
	var f Frame
	r.c.reset(body)
	r.c.frame(kind, &f)
	if err := r.c.finish(); err != nil {
		return nil, fmt.Errorf("%w: frame of type %d: %w", ErrCorrupt, kind, err)
	}
	return f, nil
}

// next reads one frame. The body is allocated as its bytes arrive, so that a
// length alone costs nothing.
func (r *FrameReader) next() (kind byte, body []byte, err error) {
	var header [frameHeader]byte
	if _, err := io.ReadFull(r.in, header[:]); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(header[:])
	if size < 1 || size > r.max-4 {
		return 0, nil, fmt.Errorf("%w: frame of %d bytes, 1 to %d are possible", ErrTooLarge, size, r.max-4)
	}
	r.buf, err = readGrowing(r.in, r.buf[:0], int(size-1))
	return header[4], r.buf, err
}

// readGrowing appends n bytes of in to b. It grows b by what has arrived, not by
// what was promised.
func readGrowing(in io.Reader, b []byte, n int) ([]byte, error) {
	const step = 256 << 10
	for n > 0 {
		part := min(n, max(step, len(b)))
		start := len(b)
		if cap(b)-start < part {
			b = append(make([]byte, 0, start+part), b...)
		}
		b = b[:start+part]
		if _, err := io.ReadFull(in, b[start:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		n -= part
	}
	return b, nil
}

func typeOf(f Frame) byte {
	switch f.(type) {
	case Hello:
		return typeHello
	case SnapshotBegin:
		return typeSnapshotBegin
	case SnapshotChunk:
		return typeSnapshotChunk
	case SnapshotEnd:
		return typeSnapshotEnd
	case Delta:
		return typeDelta
	case Bookmark:
		return typeBookmark
	case Pong:
		return typePong
	case SigningKeys:
		return typeSigningKeys
	case GoAway:
		return typeGoAway
	case Subscribe:
		return typeSubscribe
	case Progress:
		return typeProgress
	case Confirm:
		return typeConfirm
	case AskKey:
		return typeAskKey
	case Key:
		return typeKey
	case Refused:
		return typeRefused
	case Trust:
		return typeTrust
	}
	return 0
}

// frame reads or writes the body of a frame and returns its type.
func (c *codec) frame(kind byte, f *Frame) byte {
	switch kind {
	case typeHello:
		inFrame(c, f, c.hello)
	case typeSnapshotBegin:
		inFrame(c, f, c.snapshotBegin)
	case typeSnapshotChunk:
		inFrame(c, f, c.snapshotChunk)
	case typeSnapshotEnd:
		inFrame(c, f, c.snapshotEnd)
	case typeDelta:
		inFrame(c, f, c.delta)
	case typeBookmark:
		inFrame(c, f, c.bookmark)
	case typePong:
		inFrame(c, f, c.pong)
	case typeSigningKeys:
		inFrame(c, f, c.signingKeys)
	case typeGoAway:
		inFrame(c, f, c.goAway)
	case typeSubscribe:
		inFrame(c, f, c.subscribe)
	case typeProgress:
		inFrame(c, f, c.progress)
	case typeConfirm:
		inFrame(c, f, c.confirm)
	case typeAskKey:
		inFrame(c, f, c.askKey)
	case typeKey:
		inFrame(c, f, c.key)
	case typeRefused:
		inFrame(c, f, c.refused)
	case typeTrust:
		inFrame(c, f, c.trust)
	default:
		c.fail("%T is no frame", *f)
	}
	return kind
}

func inFrame[T Frame](c *codec, f *Frame, body func(*T)) {
	var v T
	if c.writing {
		v = (*f).(T)
	}
	body(&v)
	*f = v
}

func (c *codec) hello(v *Hello) {
	c.record(7, func() {
		text(c, &v.Cluster)
		number(c, &v.Epoch)
		text(c, &v.Node)
		number(c, &v.Applied)
		number(c, &v.Floor)
		list(c, &v.TokenKeys, c.bytes)
		texts(c, &v.Nodes)
	})
}

func (c *codec) position(v *Position) {
	c.record(4, func() {
		text(c, &v.Cluster)
		number(c, &v.Epoch)
		number(c, &v.Index)
		c.sum(&v.Sum)
	})
}

func (c *codec) snapshotBegin(v *SnapshotBegin) {
	c.record(2, func() {
		c.position(&v.Position)
		number(c, &v.Records)
	})
}

func (c *codec) snapshotChunk(v *SnapshotChunk) {
	c.record(1, func() { list(c, &v.Changes, c.change) })
}

func (c *codec) snapshotEnd(v *SnapshotEnd) {
	c.record(1, func() { c.position(&v.Position) })
}

func (c *codec) delta(v *Delta) {
	c.record(4, func() {
		number(c, &v.Prev)
		number(c, &v.Index)
		list(c, &v.Changes, c.change)
		c.sum(&v.Sum)
	})
}

func (c *codec) bookmark(v *Bookmark) {
	c.record(2, func() {
		number(c, &v.Index)
		c.sum(&v.Sum)
	})
}

func (c *codec) pong(v *Pong) {
	c.record(3, func() {
		number(c, &v.Nonce)
		number(c, &v.Index)
		c.time(&v.Time)
	})
}

func (c *codec) scope(v *Scope) {
	c.record(3, func() {
		common(c, &v.Date)
		common(c, &v.Region)
		common(c, &v.Service)
	})
}

func (c *codec) signingKey(v *SigningKey) {
	c.record(3, func() {
		text(c, &v.AccessKey)
		c.scope(&v.Scope)
		c.fixed(v.Key[:])
	})
}

func (c *codec) signingKeys(v *SigningKeys) {
	c.record(1, func() { list(c, &v.Keys, c.signingKey) })
}

func (c *codec) goAway(v *GoAway) {
	c.record(3, func() {
		text(c, &v.Reason)
		number(c, &v.Retry)
		texts(c, &v.Peers)
	})
}
