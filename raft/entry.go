package raft

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cespare/xxhash/v2"
	hraft "github.com/hashicorp/raft"
)

// The data of a log entry that holds commands:
//
//	1       version, 1
//	n       for each command: its length as a uvarint, then its bytes
//
// The entry's extensions hold the big-endian xxhash64 of the data. They are made
// where the entry is proposed and verified wherever it is applied, so that damage
// on any disk or way in between is found. Zero is never a valid version.
const entryVersion = 1

// sealEntry encodes commands as the data and extensions of a log entry.
func sealEntry(commands [][]byte) (data, extensions []byte) {
	size := 1
	for _, c := range commands {
		size += binary.MaxVarintLen32 + len(c)
	}
	data = append(make([]byte, 0, size), entryVersion)
	for _, c := range commands {
		data = binary.AppendUvarint(data, uint64(len(c)))
		data = append(data, c...)
	}
	return data, binary.BigEndian.AppendUint64(nil, xxhash.Sum64(data))
}

// openEntry verifies a log entry and returns its commands, which share memory with
// it. The error is an [ErrCorrupt].
func openEntry(log *hraft.Log) ([][]byte, error) {
	if len(log.Extensions) != 8 || binary.BigEndian.Uint64(log.Extensions) != xxhash.Sum64(log.Data) {
		return nil, fmt.Errorf("%w: log entry %d does not match its checksum", ErrCorrupt, log.Index)
	}
	commands, err := splitEntry(log.Data)
	if err != nil {
		return nil, fmt.Errorf("%w: log entry %d: %w", ErrCorrupt, log.Index, err)
	}
	return commands, nil
}

func splitEntry(data []byte) ([][]byte, error) {
	if len(data) == 0 || data[0] != entryVersion {
		return nil, errors.New("unknown version (made by a newer doorward?)")
	}
	var commands [][]byte
	for rest := data[1:]; len(rest) > 0; {
		n, used := binary.Uvarint(rest)
		if used <= 0 || n > uint64(len(rest)-used) {
			return nil, errors.New("cut short")
		}
		commands = append(commands, rest[used:used+int(n):used+int(n)])
		rest = rest[used+int(n):]
	}
	return commands, nil
}
