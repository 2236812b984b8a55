package minio

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/minio/madmin-go/v3"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// questions is how many are asked.
const questions = 1000

// operation is a request of which MinIO asks its policies once.
type operation struct {
	action, method, query string
	suffix                string // of the key, so that no request changes what another needs
	bucket                bool   // that it is about a bucket and not an object
}

var operations = []operation{
	{action: "s3:GetObject", method: http.MethodGet},
	{action: "s3:PutObject", method: http.MethodPut, suffix: ".new"},
	{action: "s3:DeleteObject", method: http.MethodDelete, suffix: ".gone"},
	{action: "s3:GetObjectTagging", method: http.MethodGet, query: "tagging="},
	{action: "s3:ListBucket", method: http.MethodGet, query: "list-type=2", bucket: true},
	{action: "s3:ListBucket", method: http.MethodGet, query: "list-type=2", bucket: true},
	{action: "s3:GetBucketLocation", method: http.MethodGet, query: "location=", bucket: true},
}

// question is who asks for what, from where.
type question struct {
	who person
	operation
	name            string // bucket, or bucket/key
	source, agent   string
	referer, prefix string // empty if there is none
	maxKeys         int    // 0 if there is none
}

func (r choice) question(people []person) question {
	q := question{who: people[r.IntN(len(people))], operation: operations[r.IntN(len(operations))], name: r.of(buckets), source: r.of(sources), agent: r.of(agents)}
	if !q.bucket {
		q.name += "/" + r.of(keys) + q.suffix
	}
	q.referer = r.of([]string{"", "https://intern.example/page", "https://elsewhere.example/"})
	if q.action == "s3:ListBucket" {
		q.prefix, q.maxKeys = r.of([]string{"", "public/", "private/", "user-1/deep"}), r.IntN(2)*r.IntN(20)
	}
	return q
}

func (q question) String() string {
	return fmt.Sprintf("%s asks for %s on %s from %s, agent %q, referer %q, prefix %q, max-keys %d", q.who.id, q.action, q.name, q.source, q.agent, q.referer, q.prefix, q.maxKeys)
}

// minio asks the server itself, with a real request.
func (q question) minio(t *testing.T, s *server) bool {
	t.Helper()
	header := http.Header{"X-Forwarded-For": {q.source}, "User-Agent": {q.agent}}
	if q.referer != "" {
		header.Set("Referer", q.referer)
	}
	path := "/" + q.name + "?" + q.query
	if q.prefix != "" {
		path += "&prefix=" + url.QueryEscape(q.prefix)
	}
	if q.maxKeys > 0 {
		path += "&max-keys=" + strconv.Itoa(q.maxKeys)
	}
	var body []byte
	if q.method == http.MethodPut {
		body = []byte("new")
	}
	status, text := s.ask(t, q.who.credential, "s3", q.method, path, header, body)
	switch {
	case status < 300:
		return true
	case status == http.StatusForbidden && (strings.Contains(string(text), "AccessDenied") || strings.Contains(string(text), "InvalidAccessKeyId")):
		return false
	}
	t.Fatalf("%v: MinIO answers %d %s", q, status, text)
	return false
}

// doorward asks /v1/explain, with the context that AWS would have.
func (q question) doorward(t *testing.T, s *server) bool {
	t.Helper()
	values := map[string][]string{"aws:SourceIp": {q.source}, "aws:UserAgent": {q.agent}, "aws:SecureTransport": {"false"},
		"aws:CurrentTime": {time.Now().UTC().Format(time.RFC3339)}}
	for key, value := range map[string]string{"aws:Referer": q.referer, "s3:prefix": q.prefix} {
		if value != "" {
			values[key] = []string{value}
		}
	}
	if q.maxKeys > 0 {
		values["s3:max-keys"] = []string{strconv.Itoa(q.maxKeys)}
	}
	body, err := json.Marshal(map[string]any{"access_key_id": q.who.id, "action": q.action, "resource": "arn:aws:s3:::" + q.name, "context": values})
	if err != nil {
		t.Fatal(err)
	}
	status, text := s.ask(t, s.root, "iam", http.MethodPost, "/v1/explain", http.Header{"Content-Type": {"application/json"}}, body)
	var answer struct{ Effect, Fault string }
	if err := json.Unmarshal(text, &answer); err != nil || status != http.StatusOK {
		t.Fatalf("%v: Doorward answers %d %s", q, status, text)
	}
	return answer.Effect == "ALLOW" && answer.Fault == ""
}

// departure is one way of MinIO's, and which questions it is about.
type departure struct {
	reason string
	met    func(question) bool
}

// departures are where MinIO does not decide as AWS does. Each has to be met, or
// does not belong here any more.
var departures = []departure{
	{"MinIO asks about a bucket with a slash behind its name, so that bucket/* is about the bucket too", func(q question) bool {
		resource := "arn:aws:s3:::" + q.name
		return q.bucket && slices.ContainsFunc(q.who.statements, func(s statement) bool {
			return s.names(resource) != s.names(resource+"/") && !slices.Contains(s.Resource, resource)
		})
	}},
}

func TestImportDecidesAsMinIODid(t *testing.T) {
	const seed = 7 // whatever it is, the engines agree
	r := choice{mathrand.New(mathrand.NewPCG(seed, seed))}
	there, here := startMinIO(t, credential{id: "minioroot", secret: rand.Text()}), startDoorward(t)
	admin, err := madmin.NewWithOptions(strings.TrimPrefix(there.url, "http://"), &madmin.Options{Creds: credentials.NewStaticV4(there.root.id, there.root.secret, "")})
	if err != nil {
		t.Fatal(err)
	}
	people := populate(t, admin, r)
	for _, bucket := range buckets {
		there.put(t, "/"+bucket, nil)
		for _, key := range keys {
			there.put(t, "/"+bucket+"/"+key, []byte("content"))
		}
	}
	archive := filepath.Join(t.TempDir(), "export.zip")
	if err := os.WriteFile(archive, exported(t, admin), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Log(here.command(t, "import", "minio", archive, "--yes"))

	allowed, met := 0, make([]int, len(departures))
	for range questions {
		q := r.question(people)
		want, got := q.minio(t, there), q.doorward(t, here)
		if want {
			allowed++
		}
		if got == want {
			continue
		}
		n := slices.IndexFunc(departures, func(d departure) bool { return d.met(q) })
		if n < 0 {
			t.Errorf("%v: MinIO allows it: %v, Doorward: %v, under %s", q, want, got, document(t, q.who.statements))
			continue
		}
		met[n]++
	}
	t.Logf("MinIO allowed %d of %d", allowed, questions)
	if allowed < questions/10 || allowed > questions*9/10 {
		t.Errorf("MinIO allowed %d of %d questions: they ask too little", allowed, questions)
	}
	for n, d := range departures {
		t.Logf("%d times: %s", met[n], d.reason)
		if met[n] == 0 {
			t.Errorf("no question met this departure any more: %s", d.reason)
		}
	}
}

// put stores something as MinIO's root.
func (s *server) put(t *testing.T, path string, body []byte) {
	t.Helper()
	if status, text := s.ask(t, s.root, "s3", http.MethodPut, path, nil, body); status != http.StatusOK {
		t.Fatalf("PUT %s: %d %s", path, status, text)
	}
}
