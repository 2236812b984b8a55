package packed

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"
)

// arena is a log of entries in chunks of bytes: written at its end, swept at its
// beginning. Versions of a table share the chunks; each knows the part that it reads.
//
// A chunk begins with four bytes that are not used, so that no place is zero. Behind the
// last entry of a chunk is a zero, or its end.
type arena struct {
	chunks [][]byte
	first  uint16 // number of chunks[0]; the following ones count up and start over
	swept  int    // where the oldest entry begins in chunks[0]
	end    int    // where the next entry begins in the last chunk
	size   int    // bytes of entries
	dead   int    // of which are not in use
}

// ref is the place of an entry: the number of its chunk, and in the low half where it
// begins, in units of four bytes.
type ref uint32

const (
	unit        = 4
	chunkSize   = unit << 16
	firstChunk  = 4 << 10
	chunkHeader = unit
	maxChunks   = 1 << 16
	leastSwept  = 16 << 10 // bytes; less than that is not worth the trouble
)

// entry is a record in the arena: the lengths of key and value as varints, the key, the
// value, and up to three bytes for the next to begin at a multiple of four.
type entry struct {
	record []byte // key and value
	split  int    // where the value begins
	size   int    // bytes in the arena
}

func (e *entry) key() []byte   { return e.record[:e.split:e.split] }
func (e *entry) value() []byte { return e.record[e.split:] }

func readEntry(b []byte) entry {
	key, n := binary.Uvarint(b)
	value, m := binary.Uvarint(b[n:])
	begin, end := n+m, n+m+int(key+value)
	return entry{record: b[begin:end:end], split: int(key), size: aligned(end)}
}

// sizeOf returns what an entry takes.
func sizeOf(key, value []byte) int {
	return aligned(varintSize(len(key)) + varintSize(len(value)) + len(key) + len(value))
}

func varintSize(n int) int { return (bits.Len(uint(n)|1) + 6) / 7 }

func aligned(n int) int { return (n + unit - 1) &^ (unit - 1) }

// AppendEntry appends a record to b in the form that [CutEntry] reads. The key is not
// empty.
func AppendEntry(b, key, value []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(key)))
	b = binary.AppendUvarint(b, uint64(len(value)))
	return append(append(b, key...), value...)
}

// ErrEntry says that bytes are not what [AppendEntry] writes.
var ErrEntry = errors.New("packed: bytes are not an entry")

// CutEntry returns the record at the beginning of b, which is shared, as the bytes of its
// key followed by those of its value, where the value begins, and what follows in b.
func CutEntry(b []byte) (record []byte, split int, rest []byte, err error) {
	k, n := binary.Uvarint(b)
	if n <= 0 || k == 0 {
		return nil, 0, nil, ErrEntry
	}
	v, m := binary.Uvarint(b[n:])
	if left := uint64(len(b) - n - max(m, 0)); m <= 0 || k > left || v > left-k {
		return nil, 0, nil, ErrEntry
	}
	b = b[n+m:]
	return b[: k+v : k+v], int(k), b[k+v:], nil
}

func (a *arena) entry(at ref) entry {
	return readEntry(a.chunks[uint16(at>>16)-a.first][int(uint16(at))*unit:])
}

// append writes an entry at the end.
func (a *arena) append(key, value []byte) (at ref, size int) {
	size = sizeOf(key, value)
	if len(a.chunks) == 0 || len(a.chunks[len(a.chunks)-1])-a.end < size {
		a.begin(size)
	}
	last := len(a.chunks) - 1
	AppendEntry(a.chunks[last][a.end:a.end], key, value)
	at = ref(a.first+uint16(last))<<16 | ref(a.end/unit)
	a.end += size
	a.size += size
	return at, size
}

// begin adds a chunk with room for an entry. The first ones are small; an entry that is
// larger than chunkSize has one for itself.
func (a *arena) begin(size int) {
	if len(a.chunks) == maxChunks {
		panic("packed: the arena is full, 16 GiB")
	}
	if len(a.chunks) == 0 {
		a.swept = chunkHeader
	}
	a.chunks = append(a.chunks, make([]byte, max(chunkHeader+size, min(max(a.size, firstChunk), chunkSize))))
	a.end = chunkHeader
}

// bury counts an entry as no longer in use.
func (a *arena) bury(e entry) { a.dead += e.size }

// oldest returns the oldest entry that has not been swept. There is none if it is in the
// last chunk, which is not swept.
func (a *arena) oldest() (e entry, at ref, ok bool) {
	for len(a.chunks) > 1 {
		chunk := a.chunks[0]
		if a.swept < len(chunk) && chunk[a.swept] != 0 {
			return readEntry(chunk[a.swept:]), ref(a.first)<<16 | ref(a.swept/unit), true
		}
		// Older versions read the chunk on, and the slice that it is in.
		a.chunks = slices.Clone(a.chunks[1:])
		a.first++
		a.swept = chunkHeader
	}
	return entry{}, 0, false
}

// forget takes the oldest entry, which is not in use, out of the count.
func (a *arena) forget(e entry) {
	a.swept += e.size
	a.size -= e.size
	a.dead -= e.size
}
