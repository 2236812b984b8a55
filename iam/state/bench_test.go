package state

import (
	"flag"
	"fmt"
	"runtime"
	"testing"

	"github.com/doorward/doorward/iam"
)

var million = flag.Bool("million", false, "also measure a million identities, which takes a minute and 1 GB")

// An identity of the benchmarks is a user with a managed policy attached and one
// access key whose sealed secret has 73 bytes, as internal/seal makes them.
func identity(i int) []iam.Change {
	name := fmt.Sprintf("user-%07d", i)
	u := &iam.User{
		Account: acct, Name: name, Path: "/", ID: iam.UniqueID(fmt.Sprintf("AIDA%017d", i)),
		Created: 1_700_000_000_000, Status: iam.Active, Attached: []iam.ARN{"arn:aws:iam::000000000000:policy/readonly"},
	}
	k := &iam.AccessKey{ID: keyOf(i), Owner: u.Ref(), Status: iam.Active, Created: 1_700_000_000_000, Secret: make([]byte, 73)}
	return []iam.Change{{User: u}, {AccessKey: k}}
}

// keyOf spreads keys over the table as random ids do.
func keyOf(i int) iam.AccessKeyID {
	return iam.AccessKeyID(fmt.Sprintf("AKIA%016X", uint64(i)*0x9e3779b97f4a7c15))
}

func populated(n int) *View {
	b := NewBuilder()
	for i := range n {
		b.Add(identity(i))
	}
	return b.View(iam.Index(n))
}

func eachSize(b *testing.B, run func(b *testing.B, n int)) {
	sizes := []int{10_000, 100_000}
	if *million {
		sizes = append(sizes, 1_000_000)
	}
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) { run(b, n) })
	}
}

// BenchmarkApply replaces one access key: a step of one change.
func BenchmarkApply(b *testing.B) {
	eachSize(b, func(b *testing.B, n int) {
		v := populated(n)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			v = v.Apply(v.Index()+1, identity(i * 7919 % n)[1:])
		}
	})
}

// BenchmarkApplyBatch replaces 64 access keys in one step.
func BenchmarkApplyBatch(b *testing.B) {
	eachSize(b, func(b *testing.B, n int) {
		v := populated(n)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			var changes []iam.Change
			for range 64 {
				changes = append(changes, identity(i * 7919 % n)[1])
				i++
			}
			v = v.Apply(v.Index()+1, changes)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/64, "ns/change")
	})
}

func BenchmarkLookup(b *testing.B) {
	eachSize(b, func(b *testing.B, n int) {
		v := populated(n)
		ids := make([]iam.AccessKeyID, 4096)
		for i := range ids {
			ids[i] = keyOf(i * 7919 % n)
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, ok := v.AccessKey(ids[i%len(ids)]); !ok {
				b.Fatal("not found")
			}
		}
	})
}

// BenchmarkBuild loads all identities, and tells what they take: in all, and less
// the records themselves.
func BenchmarkBuild(b *testing.B) {
	eachSize(b, func(b *testing.B, n int) {
		records := make([]iam.Change, 0, 2*n)
		before := heap()
		for i := range n {
			records = append(records, identity(i)...)
		}
		all := heap() - before
		var v *View
		for b.Loop() {
			v = nil
			before = heap()
			builder := NewBuilder()
			builder.Add(records)
			v = builder.View(1)
			b.StopTimer()
			index := heap() - before
			b.ReportMetric(float64(index)/float64(n), "index-B/identity")
			b.ReportMetric(float64(all+index)/float64(n)-2*88, "B/identity")
			b.StartTimer()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/identity")
		runtime.KeepAlive(v)
	})
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
