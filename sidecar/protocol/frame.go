package protocol

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Hard caps. A frame that exceeds one ends the connection.
const (
	HeaderSize   = 12
	MaxRequest   = 1 << 20  // bytes of a request's body
	MaxAnswer    = 16 << 20 // bytes of an answer's body
	MaxItems     = 1024     // items in a request, and answers that a request may ask for
	MaxHeaders   = 256      // header fields of a check
	MaxPairs     = 256      // condition values of a check or of a context
	MaxPipelined = 1024     // requests without an answer on one connection
)

// Type says what a frame's body is. Zero is never valid.
type Type uint8

// The types of frame. An answer has the type of its request with the top bit set.
const (
	TypeHello      Type = 0x01
	TypeCheck      Type = 0x02
	TypeVerify     Type = 0x03
	TypeSigningKey Type = 0x04
	TypeChunk      Type = 0x05
	TypePing       Type = 0x06

	TypeWelcome      Type = 0x81
	TypeCheckAnswer  Type = 0x82
	TypeVerifyAnswer Type = 0x83
	TypeKeyAnswer    Type = 0x84
	TypeChunkAnswer  Type = 0x85
	TypePong         Type = 0x86
	TypeRefusal      Type = 0xff
)

// Answer returns the type of the answer to t.
func (t Type) Answer() Type { return t | 0x80 }

// Flags modify a request.
type Flags uint8

// Brief asks for answers without names, messages and reasons.
const Brief Flags = 1 << 0

// Header opens every frame. On the wire, in network byte order:
//
//	0  u32  length of the body that follows, in bytes
//	4  u8   type
//	5  u8   flags
//	6  u16  number of items in the body
//	8  u32  correlation id: the client's choice, repeated in the answer
type Header struct {
	Length uint32
	Type   Type
	Flags  Flags
	Items  uint16
	ID     uint32
}

// ErrMalformed is what every reader of this package returns, wrapped, for bytes
// that are not what they should be. The connection they came from is closed.
var ErrMalformed = errors.New("malformed frame")

// ErrTooLarge is returned, wrapped, for values that exceed a cap of this package.
var ErrTooLarge = errors.New("frame too large")

// ReadHeader reads the first HeaderSize bytes of a frame. limit is MaxRequest at
// the server and MaxAnswer at the client.
func ReadHeader(b []byte, limit uint32) (Header, error) {
	if len(b) < HeaderSize {
		return Header{}, fmt.Errorf("%w: header of %d bytes, want %d", ErrMalformed, len(b), HeaderSize)
	}
	h := Header{
		Length: binary.BigEndian.Uint32(b),
		Type:   Type(b[4]),
		Flags:  Flags(b[5]),
		Items:  binary.BigEndian.Uint16(b[6:]),
		ID:     binary.BigEndian.Uint32(b[8:]),
	}
	switch {
	case h.Type == 0:
		return Header{}, fmt.Errorf("%w: type 0", ErrMalformed)
	case h.Length > limit:
		return Header{}, fmt.Errorf("%w: body of %d bytes, at most %d", ErrTooLarge, h.Length, limit)
	case h.Items > MaxItems:
		return Header{}, fmt.Errorf("%w: %d items, at most %d", ErrTooLarge, h.Items, MaxItems)
	}
	return h, nil
}

// AppendHeader appends a header whose length is not known yet; [FinishFrame] sets it.
func AppendHeader(b []byte, t Type, flags Flags, items int, id uint32) []byte {
	b = append(b, 0, 0, 0, 0, byte(t), byte(flags))
	b = binary.BigEndian.AppendUint16(b, uint16(items))
	return binary.BigEndian.AppendUint32(b, id)
}

// FinishFrame sets the length of the frame whose header begins at b[start:], and
// which ends where b ends. A body above limit is ErrTooLarge.
func FinishFrame(b []byte, start int, limit uint32) error {
	body := len(b) - start - HeaderSize
	if body < 0 || uint64(body) > uint64(limit) {
		return fmt.Errorf("%w: body of %d bytes, at most %d", ErrTooLarge, body, limit)
	}
	binary.BigEndian.PutUint32(b[start:], uint32(body))
	return nil
}
