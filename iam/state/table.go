package state

import (
	"iter"
	"sync"

	"github.com/google/btree"

	"github.com/doorward/doorward/iam"
)

// degree of the B-trees: nodes of 15 to 31 items. Smaller ones make a lookup walk
// further, larger ones make every write copy more.
const degree = 16

// table is one primary table of records that have a name in an account. Names are
// folded, so that comparing never looks into the record; where that equals the
// record's own spelling it shares that string's bytes.
type table[R any] struct{ rows *btree.BTreeG[row[R]] }

type row[R any] struct {
	account iam.AccountID
	name    string
	record  *R
}

func newTable[R any]() table[R] {
	return table[R]{btree.NewG(degree, func(a, b row[R]) bool {
		if a.account != b.account {
			return a.account < b.account
		}
		return a.name < b.name
	})}
}

func (t table[R]) get(account iam.AccountID, name string) (*R, bool) {
	found, ok := t.rows.Get(row[R]{account: account, name: name})
	return found.record, ok
}

// put stores record under its key and returns what was there, nil if nothing was.
func (t table[R]) put(account iam.AccountID, name string, record *R) *R {
	old, _ := t.rows.ReplaceOrInsert(row[R]{account, name, record})
	return old.record
}

// remove takes a record out and returns it, nil if there was none.
func (t table[R]) remove(account iam.AccountID, name string) *R {
	old, _ := t.rows.Delete(row[R]{account: account, name: name})
	return old.record
}

// in yields the records of one account whose key comes after the given one, in
// order of their keys.
func (t table[R]) in(account iam.AccountID, after string) iter.Seq[*R] {
	return func(yield func(*R) bool) {
		t.rows.AscendGreaterOrEqual(row[R]{account: account, name: after}, func(r row[R]) bool {
			if r.account != account {
				return false
			}
			return (after != "" && r.name == after) || yield(r.record)
		})
	}
}

// all yields every record, ordered by account and name.
func (t table[R]) all() iter.Seq[*R] {
	return func(yield func(*R) bool) {
		t.rows.Ascend(func(r row[R]) bool { return yield(r.record) })
	}
}

func (t table[R]) len() int { return t.rows.Len() }

// clone returns a table that may be written without t changing.
func (t table[R]) clone() table[R] { return table[R]{cloned(t.rows)} }

// cloning is held while a tree marks its nodes as shared, which writes to the tree
// that is cloned: a rehearsal may build on the same view as the next entry of the
// log. Readers of the tree are not disturbed.
var cloning sync.Mutex

func cloned[T any](tree *btree.BTreeG[T]) *btree.BTreeG[T] {
	cloning.Lock()
	defer cloning.Unlock()
	return tree.Clone()
}

// global is a primary table of records whose names are the store's: the largest
// tables, so their rows do without an account. Names are exact.
type global[R any] struct{ rows *btree.BTreeG[globalRow[R]] }

type globalRow[R any] struct {
	name   string
	record *R
}

func newGlobal[R any]() global[R] {
	return global[R]{btree.NewG(degree, func(a, b globalRow[R]) bool { return a.name < b.name })}
}

func (t global[R]) get(name string) (*R, bool) {
	found, ok := t.rows.Get(globalRow[R]{name: name})
	return found.record, ok
}

// put and remove are as those of table; the account is always empty.
func (t global[R]) put(_ iam.AccountID, name string, record *R) *R {
	old, _ := t.rows.ReplaceOrInsert(globalRow[R]{name, record})
	return old.record
}

func (t global[R]) remove(_ iam.AccountID, name string) *R {
	old, _ := t.rows.Delete(globalRow[R]{name: name})
	return old.record
}

// after yields the records whose name comes after the given one, in byte order.
func (t global[R]) after(name string) iter.Seq[*R] {
	return func(yield func(*R) bool) {
		t.rows.AscendGreaterOrEqual(globalRow[R]{name: name}, func(r globalRow[R]) bool {
			return (name != "" && r.name == name) || yield(r.record)
		})
	}
}

func (t global[R]) all() iter.Seq[*R] { return t.after("") }

func (t global[R]) len() int { return t.rows.Len() }

func (t global[R]) clone() global[R] { return global[R]{cloned(t.rows)} }
