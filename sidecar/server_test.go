package sidecar

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar/client"
	"github.com/doorward/doorward/sidecar/protocol"
)

// served is a world whose sidecar answers on a socket.
type served struct {
	*world
	socket string
	client *client.Client
	stop   func() error
}

func serve(t testing.TB, change ...func(*ServerConfig)) *served {
	t.Helper()
	s := &served{world: newWorld(t), socket: filepath.Join(t.TempDir(), "run", "sidecar.sock")}
	alice := s.user("alice", document(readAll, noSecret))
	s.key(alice.Ref(), "AKIAALICE")
	s.caughtUp(s.auth)
	config := DefaultServerConfig()
	for _, c := range change {
		c(&config)
	}
	l, err := Socket{Path: s.socket, Group: -1}.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	// Ends with the test or with stop.
	go func() { done <- NewServer(config, s.auth).Serve(ctx, l) }()
	s.stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	s.client = s.connect(t, client.Config{})
	return s
}

func (s *served) connect(t testing.TB, config client.Config) *client.Client {
	config.Socket, config.Name = s.socket, "test"
	c, err := client.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// question is the raw question about a request.
func (s *served) question(c sigv4.Credentials, method, target string) protocol.Check {
	q := s.signed(c, method, target)
	return protocol.Check{Method: q.Method, Target: q.Target, Headers: q.Headers, Remote: "192.0.2.1:999"}
}

func TestChecksOverTheSocket(t *testing.T) {
	s := serve(t)
	ctx := t.Context()
	q := s.question(cred("AKIAALICE"), "GET", "/bucket/x")
	a, err := s.client.Check(ctx, &q)
	if err != nil {
		t.Fatal(err)
	}
	if a.Decision != protocol.Allow || a.Status != 200 || a.User != "alice" || a.Resource != "arn:aws:s3:::bucket/x" || a.Policy != "p1" || a.Statement != "Read" {
		t.Errorf("got %+v", a)
	}
	questions := []protocol.Check{
		q, s.question(cred("AKIAALICE"), "PUT", "/bucket/x"), s.question(cred("AKIANOBODY"), "GET", "/bucket/x"), q,
		s.question(cred("AKIAALICE"), "GET", "/bucket/secret/x"),
	}
	want := []string{"", "AccessDenied", "InvalidAccessKeyId", "", "AccessDenied"}
	answers := make([]protocol.Answer, len(questions))
	if err := s.client.CheckAll(ctx, questions, answers); err != nil {
		t.Fatal(err)
	}
	for i := range answers {
		if answers[i].Code != want[i] || (answers[i].Decision == protocol.Allow) != (want[i] == "") {
			t.Errorf("question %d: got %v %q, want %q", i, answers[i].Decision, answers[i].Code, want[i])
		}
	}
	brief := s.connect(t, client.Config{Brief: true})
	if a, err = brief.Check(ctx, &questions[1]); err != nil || a.Code != "AccessDenied" || a.Message != "" || a.Decision != protocol.Deny {
		t.Errorf("brief: %+v, %v", a, err)
	}
}

func TestAMultiDeleteIsAnsweredKeyByKeyOverTheSocket(t *testing.T) {
	s := serve(t)
	bob := s.user("bob", document(`{"Effect":"Allow","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::bucket/mine/*"}`))
	s.key(bob.Ref(), "AKIABOB")
	s.caughtUp(s.auth)
	q := s.question(cred("AKIABOB"), "POST", "/bucket?delete")
	q.HasBody, q.Body = true, "<Delete>"
	for i := range 1000 {
		q.Body += fmt.Sprintf("<Object><Key>%s/%d</Key></Object>", []string{"mine", "yours"}[i%2], i)
	}
	q.Body += "</Delete>"
	for name, c := range map[string]*client.Client{"full": s.client, "brief": s.connect(t, client.Config{Brief: true})} {
		answers, err := c.CheckEach(t.Context(), &q)
		if err != nil || len(answers) != 1000 {
			t.Fatalf("%s: %d answers, %v", name, len(answers), err)
		}
		for i, a := range answers {
			want := []protocol.Decision{protocol.Allow, protocol.Deny}[i%2]
			if !a.Each || a.Decision != want || name == "full" && a.Resource != fmt.Sprintf("arn:aws:s3:::bucket/%s/%d", []string{"mine", "yours"}[i%2], i) {
				t.Fatalf("%s: answer %d: %+v, want %v", name, i, a, want)
			}
		}
	}
	forged := q
	forged.Headers = s.question(sigv4.Credentials{AccessKeyID: "AKIABOB", Secret: "wrong"}, "POST", "/bucket?delete").Headers
	if answers, err := s.client.CheckEach(t.Context(), &forged); err != nil || len(answers) != 1 || answers[0].Each || answers[0].Code != string(iam.SignatureDoesNotMatch) {
		t.Errorf("a wrong signature: %+v, %v", answers, err)
	}
	if a, err := s.client.Check(t.Context(), &q); err != nil || a.Each || a.Decision != protocol.Deny {
		t.Errorf("one answer for all: %+v, %v", a, err)
	}
	each := q
	each.Each = true
	if err := s.client.CheckAll(t.Context(), []protocol.Check{each, each}, make([]protocol.Answer, 2)); err == nil {
		t.Error("two lists in a frame are answered, and nobody could tell their answers apart")
	}
}

func TestWhoWaitsDoesNotHoldUpOthers(t *testing.T) {
	s := serve(t)
	one := s.connect(t, client.Config{Connections: 1})
	s.store.Hold()
	bob := s.user("bob", document(readAll))
	s.key(bob.Ref(), "AKIANEW")
	waiting := make(chan protocol.Answer, 1)
	go func() {
		q := s.question(cred("AKIANEW"), "GET", "/bucket/x")
		a, err := one.Check(context.Background(), &q)
		if err != nil {
			t.Error(err)
		}
		waiting <- a
	}()
	for range 100 {
		q := s.question(cred("AKIAALICE"), "GET", "/bucket/x")
		if a, err := one.Check(t.Context(), &q); err != nil || a.Decision != protocol.Allow {
			t.Fatalf("got %+v, %v", a, err)
		}
	}
	select {
	case a := <-waiting:
		t.Fatalf("answered before the view was current: %+v", a)
	default:
	}
	s.store.Release()
	if a := <-waiting; a.Decision != protocol.Allow {
		t.Errorf("got %+v", a)
	}
}

func TestABatchThatWaitsKeepsItsOrder(t *testing.T) {
	s := serve(t)
	s.store.Hold()
	bob := s.user("bob", document(readAll))
	s.key(bob.Ref(), "AKIANEW")
	questions := []protocol.Check{
		s.question(cred("AKIAALICE"), "PUT", "/bucket/x"), s.question(cred("AKIANEW"), "GET", "/bucket/x"),
		s.question(cred("AKIAALICE"), "GET", "/bucket/x"),
	}
	answers := make([]protocol.Answer, 3)
	done := make(chan error, 1)
	go func() { done <- s.client.CheckAll(context.Background(), questions, answers) }()
	s.store.Release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if answers[0].Code != "AccessDenied" || answers[1].User != "bob" || answers[1].Decision != protocol.Allow || answers[2].User != "alice" {
		t.Errorf("got %+v", answers)
	}
}

// stringToSign makes the middle depth's question out of a signed request.
func (s *served) attested(c sigv4.Credentials, contexts ...protocol.Context) protocol.Verify {
	const sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	text := "AWS4-HMAC-SHA256\n20260102T120000Z\n20260102/us-east-1/s3/aws4_request\n" + sum
	day := sigv4.DeriveDayKey(c.Secret, sigv4.Scope{Date: "20260102", Region: "us-east-1", Service: sigv4.S3})
	v := protocol.Verify{AccessKey: string(c.AccessKeyID), Token: c.Token, StringToSign: text, Payload: "UNSIGNED-PAYLOAD", Contexts: contexts}
	copy(v.Signature[:], hmacSHA256(day[:], text))
	return v
}

func TestVerifyOverTheSocket(t *testing.T) {
	s := serve(t)
	contexts := []protocol.Context{
		{Action: "s3:GetObject", Resource: "arn:aws:s3:::bucket/a"},
		{Action: "s3:GetObject", Resource: "arn:aws:s3:::bucket/secret/a"},
		{Action: "s3:PutObject", Resource: "arn:aws:s3:::bucket/a"},
	}
	v := s.attested(cred("AKIAALICE"), contexts...)
	answers, err := s.client.Verify(t.Context(), &v)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []protocol.Decision{protocol.Allow, protocol.Deny, protocol.Deny} {
		if answers[i].Decision != want || answers[i].Action != contexts[i].Action {
			t.Errorf("context %d: got %+v, want %v", i, answers[i], want)
		}
	}
	v.Signature[3] ^= 1
	if answers, err = s.client.Verify(t.Context(), &v); err != nil || len(answers) != 3 {
		t.Fatalf("got %v, %v", answers, err)
	}
	for _, a := range answers {
		if a.Code != string(iam.SignatureDoesNotMatch) || a.Decision == protocol.Allow {
			t.Errorf("a flipped bit: %+v", a)
		}
	}
}

func TestSigningKeysAreForThoseWhoMay(t *testing.T) {
	q := protocol.KeyRequest{AccessKey: "AKIAALICE", Scope: protocol.Scope{Date: "20260102", Region: "us-east-1", Service: "s3"}}
	s := serve(t)
	a, err := s.client.SigningKey(t.Context(), &q)
	want := sigv4.DeriveDayKey("akiaalice", sigv4.Scope{Date: "20260102", Region: "us-east-1", Service: sigv4.S3})
	if err != nil || a.Status != 200 || a.Key != want {
		t.Errorf("got %v, %v", a, err)
	}
	other := q
	other.Scope.Service = "iam"
	if a, err := s.client.SigningKey(t.Context(), &other); err != nil || a.Status == 200 || a.Key != [32]byte{} {
		t.Errorf("service iam: got %v, %v", a, err)
	}
}

// TestEachOperationIsForThoseWhoMay has the kernel's word for who asks: this process.
func TestEachOperationIsForThoseWhoMay(t *testing.T) {
	operations := map[protocol.Type]func(*served) error{
		protocol.TypeCheck: func(s *served) error {
			q := s.question(cred("AKIAALICE"), "GET", "/bucket/x")
			_, err := s.client.Check(t.Context(), &q)
			return err
		},
		protocol.TypeVerify: func(s *served) error {
			_, err := s.client.Verify(t.Context(), &protocol.Verify{AccessKey: "AKIAALICE", Contexts: make([]protocol.Context, 1)})
			return err
		},
		protocol.TypeSigningKey: func(s *served) error {
			_, err := s.client.SigningKey(t.Context(), &protocol.KeyRequest{AccessKey: "AKIAALICE"})
			return err
		},
		protocol.TypeChunk: func(s *served) error {
			_, err := s.client.Chunk(t.Context(), &protocol.Chunk{AccessKey: "AKIAALICE", Kind: protocol.ChunkData})
			return err
		},
	}
	for barred := range operations {
		s := serve(t, func(c *ServerConfig) { c.Users = map[protocol.Type][]int{barred: {os.Getuid() + 1}} })
		for operation, ask := range operations {
			err := ask(s)
			var refusal *protocol.Refusal
			refused := errors.As(err, &refusal) && refusal.Reason == protocol.ReasonNotPermitted
			if refused != (operation == barred) || err != nil && !refused {
				t.Errorf("%v is for another user: to ask %v got %v", barred, operation, err)
			}
		}
	}
	s := serve(t, func(c *ServerConfig) {
		c.Users = map[protocol.Type][]int{protocol.TypeChunk: {os.Getuid() + 1, os.Getuid()}}
	})
	if err := operations[protocol.TypeChunk](s); err != nil {
		t.Errorf("as the second of two users: %v", err)
	}
}

func TestChunksOverTheSocket(t *testing.T) {
	s := serve(t)
	day := sigv4.DeriveDayKey("akiaalice", sigv4.Scope{Date: "20260102", Region: "us-east-1", Service: sigv4.S3})
	c := protocol.Chunk{
		AccessKey: "AKIAALICE", Scope: protocol.Scope{Date: "20260102", Region: "us-east-1", Service: "s3"},
		Kind: protocol.ChunkData, Date: "20260102T120000Z", Previous: [32]byte{1}, Sum: [32]byte{2},
	}
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	text := strings.Join([]string{
		"AWS4-HMAC-SHA256-PAYLOAD", c.Date, "20260102/us-east-1/s3/aws4_request",
		hex.EncodeToString(c.Previous[:]), empty, hex.EncodeToString(c.Sum[:]),
	}, "\n")
	copy(c.Signature[:], hmacSHA256(day[:], text))
	if a, err := s.client.Chunk(t.Context(), &c); err != nil || a.Status != 200 {
		t.Errorf("got %+v, %v", a, err)
	}
	c.Sum[0] ^= 1
	if a, err := s.client.Chunk(t.Context(), &c); err != nil || a.Code != "SignatureDoesNotMatch" {
		t.Errorf("other data: got %+v, %v", a, err)
	}
}

func TestManyCallersShareAConnection(t *testing.T) {
	s := serve(t)
	one := s.connect(t, client.Config{Connections: 1})
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			for j := range 20 {
				key := fmt.Sprintf("/bucket/%d/%d", i, j)
				q := s.question(cred("AKIAALICE"), "GET", key)
				a, err := one.Check(context.Background(), &q)
				if err != nil || a.Resource != "arn:aws:s3:::bucket"+strings.TrimPrefix(key, "/bucket") {
					t.Errorf("%s: got %+v, %v", key, a, err)
					return
				}
			}
		})
	}
	all.Wait()
}

func TestTheClientReconnects(t *testing.T) {
	s := serve(t)
	q := s.question(cred("AKIAALICE"), "GET", "/bucket/x")
	if _, err := s.client.Check(t.Context(), &q); err != nil {
		t.Fatal(err)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if a, err := s.client.Check(t.Context(), &q); err == nil || a.Decision == protocol.Allow {
		t.Errorf("with the sidecar gone: %+v, %v", a, err)
	}
	l, err := Socket{Path: s.socket, Group: -1}.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- NewServer(DefaultServerConfig(), s.auth).Serve(ctx, l) }()
	defer func() { cancel(); <-done }()
	if a, err := s.client.Check(t.Context(), &q); err != nil || a.Decision != protocol.Allow {
		t.Errorf("with the sidecar back: %+v, %v", a, err)
	}
}

func TestACancelledCallLeavesTheConnectionToOthers(t *testing.T) {
	s := serve(t)
	one := s.connect(t, client.Config{Connections: 1})
	s.store.Hold()
	bob := s.user("bob", document(readAll))
	s.key(bob.Ref(), "AKIANEW")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	q := s.question(cred("AKIANEW"), "GET", "/bucket/x")
	if a, err := one.Check(ctx, &q); err == nil {
		t.Errorf("answered %+v", a)
	}
	s.store.Release()
	q = s.question(cred("AKIAALICE"), "GET", "/bucket/x")
	if a, err := one.Check(t.Context(), &q); err != nil || a.User != "alice" {
		t.Errorf("got %+v, %v", a, err)
	}
}

func TestStrangersAreShownTheDoor(t *testing.T) {
	s := serve(t)
	check, err := (&protocol.Check{Method: "GET"}).Append(protocol.AppendHeader(nil, protocol.TypeCheck, 0, 1, 7))
	if err != nil {
		t.Fatal(err)
	}
	if err := protocol.FinishFrame(check, 0, protocol.MaxRequest); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		bytes []byte
		want  protocol.Reason
	}{
		{"an HTTP client", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), protocol.ReasonTooLarge},
		{"a check before the hello", check, protocol.ReasonNotHello},
		{"a hello of 4 GiB", []byte("\xff\xff\xff\xff\x01\x00\x00\x00\x00\x00\x00\x00"), protocol.ReasonTooLarge},
		{"a hello of somebody else", append(protocol.AppendHeader(nil, protocol.TypeHello, 0, 0, 0)[:3], "\x04\x01\x00\x00\x00\x00\x00\x00\x00HTTP"...), protocol.ReasonMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := net.Dial("unix", s.socket)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := conn.Write(tt.bytes); err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(conn)
			if err != nil && len(answer) == 0 {
				t.Fatal(err)
			}
			var refusal protocol.Refusal
			if len(answer) < protocol.HeaderSize || protocol.Type(answer[4]) != protocol.TypeRefusal {
				t.Fatalf("got % x", answer)
			}
			if err := refusal.Read(string(answer[protocol.HeaderSize:])); err != nil || refusal.Reason != tt.want {
				t.Errorf("got %+v, %v, want reason %d", refusal, err, tt.want)
			}
		})
	}
}

func TestTheSocketHasOneOwnerAndModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	s := Socket{Path: filepath.Join(dir, "s"), Group: -1}
	l, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{dir: 0o750, s.Path: 0o660} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %v", path, info, err, want)
		}
	}
	if _, err := s.Listen(); err == nil {
		t.Error("a second owner got the socket")
	}
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Error(err)
	}
	if l, err = s.Listen(); err != nil {
		t.Fatalf("after the first owner is gone: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestUsersOutsideOfTheListAreNotTalkedTo(t *testing.T) {
	s := Socket{Path: filepath.Join(t.TempDir(), "s"), Group: -1, Users: []int{os.Getuid() + 1}}
	l, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan error, 1)
	go func() { _, err := l.Accept(); accepted <- err }()
	conn, err := net.Dial("unix", s.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("got %d bytes, %v", n, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept: %v", err)
	}
}
