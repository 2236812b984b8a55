package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// Summary is what a log holds.
type Summary struct {
	Records     uint64 `json:"records"`
	First, Last string `json:",omitempty"` // times
	// Head is the hash of the last record: kept elsewhere, it proves later that
	// nothing up to here was changed.
	Head Hash `json:"-"`
	// Cut is how many bytes of an incomplete last line a crash left.
	Cut int `json:"cut"`
}

// Verify reads the files of a directory from the first record on and checks the chain.
// The error names the file and line that breaks it. If one of the known hashes is not
// in the chain, that is an error too: the log was cut short or written anew.
func Verify(dir string, known ...Hash) (Summary, error) {
	names, err := segments(dir)
	if err != nil {
		return Summary{}, err
	}
	if len(names) == 0 {
		return Summary{}, fmt.Errorf("audit: there is no log in %s", dir)
	}
	missing := slices.Clone(known)
	c := chain{seen: func(h Hash) { missing = slices.DeleteFunc(missing, func(k Hash) bool { return k == h }) }}
	for i, name := range names {
		first, err := firstOf(name)
		if err != nil {
			return c.summary, err
		}
		if first != c.sequence+1 {
			return c.summary, fmt.Errorf("audit: %s begins with record %d, and record %d is the next: a file is missing", name, first, c.sequence+1)
		}
		if err := c.file(name, i == len(names)-1); err != nil {
			return c.summary, err
		}
	}
	if len(missing) > 0 {
		return c.summary, fmt.Errorf("audit: hash %s is not in the log: it was cut short or written anew", missing[0])
	}
	return c.summary, nil
}

// chain follows a log from its beginning.
type chain struct {
	sequence uint64
	summary  Summary
	seen     func(Hash)
}

// file checks the lines of one file. Only the last file may end within a line.
func (c *chain) file(name string, last bool) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	defer f.Close()
	return c.read(f, name, last)
}

func (c *chain) read(r io.Reader, name string, last bool) error {
	number := 0
	cut, err := lines(r, func(text []byte) error {
		number++
		if err := c.link(text); err != nil {
			return fmt.Errorf("audit: %s line %d: %w", name, number, err)
		}
		return nil
	})
	if err == nil && cut > 0 && !last {
		err = fmt.Errorf("audit: %s ends within a line", name)
	}
	c.summary.Cut = cut
	return err
}

// link checks one line.
func (c *chain) link(text []byte) error {
	e, r, err := parse(text)
	if err != nil {
		return err
	}
	want := c.summary.Head.next(e.Record)
	switch {
	case r.Sequence != c.sequence+1:
		return fmt.Errorf("this is record %d, and record %d is the next", r.Sequence, c.sequence+1)
	case e.Hash != want.String():
		return fmt.Errorf("record %d or one before it was changed: its hash is %s, and the chain makes %s", r.Sequence, e.Hash, want)
	}
	c.sequence, c.summary.Head = r.Sequence, want
	c.summary.Records++
	c.summary.Last = r.Time
	if c.summary.First == "" {
		c.summary.First = r.Time
	}
	c.seen(want)
	return nil
}

// parse reads a line.
func parse(text []byte) (e Entry, r Record, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return e, r, fmt.Errorf("the line is not an entry: %w", err)
	}
	if err := json.Unmarshal(e.Record, &r); err != nil {
		return e, r, fmt.Errorf("the record cannot be read: %w", err)
	}
	return e, r, nil
}

// lines calls f with each line of a file, without its end, and returns how many bytes
// of an incomplete one follow.
func lines(r io.Reader, f func([]byte) error) (cut int, err error) {
	in := bufio.NewReaderSize(r, 64<<10)
	var long []byte
	for {
		part, err := in.ReadSlice('\n')
		switch {
		case err == nil:
			if err := f(append(long, part[:len(part)-1]...)); err != nil {
				return 0, err
			}
			long = nil
		case errors.Is(err, bufio.ErrBufferFull) && len(long) < maxLine:
			long = append(long, part...)
		case errors.Is(err, bufio.ErrBufferFull):
			return 0, fmt.Errorf("audit: a line is longer than %d bytes", maxLine)
		case errors.Is(err, io.EOF):
			return len(long) + len(part), nil
		default:
			return 0, fmt.Errorf("audit: %w", err)
		}
	}
}

// tail is where a file ends.
type tail struct {
	sequence uint64 // of the last record, zero if there is none
	hash     Hash
	size     int64 // of the complete lines
}

// readTail reads a file to its end. It does not check the chain.
func readTail(name string) (end tail, err error) {
	f, err := os.Open(name)
	if err != nil {
		return end, fmt.Errorf("audit: %w", err)
	}
	defer f.Close()
	var last []byte
	if _, err := lines(f, func(text []byte) error {
		last = append(last[:0], text...)
		end.size += int64(len(text)) + 1
		return nil
	}); err != nil || end.size == 0 {
		return end, err
	}
	e, r, err := parse(last)
	if err != nil {
		return end, fmt.Errorf("audit: the last line of %s: %w; move the file away to go on with a new chain, and keep it", name, err)
	}
	end.sequence = r.Sequence
	end.hash, err = ParseHash(e.Hash)
	return end, err
}

// Read returns up to limit entries behind a sequence, oldest first.
func Read(dir string, after uint64, limit int) ([]Entry, error) {
	names, err := segments(dir)
	if err != nil {
		return nil, err
	}
	// The last file that begins at or before the record after it.
	begin := 0
	for i, name := range names {
		if first, err := firstOf(name); err != nil {
			return nil, err
		} else if first <= after+1 {
			begin = i
		}
	}
	var found []Entry
	for _, name := range names[begin:] {
		if err := readInto(&found, name, after, limit); err != nil {
			return found, err
		}
	}
	return found, nil
}

var errEnough = errors.New("enough")

func readInto(found *[]Entry, name string, after uint64, limit int) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	defer f.Close()
	_, err = lines(f, func(text []byte) error {
		if len(*found) >= limit {
			return errEnough
		}
		e, r, err := parse(text)
		if err != nil {
			return fmt.Errorf("audit: %s: %w", name, err)
		}
		if r.Sequence > after {
			*found = append(*found, e)
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}
