package s3_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/authz/form"
	"github.com/doorward/doorward/authz/s3"
	"github.com/doorward/doorward/iam"
)

// A case is one request and what it must need: "action on resource" each, or the
// code it is refused with.
type mapCase struct {
	name    string
	method  string
	target  string
	host    string // s3.example.net if empty
	headers []s3.Header
	body    string
	want    []string
	refused iam.Code
}

func h(name, value string) s3.Header { return s3.Header{Name: name, Value: value} }

func need(action, path string) string { return "s3:" + action + " on arn:aws:s3:::" + path }

func newMapper(t testing.TB) *s3.Mapper {
	t.Helper()
	m, err := s3.New(s3.Config{Endpoints: []string{"s3.example.net", "example.net", "127.0.0.1:9000", "[::1]:9000"}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (c mapCase) request() *s3.Request {
	req := &s3.Request{Method: c.method, Target: c.target, Host: c.host, Headers: c.headers}
	if req.Host == "" {
		req.Host = "s3.example.net"
	}
	if c.body != "" {
		req.HasBody, req.Body = true, []byte(c.body)
	}
	return req
}

func needsOf(res *s3.Result) []string {
	var got []string
	for _, n := range res.Needs {
		suffix := map[s3.Proviso]string{s3.IfSourceTagged: " if the source is tagged", s3.IfBodyTagged: " if the body is tagged"}[n.If]
		got = append(got, n.Action.Name()+" on "+n.Resource+suffix)
	}
	return got
}

func codeOf(err error) iam.Code {
	var refusal *iam.Error
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	return ""
}

func runCases(t *testing.T, cases []mapCase) {
	t.Helper()
	m := newMapper(t)
	var res s3.Result
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := m.Map(c.request(), &res)
			if code := codeOf(err); code != c.refused {
				t.Fatalf("%s %s %v: error is %v, want code %q", c.method, c.target, c.headers, err, c.refused)
			}
			if err != nil && (len(res.Needs) != 0 || res.Operation != 0 || res.Bucket != "" || res.Key != "") {
				t.Errorf("a refused request left a result: %+v", res)
			}
			if got := needsOf(&res); !slices.Equal(got, c.want) {
				t.Errorf("%s %s %v:\n got %q\nwant %q", c.method, c.target, c.headers, got, c.want)
			}
		})
	}
}

// Threat class 12: path or prefix confusion between buckets.
func TestPathConfusionBetweenBuckets(t *testing.T) {
	runCases(t, []mapCase{
		{name: "SeaweedFS CVE-2026-54917: dot segments in the path stay in the key", method: "GET", target: "/examplebucket/../other/x", want: []string{need("GetObject", "examplebucket/../other/x")}},
		{name: "encoded dot segments are decoded once and stay", method: "GET", target: "/examplebucket/%2e%2e/other/x", want: []string{need("GetObject", "examplebucket/../other/x")}},
		{name: "doubly encoded dot segments are decoded once", method: "GET", target: "/examplebucket/%252e%252e/other/x", want: []string{need("GetObject", "examplebucket/%2e%2e/other/x")}},
		{name: "an encoded slash in the key is a slash of the same key", method: "GET", target: "/examplebucket/a%2F..%2fb", want: []string{need("GetObject", "examplebucket/a/../b")}},
		{name: "doubled slashes are not folded", method: "PUT", target: "/examplebucket//a//b", want: []string{need("PutObject", "examplebucket//a//b")}},
		{name: "a backslash is a character", method: "GET", target: `/examplebucket/..%5cother\x`, want: []string{need("GetObject", `examplebucket/..\other\x`)}},
		{name: "RustFS CVE-2025-68705: a bucket of dots is no bucket", method: "GET", target: "/../x", refused: s3.InvalidBucketName},
		{name: "one dot is no bucket", method: "GET", target: "/./x", refused: s3.InvalidBucketName},
		{name: "encoded dots are no bucket", method: "GET", target: "/%2e%2e/x", refused: s3.InvalidBucketName},
		{name: "an encoded slash in the bucket does not make a key", method: "GET", target: "/examplebucket%2Fother/x", refused: s3.InvalidBucketName},
		{name: "an encoded bucket name is the same bucket", method: "GET", target: "/exam%70lebucket/x", want: []string{need("GetObject", "examplebucket/x")}},
		{name: "an empty first segment is no bucket", method: "GET", target: "//examplebucket/x", refused: s3.InvalidBucketName},
		{name: "a bucket with a wildcard is no bucket", method: "GET", target: "/*/x", refused: s3.InvalidBucketName},
		{name: "a bucket with a colon is no bucket", method: "GET", target: "/a:b/x", refused: s3.InvalidBucketName},
		{name: "a key of wildcards is literal", method: "DELETE", target: "/examplebucket/%2a", want: []string{need("DeleteObject", "examplebucket/*")}},
		{name: "SeaweedFS CVE-2026-72921 and CVE-2026-77317: a/bc is not a/b", method: "GET", target: "/examplebucket/a/bc", want: []string{need("GetObject", "examplebucket/a/bc")}},
		{name: "virtual host: dot segments do not reach another bucket", method: "GET", target: "/../other/x", host: "examplebucket.s3.example.net", want: []string{need("GetObject", "examplebucket/../other/x")}},
		{name: "virtual host: a second slash belongs to the key", method: "GET", target: "//other/x", host: "examplebucket.s3.example.net", want: []string{need("GetObject", "examplebucket//other/x")}},
		{name: "a NUL does not end a key", method: "GET", target: "/examplebucket/a%00b", refused: s3.InvalidArgument},
		{name: "a key that is not UTF-8 is refused", method: "GET", target: "/examplebucket/%ff", refused: s3.InvalidURI},
		{name: "an overlong encoding of a slash is not UTF-8", method: "GET", target: "/examplebucket/..%c0%afother", refused: s3.InvalidURI},
		{name: "a malformed escape is refused", method: "GET", target: "/examplebucket/%zz", refused: s3.InvalidURI},
		{name: "a cut escape is refused", method: "GET", target: "/examplebucket/a%2", refused: s3.InvalidURI},
		{name: "a fragment does not hide a subresource", method: "GET", target: "/examplebucket/a?x=1#&acl", refused: s3.InvalidURI},
		{name: "a line break ends no target", method: "GET", target: "/examplebucket/a\r\nHost: b", refused: s3.InvalidURI},
		{name: "the absolute form is refused", method: "GET", target: "http://other.s3.example.net/x", refused: s3.InvalidURI},
		{name: "the asterisk form is refused", method: "OPTIONS", target: "*", refused: s3.InvalidURI},
		{name: "an empty target is refused", method: "GET", target: "", refused: s3.InvalidURI},
		{name: "a key of 1024 bytes is the longest", method: "GET", target: "/examplebucket/" + strings.Repeat("%C3%A9", 512), want: []string{need("GetObject", "examplebucket/"+strings.Repeat("é", 512))}},
		{name: "a key of 1025 bytes is too long", method: "GET", target: "/examplebucket/" + strings.Repeat("a", 1025), refused: s3.KeyTooLong},
	})
}

// Host decides the bucket as much as the path does.
func TestHostNamesTheBucket(t *testing.T) {
	runCases(t, []mapCase{
		{name: "an endpoint is path style", method: "GET", target: "/b1/k", host: "s3.example.net", want: []string{need("GetObject", "b1/k")}},
		{name: "a port does not matter", method: "GET", target: "/b1/k", host: "s3.example.net:8443", want: []string{need("GetObject", "b1/k")}},
		{name: "case does not matter", method: "GET", target: "/k", host: "Example-Bucket.S3.Example.NET", want: []string{need("GetObject", "example-bucket/k")}},
		{name: "a bucket may have dots", method: "GET", target: "/k", host: "my.dotted.bucket.s3.example.net", want: []string{need("GetObject", "my.dotted.bucket/k")}},
		{name: "the longer endpoint counts", method: "GET", target: "/k", host: "logs.s3.example.net", want: []string{need("GetObject", "logs/k")}},
		{name: "below the shorter endpoint", method: "GET", target: "/k", host: "logs.example.net", want: []string{need("GetObject", "logs/k")}},
		{name: "an address with a port", method: "GET", target: "/b1/k", host: "127.0.0.1:9000", want: []string{need("GetObject", "b1/k")}},
		{name: "an IPv6 address with a port", method: "GET", target: "/b1/k", host: "[::1]:9000", want: []string{need("GetObject", "b1/k")}},
		{name: "the endpoint as a suffix without dot is another host", method: "GET", target: "/k", host: "evils3.example.org", refused: s3.InvalidBucketName},
		{name: "an endpoint behind another character than a dot is another name", method: "GET", target: "/k", host: "evil-s3.example.net", want: []string{need("GetObject", "evil-s3/k")}},
		{name: "another host is refused", method: "GET", target: "/k", host: "example.org", refused: s3.InvalidBucketName},
		{name: "an empty bucket label is refused", method: "GET", target: "/k", host: ".s3.example.net", refused: s3.InvalidRequest},
		{name: "a closing dot is refused", method: "GET", target: "/k", host: "b1.s3.example.net.", refused: s3.InvalidRequest},
		{name: "a bucket of dots is refused", method: "GET", target: "/k", host: "..s3.example.net", refused: s3.InvalidRequest},
		{name: "a slash in Host is refused", method: "GET", target: "/k", host: "b1/x.s3.example.net", refused: s3.InvalidRequest},
		{name: "user information in Host is refused", method: "GET", target: "/k", host: "b1@s3.example.net", refused: s3.InvalidRequest},
		{name: "a port that is no number is refused", method: "GET", target: "/k", host: "s3.example.net:x", refused: s3.InvalidRequest},
		{name: "two different hosts are refused", method: "GET", target: "/k", host: "b1.s3.example.net", headers: []s3.Header{h("Host", "b2.s3.example.net")}, refused: s3.InvalidArgument},
		{name: "X-Forwarded-Host does not count", method: "GET", target: "/k", host: "b1.s3.example.net", headers: []s3.Header{h("X-Forwarded-Host", "b2.s3.example.net"), h("X-Original-Url", "/other")}, want: []string{need("GetObject", "b1/k")}},
	})
}

func TestHostMustBeThere(t *testing.T) {
	var res s3.Result
	if err := newMapper(t).Map(&s3.Request{Method: "GET", Target: "/b1/k"}, &res); codeOf(err) != s3.InvalidRequest {
		t.Errorf("without Host the error is %v", err)
	}
}

func TestOtherHostsArePathStyleOnlyIfConfigured(t *testing.T) {
	m, err := s3.New(s3.Config{OtherHosts: true})
	if err != nil {
		t.Fatal(err)
	}
	var res s3.Result
	if err := m.Map(&s3.Request{Method: "GET", Target: "/b1/k", Host: "anything.example.org:1"}, &res); err != nil || res.Bucket != "b1" || res.Style != s3.PathStyle {
		t.Errorf("got %v, bucket %q", err, res.Bucket)
	}
	for _, c := range []s3.Config{{}, {Endpoints: []string{""}}, {Endpoints: []string{"*.example.net"}}, {Endpoints: []string{"http://example.net"}}} {
		if _, err := s3.New(c); err == nil {
			t.Errorf("configuration %+v was taken", c)
		}
	}
}

// Threat class 13: copy source, multi-delete and part copy authorized on the
// wrong object.
func TestCopySourceIsAuthorizedByItself(t *testing.T) {
	copyCase := func(name, source string, want []string, refused iam.Code) mapCase {
		return mapCase{name: name, method: "PUT", target: "/dst/k", headers: []s3.Header{h("x-amz-copy-source", source), h("x-amz-tagging-directive", "REPLACE")}, want: want, refused: refused}
	}
	copied := func(read, source string) []string { return []string{need(read, source), need("PutObject", "dst/k")} }
	runCases(t, []mapCase{
		copyCase("Ceph tracker 81248: the source is read with the source's own version", "src/a?versionId=v1", copied("GetObjectVersion", "src/a"), ""),
		copyCase("Ceph CVE-2024-47866: an empty source is refused, not a crash", "", nil, s3.InvalidArgument),
		copyCase("SeaweedFS CVE-2026-55874: dot segments in the source stay in its key", "src/../other/a", copied("GetObject", "src/../other/a"), ""),
		copyCase("encoded dot segments in the source stay in its key", "/src/%2e%2e%2Fother/a", copied("GetObject", "src/../other/a"), ""),
		copyCase("with a leading slash", "/src/a", copied("GetObject", "src/a"), ""),
		copyCase("encoded as a whole", "%2Fsrc%2Fa%20b", copied("GetObject", "src/a b"), ""),
		copyCase("encoded as a whole without slash", "src%2Fa", copied("GetObject", "src/a"), ""),
		copyCase("decoded once", "src/a%2520b", copied("GetObject", "src/a%20b"), ""),
		copyCase("a plus sign is a plus sign", "src/a+b", copied("GetObject", "src/a+b"), ""),
		copyCase("a version mark that was encoded belongs to the key", "src/a%3FversionId=v1", copied("GetObject", "src/a?versionId=v1"), ""),
		copyCase("the version is decoded", "src/a?versionId=a%2Fb", copied("GetObjectVersion", "src/a"), ""),
		copyCase("version null is a version", "src/a?versionId=null", copied("GetObjectVersion", "src/a"), ""),
		copyCase("a doubled slash belongs to the key", "src//a", copied("GetObject", "src//a"), ""),
		copyCase("two leading slashes name no bucket", "//src/a", nil, s3.InvalidArgument),
		copyCase("a slash alone is refused", "/", nil, s3.InvalidArgument),
		copyCase("a bucket alone is refused", "src", nil, s3.InvalidArgument),
		copyCase("a bucket with a slash is refused", "/src/", nil, s3.InvalidArgument),
		copyCase("a bucket of dots is refused", "../a", nil, s3.InvalidBucketName),
		copyCase("an empty version is refused", "src/a?versionId=", nil, s3.InvalidArgument),
		copyCase("two versions are refused", "src/a?versionId=v1?versionId=v2", nil, s3.InvalidArgument),
		copyCase("another parameter is refused", "src/a?x=1", nil, s3.InvalidArgument),
		copyCase("a parameter behind the version is refused", "src/a?versionId=v1&x=1", nil, s3.InvalidArgument),
		copyCase("a fragment is refused", "src/a#b", nil, s3.InvalidArgument),
		copyCase("a malformed escape is refused", "src/a%", nil, s3.InvalidArgument),
		copyCase("a malformed escape in the version is refused", "src/a?versionId=%x", nil, s3.InvalidArgument),
		copyCase("a NUL is refused", "src/a%00", nil, s3.InvalidArgument),
		copyCase("an access point is refused", "arn:aws:s3:us-east-1:123456789012:accesspoint/ap/object/a", nil, s3.NotImplemented),
		{name: "RustFS GHSA-mx42: the source of a part copy is checked", method: "PUT", target: "/dst/k?partNumber=1&uploadId=u", headers: []s3.Header{h("x-amz-copy-source", "src/a")}, want: copied("GetObject", "src/a")},
		{name: "a copy source moved into the query counts", method: "PUT", target: "/dst/k?X-Amz-Copy-Source=src%2Fa&x-amz-tagging-directive=REPLACE", want: copied("GetObject", "src/a")},
		{name: "a copy source in header and query must agree", method: "PUT", target: "/dst/k?x-amz-copy-source=src%2Fa", headers: []s3.Header{h("x-amz-copy-source", "src/b")}, refused: s3.InvalidArgument},
		{name: "a copy source does not turn another operation into a copy", method: "PUT", target: "/dst/k?tagging", headers: []s3.Header{h("x-amz-copy-source", "src/a")}, refused: s3.InvalidArgument},
		{name: "a copy source has no meaning for GET", method: "GET", target: "/dst/k", headers: []s3.Header{h("x-amz-copy-source", "src/a")}, refused: s3.InvalidArgument},
		{name: "a copy carries tags along unless it replaces them", method: "PUT", target: "/dst/k", headers: []s3.Header{h("x-amz-copy-source", "src/a?versionId=v")}, want: []string{
			need("GetObjectVersion", "src/a"), need("GetObjectVersionTagging", "src/a") + " if the source is tagged",
			need("PutObjectTagging", "dst/k") + " if the source is tagged", need("PutObject", "dst/k")}},
		{name: "a directive in other letters does not replace", method: "PUT", target: "/dst/k", headers: []s3.Header{h("x-amz-copy-source", "src/a"), h("x-amz-tagging-directive", "replace")}, want: []string{
			need("GetObject", "src/a"), need("GetObjectTagging", "src/a") + " if the source is tagged",
			need("PutObjectTagging", "dst/k") + " if the source is tagged", need("PutObject", "dst/k")}},
	})
}

// The tags of a copied object are known to the S3 server; once it has said, the
// needs are certain.
func TestCopyOfAnObjectWhoseTagsAreKnown(t *testing.T) {
	for name, c := range map[string]struct {
		tags []s3.Tag
		want []string
	}{
		"an object without tags":  {nil, []string{need("GetObject", "src/a"), need("PutObject", "dst/k")}},
		"an object with tags":     {[]s3.Tag{{Name: "a", Value: "b"}}, []string{need("GetObject", "src/a"), need("GetObjectTagging", "src/a"), need("PutObjectTagging", "dst/k"), need("PutObject", "dst/k")}},
		"tags of another version": {nil, nil},
	} {
		req := &s3.Request{Method: "PUT", Target: "/dst/k", Host: "s3.example.net", Headers: []s3.Header{h("x-amz-copy-source", "src/a")}, Stored: []s3.ObjectTags{{Bucket: "src", Key: "a", Tags: c.tags}}}
		if c.want == nil {
			req.Stored[0].VersionID = "v1"
			c.want = []string{need("GetObject", "src/a"), need("GetObjectTagging", "src/a") + " if the source is tagged", need("PutObjectTagging", "dst/k") + " if the source is tagged", need("PutObject", "dst/k")}
		}
		var res s3.Result
		if err := newMapper(t).Map(req, &res); err != nil {
			t.Fatal(err)
		}
		if got := needsOf(&res); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestMultiDeleteIsAuthorizedKeyByKey(t *testing.T) {
	deleteCase := func(name, body string, want []string, refused iam.Code) mapCase {
		return mapCase{name: name, method: "POST", target: "/examplebucket?delete", body: body, want: want, refused: refused}
	}
	const bad = s3.MalformedXML
	many := strings.Repeat("<Object><Key>k</Key></Object>", 1001)
	runCases(t, []mapCase{
		deleteCase("every key has its own need", "<Delete><Object><Key>a</Key></Object><Object><Key>b</Key><VersionId>v</VersionId></Object></Delete>", []string{need("DeleteObject", "examplebucket/a"), need("DeleteObjectVersion", "examplebucket/b")}, ""),
		deleteCase("SeaweedFS CVE-2026-58372: dot segments in a listed key stay in it", "<Delete><Object><Key>../other/x</Key></Object></Delete>", []string{need("DeleteObject", "examplebucket/../other/x")}, ""),
		deleteCase("a listed key is not percent-decoded", "<Delete><Object><Key>a%2Fb</Key></Object></Delete>", []string{need("DeleteObject", "examplebucket/a%2Fb")}, ""),
		deleteCase("character references are decoded", "<Delete><Object><Key>a&#x2F;b&amp;&lt;</Key></Object></Delete>", []string{need("DeleteObject", "examplebucket/a/b&<")}, ""),
		deleteCase("white space belongs to the key", "<Delete><Object><Key> a </Key></Object></Delete>", []string{need("DeleteObject", "examplebucket/ a ")}, ""),
		deleteCase("CDATA is text", "<Delete><Object><Key><![CDATA[a&b]]></Key></Object></Delete>", []string{need("DeleteObject", "examplebucket/a&b")}, ""),
		deleteCase("a declaration, a mark and layout are fine", "\ufeff<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n <Quiet>true</Quiet>\n <Object>\n  <Key>a</Key>\n </Object>\n</Delete>\n", []string{need("DeleteObject", "examplebucket/a")}, ""),
		deleteCase("Swift CVE-2022-47950: a document type with entities is refused", `<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&x;</Key></Object></Delete>`, nil, bad),
		deleteCase("an entity that nobody declared is refused", "<Delete><Object><Key>&x;</Key></Object></Delete>", nil, bad),
		deleteCase("a second root is refused", "<Delete><Object><Key>a</Key></Object></Delete><Delete><Object><Key>b</Key></Object></Delete>", nil, bad),
		deleteCase("text behind the root is refused", "<Delete><Object><Key>a</Key></Object></Delete>x", nil, bad),
		deleteCase("a comment within a key is refused", "<Delete><Object><Key>a<!-- -->b</Key></Object></Delete>", nil, bad),
		deleteCase("an element within a key is refused", "<Delete><Object><Key>a<b/></Key></Object></Delete>", nil, bad),
		deleteCase("two keys in one object are refused", "<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>", nil, bad),
		deleteCase("two versions in one object are refused", "<Delete><Object><Key>a</Key><VersionId>1</VersionId><VersionId>2</VersionId></Object></Delete>", nil, bad),
		deleteCase("an unknown element is refused", "<Delete><Object><Key>a</Key><key>b</key></Object></Delete>", nil, bad),
		deleteCase("an element of another namespace is refused", `<Delete xmlns:o="urn:o"><Object><Key>a</Key><o:VersionId>v</o:VersionId></Object></Delete>`, nil, bad),
		deleteCase("a root of another namespace is refused", `<Delete xmlns="urn:o"><Object><Key>a</Key></Object></Delete>`, nil, bad),
		deleteCase("another root is refused", "<Remove><Object><Key>a</Key></Object></Remove>", nil, bad),
		deleteCase("a key outside of an object is refused", "<Delete><Key>a</Key></Delete>", nil, bad),
		deleteCase("text beside objects is refused", "<Delete>a<Object><Key>a</Key></Object></Delete>", nil, bad),
		deleteCase("an empty key is refused", "<Delete><Object><Key></Key></Object></Delete>", nil, bad),
		deleteCase("an empty version is refused", "<Delete><Object><Key>a</Key><VersionId/></Object></Delete>", nil, bad),
		deleteCase("an empty list is refused", "<Delete></Delete>", nil, bad),
		deleteCase("a cut document is refused", "<Delete><Object><Key>a</Key></Object>", nil, bad),
		deleteCase("another character set is refused", `<?xml version="1.0" encoding="UTF-7"?><Delete><Object><Key>a</Key></Object></Delete>`, nil, bad),
		deleteCase("white space alone is refused", " ", nil, bad),
		deleteCase("1001 keys are too many", "<Delete>"+many+"</Delete>", nil, bad),
		deleteCase("deep nesting is refused", strings.Repeat("<Delete>", 100_000), nil, bad),
		deleteCase("a key that is too long is refused", "<Delete><Object><Key>"+strings.Repeat("a", 1025)+"</Key></Object></Delete>", nil, s3.KeyTooLong),
		deleteCase("a large document is refused", "<Delete><Object><Key>a</Key></Object>"+strings.Repeat(" ", 2<<20)+"</Delete>", nil, bad),
	})
}

func TestMultiDeleteDecisionsAreSeparate(t *testing.T) {
	const body = `<Delete><Object><Key>a</Key><ETag>"e"</ETag></Object><Object><Key>b</Key><VersionId>v</VersionId></Object></Delete>`
	req := &s3.Request{Method: "POST", Target: "/examplebucket/?delete", Host: "s3.example.net", HasBody: true, Body: []byte(body),
		Headers: []s3.Header{h("x-amz-bypass-governance-retention", "true"), h("If-Match", `"z"`)}}
	var res s3.Result
	if err := newMapper(t).Map(req, &res); err != nil {
		t.Fatal(err)
	}
	var groups []string
	for i := range res.Needs {
		n := &res.Needs[i]
		groups = append(groups, fmt.Sprintf("%d %s %s %q %q", n.Group, n.Action.Name(), n.Key, values(&res, n, "s3:if-match"), values(&res, n, "s3:VersionId")))
	}
	want := []string{
		`0 s3:DeleteObject a ["\"e\""] []`, "0 s3:BypassGovernanceRetention a [] []",
		`1 s3:DeleteObjectVersion b [] ["v"]`, "1 s3:BypassGovernanceRetention b [] []",
	}
	if !slices.Equal(groups, want) || res.Evaluation != s3.Each {
		t.Errorf("got %q, evaluation %v; want %q", groups, res.Evaluation, want)
	}
}

// Subresources: never guessed, never two, never by another spelling.
func TestUnknownSubresourcesAreRefused(t *testing.T) {
	runCases(t, []mapCase{
		{name: "two subresources", method: "GET", target: "/b1/k?acl&tagging", refused: s3.InvalidRequest},
		{name: "a subresource and an upload", method: "PUT", target: "/b1/k?acl&uploadId=u&partNumber=1", refused: s3.InvalidRequest},
		{name: "one subresource twice", method: "GET", target: "/b1/k?acl&acl", refused: s3.InvalidArgument},
		{name: "an unknown subresource is not GetObject", method: "GET", target: "/b1/k?shadow", refused: s3.NotImplemented},
		{name: "an unknown subresource with an equals sign", method: "GET", target: "/b1/k?shadow=", refused: s3.NotImplemented},
		{name: "a subresource that no operation here has", method: "GET", target: "/b1?session", refused: s3.NotImplemented},
		{name: "a rename is not a PutObject", method: "PUT", target: "/b1/k?renameObject", headers: []s3.Header{h("x-amz-rename-source", "/b1/x")}, refused: s3.NotImplemented},
		{name: "a bucket subresource on an object", method: "PUT", target: "/b1/k?policy", refused: s3.NotImplemented},
		{name: "an object subresource on a bucket", method: "GET", target: "/b1?torrent", refused: s3.NotImplemented},
		{name: "a subresource on the service", method: "GET", target: "/?acl", refused: s3.NotImplemented},
		{name: "the wrong method for a subresource", method: "DELETE", target: "/b1?acl", refused: s3.MethodNotAllowed},
		{name: "HEAD does not read a subresource", method: "HEAD", target: "/b1/k?acl", refused: s3.MethodNotAllowed},
		{name: "POST without subresource on an object", method: "POST", target: "/b1/k", refused: s3.MethodNotAllowed},
		{name: "SeaweedFS CVE-2026-77368: a verb of resumable uploads is none of S3", method: "PATCH", target: "/b1/k", headers: []s3.Header{h("Tus-Resumable", "1.0.0"), h("Upload-Offset", "0")}, refused: s3.MethodNotAllowed},
		{name: "SeaweedFS CVE-2026-77611: an ACL is for the key of the request", method: "PUT", target: "/b1/k?acl", headers: []s3.Header{h("x-amz-acl", "public-read"), h("x-amz-object", "other")}, want: []string{need("PutObjectAcl", "b1/k")}},
		{name: "SeaweedFS CVE-2026-55873: who reads attributes needs both actions", method: "GET", target: "/b1/k?attributes", want: []string{need("GetObject", "b1/k"), need("GetObjectAttributes", "b1/k")}},
		{name: "MinIO CVE-2026-34204: a header of replication makes no other operation", method: "PUT", target: "/b1/k", headers: []s3.Header{h("x-minio-source-replication-request", "true"), h("x-amz-replication-status", "REPLICA")}, want: []string{need("PutObject", "b1/k")}},
		{name: "an unknown method", method: "PATCH", target: "/b1/k", refused: s3.MethodNotAllowed},
		{name: "a method in small letters", method: "get", target: "/b1/k", refused: s3.MethodNotAllowed},
		{name: "PUT on the service", method: "PUT", target: "/", refused: s3.MethodNotAllowed},
		{name: "another case of a subresource", method: "GET", target: "/b1/k?ACL", refused: s3.InvalidArgument},
		{name: "another case of versionId", method: "DELETE", target: "/b1/k?versionid=v", refused: s3.InvalidArgument},
		{name: "an encoded letter is the same subresource", method: "GET", target: "/b1/k?%61cl", want: []string{need("GetObjectAcl", "b1/k")}},
		{name: "an encoded equals sign is not a separator", method: "GET", target: "/b1/k?acl%3D", refused: s3.NotImplemented},
		{name: "a subresource with a value", method: "GET", target: "/b1/k?acl=1", refused: s3.InvalidArgument},
		{name: "an equals sign without value is the same subresource", method: "GET", target: "/b1/k?acl=", want: []string{need("GetObjectAcl", "b1/k")}},
		{name: "a semicolon does not separate", method: "GET", target: "/b1/k?x=1;acl", refused: s3.InvalidURI},
		{name: "a semicolon in a value that is read", method: "GET", target: "/b1?prefix=a;b", refused: s3.InvalidURI},
		{name: "a plus sign in a value that is read", method: "GET", target: "/b1?prefix=a+b", refused: s3.InvalidURI},
		{name: "prefix twice", method: "GET", target: "/b1?prefix=a&prefix=b", refused: s3.InvalidArgument},
		{name: "versionId twice", method: "GET", target: "/b1/k?versionId=a&versionId=b", refused: s3.InvalidArgument},
		{name: "an empty versionId", method: "GET", target: "/b1/k?versionId=", refused: s3.InvalidArgument},
		{name: "versionId where it has no meaning", method: "PUT", target: "/b1/k?versionId=v", refused: s3.InvalidArgument},
		{name: "versionId on a bucket", method: "GET", target: "/b1?versionId=v", refused: s3.InvalidArgument},
		{name: "an empty uploadId is not DeleteObject", method: "DELETE", target: "/b1/k?uploadId=", refused: s3.InvalidArgument},
		{name: "uploadId without partNumber", method: "PUT", target: "/b1/k?uploadId=u", refused: s3.MethodNotAllowed},
		{name: "partNumber without uploadId", method: "PUT", target: "/b1/k?partNumber=1", refused: s3.InvalidArgument},
		{name: "a part of an object", method: "GET", target: "/b1/k?partNumber=1", want: []string{need("GetObject", "b1/k")}},
		{name: "another list type", method: "GET", target: "/b1?list-type=3", refused: s3.InvalidArgument},
		{name: "the RustFS class GHSA-3ppv: a version is another action", method: "GET", target: "/b1/k?versionId=v", want: []string{need("GetObjectVersion", "b1/k")}},
		{name: "parameters that S3 ignores", method: "GET", target: "/b1/k?x-id=GetObject&response-content-type=text%2Fplain&utm_source=mail&&", want: []string{need("GetObject", "b1/k")}},
		{name: "a malformed parameter name", method: "GET", target: "/b1/k?%=1", refused: s3.InvalidURI},
		{name: "a malformed prefix", method: "GET", target: "/b1?prefix=%g", refused: s3.InvalidURI},
		{name: "ListBuckets", method: "GET", target: "/?prefix=a&max-buckets=5", want: []string{"s3:ListAllMyBuckets on *"}},
	})
}

// Content-Type does not choose how a request is authorized, except that a form
// on a bucket is one.
func TestContentTypeTricks(t *testing.T) {
	form := "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nx\r\n--b--\r\n"
	const multipart = "multipart/form-data; boundary=b"
	runCases(t, []mapCase{
		{name: "a form on a bucket", method: "POST", target: "/b1", headers: []s3.Header{h("Content-Type", multipart)}, body: form, want: []string{need("PutObject", "b1/k")}},
		{name: "a form type in capitals", method: "POST", target: "/b1/", headers: []s3.Header{h("content-type", "Multipart/Form-Data;Boundary=\"b\"")}, body: form, want: []string{need("PutObject", "b1/k")}},
		{name: "MinIO CVE-2023-28434: a type that contains the words is no form", method: "POST", target: "/b1", headers: []s3.Header{h("Content-Type", "application/x; note=multipart/form-data; boundary=b")}, body: form, refused: s3.MethodNotAllowed},
		{name: "MinIO CVE-2023-28434: a type that begins with the words is no form", method: "POST", target: "/b1", headers: []s3.Header{h("Content-Type", "multipart/form-datax; boundary=b")}, body: form, refused: s3.MethodNotAllowed},
		{name: "MinIO CVE-2023-28434: PUT with a form type is a PutObject", method: "PUT", target: "/b1/k", headers: []s3.Header{h("Content-Type", multipart)}, want: []string{need("PutObject", "b1/k")}},
		{name: "MinIO CVE-2023-28434: a form type does not skip the bucket name", method: "POST", target: "/..", headers: []s3.Header{h("Content-Type", multipart)}, body: form, refused: s3.InvalidBucketName},
		{name: "SeaweedFS #7912: a form type on a multi-delete leaves it one", method: "POST", target: "/b1?delete", headers: []s3.Header{h("Content-Type", multipart)}, body: "<Delete><Object><Key>a</Key></Object></Delete>", want: []string{need("DeleteObject", "b1/a")}},
		{name: "SeaweedFS #7912: a form type on a key is refused", method: "POST", target: "/b1/k", headers: []s3.Header{h("Content-Type", multipart)}, body: form, refused: s3.MethodNotAllowed},
		{name: "a form type on the service is refused", method: "POST", target: "/", headers: []s3.Header{h("Content-Type", multipart)}, body: form, refused: s3.MethodNotAllowed},
		{name: "a form type without boundary is refused", method: "POST", target: "/b1", headers: []s3.Header{h("Content-Type", "multipart/form-data")}, body: form, refused: s3.MalformedPOSTRequest},
		{name: "a form", method: "POST", target: "/b1", headers: []s3.Header{h("Content-Type", multipart)}, body: form, want: []string{need("PutObject", "b1/k")}},
		{name: "POST without type is refused, also right after a form", method: "POST", target: "/b1", body: form, refused: s3.MethodNotAllowed},
		{name: "two types are refused", method: "POST", target: "/b1", headers: []s3.Header{h("Content-Type", multipart), h("Content-Type", "text/plain")}, body: form, refused: s3.InvalidArgument},
	})
}

// formOf builds a form; "file" ends it.
func formOf(fields ...[2]string) string {
	var b strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&b, "--b\r\nContent-Disposition: form-data; name=%q", f[0])
		if f[0] == "file" {
			fmt.Fprintf(&b, "; filename=\"%s\"\r\nContent-Type: text/plain", f[1])
			f[1] = "data"
		}
		fmt.Fprintf(&b, "\r\n\r\n%s\r\n", f[1])
	}
	return b.String() + "--b--\r\n"
}

func TestBrowserForms(t *testing.T) {
	formCase := func(name string, want []string, refused iam.Code, fields ...[2]string) mapCase {
		return mapCase{name: name, method: "POST", target: "/", host: "b1.s3.example.net", headers: []s3.Header{h("Content-Type", "multipart/form-data; boundary=b")}, body: formOf(fields...), want: want, refused: refused}
	}
	file := [2]string{"file", "pic.jpg"}
	put := func(key string) []string { return []string{need("PutObject", "b1/"+key)} }
	runCases(t, []mapCase{
		formCase("the file's name is put into the key", put("u/pic.jpg"), "", [2]string{"key", "u/${filename}"}, file),
		formCase("the file's directories are dropped", put("u/x.jpg"), "", [2]string{"key", "u/${filename}"}, [2]string{"file", "C:/../x.jpg"}),
		formCase("the file's directories are dropped as on Windows", put("u/x.jpg"), "", [2]string{"key", "u/${filename}"}, [2]string{"file", `C:\dir\x.jpg`}),
		formCase("MinIO CVE-2021-21362: a form needs the permission to write", put("k"), "", [2]string{"key", "k"}, file),
		formCase("a key is not percent-decoded", put("a%2Fb"), "", [2]string{"key", "a%2Fb"}, file),
		formCase("dot segments stay in the key", put("../other/x"), "", [2]string{"key", "../other/x"}, file),
		formCase("a field name in any case", put("k"), "", [2]string{"KEY", "k"}, file),
		formCase("an ACL needs its action", append(put("k"), need("PutObjectAcl", "b1/k")), "", [2]string{"key", "k"}, [2]string{"acl", "private"}, file),
		formCase("an ACL as a header field", append(put("k"), need("PutObjectAcl", "b1/k")), "", [2]string{"key", "k"}, [2]string{"x-amz-acl", "private"}, file),
		formCase("two ACLs that differ", nil, s3.InvalidArgument, [2]string{"key", "k"}, [2]string{"acl", "private"}, [2]string{"x-amz-acl", "public-read"}, file),
		formCase("tags need their action", append(put("k"), need("PutObjectTagging", "b1/k")), "", [2]string{"key", "k"}, [2]string{"tagging", "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"}, file),
		formCase("a lock needs its action", append(put("k"), need("PutObjectRetention", "b1/k")), "", [2]string{"key", "k"}, [2]string{"x-amz-object-lock-mode", "COMPLIANCE"}, file),
		formCase("tags that are no document", nil, s3.MalformedXML, [2]string{"key", "k"}, [2]string{"tagging", "a=b"}, file),
		formCase("Ceph CVE-2023-43040: a form for another bucket", nil, s3.InvalidArgument, [2]string{"bucket", "b2"}, [2]string{"key", "k"}, file),
		formCase("a form that names its bucket", put("k"), "", [2]string{"bucket", "b1"}, [2]string{"key", "k"}, file),
		formCase("a field twice", nil, s3.MalformedPOSTRequest, [2]string{"key", "a"}, [2]string{"Key", "b"}, file),
		formCase("no key", nil, s3.InvalidArgument, [2]string{"acl", "private"}, file),
		formCase("no file", nil, s3.InvalidArgument, [2]string{"key", "k"}),
		formCase("fields behind the file do not count", put("k"), "", [2]string{"key", "k"}, file, [2]string{"acl", "public-read"}, [2]string{"key", "other"}),
		formCase("a copy source in a form", nil, s3.InvalidArgument, [2]string{"key", "k"}, [2]string{"x-amz-copy-source", "src/a"}, file),
		formCase("an underscore for a hyphen", nil, s3.InvalidArgument, [2]string{"key", "k"}, [2]string{"x-amz_acl", "public-read"}, file),
		formCase("a NUL in the key", nil, s3.InvalidArgument, [2]string{"key", "a\x00"}, file),
		formCase("too much before the file", nil, s3.MaxPostPreDataLengthExceeded, [2]string{"key", "k"}, [2]string{"x", strings.Repeat("x", 21<<10)}, file),
		{name: "a form that ends within a field", method: "POST", target: "/b1", headers: []s3.Header{h("Content-Type", "multipart/form-data; boundary=b")}, body: "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk", refused: "IncompleteBody"},
		{name: "an extended file name", method: "POST", target: "/b1", headers: []s3.Header{h("Content-Type", "multipart/form-data; boundary=b")}, body: "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\n${filename}\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"; filename*=UTF-8''b\r\n\r\nx\r\n--b--\r\n", refused: s3.MalformedPOSTRequest},
		{name: "a part in quoted-printable", method: "POST", target: "/b1", headers: []s3.Header{h("Content-Type", "multipart/form-data; boundary=b")}, body: "--b\r\nContent-Disposition: form-data; name=\"key\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=61\r\n--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nx\r\n--b--\r\n", refused: s3.MalformedPOSTRequest},
		{name: "a part that is no form field", method: "POST", target: "/b1", headers: []s3.Header{h("Content-Type", "multipart/form-data; boundary=b")}, body: "--b\r\nContent-Disposition: attachment; name=\"key\"\r\n\r\nk\r\n--b--\r\n", refused: s3.MalformedPOSTRequest},
	})
}

func TestFormThatTheCallerHasParsed(t *testing.T) {
	const contentType = "multipart/form-data; boundary=b"
	posted, _, err := form.Read(contentType, strings.NewReader(formOf([2]string{"key", "u/${filename}"}, [2]string{"x-amz-storage-class", "GLACIER"}, [2]string{"file", "a.txt"})))
	if err != nil {
		t.Fatal(err)
	}
	req := &s3.Request{Method: "POST", Target: "/b1", Host: "s3.example.net", Headers: []s3.Header{h("Content-Type", contentType)}, Form: posted}
	var res s3.Result
	if err := newMapper(t).Map(req, &res); err != nil {
		t.Fatal(err)
	}
	if got := needsOf(&res); !slices.Equal(got, []string{need("PutObject", "b1/u/a.txt")}) || res.Key != "u/a.txt" {
		t.Errorf("got %q, key %q", got, res.Key)
	}
	if got := values(&res, &res.Needs[0], "s3:x-amz-storage-class"); !slices.Equal(got, []string{"GLACIER"}) {
		t.Errorf("storage class is %q", got)
	}
}

// Threat class 3: headers that change an operation are seen in every spelling.
func TestHeadersThatGrantMore(t *testing.T) {
	runCases(t, []mapCase{
		{name: "an ACL", method: "PUT", target: "/b1/k", headers: []s3.Header{h("X-AMZ-ACL", " public-read ")}, want: []string{need("PutObject", "b1/k"), need("PutObjectAcl", "b1/k")}},
		{name: "a grant", method: "POST", target: "/b1/k?uploads", headers: []s3.Header{h("x-amz-grant-full-control", "id=x")}, want: []string{need("PutObject", "b1/k"), need("PutObjectAcl", "b1/k")}},
		{name: "an ACL moved into the query", method: "PUT", target: "/b1/k?X-Amz-Acl=public-read", want: []string{need("PutObject", "b1/k"), need("PutObjectAcl", "b1/k")}},
		{name: "an ACL in header and query that differ", method: "PUT", target: "/b1/k?X-Amz-Acl=private", headers: []s3.Header{h("x-amz-acl", "public-read")}, refused: s3.InvalidArgument},
		{name: "an ACL twice", method: "PUT", target: "/b1/k", headers: []s3.Header{h("x-amz-acl", "private"), h("X-Amz-Acl", "public-read")}, refused: s3.InvalidArgument},
		{name: "an ACL twice in the query", method: "PUT", target: "/b1/k?x-amz-acl=private&x-amz-acl=public-read", refused: s3.InvalidArgument},
		{name: "an underscore for a hyphen", method: "PUT", target: "/b1/k", headers: []s3.Header{h("x_amz_acl", "public-read")}, refused: s3.InvalidArgument},
		{name: "an underscore for a hyphen in the query", method: "PUT", target: "/b1/k?x-amz_acl=public-read", refused: s3.InvalidArgument},
		{name: "tags", method: "PUT", target: "/b1/k", headers: []s3.Header{h("x-amz-tagging", "a=b")}, want: []string{need("PutObject", "b1/k"), need("PutObjectTagging", "b1/k")}},
		{name: "an empty tag set still sets tags", method: "PUT", target: "/b1/k", headers: []s3.Header{h("x-amz-tagging", "")}, want: []string{need("PutObject", "b1/k"), need("PutObjectTagging", "b1/k")}},
		{name: "a tag key twice", method: "PUT", target: "/b1/k", headers: []s3.Header{h("x-amz-tagging", "a=b&a=c")}, refused: s3.InvalidTag},
		{name: "a tag without key", method: "PUT", target: "/b1/k", headers: []s3.Header{h("x-amz-tagging", "=c")}, refused: s3.InvalidTag},
		{name: "eleven tags", method: "PUT", target: "/b1/k", headers: []s3.Header{h("x-amz-tagging", "a&b&c&d&e&f&g&h&i&j&k")}, refused: s3.InvalidTag},
		{name: "a tag with a malformed escape", method: "PUT", target: "/b1/k", headers: []s3.Header{h("x-amz-tagging", "a=%")}, refused: s3.InvalidArgument},
		{name: "a tag with a semicolon", method: "PUT", target: "/b1/k", headers: []s3.Header{h("x-amz-tagging", "a=b;c=d")}, refused: s3.InvalidArgument},
		{name: "MinIO CVE-2023-25812: bypassing retention is an action of its own", method: "DELETE", target: "/b1/k?versionId=v", headers: []s3.Header{h("x-amz-bypass-governance-retention", "true")}, want: []string{need("DeleteObjectVersion", "b1/k"), need("BypassGovernanceRetention", "b1/k")}},
		{name: "another spelling of true bypasses too", method: "PUT", target: "/b1/k?retention", headers: []s3.Header{h("x-amz-bypass-governance-retention", "TRUE")}, want: []string{need("PutObjectRetention", "b1/k"), need("BypassGovernanceRetention", "b1/k")}},
		{name: "1 bypasses too", method: "DELETE", target: "/b1/k", headers: []s3.Header{h("x-amz-bypass-governance-retention", "1")}, want: []string{need("DeleteObject", "b1/k"), need("BypassGovernanceRetention", "b1/k")}},
		{name: "False does not bypass", method: "DELETE", target: "/b1/k", headers: []s3.Header{h("x-amz-bypass-governance-retention", "False")}, want: []string{need("DeleteObject", "b1/k")}},
		{name: "a retention date that is none", method: "PUT", target: "/b1/k", headers: []s3.Header{h("x-amz-object-lock-retain-until-date", "soon")}, refused: s3.InvalidArgument},
		{name: "a bucket with everything", method: "PUT", target: "/b1", headers: []s3.Header{h("x-amz-acl", "public-read"), h("x-amz-bucket-object-lock-enabled", "true"), h("x-amz-object-ownership", "ObjectWriter"), h("Content-Length", "0")},
			want: []string{need("CreateBucket", "b1"), need("PutBucketAcl", "b1"), need("PutBucketObjectLockConfiguration", "b1"), need("PutBucketVersioning", "b1"), need("PutBucketOwnershipControls", "b1")}},
		{name: "a private bucket", method: "PUT", target: "/b1", headers: []s3.Header{h("x-amz-acl", "private"), h("Content-Length", "0")}, want: []string{need("CreateBucket", "b1")}},
		{name: "a bucket whose body was not given", method: "PUT", target: "/b1", want: []string{need("CreateBucket", "b1"), need("TagResource", "b1") + " if the body is tagged"}},
		{name: "a bucket with tags", method: "PUT", target: "/b1", body: "<CreateBucketConfiguration><Tags><Tag><Key>a</Key><Value>b</Value></Tag></Tags></CreateBucketConfiguration>", want: []string{need("CreateBucket", "b1"), need("TagResource", "b1")}},
		{name: "a bucket with a tag twice but for its case", method: "PUT", target: "/b1", body: "<CreateBucketConfiguration><Tags><Tag><Key>a</Key><Value>b</Value></Tag><Tag><Key>A</Key><Value>b</Value></Tag></Tags></CreateBucketConfiguration>", refused: s3.InvalidTag},
		{name: "an ACL does not matter to a part", method: "PUT", target: "/b1/k?partNumber=1&uploadId=u", headers: []s3.Header{h("x-amz-acl", "public-read")}, want: []string{need("PutObject", "b1/k")}},
	})
}

// Threat classes 4 and 5, RustFS GHSA-6r96-hmgc-726c and CVE-2026-21862: no
// client header becomes a condition key because it is named like one.
func TestHeadersDoNotBecomeConditionKeys(t *testing.T) {
	req := &s3.Request{
		Method: "GET", Target: "/b1/k?SourceIp=10.0.0.1&aws%3ASourceIp=10.0.0.1&s3%3AauthType=POST", Host: "s3.example.net",
		Headers: []s3.Header{
			h("X-Forwarded-For", "10.0.0.1"), h("X-Real-Ip", "10.0.0.1"), h("Forwarded", "for=10.0.0.1;proto=https"), h("X-Forwarded-Proto", "https"),
			h("aws:SourceIp", "10.0.0.1"), h("SourceIp", "10.0.0.1"), h("aws:SecureTransport", "true"), h("SecureTransport", "true"),
			h("s3:authType", "POST"), h("authType", "POST"), h("signatureversion", "AWS"), h("s3:signatureAge", "0"), h("s3:TlsVersion", "1.3"),
			h("aws:username", "admin"), h("username", "admin"), h("aws:PrincipalArn", "arn:aws:iam::000000000000:root"), h("X-Auth-Principal", "root"),
			h("s3:ExistingObjectTag/a", "b"), h("s3:VersionId", "v"), h("s3:prefix", "p"), h("s3:ResourceAccount", "000000000000"), h("s3:ObjectCreationOperation", "true"),
			h("User-Agent", "agent"), h("Referer", "page"),
		},
		RemoteAddr: netip.MustParseAddr("192.0.2.7"),
		Stored:     []s3.ObjectTags{{Bucket: "b1", Key: "k"}},
	}
	var res s3.Result
	if err := newMapper(t).Map(req, &res); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for k := s3.Key(1); int(k) < s3.NumKeys; k++ {
		for i := range res.Needs {
			if v := res.Lookup(&res.Needs[i], k, "a"); v.Presence != s3.Absent {
				got[k.Name()] = v.Text
			}
		}
	}
	want := map[string]string{"aws:SourceIp": "192.0.2.7", "aws:SecureTransport": "false", "aws:UserAgent": "agent", "aws:Referer": "page"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("condition keys are %v, want %v", got, want)
	}
}
