package wire

import (
	"bytes"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"
)

// TestValuesAreThoseOfTheLibrary holds our MessagePack to a library's, both ways.
func TestValuesAreThoseOfTheLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Around the lengths at which the form changes.
		length := rapid.OneOf(rapid.SampledFrom([]int{0, 15, 16, 31, 32, 255, 256, 65535, 65536}), rapid.IntRange(0, 70_000))
		text := bytes.Repeat(rapid.SliceOfN(rapid.Byte(), 1, 1).Draw(t, "text"), length.Draw(t, "length"))
		items := length.Draw(t, "items")
		number, negative := rapid.Uint64().Draw(t, "number"), rapid.Int64Max(-1).Draw(t, "negative")
		truth := rapid.Bool().Draw(t, "truth")

		ours := appendArray(nil, items)
		ours = appendText(ours, string(text))
		ours = appendBytes(ours, text)
		ours = appendUint(ours, number)
		ours = appendInt(ours, negative)
		ours = appendBool(ours, truth)

		var theirs bytes.Buffer
		e := msgpack.NewEncoder(&theirs)
		for _, err := range []error{
			e.EncodeArrayLen(items), e.EncodeString(string(text)), e.EncodeBytes(text), e.EncodeUint(number), e.EncodeInt(negative), e.EncodeBool(truth),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(ours, theirs.Bytes()) {
			t.Fatalf("we write\n%x, they\n%x", ours, theirs.Bytes())
		}

		// What follows stands for the items, of which each has a byte at least.
		c := codec{buf: append(ours, make([]byte, items)...)}
		if n := c.array(); n != items {
			t.Errorf("array of %d, want %d", n, items)
		}
		for range 2 {
			if got := c.content(); !bytes.Equal(got, text) {
				t.Errorf("text %q, want %q", got, text)
			}
		}
		if n, below := c.integer(); n != number || below {
			t.Errorf("number %d, %t, want %d", n, below, number)
		}
		if n, below := c.integer(); int64(n) != negative || !below {
			t.Errorf("number %d, %t, want %d", int64(n), below, negative)
		}
		if c.skip(0); c.err != nil || len(c.buf) != items {
			t.Errorf("%d bytes are left of %d: %v", len(c.buf), items, c.err)
		}
	})
}
