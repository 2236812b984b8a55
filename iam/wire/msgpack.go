package wire

import (
	"encoding/binary"
	"math"
)

// This file is the part of MessagePack that these formats use: nil, booleans, integers,
// texts, byte strings and arrays, each written in the shortest form. Readers take every
// form of an integer and of a length. https://github.com/msgpack/msgpack/blob/master/spec.md
const (
	codeFixArray = 0x90 // to 0x9f
	codeFixText  = 0xa0 // to 0xbf
	codeNil      = 0xc0
	codeFalse    = 0xc2
	codeTrue     = 0xc3
	codeBytes8   = 0xc4
	codeBytes16  = 0xc5
	codeBytes32  = 0xc6
	codeUint8    = 0xcc
	codeUint16   = 0xcd
	codeUint32   = 0xce
	codeUint64   = 0xcf
	codeInt8     = 0xd0
	codeInt16    = 0xd1
	codeInt32    = 0xd2
	codeInt64    = 0xd3
	codeText8    = 0xd9
	codeText16   = 0xda
	codeText32   = 0xdb
	codeArray16  = 0xdc
	codeArray32  = 0xdd
	codeFixMinus = 0xe0 // to 0xff: -32 to -1
)

func appendArray(b []byte, n int) []byte {
	switch {
	case n < 16:
		return append(b, codeFixArray|byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, codeArray16), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, codeArray32), uint32(n))
}

func appendText(b []byte, s string) []byte {
	switch n := len(s); {
	case n < 32:
		b = append(b, codeFixText|byte(n))
	case n <= math.MaxUint8:
		b = append(b, codeText8, byte(n))
	case n <= math.MaxUint16:
		b = binary.BigEndian.AppendUint16(append(b, codeText16), uint16(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, codeText32), uint32(n))
	}
	return append(b, s...)
}

func appendBytes(b, s []byte) []byte {
	switch n := len(s); {
	case n <= math.MaxUint8:
		b = append(b, codeBytes8, byte(n))
	case n <= math.MaxUint16:
		b = binary.BigEndian.AppendUint16(append(b, codeBytes16), uint16(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, codeBytes32), uint32(n))
	}
	return append(b, s...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, codeTrue)
	}
	return append(b, codeFalse)
}

func appendUint(b []byte, n uint64) []byte {
	switch {
	case n < 128:
		return append(b, byte(n))
	case n <= math.MaxUint8:
		return append(b, codeUint8, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, codeUint16), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, codeUint32), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, codeUint64), n)
}

func appendInt(b []byte, n int64) []byte {
	switch {
	case n >= 0:
		return appendUint(b, uint64(n))
	case n >= -32:
		return append(b, byte(n))
	case n >= math.MinInt8:
		return append(b, codeInt8, byte(n))
	case n >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(b, codeInt16), uint16(n))
	case n >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(b, codeInt32), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, codeInt64), uint64(n))
}

// take returns the next n bytes, which stay the reader's: nil after an error, or if fewer
// are left.
func (c *codec) take(n int) []byte {
	if c.err != nil || n > len(c.buf) {
		c.fail("%d bytes where %d are left", n, len(c.buf))
		return nil
	}
	b := c.buf[:n:n]
	c.buf = c.buf[n:]
	return b
}

// code takes the byte that a value begins with. Zero after an error, which is the number
// zero: whoever minds looks at c.err.
func (c *codec) code() byte {
	if len(c.buf) == 0 || c.err != nil {
		c.fail("it ends too early")
		return 0
	}
	code := c.buf[0]
	c.buf = c.buf[1:]
	return code
}

// unsigned takes a big-endian number of 1, 2, 4 or 8 bytes.
func (c *codec) unsigned(size int) (n uint64) {
	for _, b := range c.take(size) {
		n = n<<8 | uint64(b)
	}
	return n
}

// integer takes an integer. A negative one is returned in two's complement.
func (c *codec) integer() (n uint64, negative bool) {
	switch code := c.code(); code {
	default:
		if code < 128 {
			return uint64(code), false
		}
		if code < codeFixMinus {
			c.fail("code %#x where a number belongs", code)
			return 0, false
		}
		return uint64(int64(int8(code))), true
	case codeUint8:
		return c.unsigned(1), false
	case codeUint16:
		return c.unsigned(2), false
	case codeUint32:
		return c.unsigned(4), false
	case codeUint64:
		return c.unsigned(8), false
	case codeInt8:
		n = uint64(int64(int8(c.unsigned(1))))
	case codeInt16:
		n = uint64(int64(int16(c.unsigned(2))))
	case codeInt32:
		n = uint64(int64(int32(c.unsigned(4))))
	case codeInt64:
		n = c.unsigned(8)
	}
	return n, int64(n) < 0
}

// array takes the head of an array and returns its length. Since a value has at least
// one byte, an array that says it is longer than what is left is refused before anything
// is allocated for it.
func (c *codec) array() (n int) {
	switch code := c.code(); {
	case code&0xf0 == codeFixArray:
		n = int(code & 0x0f)
	case code == codeArray16:
		n = int(c.unsigned(2))
	case code == codeArray32:
		n = int(c.unsigned(4))
	default:
		c.fail("code %#x where an array belongs", code)
	}
	if n > len(c.buf) {
		c.fail("list of %d items where %d bytes are left", n, len(c.buf))
	}
	if c.err != nil {
		return 0
	}
	return n
}

// content takes a text or a byte string, which stays the reader's.
func (c *codec) content() []byte {
	n := 0
	switch code := c.code(); {
	case code&0xe0 == codeFixText:
		n = int(code & 0x1f)
	case code == codeText8 || code == codeBytes8:
		n = int(c.unsigned(1))
	case code == codeText16 || code == codeBytes16:
		n = int(c.unsigned(2))
	case code == codeText32 || code == codeBytes32:
		n = int(c.unsigned(4))
	default:
		c.fail("code %#x where a text belongs", code)
	}
	return c.take(n)
}

// maxDepth is how deeply arrays may nest in a field that is skipped.
const maxDepth = 8

// skip passes over one value of any type that these formats have.
func (c *codec) skip(depth int) {
	if len(c.buf) == 0 {
		c.fail("it ends too early")
		return
	}
	switch code := c.buf[0]; {
	case code&0xf0 == codeFixArray || code == codeArray16 || code == codeArray32:
		n := c.array()
		if depth >= maxDepth {
			c.fail("arrays nest deeper than %d", maxDepth)
		}
		for i := 0; i < n && c.err == nil; i++ {
			c.skip(depth + 1)
		}
	case code&0xe0 == codeFixText || code >= codeText8 && code <= codeText32 || code >= codeBytes8 && code <= codeBytes32:
		c.content()
	case code == codeNil || code == codeFalse || code == codeTrue:
		c.take(1)
	case code < 128 || code >= codeFixMinus || code >= codeUint8 && code <= codeInt64:
		c.integer()
	default:
		c.fail("code %#x is used nowhere in these formats", code)
	}
}
