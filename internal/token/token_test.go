package token

import (
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/doorward/doorward/iam"
)

type testRoot string

func (r testRoot) Derive(purpose string, size int) []byte {
	sum := sha256.Sum256([]byte(string(r) + "\x00" + purpose))
	return sum[:size]
}

func ring(t testing.TB, cluster string, current Deriver, former ...Deriver) *Keyring {
	t.Helper()
	k, err := NewKeyring(cluster, current, former...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestTokenSaysWhatWasSealed(t *testing.T) {
	k := ring(t, "c1", testRoot("a"))
	rapid.Check(t, func(t *rapid.T) {
		want := Token{
			Key:     iam.AccessKeyID(rapid.StringN(1, 32, 128).Draw(t, "key")),
			Index:   iam.Index(rapid.Uint64().Draw(t, "index")),
			Expires: iam.Time(rapid.Int64().Draw(t, "expires")),
		}
		text := k.Seal(want)
		if len(text) > MaxLength || MaxLength >= 512 {
			t.Fatalf("%d bytes, the limit is %d", len(text), MaxLength)
		}
		if strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Fatalf("%q is not URL-safe", text)
		}
		if got, err := k.Open(text); err != nil || got != want {
			t.Fatalf("Open = %+v, %v, want %+v", got, err, want)
		}
	})
}

func TestAlteredTokenIsInvalid(t *testing.T) {
	k := ring(t, "c1", testRoot("a"))
	text := k.Seal(Token{Key: "ASIAEXAMPLEEXAMPLE12", Index: 7, Expires: 9})
	for i := range text {
		for _, c := range []byte("AZaz09-_=+/ \n") {
			if text[i] == c {
				continue
			}
			altered := text[:i] + string(c) + text[i+1:]
			if got, err := k.Open(altered); !errors.Is(err, ErrInvalid) {
				t.Fatalf("byte %d made %q: Open = %+v, %v", i, c, got, err)
			}
		}
		if _, err := k.Open(text[:i]); !errors.Is(err, ErrInvalid) {
			t.Fatalf("cut to %d bytes it still opens", i)
		}
	}
	for _, longer := range []string{text + "A", text + "=", text + text, strings.Repeat("A", 1<<20), " " + text, text + "\n"} {
		if _, err := k.Open(longer); !errors.Is(err, ErrInvalid) {
			t.Errorf("%.40q… opens", longer)
		}
	}
}

func TestOtherStoresTokensAreInvalid(t *testing.T) {
	text := ring(t, "c1", testRoot("a")).Seal(Token{Key: "ASIA"})
	for name, other := range map[string]*Keyring{
		"another root":               ring(t, "c1", testRoot("b")),
		"another cluster, same root": ring(t, "c2", testRoot("a")),
	} {
		if _, err := other.Open(text); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s opens it", name)
		}
	}
}

func TestRotationAndExport(t *testing.T) {
	old, both := ring(t, "c1", testRoot("a")), ring(t, "c1", testRoot("b"), testRoot("a"))
	before := old.Seal(Token{Key: "ASIA", Index: 1})
	if _, err := both.Open(before); err != nil {
		t.Fatal(err)
	}
	after := both.Seal(Token{Key: "ASIA", Index: 2})
	if _, err := old.Open(after); !errors.Is(err, ErrInvalid) {
		t.Error("the old ring opens a token of the new key")
	}
	imported, err := Import(both.Export())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{before, after} {
		if _, err := imported.Open(text); err != nil {
			t.Error("an imported ring does not open what the exporter does")
		}
	}
	if _, err := old.Open(imported.Seal(Token{Key: "ASIA"})); err == nil {
		t.Error("the imported ring's current key is not the exporter's")
	}
	for name, keys := range map[string][][]byte{"no keys": nil, "a short key": {{1, 2, 3}}} {
		if _, err := Import(keys); err == nil {
			t.Errorf("%s are imported", name)
		}
	}
}

func FuzzOpen(f *testing.F) {
	k := ring(f, "c1", testRoot("a"))
	f.Add(k.Seal(Token{Key: "ASIAEXAMPLEEXAMPLE12", Index: 7, Expires: 9}))
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := k.Open(text); err == nil && len(got.Key) == 0 {
			t.Fatalf("%q opens to a token without a key", text)
		}
	})
}
