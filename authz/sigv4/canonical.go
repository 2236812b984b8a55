package sigv4

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

const upperHex = "0123456789ABCDEF"

// byteSet has one of its values for each byte in the set, zero for the others.
type byteSet [256]byte

func bytesOf(list string) (t byteSet) {
	for i := range len(list) {
		t[list[i]] = 1
	}
	return t
}

// unreserved are the characters that are never percent-encoded (RFC 3986, section
// 2.3), and unreservedPath those that a path holds as they are.
var (
	unreserved     = bytesOf("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
	unreservedPath = bytesOf("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")
)

// prefix returns how many bytes of the set text begins with. Eight at a time take
// one load and one branch.
func (t *byteSet) prefix(text string) int {
	n := 0
	for ; len(text)-n >= 8; n += 8 {
		w := eight(text[n:])
		if t[byte(w)]&t[byte(w>>8)]&t[byte(w>>16)]&t[byte(w>>24)]&t[byte(w>>32)]&t[byte(w>>40)]&t[byte(w>>48)]&t[byte(w>>56)] == 0 {
			break
		}
	}
	for n < len(text) && t[text[n]] != 0 {
		n++
	}
	return n
}

// eight reads eight characters.
func eight(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// appendEncoded appends one decoded byte, percent-encoded if it has to be.
func appendEncoded(dst []byte, c byte) []byte {
	if unreserved[c] != 0 {
		return append(dst, c)
	}
	return append(dst, '%', upperHex[c>>4], upperHex[c&0x0F])
}

// appendReencoded decodes s once and encodes it again; where slash is true a "/"
// stays itself, also one that came encoded. The result is nil if s is not well
// formed.
func appendReencoded(dst []byte, s string, slash bool) []byte {
	plain := &unreserved
	if slash {
		plain = &unreservedPath
	}
	for i := 0; i < len(s); {
		run := i + plain.prefix(s[i:])
		dst = append(dst, s[i:run]...)
		if i = run; i == len(s) {
			break
		}
		c, width := decodeByte(s[i:])
		if width == 0 {
			return nil
		}
		if c == '/' && slash {
			dst = append(dst, '/')
		} else {
			dst = appendEncoded(dst, c)
		}
		i += width
	}
	return dst
}

// appendPathS3 appends the canonical URI of an S3 request: decoded and encoded
// once, nothing cleaned. It is nil if the path is not well formed.
func appendPathS3(dst []byte, path string) []byte {
	if path == "" {
		return append(dst, '/')
	}
	return appendReencoded(dst, path, true)
}

// appendPathGeneric appends the canonical URI of every other service: the path
// as it was sent, already encoded, is encoded once more.
func appendPathGeneric(dst []byte, path string, keepDots bool) []byte {
	start := len(dst)
	for i := 0; i < len(path); i++ {
		if path[i] == '/' {
			dst = append(dst, '/')
		} else {
			dst = appendEncoded(dst, path[i])
		}
	}
	if !keepDots {
		dst = dst[:start+len(normalize(dst[start:]))]
	}
	if len(dst) == start {
		dst = append(dst, '/')
	}
	return dst
}

// normalize removes dot segments and empty segments from path in place, as the
// AWS clients do. A final slash stays. The path begins with a slash.
func normalize(path []byte) []byte {
	out := path[:0]
	slash := len(path) > 0 && path[len(path)-1] == '/'
	for rest, more := path, true; more; {
		var segment []byte
		segment, rest, more = bytes.Cut(rest, []byte("/"))
		switch string(segment) {
		case "", ".":
		case "..":
			out = out[:max(bytes.LastIndexByte(out, '/'), 0)]
		default:
			out = append(append(out, '/'), segment...)
		}
	}
	if slash && len(out) > 0 {
		out = append(out, '/')
	}
	return out
}

// span is where one canonical query parameter lies: name, "=", value.
type span struct {
	start, equal, end int
	prefix            uint64 // first eight bytes of the name, zeros behind a shorter one
}

// scanQuery takes the parameters of a raw query one by one: p gets those that it
// knows, and h.spans the canonical form of all, decoded and encoded again. The
// signature of a presigned URL is left out, since it cannot sign itself. It
// reports false if the query is not well formed.
//
// Clients send nearly every parameter as it has to be, so the query is copied
// once and parameters are taken where they are; the others are encoded anew
// behind it. "+" and ";" are ordinary characters.
func (h *hasher) scanQuery(query string, p *params) bool {
	h.text, h.spans = append(h.text[:0], query...), h.spans[:0]
	for start := 0; start < len(query); {
		s, canonical := scanParam(query, start)
		start = s.end + 1
		var name, value string
		if canonical {
			name, value = query[s.start:s.equal], query[min(s.equal+1, s.end):s.end]
		} else {
			name, value, _ = cutByte(query[s.start:s.end], '=')
			if s = h.reencode(name, value); s.end == 0 {
				return false
			}
			name = string(h.text[s.start:s.equal])
		}
		// A name that is right but for its case is an ordinary parameter here; that
		// it is refused elsewhere is no reason to leave it out.
		if s.start < s.end && (p.add(name, value) != paramSignature || name != "X-Amz-Signature") {
			s.prefix = prefix(name)
			h.spans = append(h.spans, s)
		}
	}
	return true
}

// appendQuery appends the canonical query: the parameters sorted by name and then
// by value.
func (h *hasher) appendQuery(dst []byte) []byte {
	h.sortParams()
	return h.appendParams(dst)
}

// appendParams appends the parameters in h.spans, those that lie one behind the
// other in one piece.
func (h *hasher) appendParams(dst []byte) []byte {
	for i := 0; i < len(h.spans); i++ {
		if i > 0 {
			dst = append(dst, '&')
		}
		start, end := h.spans[i].start, h.spans[i].end
		for i+1 < len(h.spans) && h.spans[i+1].start == end+1 {
			i++
			end = h.spans[i].end
		}
		dst = append(dst, h.text[start:end]...)
	}
	return dst
}

// scanParam finds the parameter at start and reports whether it is in canonical
// form as it stands. An empty one is.
func scanParam(text string, start int) (s span, canonical bool) {
	i, equal := start, -1
	canonical = true
	for {
		i += unreserved.prefix(text[i:])
		if i >= len(text) || text[i] == '&' {
			break
		}
		switch {
		case text[i] == '=' && equal < 0:
			equal = i
			i++
		case text[i] == '%' && i+2 < len(text) && upperEncoded(text[i+1], text[i+2]):
			i += 3
		default:
			canonical = false
			i++
		}
	}
	if i == start {
		return span{start: start, equal: start, end: start}, true
	}
	return span{start: start, equal: equal, end: i}, canonical && equal >= 0
}

// upperEncoded reports whether %XY is how a byte has to be encoded: in upper
// case, and only because it is not unreserved.
func upperEncoded(x, y byte) bool {
	high, low := hexDigit[x], hexDigit[y]
	return high|low <= 0x0F && x < 'a' && y < 'a' && unreserved[high<<4|low] == 0
}

// reencode appends the canonical form of one parameter to h.text. The span is
// zero if the parameter is not well formed.
func (h *hasher) reencode(name, value string) span {
	start := len(h.text)
	text := appendReencoded(h.text, name, false)
	if text == nil {
		return span{}
	}
	equal := len(text)
	if text = appendReencoded(append(text, '='), value, false); text == nil {
		return span{}
	}
	h.text = text
	return span{start: start, equal: equal, end: len(text)}
}

// sortParams sorts by insertion while the list is short, as it nearly always is
// and nearly sorted at that.
func (h *hasher) sortParams() {
	if len(h.spans) > 16 {
		slices.SortFunc(h.spans, func(a, b span) int { return h.compare(&a, &b) })
		return
	}
	for i := 1; i < len(h.spans); i++ {
		s, j := h.spans[i], i
		for j > 0 && h.compare(&s, &h.spans[j-1]) < 0 {
			j--
		}
		if j < i {
			copy(h.spans[j+1:i+1], h.spans[j:i])
			h.spans[j] = s
		}
	}
}

func (h *hasher) compare(a, b *span) int {
	if c := cmp.Compare(a.prefix, b.prefix); c != 0 {
		return c
	}
	if c := bytes.Compare(h.text[a.start:a.equal], h.text[b.start:b.equal]); c != 0 {
		return c
	}
	return bytes.Compare(h.text[a.equal:a.end], h.text[b.equal:b.end])
}

// prefix returns the first eight bytes of a name in big-endian order, so that two
// prefixes compare as the names do if they differ. No encoded name has a zero.
func prefix(name string) uint64 {
	var p uint64
	if len(name) >= 8 {
		return uint64(name[0])<<56 | uint64(name[1])<<48 | uint64(name[2])<<40 | uint64(name[3])<<32 |
			uint64(name[4])<<24 | uint64(name[5])<<16 | uint64(name[6])<<8 | uint64(name[7])
	}
	for i := range len(name) {
		p |= uint64(name[i]) << (56 - 8*i)
	}
	return p
}

// appendValue appends a header value: blanks around it removed, runs of spaces
// within it made one. A tab within stays, as do spaces between quotes.
func appendValue(dst []byte, value string) []byte {
	value = trimBlanks(value)
	if strings.IndexByte(value, ' ') < 0 || !strings.Contains(value, "  ") {
		return append(dst, value...)
	}
	for i := 0; i < len(value); i++ {
		if value[i] != ' ' || value[i-1] != ' ' {
			dst = append(dst, value[i])
		}
	}
	return dst
}
