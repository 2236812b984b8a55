package compare

import (
	"encoding/base64"
	"math/big"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/authz/policy"
)

// representatives give, for the values that conditions of a family compare with,
// values such that each outcome of all these comparisons occurs: what is written,
// and something between, below and above.
var representatives = [...]func(written []string) []string{
	policy.NumericFamily: numbers,
	policy.DateFamily:    dates,
	policy.BoolFamily:    func([]string) []string { return []string{"true", "false"} },
	policy.BinaryFamily:  binaries,
	policy.IPFamily:      addresses,
}

func numbers(written []string) []string {
	var all []*big.Rat
	digits := 1
	for _, w := range written {
		if r, ok := new(big.Rat).SetString(strings.TrimSuffix(w, ".")); ok {
			all = append(all, r)
		}
		if _, fraction, ok := strings.Cut(w, "."); ok {
			digits = max(digits, len(fraction)+1)
		}
	}
	slices.SortFunc(all, (*big.Rat).Cmp)
	var out []string
	for i, r := range all {
		below, half := new(big.Rat), big.NewRat(1, 2)
		if i == 0 {
			below.Sub(r, big.NewRat(1, 1))
		} else {
			below.Mul(below.Add(all[i-1], r), half)
		}
		out = append(out, decimal(below, digits), decimal(r, digits))
	}
	if len(all) > 0 {
		out = append(out, decimal(new(big.Rat).Add(all[len(all)-1], big.NewRat(1, 1)), digits))
	}
	return out
}

// decimal writes a number that has at most so many digits behind the point.
func decimal(r *big.Rat, digits int) string {
	return strings.TrimSuffix(strings.TrimRight(r.FloatString(digits), "0"), ".")
}

func dates(written []string) []string {
	var all []time.Time
	for _, w := range written {
		if i, ok := policy.ParseDate(w); ok {
			all = append(all, timeOf(i))
		}
	}
	slices.SortFunc(all, time.Time.Compare)
	out := slices.Clone(written)
	add := func(t time.Time) { out = append(out, date(t)) }
	for i, t := range all {
		if i == 0 {
			add(t.Add(-time.Second))
		} else {
			// Far apart, a duration does not hold the difference.
			add(time.Unix(all[i-1].Unix()/2+t.Unix()/2, 0))
			add(all[i-1].Add(t.Sub(all[i-1]) / 2))
		}
		add(t)
	}
	if len(all) > 0 {
		add(all[len(all)-1].Add(time.Second))
	}
	return out
}

// timeOf finds an instant by halving: first its second, then its nanosecond.
func timeOf(i policy.Instant) time.Time {
	atMost := func(text string) bool {
		j, ok := policy.ParseDate(text)
		return ok && j.Compare(i) <= 0
	}
	low, high := int64(-1<<61), int64(1<<61)
	for low < high {
		if mid := low + (high-low+1)/2; atMost(strconv.FormatInt(mid, 10)) {
			low = mid
		} else {
			high = mid - 1
		}
	}
	nanos, above := int64(0), int64(time.Second)
	for nanos+1 < above {
		if mid := (nanos + above) / 2; atMost(date(time.Unix(low, mid))) {
			nanos = mid
		} else {
			above = mid
		}
	}
	return time.Unix(low, nanos)
}

// date writes a time as a date, or in seconds where a date has no year for it.
func date(t time.Time) string {
	if t = t.UTC(); t.Year() >= 1 && t.Year() <= 9999 {
		return t.Format(time.RFC3339Nano)
	}
	return strconv.FormatInt(t.Unix(), 10)
}

// binaries are what is written and as many zero bytes as nobody wrote.
func binaries(written []string) []string {
	out := slices.Clone(written)
	for n := range len(written) + 1 {
		out = append(out, base64.StdEncoding.EncodeToString(make([]byte, n+1)))
	}
	return out
}

// addresses are where ranges begin, and where the addresses behind them do.
func addresses(written []string) []string {
	out := []string{"203.0.113.7", "2001:db8::7", "0.0.0.0", "::"}
	for _, w := range written {
		p, ok := policy.ParseCIDR(w)
		if !ok {
			continue
		}
		out = append(out, p.Addr().String())
		last := p.Addr().AsSlice()
		for bit := p.Bits(); bit < len(last)*8; bit++ {
			last[bit/8] |= 0x80 >> (bit % 8)
		}
		if end, _ := netip.AddrFromSlice(last); end.Next().IsValid() {
			out = append(out, end.Next().String())
		}
	}
	return out
}
