//go:build !linux

package load

import "time"

// sleeper returns time.Sleep.
func sleeper() (sleep func(time.Duration), awake func()) { return time.Sleep, func() {} }
