package clients_test

import (
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/e2e/clients"
)

//go:embed refresh.py
var refresh string

// TestClientsOutliveTheirCredentials has each way to get temporary credentials go on
// when they have ended: boto3 with one client object, awscli from command to command.
func TestClientsOutliveTheirCredentials(t *testing.T) {
	requireAll(t)
	boto := clients.All()[1]
	must(t, clients.Doorward(t.Context(), inside.Site, inside.root, "settings", "set", "min_session=1"))
	must(t, clients.MakeBucket(t.Context(), inside.Site, inside.root, "shift"))
	must(t, clients.All()[0].Put(t.Context(), inside.Site, inside.root, "shift/key"))
	call(t, inside, boto, inside.root, nil, "iam", "CreateUser", input{"UserName": "worker"})
	call(t, inside, boto, inside.root, nil, "iam", "AttachUserPolicy", input{"UserName": "worker", "PolicyArn": readonly})
	role := "arn:aws:iam::" + account + ":role/shift"
	call(t, inside, boto, inside.root, nil, "iam", "CreateRole", input{"RoleName": "shift",
		"AssumeRolePolicyDocument": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + account + `:user/worker"},"Action":"sts:AssumeRole"}}`})
	call(t, inside, boto, inside.root, nil, "iam", "AttachRolePolicy", input{"RoleName": "shift", "PolicyArn": readonly})
	own := createKey(t, inside, boto, "worker")

	t.Run("boto3 assumes a role again", func(t *testing.T) {
		t.Parallel()
		crosses(t, "assume-role", role, "AWS_ACCESS_KEY_ID="+own.AccessKey, "AWS_SECRET_ACCESS_KEY="+own.Secret)
	})
	served := serve(t, own)
	t.Run("boto3 asks its container again", func(t *testing.T) {
		t.Parallel()
		crosses(t, "container", role, served...)
	})
	t.Run("awscli asks its container each time", func(t *testing.T) {
		t.Parallel()
		for n := range 2 {
			<-time.After(time.Duration(n) * 4 * time.Second) // longer than any session that was served
			cmd := exec.CommandContext(t.Context(), "/usr/bin/aws", "--endpoint-url", inside.S3, "s3api", "get-object", "--bucket", "shift", "--key", "key", "/dev/null")
			cmd.Env = append(bare(inside.Dir), served...)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		}
	})
}

// bare is an environment without credentials.
func bare(home string) []string {
	return []string{"PATH=/usr/bin:/bin", "HOME=" + home, "LANG=C.UTF-8", "AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1", "AWS_PAGER="}
}

// serve runs doorward creds serve with sessions of three seconds, and returns what it
// says to put into the environment of applications.
func serve(t *testing.T, own clients.Credential) []string {
	t.Helper()
	token := filepath.Join(t.TempDir(), "token")
	cmd := exec.CommandContext(t.Context(), inside.Doorward, "--endpoint", inside.IAM, "creds", "serve", "--duration", "3s", "--token-file", token, "--listen", "127.0.0.1:0")
	cmd.Env = append(bare(inside.Dir), "AWS_ACCESS_KEY_ID="+own.AccessKey, "AWS_SECRET_ACCESS_KEY="+own.Secret)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Cancel(); cmd.Wait() })
	lines := bufio.NewScanner(out)
	lines.Scan()
	uri := strings.TrimPrefix(lines.Text(), "export ")
	lines.Scan()
	text, err := os.ReadFile(token)
	if err != nil || !strings.HasPrefix(uri, "AWS_CONTAINER_CREDENTIALS_FULL_URI=") {
		t.Fatalf("%q, %v", uri, err)
	}
	return []string{uri, strings.TrimPrefix(lines.Text(), "export "), "AWS_CONTAINER_AUTHORIZATION_TOKEN=" + string(text)}
}

// runBoto runs refresh.py, and returns its output and what lets it go on.
func runBoto(t *testing.T, how, role string, env ...string) (*bufio.Scanner, io.Writer) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", refresh, how, inside.S3, inside.IAM, role)
	cmd.Env = append(bare(inside.Dir), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	return bufio.NewScanner(out), in
}

// crosses lets the credentials of boto3's first read end before the second.
func crosses(t *testing.T, how, role string, env ...string) {
	t.Helper()
	lines, goOn := runBoto(t, how, role, env...)
	var keys [2]string
	for n := range keys {
		if !lines.Scan() {
			t.Fatalf("read %d failed", n+1)
		}
		key, at, _ := strings.Cut(lines.Text(), " ")
		ends, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		keys[n] = key
		<-time.After(time.Until(ends) + time.Second)
		fmt.Fprintln(goOn)
	}
	if keys[0] == keys[1] || !strings.HasPrefix(keys[1], "ASIA") {
		t.Errorf("the reads were signed as %q", keys)
	}
}
