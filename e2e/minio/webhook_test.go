package minio

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/minio/madmin-go/v3"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// host is a MinIO that asks the sidecar beside it, and the store that the sidecar
// follows. The root of MinIO is a user of Doorward like any other.
type host struct {
	minio, store *server
	admin        *madmin.AdminClient
}

// startHost starts all of it: a store, a sidecar whose webhook has a token, and MinIO.
func startHost(t *testing.T) *host {
	t.Helper()
	dir, api, peer, door := t.TempDir(), freeAddress(t), freeAddress(t), freeAddress(t)
	flags := []string{"--data", filepath.Join(dir, "store"), "--root-key-file", filepath.Join(dir, "root.key"),
		"--listen", api, "--peer-plain", "--peer-listen", peer}
	made, err := exec.CommandContext(t.Context(), doorwardProgram, append([]string{"init", "--output", "json"}, flags...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	h := &host{store: &server{url: "http://" + api, root: keyPair(t, made), dir: dir}}
	start(t, nil, doorwardProgram, append([]string{"server"}, flags...)...)
	eventually(t, "the store does not answer", func() bool { return answers(h.store.url + "/readyz") })

	token := "Bearer " + rand.Text()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, nil, doorwardProgram, "sidecar", "--nodes", peer, "--plain", "--state", filepath.Join(dir, "sidecar"),
		"--socket", filepath.Join(dir, "sidecar.sock"), "--versitygw-socket", "", "--http", door, "--minio-token-file", filepath.Join(dir, "token"))
	eventually(t, "the sidecar is not ready", func() bool { return answers("http://" + door + "/readyz") })

	root := h.user(t, "minio-root", `{"Effect":"Allow","Action":["s3:*","admin:*"],"Resource":"*"}`)
	h.minio = startMinIO(t, root,
		"MINIO_POLICY_PLUGIN_URL=http://"+door+"/minio/authz", "MINIO_POLICY_PLUGIN_AUTH_TOKEN="+token)
	options := &madmin.Options{Creds: credentials.NewStaticV4(root.id, root.secret, "")}
	if h.admin, err = madmin.NewWithOptions(strings.TrimPrefix(h.minio.url, "http://"), options); err != nil {
		t.Fatal(err)
	}
	return h
}

// keyPair reads what a command has printed as JSON.
func keyPair(t *testing.T, printed []byte) credential {
	t.Helper()
	var key struct {
		ID     string `json:"access_key_id"`
		Secret string `json:"secret_access_key"`
	}
	if err := json.NewDecoder(bytes.NewReader(printed)).Decode(&key); err != nil || key.Secret == "" {
		t.Fatalf("%v in %s", err, printed)
	}
	return credential{id: key.ID, secret: key.Secret}
}

// user makes a user of Doorward with a policy and an access key.
func (h *host) user(t *testing.T, name string, statements ...string) credential {
	t.Helper()
	document := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(document, []byte(`{"Version":"2012-10-17","Statement":[`+strings.Join(statements, ",")+`]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	h.store.command(t, "policy", "create", name, "--document", document)
	h.store.command(t, "user", "create", name, "--policy", name)
	return keyPair(t, []byte(h.store.command(t, "access-key", "create", name, "--output", "json")))
}

// known makes the key of a user of Doorward a user of MinIO, which needs its secret to
// verify signatures, and no policy.
func (h *host) known(t *testing.T, key credential) credential {
	t.Helper()
	if err := h.admin.AddUser(t.Context(), key.id, key.secret); err != nil {
		t.Fatal(err)
	}
	return key
}

// client is a program that fetches and stores an object.
type client struct {
	name     string
	get, put func(h *host, as credential, object, file string) []string
}

var clients = []client{
	{"awscli", func(h *host, _ credential, object, file string) []string {
		return append([]string{"/usr/bin/aws", "--endpoint-url", h.minio.url, "s3api", "get-object"}, append(named(object), file)...)
	}, func(h *host, _ credential, object, file string) []string {
		return append([]string{"/usr/bin/aws", "--endpoint-url", h.minio.url, "s3api", "put-object", "--body", file}, named(object)...)
	}},
	{"boto3", func(h *host, _ credential, object, file string) []string {
		return boto3(h, "download_file(bucket, key, file)", object, file)
	}, func(h *host, _ credential, object, file string) []string {
		return boto3(h, "upload_file(file, bucket, key)", object, file)
	}},
	{"s3cmd", func(h *host, as credential, object, file string) []string {
		return s3cmd(h, as, "get", "--force", "s3://"+object, file)
	}, func(h *host, as credential, object, file string) []string {
		return s3cmd(h, as, "put", file, "s3://"+object)
	}},
	{"rclone", func(h *host, as credential, object, file string) []string {
		// By way of a listing, since a refused HEAD is for rclone an object that is not there.
		folder, name := path.Split(object)
		return rclone(h, as, "copy", "--include", "/"+name, ":s3:"+folder, filepath.Dir(file))
	}, func(h *host, as credential, object, file string) []string {
		return rclone(h, as, "copyto", file, ":s3:"+object)
	}},
	{"restic", func(h *host, _ credential, object, _ string) []string {
		return restic(h, object, "cat", "config", "--no-lock")
	}, func(h *host, _ credential, object, _ string) []string {
		return restic(h, object, "init")
	}},
}

func named(object string) []string {
	bucket, key, _ := strings.Cut(object, "/")
	return []string{"--bucket", bucket, "--key", key}
}

func boto3(h *host, call, object, file string) []string {
	script := "import sys, boto3; endpoint, bucket, key, file = sys.argv[1:]; boto3.client('s3', endpoint_url=endpoint)." + call
	bucket, key, _ := strings.Cut(object, "/")
	return []string{"/usr/bin/python3", "-c", script, h.minio.url, bucket, key, file}
}

func s3cmd(h *host, as credential, args ...string) []string {
	at := strings.TrimPrefix(h.minio.url, "http://")
	return append([]string{"/usr/bin/s3cmd", "-c", "/dev/null", "--access_key=" + as.id, "--secret_key=" + as.secret, "--access_token=" + as.token,
		"--host=" + at, "--host-bucket=", "--no-ssl", "--region=us-east-1"}, args...)
}

func rclone(h *host, _ credential, args ...string) []string {
	return append([]string{"/usr/bin/rclone", "--config", "/dev/null", "--retries", "1", "--low-level-retries", "1",
		"--s3-provider", "Minio", "--s3-env-auth",
		"--s3-region", "us-east-1", "--s3-endpoint", h.minio.url, "--s3-no-check-bucket", "--ignore-times"}, args...)
}

func restic(h *host, object string, args ...string) []string {
	return append([]string{"/usr/bin/restic", "-r", "s3:" + h.minio.url + "/" + object, "-o", "s3.region=us-east-1", "--no-cache", "--quiet"}, args...)
}

// run runs a client's command and returns what it printed, and whether it succeeded.
func run(t *testing.T, as credential, command []string) (bool, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + cmd.Dir, "LANG=C.UTF-8",
		"AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1",
		"AWS_ACCESS_KEY_ID=" + as.id, "AWS_SECRET_ACCESS_KEY=" + as.secret, "RESTIC_PASSWORD=journey"}
	if as.token != "" {
		cmd.Env = append(cmd.Env, "AWS_SESSION_TOKEN="+as.token)
	}
	out, err := cmd.CombinedOutput()
	return err == nil, string(out)
}

// refusal is how the clients print a 403, some of them after a HEAD, which has no code.
var refusal = regexp.MustCompile(`403|Forbidden|Access ?Denied|SignatureDoesNotMatch`)

// TestMinIODoesWhatDoorwardAllows has real clients talk to a MinIO that knows nobody's
// policies and asks Doorward.
func TestMinIODoesWhatDoorwardAllows(t *testing.T) {
	h := startHost(t)
	eventually(t, "MinIO makes no bucket", func() bool { // it answers 503 until its identities are loaded
		status, _ := h.minio.ask(t, h.minio.root, "s3", http.MethodPut, "/reports", nil, nil)
		return status == http.StatusOK
	})
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("region,amount\nnorth,42\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			if _, err := os.Stat(c.get(h, credential{}, "", "")[0]); err != nil {
				t.Fatalf("%v; .ci/packages lists what is needed", err)
			}
			user := "user-" + c.name
			own := h.known(t, h.user(t, user,
				`{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::reports/`+c.name+`/*"}`,
				`{"Effect":"Allow","Action":["s3:ListBucket","s3:GetBucketLocation"],"Resource":"arn:aws:s3:::reports"}`,
				`{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}`))
			const open, closed = "/in/sp ace+ü", "-closed/x"
			if ok, said := run(t, h.minio.root, c.put(h, h.minio.root, "reports/"+c.name+closed, file)); !ok {
				t.Fatalf("root: %s", said)
			}
			got := filepath.Join(t.TempDir(), "got")
			put := func(as credential, object string) (bool, string) {
				return run(t, as, c.put(h, as, "reports/"+c.name+object, file))
			}
			get := func(as credential, object string) (bool, string) {
				return run(t, as, c.get(h, as, "reports/"+c.name+object, got))
			}
			allowed := func(what string) func(bool, string) {
				return func(ok bool, said string) {
					t.Helper()
					if !ok {
						t.Errorf("%s was refused: %s", what, said)
					}
				}
			}
			refused := func(what string) func(bool, string) {
				return func(ok bool, said string) {
					t.Helper()
					if ok || !refusal.MatchString(said) {
						t.Errorf("%s: success %v, want a refusal in %s", what, ok, said)
					}
				}
			}
			allowed("a write that is allowed")(put(own, open))
			allowed("a read that is allowed")(get(own, open))
			refused("a write that is not allowed")(put(own, closed+"2"))
			refused("a read that is not allowed")(get(own, closed))
			refused("a wrong secret")(get(credential{id: own.id, secret: own.secret + "x"}, open))

			session := h.session(t, own, "")
			allowed("a read of a session that MinIO has issued")(get(session, open))
			refused("a read of the session that is not allowed")(get(session, closed))
			narrow := h.session(t, own, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)
			refused("a session with a policy that Doorward has never seen")(get(narrow, open))

			h.store.command(t, "access-key", "disable", user, own.id)
			refused("a read with a key that Doorward has disabled")(get(own, open))
			refused("a read of its session")(get(session, open))
			h.store.command(t, "access-key", "enable", user, own.id)
			allowed("a read with the key enabled again")(get(own, open))
			h.store.command(t, "access-key", "delete", user, own.id)
			refused("a read with a key that Doorward has deleted")(get(own, open))
		})
	}
}

// session asks MinIO for a session of somebody.
func (h *host) session(t *testing.T, of credential, policy string) credential {
	t.Helper()
	form := url.Values{"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "DurationSeconds": {"900"}}
	if policy != "" {
		form.Set("Policy", policy)
	}
	kind := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	status, text := h.minio.ask(t, of, "sts", http.MethodPost, "/", kind, []byte(form.Encode()))
	var answer struct {
		Credentials struct{ AccessKeyId, SecretAccessKey, SessionToken string } `xml:"AssumeRoleResult>Credentials"`
	}
	if err := xml.NewDecoder(bytes.NewReader(text)).Decode(&answer); err != nil || status != http.StatusOK {
		t.Fatalf("AssumeRole: %d %s", status, text)
	}
	c := answer.Credentials
	return credential{id: c.AccessKeyId, secret: c.SecretAccessKey, token: c.SessionToken}
}
