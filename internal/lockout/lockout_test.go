package lockout

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"
)

var (
	noon  = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	mine  = netip.MustParseAddr("192.0.2.1")
	other = netip.MustParseAddr("192.0.2.2")
)

func TestTooManyWrongSignaturesLockThePairAndNoOther(t *testing.T) {
	table := New(Config{Attempts: 3, Window: time.Minute, Lock: 10 * time.Second})
	for i := range 2 {
		if table.Wrong("alice", mine, noon) {
			t.Fatalf("locked after %d", i+1)
		}
	}
	if _, locked := table.Locked("alice", mine, noon); locked {
		t.Fatal("locked too early")
	}
	if !table.Wrong("alice", mine, noon) {
		t.Fatal("not locked")
	}
	until, locked := table.Locked("alice", mine, noon.Add(9*time.Second))
	if !locked || !until.Equal(noon.Add(10*time.Second)) {
		t.Errorf("%v %v", until, locked)
	}
	for name, row := range map[string]struct {
		key    string
		source netip.Addr
	}{"the owner elsewhere": {"alice", other}, "another key here": {"bob", mine}, "no address": {"alice", netip.Addr{}}} {
		if _, locked := table.Locked(row.key, row.source, noon); locked {
			t.Errorf("%s is locked out", name)
		}
	}
	if _, locked := table.Locked("alice", mine, noon.Add(10*time.Second)); locked {
		t.Error("the lock does not end")
	}
}

func TestWhatCountsAndWhatDoesNot(t *testing.T) {
	table := New(Config{Attempts: 2, Window: time.Minute, Lock: time.Minute})
	table.Wrong("k", mine, noon)
	if table.Wrong("k", mine, noon.Add(2*time.Minute)) {
		t.Error("what is long ago counts")
	}
	table.Right("k", mine)
	if table.Wrong("k", mine, noon.Add(2*time.Minute)) {
		t.Error("what came before a right signature counts")
	}
	if !table.Wrong("k", netip.MustParseAddr("::ffff:192.0.2.1"), noon.Add(2*time.Minute)) {
		t.Error("the same address in another form is another source")
	}
	six := New(Config{Attempts: 2})
	six.Wrong("k", netip.MustParseAddr("2001:db8::1"), noon)
	if !six.Wrong("k", netip.MustParseAddr("2001:db8::2"), noon) {
		t.Error("a neighbour in one site is another source")
	}
	never := New(Config{Attempts: -1})
	for range 100 {
		if never.Wrong("k", mine, noon) {
			t.Fatal("locked though nothing ever should be")
		}
	}
	var none *Table
	if _, locked := none.Locked("k", mine, noon); locked || none.Wrong("k", mine, noon) {
		t.Error("no table locks")
	}
	none.Right("k", mine)
}

func TestAFloodFillsNoMemory(t *testing.T) {
	table := New(Config{Attempts: 2})
	table.Wrong("victim", mine, noon)
	for i := range 2 * shards * entriesAShard {
		table.Wrong(fmt.Sprint(i), other, noon.Add(time.Duration(i)*time.Microsecond))
	}
	if n := table.count.Load(); n > shards*entriesAShard {
		t.Errorf("%d entries", n)
	}
}

func TestManyAtOnce(t *testing.T) {
	table := New(Config{})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 1000 {
				key := fmt.Sprint(i % 7)
				table.Wrong(key, mine, noon)
				table.Locked(key, mine, noon)
				if w == i%8 {
					table.Right(key, mine)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkLockedWhenNobodyIs(b *testing.B) {
	table := New(Config{})
	b.ReportAllocs()
	for b.Loop() {
		table.Locked("alice", mine, noon)
	}
}
