package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/doorward/doorward/iam"
)

// An entry of the log, integers big-endian:
//
//	1   format, 1
//	1   flags; bit 0: ignorable
//	2   kind of command
//	2   version of the kind
//	2   feature level
//	8   time, milliseconds since 1970
//	16  request id
//	2   length of actor
//	4   length of body
//	n   actor
//	n   body, msgpack
//	8   xxhash64 of all of the above
//
// Entries that share a record of the log follow one another without anything
// between.
const (
	entryHeader   = 1 + 1 + 2 + 2 + 2 + 8 + 16 + 2 + 4
	entryChecksum = 8

	flagIgnorable = 1 << 0

	usualBody = 256 // bytes; most are shorter
)

const (
	// MaxEntry is the size of the largest entry, in bytes.
	MaxEntry = 512 << 10
	// MaxActor is the length of the longest actor, in bytes: that of an ARN.
	MaxActor = 2048
)

// ErrTooLarge says that something is larger than its format allows: an entry
// larger than [MaxEntry], an actor longer than [MaxActor], a frame larger than
// [MaxFrame]. What exceeds a frame reaches a follower as part of a snapshot.
var ErrTooLarge = errors.New("wire: too large")

// ErrCorrupt says that bytes are not what was written: the checksum is wrong, or
// a length does not fit.
var ErrCorrupt = errors.New("wire: corrupt")

// UnknownKindError says that an intact entry holds a command that this build does
// not know. A node passes over it if it is ignorable, and stops otherwise.
type UnknownKindError struct {
	Kind, Version, Level uint16
	Ignorable            bool
}

// Error names the kind and what this build knows.
func (e *UnknownKindError) Error() string {
	return fmt.Sprintf("wire: command kind %d version %d of feature level %d is not known to this build, which is at level %d",
		e.Kind, e.Version, e.Level, FeatureLevel)
}

// AppendEntry appends the entry that carries e to b. Errors: [ErrTooLarge]; a
// command that has no kind.
func AppendEntry(b []byte, e iam.Envelope) ([]byte, error) {
	k, ok := kindByType[reflect.TypeOf(e.Command)]
	if !ok {
		return b, fmt.Errorf("wire: %T has no kind", e.Command)
	}
	c := newWriter()
	c.buf = make([]byte, 0, usualBody)
	k.code(c, &e.Command)
	if c.err != nil {
		return b, fmt.Errorf("wire: write %T: %w", e.Command, c.err)
	}
	body := c.buf
	size := entryHeader + len(e.Actor) + len(body) + entryChecksum
	if size > MaxEntry || len(e.Actor) > MaxActor {
		return b, fmt.Errorf("%w: %T of %d bytes", ErrTooLarge, e.Command, size)
	}
	start := len(b)
	b = append(slices.Grow(b, size), entryFormat, 0)
	b = binary.BigEndian.AppendUint16(b, k.number)
	b = binary.BigEndian.AppendUint16(b, k.version)
	b = binary.BigEndian.AppendUint16(b, k.level)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Time))
	b = append(b, e.Request[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(e.Actor)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	b = append(b, e.Actor...)
	b = append(b, body...)
	return binary.BigEndian.AppendUint64(b, xxhash.Sum64(b[start:])), nil
}

// DecodeEntry reads the first entry of b and returns what follows it. The error
// is an [*UnknownKindError], with which rest is valid, or wraps [ErrCorrupt].
func DecodeEntry(b []byte) (e iam.Envelope, rest []byte, err error) {
	whole, rest, err := cutEntry(b)
	if err != nil {
		return iam.Envelope{}, nil, err
	}
	actor, body := entryParts(whole)
	e.Time = iam.Time(binary.BigEndian.Uint64(whole[8:]))
	e.Request = [16]byte(whole[16:])
	e.Actor = iam.ARN(actor)

	number, version := binary.BigEndian.Uint16(whole[2:]), binary.BigEndian.Uint16(whole[4:])
	level := binary.BigEndian.Uint16(whole[6:])
	k, known := kindByNumber[number]
	if !known || version > k.version || level > FeatureLevel {
		return e, rest, &UnknownKindError{number, version, level, whole[1]&flagIgnorable != 0}
	}
	if version == 0 || level == 0 {
		return iam.Envelope{}, nil, fmt.Errorf("%w: command kind %d has version %d and level %d, neither may be zero", ErrCorrupt, number, version, level)
	}
	c := newReader()
	c.reset(body)
	k.code(c, &e.Command)
	if err := c.finish(); err != nil {
		return iam.Envelope{}, nil, fmt.Errorf("%w: command kind %d version %d: %w", ErrCorrupt, number, version, err)
	}
	return e, rest, nil
}

// cutEntry checks the frame and the checksum of the first entry.
func cutEntry(b []byte) (entry, rest []byte, err error) {
	if len(b) < entryHeader+entryChecksum {
		return nil, nil, fmt.Errorf("%w: entry of %d bytes, at least %d are needed", ErrCorrupt, len(b), entryHeader+entryChecksum)
	}
	if b[0] != entryFormat {
		return nil, nil, fmt.Errorf("%w: entry format %d, only %d is known", ErrCorrupt, b[0], entryFormat)
	}
	size := uint64(entryHeader) + uint64(binary.BigEndian.Uint16(b[32:])) + uint64(binary.BigEndian.Uint32(b[34:])) + entryChecksum
	if size > MaxEntry || size > uint64(len(b)) {
		return nil, nil, fmt.Errorf("%w: entry says that it has %d bytes; %d are there, %d are the most", ErrCorrupt, size, len(b), MaxEntry)
	}
	entry, rest = b[:size], b[size:]
	sum := size - entryChecksum
	if got, want := xxhash.Sum64(entry[:sum]), binary.BigEndian.Uint64(entry[sum:]); got != want {
		return nil, nil, fmt.Errorf("%w: entry has checksum %016x, its bytes give %016x", ErrCorrupt, want, got)
	}
	return entry, rest, nil
}

func entryParts(entry []byte) (actor, body []byte) {
	n := entryHeader + int(binary.BigEndian.Uint16(entry[32:]))
	return entry[entryHeader:n], entry[n : len(entry)-entryChecksum]
}
