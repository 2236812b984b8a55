// Package btree is an ordered set in immutable versions: a B-tree that is copied where
// it is written, and that grows fast and full from items that come in order.
//
// Start with [New], [Tree.Set] and [Tree.Ascend]; [Tree.Clone] begins the next version,
// and [Tree.Append] is for items that come in order.
package btree

import (
	"iter"
	"slices"
)

// A node has up to maxItems, and at least minItems, or one if it is the root or the last
// of its level, which Append begins with one. Smaller ones make a lookup walk further,
// larger ones make every write copy more.
const (
	maxItems = 31
	minItems = maxItems / 2
)

// Tree is one version of a set.
//
// Whoever has made it writes to it until it is published; from then on it never changes,
// and anyone may read it from any number of goroutines, without a lock.
type Tree[T any] struct {
	compare func(a, b T) int
	root    *node[T] // nil: empty
	len     int
	edit    *edit
}

// edit is who may write to a node: the version that made it. It must not be of size
// zero, since it is told apart by its address.
type edit struct{ _ byte }

type node[T any] struct {
	edit     *edit
	items    []T
	children []*node[T] // one more than items, or none in a leaf
}

// New returns an empty set in the order of compare, which returns a negative number, zero
// or a positive number as a comes before, is, or comes after b.
func New[T any](compare func(a, b T) int) *Tree[T] {
	return &Tree[T]{compare: compare, edit: new(edit)}
}

// Clone returns a version that may be written without t changing. Nobody writes to t
// from then on. It costs nothing: nodes are copied when they are first written.
func (t *Tree[T]) Clone() *Tree[T] {
	next := *t
	next.edit = new(edit)
	return &next
}

// Len returns the number of items.
func (t *Tree[T]) Len() int { return t.len }

// Get returns the item that compares as equal to key.
func (t *Tree[T]) Get(key T) (item T, ok bool) {
	for n := t.root; n != nil; {
		i, found := slices.BinarySearchFunc(n.items, key, t.compare)
		if found {
			return n.items[i], true
		}
		if n.children == nil {
			break
		}
		n = n.children[i]
	}
	return item, false
}

// Ascend yields the items from the first that does not come before from.
func (t *Tree[T]) Ascend(from T) iter.Seq[T] {
	return func(yield func(T) bool) {
		if t.root != nil {
			t.ascend(t.root, from, yield)
		}
	}
}

func (t *Tree[T]) ascend(n *node[T], from T, yield func(T) bool) bool {
	i, found := slices.BinarySearchFunc(n.items, from, t.compare)
	if n.children != nil && !found && !t.ascend(n.children[i], from, yield) {
		return false
	}
	return n.from(i, yield)
}

// All yields every item.
func (t *Tree[T]) All() iter.Seq[T] {
	return func(yield func(T) bool) {
		if t.root != nil {
			t.root.all(yield)
		}
	}
}

func (n *node[T]) all(yield func(T) bool) bool {
	return (n.children == nil || n.children[0].all(yield)) && n.from(0, yield)
}

// from yields the i-th item and all behind it.
func (n *node[T]) from(i int, yield func(T) bool) bool {
	for ; i < len(n.items); i++ {
		if !yield(n.items[i]) || n.children != nil && !n.children[i+1].all(yield) {
			return false
		}
	}
	return true
}

// Set puts item in the place of the one that compares as equal, which it returns, or
// adds it if there is none.
func (t *Tree[T]) Set(item T) (old T, replaced bool) {
	if t.root == nil {
		t.root = &node[T]{edit: t.edit, items: []T{item}}
		t.len = 1
		return old, false
	}
	if len(t.root.items) == maxItems {
		t.root = &node[T]{edit: t.edit, children: []*node[T]{t.root}}
		t.split(t.root, 0)
	}
	n := t.own(&t.root)
	for {
		i, found := slices.BinarySearchFunc(n.items, item, t.compare)
		if !found && n.children != nil && len(n.children[i].items) == maxItems {
			t.split(n, i)
			switch c := t.compare(item, n.items[i]); {
			case c == 0:
				found = true
			case c > 0:
				i++
			}
		}
		if found {
			old, n.items[i] = n.items[i], item
			return old, true
		}
		if n.children == nil {
			n.items = insert(n.items, i, item, maxItems)
			t.len++
			return old, false
		}
		n = t.own(&n.children[i])
	}
}

// own makes the node at a place of a node that t may write to one that t may write to.
func (t *Tree[T]) own(at **node[T]) *node[T] {
	if n := *at; n.edit != t.edit {
		items := append(make([]T, 0, min(len(n.items)+1, maxItems)), n.items...)
		*at = &node[T]{edit: t.edit, items: items, children: slices.Clone(n.children)}
	}
	return *at
}

// insert is slices.Insert for a slice that never has more than most elements.
func insert[E any](s []E, i int, e E, most int) []E {
	if len(s) == cap(s) {
		s = append(make([]E, 0, min(len(s)+len(s)/2+2, most)), s...)
	}
	return slices.Insert(s, i, e)
}

// split cuts the i-th child of n, which is full, into two.
func (t *Tree[T]) split(n *node[T], i int) {
	left, middle := t.own(&n.children[i]), maxItems/2
	right := &node[T]{edit: t.edit, items: slices.Clone(left.items[middle+1:])}
	n.items = insert(n.items, i, left.items[middle], maxItems)
	n.children = insert(n.children, i+1, right, maxItems+1)
	left.items = slices.Delete(left.items, middle, maxItems)
	if left.children != nil {
		right.children = slices.Clone(left.children[middle+1:])
		left.children = slices.Delete(left.children, middle+1, maxItems+1)
	}
}

// Delete removes the item that compares as equal to key, and returns it.
func (t *Tree[T]) Delete(key T) (old T, deleted bool) {
	if old, deleted = t.Get(key); !deleted {
		return old, false
	}
	t.remove(t.own(&t.root), key)
	t.len--
	if len(t.root.items) == 0 {
		if t.root.children == nil {
			t.root = nil
		} else {
			t.root = t.root.children[0]
		}
	}
	return old, true
}

// remove takes key, which is there, out of n, which is the root or has more items than
// it needs.
func (t *Tree[T]) remove(n *node[T], key T) {
	i, found := slices.BinarySearchFunc(n.items, key, t.compare)
	if n.children == nil {
		n.items = slices.Delete(n.items, i, i+1)
		return
	}
	if len(n.children[i].items) <= minItems {
		t.fill(n, i)
		t.remove(n, key) // the key may now be elsewhere
		return
	}
	child := t.own(&n.children[i])
	if found {
		n.items[i] = t.removeLast(child)
	} else {
		t.remove(child, key)
	}
}

// removeLast takes the last item out of n, which has more than it needs.
func (t *Tree[T]) removeLast(n *node[T]) T {
	last := len(n.items) - 1
	if n.children == nil {
		item := n.items[last]
		n.items = slices.Delete(n.items, last, last+1)
		return item
	}
	if len(n.children[last+1].items) <= minItems {
		t.fill(n, last+1)
		return t.removeLast(n)
	}
	return t.removeLast(t.own(&n.children[last+1]))
}

// fill gives the i-th child of n another item: one of a neighbour that can spare it, or
// else all of a neighbour's.
func (t *Tree[T]) fill(n *node[T], i int) {
	switch {
	case i > 0 && len(n.children[i-1].items) > minItems:
		left, child := t.own(&n.children[i-1]), t.own(&n.children[i])
		last := len(left.items) - 1
		child.items = insert(child.items, 0, n.items[i-1], maxItems)
		n.items[i-1] = left.items[last]
		left.items = slices.Delete(left.items, last, last+1)
		if left.children != nil {
			child.children = insert(child.children, 0, left.children[last+1], maxItems+1)
			left.children = slices.Delete(left.children, last+1, last+2)
		}
	case i < len(n.items) && len(n.children[i+1].items) > minItems:
		child, right := t.own(&n.children[i]), t.own(&n.children[i+1])
		child.items = append(child.items, n.items[i])
		n.items[i] = right.items[0]
		right.items = slices.Delete(right.items, 0, 1)
		if right.children != nil {
			child.children = append(child.children, right.children[0])
			right.children = slices.Delete(right.children, 0, 1)
		}
	default:
		i = min(i, len(n.items)-1)
		left, right := t.own(&n.children[i]), n.children[i+1]
		left.items = append(append(left.items, n.items[i]), right.items...)
		left.children = append(left.children, right.children...)
		n.items = slices.Delete(n.items, i, i+1)
		n.children = slices.Delete(n.children, i+1, i+2)
	}
}

// Append adds item, which must come after all that are there, and reports whether it
// does; if not, t stays as it is. It takes a tenth of the time of [Tree.Set], and leaves
// nodes full, so that the next item that is set in one splits it.
func (t *Tree[T]) Append(item T) bool {
	if t.root == nil {
		t.root = t.leaf(item)
		t.len = 1
		return true
	}
	n := t.root
	for n.children != nil {
		n = n.children[len(n.children)-1]
	}
	if t.compare(n.items[len(n.items)-1], item) >= 0 {
		return false
	}
	if item, right := t.append(t.own(&t.root), item); right != nil {
		t.root = &node[T]{edit: t.edit, items: []T{item}, children: []*node[T]{t.root, right}}
	}
	t.len++
	return true
}

func (t *Tree[T]) leaf(item T) *node[T] {
	return &node[T]{edit: t.edit, items: append(make([]T, 0, maxItems), item)}
}

// append adds an item behind the last of n. If n was full, it returns the node that is to
// its right from now on, and the item between them.
func (t *Tree[T]) append(n *node[T], item T) (between T, right *node[T]) {
	last := len(n.items) - 1
	if n.children == nil {
		if len(n.items) < maxItems {
			n.items = insert(n.items, last+1, item, maxItems)
			return between, nil
		}
		between, right = n.items[last], t.leaf(item)
		n.items = slices.Delete(n.items, last, last+1)
		return between, right
	}
	item, child := t.append(t.own(&n.children[last+1]), item)
	if child == nil {
		return between, nil
	}
	if len(n.items) < maxItems {
		n.items = insert(n.items, last+1, item, maxItems)
		n.children = insert(n.children, last+2, child, maxItems+1)
		return between, nil
	}
	between, right = n.items[last], &node[T]{edit: t.edit, items: []T{item}, children: []*node[T]{n.children[last+1], child}}
	n.items = slices.Delete(n.items, last, last+1)
	n.children = slices.Delete(n.children, last+1, last+2)
	return between, right
}
