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
	date, ok := pairs(eight(s))
	const noSuffix, zeros = 1<<48 - 1, '0'<<56 | '0'<<48
	clock, ok2 := pairs(eight(s[8:])>>8&noSuffix | zeros) // what is between T and Z
	if !ok || !ok2 {
		return 0, false
	}
	year, month, day := int64(date&0xff)*100+int64(date>>16&0xff), int64(date>>32&0xff), int64(date>>48&0xff)
	hour, minute, second := int64(clock&0xff), int64(clock>>16&0xff), int64(clock>>32&0xff)
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	seconds := ((daysBefore(year, month, day)*24+hour)*60+minute)*60 + second
	return iam.Time(seconds * 1000), true
}

// pairs reads eight digits as four numbers of two, which it leaves in the bytes 0, 2,
// 4 and 6, the first in the lowest. It is false if one of them is no digit.
func pairs(digits uint64) (numbers uint64, ok bool) {
	const each = 0x0101010101010101
	d := digits ^ '0'*each
	const above9 = (0x7f - 9) * each // adding it sets the highest bit of such a byte
	return d*10 + d>>8, (d|(d+above9))&(0x80*each) == 0
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
