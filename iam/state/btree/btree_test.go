package btree

import (
	"cmp"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// pair compares by key alone, so that a test sees which of two equal items is there.
type pair struct{ key, value int }

func byKey(a, b pair) int { return cmp.Compare(a.key, b.key) }

// appended returns a tree of items that are in order.
func appended(items []pair) *Tree[pair] {
	tree := New(byKey)
	for _, p := range items {
		tree.Append(p)
	}
	return tree
}

// sound fails unless t is a B-tree: all leaves equally deep, no node too small or large,
// items in order, and as many as it says.
func sound(t interface{ Fatalf(string, ...any) }, tree *Tree[pair]) {
	depths := map[int]bool{}
	var walk func(n *node[pair], depth int, last bool)
	walk = func(n *node[pair], depth int, last bool) {
		if len(n.items) > maxItems || len(n.items) < minItems && !last || len(n.items) == 0 {
			t.Fatalf("a node at depth %d has %d items", depth, len(n.items))
		}
		if n.children == nil {
			depths[depth] = true
			return
		}
		if len(n.children) != len(n.items)+1 {
			t.Fatalf("a node of %d items has %d children", len(n.items), len(n.children))
		}
		for i, c := range n.children {
			walk(c, depth+1, last && i == len(n.items))
		}
	}
	if tree.root != nil {
		walk(tree.root, 0, true)
	}
	all := slices.Collect(tree.All())
	if len(depths) > 1 || len(all) != tree.Len() || !slices.IsSortedFunc(all, byKey) {
		t.Fatalf("leaves at depths %v, %d items of %d, in order: %v", depths, len(all), tree.Len(), slices.IsSortedFunc(all, byKey))
	}
}

func contents(tree *Tree[pair]) map[int]int {
	m := map[int]int{}
	for p := range tree.All() {
		m[p.key] = p.value
	}
	return m
}

// run returns n pairs whose keys are even.
func run(n int) []pair {
	items := make([]pair, n)
	for i := range items {
		items[i] = pair{2 * i, i}
	}
	return items
}

// TestATreeIsASetInOrder compares a tree, from every beginning, with a map: after each
// step it holds what the map does, and every older version what it held.
func TestATreeIsASetInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const reach = 4000
		items := run(rapid.IntRange(0, 2000).Draw(t, "appended"))
		tree, model := appended(items), map[int]int{}
		for _, p := range items {
			model[p.key] = p.value
		}
		type version struct {
			tree *Tree[pair]
			held map[int]int
		}
		var older []version
		for range rapid.IntRange(1, 8).Draw(t, "versions") {
			held := map[int]int{}
			for k, v := range model {
				held[k] = v
			}
			older = append(older, version{tree, held})
			tree = tree.Clone()
			from, step := rapid.IntRange(0, reach).Draw(t, "from"), rapid.SampledFrom([]int{1, 2, 7, 1999, reach - 1}).Draw(t, "step")
			set := rapid.Bool().Draw(t, "set")
			for i := range rapid.IntRange(0, 1500).Draw(t, "items") {
				key := (from + i*step) % reach
				want, there := model[key]
				var old pair
				var was bool
				if set {
					old, was = tree.Set(pair{key, -i})
					model[key] = -i
				} else {
					old, was = tree.Delete(pair{key: key})
					delete(model, key)
				}
				if was != there || was && old != (pair{key, want}) {
					t.Fatalf("key %d: was %v, %v; want %v, %v", key, old, was, want, there)
				}
			}
			sound(t, tree)
		}
		for i, v := range append(older, version{tree, model}) {
			got := contents(v.tree)
			if len(got) != len(v.held) {
				t.Fatalf("version %d has %d items, want %d", i, len(got), len(v.held))
			}
			for key := -1; key <= reach; key += 13 {
				value, there := v.held[key]
				if p, ok := v.tree.Get(pair{key: key}); ok != there || ok && p.value != value {
					t.Fatalf("version %d has %v, %v at %d, want %v, %v", i, p, ok, key, value, there)
				}
			}
			for k, value := range v.held {
				if got[k] != value {
					t.Fatalf("version %d has %d at %d, want %d", i, got[k], k, value)
				}
			}
		}
	})
}

func TestATreeIsSoundWhenItemsComeInOrder(t *testing.T) {
	tree, items := New(byKey), run(40_000)
	for i, p := range items {
		if i%7 == 0 { // an older version keeps what it has
			older := tree
			defer func() {
				if older.Len() != i {
					t.Errorf("a version of %d items has %d", i, older.Len())
				}
			}()
			tree = tree.Clone()
		}
		if !tree.Append(p) || tree.Len() != i+1 {
			t.Fatalf("item %d was not appended", i)
		}
		if i < 2200 || i > 32_000 && i%501 == 0 {
			sound(t, tree)
		}
	}
	if got := slices.Collect(tree.All()); !slices.Equal(got, items) {
		t.Fatalf("appended %d items and found others", len(items))
	}
}

func TestATreeIsSoundWhenItIsTakenApart(t *testing.T) {
	for _, n := range []int{1, 31, 32, 900, 1023, 1024} {
		first, last := appended(run(n)), appended(run(n))
		for i := range n {
			first.Delete(pair{key: 2 * i})
			last.Delete(pair{key: 2 * (n - 1 - i)})
			sound(t, first)
			sound(t, last)
			if first.Len() != n-1-i || last.Len() != n-1-i {
				t.Fatalf("%d of %d items are left, and %d", first.Len(), n, last.Len())
			}
		}
	}
}

func TestItemsOutOfOrderAreNotAppended(t *testing.T) {
	for _, n := range []int{1, 31, 32, 5000} {
		tree := appended(run(n))
		for name, p := range map[string]pair{"before the last": {2*n - 3, -1}, "the last again": {2*n - 2, -1}, "before the first": {-1, -1}} {
			if tree.Append(p) {
				t.Errorf("%d items: one was appended that is %s", n, name)
			}
		}
		if got := slices.Collect(tree.All()); !slices.Equal(got, run(n)) {
			t.Errorf("%d items: they are not what they were", n)
		}
	}
}

func TestAscendingBeginsAnywhereAndEndsAtWill(t *testing.T) {
	for _, n := range []int{0, 1, 31, 32, 1023, 1024, 5000} {
		items := run(n)
		tree := appended(items)
		for from := -1; from <= 2*n; from += 1 + n/500 {
			want := items[min(n, (max(from, 0)+1)/2):]
			if got := slices.Collect(tree.Ascend(pair{key: from})); !slices.Equal(got, want) {
				t.Fatalf("%d items from %d: got %d, want %d", n, from, len(got), len(want))
			}
			for limit := range min(len(want), 3) {
				seen := 0
				for p := range tree.Ascend(pair{key: from}) {
					if p != want[seen] {
						t.Fatalf("%d items from %d: %v, want %v", n, from, p, want[seen])
					}
					if seen++; seen > limit {
						break
					}
				}
			}
		}
	}
}

// TestReadersAreNotDisturbed is for the race detector.
func TestReadersAreNotDisturbed(t *testing.T) {
	tree := appended(run(3000))
	var readers sync.WaitGroup
	for i := range 30 {
		pinned := tree
		readers.Go(func() {
			want, _ := pinned.Get(pair{key: 2 * i})
			for range 3 {
				if got, ok := pinned.Get(pair{key: 2 * i}); !ok || got != want || len(contents(pinned)) != 3000-i {
					t.Errorf("version %d changed", i)
				}
			}
		})
		tree = tree.Clone()
		tree.Delete(pair{key: 2*i + 100})
		tree.Set(pair{2 * i, -1})
	}
	readers.Wait()
}

func TestLookingUpAllocatesNothing(t *testing.T) {
	tree := appended(run(3000))
	if n := testing.AllocsPerRun(100, func() { tree.Get(pair{key: 77}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
