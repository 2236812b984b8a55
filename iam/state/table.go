package state

import (
	"iter"

	"github.com/google/btree"

	"github.com/doorward/doorward/iam"
)

// degree of the B-trees: nodes of 15 to 31 items. Measured in raft-and-cluster
// terms it is the point where copying a path on write and walking it on read cost
// about the same.
const degree = 16

// row is one record under its key. Account is empty in tables whose names are
// global. Name is the form that compares: folded where names ignore case, so that
// comparing never looks into the record. Where it equals the record's own
// spelling it shares that string's bytes.
type row[R any] struct {
	account iam.AccountID
	name    string
	record  *R
}

func lessRow[R any](a, b row[R]) bool {
	if a.account != b.account {
		return a.account < b.account
	}
	return a.name < b.name
}

// table is one primary table. The zero value is not usable; see [newTable].
type table[R any] struct{ rows *btree.BTreeG[row[R]] }

func newTable[R any]() table[R] {
	return table[R]{btree.NewG(degree, lessRow[R])}
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

// clone returns a table that may be written without t changing. It marks t's
// nodes as shared, so a table is cloned by one goroutine at a time; readers of t
// are not disturbed.
func (t table[R]) clone() table[R] { return table[R]{t.rows.Clone()} }
