//go:build !linux

package sidecar

import "time"

// now returns this moment. Only the wall clock tells.
func now() Moment { return Moment{Wall: time.Now()} }
