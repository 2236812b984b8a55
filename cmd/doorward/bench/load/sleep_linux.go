package load

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// sleeper returns a sleep that ends within some microseconds of when it should, where
// the runtime's own timers take up to a millisecond more. It belongs to the goroutine
// that asks for it, which has a thread for itself until awake is called.
func sleeper() (sleep func(time.Duration), awake func()) {
	runtime.LockOSThread()
	// Without it the kernel rounds up to 50 µs; that is a pity, and no more.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	return func(d time.Duration) {
		t := unix.NsecToTimespec(int64(d))
		// Interrupted is early by little: the caller reads the clock.
		_ = unix.Nanosleep(&t, nil)
	}, runtime.UnlockOSThread
}
