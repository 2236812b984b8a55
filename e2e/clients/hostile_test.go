package clients_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/e2e/clients"
	"github.com/doorward/doorward/iam"
)

// hostile are targets below a bucket that somebody on the way to an object could take
// for another key. S3 decodes a target once and cleans nothing; key is what it is then.
// All but secret/* of the bucket is allowed.
var hostile = []struct {
	name, target, key string
	denied            bool
}{
	{"a space", "in/sp%20ace", "in/sp ace", false},
	{"a plus sign, which is no space", "in/a+b", "in/a+b", false},
	{"a plus sign that is encoded", "in/a%2Bc", "in/a+c", false},
	{"a percent sign", "in/100%25", "in/100%", false},
	{"what looks encoded when it has been decoded", "in/a%252Fb", "in/a%2Fb", false},
	{"beyond ASCII", "in/%C3%BC/%E6%97%A5%F0%9D%84%9E", "in/ü/日𝄞", false},
	{"a tilde, plain", "in/~a", "in/~a", false},
	{"a tilde, encoded", "in/%7Eb", "in/~b", false},
	{"a question mark, which begins no query", "in/q%3Fversions", "in/q?versions", false},
	{"a number sign, which begins no fragment", "in/f%23g", "in/f#g", false},
	{"an ampersand and an equals sign", "in/a&b=c", "in/a&b=c", false},
	{"a backslash, which is no slash", "in/..%5C..%5Csecret%5Cx", `in/..\..\secret\x`, false},
	{"two slashes", "in//b", "in//b", false},
	{"a slash at the beginning", "/in/b", "/in/b", false},
	{"a slash at the end", "in/folder/", "in/folder/", false},
	{"a dot", "in/./c", "in/./c", false},
	{"two dots", "in/x/../d", "in/x/../d", false},
	{"two dots, encoded", "in/x/%2E%2E/e", "in/x/../e", false},
	{"a way out of the bucket", "../escaped/x", "../escaped/x", false},
	{"a way out of the bucket, encoded", "%2E%2E%2Fescaped%2Fy", "../escaped/y", false},

	{"the secret", "secret/x", "secret/x", true},
	{"the secret behind an encoded slash", "secret%2Fx", "secret/x", true},
	{"the secret with an encoded letter", "%73ecret/x", "secret/x", true},
	{"the secret behind two slashes, which is another secret", "secret//x", "secret//x", true},
	{"no secret, behind a slash at the beginning", "/secret/x", "/secret/x", false},
	{"no secret, behind a slash at the beginning, encoded", "%2Fsecret/y", "/secret/y", false},
	{"no secret, behind a dot", "./secret/x", "./secret/x", false},
	{"no secret, behind two dots", "in/../secret/x", "in/../secret/x", false},
	{"no secret, behind two dots, encoded", "in/%2E%2E/secret/y", "in/../secret/y", false},
	{"no secret, behind encoded slashes", "in%2F..%2Fsecret%2Fz", "in/../secret/z", false},
	{"no secret, by way of the bucket", "../BUCKET/secret/x", "../BUCKET/secret/x", false},
	{"no secret, with a slash that was encoded twice", "secret%252Fx", "secret%2Fx", false},
	{"a parent that is a secret", "secret/../in/x", "secret/../in/x", true},
}

// TestHostileKeys sends targets byte for byte through every front. Each is decided about
// as the key that it is, and stored and read under that key. Versitygw, whose keys are
// paths, cleans them before it asks: what counts is that it asks about the key that it
// then uses, or refuses.
func TestHostileKeys(t *testing.T) {
	eachFront(t, func(t *testing.T, where theatre) {
		front := strings.ReplaceAll(where.name, "_", "-")
		bucket, escaped := "hostile-"+front, "escaped-"+front
		root := sigv4.Credentials{AccessKeyID: iam.AccessKeyID(where.root.AccessKey), Secret: where.root.Secret}
		own := keeper(t, where, bucket, bucket)
		as := sigv4.Credentials{AccessKeyID: iam.AccessKeyID(own.AccessKey), Secret: own.Secret}
		secret := rand.Text()
		for _, made := range []struct{ target, body string }{{"/" + bucket, ""}, {"/" + escaped, ""}, {"/" + bucket + "/secret/x", secret}} {
			if status, text := send(t, where, root, http.MethodPut, made.target, made.body); status != http.StatusOK {
				t.Fatalf("PUT %s: %d %s", made.target, status, text)
			}
		}
		inBucket := lister(where, bucket)
		before := inBucket(t)
		for _, tt := range hostile {
			denied := tt.denied
			fill := strings.NewReplacer("BUCKET", bucket, "escaped", escaped)
			target, key := "/"+bucket+"/"+fill.Replace(tt.target), fill.Replace(tt.key)
			if where.name == gateway.name {
				key = strings.TrimPrefix(path.Clean("/"+key), "/")
				denied = strings.HasPrefix(key, "secret/")
			}
			body := "content of " + tt.name
			status, text := send(t, where, as, http.MethodPut, target, body)
			got, read := send(t, where, as, http.MethodGet, target, "")
			after := inBucket(t)
			added := slices.DeleteFunc(slices.Clone(after), func(k string) bool { return slices.Contains(before, k) })
			switch {
			case denied:
				if status != 403 || code(text) != "AccessDenied" || got != 403 || code(read) != "AccessDenied" || len(added) > 0 {
					t.Errorf("%s: PUT %d %s, GET %d %s, added %q; want AccessDenied", tt.name, status, code(text), got, code(read), added)
				}
			case status == http.StatusOK:
				if got != http.StatusOK || read != body || !slices.Contains(after, key) || len(added) > 1 || len(added) == 1 && added[0] != key {
					t.Errorf("%s: stored as %q, want %q; GET %d %q", tt.name, added, key, got, read)
				}
			default:
				if where.name != gateway.name || status < 400 || code(text) == "" || len(added) > 0 {
					t.Errorf("%s: PUT %d %s, added %q; want it stored as %q", tt.name, status, text, added, key)
				}
				if got == http.StatusOK {
					t.Errorf("%s: PUT was refused with %s, GET read %q", tt.name, code(text), read)
				}
				t.Logf("%s: refused with %d %s", tt.name, status, code(text))
			}
			before = after
		}
		if _, text := send(t, where, root, http.MethodGet, "/"+bucket+"/secret/x", ""); text != secret {
			t.Errorf("the secret is now %q", text)
		}
		if others := lister(where, escaped)(t); len(others) > 0 {
			t.Errorf("in another bucket there is %q", others)
		}
	})
}

// TestRealClientsNameHostileKeys has real clients store and fetch under such keys, and
// restic keep a repository in a folder that has such a name.
func TestRealClientsNameHostileKeys(t *testing.T) {
	requireAll(t)
	names := map[string][]string{
		"rclone": {everyCharacter},          // cleans paths itself
		"restic": {"sp ace/ü+日~/a&b=c;d'e"}, // does too, and takes a percent sign for an escape
	}
	eachFront(t, func(t *testing.T, where theatre) {
		bucket := "named-" + strings.ReplaceAll(where.name, "_", "-")
		sdk := sdkOf(where, where.root)
		if _, err := sdk.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			t.Fatal(err)
		}
		own := keeper(t, where, bucket, bucket)
		for _, c := range clientsAt(where) {
			t.Run(c.Name, func(t *testing.T) {
				keys := slices.Clone(names[c.Name])
				if keys == nil {
					keys = []string{everyCharacter, everySlash}
				}
				for _, key := range keys {
					key = c.Name + "/" + key
					allowed(t, "storing "+key, c.Put(t.Context(), where.Site, own, bucket+"/"+key))
					allowed(t, "fetching "+key, c.Get(t.Context(), where.Site, own, bucket+"/"+key))
					if got := c.Put(t.Context(), where.Site, own, bucket+"/secret/"+key); !c.Refused(got, "AccessDenied") {
						t.Errorf("storing secret/%s: success %v, want AccessDenied in %s", key, got.OK, got.Output)
					}
				}
				for _, stored := range lister(where, bucket)(t) {
					keys = slices.DeleteFunc(keys, func(key string) bool {
						key = c.Name + "/" + key
						if where.name == gateway.name {
							key = path.Clean(key)
						}
						return stored == key || c.Name == "restic" && stored == key+"/config"
					})
					if strings.HasPrefix(stored, "secret") {
						t.Errorf("%q is in the bucket", stored)
					}
				}
				if len(keys) > 0 {
					t.Errorf("not in the bucket: %q", keys)
				}
			})
		}
		t.Run("restic backs up and restores", func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "large")
			if err := os.WriteFile(file, []byte(strings.Repeat(rand.Text(), 1<<18)), 0o600); err != nil {
				t.Fatal(err)
			}
			(&trip{T: t, Site: where.Site, cred: own, bucket: "backup-" + bucket, large: file, sdk: sdk}).restic()
		})
	})
}

// keeper is a user who may do everything but reach what a bucket has below secret/.
func keeper(t *testing.T, where theatre, user, bucket string) clients.Credential {
	t.Helper()
	boto := clients.All()[1]
	require(t, boto.Program)
	call(t, where, boto, where.root, nil, "iam", "CreateUser", input{"UserName": user})
	call(t, where, boto, where.root, nil, "iam", "PutUserPolicy", input{"UserName": user, "PolicyName": "keeper", "PolicyDocument": fmt.Sprintf(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"},{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::%s/secret/*"}]}`, bucket)})
	return createKey(t, where, boto, user)
}

// send sends a signed request whose target is taken byte for byte.
func send(t *testing.T, where theatre, as sigv4.Credentials, method, target, body string) (status int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, where.S3+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := sigv4.Sign(r, as, "us-east-1", sigv4.S3, sigv4.HexBody([]byte(body)), iam.At(time.Now())); err != nil {
		t.Fatal(err)
	}
	r.URL.Opaque = target
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(content)
}

// code is the code of an S3 error document, empty if text is none.
func code(text string) string {
	_, rest, _ := strings.Cut(text, "<Code>")
	found, _, ok := strings.Cut(rest, "</Code>")
	if !ok {
		return ""
	}
	return found
}

func sdkOf(where theatre, as clients.Credential) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(where.S3), UsePathStyle: true, Region: "us-east-1", RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(as.AccessKey, as.Secret, as.Token),
	})
}

// lister returns what lists the keys of a bucket.
func lister(where theatre, bucket string) func(*testing.T) []string {
	return func(t *testing.T) (keys []string) {
		t.Helper()
		pages := s3.NewListObjectsV2Paginator(sdkOf(where, where.root), &s3.ListObjectsV2Input{Bucket: &bucket})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(errors.Join(errors.New("list "+bucket), err))
			}
			for _, o := range page.Contents {
				keys = append(keys, *o.Key)
			}
		}
		return keys
	}
}
