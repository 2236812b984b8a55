package state

import (
	"encoding/binary"
	"encoding/hex"

	"github.com/cespare/xxhash/v2"

	"github.com/doorward/doorward/iam"
)

// Sum is the sum of the hashes of a set of records: equal for equal sets, in
// whatever order and by whatever path they came about. Each half adds one 64-bit
// xxhash per record, modulo 2^64, under a seed of its own.
//
// It finds accidents (a lost change, a flipped bit, a replica that computed
// something else), not forgers: xxhash does not resist someone who chooses the
// records. What comes from outside the cluster is authenticated by other means.
type Sum [2]uint64

// Add returns the sum of both sets.
func (s Sum) Add(t Sum) Sum { return Sum{s[0] + t[0], s[1] + t[1]} }

// Sub returns s without the records of t.
func (s Sum) Sub(t Sum) Sum { return Sum{s[0] - t[0], s[1] - t[1]} }

// String returns 32 hexadecimal digits.
func (s Sum) String() string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], s[0])
	binary.BigEndian.PutUint64(b[8:], s[1])
	return hex.EncodeToString(b[:])
}

// The seeds of the two halves. Any constants do; they are part of the formats.
const (
	seedFirst  = 0x646f6f7277617264
	seedSecond = 0x73746174652e7631
)

// SumOf returns the sum of a set of one record, given as bytes.
func SumOf(record []byte) Sum {
	return Sum{seeded(seedFirst, record), seeded(seedSecond, record)}
}

func seeded(seed uint64, b []byte) uint64 {
	var d xxhash.Digest
	d.ResetWithSeed(seed)
	d.Write(b)
	return d.Sum64()
}

// Buckets is the number of buckets that the records of a view fall into by the
// hash of their key. Two views that differ are compared bucket by bucket to find
// the records that do.
const Buckets = 4096

const bucketsPerChunk = 64

// sums holds the bucket sums of a view in chunks, so that the next view shares
// all but the chunks that it changes.
type sums struct {
	total  Sum
	chunks [Buckets / bucketsPerChunk]*[bucketsPerChunk]Sum
}

func (s *sums) bucket(i int) Sum {
	if c := s.chunks[i/bucketsPerChunk]; c != nil {
		return c[i%bucketsPerChunk]
	}
	return Sum{}
}

// Sum returns the sum of everything in the view that a sidecar may have too:
// every field of every record but the sealed secrets. It is equal on all nodes
// and sidecars that are at the same index of the same history, whether they came
// there by a snapshot or by changes.
func (v *View) Sum() Sum { return v.public.total }

// SecretSum returns the sum of the sealed secrets in the view. It is equal on
// all nodes, and zero on sidecars, which have none.
func (v *View) SecretSum() Sum { return v.secrets }

// BucketSum returns the part of [View.Sum] that stands for bucket i of [Buckets].
func (v *View) BucketSum(i int) Sum { return v.public.bucket(i) }

// BucketOf returns the bucket that the record of a change falls into.
func BucketOf(c iam.Change) int {
	table, account, name := KeyOf(c)
	return bucketOf(appendKey(nil, table, account, name))
}

func bucketOf(key []byte) int { return int(xxhash.Sum64(key) >> (64 - 12)) }
