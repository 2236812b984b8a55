package api

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/fsm"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/iam/wire"
	"github.com/doorward/doorward/internal/seal"
	"github.com/doorward/doorward/internal/token"
)

// memory is a Store of one replica without a log: the machine that every node
// runs, and real sealing.
type memory struct {
	mu      sync.Mutex
	machine *fsm.Machine
	index   iam.Index
	ring    *seal.Keyring
	tokens  *token.Keyring
	// behind holds View back, as on a node that has not heard of the last entries.
	behind *state.View
	// lost makes Propose fail after the command has been applied.
	lost error
	// busy makes Propose fail before anything happens.
	busy error
	// gate, if set, is called before a command is applied.
	gate func()
}

func (m *memory) View() *state.View {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.behind != nil {
		return m.behind
	}
	return m.machine.View()
}

func (m *memory) Consistent(context.Context) (*state.View, error) { return m.machine.View(), nil }

func (m *memory) Propose(_ context.Context, e iam.Envelope) (iam.Result, error) {
	if m.gate != nil {
		m.gate()
	}
	if m.busy != nil {
		return iam.Result{}, m.busy
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	entry, err := wire.AppendEntry(nil, e)
	if err != nil {
		return iam.Result{}, err
	}
	m.index++
	applied, err := m.machine.Apply([]fsm.Entry{{Index: m.index, Commands: [][]byte{entry}}})
	if err != nil {
		return iam.Result{}, err
	}
	for _, alarm := range applied[0].Alarms {
		return iam.Result{}, alarm
	}
	return applied[0].Results[0], m.lost
}

func (m *memory) SealSecret(id iam.AccessKeyID, secret []byte) (iam.Sealed, error) {
	return m.ring.Seal(seal.Record{Cluster: "test", Table: "keys", Key: string(id)}, secret), nil
}

func (m *memory) OpenSecret(id iam.AccessKeyID, sealed iam.Sealed) ([]byte, error) {
	return m.ring.Open(seal.Record{Cluster: "test", Table: "keys", Key: string(id)}, sealed)
}

func (m *memory) SealToken(key iam.AccessKeyID, index iam.Index, expires iam.Time) string {
	return m.tokens.Seal(token.Token{Key: key, Index: index, Expires: expires})
}

func (m *memory) OpenToken(text string) (token.Token, error) { return m.tokens.Open(text) }

// credentials sign a test's requests.
type credentials struct{ id, secret, token string }

// world is a store, its API and the clock that the test owns.
type world struct {
	t      testing.TB
	store  *memory
	server *Server
	http   *httptest.Server
	mu     sync.Mutex
	time   time.Time
	root   credentials
	sent   http.Header // added to every request
}

const account = iam.FirstAccount

func newWorld(t testing.TB) *world { return newWorldAs(t, Config{}) }

func newWorldAs(t testing.TB, config Config) *world {
	t.Helper()
	root := seal.NewRoot()
	ring, err := seal.NewKeyring(root)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := token.NewKeyring("test", root)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, store: &memory{machine: fsm.New(), ring: ring, tokens: tokens},
		time: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), root: credentials{"AKIAROOTROOTROOTROOT", "root secret", ""},
	}
	w.initialize()
	config.Store, config.Secrets, config.Tokens = w.store, w.store, w.store
	if config.Now == nil {
		config.Now = w.now
	}
	if config.Limits.Requests == 0 {
		config.Limits.Requests = -1 // the clock stands still
	}
	if w.server, err = New(config); err != nil {
		t.Fatal(err)
	}
	w.http = httptest.NewServer(w.server)
	t.Cleanup(w.http.Close)
	return w
}

func (w *world) initialize() {
	sealed, _ := w.store.SealSecret(iam.AccessKeyID(w.root.id), []byte(w.root.secret))
	at := iam.At(w.time)
	birth := iam.Initialize{ClusterID: "test", Account: account, RootKey: iam.AccessKey{
		ID: iam.AccessKeyID(w.root.id), Secret: sealed, Owner: iam.Ref{Account: account, Kind: iam.KindRoot}, Status: iam.Active, Created: at,
	}}
	for i, b := range policy.Builtins {
		birth.Policies = append(birth.Policies, iam.Policy{
			Account: account, Name: b.Name, Path: "/", ID: iam.UniqueID(fmt.Sprintf("ANPA%017d", i)), Description: b.Description,
			Created: at, Updated: at, Versions: []iam.PolicyVersion{{Number: 1, Document: b.Document, Created: at}}, Default: 1, Next: 2, Builtin: true,
		})
	}
	w.propose(birth)
}

// propose has a command applied that no API call makes.
func (w *world) propose(c iam.Command) {
	w.t.Helper()
	result, err := w.store.Propose(context.Background(), iam.Envelope{Command: c, Time: iam.At(w.now())})
	if err != nil || result.Err != nil {
		w.t.Fatalf("propose %T: %v, %v", c, err, result.Err)
	}
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.time
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.time = w.time.Add(d)
}

// answer is what came back.
type answer struct {
	status  int
	code    string // of a refusal
	message string
	body    string
	header  http.Header
}

// text returns the text of the first element of that name.
func (a answer) text(element string) string {
	d := xml.NewDecoder(strings.NewReader(a.body))
	for {
		tok, err := d.Token()
		if err != nil {
			return ""
		}
		if start, ok := tok.(xml.StartElement); ok && start.Name.Local == element {
			var text string
			if d.DecodeElement(&text, &start) == nil {
				return text
			}
		}
	}
}

// texts returns the texts of all elements of that name.
func (a answer) texts(element string) (all []string) {
	d := xml.NewDecoder(strings.NewReader(a.body))
	for {
		tok, err := d.Token()
		if err != nil {
			return all
		}
		if start, ok := tok.(xml.StartElement); ok && start.Name.Local == element {
			var text string
			if d.DecodeElement(&text, &start) == nil {
				all = append(all, text)
			}
		}
	}
}

// send signs and sends a request.
func (w *world) send(c credentials, service sigv4.Service, method, path, contentType string, body []byte) answer {
	w.t.Helper()
	req, err := http.NewRequest(method, w.http.URL+path, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	for name, values := range w.sent {
		req.Header[name] = values
	}
	if c.id != "" {
		who := sigv4.Credentials{AccessKeyID: iam.AccessKeyID(c.id), Secret: c.secret, Token: c.token}
		if err := sigv4.Sign(req, who, "us-east-1", service, sigv4.HexBody(body), iam.At(w.now())); err != nil {
			w.t.Fatal(err)
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, body: string(text), header: resp.Header}
	a.readRefusal()
	return a
}

func (a *answer) readRefusal() {
	if a.status == http.StatusOK {
		return
	}
	if strings.HasPrefix(a.body, "{") {
		var refused struct {
			Error struct{ Code, Message string }
		}
		json.Unmarshal([]byte(a.body), &refused)
		a.code, a.message = refused.Error.Code, refused.Error.Message
		return
	}
	a.code, a.message = a.text("Code"), a.text("Message")
}

// call sends a Query call; pairs are names and values of parameters.
func (w *world) call(c credentials, name string, pairs ...string) answer {
	w.t.Helper()
	service, version := sigv4.IAM, iamVersion
	if a, ok := actions[name]; ok {
		service, version = a.service, a.version()
	}
	values := url.Values{"Action": {name}, "Version": {version}}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return w.send(c, service, http.MethodPost, "/", "application/x-www-form-urlencoded; charset=utf-8", []byte(values.Encode()))
}

// must is call for what has to succeed.
func (w *world) must(c credentials, name string, pairs ...string) answer {
	w.t.Helper()
	a := w.call(c, name, pairs...)
	if a.status != http.StatusOK {
		w.t.Fatalf("%s %q: %d %s", name, pairs, a.status, a.body)
	}
	return a
}

// json sends a call of /v1.
func (w *world) json(c credentials, method, path, body string) answer {
	w.t.Helper()
	return w.send(c, sigv4.IAM, method, path, "application/json", []byte(body))
}

func (w *world) mustJSON(c credentials, method, path, body string) map[string]any {
	w.t.Helper()
	a := w.json(c, method, path, body)
	got := map[string]any{}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != http.StatusOK {
		w.t.Fatalf("%s %s %s: %d %s", method, path, body, a.status, a.body)
	}
	return got
}

// user creates a user with an access key and, if a document is given, an inline
// policy.
func (w *world) user(name string, documents ...string) credentials {
	w.t.Helper()
	w.must(w.root, "CreateUser", "UserName", name)
	for i, document := range documents {
		w.must(w.root, "PutUserPolicy", "UserName", name, "PolicyName", fmt.Sprint("p", i), "PolicyDocument", document)
	}
	return w.key(name)
}

func (w *world) key(user string) credentials {
	w.t.Helper()
	a := w.must(w.root, "CreateAccessKey", "UserName", user)
	return credentials{a.text("AccessKeyId"), a.text("SecretAccessKey"), ""}
}

func sessionOf(a answer) credentials {
	return credentials{a.text("AccessKeyId"), a.text("SecretAccessKey"), a.text("SessionToken")}
}

// allow is a policy that allows actions, separated by spaces, on a resource.
func allow(actions, resource string) string {
	list, _ := json.Marshal(strings.Fields(actions))
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":%s,"Resource":%q}]}`, list, resource)
}

func deny(actions, resource string) string {
	return strings.Replace(allow(actions, resource), "Allow", "Deny", 1)
}

func (w *world) want(a answer, status int, code string) {
	w.t.Helper()
	if a.status != status || a.code != code {
		w.t.Errorf("got %d %s (%s)\nwant %d %s\n%s", a.status, a.code, a.message, status, code, a.body)
	}
}
