package sigv4

import (
	"net/http"

	"github.com/doorward/doorward/iam"
)

// basicISO is the layout of X-Amz-Date.
const basicISO = "20060102T150405Z"

// parseBasicISO reads YYYYMMDD'T'HHMMSS'Z' and nothing else: every digit must be
// there and the date must exist.
func parseBasicISO(s string) (iam.Time, bool) {
	if len(s) != len(basicISO) || s[8] != 'T' || s[15] != 'Z' {
		return 0, false
	}
	worst := byte(0)
	two := func(i int) int64 {
		tens, units := s[i]-'0', s[i+1]-'0'
		worst = max(worst, tens, units)
		return int64(tens)*10 + int64(units)
	}
	year, month, day := two(0)*100+two(2), two(4), two(6)
	hour, minute, second := two(9), two(11), two(13)
	if worst > 9 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	seconds := ((daysBefore(year, month, day)*24+hour)*60+minute)*60 + second
	return iam.Time(seconds * 1000), true
}

func daysIn(year, month int64) int64 {
	switch {
	case month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0):
		return 29
	case month == 2:
		return 28
	case month == 4 || month == 6 || month == 9 || month == 11:
		return 30
	}
	return 31
}

// daysBefore returns the days from 1970-01-01 to the date in the proleptic
// Gregorian calendar, negative for earlier dates. Counting years from March puts
// the leap day last.
func daysBefore(year, month, day int64) int64 {
	if month <= 2 {
		year, month = year-1, month+12
	}
	const toEpoch = 719468 // days from 0000-03-01 to 1970-01-01
	era := year + 400      // keeps the divisions below non-negative
	return 365*era + era/4 - era/100 + era/400 + (153*(month-3)+2)/5 + day - 1 - toEpoch - 146097
}

// parseDateHeader reads the Date field where a client signs that one: the form
// of RFC 1123, or the basic form of X-Amz-Date. It returns the basic form too,
// which is what a string to sign holds.
func parseDateHeader(s string) (at iam.Time, basic string, ok bool) {
	if at, ok := parseBasicISO(s); ok {
		return at, s, true
	}
	t, err := http.ParseTime(s)
	if err != nil {
		return 0, "", false
	}
	return iam.At(t), t.UTC().Format(basicISO), true
}
