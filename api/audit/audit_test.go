package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/doorward/doorward/iam"
)

func open(t *testing.T, dir string) *Log {
	t.Helper()
	l, err := Open(dir, "n1")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func add(t *testing.T, l *Log, action string) {
	t.Helper()
	r := Record{Time: "2026-11-24T12:00:00Z", Request: "r", Caller: "arn:aws:iam::000000000000:root", Action: action, Outcome: "ok"}
	if err := l.Append(r, true); err != nil {
		t.Fatal(err)
	}
}

func closed(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func onlyFile(t *testing.T, dir string) string {
	t.Helper()
	names, err := segments(dir)
	if err != nil || len(names) != 1 {
		t.Fatalf("%v, %v", names, err)
	}
	return names[0]
}

func TestALogGoesOnWhereItEnded(t *testing.T) {
	dir := t.TempDir()
	for round := range 3 {
		l := open(t, dir)
		add(t, l, fmt.Sprintf("Round%d", round))
		add(t, l, "CreateUser")
		closed(t, l)
	}
	l := open(t, dir)
	sequence, head := l.Head()
	closed(t, l)
	s, err := Verify(dir, head)
	if err != nil || s.Records != 6 || s.Head != head || sequence != 6 {
		t.Fatalf("%+v, %v, %d", s, err, sequence)
	}
	entries, err := Read(dir, 3, 2)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%v, %v", entries, err)
	}
	var r Record
	if err := json.Unmarshal(entries[0].Record, &r); err != nil || r.Sequence != 4 || r.Node != "n1" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestWhateverIsChangedBreaksTheChain(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	for _, action := range []string{"CreateUser", "AttachUserPolicy", "DeleteUser", "CreateRole"} {
		add(t, l, action)
	}
	_, head := l.Head()
	closed(t, l)
	name := onlyFile(t, dir)
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.SplitAfter(string(good), "\n")
	for _, row := range []struct{ name, text, why string }{
		{"a record is altered", strings.Replace(string(good), "DeleteUser", "GetUser", 1), "line 3: record 3 or one before it was changed"},
		{"a record is left out", line[0] + line[2] + line[3], "line 2: this is record 3, and record 2 is the next"},
		{"a record comes twice", line[0] + line[0] + line[1], "line 2: this is record 1"},
		{"two change places", line[1] + line[0], "line 1: this is record 2"},
		{"the end is cut off", line[0] + line[1], "was cut short or written anew"},
		{"a hash is altered", strings.Replace(string(good), `{"hash":"`, `{"hash":"0`, 1), "line 1: record 1"},
		{"a line is no entry", "{}\n", "the record cannot be read"},
		{"something is added to a line", strings.Replace(string(good), `{"hash"`, `{"x":1,"hash"`, 1), "the line is not an entry"},
	} {
		if err := os.WriteFile(name, []byte(row.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(dir, head); err == nil || !strings.Contains(err.Error(), row.why) {
			t.Errorf("%s: %v, want %q", row.name, err, row.why)
		}
	}
	if err := os.WriteFile(name, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(dir, head); err != nil {
		t.Error(err)
	}
	if _, err := Verify(t.TempDir()); err == nil {
		t.Error("a directory without a log is good")
	}
}

// A crash can leave a part of a line, at any byte.
func TestALineThatACrashLeftIsCutOff(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	add(t, l, "CreateUser")
	add(t, l, "DeleteUser")
	closed(t, l)
	name := onlyFile(t, dir)
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	first := bytes.IndexByte(good, '\n') + 1
	for end := first; end < len(good); end += 7 {
		if err := os.WriteFile(name, good[:end], 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := Verify(dir); err != nil || s.Records != 1 || s.Cut != end-first {
			t.Fatalf("%+v, %v", s, err)
		}
		l := open(t, dir)
		add(t, l, "CreateRole")
		closed(t, l)
		if s, err := Verify(dir); err != nil || s.Records != 2 || s.Cut != 0 {
			t.Fatalf("after %d bytes: %+v, %v", end, s, err)
		}
	}
}

func TestFilesFollowOneAnother(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	add(t, l, "A")
	for range 3 {
		l.disk.Lock()
		l.size = segmentSize // as if it were full
		l.disk.Unlock()
		add(t, l, "B")
	}
	closed(t, l)
	names, _ := segments(dir)
	if len(names) != 4 {
		t.Fatalf("%v", names)
	}
	if s, err := Verify(dir); err != nil || s.Records != 4 {
		t.Fatalf("%+v, %v", s, err)
	}
	if entries, err := Read(dir, 2, 10); err != nil || len(entries) != 2 {
		t.Errorf("%d entries, %v", len(entries), err)
	}
	if err := os.Remove(names[1]); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(dir); err == nil || !strings.Contains(err.Error(), "a file is missing") {
		t.Error(err)
	}
}

func TestManyWriteAtOnce(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 50 {
				if err := l.Append(Record{Action: fmt.Sprintf("%d.%d", w, i)}, i%2 == 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	closed(t, l)
	if s, err := Verify(dir); err != nil || s.Records != 400 {
		t.Errorf("%+v, %v", s, err)
	}
}

// What cannot be written is kept, and written once it can be.
func TestADiskThatRefusesIsTriedAgain(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	add(t, l, "CreateUser")
	name := onlyFile(t, dir)
	good := l.file
	reading, err := os.Open(name) // writing to it fails
	if err != nil {
		t.Fatal(err)
	}
	l.file = reading
	if err := l.Append(Record{Action: "DeleteUser"}, true); err == nil {
		t.Fatal("a record that was not written is reported as written")
	}
	if l.Err() == nil {
		t.Fatal("no error is remembered")
	}
	for i := 0; ; i++ {
		if err := l.Append(Record{Action: strings.Repeat("x", 1<<20)}, false); err == nil {
			t.Fatal("a record that was not written is reported as written")
		}
		if sequence, _ := l.Head(); i > 10 && sequence > 10 {
			t.Fatalf("%d records wait", sequence)
		} else if i > 10 {
			break
		}
	}
	l.file = good
	if err := l.Err(); err != nil {
		t.Fatal(err)
	}
	closed(t, l)
	if err := reading.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err := Verify(dir); err != nil || s.Records < 2 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestAFileThatIsNoLogIsNotWrittenTo(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "audit-0000000000000001.jsonl"), []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, ""); err == nil || !strings.Contains(err.Error(), "move the file away") {
		t.Error(err)
	}
}

func FuzzVerify(f *testing.F) {
	previous := Hash{}
	text, hash, err := line(previous, Record{Sequence: 1, Action: "CreateUser", Caller: iam.FirstAccount.Root()})
	if err != nil {
		f.Fatal(err)
	}
	more, _, err := line(hash, Record{Sequence: 2, Action: "DeleteUser"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(text, more...))
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		check := func(file []byte) (Summary, error) {
			c := chain{seen: func(Hash) {}}
			err := c.read(bytes.NewReader(file), "f", true)
			return c.summary, err
		}
		s, err := check(file)
		if err != nil {
			return
		}
		// What is good goes on, and stays good.
		whole := file[:len(file)-s.Cut]
		next, _, err := line(s.Head, Record{Sequence: s.Records + 1})
		if err != nil {
			t.Fatal(err)
		}
		if again, err := check(append(whole[:len(whole):len(whole)], next...)); err != nil || again.Records != s.Records+1 {
			t.Fatalf("%+v, then %+v, %v", s, again, err)
		}
	})
}
