package raft

import (
	"fmt"
	"testing"

	hraft "github.com/hashicorp/raft"
)

func TestEntriesBehindASnapshotBeginALog(t *testing.T) {
	const last = 10 // the snapshot ends with
	for _, c := range []struct {
		name                string
		previous            uint64
		entries             int
		committed           uint64
		wantFirst, wantLast uint64 // zero: none is left
		wantCommitted       uint64
	}{
		{"right behind it", 10, 3, 12, 11, 13, 12},
		{"the first of them are in it", 7, 6, 13, 11, 13, 13},
		{"all of them are in it", 5, 3, 8, 0, 0, 8},
		{"all of them are in it and later ones are committed, of which nothing is known here", 5, 3, 20, 0, 0, 10},
		{"its last entry is the last of them", 9, 1, 10, 0, 0, 10},
		{"none are sent", 10, 0, 20, 0, 0, 10},
		{"later ones than those are committed", 10, 2, 20, 11, 12, 12},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &hraft.AppendEntriesRequest{Term: 3, PrevLogEntry: c.previous, PrevLogTerm: 2, LeaderCommitIndex: c.committed}
			for i := range c.entries {
				r.Entries = append(r.Entries, &hraft.Log{Index: c.previous + 1 + uint64(i)})
			}
			beginAfter(r, last)
			var first, end uint64
			if n := len(r.Entries); n > 0 {
				first, end = r.Entries[0].Index, r.Entries[n-1].Index
			}
			got := fmt.Sprint(first, end, r.LeaderCommitIndex, r.PrevLogEntry, r.PrevLogTerm, r.Term)
			if want := fmt.Sprint(c.wantFirst, c.wantLast, c.wantCommitted, 0, 0, 3); got != want {
				t.Errorf("first, last, committed, previous, its term, term: %s, want %s", got, want)
			}
		})
	}
}
