package wire

import (
	"bytes"
	"encoding/hex"
	"math"
	"strings"
	"testing"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The bytes are those of MessagePack's specification, at both sides of each boundary.
func TestNumbersAreWrittenInTheShortestForm(t *testing.T) {
	for n, want := range map[int64]string{
		0: "00", 127: "7f", 128: "cc 80", 255: "cc ff", 256: "cd 0100", 65535: "cd ffff", 65536: "ce 00010000",
		math.MaxUint32: "ce ffffffff", math.MaxUint32 + 1: "cf 0000000100000000", math.MaxInt64: "cf 7fffffffffffffff",
		-1: "ff", -32: "e0", -33: "d0 df", -128: "d0 80", -129: "d1 ff7f", -32768: "d1 8000", -32769: "d2 ffff7fff",
		math.MinInt32: "d2 80000000", math.MinInt32 - 1: "d3 ffffffff7fffffff", math.MinInt64: "d3 8000000000000000",
	} {
		if got := appendInt(nil, n); !bytes.Equal(got, unhex(t, want)) {
			t.Errorf("%d is written as %x, want %s", n, got, want)
		}
		if n >= 0 && !bytes.Equal(appendUint(nil, uint64(n)), unhex(t, want)) {
			t.Errorf("%d without a sign is written as %x, want %s", n, appendUint(nil, uint64(n)), want)
		}
		c := newReader()
		c.reset(unhex(t, want))
		if got, negative := c.integer(); int64(got) != n || negative != (n < 0) || c.finish() != nil {
			t.Errorf("%s is read as %d, negative %v, %v; want %d", want, int64(got), negative, c.finish(), n)
		}
	}
}

func TestNumbersAreReadInEveryForm(t *testing.T) {
	for bytes, want := range map[string]int64{
		"cc 05": 5, "cd 0005": 5, "ce 00000005": 5, "cf 0000000000000005": 5, "d0 05": 5, "d1 0005": 5, "d2 00000005": 5,
		"d3 0000000000000005": 5, "d1 ffff": -1, "d3 ffffffffffffffff": -1,
	} {
		c := newReader()
		c.reset(unhex(t, bytes))
		if got, negative := c.integer(); int64(got) != want || negative != (want < 0) || c.finish() != nil {
			t.Errorf("%s is read as %d, negative %v, %v; want %d", bytes, int64(got), negative, c.finish(), want)
		}
	}
}

func TestTextsAndListsOfEveryLengthSurvive(t *testing.T) {
	for n, heads := range map[int][3]string{ // of a text, a byte string, an array
		0: {"a0", "c400", "90"}, 15: {"af", "c40f", "9f"}, 16: {"b0", "c410", "dc0010"}, 31: {"bf", "c41f", "dc001f"},
		32: {"d920", "c420", "dc0020"}, 255: {"d9ff", "c4ff", "dc00ff"}, 256: {"da0100", "c50100", "dc0100"},
		65535: {"daffff", "c5ffff", "dcffff"}, 65536: {"db00010000", "c600010000", "dd00010000"},
	} {
		content := bytes.Repeat([]byte{'x'}, n)
		for i, written := range [][]byte{appendText(nil, string(content)), appendBytes(nil, content)} {
			if !bytes.Equal(written, append(unhex(t, heads[i]), content...)) {
				t.Errorf("%d bytes begin with %x, want %s", n, written[:min(len(written), 6)], heads[i])
			}
			c := newReader()
			c.reset(written)
			if got := c.content(); !bytes.Equal(got, content) || c.finish() != nil {
				t.Errorf("%d bytes are read as %d, %v", n, len(got), c.finish())
			}
		}
		if got := appendArray(nil, n); !bytes.Equal(got, unhex(t, heads[2])) {
			t.Errorf("a list of %d begins with %x, want %s", n, got, heads[2])
		}
		c := newReader()
		c.reset(append(appendArray(nil, n), content...))
		if got := c.array(); got != n || c.err != nil {
			t.Errorf("a list of %d is read as one of %d, %v", n, got, c.err)
		}
	}
}

func TestWhatIsNoValueIsRefused(t *testing.T) {
	for name, try := range map[string]struct {
		bytes string
		read  func(*codec)
	}{
		"nothing at all":                     {"", func(c *codec) { c.code() }},
		"a number that is cut":               {"cd 01", func(c *codec) { c.integer() }},
		"nil for a number":                   {"c0", func(c *codec) { c.integer() }},
		"a text for a number":                {"a1 61", func(c *codec) { c.integer() }},
		"a number for a text":                {"05", func(c *codec) { c.content() }},
		"a text longer than what is left":    {"d9 05 61", func(c *codec) { c.content() }},
		"a text of 4 GiB":                    {"db ffffffff 61", func(c *codec) { c.content() }},
		"a number for an array":              {"05", func(c *codec) { c.array() }},
		"an array longer than what is left":  {"dd ffffffff 01", func(c *codec) { c.array() }},
		"a number for a yes or no":           {"01", func(c *codec) { c.flag(new(bool)) }},
		"a negative number without a sign":   {"ff", func(c *codec) { number(c, new(uint64)) }},
		"a number too large for its field":   {"cd 0100", func(c *codec) { number(c, new(uint8)) }},
		"a map that is skipped":              {"80", func(c *codec) { c.skip(0) }},
		"a fraction that is skipped":         {"ca 00000000", func(c *codec) { c.skip(0) }},
		"an extension that is skipped":       {"d4 01 01", func(c *codec) { c.skip(0) }},
		"an array that is cut while skipped": {"93 01 02", func(c *codec) { c.skip(0) }},
		"arrays nested too deeply":           {strings.Repeat("91", maxDepth+2) + "01", func(c *codec) { c.skip(0) }},
	} {
		c := newReader()
		c.reset(unhex(t, try.bytes))
		if try.read(c); c.err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestEveryValueIsSkippedWhole(t *testing.T) {
	for _, value := range []string{"00", "7f", "ff", "c0", "c2", "c3", "cc 80", "cd 0100", "ce 00010000", "cf 0000000100000000", "d0 80", "d1 8000",
		"d2 80000000", "d3 8000000000000000", "a1 61", "d9 01 61", "da 0001 61", "db 00000001 61", "c4 01 61", "c5 0001 61", "c6 00000001 61",
		"90", "92 01 91 a1 61", "dc 0001 01", "dd 00000001 01"} {
		c := newReader()
		c.reset(append(unhex(t, value), 0x2a))
		c.skip(0)
		if n, _ := c.integer(); n != 0x2a || c.finish() != nil {
			t.Errorf("%s: what follows is %d, %v", value, n, c.finish())
		}
	}
}
