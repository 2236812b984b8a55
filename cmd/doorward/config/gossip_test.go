package config

import "testing"

func TestGossipListensBesideThePeerPort(t *testing.T) {
	for _, row := range []struct {
		name         string
		listen, says string
		want         string
	}{
		{"the default", ":8471", "", ":8472"},
		{"another port", "10.0.0.7:9000", "", "10.0.0.7:9001"},
		{"an IPv6 address", "[::1]:9000", "", "[::1]:9001"},
		{"any free port", "127.0.0.1:0", "", "127.0.0.1:0"},
		{"an address of its own", ":8471", "10.0.0.7:7946", "10.0.0.7:7946"},
		{"none", ":8471", "off", ""},
		{"a node that is alone", "", "", ""},
		{"no port left", ":65535", "", ""},
	} {
		p := Peer{Listen: row.listen, Gossip: row.says}
		if got := p.GossipAddress(); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}

func TestWrongPeerSettingsAreNamed(t *testing.T) {
	for name, row := range map[string]struct {
		peer Peer
		want string
	}{
		"gossip that is no address": {Peer{Listen: "127.0.0.1:1", Gossip: "on"}, `peer.gossip is "on": want HOST:PORT, :PORT or off`},
		"gossip of a lone node":     {Peer{Gossip: ":1"}, "peer.listen is empty, but other settings of peer are set: set it, such as :8471, or none of them"},
		"negative time":             {Peer{Listen: "127.0.0.1:1", RemoveDeadHours: -1}, "peer.remove_dead_hours is -1: want a number of hours, or 0 for never"},
	} {
		s := Server{Peer: row.peer}
		if err := s.validatePeer(); err == nil || err.Error() != row.want {
			t.Errorf("%s: %v, want %s", name, err, row.want)
		}
	}
}
