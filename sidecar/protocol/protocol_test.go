package protocol

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files of a new version")

func sum(fill byte) (d [32]byte) {
	for i := range d {
		d[i] = fill
	}
	return d
}

var (
	sampleCheck = Check{
		MinIndex: 7, TLS: TLS13, Method: "GET", Target: "/bkt/a%20b?acl", Remote: "192.0.2.1:4711",
		Headers: []Pair{{"Host", "s3.example"}, {"x-amz-date", "20260102T030405Z"}},
		BodySum: sum(0xab), HasBodySum: true, Body: "<Delete/>", HasBody: true,
		BucketAccount: "000000000000", BucketPolicy: `{"Statement":[]}`,
		Facts: []Pair{{"s3:ExistingObjectTag/class", "secret"}},
	}
	sampleEach = Check{
		Method: "POST", Target: "/bkt?delete", Remote: "192.0.2.1", Headers: []Pair{{"Host", "s3.example"}}, Each: true,
		Body: "<Delete><Object><Key>k</Key></Object></Delete>", HasBody: true, Facts: []Pair{{"s3:if-match", "e"}},
	}
	sampleEachAnswer = Answer{Decision: Allow, Status: 200, Index: 41, Each: true, Action: "s3:DeleteObject", Resource: "arn:aws:s3:::bkt/k"}
	sampleVerify     = Verify{
		MinIndex: 8, AccessKey: "AKIAEXAMPLE", Token: "tok",
		StringToSign: "AWS4-HMAC-SHA256\n20260102T030405Z\n…", Signature: sum(0xcd), Presigned: true, Expires: 900, Payload: "UNSIGNED-PAYLOAD",
		Remote: "2001:db8::1", TLS: TLS12, Conditions: []Pair{{"s3:prefix", "a/"}},
		BucketAccount: "000000000000", BucketPolicy: "{}",
		Contexts: []Context{
			{Action: "s3:ListBucket", Resource: "arn:aws:s3:::bkt", Conditions: []Pair{{"s3:delimiter", "/"}}},
			{Action: "s3:GetObject", Resource: "arn:aws:s3:::bkt/k"},
		},
	}
	sampleKey   = KeyRequest{MinIndex: 9, AccessKey: "ASIAEXAMPLE", Scope: Scope{"20260102", "us-east-1", "s3"}, Token: "tok"}
	sampleChunk = Chunk{
		AccessKey: "AKIAEXAMPLE", Scope: Scope{"20260102", "us-east-1", "s3"}, Token: "tok", Kind: ChunkTrailer,
		Date: "20260102T030405Z", Previous: sum(1), Sum: sum(2), Signature: sum(3),
	}
	sampleAnswer = Answer{
		Decision: Deny, Status: 403, Index: 41, Staleness: 12, HasPOSIX: true, UID: 1000, GID: 100, Code: "AccessDenied",
		Message: "no", Principal: "arn:aws:iam::000000000000:user/alice", Account: "000000000000", User: "alice",
		AccessKey: "AKIAEXAMPLE", Session: "s", Action: "s3:GetObject", Resource: "arn:aws:s3:::bkt/k",
		Policy: "readonly", Statement: "1", Needs: "s3:ExistingObjectTag/*",
	}
	sampleKeyAnswer   = KeyAnswer{Status: 200, Index: 41, Key: sum(9), Principal: "arn:aws:iam::000000000000:user/alice", Role: "r"}
	sampleChunkAnswer = ChunkAnswer{Status: 403, Code: "SignatureDoesNotMatch", Message: "no"}
	sampleHello       = Hello{MinVersion: 1, MaxVersion: 3, Features: FeatureSigningKey | FeatureBrief, Client: "test/1"}
	sampleWelcome     = Welcome{Version: 1, Features: FeatureBrief, MaxItems: 1024, Pipelined: 64, Index: 41, Server: "doorward/1"}
	sampleRefusal     = Refusal{Reason: ReasonNotPermitted, Message: "no"}
)

type body interface {
	Append([]byte) ([]byte, error)
}

// frames are one frame of each type, under the name of its golden file.
var frames = []struct {
	name  string
	typ   Type
	items int
	body  body
	into  func() any
}{
	{"hello", TypeHello, 0, &sampleHello, func() any { return new(Hello) }},
	{"welcome", TypeWelcome, 0, &sampleWelcome, func() any { return new(Welcome) }},
	{"check", TypeCheck, 1, &sampleCheck, func() any { return new(Check) }},
	{"check-each", TypeCheck, 1, &sampleEach, func() any { return new(Check) }},
	{"verify", TypeVerify, 1, &sampleVerify, func() any { return new(Verify) }},
	{"signing-key", TypeSigningKey, 1, &sampleKey, func() any { return new(KeyRequest) }},
	{"chunk", TypeChunk, 1, &sampleChunk, func() any { return new(Chunk) }},
	{"answer", TypeCheckAnswer, 1, answerBody{&sampleAnswer}, func() any { return new(Answer) }},
	{"answer-each", TypeCheckAnswer, 1, answerBody{&sampleEachAnswer}, func() any { return new(Answer) }},
	{"key-answer", TypeKeyAnswer, 1, &sampleKeyAnswer, func() any { return new(KeyAnswer) }},
	{"chunk-answer", TypeChunkAnswer, 1, &sampleChunkAnswer, func() any { return new(ChunkAnswer) }},
	{"refusal", TypeRefusal, 0, &sampleRefusal, func() any { return new(Refusal) }},
}

type answerBody struct{ a *Answer }

func (b answerBody) Append(out []byte) ([]byte, error) { return b.a.Append(out, false) }

func encode(t *testing.T, typ Type, items int, b body) []byte {
	t.Helper()
	frame := AppendHeader(nil, typ, Brief, items, 0x01020304)
	frame, err := b.Append(frame)
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	if err := FinishFrame(frame, 0, MaxAnswer); err != nil {
		t.Fatalf("finish: %v", err)
	}
	return frame
}

func decode(into any, body string, items uint16) error {
	if r, ok := into.(interface{ Read(string) error }); ok {
		return r.Read(body)
	}
	it := ReadItems(body, items)
	for {
		more, err := it.next(into.(item))
		if err != nil || !more {
			return err
		}
	}
}

func TestFramesKeepTheirGoldenBytes(t *testing.T) {
	for _, f := range frames {
		t.Run(f.name, func(t *testing.T) {
			frame := encode(t, f.typ, f.items, f.body)
			path := filepath.Join("testdata", "v1", f.name+".hex")
			if *update {
				if err := os.WriteFile(path, []byte(hex.Dump(frame)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.Dump(frame); got != string(want) {
				t.Errorf("bytes of a published version changed:\ngot\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	for _, f := range frames {
		t.Run(f.name, func(t *testing.T) {
			frame := encode(t, f.typ, f.items, f.body)
			h, err := ReadHeader(frame, MaxAnswer)
			if err != nil {
				t.Fatal(err)
			}
			if h.Type != f.typ || h.ID != 0x01020304 || h.Flags != Brief || int(h.Length) != len(frame)-HeaderSize {
				t.Errorf("header %+v", h)
			}
			into := f.into()
			if err := decode(into, string(frame[HeaderSize:]), h.Items); err != nil {
				t.Fatal(err)
			}
			want := any(f.body)
			if a, ok := want.(answerBody); ok {
				want = a.a
			}
			if !reflect.DeepEqual(into, want) {
				t.Errorf("got %#v\nwant %#v", into, want)
			}
		})
	}
}

func TestEveryTruncationIsRefused(t *testing.T) {
	for _, f := range frames {
		frame := encode(t, f.typ, f.items, f.body)
		body := string(frame[HeaderSize:])
		for cut := range len(body) {
			if err := decode(f.into(), body[:cut], uint16(f.items)); !errors.Is(err, ErrMalformed) {
				t.Fatalf("%s cut to %d of %d bytes: got error %v, want ErrMalformed", f.name, cut, len(body), err)
			}
		}
	}
}

func TestFieldsOfANewerVersionAreSkipped(t *testing.T) {
	item, err := sampleKey.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	longer := append(bytes.Clone(item), "a field from the future"...)
	longer[3] += byte(len("a field from the future"))
	var k KeyRequest
	it := ReadItems(string(longer)+string(item), 2)
	for range 2 {
		if more, err := it.NextKey(&k); !more || err != nil || k != sampleKey {
			t.Fatalf("got %v, %v, %v", k, more, err)
		}
	}
}

func TestCapsAreEnforced(t *testing.T) {
	many := func(n int) []Pair { return make([]Pair, n) }
	tests := []struct {
		name string
		body body
	}{
		{"a header too many", &Check{Headers: many(MaxHeaders + 1)}},
		{"a fact too many", &Check{Facts: many(MaxPairs + 1)}},
		{"a target of 64 KiB", &Check{Target: strings.Repeat("/", 1<<16)}},
		{"a context too many", &Verify{Contexts: make([]Context, MaxItems+1)}},
		{"a condition too many", &Verify{Contexts: []Context{{Conditions: many(MaxPairs + 1)}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := []byte("before")
			after, err := tt.body.Append(before)
			if !errors.Is(err, ErrTooLarge) || string(after) != "before" {
				t.Errorf("got %d bytes and error %v, want ErrTooLarge and nothing appended", len(after)-len(before), err)
			}
		})
	}
	header := AppendHeader(nil, TypeCheck, 0, 1, 1)
	header[0] = 0xff
	if _, err := ReadHeader(header, MaxRequest); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a length of 4 GiB: got %v", err)
	}
	header = AppendHeader(nil, TypeCheck, 0, MaxItems+1, 1)
	if _, err := ReadHeader(header, MaxRequest); !errors.Is(err, ErrTooLarge) {
		t.Errorf("an item too many: got %v", err)
	}
	if _, err := ReadHeader(make([]byte, HeaderSize), MaxRequest); !errors.Is(err, ErrMalformed) {
		t.Errorf("type 0: got %v", err)
	}
}

func TestBriefAnswersLeaveOutTheTexts(t *testing.T) {
	b, err := sampleAnswer.Append(nil, true)
	if err != nil {
		t.Fatal(err)
	}
	var got Answer
	it := ReadItems(string(b), 1)
	if _, err := it.NextAnswer(&got); err != nil {
		t.Fatal(err)
	}
	want := Answer{
		Decision: Deny, Status: 403, Index: 41, Staleness: 12,
		HasPOSIX: true, UID: 1000, GID: 100, Code: "AccessDenied",
	}
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestAZeroAnswerAllowsNothing(t *testing.T) {
	if (Answer{}).Decision == Allow {
		t.Error("the zero decision is Allow")
	}
}

func TestVersionsAreChosen(t *testing.T) {
	tests := []struct {
		name     string
		min, max uint16
		want     uint16
		ok       bool
	}{
		{"the same version", 1, 1, 1, true},
		{"a newer client that still speaks ours", 1, 9, 1, true},
		{"a client that is too new", 2, 9, 0, false},
		{"a range upside down", 3, 0, 0, false},
	}
	for _, tt := range tests {
		h := Hello{MinVersion: tt.min, MaxVersion: tt.max}
		got, err := h.Choose()
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%s: got %d, %v", tt.name, got, err)
		}
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	c, err := sampleCheck.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	v, err := sampleVerify.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	checkBody, verifyBody := string(c), string(v)
	check, verify := new(Check), new(Verify)
	allocs := testing.AllocsPerRun(100, func() {
		it := ReadItems(checkBody, 1)
		if more, err := it.NextCheck(check); !more || err != nil {
			t.Fatal(err)
		}
		it = ReadItems(verifyBody, 1)
		if more, err := it.NextVerify(verify); !more || err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestKeysAreNotPrinted(t *testing.T) {
	k := sampleKeyAnswer
	if s := k.String() + k.GoString(); strings.Contains(s, "9, 9") || strings.Contains(s, "\t\t") || !strings.Contains(s, "redacted") {
		t.Errorf("printed as %q", s)
	}
}

// FuzzFrame feeds arbitrary bodies to every reader: none may panic, allocate
// beyond the caps, or accept what it cannot write again as the same value.
func FuzzFrame(f *testing.F) {
	for _, s := range frames {
		frame := AppendHeader(nil, s.typ, 0, s.items, 1)
		frame, err := s.body.Append(frame)
		if err != nil {
			f.Fatal(err)
		}
		if err := FinishFrame(frame, 0, MaxAnswer); err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ReadHeader(b, MaxAnswer)
		if err != nil {
			return
		}
		bodyText := string(b[HeaderSize:])
		for _, s := range frames {
			if s.typ != h.Type {
				continue
			}
			first := s.into()
			if decode(first, bodyText, min(h.Items, 1)) != nil || (s.items > 0 && h.Items == 0) {
				return
			}
			out := appendAny(t, first)
			second := s.into()
			if err := decode(second, string(out), uint16(s.items)); err != nil {
				t.Fatalf("%s: wrote what it cannot read: %v", s.name, err)
			}
			if !reflect.DeepEqual(normal(first), normal(second)) {
				t.Fatalf("%s: read %#v, wrote and read %#v", s.name, first, second)
			}
		}
	})
}

func appendAny(t *testing.T, v any) []byte {
	t.Helper()
	if a, ok := v.(*Answer); ok {
		v = answerBody{a}
	}
	out, err := v.(body).Append(nil)
	if err != nil {
		t.Fatalf("read what it cannot write: %v", err)
	}
	return out
}

// normal makes nil and empty slices alike.
func normal(v any) any {
	switch v := v.(type) {
	case *Check:
		c := *v
		c.Headers, c.Facts = append([]Pair{}, c.Headers...), append([]Pair{}, c.Facts...)
		return c
	case *Verify:
		c := *v
		c.Conditions, c.Contexts = append([]Pair{}, c.Conditions...), append([]Context{}, c.Contexts...)
		for i := range c.Contexts {
			c.Contexts[i].Conditions = append([]Pair{}, c.Contexts[i].Conditions...)
		}
		return c
	}
	return v
}
