package sigv4_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
)

// keys is where a server looks secrets up.
var keys = map[iam.AccessKeyID]string{"AKIDALICE": "alice's secret"}

// authenticate proves who signed r and returns the reader for its body.
func authenticate(rules *sigv4.Rules, r *http.Request, now iam.Time) (sigv4.Verified, io.Reader, error) {
	req := sigv4.FromHTTP(r, nil)
	credential, err := rules.Parse(&req, now)
	if err != nil {
		return sigv4.Verified{}, nil, err
	}
	secret, ok := keys[credential.AccessKeyID()]
	switch {
	case !ok:
		return sigv4.Verified{}, nil, credential.Refuse(sigv4.UnknownAccessKey)
	case credential.Token() != "": // of a long-term key
		return sigv4.Verified{}, nil, credential.Refuse(sigv4.TokenInvalid)
	}
	key := sigv4.DeriveSigningKey(secret, credential.Scope())
	verified, err := credential.Verify(&key)
	if err != nil {
		return sigv4.Verified{}, nil, err
	}
	body, err := sigv4.NewBody(&verified, &key, r.Body)
	return verified, body, err
}

func Example() {
	now := iam.At(time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC))
	rules := sigv4.S3Rules("eu-west-1")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		verified, body, err := authenticate(rules, r, now)
		if err == nil {
			// Nothing of what is read here may become visible before io.EOF.
			_, err = io.Copy(io.Discard, body)
		}
		var refusal *sigv4.Error
		switch {
		case err == nil:
			fmt.Fprintf(w, "stored for %s", verified.AccessKeyID())
		case errors.As(err, &refusal):
			w.WriteHeader(refusal.Status)
			w.Write(refusal.AppendS3(nil, r.URL.Path, "request-1", "host-1"))
		default:
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer server.Close()

	put := func(secret, body string) {
		req, _ := http.NewRequest("PUT", server.URL+"/bucket/key", strings.NewReader(body))
		client := sigv4.Credentials{AccessKeyID: "AKIDALICE", Secret: secret}
		sigv4.Sign(req, client, "eu-west-1", sigv4.S3, sigv4.HexBody([]byte("hello")), now)
		response, err := http.DefaultClient.Do(req)
		if err != nil {
			panic(err)
		}
		text, _ := io.ReadAll(response.Body)
		code := string(text)
		if _, after, refused := strings.Cut(code, "<Code>"); refused {
			code, _, _ = strings.Cut(after, "</Code>")
		}
		fmt.Println(response.StatusCode, code)
	}
	put("alice's secret", "hello")
	put("a guess", "hello")
	put("alice's secret", "hallo")
	// Output:
	// 200 stored for AKIDALICE
	// 403 SignatureDoesNotMatch
	// 400 XAmzContentSHA256Mismatch
}

// TestDocumentShowsTheExample: the code in docs/signatures.md is the code above.
func TestDocumentShowsTheExample(t *testing.T) {
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile("../../docs/signatures.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(document), "```go\n")
	code, _, closed := strings.Cut(rest, "```\n")
	if !found || !closed || !strings.Contains(string(source), code) {
		t.Errorf("the Go code of docs/signatures.md is not in example_test.go:\n%s", code)
	}
}
