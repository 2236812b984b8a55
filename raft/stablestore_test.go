package raft

import (
	"testing"

	hraft "github.com/hashicorp/raft"
)

// TestAVoteThatIsCutShortIsTheVoteBefore ends the process between the two values that the
// library writes for a vote. It would take the candidate of the one before for that of
// the new term, and vote for it again without a look at its log.
func TestAVoteThatIsCutShortIsTheVoteBefore(t *testing.T) {
	for _, c := range []struct {
		name  string
		guard func(hraft.StableStore) hraft.StableStore
		term  uint64 // that goes with the candidate afterwards
	}{
		{"through the guard", func(s hraft.StableStore) hraft.StableStore {
			return &stableStore{store: s, disk: newDisk(nil, &room{}, func(error) {})}
		}, 3},
		{"without it", func(s hraft.StableStore) hraft.StableStore { return s }, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			disk := hraft.NewInmemStore()
			before := c.guard(disk)
			must := func(err error) {
				if err != nil {
					t.Fatal(err)
				}
			}
			must(before.SetUint64([]byte(keyVoteTerm), 3))
			must(before.Set([]byte(keyVoteFor), []byte("candidate of term 3")))
			must(before.SetUint64([]byte(keyVoteTerm), 5))
			// Here it ends, and starts again.
			after := c.guard(disk)
			term, err := after.GetUint64([]byte(keyVoteTerm))
			must(err)
			candidate, err := after.Get([]byte(keyVoteFor))
			must(err)
			if string(candidate) != "candidate of term 3" || term != c.term {
				t.Errorf("the vote is for the %s in term %d, want term %d", candidate, term, c.term)
			}
		})
	}
}
