package client

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const credentialsText = `# ours
[default]
aws_access_key_id = DEFAULTKEY
aws_secret_access_key = default=secret

[ work ]
AWS_ACCESS_KEY_ID=WORKKEY
aws_secret_access_key=work-secret
aws_session_token = work-token
; a profile without keys
[empty]
region = eu-west-1
`

const configText = `[default]
region = us-east-1
[profile tools]
s3 =
  aws_access_key_id = NESTED
aws_access_key_id = TOOLSKEY
aws_secret_access_key = tools-secret
[tools]
aws_access_key_id = NOTAPROFILE
`

func TestLookup(t *testing.T) {
	home := t.TempDir()
	for name, text := range map[string]string{"credentials": credentialsText, "config": configText} {
		if err := os.MkdirAll(filepath.Join(home, ".aws"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(home, ".aws", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	inEnvironment := map[string]string{"AWS_ACCESS_KEY_ID": "ENVKEY", "AWS_SECRET_ACCESS_KEY": "env-secret"}
	for _, row := range []struct {
		name    string
		env     map[string]string
		profile string
		want    Credentials // Source apart
		none    bool
	}{
		{name: "the environment comes before the default profile", env: inEnvironment, want: Credentials{AccessKeyID: "ENVKEY", SecretAccessKey: "env-secret"}},
		{name: "a named profile comes before the environment", env: inEnvironment, profile: "work",
			want: Credentials{AccessKeyID: "WORKKEY", SecretAccessKey: "work-secret", SessionToken: "work-token"}},
		{name: "the default profile is the last resort", want: Credentials{AccessKeyID: "DEFAULTKEY", SecretAccessKey: "default=secret"}},
		{name: "AWS_PROFILE names the profile", env: map[string]string{"AWS_PROFILE": "work"},
			want: Credentials{AccessKeyID: "WORKKEY", SecretAccessKey: "work-secret", SessionToken: "work-token"}},
		{name: "profiles of the config file are headed so, and nested values are none", profile: "tools",
			want: Credentials{AccessKeyID: "TOOLSKEY", SecretAccessKey: "tools-secret"}},
		{name: "a profile without keys is none", profile: "empty", none: true},
		{name: "a profile that is not there is none", profile: "nobody", none: true},
		{name: "half a key pair is none", env: map[string]string{"AWS_ACCESS_KEY_ID": "ENVKEY"}, none: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := Lookup(func(name string) string {
				if name == "HOME" {
					return home
				}
				return row.env[name]
			}, row.profile)
			if errors.Is(err, ErrNoCredentials) != row.none {
				t.Fatalf("error %v, want none found: %v", err, row.none)
			}
			got.Source = ""
			if got != row.want {
				t.Errorf("got key %s, want %s", got.AccessKeyID, row.want.AccessKeyID)
			}
		})
	}
}

func FuzzReadSection(f *testing.F) {
	f.Add(credentialsText, "work")
	f.Add(configText, "profile tools")
	f.Add("[a]\n=b\n[a", "a")
	f.Fuzz(func(t *testing.T, text, name string) {
		values, err := readSection(strings.NewReader(text), name)
		if err != nil {
			return
		}
		for key, value := range values {
			if key != strings.ToLower(strings.TrimSpace(key)) || value != strings.TrimSpace(value) || strings.ContainsRune(value, '\n') {
				t.Errorf("read %q = %q from %q", key, value, text)
			}
		}
	})
}
