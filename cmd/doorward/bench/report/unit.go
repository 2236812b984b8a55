package report

import (
	"fmt"
	"math"
)

func pow10(x float64) float64 { return math.Pow(10, x) }

// String is the value with its unit, to three digits.
func (f Figure) String() string {
	switch f.Unit {
	case Nanoseconds:
		return Duration(f.Value)
	case PerSecond:
		return grouped(f.Value) + "/s"
	case ByteCount:
		return Bytes(f.Value)
	case Ratio:
		return fmt.Sprintf("%.2f", f.Value)
	}
	if f.Value != math.Trunc(f.Value) {
		return fmt.Sprintf("%.3g", f.Value)
	}
	return grouped(f.Value)
}

// Duration writes nanoseconds with three digits.
func Duration(ns float64) string {
	switch {
	case ns < 1e3:
		return digits(ns) + " ns"
	case ns < 1e6:
		return digits(ns/1e3) + " µs"
	case ns < 1e9:
		return digits(ns/1e6) + " ms"
	}
	return digits(ns/1e9) + " s"
}

// Bytes writes a number of bytes with three digits.
func Bytes(n float64) string {
	for _, unit := range []string{"B", "KiB", "MiB"} {
		if math.Abs(n) < 1024 {
			return digits(n) + " " + unit
		}
		n /= 1024
	}
	return digits(n) + " GiB"
}

func digits(x float64) string {
	if math.Abs(x) >= 100 {
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.3g", x)
}

// grouped writes a whole number with commas.
func grouped(x float64) string {
	text := fmt.Sprintf("%.0f", x)
	for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
