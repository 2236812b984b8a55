package versitygw

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
)

// ask sends a question as the gateway does and returns the status and the answer.
func (w *world) ask(path, body string, change ...func(*http.Request)) (int, map[string]any) {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(protocolHeader, "1")
	for _, c := range change {
		c(r)
	}
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, r)
	if got := recorder.Header().Get(protocolHeader); got != "1" {
		w.t.Errorf("%s: answer says protocol %q; a gateway does not look at it", path, got)
	}
	var answer map[string]any
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil && recorder.Code != http.StatusNotFound {
		w.t.Errorf("%s: answer %q: %v", path, recorder.Body, err)
	}
	return recorder.Code, answer
}

func (w *world) want(path, body string, status int, answer map[string]any) {
	w.t.Helper()
	gotStatus, got := w.ask(path, body)
	delete(got, "error")
	if gotStatus != status || !cmp.Equal(got, answer) {
		w.t.Errorf("%s %s:\ngot  %d %v\nwant %d %v", path, body, gotStatus, got, status, answer)
	}
}

const arn = "arn:aws:iam::000000000000:user/"

type object = map[string]any

func row(words ...any) []any { return words }

func TestVersion(t *testing.T) {
	w := newWorld(t, Config{Version: "v1"})
	w.want("/private/version", "{}", 200, object{"protocol": 1.0, "minClient": 1.0, "serverVersion": "v1", "accountId": "000000000000"})
}

func TestSigningKey(t *testing.T) {
	w := newWorld(t, Config{})
	today := time.Now().UTC().Format("20060102")
	ask := func(id, token, date, region, service string) (int, object) {
		body, err := json.Marshal(object{"accessKeyId": id, "sessionToken": token, "date": date, "region": region, "service": service})
		if err != nil {
			t.Fatal(err)
		}
		return w.ask("/private/derive-signing-key", string(body))
	}
	status, got := ask("AKIAALICE", "", today, "eu-north-1", "s3")
	want := sigv4.DeriveDayKey("secret-alice", sigv4.Scope{Date: today, Region: "eu-north-1", Service: sigv4.S3})
	if status != 200 || got["derivedKey"] != base64.StdEncoding.EncodeToString(want[:]) || got["principalArn"] != arn+"alice" {
		t.Errorf("got %d, principal %v, or another key", status, got["principalArn"])
	}

	session := w.session("alice", "ASIAALICE", time.Hour)
	expired := w.session("alice", "ASIAEXPIRED", -time.Second)
	if err := w.auth.Wait(t.Context(), w.store.View().Index()); err != nil {
		t.Fatal(err)
	}
	year := time.Now().UTC().AddDate(-1, 0, 0).Format("20060102")
	tests := []struct {
		name                             string
		id, token, date, region, service string
		status                           int
		code                             any
	}{
		{"a session with its token", "ASIAALICE", session.Token, today, "us-east-1", "s3", 200, nil},
		{"a session without", "ASIAALICE", "", today, "us-east-1", "s3", 403, "NoSuchIdentity"},
		{"a session with another's token", "ASIAALICE", expired.Token, today, "us-east-1", "s3", 403, "InvalidToken"},
		{"an expired session", "ASIAEXPIRED", expired.Token, today, "us-east-1", "s3", 403, "InvalidToken"},
		{"a token with a long-term key", "AKIAALICE", session.Token, today, "us-east-1", "s3", 403, "InvalidToken"},
		{"an unknown key", "AKIANOBODY", "", today, "us-east-1", "s3", 403, "NoSuchIdentity"},
		{"another service", "AKIAALICE", "", today, "us-east-1", "iam", 400, "BadRequest"},
		{"a year ago", "AKIAALICE", "", year, "us-east-1", "s3", 400, "BadRequest"},
		{"no date", "AKIAALICE", "", "", "us-east-1", "s3", 400, "BadRequest"},
		{"no region", "AKIAALICE", "", today, "", "s3", 400, "BadRequest"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, got := ask(tt.id, tt.token, tt.date, tt.region, tt.service)
			if status != tt.status || got["code"] != tt.code || (status != 200) != (got["derivedKey"] == nil) {
				t.Errorf("got %d %v, want %d %v", status, got["code"], tt.status, tt.code)
			}
		})
	}
}

func TestEvaluate(t *testing.T) {
	w := newWorld(t, Config{})
	narrow := w.session("alice", "ASIANARROW", time.Hour, january)
	whole := w.session("alice", "ASIAWHOLE", time.Hour)
	if err := w.auth.Wait(t.Context(), w.store.View().Index()); err != nil {
		t.Fatal(err)
	}
	evaluate := func(question object, status int, answer object) {
		t.Helper()
		body, err := json.Marshal(question)
		if err != nil {
			t.Fatal(err)
		}
		w.want("/private/evaluate-policy", string(body), status, answer)
	}
	actions, object1 := []string{"s3:GetObject", "s3:PutObject"}, "arn:aws:s3:::bucket/january/a"
	resources := []string{object1, "arn:aws:s3:::bucket/february/a"}

	evaluate(object{"accessKeyId": "AKIAALICE", "actions": actions, "resources": resources}, 200,
		object{"decisions": row(row("allow", "no_match"), row("allow", "no_match")), "principalArn": arn + "alice"})
	evaluate(object{"accessKeyId": "AKIACARL", "actions": actions, "resources": []string{object1}}, 200,
		object{"decisions": row(row("deny", "deny")), "principalArn": arn + "carl"})
	evaluate(object{"accessKeyId": "AKIABOB", "actions": actions, "resources": []string{object1}}, 200,
		object{"decisions": row(row("no_match", "no_match")), "principalArn": arn + "bob"})
	evaluate(object{"accessKeyId": "ASIANARROW", "sessionToken": narrow.Token, "actions": actions, "resources": resources}, 200,
		object{
			"decisions": row(row("allow", "no_match"), row("allow", "no_match")), "hasSessionPolicy": true,
			"sessionDecisions": row(row("allow", "allow"), row("no_match", "no_match")), "principalArn": arn + "alice",
		})
	evaluate(object{"accessKeyId": "ASIAWHOLE", "sessionToken": whole.Token, "actions": actions, "resources": []string{object1}}, 200,
		object{"decisions": row(row("allow", "no_match")), "principalArn": arn + "alice"})
	evaluate(object{"accessKeyId": "ASIANARROW", "actions": actions, "resources": resources}, 403, object{"code": "NoSuchIdentity"})
	evaluate(object{"accessKeyId": "AKIANOBODY", "actions": actions, "resources": resources}, 403, object{"code": "NoSuchIdentity"})
	evaluate(object{"accessKeyId": "AKIAALICE", "actions": []string{}, "resources": resources}, 400, object{"code": "BadRequest"})
}

func TestTheGatewaySpeaksForTheConnectionButNotForTheCaller(t *testing.T) {
	w := newWorld(t, Config{})
	ask := func(condition object) any {
		body, err := json.Marshal(object{
			"accessKeyId": "AKIATESS", "actions": []string{"s3:GetObject"}, "resources": []string{"arn:aws:s3:::b/k"}, "condition": condition,
		})
		if err != nil {
			t.Fatal(err)
		}
		_, got := w.ask("/private/evaluate-policy", string(body))
		return got["decisions"].([]any)[0].([]any)[0]
	}
	for _, name := range []string{"aws:PrincipalTag/team", "AWS:principaltag/team", "aws:PRINCIPALTAG/team"} {
		if got := ask(object{"aws:UserAgent": []string{"tool"}, name: []string{"blue"}}); got != "no_match" {
			t.Errorf("the gateway tagged the caller with %s: %v", name, got)
		}
	}
	u, _ := w.store.View().User(iam.FirstAccount, "tess")
	tagged := *u
	tagged.Tags = []iam.Tag{{Key: "team", Value: "blue"}}
	if err := w.auth.Wait(t.Context(), w.store.Write(iam.Change{User: &tagged})); err != nil {
		t.Fatal(err)
	}
	if got := ask(object{"aws:UserAgent": []string{"tool"}}); got != "allow" {
		t.Errorf("with the tag in the store: %v", got)
	}
	if got := ask(object{"aws:UserAgent": []string{"other"}}); got != "no_match" {
		t.Errorf("with another user agent: %v", got)
	}
}

func TestIdentities(t *testing.T) {
	w := newWorld(t, Config{})
	w.session("alice", "ASIAALICE", time.Hour)
	w.want("/private/resolve-identity", `{"accessKeyIds":["AKIABOB","AKIANOBODY","ASIAALICE"]}`, 200, object{"identities": row(
		object{"found": true, "kind": "user", "principalArn": arn + "bob"},
		object{"found": false},
		object{"found": true, "kind": "session", "principalArn": arn + "alice"},
	)})
}

func TestPrincipals(t *testing.T) {
	w := newWorld(t, Config{})
	w.store.Write(iam.Change{Role: &iam.Role{Account: iam.FirstAccount, Name: "Reader", Path: "/eng/", ID: "AROAREADER"}})
	good := []string{
		"000000000000", "arn:aws:iam::000000000000:root", arn + "alice", "arn:aws:iam::000000000000:role/eng/Reader",
		"arn:aws:sts::000000000000:assumed-role/Reader/work",
	}
	bad := []string{
		"111111111111", "arn:aws:iam::111111111111:root", arn + "nobody", arn + "eng/alice", "arn:aws:iam::000000000000:role/Reader",
		"arn:aws:sts::000000000000:assumed-role/reader/work", "arn:aws:sts::000000000000:assumed-role/Reader/*",
		"arn:aws:sts::000000000000:assumed-role/Reader", "AKIAALICE", "arn:aws:iam::000000000000:group/alice", "",
	}
	body, err := json.Marshal(object{"principals": append(append([]string{}, good...), bad...)})
	if err != nil {
		t.Fatal(err)
	}
	var invalid []any
	for _, p := range bad {
		invalid = append(invalid, p)
	}
	w.want("/private/resolve-principals", string(body), 200, object{"invalid": invalid})
}

func TestOldAndStrangePeersAreRefused(t *testing.T) {
	w := newWorld(t, Config{})
	for _, version := range []string{"", "0", "-1", "+1", "x", "999999999"} {
		status, got := w.ask("/private/resolve-identity", `{}`, func(r *http.Request) { r.Header.Set(protocolHeader, version) })
		if status != 400 || got["code"] != "ProtocolMismatch" {
			t.Errorf("version %q: %d %v", version, status, got)
		}
		if status, _ := w.ask("/private/version", `{}`, func(r *http.Request) { r.Header.Set(protocolHeader, version) }); status != 200 {
			t.Errorf("version %q: the version question itself: %d", version, status)
		}
	}
	for _, body := range []string{"", "[", `"x"`, `{"accessKeyIds":1}`} {
		if status, got := w.ask("/private/resolve-identity", body); status != 400 || got["code"] != "BadRequest" {
			t.Errorf("body %q: %d %v", body, status, got)
		}
	}
	if status, _ := w.ask("/private/other", "{}"); status != 404 {
		t.Errorf("another path: %d", status)
	}
}

func TestTheGatewaysSignatureIsVerifiedIfItsKeyIsKnown(t *testing.T) {
	gateway := sigv4.Credentials{AccessKeyID: "gateway", Secret: "gateway-secret"}
	w := newWorld(t, Config{AccessKey: gateway.AccessKeyID, Secret: gateway.Secret})
	signedBy := func(c sigv4.Credentials, service sigv4.Service) func(*http.Request) {
		return func(r *http.Request) { sign(t, r, c, service, "{}") }
	}
	if status, got := w.ask("/private/version", "{}", signedBy(gateway, sigv4.IAM)); status != 200 {
		t.Errorf("the gateway: %d %v", status, got)
	}
	wrong := gateway
	wrong.Secret = "wrong"
	for name, change := range map[string]func(*http.Request){
		"unsigned":                   func(*http.Request) {},
		"signed with a wrong secret": signedBy(wrong, sigv4.IAM),
		"signed by somebody else":    signedBy(cred("alice"), sigv4.IAM),
		"signed for s3":              signedBy(gateway, sigv4.S3),
	} {
		status, got := w.ask("/private/version", "{}", change)
		if status != 403 && status != 400 || got["code"] == "NoSuchIdentity" || got["protocol"] != nil {
			t.Errorf("%s: %d %v", name, status, got)
		}
	}
}

func TestUnavailableIsAFaultAndNoVerdict(t *testing.T) {
	w := newWorld(t, Config{})
	w.store.Stop()
	for path, body := range map[string]string{
		"/private/evaluate-policy":    `{"accessKeyId":"AKIANOBODY","actions":["s3:GetObject"],"resources":["*"]}`,
		"/private/resolve-identity":   `{"accessKeyIds":["AKIANOBODY"]}`,
		"/private/resolve-principals": `{"principals":["arn:aws:iam::000000000000:user/nobody"]}`,
	} {
		if status, got := w.ask(path, body); status < 500 || got["code"] == "NoSuchIdentity" {
			t.Errorf("%s: %d %v", path, status, got)
		}
	}
}

func TestOverTheSocket(t *testing.T) {
	w := newWorld(t, Config{})
	w.serve()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", w.socket)
	}}}
	defer client.CloseIdleConnections()
	r, err := client.Post("http://unix/private/version", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != 200 || r.Header.Get(protocolHeader) != "1" {
		t.Errorf("got %s, %v", r.Status, r.Header)
	}
}
