package versitygw

import (
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
)

// TestStockGateway starts the versitygw binary named by DOORWARD_VERSITYGW and lets
// it ask on every request. make test-e2e sets it.
func TestStockGateway(t *testing.T) {
	binary := os.Getenv("DOORWARD_VERSITYGW")
	if binary == "" {
		t.Skip("DOORWARD_VERSITYGW names no versitygw binary")
	}
	w := newWorld(t, Config{})
	w.serve()
	url := w.gateway(binary)
	do := func(c sigv4.Credentials, method, target, body string) string {
		t.Helper()
		r, err := http.NewRequest(method, url+target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		sum := md5.Sum([]byte(body))
		r.Header.Set("Content-MD5", base64.StdEncoding.EncodeToString(sum[:]))
		sign(t, r, c, sigv4.S3, body)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		if _, code, ok := strings.Cut(string(text), "<Code>"); ok {
			code, _, _ = strings.Cut(code, "</Code>")
			return code
		}
		return fmt.Sprint(response.StatusCode)
	}
	wrong, long := cred("alice"), cred("alice")
	wrong.Secret = "something else"
	long.Token = "not-for-long-term-keys"
	narrow := w.session("alice", "ASIANARROW", time.Hour, january)
	wide := w.session("alice", "ASIAWIDE", time.Hour, anyS3)
	expired := w.session("alice", "ASIAEXPIRED", -time.Second)
	foreign := narrow
	foreign.Token = wide.Token

	steps := []struct {
		name                 string
		as                   sigv4.Credentials
		method, target, body string
		want                 string
	}{
		{"one who may do everything makes a bucket", cred("root2"), "PUT", "/bucket", "", "200"},
		{"and puts an object", cred("root2"), "PUT", "/bucket/january/a", "text", "200"},
		{"and another", cred("root2"), "PUT", "/bucket/february/a", "text", "200"},
		{"a reader reads", cred("alice"), "GET", "/bucket/january/a", "", "200"},
		{"a reader lists", cred("alice"), "GET", "/bucket?list-type=2", "", "200"},
		{"a reader does not write", cred("alice"), "PUT", "/bucket/january/b", "x", "AccessDenied"},
		{"one without policies does not read", cred("bob"), "GET", "/bucket/january/a", "", "AccessDenied"},
		{"an explicit deny wins", cred("carl"), "GET", "/bucket/january/a", "", "AccessDenied"},
		{"a wrong secret", wrong, "GET", "/bucket/january/a", "", "SignatureDoesNotMatch"},
		{"an unknown key", cred("nobody"), "GET", "/bucket/january/a", "", "InvalidAccessKeyId"},
		{"a token with a long-term key", long, "GET", "/bucket/january/a", "", "InvalidToken"},
		{"a narrowed session reads what is left", narrow, "GET", "/bucket/january/a", "", "200"},
		{"but not the rest", narrow, "GET", "/bucket/february/a", "", "AccessDenied"},
		{"nor does it write, which its own policy allows and its parent's does not", narrow, "PUT", "/bucket/january/b", "x", "AccessDenied"},
		{"a session is not widened by its policy", wide, "PUT", "/bucket/january/b", "x", "AccessDenied"},
		{"a session with another's token", foreign, "GET", "/bucket/january/a", "", "InvalidToken"},
		{"an expired session, for which the gateway has this one word", expired, "GET", "/bucket/january/a", "", "InvalidToken"},
		{"several objects at once, none of which a reader may delete", cred("alice"), "POST", "/bucket?delete",
			`<Delete><Object><Key>january/a</Key></Object><Object><Key>february/a</Key></Object></Delete>`, "AccessDenied"},
	}
	for _, s := range steps {
		if got := do(s.as, s.method, s.target, s.body); got != s.want {
			t.Errorf("%s: got %s, want %s", s.name, got, s.want)
		}
	}

	w.store.Write(iam.Change{Delete: &iam.Deletion{Table: iam.TableAccessKeys, Name: "AKIAALICE"}})
	if got := do(cred("alice"), "GET", "/bucket/january/a", ""); got != "InvalidAccessKeyId" && got != "AccessDenied" {
		t.Errorf("a deleted key: got %s", got)
	}
}

// gateway starts the binary and returns its URL.
func (w *world) gateway(binary string) string {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		w.t.Fatal(err)
	}
	dir := w.t.TempDir()
	data, meta := filepath.Join(dir, "data"), filepath.Join(dir, "meta")
	for _, d := range []string{data, meta} {
		if err := os.Mkdir(d, 0o700); err != nil {
			w.t.Fatal(err)
		}
	}
	command := exec.Command(binary, "-q", "--health", "/healthz", "-p", address, "--iam-standalone-endpoint", w.socket,
		"posix", "--sidecar", meta, data)
	command.Env = append(os.Environ(), "ROOT_ACCESS_KEY=gateway", "ROOT_SECRET_KEY=gateway-secret")
	output := new(strings.Builder)
	command.Stdout, command.Stderr = output, output
	if err := command.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := command.Process.Kill(); err != nil {
			w.t.Error(err)
		}
		_ = command.Wait()
		if w.t.Failed() {
			w.t.Log(output)
		}
	})
	url := "http://" + address
	for range 500 {
		if r, err := http.Get(url + "/healthz"); err == nil {
			_ = r.Body.Close()
			return url
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.t.Fatalf("gateway did not start: %s", output)
	return ""
}
