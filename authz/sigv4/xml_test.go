package sigv4

import (
	"encoding/xml"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/doorward/doorward/iam"
	"pgregory.net/rapid"
)

// TestErrorDocuments shows both documents whole.
func TestErrorDocuments(t *testing.T) {
	e := errorf(AuthorizationHeaderMalformed, "the region %q is wrong", "a<b>").with("Region", "eu-west-1")
	want := `<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region &quot;a&lt;b&gt;&quot; is wrong</Message><Region>eu-west-1</Region><Resource>/b/k&amp;</Resource><RequestId>R1</RequestId><HostId>H1</HostId></Error>`
	if got := string(e.AppendS3(nil, "/b/k&", "R1", "H1")); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	want = `<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>IncompleteSignature</Code><Message>x</Message></Error><RequestId>R2</RequestId></ErrorResponse>`
	if got := string(errorf(iam.IncompleteSignature, "x").AppendQuery(nil, "https://iam.amazonaws.com/doc/2010-05-08/", "R2")); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := string(errorf(iam.InternalFailure, "x").AppendQuery(nil, "n", "R")); !strings.Contains(got, "<Type>Receiver</Type>") {
		t.Errorf("a server's fault: %s", got)
	}
}

// TestErrorDocumentsAreWellFormed whatever the client sent.
func TestErrorDocumentsAreWellFormed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOf(rapid.Byte()).Draw(t, "text"))
		e := errorf(iam.SignatureDoesNotMatch, "%s", text).with("StringToSign", text)
		var s3 struct{ Code, Message, StringToSign, Resource string }
		if err := xml.Unmarshal(e.AppendS3(nil, text, text, text), &s3); err != nil || s3.Code != "SignatureDoesNotMatch" {
			t.Fatalf("%v", err)
		}
		var query struct {
			Error struct{ Code, Message string }
		}
		if err := xml.Unmarshal(e.AppendQuery(nil, text, text), &query); err != nil || query.Error.Code != "SignatureDoesNotMatch" {
			t.Fatalf("%v", err)
		}
		if utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r >= 0xFFFE && r <= 0xFFFF }) && s3.Message != text {
			t.Fatalf("%q came back as %q", text, s3.Message)
		}
	})
}

// TestErrorsAreComparedByCode across rooms, and their text holds no field.
func TestErrorsAreComparedByCode(t *testing.T) {
	var err error = errorf(iam.SignatureDoesNotMatch, "x").with("CanonicalRequest", "x-amz-security-token:secret")
	if !errors.Is(err, &iam.Error{Code: iam.SignatureDoesNotMatch}) || errors.Is(err, &iam.Error{Code: iam.AccessDenied}) {
		t.Error("errors.Is does not compare the code")
	}
	if strings.Contains(err.Error()+err.(*Error).LogValue().String(), "secret") {
		t.Error("a field is in the text")
	}
}

// TestRefuse gives the code of each reason by service.
func TestRefuse(t *testing.T) {
	sts := alice
	sts.service = STS
	r := alice.header(request("GET", "/b/k"), emptyHash)
	s3, err := S3Rules("eu-west-1").Parse(&r, iam.At(now))
	if err != nil {
		t.Fatal(err)
	}
	call := sts.header(request("GET", "/"), emptyHash)
	call.Body = HashBody(nil)
	query, err := QueryRules().Parse(&call, iam.At(now))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		why       Refusal
		s3, query iam.Code
		statuses  [2]int
	}{
		{UnknownAccessKey, InvalidAccessKeyID, iam.InvalidClientTokenID, [2]int{403, 403}},
		{TokenMissing, InvalidAccessKeyID, iam.InvalidClientTokenID, [2]int{403, 403}},
		{TokenInvalid, InvalidToken, iam.InvalidClientTokenID, [2]int{400, 403}},
		{TokenExpired, iam.ExpiredToken, iam.ExpiredToken, [2]int{400, 403}},
		{CredentialNeeded, iam.AccessDenied, iam.MissingAuthenticationToken, [2]int{403, 403}},
	} {
		if e := s3.Refuse(row.why); e.Code != row.s3 || e.Status != row.statuses[0] {
			t.Errorf("S3 %d: %d %v", row.why, e.Status, e)
		}
		if e := query.Refuse(row.why); e.Code != row.query || e.Status != row.statuses[1] {
			t.Errorf("Query %d: %d %v", row.why, e.Status, e)
		}
	}
}

// TestMismatchTellsWhatTheServerSaw: enough for the author of a client to compare.
func TestMismatchTellsWhatTheServerSaw(t *testing.T) {
	r := edit(alice.header(request("GET", "/b/k?b=1&a=2"), emptyHash), "Authorization", "Signature=", "Signature=0")
	_, err := verify(r)
	refusal := err.(*Error)
	fields := map[string]string{}
	for _, f := range refusal.Fields {
		fields[f.Name] = f.Value
	}
	canonical := canonicalRequest(r, S3, false, signedNames(r.Headers, nil), emptyHash)
	if fields["CanonicalRequest"] != canonical {
		t.Errorf("CanonicalRequest %q, want %q", fields["CanonicalRequest"], canonical)
	}
	if want := "AWS4-HMAC-SHA256\n" + alice.date() + "\n" + alice.scope() + "\n" + hexSum(canonical); fields["StringToSign"] != want {
		t.Errorf("StringToSign %q, want %q", fields["StringToSign"], want)
	}
	if fields["AWSAccessKeyId"] != "AKIDALICE" || fields["SignatureProvided"] == "" {
		t.Errorf("fields %v", fields)
	}
}

// TestSkewTellsTheClocks in the elements that S3 documents.
func TestSkewTellsTheClocks(t *testing.T) {
	text := string(at(alice.header(request("GET", "/b/k"), emptyHash), 20*time.Minute)().(*Error).AppendS3(nil, "/b/k", "R", "H"))
	for _, element := range []string{
		"<RequestTime>20261124T093000Z</RequestTime>", "<ServerTime>2026-11-24T09:50:00Z</ServerTime>",
		"<MaxAllowedSkewMilliseconds>900000</MaxAllowedSkewMilliseconds>",
	} {
		if !strings.Contains(text, element) {
			t.Errorf("%s lacks %s", text, element)
		}
	}
}
