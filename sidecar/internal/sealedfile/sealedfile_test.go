package sealedfile

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"testing"
)

type key string

func (k key) Derive(purpose string, size int) []byte {
	sum := sha256.Sum256([]byte(string(k) + purpose))
	return sum[:size]
}

func written(t testing.TB, k key, chunks ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, k)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range chunks {
		if _, err := w.Append([]byte(c)); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func read(t testing.TB, k key, b []byte) (chunks []string, err error) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(b), k)
	if err != nil {
		return nil, err
	}
	for {
		c, err := r.Next()
		if err == io.EOF {
			return chunks, nil
		}
		if err != nil {
			t.Fatal(err)
		}
		chunks = append(chunks, string(c))
	}
}

func TestChunksComeBackAndAreNotReadable(t *testing.T) {
	b := written(t, "k", "one", "two", "three")
	if bytes.Contains(b, []byte("three")) {
		t.Error("the file is readable")
	}
	got, err := read(t, "k", b)
	if err != nil || len(got) != 3 || got[2] != "three" {
		t.Errorf("%q, %v", got, err)
	}
	if got, _ := read(t, "another", b); len(got) != 0 {
		t.Errorf("another key reads %q", got)
	}
	if bytes.Equal(b, written(t, "k", "one", "two", "three")) {
		t.Error("two files of the same chunks are alike")
	}
}

func TestAlteredAndCutFilesEndBeforeTheDamage(t *testing.T) {
	b := written(t, "k", "one", "two", "three")
	one := headerSize + 4 + 3 + tagSize
	for i := range b {
		damaged := bytes.Clone(b)
		damaged[i] ^= 1
		got, err := read(t, "k", damaged)
		want := 0
		if i >= one {
			want = 1
		}
		if err == nil && (len(got) > 2 || len(got) < want) {
			t.Errorf("byte %d altered: %q", i, got)
		}
		for _, c := range got {
			if c != "one" && c != "two" {
				t.Errorf("byte %d altered: %q", i, got)
			}
		}
	}
	for i := range b {
		got, err := read(t, "k", b[:i])
		if i < headerSize && !errors.Is(err, ErrFormat) || i >= one && len(got) == 0 || len(got) > 2 {
			t.Errorf("cut after %d: %q, %v", i, got, err)
		}
	}
	// The second chunk taken out.
	out := append(bytes.Clone(b[:one]), b[one+4+3+tagSize:]...)
	if got, _ := read(t, "k", out); len(got) != 1 {
		t.Errorf("without the second: %q", got)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(written(f, "k", "one", "two"))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) { read(t, "k", b) })
}
