package sigv4

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/doorward/doorward/iam"
	"pgregory.net/rapid"
)

// TestSignedRequestsVerify sends what Sign and Presign make through a real
// net/http server to Verify.
func TestSignedRequestsVerify(t *testing.T) {
	var verdict error
	var verified Verified
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := FromHTTP(r, nil)
		rules := S3Rules("eu-west-1")
		if strings.Contains(r.Header.Get("Authorization")+r.URL.RawQuery, "sts") {
			body, _ := io.ReadAll(r.Body)
			req.Body = HashBody(body)
			rules = QueryRules()
		}
		verified, verdict = alice.verify(req, rules, now)
	}))
	defer server.Close()
	pair := Credentials{AccessKeyID: "AKIDALICE", Secret: alice.secret, Token: "a/token+="}
	send := func(t *testing.T, what string, req *http.Request, kind Kind) {
		t.Helper()
		verdict = io.ErrNoProgress
		response, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if verdict != nil || verified.Kind() != kind || verified.Token() != pair.Token {
			t.Errorf("%s: %v, %v", what, verified, verdict)
		}
	}
	for _, target := range []string{"/", "/b/k", "/b/a%20b%2Fc/ü?list-type=2&prefix=a%2Fb&acl", "/b/../x//y?x=1&x=0", "/b/a+b?q=a+b"} {
		req, err := http.NewRequest("PUT", server.URL+target, strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "text/plain")
		req.Header["X-Amz-Meta-A"] = []string{"1", " 2  3 "}
		if err := Sign(req, pair, "eu-west-1", S3, HexBody([]byte("hello")), iam.At(now)); err != nil {
			t.Fatal(err)
		}
		send(t, target, req, HeaderSigned)
		req, _ = http.NewRequest("GET", server.URL+target, nil)
		req.Header.Set("X-Amz-Meta-A", "1")
		if err := Presign(req, pair, "eu-west-1", S3, 60, iam.At(now)); err != nil {
			t.Fatal(err)
		}
		send(t, "presigned "+target, req, Presigned)
	}
	form := "Action=GetCallerIdentity&Version=2011-06-15"
	req, _ := http.NewRequest("POST", server.URL, strings.NewReader(form))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := Sign(req, pair, "us-east-1", STS, HexBody([]byte(form)), iam.At(now)); err != nil {
		t.Fatal(err)
	}
	send(t, "sts", req, HeaderSigned)
	req, _ = http.NewRequest("GET", server.URL+"/?"+form, nil)
	if err := Presign(req, pair, "us-east-1", STS, 60, iam.At(now)); err != nil {
		t.Fatal(err)
	}
	send(t, "presigned sts", req, Presigned)
}

// TestSignEqualsReference compares the client's half with client_test.go.
func TestSignEqualsReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target := "/" + rapid.StringMatching(`([a-z]|%20|%2F|/|\+|=|~){0,20}`).Draw(t, "path") + "?" + rapid.StringMatching(`([a-z&=]|%20|%2F|\+){0,20}`).Draw(t, "query")
		req := httptest.NewRequest("PUT", target, nil)
		req.Host, req.RequestURI = "s3.example.net", target
		want := alice.header(request("PUT", target), emptyHash)
		if err := Sign(req, Credentials{AccessKeyID: "AKIDALICE", Secret: alice.secret}, "eu-west-1", S3, emptyHash, iam.At(now)); err != nil {
			t.Fatal(err)
		}
		if got := req.Header.Get("Authorization"); got != want.Headers[len(want.Headers)-1].Value {
			t.Fatalf("got %s, want %s", got, want.Headers[len(want.Headers)-1].Value)
		}
	})
}

func TestSignRefusesWhatCannotBeVerified(t *testing.T) {
	req := httptest.NewRequest("GET", "/b/k", nil)
	for _, expires := range []int64{0, -1, MaxExpires + 1} {
		if err := Presign(req, Credentials{AccessKeyID: "A", Secret: "s"}, "eu-west-1", S3, expires, iam.At(now)); err == nil {
			t.Errorf("presigned for %d seconds", expires)
		}
	}
	req.RequestURI = "/b/%zz"
	if err := Sign(req, Credentials{AccessKeyID: "A", Secret: "s"}, "eu-west-1", S3, emptyHash, iam.At(now)); code(err) != InvalidURI {
		t.Errorf("a broken path: %v", err)
	}
}
