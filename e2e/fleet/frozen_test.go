package fleet

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
)

// TestALeaderThatIsFrozenIsReplacedAndServesNothingOldWhenItThaws stops a leader's process
// as a virtual machine is paused: it does not know that time has passed.
func TestALeaderThatIsFrozenIsReplacedAndServesNothingOldWhenItThaws(t *testing.T) {
	f, _ := open(t)
	ctx := t.Context()
	for round := range 3 {
		var leader int
		until(t, func() (err error) {
			leader, err = f.Leader(ctx, round)
			return err
		})
		other, name := (leader+1)%3, fmt.Sprint("carol-", round)
		process := f.NodeProcess(leader)
		if err := syscall.Kill(process, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Kill(process, syscall.SIGCONT) }) // or it could not be ended
		until(t, func() error {
			_, err := f.Doorward(ctx, other, "user", "create", name)
			if err != nil && strings.Contains(err.Error(), "EntityAlreadyExists") {
				return nil // an attempt before has had effect
			}
			return err
		})
		if err := syscall.Kill(process, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		// The first question after the thaw may find no leader, but never the old state.
		until(t, func() error {
			_, err := f.Doorward(ctx, leader, "user", "show", name)
			if err != nil && strings.Contains(err.Error(), "NoSuchEntity") {
				t.Fatalf("round %d: the thawed node: %v", round, err)
			}
			return err
		})
	}
}
