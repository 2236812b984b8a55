package client

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/iam"
)

var someone = Credentials{AccessKeyID: "AKIAEXAMPLE000000001", SecretAccessKey: "the-secret", SessionToken: "the-token", Source: "a test"}

// answering returns a client of a server that answers every request alike, and
// the last request that it got.
func answering(t *testing.T, status int, body string) (*Client, *http.Request) {
	t.Helper()
	last := &http.Request{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		*last = *r
		w.Header().Set("X-Doorward-Index", "41")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	c, err := New(Config{Endpoint: server.URL, Credentials: someone, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return c, last
}

func TestQueryIsSignedForTheServiceAndDecoded(t *testing.T) {
	c, last := answering(t, 200, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<GetCallerIdentityResult><Arn>arn:aws:iam::000000000000:root</Arn><Account>000000000000</Account><UserId>0</UserId></GetCallerIdentityResult>
<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>`)
	got, err := c.CallerIdentity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := (Identity{"000000000000", "arn:aws:iam::000000000000:root", "0"}); got != want {
		t.Errorf("identity %+v, want %+v", got, want)
	}
	signature := last.Header.Get("Authorization")
	if !strings.Contains(signature, "Credential=AKIAEXAMPLE000000001/") || !strings.Contains(signature, "/us-east-1/sts/aws4_request") {
		t.Errorf("signed with %q, want the key and the scope of sts in us-east-1", signature)
	}
	if got := last.Header.Get("X-Amz-Security-Token"); got != "the-token" {
		t.Errorf("session token %q, want the-token", got)
	}
	if got := last.PostForm.Get("Version"); got != "2011-06-15" {
		t.Errorf("version %q, want that of STS", got)
	}
}

func TestAnswersBecomeErrorsOfTheirClass(t *testing.T) {
	denied := `<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error><RequestId>r1</RequestId></ErrorResponse>`
	for _, row := range []struct {
		name        string
		status      int
		body        string
		code        iam.Code
		unavailable bool
	}{
		{"a refusal in XML", 403, denied, iam.AccessDenied, false},
		{"a refusal in JSON", 404, `{"error":{"code":"NoSuchEntity","message":"no","request_id":"r1"}}`, iam.NoSuchEntity, false},
		{"a store that cannot serve", 503, strings.ReplaceAll(denied, "AccessDenied", "ServiceUnavailable"), iam.ServiceUnavailable, true},
		{"throttling, which AWS answers with 400", 400, strings.ReplaceAll(denied, "AccessDenied", "Throttling"), iam.Throttling, true},
		{"a fault of the store", 500, strings.ReplaceAll(denied, "AccessDenied", "InternalFailure"), iam.InternalFailure, true},
		{"another server's page", 404, "<html>not here</html>", "HTTP404", false},
		{"a proxy whose server is gone", 502, "bad gateway", "HTTP502", true},
		{"a redirect, which no signature survives", 302, "", "HTTP302", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, _ := answering(t, row.status, row.body)
			_, err := c.CallerIdentity(t.Context())
			refused, ok := errors.AsType[*Error](err)
			if !ok || refused.Code != row.code {
				t.Fatalf("got %v, want code %s", err, row.code)
			}
			if _, unavailable := errors.AsType[*Unavailable](err); unavailable != row.unavailable {
				t.Errorf("unavailable %v, want %v", unavailable, row.unavailable)
			}
		})
	}
}

func TestListsAreReadToTheirLastPage(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		page, more := "a", "<IsTruncated>true</IsTruncated><Marker>second</Marker>"
		if r.Form.Get("Marker") == "second" {
			page, more = "b", "<IsTruncated>false</IsTruncated>"
		}
		fmt.Fprintf(w, `<R xmlns="n"><ListUserPoliciesResult><PolicyNames><member>%s1</member><member>%[1]s2</member></PolicyNames>%s</ListUserPoliciesResult></R>`, page, more)
	}))
	defer server.Close()
	c, err := New(Config{Endpoint: server.URL, Credentials: someone})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.ListInline(t.Context(), UserNamed("alice"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a1", "a2", "b1", "b2"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheIndexOfAWriteIsTold(t *testing.T) {
	c, _ := answering(t, 200, `<R xmlns="n"><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></R>`)
	meta, err := c.DeletePolicy(t.Context(), "arn:aws:iam::000000000000:policy/p")
	if err != nil || meta.Index != 41 {
		t.Errorf("index %d, %v; want 41", meta.Index, err)
	}
}

func TestCredentialsAreNeverPrinted(t *testing.T) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, someone); strings.Contains(text, "the-secret") || strings.Contains(text, "the-token") {
			t.Errorf("%s prints %q", verb, text)
		}
	}
}

// TestAClientAsksOnceMoreWhenItIsTold counts the requests of one call to a store that
// is busy, for a moment or for long.
func TestAClientAsksOnceMoreWhenItIsTold(t *testing.T) {
	for name, row := range map[string]struct {
		after         string
		busy, want    int
		wantAvailable bool
	}{
		"busy for a moment":                {"0", 1, 2, true},
		"busy for long":                    {"0", 9, 2, false},
		"it does not say that it may":      {"", 1, 1, false},
		"a date, which this store has not": {"Tue, 24 Nov 2026 12:00:00 GMT", 1, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if asked++; asked > row.busy {
					fmt.Fprint(w, `{"index":1}`)
					return
				}
				if row.after != "" {
					w.Header().Set("Retry-After", row.after)
				}
				w.WriteHeader(http.StatusServiceUnavailable)
				fmt.Fprint(w, `{"error":{"code":"ServiceUnavailable","message":"busy","request_id":"r1"}}`)
			}))
			defer server.Close()
			c, err := New(Config{Endpoint: server.URL, Credentials: someone})
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.JSON(t.Context(), http.MethodPost, "/v1/users", map[string]string{"name": "alice"}, nil)
			if asked != row.want || (err == nil) != row.wantAvailable {
				t.Errorf("%d requests and %v, want %d", asked, err, row.want)
			}
		})
	}
}
