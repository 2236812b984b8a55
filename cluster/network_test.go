package cluster

import (
	"testing"

	"github.com/doorward/doorward/cluster/gossip"
	"github.com/doorward/doorward/raft"
)

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

// TestAMemberThatMovedIsFoundByWhatItSays holds that the gossip is believed about
// members that are alive, and about nobody else.
func TestAMemberThatMovedIsFoundByWhatItSays(t *testing.T) {
	var b book
	var members []raft.Member
	for _, id := range []string{"moved", "stayed", "dead", "mute"} {
		members = append(members, raft.Member{ID: id, Address: "old"})
	}
	b.hear([]gossip.Member{
		{ID: "moved", Address: "new", State: gossip.Alive}, {ID: "stayed", Address: "old", State: gossip.Alive},
		{ID: "dead", Address: "new", State: gossip.Dead}, {ID: "mute", State: gossip.Alive},
		{ID: "stranger", Address: "new", State: gossip.Alive},
	}, members)
	for id, want := range map[string]string{"moved": "new", "stayed": "old", "dead": "old", "mute": "old", "stranger": "old"} {
		if got := b.lookup(id, "old"); got != want {
			t.Errorf("%s is looked for at %s, want %s", id, got, want)
		}
	}
}
