package seal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/doorward/doorward/iam"
)

var someRecord = Record{Cluster: "c1", Table: "access-keys", Key: "AKIAEXAMPLE"}

func ring(t testing.TB, current *Root, former ...*Root) *Keyring {
	t.Helper()
	k, err := NewKeyring(current, former...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSealedSecretOpensForItsRecordOnly(t *testing.T) {
	k := ring(t, NewRoot())
	sealed := k.Seal(someRecord, []byte("wJalrXUtnFEMI"))
	if got, err := k.Open(someRecord, sealed); err != nil || string(got) != "wJalrXUtnFEMI" {
		t.Fatalf("Open = %q, %v", got, err)
	}
	for name, other := range map[string]Record{
		"another cluster":          {"c2", "access-keys", "AKIAEXAMPLE"},
		"another table":            {"c1", "sessions", "AKIAEXAMPLE"},
		"another key":              {"c1", "access-keys", "AKIAEXAMPLF"},
		"the parts cut otherwise":  {"c1a", "ccess-keys", "AKIAEXAMPLE"},
		"the parts cut at the end": {"c1", "access-keysA", "KIAEXAMPLE"},
	} {
		if got, err := k.Open(other, sealed); !errors.Is(err, ErrOpen) {
			t.Errorf("%s: Open = %q, %v, want ErrOpen", name, got, err)
		}
	}
}

func TestAlteredBytesNeverOpen(t *testing.T) {
	k := ring(t, NewRoot())
	sealed := k.Seal(someRecord, []byte("secret"))
	for i := range sealed {
		for bit := range 8 {
			altered := append(iam.Sealed(nil), sealed...)
			altered[i] ^= 1 << bit
			if got, err := k.Open(someRecord, altered); !errors.Is(err, ErrOpen) {
				t.Fatalf("bit %d of byte %d flipped: Open = %q, %v", bit, i, got, err)
			}
		}
		if got, err := k.Open(someRecord, sealed[:i]); !errors.Is(err, ErrOpen) {
			t.Fatalf("cut to %d bytes: Open = %q, %v", i, got, err)
		}
	}
}

func TestRotationOpensOldAndSealsNew(t *testing.T) {
	old, fresh := NewRoot(), NewRoot()
	before := ring(t, old).Seal(someRecord, []byte("s"))
	both := ring(t, fresh, old)
	if _, err := both.Open(someRecord, before); err != nil {
		t.Fatal(err)
	}
	if !both.Stale(before) {
		t.Error("a secret under the former key is not stale")
	}
	after := both.Seal(someRecord, []byte("s"))
	if both.Stale(after) {
		t.Error("a secret under the current key is stale")
	}
	if _, err := ring(t, fresh).Open(someRecord, after); err != nil {
		t.Fatal(err)
	}
	_, err := ring(t, fresh).Open(someRecord, before)
	if !errors.Is(err, ErrOpen) || !strings.Contains(err.Error(), ring(t, old).ID()) {
		t.Errorf("without the former key: %v, want ErrOpen naming the key id", err)
	}
	if _, err := NewKeyring(fresh, old, fresh); err == nil {
		t.Error("a root given twice is accepted")
	}
}

func TestSealIsInverseOfOpen(t *testing.T) {
	k := ring(t, NewRoot())
	rapid.Check(t, func(t *rapid.T) {
		rec := Record{rapid.String().Draw(t, "c"), rapid.String().Draw(t, "t"), rapid.String().Draw(t, "k")}
		secret := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "secret")
		a, b := k.Seal(rec, secret), k.Seal(rec, secret)
		if string(a) == string(b) {
			t.Fatal("sealing twice gave the same bytes")
		}
		if got, err := k.Open(rec, a); err != nil || string(got) != string(secret) {
			t.Fatalf("Open = %x, %v, want %x", got, err, secret)
		}
	})
}

func FuzzOpen(f *testing.F) {
	root, _ := RootFromBytes([]byte("0123456789abcdef0123456789abcdef"))
	k := ring(f, root)
	f.Add([]byte(k.Seal(someRecord, []byte("secret"))))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, sealed []byte) {
		got, err := k.Open(someRecord, sealed)
		if err == nil && k.Stale(sealed) {
			t.Fatalf("opened %q with a key that is not in the ring", got)
		}
	})
}

func TestSecretIsNeverPrinted(t *testing.T) {
	const text = "hunter2-hunter2"
	s := NewSecret([]byte(text))
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "in", []any{s})
	inJSON, _ := json.Marshal(struct{ S Secret }{s})
	outputs := []string{log.String(), string(inJSON), s.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		outputs = append(outputs, fmt.Sprintf(verb, s), fmt.Sprintf(verb, struct{ S Secret }{s}), fmt.Sprintf(verb, &s))
	}
	root, _ := RootFromBytes([]byte("hunter2-hunter2-hunter2-hunter2-"))
	outputs = append(outputs, fmt.Sprintf("%v %+v %#v", root, root, *root))
	for _, out := range outputs {
		if strings.Contains(out, "hunter2") || strings.Contains(out, fmt.Sprintf("%x", text)) || strings.Contains(out, "104 117 110") {
			t.Errorf("the secret shows in %s", out)
		}
	}
}

func TestRootFileIsCreatedPrivateAndOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "root.key")
	root, err := CreateRootFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
	again, err := LoadRoot(Source{File: path}, "")
	if err != nil || string(again.Derive("x", 8)) != string(root.Derive("x", 8)) {
		t.Fatalf("LoadRoot: %v, or another key", err)
	}
	if _, err := CreateRootFile(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second CreateRootFile = %v, want ErrExist", err)
	}
}

func TestRootKeyRefusals(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode fs.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const good = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n"
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	t.Setenv("SHORT_KEY", "c2hvcnQ=")
	for _, row := range []struct {
		name string
		from Source
		want string
	}{
		{"no source is refused", Source{}, "exactly one"},
		{"two sources are refused", Source{File: "a", Env: "b"}, "exactly one"},
		{"a world-readable file is refused", Source{File: file("world", good, 0o644)}, "chmod 600"},
		{"a group-readable file is refused", Source{File: file("group", good, 0o640)}, "chmod 600"},
		{"a world-readable passphrase is refused", Source{Passphrase: file("pass", "long enough to be accepted", 0o604)}, "chmod 600"},
		{"a short passphrase is refused", Source{Passphrase: file("short", "short\n", 0o600)}, "at least 16"},
		{"a missing file is named", Source{File: filepath.Join(dir, "none")}, "none"},
		{"a directory is refused", Source{File: t.TempDir()}, "not a regular file"},
		{"an empty file is refused", Source{File: file("empty", "", 0o600)}, "0 bytes"},
		{"text that is not base64 is refused unquoted", Source{File: file("text", "hunter2!hunter2!", 0o600)}, "not base64"},
		{"a zero key is refused", Source{File: file("zero", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 0o600)}, "all zeros"},
		{"an unset variable is named", Source{Env: "NO_SUCH_KEY"}, "NO_SUCH_KEY"},
		{"a short key in a variable is refused", Source{Env: "SHORT_KEY"}, "5 bytes"},
		{"a credential path is refused", Source{Credential: "../world"}, "a name is needed"},
		{"a world-readable credential is refused", Source{Credential: "world"}, "chmod 600"},
	} {
		if _, err := LoadRoot(row.from, "cluster"); err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q in it and nothing secret", row.name, err, row.want)
		}
	}
	file("cred", good, 0o440)
	if _, err := LoadRoot(Source{Credential: "cred"}, ""); err != nil {
		t.Errorf("a systemd credential with mode 0440: %v", err)
	}
}

func TestPassphraseIsSaltedByCluster(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pass")
	if err := os.WriteFile(path, []byte("correct horse battery staple\r\nignored"), 0o600); err != nil {
		t.Fatal(err)
	}
	derive := func(salt string) string {
		root, err := LoadRoot(Source{Passphrase: path}, salt)
		if err != nil {
			t.Fatal(err)
		}
		return string(root.Derive("x", 16))
	}
	if derive("a") != derive("a") {
		t.Error("the same passphrase and salt gave two keys")
	}
	if derive("a") == derive("b") {
		t.Error("two clusters share a key")
	}
	if _, err := LoadRoot(Source{Passphrase: path}, ""); err == nil {
		t.Error("no salt is accepted")
	}
}

func TestEnvironmentKeyIsTakenOut(t *testing.T) {
	t.Setenv("DOORWARD_ROOT_KEY", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	if _, err := LoadRoot(Source{Env: "DOORWARD_ROOT_KEY"}, ""); err != nil {
		t.Fatal(err)
	}
	if _, still := os.LookupEnv("DOORWARD_ROOT_KEY"); still {
		t.Error("the key is still in the environment")
	}
}
