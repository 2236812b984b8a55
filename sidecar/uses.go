package sidecar

import (
	"sync"

	"github.com/doorward/doorward/iam"
)

// maxUses bounds the keys whose use waits to be reported. One beyond it is reported
// when it is used on another day.
const maxUses = 1 << 16

// oneDay is how often a key is reported as in use.
const oneDay = iam.Time(24 * 60 * 60 * 1000)

// uses collects access keys that were used for the first time on a day.
type uses struct {
	mu   sync.Mutex
	list []iam.Use
}

// note takes a caller that has proven who it is. After the first time on a day it
// costs a comparison.
func (u *uses) note(c *caller, now iam.Time) {
	day := now - now%oneDay
	if c.session() || iam.Time(c.usedOn.Load()) == day || iam.Time(c.usedOn.Swap(int64(day))) == day || c.identity.Key.LastUsed >= day {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.list) < maxUses {
		u.list = append(u.list, iam.Use{Key: c.id, Time: day})
	}
}

// Used returns up to most access keys that were used and have not been returned
// before, each with the day. Whoever calls it tells the store.
func (a *Authorizer) Used(most int) []iam.Use {
	u := &a.uses
	u.mu.Lock()
	defer u.mu.Unlock()
	n := min(most, len(u.list))
	taken := u.list[:n:n]
	if u.list = u.list[n:]; len(u.list) == 0 {
		u.list = nil
	}
	return taken
}
