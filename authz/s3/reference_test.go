package s3

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// This file holds a second mapper that is as plain as can be: maps of strings, a
// walk over the whole table, url.PathUnescape. It is compared with Map on random
// requests, which are drawn so that most of them are almost right.

type reference struct {
	method  string
	bucket  string
	key     string
	headers map[string]string // names in small letters, the query's included
	params  map[string]string
}

// refMap returns operation and needs, or an empty operation for a refusal.
func refMap(req *Request, endpoints []string) (string, []string) {
	r, ok := refRead(req, endpoints)
	if !ok {
		return "", nil
	}
	op := r.find()
	if op == nil || !r.takes(op) {
		return "", nil
	}
	resource := "*"
	if r.bucket != "" {
		resource = "arn:aws:s3:::" + r.bucket
	}
	if r.key != "" {
		resource += "/" + r.key
	}
	actions := op.actions
	if r.params["versionId"] != "" && len(op.versioned) > 0 {
		actions = op.versioned
	}
	var needs []string
	for _, a := range actions {
		needs = append(needs, a.Name()+" "+resource)
	}
	for _, a := range r.extras(op) {
		needs = append(needs, a+" "+resource)
	}
	source, ok := r.source(op)
	if !ok {
		return "", nil
	}
	return op.name, append(needs, source...)
}

func refRead(req *Request, endpoints []string) (r reference, ok bool) {
	r = reference{method: req.Method, headers: map[string]string{}, params: map[string]string{}}
	path, query, _ := strings.Cut(req.Target, "?")
	host, _, _ := strings.Cut(strings.ToLower(req.Host), ":")
	rest := strings.TrimPrefix(path, "/")
	if slices.Contains(endpoints, host) {
		r.bucket, rest, _ = strings.Cut(rest, "/")
	} else {
		for _, e := range endpoints {
			if name, below := strings.CutSuffix(host, "."+e); below && (r.bucket == "" || len(name) < len(r.bucket)) {
				r.bucket = name
			}
		}
	}
	key, err := url.PathUnescape(rest)
	if err != nil || path != "/" && r.bucket == "" {
		return r, false
	}
	r.key = key
	for _, h := range req.Headers {
		if !r.put(strings.ToLower(h.Name), strings.TrimSpace(h.Value)) {
			return r, false
		}
	}
	if r.method == "OPTIONS" {
		return r, true
	}
	return r, r.readQuery(query)
}

func (r *reference) put(name, value string) bool {
	if !isHeader(name) {
		return true
	}
	if old, ok := r.headers[name]; ok && old != value {
		return false
	}
	r.headers[name] = value
	return true
}

func (r *reference) readQuery(query string) bool {
	for _, piece := range strings.Split(query, "&") {
		if piece == "" {
			continue
		}
		name, raw, _ := strings.Cut(piece, "=")
		value, err := url.QueryUnescape(raw)
		if p := paramIDs[name]; err != nil && (isHeader(name) || p != 0 && p != ordinaryParam) {
			return false
		}
		if err != nil {
			value = raw
		}
		if strings.HasPrefix(strings.ToLower(name), "x-amz-") {
			if !r.put(strings.ToLower(name), value) {
				return false
			}
			continue
		}
		if _, twice := r.params[name]; twice && paramIDs[name] != 0 && paramIDs[name] != ordinaryParam {
			return false
		}
		r.params[name] = value
		if !refValueFits(name, value) {
			return false
		}
	}
	return len(r.subresources()) <= 1
}

// isHeader reports whether the mapper reads a header of that name.
func isHeader(name string) bool {
	for _, h := range headers {
		if strings.EqualFold(h.name, name) {
			return true
		}
	}
	return false
}

func refValueFits(name, value string) bool {
	p, known := paramIDs[name]
	switch {
	case !known:
		return value != ""
	case p == ordinaryParam:
		return true
	case name == "list-type":
		return value == "2"
	case params[p].kind == subresource:
		return value == ""
	case params[p].kind == upload, params[p].kind == modifier:
		return value != ""
	}
	return true
}

func (r *reference) subresources() (names []string) {
	for name := range r.params {
		if p := paramIDs[name]; p != 0 && p != ordinaryParam && (params[p].kind == subresource || params[p].kind == upload) {
			names = append(names, name)
		}
	}
	return names
}

func (r *reference) find() *row {
	scope := onService
	if r.bucket != "" {
		scope = onBucket
	}
	if r.key != "" {
		scope = onObject
	}
	sub := ""
	if names := r.subresources(); len(names) == 1 {
		sub = names[0]
	}
	for i := range operations {
		op := &operations[i]
		if op.method == r.method && op.scope&scope != 0 && params[op.sub].name == sub && r.satisfies(op.when) {
			return op
		}
	}
	return nil
}

func (r *reference) has(name string) bool {
	_, ok := r.headers[name]
	return ok
}

func (r *reference) hasParam(name string) bool {
	_, ok := r.params[name]
	return ok
}

func (r *reference) satisfies(w when) bool {
	switch w {
	case withID:
		return r.hasParam("id")
	case withListType:
		return r.hasParam("list-type")
	case withPartNumber:
		return r.hasParam("partNumber")
	case withCopySource:
		return r.has("x-amz-copy-source")
	case withPartNumberAndCopySource:
		return r.hasParam("partNumber") && r.has("x-amz-copy-source")
	case withForm:
		return false // no forms are drawn
	}
	return true
}

func (r *reference) takes(op *row) bool {
	return (!r.hasParam("versionId") || op.takes&version != 0) && (!r.hasParam("partNumber") || op.takes&partNumber != 0) &&
		(!r.has("x-amz-copy-source") || op.extra&copySource != 0 || r.method == "OPTIONS")
}

func (r *reference) extras(op *row) (names []string) {
	hasPrefix := func(prefix string) bool {
		for name := range r.headers {
			if strings.HasPrefix(name, prefix) {
				return true
			}
		}
		return false
	}
	switchedOn := func(name string) bool {
		return r.headers[name] != "" && !strings.EqualFold(r.headers[name], "false")
	}
	add := func(e extra, present bool, actions ...string) {
		if op.extra&e != 0 && present {
			for _, a := range actions {
				names = append(names, "s3:"+a)
			}
		}
	}
	grants := hasPrefix("x-amz-grant-")
	add(objectACL, grants || r.has("x-amz-acl"), "PutObjectAcl")
	add(objectTags, r.has("x-amz-tagging"), "PutObjectTagging")
	add(objectRetention, r.has("x-amz-object-lock-mode") || r.has("x-amz-object-lock-retain-until-date") || hasPrefix("x-amz-object-lock-event-hold"), "PutObjectRetention")
	add(objectLegalHold, r.has("x-amz-object-lock-legal-hold"), "PutObjectLegalHold")
	add(bypassGovernance, switchedOn("x-amz-bypass-governance-retention"), "BypassGovernanceRetention")
	add(bucketACL, grants || r.has("x-amz-acl") && r.headers["x-amz-acl"] != "private", "PutBucketAcl")
	add(bucketLock, switchedOn("x-amz-bucket-object-lock-enabled"), "PutBucketObjectLockConfiguration", "PutBucketVersioning")
	add(bucketOwnership, r.has("x-amz-object-ownership"), "PutBucketOwnershipControls")
	return names
}

// source reads the copy source; sources are drawn well-formed.
func (r *reference) source(op *row) ([]string, bool) {
	if op.extra&copySource == 0 {
		return nil, true
	}
	raw, version, _ := strings.Cut(r.headers["x-amz-copy-source"], "?versionId=")
	path, err := url.PathUnescape(raw)
	if err != nil {
		return nil, false
	}
	action := "s3:GetObject"
	if version != "" {
		action = "s3:GetObjectVersion"
	}
	return []string{action + " arn:aws:s3:::" + strings.TrimPrefix(path, "/")}, true
}

// drawEscaped writes text with some bytes percent-encoded: those that have to be,
// and others at random.
func drawEscaped(t *rapid.T, text string) string {
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		must := c <= ' ' || c == 0x7f || strings.IndexByte("%#?&=+;", c) >= 0
		switch {
		case must || rapid.IntRange(0, 9).Draw(t, "escape") == 0:
			if rapid.Bool().Draw(t, "capitals") {
				fmt.Fprintf(&b, "%%%02X", c)
			} else {
				fmt.Fprintf(&b, "%%%02x", c)
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

var (
	bucketNames = rapid.SampledFrom([]string{"b1", "examplebucket", "my-bucket-2", "dotted.bucket.name", "Legacy_Bucket"})
	objectNames = rapid.StringMatching(`[a-zé日/.+~ %#?&=;*'()\n\\-]{1,20}`)
	endpoints   = []string{"s3.example.net", "example.net"}
)

func drawRequest(t *rapid.T) *Request {
	req := &Request{Method: rapid.SampledFrom(methods[:]).Draw(t, "method")}
	bucket := bucketNames.Draw(t, "bucket")
	scope := rapid.SampledFrom([]scope{onService, onBucket, onObject, onObject, onObject}).Draw(t, "scope")
	key := ""
	if scope == onObject {
		key = drawEscaped(t, objectNames.Draw(t, "key"))
	}
	switch {
	case scope == onService:
		req.Host, req.Target = endpoints[0], "/"
	case rapid.Bool().Draw(t, "path style"):
		req.Host, req.Target = rapid.SampledFrom(endpoints).Draw(t, "endpoint"), "/"+bucket
		if key != "" || rapid.Bool().Draw(t, "slash") {
			req.Target += "/" + key
		}
	default:
		req.Host = strings.ToLower(bucket) + "." + rapid.SampledFrom(endpoints).Draw(t, "endpoint") + rapid.SampledFrom([]string{"", ":8080"}).Draw(t, "port")
		req.Target = "/" + key
	}
	if query := drawQuery(t); query != "" {
		req.Target += "?" + query
	}
	req.Headers = drawHeaders(t)
	return req
}

func drawQuery(t *rapid.T) string {
	var pieces []string
	for range rapid.IntRange(0, 3).Draw(t, "parameters") {
		name := params[rapid.IntRange(1, int(numParams)-1).Draw(t, "parameter")].name
		if rapid.IntRange(0, 3).Draw(t, "frequent") == 0 {
			name = rapid.SampledFrom([]string{"versionId", "uploadId", "partNumber", "x-id", "unknown", "x-amz-acl", "X-Amz-Tagging", "X-Amz-Date", "list-type"}).Draw(t, "name")
		}
		value := rapid.SampledFrom([]string{"", "=", "=", "=1", "=2", "=a%2Fb", "=%", "=false"}).Draw(t, "value")
		if strings.EqualFold(name, "x-amz-tagging") {
			value = "=a%3Db"
		}
		pieces = append(pieces, name+value)
	}
	return strings.Join(pieces, "&")
}

// headerValues are values that do not make a header malformed.
var headerValues = map[string][]string{
	"x-amz-copy-source":                          {"src/a", "/src/a%20b", "%2Fsrc%2Fa", "src/a?versionId=v", "/src/x/../y"},
	"x-amz-tagging":                              {"", "a=b", "a=b&c=d"},
	"x-amz-tagging-directive":                    {"REPLACE"},
	"x-amz-object-lock-retain-until-date":        {"2030-01-01T00:00:00Z"},
	"x-amz-acl":                                  {"private", "public-read", ""},
	"x-amz-bypass-governance-retention":          {"true", "false", "FALSE", "", "yes"},
	"x-amz-bucket-object-lock-enabled":           {"true", "false"},
	"x-amz-object-lock-event-hold-duration-days": {"3"},
}

func drawHeaders(t *rapid.T) []Header {
	list := []Header{{"X-Amz-Tagging-Directive", "REPLACE"}, {"Content-Length", "0"}, {"X-Amz-Date", "20261124T063000Z"}}
	for range rapid.IntRange(0, 4).Draw(t, "headers") {
		name := headers[rapid.IntRange(0, len(headers)-1).Draw(t, "header")].name
		if !strings.HasPrefix(name, "x-amz-") {
			continue
		}
		values := headerValues[name]
		if values == nil {
			values = []string{"value", " other\t"}
		}
		if rapid.Bool().Draw(t, "capitals") {
			name = strings.ToUpper(name)
		}
		list = append(list, Header{name, rapid.SampledFrom(values).Draw(t, "value of "+name)})
	}
	return list
}

func sortedNeeds(res *Result) []string {
	var needs []string
	for _, n := range res.Needs {
		needs = append(needs, n.Action.Name()+" "+n.Resource)
	}
	slices.Sort(needs)
	return needs
}

func testMapper(t interface{ Fatal(...any) }) *Mapper {
	m, err := New(Config{Endpoints: endpoints})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMapAgreesWithTheNaiveMapper(t *testing.T) {
	m := testMapper(t)
	var res Result // used again and again
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		req := drawRequest(t)
		wantOp, want := refMap(req, endpoints)
		err := m.Map(req, &res)
		if got := res.Operation.Name(); got != wantOp {
			t.Fatalf("%s %s%s %v: operation is %q (%v), want %q", req.Method, req.Host, req.Target, req.Headers, got, err, wantOp)
		}
		seen[wantOp]++
		if res.Missing == DeleteBody {
			return
		}
		slices.Sort(want)
		if got := sortedNeeds(&res); !slices.Equal(got, want) {
			t.Fatalf("%s %s%s %v:\n got %q\nwant %q", req.Method, req.Host, req.Target, req.Headers, got, want)
		}
	})
	if len(seen) < 6 || seen[""] == 0 {
		t.Errorf("the requests drawn were of %d operations only: %v", len(seen), seen)
	}
}

func TestKeyIsThePercentDecodedTarget(t *testing.T) {
	m := testMapper(t)
	var res Result
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringN(1, 60, 1000).Filter(func(s string) bool { return !strings.Contains(s, "\x00") }).Draw(t, "key")
		req := &Request{Method: "GET", Host: "b1.s3.example.net", Target: "/" + drawEscaped(t, key)}
		if rapid.Bool().Draw(t, "path style") {
			req.Host, req.Target = "s3.example.net", "/b1"+req.Target
		}
		if err := m.Map(req, &res); err != nil {
			t.Fatal(err)
		}
		if n := &res.Needs[0]; res.Key != key || n.Key != key || n.Bucket != "b1" || n.Resource != "arn:aws:s3:::b1/"+key {
			t.Fatalf("%s: key %q, resource %q, want %q", req.Target, res.Key, n.Resource, key)
		}
	})
}

// grantingHeaders ask for more than the plain request does.
var grantingHeaders = []Header{
	{"x-amz-acl", "public-read"}, {"x-amz-grant-read", "id=x"}, {"x-amz-grant-write-acp", "id=x"}, {"x-amz-tagging", "a=b"},
	{"x-amz-object-lock-mode", "GOVERNANCE"}, {"x-amz-object-lock-retain-until-date", "2030-01-01T00:00:00Z"},
	{"x-amz-object-lock-legal-hold", "ON"}, {"x-amz-bypass-governance-retention", "true"},
	{"x-amz-bucket-object-lock-enabled", "true"}, {"x-amz-object-ownership", "ObjectWriter"}, {"x-amz-copy-source", "src/a"},
	{"x-amz-metadata-directive", "REPLACE"}, {"x-amz-server-side-encryption", "AES256"},
}

func TestMoreHeadersNeverNeedLess(t *testing.T) {
	m := testMapper(t)
	rapid.Check(t, func(t *rapid.T) {
		req := drawRequest(t)
		var before, after Result
		if m.Map(req, &before) != nil {
			return
		}
		more := rapid.SampledFrom(grantingHeaders).Draw(t, "more")
		wider := *req
		if rapid.Bool().Draw(t, "in the query") {
			separator := "?"
			if strings.Contains(req.Target, "?") {
				separator = "&"
			}
			wider.Target += separator + more.Name + "=" + url.PathEscape(more.Value)
		} else {
			wider.Headers = append(slices.Clone(req.Headers), more)
		}
		if m.Map(&wider, &after) != nil {
			return
		}
		needed := sortedNeeds(&after)
		for _, n := range sortedNeeds(&before) {
			if !slices.Contains(needed, n) {
				t.Fatalf("%s %s %v: with %v it no longer needs %s but %q", req.Method, req.Target, req.Headers, more, n, needed)
			}
		}
	})
}

func TestAResultThatIsUsedAgainForgets(t *testing.T) {
	m := testMapper(t)
	var used Result
	rapid.Check(t, func(t *rapid.T) {
		req := drawRequest(t)
		var fresh Result
		err1, err2 := m.Map(req, &used), m.Map(req, &fresh)
		if fmt.Sprint(err1) != fmt.Sprint(err2) {
			t.Fatalf("errors are %v and %v", err1, err2)
		}
		if got, want := describe(&used), describe(&fresh); got != want {
			t.Fatalf("%s %s:\nused again: %s\n     fresh: %s", req.Method, req.Target, got, want)
		}
	})
}

// describe prints all that a Result says.
func describe(r *Result) string {
	var b strings.Builder
	fmt.Fprintln(&b, r.Operation.Name(), r.Style, r.Bucket, r.Key, r.VersionID, r.SourceBucket, r.SourceKey, r.SourceVersionID, r.Evaluation, r.Missing, r.SourceIP, r.SignatureAge)
	for i := range r.Needs {
		n := &r.Needs[i]
		fmt.Fprintln(&b, n.Action.Name(), n.If, n.Group, n.Resource, n.VersionID, n.Unknown)
		for k := Key(1); k < numKeys; k++ {
			fmt.Fprint(&b, " ", k, r.Lookup(n, k, "a"), r.Tags(n, k))
		}
	}
	return b.String()
}
