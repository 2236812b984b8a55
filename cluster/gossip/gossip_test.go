package gossip

import (
	"strings"
	"testing"
	"time"
)

func key(b byte) []byte { return append(make([]byte, KeySize-1), b) }

func start(t *testing.T, id string, keys Keys) *Gossip {
	t.Helper()
	g, err := Start(t.Context(), Config{ID: id, Cluster: "c", Address: id + ":1", Listen: "127.0.0.1:0", Host: "127.0.0.1", Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

// TestNodesHearOneAnotherOverTheNetwork is the carrier of production; package
// clustertest has the rest.
func TestNodesHearOneAnotherOverTheNetwork(t *testing.T) {
	a, b := start(t, "a", Keys{Use: key(1)}), start(t, "b", Keys{Use: key(1)})
	if err := b.Join(a.Address()); err != nil {
		t.Fatal(err)
	}
	for len(a.Members()) == 0 {
		time.Sleep(time.Millisecond)
	}
	if got := a.Members()[0]; got != (Member{"b", "b:1", Alive}) {
		t.Errorf("a has heard %+v", got)
	}
	c := start(t, "c", Keys{Use: key(2)})
	if err := c.Join(a.Address()); err == nil {
		t.Error("a node with another key has joined")
	}
	if err := a.SetKeys(Keys{Use: key(1), Accept: [][]byte{key(1), key(2)}}); err != nil {
		t.Fatal(err)
	}
	if err := c.SetKeys(Keys{Use: key(2), Accept: [][]byte{key(1), key(2)}}); err != nil {
		t.Fatal(err)
	}
	if err := c.Join(a.Address()); err != nil {
		t.Errorf("with both keys: %v", err)
	}
}

func TestKeysAreThoseThatWereSetLast(t *testing.T) {
	g := start(t, "a", Keys{Use: key(1), Accept: [][]byte{key(2), key(3)}})
	for _, keys := range []Keys{
		{Use: key(2), Accept: [][]byte{key(1), key(2), key(3)}},
		{Use: key(3), Accept: [][]byte{key(3), key(4)}},
		{Use: key(4), Accept: [][]byte{key(4)}},
		{Use: key(5)},
	} {
		if err := g.SetKeys(keys); err != nil {
			t.Fatal(err)
		}
		wanted := map[string]bool{string(keys.Use): true}
		for _, k := range keys.Accept {
			wanted[string(k)] = true
		}
		has := g.ring.GetKeys()
		if len(has) != len(wanted) || string(g.ring.GetPrimaryKey()) != string(keys.Use) {
			t.Errorf("%x are there, want %x with %x in use", has, keys.Accept, keys.Use)
		}
		for _, k := range has {
			if !wanted[string(k)] {
				t.Errorf("the key %x stayed", k)
			}
		}
	}
}

func FuzzAddressOf(f *testing.F) {
	for _, seed := range []string{"", "host:8471", "[::1]:8471", "host:1\nlater", "\x00", "h\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, meta []byte) {
		if strings.ContainsFunc(addressOf(meta), func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("%q gives %q", meta, addressOf(meta))
		}
	})
}
