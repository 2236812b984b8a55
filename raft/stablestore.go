package raft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/cespare/xxhash/v2"
	hraft "github.com/hashicorp/raft"
)

// The keys that the library uses, and the one that holds two of them.
const (
	keyTerm      = "CurrentTerm"
	keyVoteTerm  = "LastVoteTerm"
	keyVoteFor   = "LastVoteCand"
	keyVote      = "doorward vote"
	notFoundText = "not found" // the library compares the text
)

var errNotFound = errors.New(notFoundText)

// stableStore keeps the term and the vote, each with a checksum.
//
// The library writes a vote as two values, first its term and then the candidate.
// A crash in between would leave the new term with the candidate of the vote
// before, who could then be granted a second vote without the check of its log. So
// the term is held back and both go to disk as one value.
type stableStore struct {
	store hraft.StableStore
	disk  *disk

	mu       sync.Mutex
	voteTerm uint64 // set, waiting for its candidate; zero: none
}

// Set writes the candidate of a vote with its term, or any other value.
func (s *stableStore) Set(key, value []byte) error {
	if string(key) != keyVoteFor {
		return s.put(string(key), value)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	vote := binary.BigEndian.AppendUint64(nil, s.voteTerm)
	if err := s.put(keyVote, append(vote, value...)); err != nil {
		return err
	}
	s.voteTerm = 0
	return nil
}

// Get reads a value.
func (s *stableStore) Get(key []byte) ([]byte, error) {
	if string(key) != keyVoteFor {
		return s.get(string(key))
	}
	vote, err := s.get(keyVote)
	if err != nil {
		return nil, err
	}
	return vote[8:], nil
}

// SetUint64 holds the term of a vote back, and writes any other number.
func (s *stableStore) SetUint64(key []byte, value uint64) error {
	if string(key) == keyVoteTerm {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.voteTerm = value
		return nil
	}
	return s.put(string(key), binary.BigEndian.AppendUint64(nil, value))
}

// GetUint64 reads a number.
func (s *stableStore) GetUint64(key []byte) (uint64, error) {
	name := string(key)
	if name == keyVoteTerm {
		name = keyVote
	}
	value, err := s.get(name)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(value), nil
}

func stableSum(key string, value []byte) []byte {
	h := xxhash.New()
	h.WriteString(key)
	h.Write([]byte{0})
	h.Write(value)
	return binary.BigEndian.AppendUint64(nil, h.Sum64())
}

// put writes a value. Where it cannot, the library would panic.
func (s *stableStore) put(key string, value []byte) error {
	err := s.disk.do(OpVote, func() error {
		return s.store.Set([]byte(key), append(value[:len(value):len(value)], stableSum(key, value)...))
	})
	if err != nil {
		s.disk.abandon()
	}
	return err
}

func (s *stableStore) get(key string) ([]byte, error) {
	stored, err := s.store.Get([]byte(key))
	if err != nil {
		if err.Error() == notFoundText {
			return nil, errNotFound
		}
		return nil, err
	}
	n := len(stored) - 8
	if n < 8 || string(stored[n:]) != string(stableSum(key, stored[:n])) {
		return nil, fmt.Errorf("%w: stored value %q does not match its checksum", ErrCorrupt, key)
	}
	return stored[:n:n], nil
}
