package client

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// Credentials sign requests. Text and log forms leave the secret and the token
// out.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string // empty for long-term keys
	Source          string // where they were found, for messages
}

// String names the key and where it came from.
func (c Credentials) String() string { return c.AccessKeyID + " (from " + c.Source + ")" }

// GoString is String, so that %#v hides the secret as well.
func (c Credentials) GoString() string { return c.String() }

// LogValue is String.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// ErrNoCredentials says that no credentials were found in any of the places that
// Lookup reads.
var ErrNoCredentials = errors.New("no credentials")

// Lookup finds credentials in the order of the AWS command line: the named
// profile if there is one, else AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
// AWS_SESSION_TOKEN, else the profile named by AWS_PROFILE, else the profile
// "default". Profiles are read from AWS_SHARED_CREDENTIALS_FILE
// (~/.aws/credentials), then AWS_CONFIG_FILE (~/.aws/config); only static keys
// are understood. Source: AWS SDKs and Tools Reference Guide, shared config and
// credentials files.
func Lookup(getenv func(string) string, profile string) (Credentials, error) {
	if profile == "" && getenv("AWS_ACCESS_KEY_ID") != "" {
		return fromEnvironment(getenv)
	}
	named := profile
	if named == "" {
		named = getenv("AWS_PROFILE")
	}
	name := named
	if name == "" {
		name = "default"
	}
	for _, file := range profileFiles(getenv) {
		creds, err := fromFile(file, name)
		if err != nil || creds.AccessKeyID != "" {
			return creds, err
		}
	}
	if named != "" {
		return Credentials{}, fmt.Errorf("%w: profile %q has no aws_access_key_id in %s", ErrNoCredentials, named, credentialsFile(getenv))
	}
	return Credentials{}, fmt.Errorf("%w in the environment or in %s", ErrNoCredentials, credentialsFile(getenv))
}

func fromEnvironment(getenv func(string) string) (Credentials, error) {
	creds := Credentials{
		AccessKeyID:     getenv("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: getenv("AWS_SECRET_ACCESS_KEY"),
		SessionToken:    getenv("AWS_SESSION_TOKEN"),
		Source:          "the environment",
	}
	if creds.SecretAccessKey == "" {
		return Credentials{}, fmt.Errorf("%w: AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not", ErrNoCredentials)
	}
	return creds, nil
}

// profileFile is a file of profiles and how it heads their sections.
type profileFile struct {
	path   string
	header func(profile string) string
}

func profileFiles(getenv func(string) string) []profileFile {
	return []profileFile{
		{credentialsFile(getenv), func(profile string) string { return profile }},
		{fileOr(getenv, "AWS_CONFIG_FILE", "config"), func(profile string) string {
			if profile == "default" {
				return profile
			}
			return "profile " + profile
		}},
	}
}

func credentialsFile(getenv func(string) string) string {
	return fileOr(getenv, "AWS_SHARED_CREDENTIALS_FILE", "credentials")
}

func fileOr(getenv func(string) string, variable, name string) string {
	if path := getenv(variable); path != "" {
		return path
	}
	return filepath.Join(getenv("HOME"), ".aws", name)
}

// fromFile returns the keys of a profile; none is not an error.
func fromFile(file profileFile, profile string) (Credentials, error) {
	f, err := os.Open(file.path)
	if errors.Is(err, fs.ErrNotExist) {
		return Credentials{}, nil
	}
	if err != nil {
		return Credentials{}, fmt.Errorf("read credentials: %w", err)
	}
	defer f.Close()
	values, err := readSection(f, file.header(profile))
	if err != nil {
		return Credentials{}, fmt.Errorf("read %s: %w", file.path, err)
	}
	creds := Credentials{
		AccessKeyID:     values["aws_access_key_id"],
		SecretAccessKey: values["aws_secret_access_key"],
		SessionToken:    values["aws_session_token"],
		Source:          fmt.Sprintf("profile %q in %s", profile, file.path),
	}
	if creds.AccessKeyID != "" && creds.SecretAccessKey == "" {
		return Credentials{}, fmt.Errorf("%w: %s has no aws_secret_access_key", ErrNoCredentials, creds.Source)
	}
	return creds, nil
}

// readSection reads the key = value lines under [name]. Indented lines are nested
// values, which no static key uses, and are passed over.
func readSection(r io.Reader, name string) (map[string]string, error) {
	values := map[string]string{}
	inside := false
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		text := strings.TrimSpace(line)
		switch {
		case text == "" || text[0] == '#' || text[0] == ';':
		case text[0] == '[':
			title, _, closed := strings.Cut(text[1:], "]")
			if !closed {
				return nil, fmt.Errorf("line %d: section header without a closing bracket", n)
			}
			inside = strings.Join(strings.Fields(title), " ") == name
		case inside && line[0] != ' ' && line[0] != '\t':
			key, value, found := strings.Cut(text, "=")
			if !found {
				return nil, fmt.Errorf("line %d: want key = value", n)
			}
			values[strings.ToLower(strings.TrimSpace(key))] = strings.TrimSpace(value)
		}
	}
	return values, lines.Err()
}
