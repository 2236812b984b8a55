package sigv4

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
)

// trimBlanks removes spaces and tabs at both ends.
func trimBlanks(s string) string {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// equalFold reports whether name, in any ASCII case, is lower. Unlike
// strings.EqualFold it folds no other letters: "ſ" is not "s".
func equalFold[T string | []byte](name string, lower T) bool {
	if len(name) != len(lower) {
		return false
	}
	for i := len(name) - 1; i >= 0; i-- { // names differ at their end
		if lowerByte[name[i]] != lower[i] {
			return false
		}
	}
	return true
}

func toLower(c byte) byte { return lowerByte[c] }

var lowerByte = func() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
	}
	for c := 'A'; c <= 'Z'; c++ {
		t[c] += 'a' - 'A'
	}
	return t
}()

// hasPrefixFold reports whether name begins with lower in any ASCII case.
func hasPrefixFold(name, lower string) bool {
	return len(name) >= len(lower) && equalFold(name[:len(lower)], lower)
}

// hexDigit holds the value of each hexadecimal digit, 0xFF for other bytes.
var hexDigit = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xFF
	}
	for i := range byte(10) {
		t['0'+i] = i
	}
	for i := range byte(6) {
		t['a'+i], t['A'+i] = 10+i, 10+i
	}
	return t
}()

// cutByte is strings.Cut around a single byte, small enough to be inlined.
func cutByte(s string, sep byte) (before, after string, found bool) {
	if i := strings.IndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// lowerHex holds the two digits of each byte, in the order of memory.
var lowerHex = func() (t [256]uint16) {
	const digits = "0123456789abcdef"
	for i := range t {
		t[i] = uint16(digits[i>>4]) | uint16(digits[i&0x0F])<<8
	}
	return t
}()

// hexDigits is a SHA-256 in lower-case hexadecimal.
type hexDigits [2 * sha256.Size]byte

// write fills h with the digits of sum.
func (h *hexDigits) write(sum *[sha256.Size]byte) {
	for i, b := range sum {
		binary.LittleEndian.PutUint16(h[2*i:], lowerHex[b])
	}
}

// appendHex appends sum in lower-case hexadecimal.
func appendHex(dst []byte, sum *[sha256.Size]byte) []byte {
	var digits hexDigits
	digits.write(sum)
	return append(dst, digits[:]...)
}

// splitTarget splits a raw request-target at its first question mark. The
// absolute form that proxies receive loses its scheme and authority.
func splitTarget(target string) (path, query string) {
	if target != "" && target[0] != '/' {
		if _, rest, ok := strings.Cut(target, "://"); ok {
			end := strings.IndexAny(rest, "/?")
			if end < 0 {
				end = len(rest)
			}
			target = rest[end:]
		}
	}
	path, query, _ = cutByte(target, '?')
	return path, query
}

// decodeByte reads the first, perhaps percent-encoded, byte of s, which is not
// empty. A width of 0 means that the encoding is broken.
func decodeByte(s string) (c byte, width int) {
	if s[0] != '%' {
		return s[0], 1
	}
	if len(s) < 3 {
		return 0, 0
	}
	high, low := hexDigit[s[1]], hexDigit[s[2]]
	if high|low > 0x0F {
		return 0, 0
	}
	return high<<4 | low, 3
}

// appendDecoded appends s, percent-decoded. Where s is not well formed it ends.
func appendDecoded(dst []byte, s string) []byte {
	for s != "" {
		c, width := decodeByte(s)
		if width == 0 {
			break
		}
		dst = append(dst, c)
		s = s[width:]
	}
	return dst
}

// decode percent-decodes s, which is well formed. It copies only if there is
// something to decode.
func decode(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	return string(appendDecoded(nil, s))
}

// tokenByte marks the characters of an HTTP token (RFC 9110, section 5.6.2) that
// are not upper-case letters.
var tokenByte = func() (t [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") {
		t[c] = true
	}
	return t
}()

// isToken reports whether s is a token without upper-case letters.
func isToken(s []byte) bool {
	for _, c := range s {
		if !tokenByte[c] {
			return false
		}
	}
	return len(s) > 0
}

// allDigits reports whether s is one or more decimal digits.
func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// parseLength reads a decimal count of at most 18 digits, which cannot overflow.
func parseLength(s string) (n int64, ok bool) {
	if len(s) > 18 || !allDigits(s) {
		return 0, false
	}
	for i := 0; i < len(s); i++ {
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}
