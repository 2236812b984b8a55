package clients_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/e2e/clients"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar/frontend"
)

// proxy stands between clients and a server behind it, and asks about each request.
type proxy struct {
	name  string
	start func(t *testing.T, behind http.Handler) string // returns its URL
}

// proxies are what asks Doorward and passes on what is allowed: start puts one in front
// of a server and returns its URL.
var proxies = []proxy{
	{"nginx", deployed{&frontend.Nginx, []string{"nginx/doorward.conf"}, "nginx", func(f string) []string { return []string{"-g", "daemon off;", "-c", f} }}.start},
	{"caddy", deployed{&frontend.Caddy, []string{"caddy/Caddyfile"}, "caddy", func(f string) []string { return []string{"run", "--adapter", "caddyfile", "--config", f} }}.start},
	{"haproxy", deployed{&frontend.HAProxy, []string{"haproxy/haproxy.cfg", "haproxy/doorward.lua"}, "haproxy", func(f string) []string { return []string{"-db", "-f", f} }}.start},
	{"ext_authz", startEnvoyed},
}

// deployed is a configuration of folder deploy and how it is run: the sidecar's door at
// the proxy's side, and the server behind.
type deployed struct {
	proxy   *frontend.Proxy
	files   []string // under deploy; the first is the one to start with
	program string
	command func(file string) []string
}

// TestNothingPassesAProxyThatWasNotAskedAbout sends what a client can think of to have
// the proxy ask about one request and pass another, or to be taken for somebody else.
func TestNothingPassesAProxyThatWasNotAskedAbout(t *testing.T) {
	aws := clients.All()[0]
	require(t, aws.Program)
	call(t, inside, aws, inside.root, nil, "iam", "CreateUser", input{"UserName": "reader"})
	call(t, inside, aws, inside.root, nil, "iam", "AttachUserPolicy", input{"UserName": "reader", "PolicyArn": readonly})
	own := createKey(t, inside, aws, "reader")
	reader := sigv4.Credentials{AccessKeyID: iam.AccessKeyID(own.AccessKey), Secret: own.Secret}
	wrong := sigv4.Credentials{AccessKeyID: reader.AccessKeyID, Secret: "wrong"}
	const principal = "arn:aws:iam::000000000000:user/reader"
	tell := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s", r.Method, r.RequestURI, strings.Join(r.Header.Values("X-Auth-Principal"), "|"))
	})
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) {
			url := p.start(t, tell)
			for _, tt := range []struct {
				name           string
				as             sigv4.Credentials
				method, target string
				want           string
			}{
				{"what is allowed reaches the server as it was", reader, "GET", "/bucket/a", "GET /bucket/a " + principal},
				{"with a hostile key", reader, "GET", "/bucket//a%2F..%2F%20b/%C3%BC+%26=x..y", "GET /bucket//a%2F..%2F%20b/%C3%BC+%26=x..y " + principal},
				{"with a query", reader, "GET", "/bucket?list-type=2&prefix=a%2Fb", "GET /bucket?list-type=2&prefix=a%2Fb " + principal},
				{"what is not allowed does not", reader, "PUT", "/bucket/a", "403 AccessDenied"},
				{"nor a wrong signature", wrong, "GET", "/bucket/a", "403 SignatureDoesNotMatch"},
				{"nor one who says in a header who he is", sigv4.Credentials{}, "GET", "/bucket/a", "403 AccessDenied"},
				{"nor a deletion of many", reader, "POST", "/bucket?delete", "403 AccessDenied"},
			} {
				if got := ask(t, url, tt.as, tt.method, tt.target); got != tt.want {
					t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
				}
			}
		})
	}
}

// ask sends a signed request, with identities and targets in header fields that
// must not count, and sums the answer up.
func ask(t *testing.T, url string, as sigv4.Credentials, method, target string) string {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Opaque = target // byte for byte
	if as.AccessKeyID != "" {
		signed := r.Clone(t.Context())
		if signed.URL, err = signed.URL.Parse(url + target); err != nil {
			t.Fatal(err)
		}
		signed.Header.Set("X-Amz-Meta-a_b", "two  words")
		if err := sigv4.Sign(signed, as, "us-east-1", sigv4.S3, sigv4.UnsignedPayload, iam.At(time.Now())); err != nil {
			t.Fatal(err)
		}
		r.Header = signed.Header
	}
	for _, name := range []string{"X-Auth-Principal", "X-Auth-User"} {
		r.Header.Set(name, "arn:aws:iam::000000000000:root")
	}
	for _, name := range []string{"X-Original-URI", "X-Forwarded-Uri"} {
		r.Header.Set(name, "/public/x")
	}
	r.Header.Set("X-Original-Method", "OPTIONS")
	r.Header.Set("X-Forwarded-Method", "OPTIONS")
	r.Header.Set("X-Forwarded-For", "10.0.0.1")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if _, code, ok := strings.Cut(string(body), "<Code>"); ok {
		code, _, _ = strings.Cut(code, "</Code>")
		return fmt.Sprint(response.StatusCode, " ", code)
	}
	return string(body)
}

// start runs the sidecar's door, the server behind, and the proxy with the
// configuration of deploy, at other addresses; it returns the proxy's URL.
func (p deployed) start(t *testing.T, behind http.Handler) string {
	t.Helper()
	program := "/usr/sbin/" + p.program
	if _, err := os.Stat(program); err != nil {
		program = "/usr/bin/" + p.program
	}
	require(t, program)
	server := httptest.NewServer(behind)
	t.Cleanup(server.Close)
	door := httptest.NewServer(frontend.New(frontend.Config{Proxy: p.proxy}, insideAuthorizer))
	t.Cleanup(door.Close)
	dir := t.TempDir()
	address := freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	// The door is a unix socket in the configurations of nginx and Caddy. As root they run
	// as somebody else, who may not enter the test's folder.
	replace := strings.NewReplacer(
		"127.0.0.1:9000", server.Listener.Addr().String(), "127.0.0.1:8080", address, "http://:8080", "http://:"+port,
		"unix:/run/doorward/auth.sock", door.Listener.Addr().String(), "unix//run/doorward/auth.sock", door.Listener.Addr().String(),
		"127.0.0.1:8475", door.Listener.Addr().String(),
		"/run/doorward/nginx.pid", filepath.Join(dir, "pid"), "/var/log/nginx/doorward.log", "stderr",
		"/etc/haproxy/", dir+"/",
	)
	for _, name := range p.files {
		text, err := os.ReadFile(filepath.Join("../../deploy", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), []byte(replace.Replace(string(text))), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run(t, program, p.command(filepath.Join(dir, filepath.Base(p.files[0]))), dir, address)
	return "http://" + address
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// run starts a program until the test ends and waits until it listens.
func run(t *testing.T, program string, arguments []string, dir, address string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c := exec.CommandContext(ctx, program, arguments...)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 5 * time.Second
	c.Env = append(os.Environ(), "HOME="+dir)
	output := new(strings.Builder)
	c.Stdout, c.Stderr = output, output
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	// Ends with the program.
	go func() { defer close(done); _ = c.Wait() }()
	t.Cleanup(func() {
		cancel()
		<-done
		if t.Failed() {
			t.Log(output)
		}
	})
	for range 500 {
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-done:
			t.Fatalf("%s ended: %s", program, output)
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Fatalf("%s does not listen: %s", program, output)
}
