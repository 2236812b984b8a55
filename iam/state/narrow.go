package state

import (
	"bytes"
	"fmt"
	"iter"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state/packed"
)

// A narrow view is what a sidecar has: it is asked for records by their own names, and
// for nothing else. So nothing in it leads from one record to others, and the tables that
// grow with the number of identities (users, access keys, service accounts, sessions) are
// bytes, made into a record when somebody asks: a quarter of the memory, and nothing for
// the garbage collector to follow. They hold no sealed secrets and have no order. Asked
// for more, a narrow view panics. Sums are as ever.
//
// The bytes of a record are those that are hashed (canonical.go), under the key that they
// are hashed with, so that a record that is replaced or deleted leaves the sums as it came
// into them. Most records begin with what is in their key; a first byte says so, and then
// they are kept without.
const (
	packedWhole  = 0
	packedBehind = 1 // what follows belongs behind the names in the key
)

// packValue appends what is kept of a record to b.
func packValue(b, key, record []byte) []byte {
	if rest, ok := bytes.CutPrefix(record, namesIn(key)); ok {
		return append(append(b, packedBehind), rest...)
	}
	return append(append(b, packedWhole), record...)
}

// unpackValue appends the record to b of which value is kept; false: of none.
func unpackValue(b, key, value []byte) ([]byte, bool) {
	if len(value) == 0 || value[0] > packedBehind {
		return nil, false
	}
	if value[0] == packedBehind {
		b = append(b, namesIn(key)...)
	}
	return append(b, value[1:]...), true
}

// namesIn returns what a record may begin with: account and name, or the name alone where
// names are global, for whose account a key has an empty text.
func namesIn(key []byte) []byte {
	if len(key) > 1 && key[1] == 0 {
		return key[2:]
	}
	return key[1:]
}

func emptyNarrow() *View {
	v := Empty()
	v.narrow = true
	v.users = newPackedTable(userForm)
	v.accessKeys = newPackedTable(accessKeyForm)
	v.serviceAccounts = newPackedTable(serviceAccountForm)
	v.sessions = newPackedTable(sessionForm)
	return v
}

// packedTable is a primary table in bytes.
type packedTable[R any] struct {
	form *form[R]
	rows *packed.Table
}

func newPackedTable[R any](form *form[R]) records[R] { return packedTable[R]{form, packed.New()} }

// get returns a record of the caller's own. One that cannot be read is none, which allows
// nobody anything.
func (t packedTable[R]) get(account iam.AccountID, name string) (*R, bool) {
	var space [128]byte
	key := appendKey(space[:0], t.form.table, account, name)
	value, ok := t.rows.Get(key)
	if !ok {
		return nil, false
	}
	return t.read(key, value)
}

func (t packedTable[R]) read(key, value []byte) (*R, bool) {
	var space [512]byte
	b, ok := unpackValue(space[:0], key, value)
	r := reader{left: string(b)}
	record := t.form.read(&r)
	if !ok || r.bad {
		return nil, false
	}
	return record, true
}

func (t packedTable[R]) set(b *Builder, account iam.AccountID, name string, new *R) *R {
	key := appendKey(b.scratch[:0], t.form.table, account, name)
	b.scratch = key
	if new == nil {
		b.repack(t.rows, key, nil)
		return nil
	}
	whole := t.form.write(key, new)
	b.packing = packValue(b.packing[:0], key, whole[len(key):])
	b.scratch = whole
	b.repack(t.rows, whole[:len(key)], b.packing)
	return nil
}

// add needs no order.
func (t packedTable[R]) add(b *Builder, account iam.AccountID, name string, new *R) bool {
	t.set(b, account, name, new)
	return true
}

// repack puts a packed value in the place of another, in a table and in the sums; nil:
// none.
func (b *Builder) repack(rows *packed.Table, key, value []byte) {
	var old []byte
	var change Sum
	if value == nil {
		old = rows.Delete(key)
	} else {
		old = rows.Put(key, value)
		change = b.sumOfPacked(key, value)
	}
	if old != nil {
		change = change.Sub(b.sumOfPacked(key, old[len(key):]))
	}
	b.addToBucket(bucketOf(key), change)
}

func (b *Builder) sumOfPacked(key, value []byte) Sum {
	b.whole, _ = unpackValue(append(b.whole[:0], key...), key, value)
	return SumOf(b.whole)
}

func (t packedTable[R]) in(iam.AccountID, string) iter.Seq[*R] {
	panic("state: a narrow view has these records in no order")
}

func (t packedTable[R]) all() iter.Seq[*R] {
	return func(yield func(*R) bool) {
		for key, value := range t.rows.All() {
			if record, ok := t.read(key, value); ok && !yield(record) {
				return
			}
		}
	}
}

func (t packedTable[R]) len() int              { return t.rows.Len() }
func (t packedTable[R]) clone() records[R]     { return packedTable[R]{t.form, t.rows.Clone()} }
func (t packedTable[R]) packed() *packed.Table { return t.rows }

// packedRows is the packed table of a narrow view, nil if the table is none.
func (v *View) packedRows(t iam.Table) *packed.Table {
	var rows any
	switch t {
	case iam.TableUsers:
		rows = v.users
	case iam.TableAccessKeys:
		rows = v.accessKeys
	case iam.TableServiceAccounts:
		rows = v.serviceAccounts
	case iam.TableSessions:
		rows = v.sessions
	}
	if p, ok := rows.(interface{ packed() *packed.Table }); ok {
		return p.packed()
	}
	return nil
}

// Packed yields the records of a narrow view that it has as bytes, as key and value, for
// [Builder.AddPacked] of the same build, or a later one. Together with [View.Unpacked]
// they are everything.
func (v *View) Packed() iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		for t := iam.TableUsers; t <= iam.LastTable; t++ {
			rows := v.packedRows(t)
			if rows == nil {
				continue
			}
			for key, value := range rows.All() {
				if !yield(key, value) {
					return
				}
			}
		}
	}
}

// Unpacked yields the records of a view that [View.Packed] does not, as [View.All] does.
func (v *View) Unpacked() iter.Seq[iam.Change] {
	return func(yield func(iam.Change) bool) {
		for t := iam.TableUsers; t <= iam.LastTable; t++ {
			if v.packedRows(t) != nil {
				continue
			}
			for c := range v.Table(t) {
				if !yield(c) {
					return
				}
			}
		}
	}
}

// AddPacked adds a record of [View.Packed] to a narrow view: split bytes of key, then the
// value. It does not look into it: whoever did not get it from a place that can be trusted
// compares the sum of the whole.
func (b *Builder) AddPacked(record []byte, split int) error {
	key := record[:split]
	if b.view.narrow && split > 0 {
		if rows := b.ownPacked(iam.Table(key[0])); rows != nil {
			b.repack(rows, key, record[split:])
			return nil
		}
	}
	return fmt.Errorf("state: packed record has key %.20q: want one of a user, access key, service account or session", key)
}

// ownPacked returns the packed table as one that may be written to.
func (b *Builder) ownPacked(t iam.Table) *packed.Table {
	v := b.view
	switch {
	case t == iam.TableUsers && b.own(treeUsers):
		v.users = v.users.clone()
	case t == iam.TableAccessKeys && b.own(treeAccessKeys):
		v.accessKeys = v.accessKeys.clone()
	case t == iam.TableServiceAccounts && b.own(treeServiceAccounts):
		v.serviceAccounts = v.serviceAccounts.clone()
	case t == iam.TableSessions && b.own(treeSessions):
		v.sessions = v.sessions.clone()
	}
	return v.packedRows(t)
}
