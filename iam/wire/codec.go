package wire

import (
	"bytes"
	"fmt"

	"github.com/cespare/xxhash/v2"
	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"

	"github.com/doorward/doorward/iam"
)

// codec writes or reads msgpack, one field after the other. Each record has one
// function that names its fields in order and serves both directions, so that
// writing and reading cannot come apart. After the first error every call does
// nothing; the caller looks at err once, at the end.
type codec struct {
	err error

	out *bytes.Buffer // set when writing
	enc *msgpack.Encoder

	in      *bytes.Reader // set when reading
	dec     *msgpack.Decoder
	left    int      // fields of the current record that are still to come
	lenient bool     // fields that a newer writer appended are skipped, not refused
	known   []string // texts that may repeat, see common; nil: not shared
	scratch []byte

	public bool // sealed secrets are left out
}

func newWriter() *codec {
	c := &codec{out: new(bytes.Buffer)}
	c.enc = msgpack.NewEncoder(c.out)
	return c
}

func newReader() *codec {
	c := &codec{in: new(bytes.Reader)}
	c.dec = msgpack.NewDecoder(c.in)
	return c
}

// reset makes a reader ready for other bytes. What it read stays valid: nothing
// that it returns shares memory with b.
func (c *codec) reset(b []byte) {
	c.in.Reset(b)
	c.dec.ResetReader(c.in)
	c.err, c.left = nil, 1
}

// finish returns the error, or that bytes are left over.
func (c *codec) finish() error {
	if c.err == nil && c.in.Len() > 0 {
		c.fail("%d bytes too many", c.in.Len())
	}
	return c.err
}

func (c *codec) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

func (c *codec) check(err error) bool {
	if c.err == nil && err != nil {
		c.err = err
	}
	return c.err == nil
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
	if c.out != nil {
		if c.check(c.enc.EncodeArrayLen(fields)) {
			body()
		}
		return
	}
	if !c.next() {
		return
	}
	n, err := c.dec.DecodeArrayLen()
	if !c.check(err) {
		return
	}
	if n < 0 || n > fields && !c.lenient {
		c.fail("record of %d fields, at most %d are known", n, fields)
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

// maxDepth is how deeply arrays may nest in a field that is skipped.
const maxDepth = 8

// skip passes over one value of any type that these formats have.
func (c *codec) skip(depth int) {
	code, err := c.dec.PeekCode()
	if !c.check(err) {
		return
	}
	if !msgpcode.IsFixedArray(code) && code != msgpcode.Array16 && code != msgpcode.Array32 {
		if msgpcode.IsFixedMap(code) || code == msgpcode.Map16 || code == msgpcode.Map32 || msgpcode.IsExt(code) {
			c.fail("code %#x is used nowhere in these formats", code)
			return
		}
		c.check(c.dec.Skip())
		return
	}
	n, err := c.dec.DecodeArrayLen()
	if depth >= maxDepth {
		c.fail("arrays nest deeper than %d", maxDepth)
	}
	for i := 0; i < n && c.check(err); i++ {
		c.skip(depth + 1)
	}
}

// length reads the length of a text or byte string and refuses one that the
// remaining bytes cannot hold, before anything is allocated for it.
func (c *codec) length() int {
	n, err := c.dec.DecodeBytesLen()
	if !c.check(err) {
		return 0
	}
	if n > c.in.Len() {
		c.fail("text of %d bytes where %d are left", n, c.in.Len())
		return 0
	}
	return max(n, 0)
}

func (c *codec) bytes(b *[]byte) {
	if c.out != nil {
		c.check(c.enc.EncodeBytes(nonNil(*b)))
		return
	}
	if !c.next() {
		return
	}
	if n := c.length(); n > 0 {
		*b = make([]byte, n)
		c.check(c.dec.ReadFull(*b))
	}
}

// nonNil keeps nil and empty alike on the wire.
func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
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
	if c.out != nil {
		c.check(c.enc.EncodeString(string(*s)))
		return
	}
	if c.next() {
		*s = S(c.take())
	}
}

// take returns the bytes of the next text, valid until the next call.
func (c *codec) take() []byte {
	n := c.length()
	if n > cap(c.scratch) {
		c.scratch = make([]byte, max(n, 256))
	}
	b := c.scratch[:n]
	if n > 0 {
		c.check(c.dec.ReadFull(b))
	}
	return b
}

// sharing is the number of slots in which a reader of many records remembers
// texts, each slot the last one that its hash picked.
const sharing = 1 << 12

// common is a string that many records have alike: an account, a path, an ARN.
// Readers of many records keep one copy of it.
func common[S ~string](c *codec, s *S) {
	if c.out != nil || c.known == nil {
		text(c, s)
		return
	}
	if !c.next() {
		return
	}
	b := c.take()
	slot := &c.known[xxhash.Sum64(b)%sharing]
	if *slot != string(b) {
		*slot = string(b)
	}
	*s = S(*slot)
}

func (c *codec) flag(b *bool) {
	if c.out != nil {
		c.check(c.enc.EncodeBool(*b))
		return
	}
	if c.next() {
		v, err := c.dec.DecodeBool()
		if c.check(err) {
			*b = v
		}
	}
}

func number[N ~uint8 | ~uint16 | ~uint32 | ~uint64](c *codec, n *N) {
	if c.out != nil {
		c.check(c.enc.EncodeUint(uint64(*n)))
		return
	}
	if !c.next() {
		return
	}
	v, err := c.dec.DecodeUint64()
	if !c.check(err) {
		return
	}
	if *n = N(v); uint64(*n) != v {
		c.fail("number %d is out of range", v)
	}
}

func (c *codec) time(t *iam.Time) {
	if c.out != nil {
		c.check(c.enc.EncodeInt(int64(*t)))
		return
	}
	if c.next() {
		v, err := c.dec.DecodeInt64()
		if c.check(err) {
			*t = iam.Time(v)
		}
	}
}

// fixed is a byte string of exactly len(b) bytes.
func (c *codec) fixed(b []byte) {
	if c.out != nil {
		c.check(c.enc.EncodeBytes(b))
		return
	}
	if !c.next() {
		return
	}
	if n := c.length(); c.err == nil && n != len(b) {
		c.fail("%d bytes where %d belong", n, len(b))
	}
	if c.err == nil {
		c.check(c.dec.ReadFull(b))
	}
}

// list is a msgpack array of any length. An empty list is read as nil.
func list[T any](c *codec, items *[]T, item func(*T)) {
	if c.out != nil {
		c.check(c.enc.EncodeArrayLen(len(*items)))
		for i := range *items {
			item(&(*items)[i])
		}
		return
	}
	if !c.next() {
		return
	}
	n, err := c.dec.DecodeArrayLen()
	if !c.check(err) || n <= 0 {
		return
	}
	if n > c.in.Len() { // an item has at least one byte
		c.fail("list of %d items where %d bytes are left", n, c.in.Len())
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
	if c.out != nil {
		if *p == nil {
			c.check(c.enc.EncodeNil())
		} else {
			body(*p)
		}
		return
	}
	if c.err != nil || c.left == 0 {
		return
	}
	code, err := c.dec.PeekCode()
	if !c.check(err) {
		return
	}
	if code == msgpcode.Nil {
		c.left--
		c.check(c.dec.DecodeNil())
		return
	}
	*p = new(T)
	body(*p)
}
