package cluster

import "testing"

// TestAHintThatFailsGivesWay holds that an address from the gossip, which may be
// false, is tried in turn with the one in the log's configuration.
func TestAHintThatFailsGivesWay(t *testing.T) {
	var b book
	want := func(address string) {
		t.Helper()
		if got := b.lookup("n", "configured"); got != address {
			t.Errorf("the address is %s, want %s", got, address)
		}
	}
	b.missed("n", "configured")
	want("configured")
	b.learn("n", "hint", "configured")
	want("hint")
	b.missed("n", "hint")
	want("configured")
	b.learn("n", "hint", "configured") // said again
	want("configured")
	b.missed("n", "configured")
	want("hint")
	b.learn("n", "better", "configured")
	want("better")
	if got := b.lookup("n", "moved"); got != "moved" {
		t.Errorf("a newer configuration gives %s", got)
	}
}
