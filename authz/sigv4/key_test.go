package sigv4

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/doorward/doorward/iam"
	"pgregory.net/rapid"
)

// TestHashStateLayout holds crypto/sha256 to the form of its marshaled state that
// signing keys rely on.
func TestHashStateLayout(t *testing.T) {
	block := bytes.Repeat([]byte{0xA5}, sha256.BlockSize)
	digest := sha256.New()
	digest.Write(block)
	text, err := digest.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil || len(text) != marshaledLength {
		t.Fatalf("state has %d bytes, want %d (%v)", len(text), marshaledLength, err)
	}
	if state := stateAfter((*[64]byte)(block)); !bytes.Contains(text, state[:]) {
		t.Errorf("state %x is not in %x", state, text)
	}
}

// TestHMACEqualsStandardLibrary compares the HMAC from cached states with
// crypto/hmac for keys and messages of every length around the block size.
func TestHMACEqualsStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		day := DayKey(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key"))
		message := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "message")
		key := NewSigningKey(day, Scope{Date: "20261124"})
		h := newHasher()
		h.message = append(h.message, message...)
		h.hmac(&key)
		if want := mac(day[:], string(message)); !hmac.Equal(want, h.mac[:]) {
			t.Fatalf("got %x, want %x", h.mac, want)
		}
		h.canonical = append(h.canonical, message...)
		var sum [32]byte
		h.sum(&sum)
		if sum != sha256.Sum256(message) || !bytes.Equal(h.canonical, message) {
			t.Fatalf("sum of %x is %x", message, sum)
		}
	})
}

// TestDeriveDayKeyOfTheDocumentation is the worked example of the AWS General
// Reference.
func TestDeriveDayKeyOfTheDocumentation(t *testing.T) {
	key := DeriveDayKey("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", Scope{"20150830", "us-east-1", IAM})
	want := "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
	if got := hex.EncodeToString(key[:]); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestKeysAreNeverPrinted prints keys and credentials in every way that a
// program does by accident.
func TestKeysAreNeverPrinted(t *testing.T) {
	scope := Scope{"20261124", "eu-west-1", S3}
	day := DeriveDayKey("secret", scope)
	key := NewSigningKey(day, scope)
	pair := Credentials{AccessKeyID: "AKID", Secret: "top-secret", Token: "top-token"}
	session := alice
	session.token = "top-token"
	r := session.header(request("GET", "/b/k"), "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
	c, err := S3Rules("eu-west-1").Parse(&r, iam.At(now))
	if err != nil {
		t.Fatal(err)
	}
	real := DeriveSigningKey(alice.secret, c.Scope())
	verified, err := c.Verify(&real)
	if err != nil {
		t.Fatal(err)
	}
	chain, _ := verified.Chain(&real)
	for _, secret := range []any{day, &day, key, &key, struct{ K any }{key}, pair, &pair, c, &c, verified, &verified, chain, &chain} {
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("m", "key", secret)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "key", secret)
		text, _ := json.Marshal(secret)
		printed := log.String() + string(text) + fmt.Sprint(secret)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%b"} {
			printed += fmt.Sprintf(verb, secret)
		}
		for _, leak := range []string{
			hex.EncodeToString(day[:4]), strings.ToUpper(hex.EncodeToString(day[:4])), fmt.Sprint(day[:3])[1:8],
			hex.EncodeToString(key.inner[:4]), fmt.Sprint(real.inner[:3])[1:8], c.signature, string(day[:4]), "top-secret", "top-token", hex.EncodeToString([]byte("top-")),
		} {
			if strings.Contains(printed, leak) {
				t.Errorf("%T leaks %q in %q", secret, leak, printed)
			}
		}
	}
}

// TestKeyOfAnotherScopeVerifiesNothing: a key is never tried outside its scope,
// not even if the caller mixes keys up.
func TestKeyOfAnotherScopeVerifiesNothing(t *testing.T) {
	r := alice.header(request("GET", "/b/k"), emptyHash)
	c, err := S3Rules("eu-west-1").Parse(&r, iam.At(now))
	if err != nil {
		t.Fatal(err)
	}
	for _, scope := range []Scope{
		{"20261123", "eu-west-1", S3}, {"20261124", "us-east-1", S3}, {"20261124", "eu-west-1", STS},
	} {
		key := DeriveSigningKey(alice.secret, scope)
		if v, err := c.Verify(&key); code(err) != InternalError || v.Valid() {
			t.Errorf("key of %v: %v", scope, err)
		}
	}
	if v, err := c.Verify(&SigningKey{}); code(err) != InternalError || v.Valid() {
		t.Errorf("zero key: %v", err)
	}
}

// countAllocations is false under the race detector.
var countAllocations = true

// TestVerifyAllocatesNothing on the header and presigned paths with a cached key.
func TestVerifyAllocatesNothing(t *testing.T) {
	session := alice
	session.token = "a/session+token="
	for name, r := range map[string]Request{
		"header":    session.header(request("PUT", "/b/k%20x?partNumber=1&uploadId=a%2Fb", Header{"X-Amz-Acl", "private"}), emptyHash),
		"presigned": session.presign(request("GET", "/b/k%20x?response-content-type=text%2Fplain", Header{"X-Amz-Meta-A", "a  b"}), 60),
	} {
		rules, at := S3Rules("eu-west-1"), iam.At(now)
		key := DeriveSigningKey(alice.secret, Scope{"20261124", "eu-west-1", S3})
		var token [64]byte
		allocations := testing.AllocsPerRun(1000, func() {
			c, err := rules.Parse(&r, at)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.AppendToken(token[:0]); string(got) != session.token {
				t.Fatalf("token %q", got)
			}
			if v, err := c.Verify(&key); err != nil || !v.Valid() {
				t.Fatal(err)
			}
		})
		if countAllocations && allocations != 0 {
			t.Errorf("%s: %v allocations", name, allocations)
		}
	}
}
