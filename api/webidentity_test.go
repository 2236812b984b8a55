package api

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/api/oidc"
)

// identityProvider issues tokens as https://idp.example.com.
type identityProvider struct {
	key    *rsa.PrivateKey
	server *httptest.Server
}

func newIdentityProvider(t *testing.T) *identityProvider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &identityProvider{key: key}
	p.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			e := base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes())
			n := base64.RawURLEncoding.EncodeToString(key.N.Bytes())
			json.NewEncoder(w).Encode(map[string]any{"keys": []any{map[string]string{"kty": "RSA", "kid": "1", "n": n, "e": e}}})
			return
		}
		json.NewEncoder(w).Encode(map[string]string{"issuer": "https://idp.example.com", "jwks_uri": "https://idp.example.com/keys"})
	}))
	t.Cleanup(p.server.Close)
	return p
}

func (p *identityProvider) verifier() *oidc.Verifier {
	roots := x509.NewCertPool()
	roots.AddCert(p.server.Certificate())
	return &oidc.Verifier{Roots: roots, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, p.server.Listener.Addr().String())
	}}
}

func (p *identityProvider) token(claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"RS256","kid":"1"}`)) + "." + encode([]byte(claims))
	digest := sha256.Sum256([]byte(text))
	signature, _ := rsa.SignPKCS1v15(nil, p.key, crypto.SHA256, digest[:])
	return text + "." + encode(signature)
}

func TestSAMLIsRefusedByName(t *testing.T) {
	a := newWorld(t).call(credentials{}, "AssumeRoleWithSAML", "RoleArn", "arn:aws:iam::000000000000:role/r",
		"PrincipalArn", "arn:aws:iam::000000000000:saml-provider/adfs", "SAMLAssertion", "PHNhbWw+")
	if a.status != 400 || a.code != "InvalidAction" || !strings.Contains(a.message, "AssumeRoleWithWebIdentity") {
		t.Errorf("%d %s: %s", a.status, a.code, a.message)
	}
}

func TestAssumeRoleWithWebIdentity(t *testing.T) {
	idp := newIdentityProvider(t)
	w := newWorldAs(t, Config{Identity: idp.verifier()})
	provider := w.must(w.root, "CreateOpenIDConnectProvider", "Url", "https://idp.example.com", "ClientIDList.member.1", "app").text("OpenIDConnectProviderArn")
	role := func(name, statement string) string {
		return w.must(w.root, "CreateRole", "RoleName", name, "AssumeRolePolicyDocument", `{"Version":"2012-10-17","Statement":[`+statement+`]}`).text("Arn")
	}
	allowed := `{"Effect":"Allow","Principal":{"Federated":"` + provider + `"},"Action":"sts:AssumeRoleWithWebIdentity"`
	ci := role("ci", allowed+`,"Condition":{"StringEquals":{"idp.example.com:aud":"app"},"StringLike":{"idp.example.com:sub":"repo:acme/*"}}}`)
	groups := role("groups", allowed+`,"Condition":{"ForAnyValue:StringEquals":{"idp.example.com:groups":"admins"}}}`)
	banned := role("banned", allowed+`},{"Effect":"Deny","Principal":"*","Action":"*","Condition":{"StringEquals":{"idp.example.com:sub":"mallory"}}}`)
	barred := role("barred", allowed+`},{"Effect":"Deny","NotPrincipal":{"Federated":"`+provider+`x"},"Action":"*"}`)
	elsewhere := role("elsewhere", strings.Replace(allowed, provider, provider+"x", 1)+`}`)
	open := role("open", allowed+`}`)
	users := role("users", `{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:*"}`)
	w.must(w.root, "PutRolePolicy", "RoleName", "ci", "PolicyName", "p", "PolicyDocument", allow("iam:ListUsers", "*"))
	claims := func(sub, aud, more string) string {
		return fmt.Sprintf(`{"iss":"https://idp.example.com","sub":%q,"aud":%s,"iat":%d,"exp":%d%s}`, sub, aud, w.now().Unix(), w.now().Add(time.Hour).Unix(), more)
	}
	ask := func(role, token string) answer {
		return w.call(credentials{}, "AssumeRoleWithWebIdentity", "RoleArn", role, "RoleSessionName", "build-7", "WebIdentityToken", token)
	}
	for _, row := range []struct {
		name, role, token string
		status            int
		code              string
	}{
		{"a subject that the role trusts", ci, idp.token(claims("repo:acme/web", `"app"`, "")), 200, ""},
		{"another subject", ci, idp.token(claims("repo:evil/web", `"app"`, "")), 400, "InvalidIdentityToken"},
		{"a client that the provider does not have", ci, idp.token(claims("repo:acme/web", `"other"`, "")), 400, "InvalidIdentityToken"},
		{"an authorized party", ci, idp.token(claims("repo:acme/web", `["x","y"]`, `,"azp":"app"`)), 200, ""},
		{"several audiences without a party", ci, idp.token(claims("repo:acme/web", `["app","y"]`, "")), 400, "InvalidIdentityToken"},
		{"a claim with several values", groups, idp.token(claims("me", `"app"`, `,"groups":["users","admins"]`)), 200, ""},
		{"a claim without the value", groups, idp.token(claims("me", `"app"`, `,"groups":["users"]`)), 400, "InvalidIdentityToken"},
		{"nobody special", banned, idp.token(claims("me", `"app"`, "")), 200, ""},
		{"an explicit deny", banned, idp.token(claims("mallory", `"app"`, "")), 403, "AccessDenied"},
		{"a Deny for all but another provider", barred, idp.token(claims("me", `"app"`, "")), 403, "AccessDenied"},
		{"a role for a provider that does not exist", elsewhere, idp.token(claims("me", `"app"`, "")), 403, "AccessDenied"},
		{"a role without conditions", open, idp.token(claims("me", `"app"`, "")), 200, ""},
		{"a token of a provider that does not exist", ci, idp.token(strings.Replace(claims("repo:acme/web", `"app"`, ""), "idp.", "other.", 1)), 400, "InvalidIdentityToken"},
		{"a role for users is not one for tokens", users, idp.token(claims("me", `"app"`, "")), 403, "AccessDenied"},
		{"a role that there is none of", ci + "x", idp.token(claims("repo:acme/web", `"app"`, "")), 403, "AccessDenied"},
		{"a token with no signature", ci, strings.TrimRight(idp.token(claims("repo:acme/web", `"app"`, "")), "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-"), 400, "InvalidIdentityToken"},
		{"no token at all", ci, "none", 400, "InvalidIdentityToken"},
		{"a token without a subject", groups, idp.token(strings.Replace(claims("me", `"app"`, `,"groups":"admins"`), `"sub"`, `"x"`, 1)), 400, "InvalidIdentityToken"},
	} {
		t.Run(row.name, func(t *testing.T) { w.want(ask(row.role, row.token), row.status, row.code) })
	}
	made := ask(ci, idp.token(claims("repo:acme/web", `"app"`, "")))
	if made.text("SubjectFromWebIdentityToken") != "repo:acme/web" || made.text("Audience") != "app" || made.text("Provider") != "https://idp.example.com" {
		t.Errorf("the answer: %s", made.body)
	}
	session := sessionOf(made)
	w.must(session, "ListUsers")
	w.want(w.call(session, "ListRoles"), 403, "AccessDenied")
	late := idp.token(claims("repo:acme/web", `"app"`, ""))
	w.pass(2 * time.Hour)
	w.want(ask(ci, late), 400, "ExpiredTokenException")
	w.must(w.root, "DeleteOpenIDConnectProvider", "OpenIDConnectProviderArn", provider)
	w.want(ask(ci, idp.token(claims("repo:acme/web", `"app"`, ""))), 403, "AccessDenied")
}
