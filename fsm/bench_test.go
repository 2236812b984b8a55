package fsm

import (
	"fmt"
	"testing"

	"github.com/doorward/doorward/iam"
)

// BenchmarkApply applies entries of 64 commands, each creating a user, in a store
// that grows.
func BenchmarkApply(b *testing.B) {
	var entries []Entry
	for i := range 200 {
		e := Entry{Index: iam.Index(i + 2)}
		for n := range 64 {
			u := iam.User{Account: iam.FirstAccount, Name: fmt.Sprintf("user-%d-%d", i, n), Path: "/", ID: "AIDA"}
			e.Commands = append(e.Commands, mustEntry(b, iam.Envelope{
				Command: iam.CreateUser{User: u}, Actor: "arn:aws:iam::000000000000:root", Time: 1,
				Request: [16]byte{1, byte(i), byte(i >> 8), byte(n)},
			}))
		}
		entries = append(entries, e)
	}
	b.ReportAllocs()
	m := born(b)
	for i := 0; b.Loop(); i++ {
		if i%len(entries) == 0 { // again with an empty store, so that nothing is a repetition
			m = born(b)
		}
		applied, err := m.Apply(entries[i%len(entries) : i%len(entries)+1])
		if err != nil || len(applied[0].Changes) != 64 {
			b.Fatal(len(applied[0].Changes), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/64, "ns/command")
}

func born(b *testing.B) *Machine {
	m := New()
	if _, err := m.Apply([]Entry{{1, [][]byte{mustEntry(b, iam.Envelope{Command: birth})}}}); err != nil {
		b.Fatal(err)
	}
	return m
}
