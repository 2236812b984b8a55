package packed

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cespare/xxhash/v2"
	"pgregory.net/rapid"
)

// hashes are the table's own, and some that make everything collide.
var hashes = map[string]func([]byte) uint64{
	"xxhash64":          xxhash.Sum64,
	"one place for all": func([]byte) uint64 { return 7 },
	"one leaf for all":  func(b []byte) uint64 { return xxhash.Sum64(b) >> 32 },
	"one tag for all":   func(b []byte) uint64 { return xxhash.Sum64(b) << 32 },
	"the last place":    func(b []byte) uint64 { return ^uint64(0) - uint64(len(b)&1) },
}

// TestAgreesWithAMap writes at random, and compares every version with a map that was
// copied at its time, also after later versions were made, and after one of them was
// continued that is not the newest.
func TestAgreesWithAMap(t *testing.T) {
	for name, hash := range hashes {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { writeAtRandom(t, hash) })
		})
	}
}

func writeAtRandom(t *rapid.T, hash func([]byte) uint64) {
	key := rapid.SliceOfN(rapid.ByteRange('a', 'e'), 1, 3)
	small, large := rapid.IntRange(0, 3000), rapid.IntRange(chunkSize-20, chunkSize+20)
	type version struct {
		table *Table
		model map[string]string
	}
	first := newTable(hash)
	first.arena.first = maxChunks - 2 // chunk numbers start over
	versions := []version{{first, map[string]string{}}}
	for range rapid.IntRange(1, 15).Draw(t, "versions") {
		from := versions[len(versions)-1]
		if rapid.IntRange(0, 9).Draw(t, "branch") == 0 {
			from = rapid.SampledFrom(versions).Draw(t, "from")
		}
		next := version{from.table.Clone(), maps.Clone(from.model)}
		for range rapid.IntRange(0, 40).Draw(t, "writes") {
			k := key.Draw(t, "key")
			want, was := next.model[string(k)]
			var old []byte
			if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
				old = next.table.Delete(k)
				delete(next.model, string(k))
			} else {
				size := small
				if rapid.IntRange(0, 99).Draw(t, "large") == 0 {
					size = large
				}
				v := bytes.Repeat([]byte{rapid.Byte().Draw(t, "value")}, size.Draw(t, "size"))
				old = next.table.Put(k, v)
				next.model[string(k)] = string(v)
			}
			if was != (old != nil) || was && string(old) != string(k)+want {
				t.Fatalf("%q was %.40q, want %.40q (%v)", k, old, want, was)
			}
		}
		versions = append(versions, next)
	}
	for i, v := range versions {
		compare(t, i, v.table, v.model)
	}
}

func compare(t *rapid.T, i int, table *Table, model map[string]string) {
	if table.Len() != len(model) {
		t.Fatalf("version %d has %d records, want %d", i, table.Len(), len(model))
	}
	seen := 0
	for k, v := range table.All() {
		if want, ok := model[string(k)]; !ok || string(v) != want {
			t.Fatalf("version %d yields %q = %.40q, want %.40q (%v)", i, k, v, want, ok)
		}
		seen++
	}
	if seen != len(model) {
		t.Fatalf("version %d yields %d records, want %d", i, seen, len(model))
	}
	for k, want := range model {
		if v, ok := table.Get([]byte(k)); !ok || string(v) != want {
			t.Fatalf("version %d has %q = %.40q (%v), want %.40q", i, k, v, ok, want)
		}
	}
	for _, k := range []string{"", "z", "aaaa"} {
		if v, ok := table.Get([]byte(k)); ok {
			t.Fatalf("version %d has %q = %.40q", i, k, v)
		}
	}
	a := table.arena
	if a.dead < 0 || a.size < a.dead || a.dead > a.size*3/5+leastSwept+4*chunkSize {
		t.Fatalf("version %d: %d of %d bytes are not in use", i, a.dead, a.size)
	}
}

// colliding returns n keys of 64 bytes with one xxhash64: the second block of 32 undoes
// in the first lane what the first has done.
func colliding(n int) [][]byte {
	const prime1, prime2 = 11400714785074694791, 14029467366897019727
	inverse := uint64(prime2)
	for range 6 {
		inverse *= 2 - prime2*inverse
	}
	p1, p2 := uint64(prime1), uint64(prime2)
	start := p1 + p2
	round := func(lane, x uint64) uint64 { return bits.RotateLeft64(lane+x*prime2, 31) * prime1 }
	const target = 42 // of the lane before its last rotation
	var keys [][]byte
	for i := range n {
		key := make([]byte, 64)
		binary.LittleEndian.PutUint64(key, uint64(i))
		binary.LittleEndian.PutUint64(key[32:], (target-round(start, uint64(i)))*inverse)
		keys = append(keys, key)
	}
	return keys
}

func TestKeysOfOneHashAreToldApart(t *testing.T) {
	keys := colliding(300)
	table := New()
	for i, k := range keys {
		if xxhash.Sum64(k) != xxhash.Sum64(keys[0]) {
			t.Fatal("the keys do not collide")
		}
		if _, ok := table.Get(k); ok {
			t.Fatalf("key %d was found before it was put", i)
		}
		table.Put(k, []byte(fmt.Sprint(i)))
	}
	for i := 0; i < len(keys); i += 2 {
		table.Delete(keys[i])
	}
	for i, k := range keys {
		if v, ok := table.Get(k); ok != (i%2 == 1) || ok && string(v) != fmt.Sprint(i) {
			t.Errorf("key %d: %q, %v", i, v, ok)
		}
	}
}

func TestSpaceOfFormerValuesIsUsedAgain(t *testing.T) {
	const records, size = 5000, 200
	value := make([]byte, size)
	table := New()
	put := func(n int) {
		for i := range n {
			table.Put(fmt.Appendf(nil, "key %d", i*7919%records), value)
		}
	}
	put(records)
	live := table.arena.size
	for range 20 {
		table = table.Clone()
		put(records)
	}
	held := 0
	for _, c := range table.arena.chunks {
		held += len(c)
	}
	if held > 5*live/2+2*chunkSize {
		t.Errorf("%d bytes are held for %d in use", held, live)
	}
	for i := range records {
		table.Delete(fmt.Appendf(nil, "key %d", i))
	}
	if table.Len() != 0 || table.arena.size > 2*leastSwept+2*chunkSize {
		t.Errorf("%d records, %d bytes are left", table.Len(), table.arena.size)
	}
}

// TestReadersSeeOneVersion is for the race detector: versions are read while the owner
// makes the next ones, and each record of one version has the same value.
func TestReadersSeeOneVersion(t *testing.T) {
	const records = 300
	table := New()
	var readers sync.WaitGroup
	for i := range 60 {
		table = table.Clone()
		want := []byte(strings.Repeat(string(rune('A'+i%26)), 100))
		for r := range records {
			if r%7 == i%7 {
				table.Delete(fmt.Appendf(nil, "gone %d", r))
			}
			table.Put(fmt.Appendf(nil, "key %d", r), want)
		}
		pinned := table
		readers.Go(func() {
			for k, v := range pinned.All() {
				if got, ok := pinned.Get(k); !ok || !bytes.Equal(v, want) || !bytes.Equal(got, want) {
					t.Errorf("version %d has %s = %.9s and %.9s", i, k, v, got)
				}
			}
			if pinned.Len() != records {
				t.Errorf("version %d has %d records", i, pinned.Len())
			}
		})
	}
	readers.Wait()
}

func TestLookingUpAllocatesNothing(t *testing.T) {
	table, key := New(), []byte("AKIAEXAMPLE")
	table.Put(key, []byte("value"))
	if n := testing.AllocsPerRun(100, func() { table.Get(key) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzCutEntry(f *testing.F) {
	f.Add(AppendEntry(AppendEntry(nil, []byte("k"), []byte("value")), []byte("key"), nil))
	f.Add([]byte{0, 0})
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 'k'})
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			record, split, rest, err := CutEntry(b)
			if err != nil {
				if !errors.Is(err, ErrEntry) || record != nil || rest != nil {
					t.Fatalf("%v, %q, %q", err, record, rest)
				}
				return
			}
			again, at, left, err := CutEntry(AppendEntry(nil, record[:split], record[split:]))
			if err != nil || split == 0 || at != split || !bytes.Equal(again, record) || len(left) != 0 {
				t.Fatalf("%q, %d was read as %q, %d, %q left, %v", record, split, again, at, left, err)
			}
			if !slices.Equal(rest, b[len(b)-len(rest):]) {
				t.Fatal("what follows is something else")
			}
			b = rest
		}
	})
}
