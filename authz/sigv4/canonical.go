package sigv4

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

const upperHex = "0123456789ABCDEF"

// unreserved marks the characters that are never percent-encoded (RFC 3986,
// section 2.3).
var unreserved = func() (t [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") {
		t[c] = true
	}
	return t
}()

// appendEncoded appends one decoded byte, percent-encoded if it has to be.
func appendEncoded(dst []byte, c byte) []byte {
	if unreserved[c] {
		return append(dst, c)
	}
	return append(dst, '%', upperHex[c>>4], upperHex[c&0x0F])
}

// appendReencoded decodes s once and encodes it again; where slash is true a "/"
// stays itself, also one that came encoded. The result is nil if s is not well
// formed.
func appendReencoded(dst []byte, s string, slash bool) []byte {
	for i := 0; i < len(s); {
		run := i
		for run < len(s) && unreserved[s[run]] {
			run++
		}
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

// span is one query parameter in the canonical text: name, "=", value.
type span struct{ start, equal, end int }

// appendQuery appends the canonical query: every parameter decoded and encoded
// again, sorted by name and then by value. For a presigned URL the signature
// itself is left out. It is nil if the query is not well formed.
func (h *hasher) appendQuery(dst []byte, query string, presigned bool) []byte {
	h.text, h.spans = h.text[:0], h.spans[:0]
	for query != "" {
		var name, value string
		name, value, query = nextParam(query)
		if name == "" && value == "" {
			continue
		}
		if !h.addParam(name, value, presigned) {
			return nil
		}
	}
	h.sortParams()
	for i, s := range h.spans {
		if i > 0 {
			dst = append(dst, '&')
		}
		dst = append(dst, h.text[s.start:s.end]...)
	}
	return dst
}

func (h *hasher) addParam(name, value string, presigned bool) bool {
	start := len(h.text)
	text := appendReencoded(h.text, name, false)
	if text == nil {
		return false
	}
	equal := len(text)
	if presigned && string(text[start:]) == "X-Amz-Signature" {
		return true
	}
	if text = appendReencoded(append(text, '='), value, false); text == nil {
		return false
	}
	h.text = text
	h.spans = append(h.spans, span{start, equal, len(text)})
	return true
}

// sortParams sorts by insertion while the list is short, as it nearly always is
// and nearly sorted at that.
func (h *hasher) sortParams() {
	if len(h.spans) > 16 {
		slices.SortFunc(h.spans, h.compare)
		return
	}
	for i := 1; i < len(h.spans); i++ {
		for j := i; j > 0 && h.compare(h.spans[j], h.spans[j-1]) < 0; j-- {
			h.spans[j], h.spans[j-1] = h.spans[j-1], h.spans[j]
		}
	}
}

func (h *hasher) compare(a, b span) int {
	return cmp.Or(
		bytes.Compare(h.text[a.start:a.equal], h.text[b.start:b.equal]),
		bytes.Compare(h.text[a.equal:a.end], h.text[b.equal:b.end]))
}

// appendValue appends a header value: blanks around it removed, runs of spaces
// within it made one. A tab within stays, as do spaces between quotes.
func appendValue(dst []byte, value string) []byte {
	value = trimBlanks(value)
	if !strings.Contains(value, "  ") {
		return append(dst, value...)
	}
	for i := 0; i < len(value); i++ {
		if value[i] != ' ' || value[i-1] != ' ' {
			dst = append(dst, value[i])
		}
	}
	return dst
}
