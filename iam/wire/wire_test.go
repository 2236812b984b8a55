package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
)

var update = flag.Bool("update", false, "write testdata of the current version anew; only before its release")

// filled returns a T in which every field has a value of its own.
func filled[T any]() T {
	var v T
	n := 0
	fill(reflect.ValueOf(&v).Elem(), &n)
	return v
}

// sealedForTest is easy to find where it does not belong.
var sealedForTest = []byte("SEALED SECRET OF THE TEST")

func fill(v reflect.Value, n *int) {
	if v.Type() == reflect.TypeFor[iam.Gossip]() { // a later field: the others keep their values
		v.Set(reflect.ValueOf(iam.Gossip{Oldest: 1, Newest: 3, Current: 2}))
		return
	}
	*n++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[iam.Sealed]() {
			v.SetBytes(slices.Clone(sealedForTest))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Interface: // a command in a batch
		group := reflect.New(reflect.TypeFor[iam.CreateGroup]()).Elem()
		fill(group, n)
		v.Set(group)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.String:
		v.SetString("text-" + string(rune('a'+*n%26)) + string(rune('a'+*n/26%26)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(1 + *n%200))
	case reflect.Int64:
		v.SetInt(1700000000000 + int64(*n))
	default:
		panic("a kind of field that the test does not know: " + v.Type().String())
	}
}

// filledCommands returns every command of the table with all fields set.
func filledCommands() []iam.Command {
	var all []iam.Command
	for _, k := range kinds {
		v := reflect.New(reflect.TypeOf(k.of))
		n := 0
		fill(v.Elem(), &n)
		all = append(all, v.Elem().Interface().(iam.Command))
	}
	return all
}

func envelope(c iam.Command) iam.Envelope {
	return iam.Envelope{Command: c, Request: [16]byte{1, 2, 15: 16}, Actor: "arn:aws:iam::000000000000:root", Time: 1700000000000}
}

func mustEntry(t testing.TB, e iam.Envelope) []byte {
	t.Helper()
	b, err := AppendEntry(nil, e)
	if err != nil {
		t.Fatalf("AppendEntry(%T): %v", e.Command, err)
	}
	return b
}

// TestEveryFieldOfEveryCommandSurvives fails when a field was added to a command
// or a record and forgotten in command.go or record.go.
func TestEveryFieldOfEveryCommandSurvives(t *testing.T) {
	for _, c := range filledCommands() {
		want := envelope(c)
		got, rest, err := DecodeEntry(mustEntry(t, want))
		if err != nil || len(rest) > 0 {
			t.Errorf("%T: %v, %d bytes left", c, err, len(rest))
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%T differs (-written +read):\n%s", c, diff)
		}
	}
}

func TestEmptyCommandsSurvive(t *testing.T) {
	for _, k := range kinds {
		want := iam.Envelope{Command: k.of}
		if _, holds := k.of.(iam.Guarded); holds {
			want.Command = iam.Guarded{Command: iam.DeleteUser{}}
		}
		got, _, err := DecodeEntry(mustEntry(t, want))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%T: %v (-written +read):\n%s", k.of, err, diff)
		}
	}
}

// TestEveryCommandHasAKind reads package iam's source, since Go cannot list the
// types that implement an interface.
func TestEveryCommandHasAKind(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "command.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]bool{}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == "command" {
			declared[f.Recv.List[0].Type.(*ast.Ident).Name] = true
		}
	}
	known := map[string]bool{}
	for _, k := range kinds {
		known[reflect.TypeOf(k.of).Name()] = true
	}
	if len(declared) == 0 || !maps.Equal(declared, known) {
		t.Errorf("iam declares the commands\n%v\nand wire knows\n%v", slices.Sorted(maps.Keys(declared)), slices.Sorted(maps.Keys(known)))
	}
}

func TestEntriesThatShareARecordAreReadOneByOne(t *testing.T) {
	first, second := envelope(iam.DeleteBucket{Name: "a"}), envelope(iam.DeleteBucket{Name: "b"})
	b := mustEntry(t, first)
	b, err := AppendEntry(b, second)
	if err != nil {
		t.Fatal(err)
	}
	got, rest, err := DecodeEntry(b)
	if err != nil || !reflect.DeepEqual(got, first) {
		t.Fatalf("first = %+v, %v", got, err)
	}
	if got, rest, err = DecodeEntry(rest); err != nil || len(rest) > 0 || !reflect.DeepEqual(got, second) {
		t.Fatalf("second = %+v, %v, %d bytes left", got, err, len(rest))
	}
}

func TestDamagedEntriesAreRefused(t *testing.T) {
	good := mustEntry(t, envelope(filled[iam.CreateUser]()))
	for i := range good {
		for _, bit := range []byte{1, 0x80} {
			bad := slices.Clone(good)
			bad[i] ^= bit
			if _, _, err := DecodeEntry(bad); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("byte %d changed by %#x: error %v, want ErrCorrupt", i, bit, err)
			}
		}
		if _, _, err := DecodeEntry(good[:i]); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut after %d bytes: error %v, want ErrCorrupt", i, err)
		}
	}
}

func TestUnknownKindsSaySo(t *testing.T) {
	for _, row := range []struct {
		name                 string
		kind, version, level uint16
		ignorable            bool
	}{
		{"a kind of the future", 999, 1, 1, false},
		{"a kind of the future that may be passed over", 999, 1, 1, true},
		{"a newer version of a known kind", 2, 2, 1, false},
		{"a newer feature level", 2, 1, FeatureLevel + 1, false},
	} {
		b := mustEntry(t, envelope(iam.DeleteBucket{Name: "a"}))
		end := len(b)
		b = append(b, "next"...)
		patch16(b[2:], row.kind)
		patch16(b[4:], row.version)
		patch16(b[6:], row.level)
		if row.ignorable {
			b[1] |= flagIgnorable
		}
		seal(b[:end])
		_, rest, err := DecodeEntry(b)
		want := &UnknownKindError{row.kind, row.version, row.level, row.ignorable}
		var got *UnknownKindError
		if !errors.As(err, &got) || *got != *want || string(rest) != "next" {
			t.Errorf("%s: error %v and rest %q, want %v", row.name, err, rest, want)
		}
	}
}

func TestTooLargeAnEntryIsRefused(t *testing.T) {
	_, err := AppendEntry(nil, iam.Envelope{Command: iam.CreatePolicyVersion{Document: strings.Repeat("x", MaxEntry)}})
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("body: %v, want ErrTooLarge", err)
	}
	_, err = AppendEntry(nil, iam.Envelope{Command: iam.DeleteBucket{}, Actor: iam.ARN(strings.Repeat("x", MaxActor+1))})
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("actor: %v, want ErrTooLarge", err)
	}
}

// TestRecordsMayGrow holds the rule of version.go: fields that a writer did not
// know are zero, fields that a reader does not know are refused in the log and
// skipped in the feed.
func TestRecordsMayGrow(t *testing.T) {
	write := func(fields int, extra func(*codec)) []byte {
		w := newWriter()
		name, account := "b", "123"
		w.record(fields, func() {
			text(w, &name)
			text(w, &account)
			extra(w)
		})
		return w.buf
	}
	short := write(2, func(*codec) {})
	long := write(5, func(w *codec) {
		policy, nested := "{}", []iam.Tag{{Key: "deep", Value: "er"}}
		text(w, &policy)
		w.tags(&nested)
		w.flag(new(bool))
	})
	read := func(b []byte, lenient bool) (iam.Bucket, error) {
		r := newReader()
		r.lenient = lenient
		r.reset(b)
		var got iam.Bucket
		r.bucket(&got)
		return got, r.finish()
	}
	if got, err := read(short, false); err != nil || got != (iam.Bucket{Name: "b", Account: "123"}) {
		t.Errorf("a record of an older writer: %+v, %v", got, err)
	}
	if _, err := read(long, false); err == nil {
		t.Error("a record of a newer writer was accepted by a reader of the log")
	}
	if got, err := read(long, true); err != nil || got != (iam.Bucket{Name: "b", Account: "123", Policy: "{}"}) {
		t.Errorf("a record of a newer writer, leniently: %+v, %v", got, err)
	}
}

func TestSkippingDoesNotRecurseForEver(t *testing.T) {
	deep := append([]byte{0x94, 0xa0, 0xa0, 0xa0}, bytes.Repeat([]byte{0x91}, 1<<20)...)
	r := newReader()
	r.lenient = true
	r.reset(deep)
	var b iam.Bucket
	if r.bucket(&b); r.finish() == nil {
		t.Error("a million nested arrays were accepted")
	}
}

func filledFrames() []Frame {
	frames := []Frame{
		filled[Hello](), filled[SnapshotBegin](), SnapshotChunk{everyChange()}, filled[SnapshotEnd](),
		Delta{Prev: 4, Index: 5, Changes: everyChange(), Sum: state.Sum{1, 1 << 63}},
		filled[Bookmark](), filled[Pong](), filled[SigningKeys](), filled[GoAway](),
		filled[Subscribe](), filled[Progress](), filled[Confirm](), filled[AskKey](), filled[Key](), filled[Refused](), filled[Trust](),
	}
	for i, f := range frames {
		if typeOf(f) != byte(i+1) {
			panic("a frame is missing from the list")
		}
	}
	return frames
}

// everyChange is one change of each kind with every field set.
func everyChange() []iam.Change {
	all := filled[iam.Change]()
	var changes []iam.Change
	for i := range reflect.TypeFor[iam.Change]().NumField() {
		var c iam.Change
		reflect.ValueOf(&c).Elem().Field(i).Set(reflect.ValueOf(all).Field(i))
		changes = append(changes, c)
	}
	return changes
}

func withoutSecrets(f Frame) Frame {
	switch f := f.(type) {
	case Delta:
		f.Changes = Public(f.Changes)
		return f
	case SnapshotChunk:
		f.Changes = Public(f.Changes)
		return f
	}
	return f
}

func TestEveryFieldOfEveryFrameSurvivesButSecrets(t *testing.T) {
	var stream []byte
	for _, f := range filledFrames() {
		var err error
		if stream, err = AppendFrame(stream, f); err != nil {
			t.Fatalf("AppendFrame(%T): %v", f, err)
		}
	}
	if i := bytes.Index(stream, sealedForTest); i >= 0 {
		t.Errorf("a sealed secret is in the frames at byte %d", i)
	}
	r := NewFrameReader(bytes.NewReader(stream))
	for _, f := range filledFrames() {
		got, err := r.Read()
		if err != nil {
			t.Fatalf("read %T: %v", f, err)
		}
		if diff := cmp.Diff(withoutSecrets(f), got); diff != "" {
			t.Errorf("%T differs (-written +read):\n%s", f, diff)
		}
	}
	if _, err := r.Read(); err != io.EOF {
		t.Errorf("after the last frame: %v, want io.EOF", err)
	}
}

func TestPublicLeavesTheOriginalAlone(t *testing.T) {
	changes := everyChange()
	Public(changes)
	if diff := cmp.Diff(everyChange(), changes); diff != "" {
		t.Errorf("Public changed its argument:\n%s", diff)
	}
}

func TestFramesOfTheFutureArePassedOver(t *testing.T) {
	stream := append([]byte{0, 0, 0, 4, 200}, "???"...)
	stream, err := AppendFrame(stream, Pong{Nonce: 1})
	if err != nil {
		t.Fatal(err)
	}
	if f, err := NewFrameReader(bytes.NewReader(stream)).Read(); err != nil || f != (Pong{Nonce: 1}) {
		t.Errorf("Read = %v, %v", f, err)
	}
}

func TestCutStreamsAreNotAnEnd(t *testing.T) {
	stream, err := AppendFrame(nil, filled[Hello]())
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < len(stream); i++ {
		if _, err := NewFrameReader(bytes.NewReader(stream[:i])).Read(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut after %d of %d bytes: %v, want io.ErrUnexpectedEOF", i, len(stream), err)
		}
	}
}

func TestDerivedKeysDoNotPrint(t *testing.T) {
	k := SigningKey{AccessKey: "AKIA", Key: DerivedKey{0xde, 0xad, 0xbe, 0xef}}
	for _, format := range []string{"%v", "%+v", "%#v", "%x", "%d", "%s"} {
		if s := strings.ToLower(sprintf(format, k)); strings.Contains(s, "dead") || strings.Contains(s, "222") {
			t.Errorf("%s shows the key: %s", format, s)
		}
	}
}

// golden compares b with a file of testdata/v1, which is never changed once its
// version is released.
func golden(t *testing.T, name string, b []byte) {
	t.Helper()
	path := filepath.Join("testdata", "v1", name)
	text := hexLines(b)
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s is not what is written now (-golden +now):\n%s", name, diff)
	}
}

func hexLines(b []byte) string {
	var lines strings.Builder
	for line := range slices.Chunk(b, 32) {
		lines.WriteString(hex.EncodeToString(line) + "\n")
	}
	return lines.String()
}

func TestEntriesAreWrittenAsEver(t *testing.T) {
	for i, c := range filledCommands() {
		golden(t, "entry-"+pad(int(kinds[i].number))+"-"+reflect.TypeOf(c).Name()+".hex", mustEntry(t, envelope(c)))
	}
}

func TestFramesAreWrittenAsEver(t *testing.T) {
	for _, f := range filledFrames() {
		b, err := AppendFrame(nil, f)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "frame-"+pad(int(typeOf(f)))+"-"+reflect.TypeOf(f).Name()+".hex", b)
	}
}
