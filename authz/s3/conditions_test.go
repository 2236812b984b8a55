package s3_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/authz/s3"
	"github.com/doorward/doorward/iam"
)

// signedRequest is a request with every fact that the verifier and the listener
// know.
func signedRequest(method, target string, headers ...s3.Header) *s3.Request {
	return &s3.Request{
		Method: method, Target: target, Host: "s3.example.net", Headers: headers, Secure: true, TLSVersion: "1.3",
		RemoteAddr: netip.MustParseAddr("2001:db8::7"), Now: iam.At(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)),
		Signature: s3.Signature{AuthType: "REST-QUERY-STRING", Version: "AWS4-HMAC-SHA256", Age: 61_000},
	}
}

func withBody(req *s3.Request, body string) *s3.Request {
	req.HasBody, req.Body = true, []byte(body)
	return req
}

func withTags(req *s3.Request, tags ...s3.ObjectTags) *s3.Request {
	req.Stored = tags
	return req
}

// TestConditionKeys asks for the value of one key for one action of a request.
// An empty want is a missing key.
func TestConditionKeys(t *testing.T) {
	const none = "(missing)"
	const open = "(open)"
	type row struct {
		name   string
		req    *s3.Request
		action s3.Action
		key    string
		want   []string
	}
	is := func(values ...string) []string { return values }
	put := func(headers ...s3.Header) *s3.Request { return signedRequest("PUT", "/b1/k", headers...) }
	tagging := "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>B</Key><Value/></Tag></TagSet></Tagging>"
	source := h("x-amz-copy-source", "/src/a%62?versionId=v1")
	rows := []row{
		{"the form of the signature", signedRequest("GET", "/b1/k"), s3.GetObject, "s3:authType", is("REST-QUERY-STRING")},
		{"the version of the signature", signedRequest("GET", "/b1/k"), s3.GetObject, "s3:signatureversion", is("AWS4-HMAC-SHA256")},
		{"the age of the signature in milliseconds", signedRequest("GET", "/b1/k"), s3.GetObject, "s3:signatureAge", is("61000")},
		{"the TLS version", signedRequest("GET", "/b1/k"), s3.GetObject, "s3:TlsVersion", is("1.3")},
		{"secure transport", signedRequest("GET", "/b1/k"), s3.GetObject, "aws:SecureTransport", is("true")},
		{"the source address", signedRequest("GET", "/b1/k"), s3.GetObject, "aws:SourceIp", is("2001:db8::7")},
		{"the payload hash", signedRequest("GET", "/b1/k", h("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")), s3.GetObject, "s3:x-amz-content-sha256", is("UNSIGNED-PAYLOAD")},
		{"the payload hash in the query", signedRequest("GET", "/b1/k?X-Amz-Content-Sha256=UNSIGNED-PAYLOAD"), s3.GetObject, "s3:x-amz-content-sha256", is("UNSIGNED-PAYLOAD")},
		{"the user agent", signedRequest("GET", "/b1/k", h("user-agent", "x")), s3.GetObject, "aws:UserAgent", is("x")},
		{"the referer", signedRequest("GET", "/b1/k", h("referer", "x")), s3.GetObject, "aws:Referer", is("x")},
		{"an anonymous request has no form of signature", &s3.Request{Method: "GET", Target: "/b1/k", Host: "s3.example.net"}, s3.GetObject, "s3:authType", is(none)},
		{"an anonymous request has no age of signature", &s3.Request{Method: "GET", Target: "/b1/k", Host: "s3.example.net"}, s3.GetObject, "s3:signatureAge", is(none)},
		{"without TLS there is no version of it", &s3.Request{Method: "GET", Target: "/b1/k", Host: "s3.example.net", TLSVersion: "1.3"}, s3.GetObject, "s3:TlsVersion", is(none)},

		{"a prefix is decoded", signedRequest("GET", "/b1?prefix=a%20b%2F%2B"), s3.ListBucket, "s3:prefix", is("a b/+")},
		{"an empty prefix is a value", signedRequest("GET", "/b1?prefix="), s3.ListBucket, "s3:prefix", is("")},
		{"a prefix that is not sent is missing", signedRequest("GET", "/b1"), s3.ListBucket, "s3:prefix", is(none)},
		{"max-keys is not filled in", signedRequest("GET", "/b1"), s3.ListBucket, "s3:max-keys", is(none)},
		{"a delimiter of versions", signedRequest("GET", "/b1?versions&delimiter=%2F"), s3.ListBucketVersions, "s3:delimiter", is("/")},
		{"uploads take no prefix", signedRequest("GET", "/b1?uploads&prefix=a"), s3.ListBucketMultipartUploads, "s3:prefix", is(none)},
		{"a version", signedRequest("GET", "/b1/k?versionId=a%2Fb"), s3.GetObjectVersion, "s3:VersionId", is("a/b")},
		{"retention takes no version", signedRequest("GET", "/b1/k?retention&versionId=v"), s3.GetObjectRetention, "s3:VersionId", is(none)},
		{"the version of a copy is the source's", put(source), s3.GetObjectVersion, "s3:VersionId", is("v1")},
		{"the destination of a copy has no version", put(source), s3.PutObject, "s3:VersionId", is(none)},

		{"a copy source in both spellings, decoded", put(source), s3.PutObject, "s3:x-amz-copy-source", is("src/ab?versionId=v1", "/src/ab?versionId=v1")},
		{"a copy source without version", put(h("x-amz-copy-source", "src/a")), s3.PutObject, "s3:x-amz-copy-source", is("src/a", "/src/a")},
		{"a copy source is a key of the destination only", put(source), s3.GetObjectVersion, "s3:x-amz-copy-source", is(none)},
		{"an ACL", put(h("x-amz-acl", "private")), s3.PutObjectAcl, "s3:x-amz-acl", is("private")},
		{"encryption", put(h("x-amz-server-side-encryption", "aws:kms")), s3.PutObject, "s3:x-amz-server-side-encryption", is("aws:kms")},
		{"a KMS key", put(h("x-amz-server-side-encryption-aws-kms-key-id", "arn:k")), s3.PutObject, "s3:x-amz-server-side-encryption-aws-kms-key-id", is("arn:k")},
		{"reading takes no encryption", signedRequest("GET", "/b1/k", h("x-amz-server-side-encryption-customer-algorithm", "AES256")), s3.GetObject, "s3:x-amz-server-side-encryption-customer-algorithm", is(none)},
		{"a storage class", put(h("x-amz-storage-class", "GLACIER")), s3.PutObject, "s3:x-amz-storage-class", is("GLACIER")},
		{"if-none-match of a write", put(h("If-None-Match", "*")), s3.PutObject, "s3:if-none-match", is("*")},
		{"if-match of a delete", signedRequest("DELETE", "/b1/k", h("If-Match", `"e"`)), s3.DeleteObject, "s3:if-match", is(`"e"`)},
		{"if-match of a multi-delete is the object's", withBody(signedRequest("POST", "/b1?delete", h("If-Match", `"z"`)), `<Delete><Object><Key>a</Key><ETag>"e"</ETag></Object></Delete>`), s3.DeleteObject, "s3:if-match", is(`"e"`)},
		{"a header does not stand for the object's if-match", withBody(signedRequest("POST", "/b1?delete", h("If-Match", `"z"`)), "<Delete><Object><Key>a</Key></Object></Delete>"), s3.DeleteObject, "s3:if-match", is(none)},
		{"if-match of a read is no key", signedRequest("GET", "/b1/k", h("If-Match", `"e"`)), s3.GetObject, "s3:if-match", is(none)},
		{"a put creates", put(), s3.PutObject, "s3:ObjectCreationOperation", is("true")},
		{"a part does not create", signedRequest("PUT", "/b1/k?partNumber=1&uploadId=u"), s3.PutObject, "s3:ObjectCreationOperation", is("false")},
		{"completing creates", signedRequest("POST", "/b1/k?uploadId=u"), s3.PutObject, "s3:ObjectCreationOperation", is("true")},

		{"a tag of the request", put(h("x-amz-tagging", "a=1&B=x%20y+z")), s3.PutObject, "s3:RequestObjectTag/B", is("x y z")},
		{"tag names keep their case", put(h("x-amz-tagging", "a=1")), s3.PutObject, "s3:RequestObjectTag/A", is(none)},
		{"the tag keys of the request", put(h("x-amz-tagging", "a=1&B")), s3.PutObjectTagging, "s3:RequestObjectTagKeys", is("a", "B")},
		{"no tags, no tag keys", put(h("x-amz-tagging", "")), s3.PutObjectTagging, "s3:RequestObjectTagKeys", is(none)},
		{"tags in the body", withBody(signedRequest("PUT", "/b1/k?tagging"), tagging), s3.PutObjectTagging, "s3:RequestObjectTag/a", is("1")},
		{"tag keys in the body", withBody(signedRequest("PUT", "/b1/k?tagging&versionId=v"), tagging), s3.PutObjectVersionTagging, "s3:RequestObjectTagKeys", is("a", "B")},
		{"a tagging header does not stand for the body", withBody(signedRequest("PUT", "/b1/k?tagging", h("x-amz-tagging", "z=1")), tagging), s3.PutObjectTagging, "s3:RequestObjectTag/z", is(none)},
		{"tags in a body that was not given", signedRequest("PUT", "/b1/k?tagging"), s3.PutObjectTagging, "s3:RequestObjectTag/a", is(open)},
		{"tags of a stored object that nobody looked up", signedRequest("GET", "/b1/k"), s3.GetObject, "s3:ExistingObjectTag/a", is(open)},
		{"tags of a stored object", withTags(signedRequest("GET", "/b1/k"), s3.ObjectTags{Bucket: "b1", Key: "k", Tags: []s3.Tag{{Name: "a", Value: "1"}}}), s3.GetObject, "s3:ExistingObjectTag/a", is("1")},
		{"a stored object without that tag", withTags(signedRequest("GET", "/b1/k"), s3.ObjectTags{Bucket: "b1", Key: "k"}), s3.GetObject, "s3:ExistingObjectTag/a", is(none)},
		{"tags of another version are not the object's", withTags(signedRequest("GET", "/b1/k?versionId=v"), s3.ObjectTags{Bucket: "b1", Key: "k"}), s3.GetObjectVersion, "s3:ExistingObjectTag/a", is(open)},
		{"a delete does not ask for tags", signedRequest("DELETE", "/b1/k"), s3.DeleteObject, "s3:ExistingObjectTag/a", is(none)},
		{"the bucket's tags are the server's", signedRequest("GET", "/b1?uploads"), s3.ListBucketMultipartUploads, "aws:ResourceTag/a", is(open)},

		{"a retention mode", put(h("x-amz-object-lock-mode", "GOVERNANCE")), s3.PutObjectRetention, "s3:object-lock-mode", is("GOVERNANCE")},
		{"a retention date", put(h("x-amz-object-lock-retain-until-date", "2026-12-04T12:00:00Z")), s3.PutObject, "s3:object-lock-retain-until-date", is("2026-12-04T12:00:00Z")},
		{"days that remain", put(h("x-amz-object-lock-retain-until-date", "2026-12-04T12:00:00Z")), s3.PutObject, "s3:object-lock-remaining-retention-days", is("10")},
		{"a day begun counts", put(h("x-amz-object-lock-retain-until-date", "2026-12-04T12:00:00.001Z")), s3.PutObject, "s3:object-lock-remaining-retention-days", is("11")},
		{"a date in the past", put(h("x-amz-object-lock-retain-until-date", "2026-11-22T12:00:00Z")), s3.PutObject, "s3:object-lock-remaining-retention-days", is("-2")},
		{"a retention in the body", withBody(signedRequest("PUT", "/b1/k?retention"), "<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>2026-11-25T12:00:00Z</RetainUntilDate></Retention>"), s3.PutObjectRetention, "s3:object-lock-remaining-retention-days", is("1")},
		{"an empty retention takes it off", withBody(signedRequest("PUT", "/b1/k?retention"), "<Retention/>"), s3.PutObjectRetention, "s3:object-lock-mode", is(none)},
		{"a lock header does not stand for the body", withBody(signedRequest("PUT", "/b1/k?retention", h("x-amz-object-lock-mode", "GOVERNANCE")), "<Retention><Mode>COMPLIANCE</Mode></Retention>"), s3.PutObjectRetention, "s3:object-lock-mode", is("COMPLIANCE")},
		{"a lock header does not stand for a part of the body that is missing", withBody(signedRequest("PUT", "/b1/k?retention", h("x-amz-object-lock-mode", "GOVERNANCE")), "<Retention/>"), s3.PutObjectRetention, "s3:object-lock-mode", is(none)},
		{"a retention in a body that was not given", signedRequest("PUT", "/b1/k?retention", h("x-amz-object-lock-mode", "GOVERNANCE")), s3.PutObjectRetention, "s3:object-lock-mode", is(open)},
		{"a legal hold", put(h("x-amz-object-lock-legal-hold", "ON")), s3.PutObjectLegalHold, "s3:object-lock-legal-hold", is("ON")},
		{"a legal hold in the body", withBody(signedRequest("PUT", "/b1/k?legal-hold"), "<LegalHold><Status>OFF</Status></LegalHold>"), s3.PutObjectLegalHold, "s3:object-lock-legal-hold", is("OFF")},

		{"a region", withBody(signedRequest("PUT", "/b1"), "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"), s3.CreateBucket, "s3:locationconstraint", is("eu-west-1")},
		{"an empty region is missing", withBody(signedRequest("PUT", "/b1"), "<CreateBucketConfiguration><LocationConstraint/></CreateBucketConfiguration>"), s3.CreateBucket, "s3:locationconstraint", is(none)},
		{"an empty body has no region", signedRequest("PUT", "/b1", h("Content-Length", "0")), s3.CreateBucket, "s3:locationconstraint", is(none)},
		{"a region in a body that was not given", signedRequest("PUT", "/b1"), s3.CreateBucket, "s3:locationconstraint", is(open)},
		{"a tag of a new bucket, case aside", withBody(signedRequest("PUT", "/b1"), "<CreateBucketConfiguration><Tags><Tag><Key>Team</Key><Value>x</Value></Tag></Tags></CreateBucketConfiguration>"), s3.TagResource, "aws:RequestTag/team", is("x")},
		{"the tag keys of a new bucket", withBody(signedRequest("PUT", "/b1"), "<CreateBucketConfiguration><Tags><Tag><Key>Team</Key><Value>x</Value></Tag></Tags></CreateBucketConfiguration>"), s3.CreateBucket, "aws:TagKeys", is("Team")},
		{"object ownership", signedRequest("PUT", "/b1", h("x-amz-object-ownership", "ObjectWriter")), s3.CreateBucket, "s3:x-amz-object-ownership", is("ObjectWriter")},
		{"the fields of an inventory", withBody(signedRequest("PUT", "/b1?inventory&id=x"), "<InventoryConfiguration><Id>x</Id><OptionalFields><Field>Size</Field><Field>ETag</Field></OptionalFields></InventoryConfiguration>"), s3.PutInventoryConfiguration, "s3:InventoryAccessibleOptionalFields", is("Size", "ETag")},
		{"a replication body is not read", signedRequest("PUT", "/b1?replication"), s3.PutReplicationConfiguration, "s3:isReplicationPauseRequest", is(open)},
		{"the encryption of UpdateObjectEncryption is not read", signedRequest("PUT", "/b1/k?encryption"), s3.UpdateObjectEncryption, "s3:x-amz-server-side-encryption", is(open)},
	}
	m := newMapper(t)
	var res s3.Result
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			if err := m.Map(r.req, &res); err != nil {
				t.Fatal(err)
			}
			at := slices.IndexFunc(res.Needs, func(n s3.Need) bool { return n.Action == r.action })
			if at < 0 {
				t.Fatalf("%s is not needed: %q", r.action.Name(), needsOf(&res))
			}
			if got := presented(&res, &res.Needs[at], r.key, none, open); !slices.Equal(got, r.want) {
				t.Errorf("%s for %s is %q, want %q", r.key, r.action.Name(), got, r.want)
			}
		})
	}
}

func presented(res *s3.Result, n *s3.Need, name, none, open string) []string {
	for _, k := range []s3.Key{s3.KeyExistingObjectTag, s3.KeyRequestObjectTag, s3.KeyRequestTag, s3.KeyResourceTag} {
		if family := k.Name(); len(name) > len(family) && name[:len(family)] == family && n.Unknown.Has(k) {
			return []string{open}
		}
	}
	for k := s3.Key(1); int(k) < s3.NumKeys; k++ {
		if k.Name() == name && n.Unknown.Has(k) {
			return []string{open}
		}
	}
	if got := values(res, n, name); got != nil {
		return got
	}
	return []string{none}
}

func TestKeysLeaveOutWhatIsOpen(t *testing.T) {
	var res s3.Result
	if err := newMapper(t).Map(signedRequest("PUT", "/b1/k?encryption", h("x-amz-server-side-encryption", "AES256")), &res); err != nil {
		t.Fatal(err)
	}
	for i := range res.Needs {
		n := &res.Needs[i]
		if known := res.Keys(n); known.Has(s3.KeySSE) || !n.Unknown.Has(s3.KeySSE) || !known.Has(s3.KeyAuthType) {
			t.Errorf("%s: known keys %x, open keys %x", n.Action.Name(), known, n.Unknown)
		}
	}
}

func TestListsOfOneRequestDoNotReachTheNext(t *testing.T) {
	m := newMapper(t)
	var res s3.Result
	for _, field := range []string{"Size", "ETag"} {
		req := withBody(signedRequest("PUT", "/b1?inventory&id=x"), "<InventoryConfiguration><OptionalFields><Field>"+field+"</Field></OptionalFields></InventoryConfiguration>")
		if err := m.Map(req, &res); err != nil {
			t.Fatal(err)
		}
		if got := values(&res, &res.Needs[0], "s3:InventoryAccessibleOptionalFields"); !slices.Equal(got, []string{field}) {
			t.Errorf("fields are %q, want %q", got, field)
		}
	}
}

// TestBodyThatIsMissingIsNamed asks which body a request without one needs.
func TestBodyThatIsMissingIsNamed(t *testing.T) {
	form := h("Content-Type", "multipart/form-data; boundary=b")
	for _, c := range []struct {
		req   *s3.Request
		want  s3.Body
		needs int
	}{
		{signedRequest("POST", "/b1?delete"), s3.DeleteBody, 0},
		{signedRequest("POST", "/b1", form), s3.FormBody, 0},
		{signedRequest("PUT", "/b1"), s3.CreateBucketBody, 2},
		{signedRequest("PUT", "/b1", h("Content-Length", "0")), s3.NoBody, 1},
		{signedRequest("PUT", "/b1/k?tagging"), s3.TaggingBody, 1},
		{signedRequest("PUT", "/b1/k?retention"), s3.RetentionBody, 1},
		{signedRequest("PUT", "/b1/k?legal-hold"), s3.LegalHoldBody, 1},
		{signedRequest("PUT", "/b1?inventory&id=x"), s3.InventoryBody, 1},
		{signedRequest("PUT", "/b1?tagging"), s3.NoBody, 1},
		{signedRequest("PUT", "/b1/k"), s3.NoBody, 1},
		{signedRequest("POST", "/b1/k?uploadId=u"), s3.NoBody, 1},
	} {
		var res s3.Result
		if err := newMapper(t).Map(c.req, &res); err != nil {
			t.Fatal(err)
		}
		if res.Missing != c.want || len(res.Needs) != c.needs {
			t.Errorf("%s %s: missing %q with %d needs, want %q with %d", c.req.Method, c.req.Target, res.Missing, len(res.Needs), c.want, c.needs)
		}
	}
}

// TestBodiesThatAreRefused: a document that the operation cannot have.
func TestBodiesThatAreRefused(t *testing.T) {
	const tag = "<Tag><Key>%s</Key><Value>v</Value></Tag>"
	runCases(t, []mapCase{
		{name: "tagging without a set", method: "PUT", target: "/b1/k?tagging", body: "<Tagging/>", refused: s3.MalformedXML},
		{name: "tagging with two sets", method: "PUT", target: "/b1/k?tagging", body: "<Tagging><TagSet/><TagSet/></Tagging>", refused: s3.MalformedXML},
		{name: "a tag twice", method: "PUT", target: "/b1/k?tagging", body: "<Tagging><TagSet>" + tag + tag + "</TagSet></Tagging>", refused: s3.InvalidTag},
		{name: "a tag without key", method: "PUT", target: "/b1/k?tagging", body: "<Tagging><TagSet><Tag><Value>v</Value></Tag></TagSet></Tagging>", refused: s3.InvalidTag},
		{name: "a tag with two values", method: "PUT", target: "/b1/k?tagging", body: "<Tagging><TagSet><Tag><Key>a</Key><Value>v</Value><Value>w</Value></Tag></TagSet></Tagging>", refused: s3.MalformedXML},
		{name: "a tag set with something else", method: "PUT", target: "/b1/k?tagging", body: "<Tagging><TagSet><Other/></TagSet></Tagging>", refused: s3.MalformedXML},
		{name: "a retention with something else", method: "PUT", target: "/b1/k?retention", body: "<Retention><Status>ON</Status></Retention>", refused: s3.MalformedXML},
		{name: "a retention date that is none", method: "PUT", target: "/b1/k?retention", body: "<Retention><RetainUntilDate>soon</RetainUntilDate></Retention>", refused: s3.InvalidArgument},
		{name: "a legal hold with two states", method: "PUT", target: "/b1/k?legal-hold", body: "<LegalHold><Status>ON</Status><Status>OFF</Status></LegalHold>", refused: s3.MalformedXML},
		{name: "a bucket configuration with two regions", method: "PUT", target: "/b1", body: "<CreateBucketConfiguration><LocationConstraint>a</LocationConstraint><LocationConstraint>b</LocationConstraint></CreateBucketConfiguration>", refused: s3.MalformedXML},
		{name: "a bucket configuration of another kind", method: "PUT", target: "/b1", body: "<Delete/>", refused: s3.MalformedXML},
		{name: "an inventory that is nested too deeply", method: "PUT", target: "/b1?inventory", body: "<InventoryConfiguration>" + strings.Repeat("<A>", 8) + strings.Repeat("</A>", 8) + "</InventoryConfiguration>", refused: s3.MalformedXML},
		{name: "an inventory of another kind", method: "PUT", target: "/b1?inventory", body: "<Delete/>", refused: s3.MalformedXML},
	})
}

func TestPreflightNeedsNothingAndIsNoAllow(t *testing.T) {
	for _, target := range []string{"/b1", "/b1/k", "/b1/k?uploadId=u&partNumber=1&X-Amz-Signature=x&acl&acl"} {
		var res s3.Result
		if err := newMapper(t).Map(signedRequest("OPTIONS", target), &res); err != nil {
			t.Fatal(err)
		}
		if !res.Operation.Preflight() || len(res.Needs) != 0 || res.Bucket != "b1" {
			t.Errorf("OPTIONS %s: %s with needs %q", target, res.Operation.Name(), needsOf(&res))
		}
	}
	runCases(t, []mapCase{{name: "a preflight of the service", method: "OPTIONS", target: "/", refused: s3.MethodNotAllowed}})
}

func TestStatusOfRefusals(t *testing.T) {
	for code, want := range map[iam.Code]int{s3.MethodNotAllowed: 405, s3.NotImplemented: 501, s3.InvalidArgument: 400, s3.MalformedXML: 400} {
		if got := s3.Status(code); got != want {
			t.Errorf("status of %s is %d, want %d", code, got, want)
		}
	}
}

// Common requests cost no allocation of their own; text memory comes in chunks.
func TestCommonRequestsAllocateNothing(t *testing.T) {
	m := newMapper(t)
	for _, line := range []string{"GET /b1/photos/a.jpg", "PUT /b1/photos/a.jpg", "HEAD /b1/photos/a%20b.jpg", "DELETE /b1/k", "GET /b1?list-type=2&prefix=photos%2F&delimiter=%2F"} {
		method, target, _ := strings.Cut(line, " ")
		req := signedRequest(method, target, signedHeaders("s3.example.net")...)
		var res s3.Result
		if n := testing.AllocsPerRun(1000, func() {
			if err := m.Map(req, &res); err != nil {
				t.Fatal(err)
			}
			if res.Lookup(&res.Needs[0], s3.KeyUserAgent, "").Presence != s3.Single {
				t.Fatal("no user agent")
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", line, n)
		}
	}
}
