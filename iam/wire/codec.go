package wire

import (
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/doorward/doorward/iam"
)

// codec writes or reads msgpack, one field after the other. Each record has one
// function that names its fields in order and serves both directions, so that
// writing and reading cannot come apart. After the first error every call does
// nothing; the caller looks at err once, at the end.
type codec struct {
	err     error
	writing bool
	buf     []byte // what was written, or what is still to be read

	left    int      // fields of the current record that are still to come
	lenient bool     // fields that a newer writer appended are skipped, not refused
	known   []string // texts that may repeat, see common; nil: not shared

	public bool // sealed secrets are left out
}

func newWriter() *codec { return &codec{writing: true} }

func newReader() *codec { return &codec{} }

// reset makes a reader ready for other bytes. What it read stays valid: nothing
// that it returns shares memory with b.
func (c *codec) reset(b []byte) { c.buf, c.err, c.left = b, nil, 1 }

// finish returns the error, or that bytes are left over.
func (c *codec) finish() error {
	if c.err == nil && len(c.buf) > 0 {
		c.fail("%d bytes too many", len(c.buf))
	}
	return c.err
}

func (c *codec) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// next reports whether the current record has another field, and takes it.
// Fields that the writer did not know yet stay zero.
func (c *codec) next() bool {
	if c.err != nil || c.left == 0 {
		return false
	}
	c.left--
	return true
}

// record is a msgpack array of the fields that body names, in its order. A reader
// accepts fewer (written before the later ones existed) and, if lenient, more.
func (c *codec) record(fields int, body func()) {
	if c.writing {
		c.buf = appendArray(c.buf, fields)
		body()
		return
	}
	if !c.next() {
		return
	}
	n := c.array()
	if n > fields && !c.lenient {
		c.fail("record of %d fields, at most %d are known", n, fields)
	}
	if c.err != nil {
		return
	}
	outer := c.left
	c.left = n
	body()
	for c.next() {
		c.skip(0)
	}
	c.left = outer
}

func (c *codec) bytes(b *[]byte) {
	if c.writing {
		c.buf = appendBytes(c.buf, *b)
	} else if c.next() {
		*b = append([]byte(nil), c.content()...) // nil and empty are alike on the wire
	}
}

// secret is a sealed secret; the public form has an empty one in its place.
func (c *codec) secret(s *iam.Sealed) {
	if c.public {
		var none []byte
		c.bytes(&none)
		return
	}
	c.bytes((*[]byte)(s))
}

// text is a string that is unlikely to repeat.
func text[S ~string](c *codec, s *S) {
	if c.writing {
		c.buf = appendText(c.buf, string(*s))
	} else if c.next() {
		*s = S(c.content())
	}
}

// sharing is the number of slots in which a reader of many records remembers
// texts, each slot the last one that its hash picked.
const sharing = 1 << 12

// common is a string that many records have alike: an account, a path, an ARN.
// Readers of many records keep one copy of it.
func common[S ~string](c *codec, s *S) {
	if c.writing || c.known == nil {
		text(c, s)
		return
	}
	if !c.next() {
		return
	}
	b := c.content()
	slot := &c.known[xxhash.Sum64(b)%sharing]
	if *slot != string(b) {
		*slot = string(b)
	}
	*s = S(*slot)
}

func (c *codec) flag(b *bool) {
	if c.writing {
		c.buf = appendBool(c.buf, *b)
		return
	}
	if !c.next() {
		return
	}
	switch code := c.code(); code {
	case codeTrue:
		*b = true
	case codeFalse:
		*b = false
	default:
		c.fail("code %#x where a yes or no belongs", code)
	}
}

func number[N ~uint8 | ~uint16 | ~uint32 | ~uint64](c *codec, n *N) {
	if c.writing {
		c.buf = appendUint(c.buf, uint64(*n))
		return
	}
	if !c.next() {
		return
	}
	v, negative := c.integer()
	if *n = N(v); uint64(*n) != v || negative {
		c.fail("number %d is out of range", v)
	}
}

func (c *codec) time(t *iam.Time) {
	if c.writing {
		c.buf = appendInt(c.buf, int64(*t))
		return
	}
	if !c.next() {
		return
	}
	v, negative := c.integer()
	if *t = iam.Time(v); *t < 0 && !negative {
		c.fail("time %d is out of range", v)
	}
}

// fixed is a byte string of exactly len(b) bytes.
func (c *codec) fixed(b []byte) {
	if c.writing {
		c.buf = appendBytes(c.buf, b)
		return
	}
	if !c.next() {
		return
	}
	if got := c.content(); len(got) != len(b) {
		c.fail("%d bytes where %d belong", len(got), len(b))
	} else {
		copy(b, got)
	}
}

// list is a msgpack array of any length. An empty list is read as nil.
func list[T any](c *codec, items *[]T, item func(*T)) {
	if c.writing {
		c.buf = appendArray(c.buf, len(*items))
		for i := range *items {
			item(&(*items)[i])
		}
		return
	}
	if !c.next() {
		return
	}
	n := c.array()
	if n == 0 {
		return
	}
	read := make([]T, 0, min(n, 64))
	outer := c.left
	for range n {
		var v T
		c.left = 1
		if item(&v); c.err != nil {
			break
		}
		read = append(read, v)
	}
	c.left = outer
	*items = read
}

// optional is nil, or a record.
func optional[T any](c *codec, p **T, body func(*T)) {
	if c.writing {
		if *p == nil {
			c.buf = append(c.buf, codeNil)
		} else {
			body(*p)
		}
		return
	}
	if c.err != nil || c.left == 0 {
		return
	}
	if len(c.buf) > 0 && c.buf[0] == codeNil {
		c.left--
		c.take(1)
		return
	}
	*p = new(T)
	body(*p)
}
