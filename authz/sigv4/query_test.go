package sigv4

import (
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/iam"
)

// withoutExpires is a presigned URL as clients of IAM and STS may send it: only S3 asks
// for X-Amz-Expires.
func withoutExpires(t *testing.T) Request {
	t.Helper()
	caller := alice
	caller.service = IAM
	r := request("GET", "/?Action=ListUsers&Version=2010-05-08")
	for _, p := range [][2]string{{"X-Amz-Algorithm", "AWS4-HMAC-SHA256"}, {"X-Amz-Credential", caller.id + "/" + caller.scope()},
		{"X-Amz-Date", caller.date()}, {"X-Amz-SignedHeaders", "host"}} {
		r.Target = addParam(r.Target, p[0], p[1])
	}
	r.Target = addParam(r.Target, "X-Amz-Signature", caller.sign(canonicalRequest(r, IAM, false, []string{"host"}, emptyHash)))
	r.Body = HashBody(nil)
	return r
}

func TestAPresignedQueryNeedsNoExpiry(t *testing.T) {
	r := withoutExpires(t)
	for _, row := range []struct {
		after time.Duration
		want  iam.Code
	}{
		{0, "accepted"}, {15 * time.Minute, "accepted"}, {-15 * time.Minute, "accepted"},
		{15*time.Minute + time.Second, iam.SignatureDoesNotMatch}, {-15*time.Minute - time.Second, iam.SignatureDoesNotMatch},
		{24 * time.Hour, iam.SignatureDoesNotMatch},
	} {
		if _, err := alice.verify(r, QueryRules(), now.Add(row.after)); code(err) != row.want {
			t.Errorf("after %v: %v, want %s", row.after, err, row.want)
		}
	}
	changed := r
	changed.Target = strings.Replace(r.Target, "ListUsers", "ListRoles", 1)
	_, err := alice.verify(changed, QueryRules(), now)
	rejected(t, "another action", err, iam.SignatureDoesNotMatch)
	late := r
	late.Target = addParam(r.Target, "X-Amz-Expires", "604800")
	_, err = alice.verify(late, QueryRules(), now)
	rejected(t, "an expiry that was added", err, iam.SignatureDoesNotMatch)
	s3URL := alice.presign(request("GET", "/b/k"), 60)
	s3URL.Target = strings.Replace(s3URL.Target, "X-Amz-Expires=60&", "", 1)
	_, err = verify(s3URL)
	rejected(t, "S3 without an expiry", err, AuthorizationQueryParametersError)
}

// TestQueryServicesSayWhatIsWrong in the words of AWS, which people search for.
func TestQueryServicesSayWhatIsWrong(t *testing.T) {
	caller := alice
	caller.service = IAM
	call := caller.header(request("POST", "/"), emptyHash)
	url := withoutExpires(t)
	for _, row := range []struct {
		name string
		r    Request
		want string
	}{
		{"a part is missing", edit(call, "Authorization", "Signature=", "Sig="), "Authorization header requires 'Signature' parameter. (Hashed with SHA-256 and encoded with Base64) Authorization="},
		{"a part has no value", edit(call, "Authorization", "Signature=", "Signature-"), `Authorization component "Signature-`},
		{"the credential has too many parts", edit(call, "Authorization", "/aws4_request", "/aws4_request/x"), "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKIDALICE/20261124/eu-west-1/iam/aws4_request/x'"},
		{"another terminator", edit(call, "Authorization", "/aws4_request", "/x"), "Credential should be scoped with a valid terminator: 'aws4_request'."},
		{"another service", edit(call, "Authorization", "/iam/", "/ec2/"), "Credential should be scoped to correct service: 'iam'."},
		{"another day", edit(call, "Authorization", "/20261124/", "/20000101/"), "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP."},
		{"a day that is none", edit(call, "Authorization", "/20261124/", "/3223423234/"), "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP."},
		{"no date", without(call, "X-Amz-Date"), "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."},
		{"a date that is none", edit(call, "X-Amz-Date", "20261124T093000Z", "03032006"), "Date must be in ISO-8601 'basic format'. Got '03032006'."},
		{"Host is not signed", edit(call, "Authorization", "host;", ""), "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
		{"Signature Version 2", edit(call, "Authorization", "AWS4-HMAC-SHA256 ", "AWS "), "AWS Signature Version 2 is not supported."},
		{"no parameter for the credential", editTarget(url, "X-Amz-Credential", "Credential"), "AWS query-string parameters must include 'X-Amz-Credential'. Re-examine the query-string parameters."},
		{"a date in the URL that is none", editTarget(url, "X-Amz-Date=20261124T093000Z", "X-Amz-Date=today"), "Date must be in ISO-8601 'basic format'. Got 'today'."},
	} {
		row.r.Body = HashBody(nil)
		_, err := alice.verify(row.r, QueryRules(), now)
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s:\n got %v\nwant %s", row.name, err, row.want)
		}
	}
}

// TestServersWithoutPublicKeysRefuseSigV4A by name, before a key is looked up.
func TestServersWithoutPublicKeysRefuseSigV4A(t *testing.T) {
	for _, row := range []struct {
		name  string
		rules *Rules
		r     Request
		want  iam.Code
	}{
		{"S3, header", S3Rules("us-east-1"), exampleHeader, NotImplemented},
		{"S3, presigned", S3Rules("us-east-1"), examplePresigned, NotImplemented},
		{"IAM and STS", QueryRules(), exampleHeader, iam.MissingAuthenticationToken},
	} {
		row.rules.SymmetricOnly = true
		_, err := row.rules.Parse(&row.r, iam.At(exampleTime))
		rejected(t, row.name, err, row.want)
	}
}
