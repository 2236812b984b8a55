package raft

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"slices"
)

// A bolt file is pages of one size. Pages 0 and 1 are meta pages, written in turn;
// the one with the higher transaction id is in force and names the root of a tree
// of branch and leaf pages. Everything is in the byte order of the machine:
//
//	page    id 8, flags 2, count 2, overflow 4, then count elements, then keys and values
//	meta    magic 4, version 4, page size 4, flags 4, root 8, sequence 8, freelist 8, end 8, transaction 8, FNV-1a 8
//	branch  position 4, key size 4, page 8
//	leaf    flags 4, position 4, key size 4, value size 4
//
// Positions count from their element. A leaf element with flag 1 is a bucket: its
// value begins with the id of the bucket's root page, zero if the page follows in
// the value itself.
const (
	boltMagic      = 0xED0CDAED
	boltPageHeader = 16
	boltElement    = 16
	boltMetaSum    = 56 // bytes that the checksum covers
	boltBranch     = 0x01
	boltLeaf       = 0x02
)

// boltFile walks a bolt file without the library, which maps it into memory and
// panics, partly on goroutines of its own, at what it does not expect.
type boltFile struct {
	file     io.ReaderAt
	pageSize int64
	end      uint64          // first page id that is not in use
	seen     map[uint64]bool // pages that are part of the tree
}

// checkFile verifies the structure of the log file before anything in it is
// believed. Values have checksums of their own. A file that does not exist is
// sound.
func checkFile(path string) error {
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("raft: %w", err)
	}
	defer f.Close()
	if err := walkBolt(f); err != nil {
		return &CorruptError{path, err.Error(), logRemedy}
	}
	return nil
}

func walkBolt(file io.ReaderAt) error {
	head := make([]byte, 1<<17)
	n, err := file.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return err
	}
	b := &boltFile{file: file, seen: make(map[uint64]bool)}
	root, err := b.readMetas(head[:n])
	if err != nil {
		return err
	}
	return b.walk(root, func(name, value []byte, isBucket bool) error {
		if !isBucket {
			return fmt.Errorf("unexpected value %q outside the buckets", name)
		}
		return b.checkBucket(string(name), value)
	})
}

// checkBucket knows which buckets there are, and what the small one may hold: a
// key that has changed would otherwise be a term or vote that was forgotten.
func (b *boltFile) checkBucket(name string, value []byte) error {
	entry := func([]byte, []byte, bool) error { return nil }
	switch name {
	case "logs":
	case "conf":
		entry = func(key, _ []byte, _ bool) error {
			if !slices.Contains([]string{keyTerm, keyVote}, string(key)) {
				return fmt.Errorf("unexpected key %q", key)
			}
			return nil
		}
	default:
		return fmt.Errorf("unexpected bucket %q", name)
	}
	if len(value) < 16 {
		return fmt.Errorf("bucket %q is cut short", name)
	}
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		return b.walk(root, entry)
	}
	return b.walkPage(value[16:], entry)
}

// readMetas returns the root page. It refuses a file of which either meta page is
// damaged: if that is the newer one, bolt would quietly go back to the transaction
// before, and so forget entries that were acknowledged.
func (b *boltFile) readMetas(head []byte) (root uint64, err error) {
	var newest uint64
	for page := range int64(2) {
		at := page*b.pageSize + boltPageHeader
		if at+boltMetaSum+8 > int64(len(head)) {
			return 0, errors.New("it is cut short")
		}
		meta := head[at : at+boltMetaSum+8]
		sum := fnv.New64a()
		sum.Write(meta[:boltMetaSum])
		if binary.NativeEndian.Uint32(meta) != boltMagic || binary.NativeEndian.Uint64(meta[boltMetaSum:]) != sum.Sum64() {
			return 0, fmt.Errorf("meta page %d does not match its checksum", page)
		}
		b.pageSize = int64(binary.NativeEndian.Uint32(meta[8:]))
		if transaction := binary.NativeEndian.Uint64(meta[48:]); transaction >= newest {
			newest, root, b.end = transaction, binary.NativeEndian.Uint64(meta[16:]), binary.NativeEndian.Uint64(meta[40:])
		}
	}
	last := make([]byte, 1)
	if _, err := b.file.ReadAt(last, int64(b.end)*b.pageSize-1); err != nil {
		return 0, errors.New("it is cut short")
	}
	return root, nil
}

// walk calls leaf for every element below the page with that id, in order.
func (b *boltFile) walk(id uint64, leaf func(key, value []byte, isBucket bool) error) error {
	if id < 2 || id >= b.end || b.seen[id] {
		return fmt.Errorf("page %d is out of place", id)
	}
	b.seen[id] = true
	page := make([]byte, b.pageSize)
	if _, err := b.file.ReadAt(page, int64(id)*b.pageSize); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	if binary.NativeEndian.Uint64(page) != id {
		return fmt.Errorf("page %d claims to be another", id)
	}
	overflow := uint64(binary.NativeEndian.Uint32(page[12:]))
	if id+overflow >= b.end {
		return fmt.Errorf("page %d is too long", id)
	}
	for i := id + 1; i <= id+overflow; i++ {
		if b.seen[i] {
			return fmt.Errorf("page %d is out of place", i)
		}
		b.seen[i] = true
	}
	if overflow > 0 {
		page = make([]byte, (1+int64(overflow))*b.pageSize)
		if _, err := b.file.ReadAt(page, int64(id)*b.pageSize); err != nil {
			return fmt.Errorf("page %d: %w", id, err)
		}
	}
	if err := b.walkPage(page, leaf); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

func (b *boltFile) walkPage(page []byte, leaf func(key, value []byte, isBucket bool) error) error {
	if len(page) < boltPageHeader {
		return errors.New("cut short")
	}
	flags, count := binary.NativeEndian.Uint16(page[8:]), int(binary.NativeEndian.Uint16(page[10:]))
	if flags != boltBranch && flags != boltLeaf {
		return fmt.Errorf("unknown kind %#x", flags)
	}
	if boltPageHeader+count*boltElement > len(page) {
		return errors.New("too many elements")
	}
	var before []byte
	for i := range count {
		element := page[boltPageHeader+i*boltElement:]
		k, v, kind, err := readElement(element, flags)
		if err != nil {
			return err
		}
		if i > 0 && bytes.Compare(before, k) >= 0 {
			return errors.New("keys are out of order")
		}
		before = k
		if flags == boltBranch {
			err = b.walk(kind, leaf)
		} else {
			err = leaf(k, v, kind == 1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readElement returns the key and value of an element, and a leaf's flags or a
// branch's page.
func readElement(element []byte, kind uint16) (key, value []byte, rest uint64, err error) {
	first, second := uint64(binary.NativeEndian.Uint32(element)), uint64(binary.NativeEndian.Uint32(element[4:]))
	position, keySize, valueSize := first, second, uint64(0)
	rest = binary.NativeEndian.Uint64(element[8:])
	if kind == boltLeaf {
		rest, position = first, second
		keySize, valueSize = uint64(binary.NativeEndian.Uint32(element[8:])), uint64(binary.NativeEndian.Uint32(element[12:]))
		if rest > 1 {
			return nil, nil, 0, fmt.Errorf("unknown element %#x", rest)
		}
	}
	if position+keySize+valueSize > uint64(len(element)) {
		return nil, nil, 0, errors.New("an element reaches beyond its page")
	}
	return element[position:][:keySize], element[position+keySize:][:valueSize], rest, nil
}
