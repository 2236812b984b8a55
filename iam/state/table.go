package state

import (
	"iter"
	"strings"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state/btree"
)

// records is one primary table: a tree of records, or packed bytes.
type records[R any] interface {
	get(account iam.AccountID, name string) (*R, bool)
	// set puts new in the place that the key names, or empties the place if new is nil,
	// and accounts for it in b. It returns what was there, nil if nothing was; packed
	// bytes, which nothing leads back to, always return nil.
	set(b *Builder, account iam.AccountID, name string, new *R) (old *R)
	// add is set for a record whose key comes after all that are there. It reports whether
	// it does.
	add(b *Builder, account iam.AccountID, name string, new *R) bool
	// in yields the records of one account whose key comes after the given one, in order
	// of their keys.
	in(account iam.AccountID, after string) iter.Seq[*R]
	all() iter.Seq[*R]
	len() int
	// clone returns a table that may be written without this one changing.
	clone() records[R]
}

// table is a primary table of records that have a name in an account. Names are
// folded, so that comparing never looks into the record; where that equals the
// record's own spelling it shares that string's bytes.
type table[R any] struct {
	form *form[R]
	rows *btree.Tree[row[R]]
}

// form says how the records of a table are written to be hashed, and read again.
type form[R any] struct {
	table iam.Table
	write func(canonical, *R) canonical
	read  func(*reader) *R // nil: such records are never packed
}

type row[R any] struct {
	account iam.AccountID
	name    string
	record  *R
}

func newTable[R any](form *form[R]) records[R] {
	return table[R]{form, btree.New(func(a, b row[R]) int {
		if c := strings.Compare(string(a.account), string(b.account)); c != 0 {
			return c
		}
		return strings.Compare(a.name, b.name)
	})}
}

func (t table[R]) get(account iam.AccountID, name string) (*R, bool) {
	found, ok := t.rows.Get(row[R]{account: account, name: name})
	return found.record, ok
}

func (t table[R]) set(b *Builder, account iam.AccountID, name string, new *R) *R {
	var old row[R]
	if new == nil {
		old, _ = t.rows.Delete(row[R]{account: account, name: name})
	} else {
		old, _ = t.rows.Set(row[R]{account, name, new})
	}
	tally(b, t.form, account, name, old.record, new)
	return old.record
}

func (t table[R]) add(b *Builder, account iam.AccountID, name string, new *R) bool {
	tally(b, t.form, account, name, nil, new)
	return t.rows.Append(row[R]{account, name, new})
}

func (t table[R]) in(account iam.AccountID, after string) iter.Seq[*R] {
	return func(yield func(*R) bool) {
		for r := range t.rows.Ascend(row[R]{account: account, name: after}) {
			if r.account != account || (after == "" || r.name != after) && !yield(r.record) {
				return
			}
		}
	}
}

// all yields every record, ordered by account and name.
func (t table[R]) all() iter.Seq[*R] {
	return func(yield func(*R) bool) {
		for r := range t.rows.All() {
			if !yield(r.record) {
				return
			}
		}
	}
}

func (t table[R]) len() int { return t.rows.Len() }

func (t table[R]) clone() records[R] { return table[R]{t.form, t.rows.Clone()} }

// global is a primary table of records whose names are the store's: the largest
// tables, so their rows do without an account. Names are exact.
type global[R any] struct {
	form *form[R]
	rows *btree.Tree[globalRow[R]]
}

type globalRow[R any] struct {
	name   string
	record *R
}

func newGlobal[R any](form *form[R]) records[R] {
	return global[R]{form, btree.New(func(a, b globalRow[R]) int { return strings.Compare(a.name, b.name) })}
}

// The account of a global's records is always empty.
func (t global[R]) get(_ iam.AccountID, name string) (*R, bool) {
	found, ok := t.rows.Get(globalRow[R]{name: name})
	return found.record, ok
}

func (t global[R]) set(b *Builder, account iam.AccountID, name string, new *R) *R {
	var old globalRow[R]
	if new == nil {
		old, _ = t.rows.Delete(globalRow[R]{name: name})
	} else {
		old, _ = t.rows.Set(globalRow[R]{name, new})
	}
	tally(b, t.form, account, name, old.record, new)
	return old.record
}

func (t global[R]) add(b *Builder, account iam.AccountID, name string, new *R) bool {
	tally(b, t.form, account, name, nil, new)
	return t.rows.Append(globalRow[R]{name, new})
}

func (t global[R]) in(_ iam.AccountID, name string) iter.Seq[*R] {
	return func(yield func(*R) bool) {
		for r := range t.rows.Ascend(globalRow[R]{name: name}) {
			if (name == "" || r.name != name) && !yield(r.record) {
				return
			}
		}
	}
}

func (t global[R]) all() iter.Seq[*R] { return t.in("", "") }

func (t global[R]) len() int { return t.rows.Len() }

func (t global[R]) clone() records[R] { return global[R]{t.form, t.rows.Clone()} }
