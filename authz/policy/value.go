package policy

import (
	"encoding/base64"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Number is a decimal number of any size, exact: 10 and 10.0 are equal, and
// numbers beyond 2^53 stay apart.
type Number struct {
	negative bool
	whole    string // without leading zeros
	fraction string // without trailing zeros
}

// ParseNumber reads an optional sign, digits and an optional decimal fraction.
func ParseNumber(s string) (Number, bool) {
	var n Number
	if s != "" && (s[0] == '-' || s[0] == '+') {
		n.negative = s[0] == '-'
		s = s[1:]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	if whole == "" && fraction == "" || !isDigits(whole) || !isDigits(fraction) {
		return Number{}, false
	}
	n.whole = strings.TrimLeft(whole, "0")
	n.fraction = strings.TrimRight(fraction, "0")
	if n.whole == "" && n.fraction == "" {
		n.negative = false
	}
	return n, true
}

func isDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// Compare returns -1, 0 or 1 as n is less than, equal to or greater than m.
func (n Number) Compare(m Number) int {
	if n.negative != m.negative {
		if n.negative {
			return -1
		}
		return 1
	}
	c := len(n.whole) - len(m.whole)
	if c == 0 {
		c = strings.Compare(n.whole, m.whole)
	}
	if c == 0 {
		c = strings.Compare(n.fraction, m.fraction)
	}
	if n.negative {
		c = -c
	}
	return min(max(c, -1), 1)
}

// Instant is a point in time, exact to the nanosecond.
type Instant struct {
	seconds int64
	nanos   int32
}

// Compare returns -1, 0 or 1 as t is before, equal to or after u.
func (t Instant) Compare(u Instant) int {
	switch {
	case t == u:
		return 0
	case t.seconds < u.seconds || t.seconds == u.seconds && t.nanos < u.nanos:
		return -1
	}
	return 1
}

// ParseDate reads a date in the W3C profile of ISO 8601 (a year and month, a
// date, or a date and a time to the minute, second or fraction; UTC if no zone is
// given), or a whole number of seconds since 1970. It allocates nothing.
func ParseDate(s string) (Instant, bool) {
	if s != "" && isDigits(strings.TrimPrefix(s, "-")) {
		seconds, err := strconv.ParseInt(s, 10, 64)
		return Instant{seconds: seconds}, err == nil
	}
	d := dateScanner{rest: s, ok: true}
	year, day := d.digits(4), 1
	d.expect('-')
	month := d.digits(2)
	if d.next('-') {
		day = d.digits(2)
	}
	var hour, minute, second, nanos int
	var offset time.Duration
	if d.next('T') {
		hour, minute = d.digits(2), d.minutes()
		if d.next(':') {
			second, nanos = d.digits(2), d.fraction()
		}
		offset = d.zone()
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	real := t.Month() == time.Month(month) && t.Day() == day && hour < 24 && minute < 60 && second < 60
	t = t.Add(-offset)
	return Instant{t.Unix(), int32(t.Nanosecond())}, d.ok && d.rest == "" && real
}

// dateScanner takes a date apart; ok turns false at the first thing missing.
type dateScanner struct {
	rest string
	ok   bool
}

func (d *dateScanner) next(c byte) bool {
	if d.rest == "" || d.rest[0] != c {
		return false
	}
	d.rest = d.rest[1:]
	return true
}

func (d *dateScanner) expect(c byte) { d.ok = d.next(c) && d.ok }

func (d *dateScanner) digits(n int) (v int) {
	if len(d.rest) < n || !isDigits(d.rest[:n]) {
		d.ok = false
		return 0
	}
	for _, c := range []byte(d.rest[:n]) {
		v = v*10 + int(c-'0')
	}
	d.rest = d.rest[n:]
	return v
}

func (d *dateScanner) minutes() int {
	d.expect(':')
	return d.digits(2)
}

// fraction reads up to nine digits after a point, in nanoseconds; more digits
// are dropped.
func (d *dateScanner) fraction() (nanos int) {
	if !d.next('.') {
		return 0
	}
	unit := 100_000_000
	n := 0
	for ; n < len(d.rest) && d.rest[n] >= '0' && d.rest[n] <= '9'; n++ {
		nanos += int(d.rest[n]-'0') * unit
		unit /= 10
	}
	d.ok = d.ok && n > 0
	d.rest = d.rest[n:]
	return nanos
}

// zone reads Z, an offset such as +02:00, or nothing.
func (d *dateScanner) zone() time.Duration {
	if d.next('Z') || d.rest == "" {
		return 0
	}
	sign := time.Duration(1)
	if !d.next('+') {
		d.expect('-')
		sign = -1
	}
	hours := d.digits(2)
	d.next(':')
	minutes := d.digits(2)
	d.ok = d.ok && hours < 24 && minutes < 60
	return sign * (time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute)
}

// ParseBinary reads base64 in the standard alphabet, with padding.
func ParseBinary(s string) ([]byte, bool) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	return b, err == nil && !strings.ContainsAny(s, "\r\n")
}

// ParseCIDR reads an address range; a bare address is a range of one. Bits after
// the prefix are ignored.
func ParseCIDR(s string) (netip.Prefix, bool) {
	if a, ok := ParseIP(s); ok {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err == nil
}

// ParseIP reads an IPv4 or IPv6 address without a zone.
func ParseIP(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	return a, err == nil && a.Zone() == ""
}
