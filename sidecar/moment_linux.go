package sidecar

import (
	"encoding/hex"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// now returns this moment: CLOCK_BOOTTIME counts while the machine sleeps
// (clock_gettime(2)), and the kernel names each of its runs.
func now() Moment {
	m := Moment{Wall: time.Now()}
	var t unix.Timespec
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return m
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(string(id)), "-", ""))
	if err == nil && len(raw) == len(m.Boot) {
		m.Boot, m.Since = [16]byte(raw), time.Duration(t.Nano())
	}
	return m
}
