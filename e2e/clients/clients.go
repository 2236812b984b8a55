package clients

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Credential is what a client signs with.
type Credential struct{ AccessKey, Secret, Token string }

// Outcome is how a client ended: whether it reported success, and all it printed.
type Outcome struct {
	OK     bool
	Output string
}

// Client is one program. Get fetches what Put stored under a key; both name it as
// bucket/key. It is one object, or for restic a repository in a folder of that name.
type Client struct {
	Name    string
	Program string // full path; Debian's programs, whatever else is installed
	Get     func(context.Context, Site, Credential, string) Outcome
	Put     func(context.Context, Site, Credential, string) Outcome
	// Call makes an IAM or STS call, e.g. ("iam", "CreateUser", `{"UserName":"a"}`),
	// and prints the answer as JSON. A client that has no such calls uses boto3's.
	Call func(ctx context.Context, site Site, cred Credential, service, action, params string) Outcome
	// refusals are what it prints about a refusal; nil: the S3 error code.
	refusals []string
}

// Refused reports whether the client failed and said that it was refused with the S3
// error code, as far as it tells codes.
func (c Client) Refused(o Outcome, code string) bool {
	said := func(text string) bool { return strings.Contains(o.Output, text) }
	return !o.OK && (c.refusals == nil && said(code) || slices.ContainsFunc(c.refusals, said))
}

// Site is where to talk to.
type Site struct {
	S3  string // e.g. http://127.0.0.1:7070
	IAM string
	Dir string // for files; removed by its owner
	// Doorward is the path of the doorward binary.
	Doorward string
}

//go:embed boto.py
var boto string

// All lists the clients.
func All() []Client {
	return []Client{
		{Name: "awscli", Program: "/usr/bin/aws", Get: awsGet, Put: awsPut, Call: awsCall},
		{Name: "boto3", Program: "/usr/bin/python3", Get: botoGet, Put: botoPut, Call: botoCall},
		{Name: "s3cmd", Program: "/usr/bin/s3cmd", Get: s3cmdGet, Put: s3cmdPut, Call: botoCall},
		{Name: "rclone", Program: "/usr/bin/rclone", Get: rcloneGet, Put: rclonePut, Call: botoCall},
		// Restic prints messages. It reads with a HEAD first, whose refusal has none.
		{Name: "restic", Program: "/usr/bin/restic", Get: resticGet, Put: resticPut, Call: botoCall,
			refusals: []string{"Access Denied", "Bad Request", "is not authorized to perform", "Refused by Doorward"}},
	}
}

// Installed reports whether the client can be run here.
func (c Client) Installed() bool {
	_, err := os.Stat(c.Program)
	if c.Name == "boto3" && err == nil {
		err = exec.Command(c.Program, "-c", "import boto3").Run()
	}
	return err == nil
}

var wordStart = regexp.MustCompile(`([a-z])([A-Z])`)

// words spells an action as clients do: CreateUser as create-user or create_user.
func words(action, between string) string {
	return strings.ToLower(wordStart.ReplaceAllString(action, "${1}"+between+"${2}"))
}

func awsCall(ctx context.Context, site Site, cred Credential, service, action, params string) Outcome {
	return Run(ctx, site, cred, "/usr/bin/aws", "--endpoint-url", site.IAM, "--output", "json", service, words(action, "-"), "--cli-input-json", params)
}

func botoCall(ctx context.Context, site Site, cred Credential, service, action, params string) Outcome {
	return Run(ctx, site, cred, "/usr/bin/python3", "-c", boto, site.IAM, service, words(action, "_"), params)
}

// Doorward runs the doorward command against the IAM endpoint.
func Doorward(ctx context.Context, site Site, cred Credential, args ...string) Outcome {
	return Run(ctx, site, cred, site.Doorward, append([]string{"--endpoint", site.IAM}, args...)...)
}

// MakeBucket creates a bucket with awscli.
func MakeBucket(ctx context.Context, site Site, cred Credential, bucket string) Outcome {
	return Run(ctx, site, cred, "/usr/bin/aws", "--endpoint-url", site.S3, "s3api", "create-bucket", "--bucket", bucket)
}

func awsGet(ctx context.Context, site Site, cred Credential, object string) Outcome {
	bucket, key, _ := strings.Cut(object, "/")
	return Run(ctx, site, cred, "/usr/bin/aws", "--endpoint-url", site.S3, "s3api", "get-object",
		"--bucket", bucket, "--key", key, filepath.Join(site.Dir, "got"))
}

func awsPut(ctx context.Context, site Site, cred Credential, object string) Outcome {
	bucket, key, _ := strings.Cut(object, "/")
	return Run(ctx, site, cred, "/usr/bin/aws", "--endpoint-url", site.S3, "s3api", "put-object",
		"--bucket", bucket, "--key", key, "--body", sample(site))
}

func botoGet(ctx context.Context, site Site, cred Credential, object string) Outcome {
	return Run(ctx, site, cred, "/usr/bin/python3", "-c", boto, site.S3, "s3", "get", object)
}

func botoPut(ctx context.Context, site Site, cred Credential, object string) Outcome {
	return Run(ctx, site, cred, "/usr/bin/python3", "-c", boto, site.S3, "s3", "put", object)
}

func s3cmdGet(ctx context.Context, site Site, cred Credential, object string) Outcome {
	got := S3cmd(ctx, site, cred, "get", "--force", "s3://"+object, filepath.Join(site.Dir, "got"))
	if !got.OK {
		// s3cmd asks with a HEAD first, whose refusal has no body and so no code. That
		// of a listing has.
		got.Output += S3cmd(ctx, site, cred, "ls", "s3://"+object).Output
	}
	return got
}

func s3cmdPut(ctx context.Context, site Site, cred Credential, object string) Outcome {
	return S3cmd(ctx, site, cred, "put", sample(site), "s3://"+object)
}

// S3cmd runs s3cmd against the S3 endpoint.
func S3cmd(ctx context.Context, site Site, cred Credential, args ...string) Outcome {
	host := strings.TrimPrefix(site.S3, "http://")
	all := []string{"-c", "/dev/null", "--access_key=" + cred.AccessKey, "--secret_key=" + cred.Secret,
		"--host=" + host, "--host-bucket=", "--no-ssl", "--region=us-east-1"}
	if cred.Token != "" {
		all = append(all, "--access_token="+cred.Token)
	}
	return Run(ctx, site, cred, "/usr/bin/s3cmd", append(all, args...)...)
}

func rcloneGet(ctx context.Context, site Site, cred Credential, object string) Outcome {
	// By way of a listing, as people copy folders; a HEAD, whose refusal has no body
	// and so no code, is not needed then.
	folder, file := path.Split(object)
	return Rclone(ctx, site, cred, "copy", "--ignore-times", "--include", "/"+file, "remote:"+folder, filepath.Join(site.Dir, "folder"))
}

func rclonePut(ctx context.Context, site Site, cred Credential, object string) Outcome {
	return Rclone(ctx, site, cred, "--s3-no-head", "--ignore-times", "--no-check-dest", "copyto", sample(site), "remote:"+object)
}

// Rclone runs rclone, for which the S3 endpoint is "remote:".
func Rclone(ctx context.Context, site Site, cred Credential, args ...string) Outcome {
	config := filepath.Join(site.Dir, "rclone.conf")
	text := fmt.Sprintf("[remote]\ntype = s3\nprovider = Other\nregion = us-east-1\nno_check_bucket = true\nendpoint = %s\naccess_key_id = %s\nsecret_access_key = %s\nsession_token = %s\n",
		site.S3, cred.AccessKey, cred.Secret, cred.Token)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return Outcome{Output: err.Error()}
	}
	return Run(ctx, site, cred, "/usr/bin/rclone", append([]string{"--config", config, "--retries", "1", "--low-level-retries", "1"}, args...)...)
}

func resticGet(ctx context.Context, site Site, cred Credential, object string) Outcome {
	return Restic(ctx, site, cred, object, "cat", "config", "--no-lock")
}

func resticPut(ctx context.Context, site Site, cred Credential, object string) Outcome {
	return Restic(ctx, site, cred, object, "init")
}

// Restic runs restic on a repository at bucket/folder.
func Restic(ctx context.Context, site Site, cred Credential, at string, args ...string) Outcome {
	return Run(ctx, site, cred, "/usr/bin/env", append([]string{"RESTIC_PASSWORD=journey", "/usr/bin/restic", "-r", "s3:" + site.S3 + "/" + at,
		"-o", "s3.region=us-east-1", "--no-cache", "--quiet"}, args...)...)
}

// sample makes a small file to upload.
func sample(site Site) string {
	name := filepath.Join(site.Dir, "sample")
	if err := os.WriteFile(name, []byte("region,amount\nnorth,42\n"), 0o600); err != nil {
		panic(err)
	}
	return name
}

// Run executes a program with the credential in its environment and nothing else
// that could give it another.
func Run(ctx context.Context, site Site, cred Credential, program string, args ...string) Outcome {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = site.Dir
	cmd.Env = []string{
		"PATH=/usr/bin:/bin", "HOME=" + site.Dir, "LANG=C.UTF-8", "AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_MAX_ATTEMPTS=1", "AWS_PAGER=", "AWS_ACCESS_KEY_ID=" + cred.AccessKey, "AWS_SECRET_ACCESS_KEY=" + cred.Secret,
	}
	if cred.Token != "" {
		cmd.Env = append(cmd.Env, "AWS_SESSION_TOKEN="+cred.Token)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if err != nil && out.Len() == 0 {
		out.WriteString(err.Error())
	}
	return Outcome{OK: err == nil, Output: out.String()}
}
