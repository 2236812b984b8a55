package s3

import (
	"encoding/xml"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// checkResult holds for every request that is not refused.
func checkResult(t *testing.T, res *Result) {
	t.Helper()
	for i := range res.Needs {
		n := &res.Needs[i]
		want := "*"
		if n.Bucket != "" {
			want = "arn:aws:s3:::" + n.Bucket
		}
		if n.Key != "" {
			want += "/" + n.Key
		}
		if n.Resource != want {
			t.Errorf("resource is %q, bucket %q and key %q", n.Resource, n.Bucket, n.Key)
		}
		if n.Action.Name() == "" || strings.ContainsAny(n.Bucket, "/%\\*?:") || n.Bucket == "." || n.Bucket == ".." {
			t.Errorf("need is %+v", n)
		}
		if len(n.Key) > maxKey || !utf8.ValidString(n.Key) || strings.Contains(n.Key, "\x00") {
			t.Errorf("key is %q", n.Key)
		}
		for k := Key(1); k < numKeys; k++ {
			res.Lookup(n, k, "a")
		}
	}
	if len(res.Needs) == 0 && res.Missing == NoBody && !res.Operation.Preflight() {
		t.Errorf("%s needs nothing", res.Operation.Name())
	}
}

func FuzzTarget(f *testing.F) {
	m := testMapper(f)
	for _, seed := range [][3]string{
		{"GET", "s3.example.net", "/b1/a%20b//../c?versionId=v"}, {"PUT", "b1.s3.example.net:80", "/k?x-amz-acl=private&X-Amz-Date=x"},
		{"GET", "[::1]:80", "/"}, {"POST", "example.net", "/b1?delete="}, {"GET", "b1.example.net", "/?list-type=2&prefix=%2F&;"}, {"OPTIONS", "x", "*"},
		{"GET", "s3.example.net", "/%2e%2e/%00%ff"}, {"DELETE", "..s3.example.net", "//k?uploadId=&acl&ACL"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, method, host, target string) {
		var res Result
		if m.Map(&Request{Method: method, Host: host, Target: target}, &res) != nil {
			return
		}
		checkResult(t, &res)
		path, _, _ := strings.Cut(target, "?")
		decoded, err := url.PathUnescape(path)
		if err != nil {
			t.Fatalf("%q was taken: %v", target, err)
		}
		want := "/" + res.Key
		if res.Style == PathStyle && res.Bucket != "" {
			want = "/" + res.Bucket + "/" + res.Key
		}
		if decoded != want && decoded+"/" != want {
			t.Errorf("%q is bucket %q and key %q", target, res.Bucket, res.Key)
		}
	})
}

func FuzzCopySource(f *testing.F) {
	m := testMapper(f)
	for _, seed := range []string{"", "/", "src/a", "/src/a%20b?versionId=v", "%2Fsrc%2Fa", "src/a?versionId=", "arn:aws:s3:::x", "src/%", "//", "src/a#b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		var res Result
		if m.Map(&Request{Method: "PUT", Host: "s3.example.net", Target: "/b1/k", Headers: []Header{{"x-amz-copy-source", source}}}, &res) != nil {
			return
		}
		checkResult(t, &res)
		raw, version, _ := strings.Cut(strings.Trim(source, " \t"), "?versionId=")
		path, err := url.PathUnescape(raw)
		if err != nil {
			t.Fatalf("%q was taken: %v", source, err)
		}
		version, err = url.PathUnescape(version)
		if got := res.SourceBucket + "/" + res.SourceKey; err != nil || got != strings.TrimPrefix(path, "/") || res.SourceVersionID != version {
			t.Errorf("%q is %q in version %q", source, got, res.SourceVersionID)
		}
	})
}

// FuzzDelete compares the list of objects with what encoding/xml reads into a
// struct, as servers in Go do.
func FuzzDelete(f *testing.F) {
	m := testMapper(f)
	for _, seed := range []string{
		"<Delete><Object><Key>a</Key></Object><Quiet>true</Quiet></Delete>",
		`<?xml version="1.0"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a&amp;&#x2F;<![CDATA[b]]></Key><VersionId>v</VersionId></Object></Delete>`,
		"<Delete><Object><Key>a<!-- --></Key></Object></Delete>", "<!DOCTYPE x><Delete/>", "<Delete/><Delete/>", "<Delete xmlns:x='y'><x:Object/></Delete>",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var res Result
		if m.Map(&Request{Method: "POST", Host: "s3.example.net", Target: "/b1?delete", HasBody: true, Body: body}, &res) != nil {
			return
		}
		checkResult(t, &res)
		var list struct {
			Object []struct{ Key, VersionId string }
		}
		if err := xml.Unmarshal([]byte(strings.TrimPrefix(string(body), "\ufeff")), &list); err != nil {
			t.Fatalf("%q was taken: %v", body, err)
		}
		if len(list.Object) != len(res.Needs) {
			t.Fatalf("%q: %d needs, encoding/xml finds %d objects", body, len(res.Needs), len(list.Object))
		}
		for i, o := range list.Object {
			if n := res.Needs[i]; n.Key != o.Key || n.VersionID != o.VersionId || n.Group != i {
				t.Errorf("%q: object %d is %q in version %q, want %+v", body, i, n.Key, n.VersionID, o)
			}
		}
	})
}

// FuzzBody reads a body as each of the other documents.
func FuzzBody(f *testing.F) {
	m := testMapper(f)
	for _, seed := range []string{
		"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>", "<LegalHold><Status>ON</Status></LegalHold>",
		"<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2030-01-01T00:00:00Z</RetainUntilDate></Retention>",
		"<CreateBucketConfiguration><LocationConstraint>x</LocationConstraint><Tags><Tag><Key>a</Key></Tag></Tags></CreateBucketConfiguration>",
		"<InventoryConfiguration><OptionalFields><Field>Size</Field></OptionalFields></InventoryConfiguration>", "",
	} {
		f.Add([]byte(seed))
	}
	lines := []string{"/b1/k?tagging", "/b1/k?legal-hold", "/b1/k?retention", "/b1", "/b1?inventory"}
	f.Fuzz(func(t *testing.T, body []byte) {
		var res Result
		for _, target := range lines {
			if m.Map(&Request{Method: "PUT", Host: "s3.example.net", Target: target, HasBody: true, Body: body, Now: 1}, &res) == nil {
				checkResult(t, &res)
			}
		}
	})
}

func FuzzTaggingHeader(f *testing.F) {
	m := testMapper(f)
	for _, seed := range []string{"", "a=b&c", "a=b;c", "%41=+%20", "a=%", "=", "a&a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		var res Result
		if m.Map(&Request{Method: "PUT", Host: "s3.example.net", Target: "/b1/k", Headers: []Header{{"x-amz-tagging", value}}}, &res) != nil {
			return
		}
		checkResult(t, &res)
		want, err := url.ParseQuery(strings.Trim(value, " \t"))
		if err != nil {
			t.Fatalf("%q was taken: %v", value, err)
		}
		tags := res.Tags(&res.Needs[0], KeyRequestObjectTag)
		if len(tags) != len(want) {
			t.Fatalf("%q: tags are %q, want %q", value, tags, want)
		}
		for _, tag := range tags {
			if want.Get(tag.Name) != tag.Value {
				t.Errorf("%q: tag %q is %q", value, tag.Name, tag.Value)
			}
		}
	})
}

// FuzzForm compares a form with what mime/multipart makes of it.
func FuzzForm(f *testing.F) {
	m := testMapper(f)
	const disposition = "--b\r\nContent-Disposition: form-data; name="
	f.Add("multipart/form-data; boundary=b", []byte(disposition+"\"key\"\r\n\r\nu/${filename}\r\n"+disposition+"\"file\"; filename=\"a\"\r\n\r\nx\r\n--b--\r\n"))
	f.Add("multipart/form-data; boundary=b", []byte(disposition+"acl\r\n\r\nprivate\r\n"+disposition+"key\r\n\r\nk\r\n"+disposition+"file\r\n\r\n"))
	f.Add("Multipart/Form-Data; boundary=\"b\"; x", []byte("--b--"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		var res Result
		if m.Map(&Request{Method: "POST", Host: "s3.example.net", Target: "/b1", Headers: []Header{{"Content-Type", contentType}}, HasBody: true, Body: body}, &res) != nil {
			return
		}
		checkResult(t, &res)
		_, parameters, err := mime.ParseMediaType(strings.Trim(contentType, " \t"))
		if err != nil {
			t.Fatalf("%q was taken: %v", contentType, err)
		}
		form, err := multipart.NewReader(strings.NewReader(string(body)), parameters["boundary"]).ReadForm(1 << 20)
		if err != nil {
			return // what follows the file may be anything
		}
		var keys []string
		for name, values := range form.Value {
			if strings.EqualFold(name, "key") {
				keys = append(keys, values...)
			}
		}
		if len(keys) == 1 && !strings.Contains(keys[0], "${filename}") && keys[0] != res.Key {
			t.Errorf("%q: key is %q, want %q", body, res.Key, keys[0])
		}
	})
}
