package sigv4

import (
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward/iam"
)

// client signs requests the slow and obvious way, straight from the text of the
// AWS documentation. It shares nothing with the package but the types, so that
// what it signs and what the package verifies check one another.
type client struct {
	id, secret, token string
	region            string
	service           Service
	at                time.Time
	keepDots          bool
}

// alice is the client of most tests, and now the server's clock.
var (
	now   = time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)
	alice = client{id: "AKIDALICE", secret: "alice's secret", region: "eu-west-1", service: S3, at: now}
)

func (c client) date() string { return c.at.UTC().Format("20060102T150405Z") }

func (c client) scope() string {
	return c.date()[:8] + "/" + c.region + "/" + string(c.service) + "/aws4_request"
}

func (c client) key() []byte {
	key := []byte("AWS4" + c.secret)
	for _, part := range []string{c.date()[:8], c.region, string(c.service), "aws4_request"} {
		key = mac(key, part)
	}
	return key
}

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

func hexSum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// sign returns the signature of a canonical request.
func (c client) sign(canonical string) string {
	text := "AWS4-HMAC-SHA256\n" + c.date() + "\n" + c.scope() + "\n" + hexSum(canonical)
	return hex.EncodeToString(mac(c.key(), text))
}

// header signs r with an Authorization field over Host, every x-amz-* field and
// the fields named besides.
func (c client) header(r Request, payload string, besides ...string) Request {
	r.Headers = slices.Clone(r.Headers)
	r.Headers = append(r.Headers, Header{"X-Amz-Date", c.date()})
	if c.token != "" {
		r.Headers = append(r.Headers, Header{"X-Amz-Security-Token", c.token})
	}
	if c.service == S3 {
		r.Headers = append(r.Headers, Header{"X-Amz-Content-Sha256", payload})
	}
	names := signedNames(r.Headers, besides)
	signature := c.sign(canonicalRequest(r, c.service, c.keepDots, names, payload))
	r.Headers = append(r.Headers, Header{"Authorization", fmt.Sprintf(
		"AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
		c.id, c.scope(), strings.Join(names, ";"), signature)})
	return r
}

// alicePublic verifies what alice signs with SigV4A.
var alicePublic, _ = DerivePublicKey(iam.AccessKeyID(alice.id), alice.secret)

func (c client) scopeECDSA() string { return c.date()[:8] + "/" + string(c.service) + "/aws4_request" }

// signECDSA signs a string to sign, alike each time.
func (c client) signECDSA(text string) string {
	private, err := deriveECDSA(iam.AccessKeyID(c.id), c.secret)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256([]byte(text))
	signature, err := private.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		panic(err)
	}
	return hex.EncodeToString(signature)
}

// headerECDSA is header with SigV4A, for all regions.
func (c client) headerECDSA(r Request, payload string, besides ...string) Request {
	r.Headers = append(slices.Clone(r.Headers), Header{"X-Amz-Date", c.date()}, Header{"X-Amz-Region-Set", "*"}, Header{"X-Amz-Content-Sha256", payload})
	names := signedNames(r.Headers, besides)
	text := "AWS4-ECDSA-P256-SHA256\n" + c.date() + "\n" + c.scopeECDSA() + "\n" + hexSum(canonicalRequest(r, c.service, c.keepDots, names, payload))
	r.Headers = append(r.Headers, Header{"Authorization", fmt.Sprintf(
		"AWS4-ECDSA-P256-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
		c.id, c.scopeECDSA(), strings.Join(names, ";"), c.signECDSA(text))})
	return r
}

// presign signs r in its query.
func (c client) presign(r Request, expires int, besides ...string) Request {
	names := signedNames(r.Headers, besides)
	params := [][2]string{
		{"X-Amz-Algorithm", "AWS4-HMAC-SHA256"},
		{"X-Amz-Credential", c.id + "/" + c.scope()},
		{"X-Amz-Date", c.date()},
		{"X-Amz-Expires", fmt.Sprint(expires)},
		{"X-Amz-SignedHeaders", strings.Join(names, ";")},
	}
	if c.token != "" {
		params = append(params, [2]string{"X-Amz-Security-Token", c.token})
	}
	for _, p := range params {
		r.Target = addParam(r.Target, p[0], p[1])
	}
	payload := "UNSIGNED-PAYLOAD"
	if c.service != S3 {
		payload = hexSum("")
	}
	r.Target = addParam(r.Target, "X-Amz-Signature", c.sign(canonicalRequest(r, c.service, c.keepDots, names, payload)))
	return r
}

func addParam(target, name, value string) string {
	separator := "?"
	if strings.Contains(target, "?") {
		separator = "&"
	}
	return target + separator + name + "=" + uriEncode(value, "")
}

func signedNames(headers []Header, besides []string) []string {
	names := append([]string{"host"}, besides...)
	for _, h := range headers {
		if name := strings.ToLower(h.Name); strings.HasPrefix(name, "x-amz-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// canonicalRequest is the reference for the fast canonicaliser.
func canonicalRequest(r Request, service Service, keepDots bool, names []string, payload string) string {
	path, query, _ := strings.Cut(r.Target, "?")
	lines := []string{r.Method, canonicalPath(path, service, keepDots), canonicalQuery(query)}
	for _, name := range names {
		lines = append(lines, name+":"+canonicalValue(r.Headers, name))
	}
	lines = append(lines, "", strings.Join(names, ";"), payload)
	return strings.Join(lines, "\n")
}

func canonicalPath(path string, service Service, keepDots bool) string {
	if service == S3 {
		if path == "" {
			return "/"
		}
		decoded, err := url.PathUnescape(path)
		if err != nil {
			panic(err)
		}
		return uriEncode(decoded, "/")
	}
	if !keepDots {
		path = removeDots(path)
	}
	if path == "" {
		path = "/"
	}
	return uriEncode(path, "/")
}

// removeDots cleans a path as the clients of the Query services do.
func removeDots(path string) string {
	var out []string
	for _, segment := range strings.Split(path, "/") {
		switch segment {
		case "", ".":
		case "..":
			out = out[:max(len(out)-1, 0)]
		default:
			out = append(out, segment)
		}
	}
	if len(out) == 0 {
		return "/"
	}
	clean := "/" + strings.Join(out, "/")
	if strings.HasSuffix(path, "/") {
		clean += "/"
	}
	return clean
}

func canonicalQuery(query string) string {
	var pairs [][2]string
	for _, piece := range strings.Split(query, "&") {
		if piece == "" {
			continue
		}
		name, value, _ := strings.Cut(piece, "=")
		pair := [2]string{reencoded(name), reencoded(value)}
		if pair[0] != "X-Amz-Signature" {
			pairs = append(pairs, pair)
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int {
		if a[0] != b[0] {
			return strings.Compare(a[0], b[0])
		}
		return strings.Compare(a[1], b[1])
	})
	var out []string
	for _, p := range pairs {
		out = append(out, p[0]+"="+p[1])
	}
	return strings.Join(out, "&")
}

func reencoded(s string) string {
	decoded, err := url.PathUnescape(s)
	if err != nil {
		panic(err)
	}
	return uriEncode(decoded, "")
}

// uriEncode percent-encodes all but the unreserved characters and those in keep.
func uriEncode(s, keep string) string {
	var out strings.Builder
	for _, c := range []byte(s) {
		const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
		if strings.IndexByte(unreserved+keep, c) >= 0 {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}

var spaces = regexp.MustCompile(` +`)

func canonicalValue(headers []Header, name string) string {
	var values []string
	for _, h := range headers {
		if strings.ToLower(h.Name) == name {
			values = append(values, spaces.ReplaceAllString(strings.Trim(h.Value, " \t"), " "))
		}
	}
	return strings.Join(values, ",")
}

// request is a request to a bucket, with Host.
func request(method, target string, headers ...Header) Request {
	return Request{Method: method, Target: target, Headers: append([]Header{{"Host", "s3.example.net"}}, headers...)}
}

// server knows alice's key and verifies as an S3 server in eu-west-1 does.
func verify(r Request) (Verified, error) { return alice.verify(r, S3Rules("eu-west-1"), now) }

// verify checks r with the key of c.
func (c client) verify(r Request, rules *Rules, at time.Time) (Verified, error) {
	credential, err := rules.Parse(&r, iam.At(at))
	if err != nil {
		return Verified{}, err
	}
	if credential.Kind() == Anonymous {
		return credential.Admit()
	}
	key := DeriveSigningKey(c.secret, credential.Scope())
	return credential.Verify(&key)
}

// code returns the code of a refusal, or what err is instead.
func code(err error) iam.Code {
	if err == nil {
		return "accepted"
	}
	if refusal, ok := err.(*Error); ok {
		return refusal.Code
	}
	return iam.Code(err.Error())
}

const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
