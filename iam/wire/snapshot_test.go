package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/cespare/xxhash/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
)

func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }

func pad(n int) string { return fmt.Sprintf("%02d", n) }

func patch16(b []byte, n uint16) { binary.BigEndian.PutUint16(b, n) }

// seal puts the right checksum at the end of an entry that a test has changed.
func seal(b []byte) {
	binary.BigEndian.PutUint64(b[len(b)-8:], xxhash.Sum64(b[:len(b)-8]))
}

func someRequests() []Request {
	return []Request{filled[Request](), {Actor: "arn:a", ID: [16]byte{9}, Index: 7}}
}

func fullView() *state.View {
	changes := everyChange()
	return state.Empty().Apply(42, slices.DeleteFunc(changes, func(c iam.Change) bool { return c.Delete != nil }))
}

func writeSnapshot(t testing.TB, v *state.View, requests []Request) []byte {
	t.Helper()
	h := Header{Term: 3, FeatureLevel: 1, Time: 1700000000000}
	for _, r := range requests {
		h.RequestSum = h.RequestSum.Add(r.Sum())
	}
	var b bytes.Buffer
	if err := WriteSnapshot(&b, h, v, len(requests), slices.Values(requests)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSnapshotHoldsEverything(t *testing.T) {
	v := fullView()
	b := writeSnapshot(t, v, someRequests())
	s, err := ReadSnapshot(iotest.OneByteReader(bytes.NewReader(b)), state.InTurn)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Collect(v.All()), slices.Collect(s.View.All())); diff != "" {
		t.Errorf("records differ (-written +read):\n%s", diff)
	}
	if diff := cmp.Diff(someRequests(), s.Requests); diff != "" {
		t.Errorf("requests differ (-written +read):\n%s", diff)
	}
	if s.View.Index() != 42 || s.Header.Term != 3 || s.Header.Time != 1700000000000 {
		t.Errorf("header = %+v", s.Header)
	}
	if again := writeSnapshot(t, s.View, s.Requests); !bytes.Equal(b, again) {
		t.Error("the snapshot of what was read has other bytes")
	}
	if h, err := ReadSnapshotHeader(bytes.NewReader(b)); err != nil || !cmp.Equal(h, s.Header) {
		t.Errorf("ReadSnapshotHeader = %+v, %v", h, err)
	}
}

func TestSnapshotOfManyFrames(t *testing.T) {
	v := manyUsers(20_000)
	b := writeSnapshot(t, v, nil)
	if len(b) < 4*sectionFrame {
		t.Fatalf("%d bytes are not many frames", len(b))
	}
	s, err := ReadSnapshot(bytes.NewReader(b), atOnce)
	if err != nil {
		t.Fatal(err)
	}
	if s.View.Sum() != v.Sum() || s.View.Len(iam.TableUsers) != 20_000 {
		t.Errorf("read %d users with sum %v", s.View.Len(iam.TableUsers), s.View.Sum())
	}
}

// atOnce is for the race detector.
func atOnce(tasks ...func()) {
	var running sync.WaitGroup
	for _, task := range tasks {
		running.Go(task)
	}
	running.Wait()
}

func TestRecordsOutOfOrderAreRefused(t *testing.T) {
	v := manyUsers(3)
	h := Header{FeatureLevel: 1, Position: PositionOf(v), SecretSum: v.SecretSum(), Sections: sectionsOf(v, 0)}
	var b bytes.Buffer
	w := &snapshotWriter{out: &b, c: newWriter()}
	if err := w.begin(&h); err != nil {
		t.Fatal(err)
	}
	for table := iam.TableUsers; table <= iam.LastTable; table++ {
		records := slices.Collect(v.Table(table))
		slices.Reverse(records)
		for _, c := range records {
			w.record(uint16(table), func() { w.c.changed(table, &c) })
		}
		w.flush(uint16(table))
	}
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSnapshot(&b, state.InTurn); !errors.Is(err, ErrCorrupt) || !errors.Is(err, state.ErrOrder) {
		t.Errorf("error %v, want ErrCorrupt for the order", err)
	}
}

func manyUsers(n int) *state.View {
	b := state.NewBuilder()
	for i := range n {
		name := fmt.Sprintf("user-%07d", i)
		u := &iam.User{Account: iam.FirstAccount, Name: name, Path: "/", ID: iam.UniqueID(fmt.Sprintf("AIDA%017d", i)), Created: 1700000000000, Status: iam.Active, Attached: []iam.ARN{"arn:aws:iam::000000000000:policy/readonly"}}
		k := &iam.AccessKey{ID: iam.AccessKeyID(fmt.Sprintf("AKIA%016d", i)), Owner: u.Ref(), Status: iam.Active, Created: 1700000000000, Secret: bytes.Repeat([]byte{byte(i)}, 73)}
		b.Add([]iam.Change{{User: u}, {AccessKey: k}})
	}
	return b.View(iam.Index(n))
}

func TestDamagedSnapshotsAreRefused(t *testing.T) {
	good := writeSnapshot(t, fullView(), someRequests())
	for i := range good {
		bad := slices.Clone(good)
		bad[i] ^= 0x10
		if _, err := ReadSnapshot(bytes.NewReader(bad), state.InTurn); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("byte %d changed: error %v, want ErrCorrupt", i, err)
		}
		if _, err := ReadSnapshot(bytes.NewReader(good[:i]), state.InTurn); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut after %d bytes: error %v, want ErrCorrupt", i, err)
		}
	}
	if _, err := ReadSnapshot(bytes.NewReader(append(good, 0)), state.InTurn); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a byte too many: error %v, want ErrCorrupt", err)
	}
}

// TestIntactFramesOfAnotherSnapshotAreRefused swaps a section frame for one with
// a valid checksum and other records: only the sums tell.
func TestIntactFramesOfAnotherSnapshotAreRefused(t *testing.T) {
	v, other := manyUsers(3), manyUsers(3).Apply(3, []iam.Change{{User: &iam.User{Account: iam.FirstAccount, Name: "user-0000001", Path: "/x/", ID: "AIDA00000000000000001", Created: 1700000000000, Status: iam.Active}}})
	h := Header{FeatureLevel: 1}
	var b bytes.Buffer
	w := &snapshotWriter{out: &b, c: newWriter()}
	h.Position, h.SecretSum, h.Sections = PositionOf(v), v.SecretSum(), sectionsOf(v, 0)
	if err := w.begin(&h); err != nil {
		t.Fatal(err)
	}
	for table := iam.TableUsers; table <= iam.LastTable; table++ {
		for c := range other.Table(table) {
			w.record(uint16(table), func() { w.c.changed(table, &c) })
		}
		w.flush(uint16(table))
	}
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSnapshot(&b, state.InTurn); !errors.Is(err, ErrCorrupt) {
		t.Errorf("error %v, want ErrCorrupt", err)
	}
}

func TestUnknownSections(t *testing.T) {
	for _, required := range []bool{true, false} {
		v := fullView()
		h := Header{FeatureLevel: 1, Position: PositionOf(v), SecretSum: v.SecretSum()}
		h.Sections = append([]Section{{ID: 77, Required: required, Records: 1}}, sectionsOf(v, 0)...)
		var b bytes.Buffer
		w := &snapshotWriter{out: &b, c: newWriter()}
		if err := w.begin(&h); err != nil {
			t.Fatal(err)
		}
		w.record(77, func() { w.c.buf = append(w.c.buf, "anything"...) })
		w.flush(77)
		for table := iam.TableUsers; table <= iam.LastTable; table++ {
			for c := range v.Table(table) {
				w.record(uint16(table), func() { w.c.changed(table, &c) })
			}
			w.flush(uint16(table))
		}
		if err := w.end(); err != nil {
			t.Fatal(err)
		}
		s, err := ReadSnapshot(&b, state.InTurn)
		if required && !errors.Is(err, ErrUnknownSection) {
			t.Errorf("required: error %v, want ErrUnknownSection", err)
		}
		if !required && (err != nil || s.View.Sum() != v.Sum()) {
			t.Errorf("optional: error %v, want none", err)
		}
	}
}

// TestWritersFailAtEveryByte breaks the disk after each number of bytes and
// expects the error back.
func TestWritersFailAtEveryByte(t *testing.T) {
	full := errors.New("disk full")
	v := fullView()
	write := func(w io.Writer) error {
		return WriteSnapshot(w, Header{}, v, 0, func(func(Request) bool) {})
	}
	var whole bytes.Buffer
	if err := write(&whole); err != nil {
		t.Fatal(err)
	}
	size := whole.Len()
	for n := range size {
		err := write(&limited{left: n, err: full})
		if !errors.Is(err, full) {
			t.Fatalf("after %d of %d bytes: error %v, want the disk's", n, size, err)
		}
	}
}

type limited struct {
	left int
	err  error
}

func (w *limited) Write(b []byte) (int, error) {
	if len(b) > w.left {
		return w.left, w.err
	}
	w.left -= len(b)
	return len(b), nil
}

func TestReadersPassErrorsOn(t *testing.T) {
	broken := errors.New("broken")
	b := writeSnapshot(t, fullView(), nil)
	_, err := ReadSnapshot(io.MultiReader(bytes.NewReader(b[:100]), iotest.ErrReader(broken)), state.InTurn)
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want the stream's", err)
	}
}

func TestSnapshotsAreWrittenAsEver(t *testing.T) {
	golden(t, "snapshot-level3.hex", writeSnapshot(t, fullView(), someRequests()))
	store := fullView().Store()
	store.Gossip = iam.Gossip{} // what a store of level 2 has
	golden(t, "snapshot.hex", writeSnapshot(t, fullView().Apply(42, []iam.Change{{Store: &store}}), someRequests()))
}

// TestStoresAtLevelOneAreWrittenAsBuildsOfThatLevelDid lets a cluster go back to the
// build before as long as nothing of the new level is in its store.
func TestStoresAtLevelOneAreWrittenAsBuildsOfThatLevelDid(t *testing.T) {
	changes := slices.DeleteFunc(everyChange(), func(c iam.Change) bool {
		table, _, _ := state.KeyOf(c)
		return c.Delete != nil || table > iam.TableProviders
	})
	for _, c := range changes {
		if c.Store != nil {
			c.Store.Gossip = iam.Gossip{}
		}
	}
	v := state.Empty().Apply(42, changes)
	golden(t, "snapshot-level1.hex", writeSnapshot(t, v, someRequests()))
	for i, c := range filledCommands() {
		k, b := kinds[i], mustEntry(t, iam.Envelope{Command: c})
		if got, want := binary.BigEndian.Uint16(b[6:]), LevelOf(k.of); got != want || (k.number <= 40) != (got == 1) {
			t.Errorf("%T is written at level %d, want %d", k.of, got, want)
		}
	}
}

func BenchmarkWriteSnapshot(b *testing.B) {
	v := manyUsers(100_000)
	b.ReportAllocs()
	for b.Loop() {
		if err := WriteSnapshot(io.Discard, Header{}, v, 0, func(func(Request) bool) {}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100_000, "ns/identity")
}

func BenchmarkReadSnapshot(b *testing.B) {
	file := writeSnapshot(b, manyUsers(100_000), nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ReadSnapshot(bytes.NewReader(file), state.InTurn); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100_000, "ns/identity")
	b.ReportMetric(float64(len(file))/100_000, "bytes/identity")
}

func BenchmarkEntry(b *testing.B) {
	e := envelope(filled[iam.CreateUser]())
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = AppendEntry(buf[:0], e)
		if _, _, err := DecodeEntry(buf); err != nil {
			b.Fatal(err)
		}
	}
}
