package s3

import "strings"

// chunkSize is how much text memory a Result takes at a time, in bytes: enough
// for about a hundred requests.
const chunkSize = 16 << 10

// text is where the strings of results are put together. Memory is taken in
// chunks that are filled once and never written again, so a string stays good for
// as long as anybody holds it and a request costs no allocation of its own.
type text struct{ chunk strings.Builder }

// begin makes sure that n bytes can be written and returns where they start. No
// second begin may come before the matching since.
func (t *text) begin(n int) int {
	if t.chunk.Cap()-t.chunk.Len() < n {
		t.chunk.Reset()
		t.chunk.Grow(max(n, chunkSize))
	}
	return t.chunk.Len()
}

// since returns what was written from start on.
func (t *text) since(start int) string { return t.chunk.String()[start:] }

// join returns the parts one after the other.
func (t *text) join(parts ...string) string {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	start := t.begin(n)
	for _, p := range parts {
		t.chunk.WriteString(p)
	}
	return t.since(start)
}

// unescape returns raw with its percent escapes decoded once, and false if one
// of them is malformed. Nothing else changes: + is a plus sign.
func (t *text) unescape(raw string) (string, bool) {
	if strings.IndexByte(raw, '%') < 0 {
		return raw, true
	}
	start := t.begin(len(raw))
	if !t.writeUnescaped(raw) {
		return "", false
	}
	return t.since(start), true
}

func (t *text) writeUnescaped(raw string) bool {
	for {
		i := strings.IndexByte(raw, '%')
		if i < 0 {
			t.chunk.WriteString(raw)
			return true
		}
		if len(raw) < i+3 || !isHex(raw[i+1]) || !isHex(raw[i+2]) {
			return false
		}
		t.chunk.WriteString(raw[:i])
		t.chunk.WriteByte(hexValue(raw[i+1])<<4 | hexValue(raw[i+2]))
		raw = raw[i+3:]
	}
}

// lower returns s with ASCII capitals made small.
func (t *text) lower(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return 'A' <= r && r <= 'Z' }) {
		return s
	}
	start := t.begin(len(s))
	for i := range len(s) {
		t.chunk.WriteByte(lowerByte(s[i]))
	}
	return t.since(start)
}

// Classes of bytes, one bit each.
const (
	targetByte  = 1 << iota // may stand unencoded in a request-target
	nameByte                // may stand in the name of a host or a bucket
	addressByte             // may stand in an IPv6 address
	valueByte               // reads the same to all servers in a query value
	hexByte
	digitByte
)

var classes = func() (table [256]uint8) {
	for i := range table {
		c := byte(i)
		digit := '0' <= c && c <= '9'
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		hex := digit || letter && c|0x20 <= 'f'
		for class, in := range map[uint8]bool{
			targetByte:  c > ' ' && c != 0x7f && c != '#',
			nameByte:    digit || letter || c == '-' || c == '.' || c == '_',
			addressByte: hex || c == ':' || c == '.',
			valueByte:   c != '+' && c != ';',
			hexByte:     hex,
			digitByte:   digit,
		} {
			if in {
				table[i] |= class
			}
		}
	}
	return table
}()

// only reports whether all bytes of s are of a class.
func only(s string, class uint8) bool {
	for i := range len(s) {
		if classes[s[i]]&class == 0 {
			return false
		}
	}
	return true
}

// plainTarget reports whether all bytes of s are of the class targetByte, eight at a
// time: a byte below n becomes negative when n is taken off, and a byte c becomes
// zero, and so below one, by exclusive or with itself.
func plainTarget(s string) bool {
	const each, high = 0x0101010101010101, 0x8080808080808080
	for ; len(s) >= 8; s = s[8:] {
		w := eight(s)
		hash, del := w^'#'*each, w^0x7f*each
		if ((w-0x21*each)&^w|(hash-each)&^hash|(del-each)&^del)&high != 0 {
			return false
		}
	}
	return only(s, targetByte)
}

// eight reads eight characters.
func eight(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func isHex(c byte) bool { return classes[c]&hexByte != 0 }

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}
