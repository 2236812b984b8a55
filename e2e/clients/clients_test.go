package clients_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/e2e/clients"
	"github.com/doorward/doorward/e2e/plain"
	"github.com/doorward/doorward/e2e/stage"
	"github.com/doorward/doorward/sidecar"
)

const (
	account = "000000000000"
	january = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::reports/2026-01/*"},
		{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::reports","Condition":{"StringLike":{"s3:prefix":"2026-01/*"}}}]}`
	wide     = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`
	readonly = "arn:aws:iam::" + account + ":policy/readonly"
)

// theatre is an S3 server that asks Doorward, and the store's root key pair.
type theatre struct {
	name string
	clients.Site
	root clients.Credential
	// expired is what a request with an expired session is refused with.
	expired string
}

// The two theatres of this run, each for all tests, because starting servers for
// each row would take minutes.
var (
	// gateway is a stock versitygw. Its protocol has no word for an expired session,
	// so it says InvalidToken.
	gateway theatre
	// inside is a net/http server with Doorward in it.
	inside           theatre
	insideAuthorizer *sidecar.Authorizer
)

func TestMain(m *testing.M) {
	code, err := play(m)
	if err != nil {
		log.Print(err)
		code = 1
	}
	os.Exit(code)
}

func play(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "doorward-clients-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		return 1, err
	}
	for _, sub := range []string{"gateway", "inside"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			return 1, err
		}
	}
	doorward := filepath.Join(bin, "doorward")

	config := stage.Config{Doorward: doorward, Gateway: filepath.Join(bin, "versitygw"), Dir: filepath.Join(dir, "gateway")}
	s, err := stage.Start(context.Background(), config)
	if err != nil {
		return 1, fmt.Errorf("%w (make test-e2e builds the binaries)", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	gateway = theatre{name: "versitygw", expired: "InvalidToken",
		Site: clients.Site{S3: s.S3, IAM: s.Endpoint, Dir: config.Dir, Doorward: doorward},
		root: clients.Credential{AccessKey: s.AccessKey, Secret: s.SecretKey}}

	p, err := plain.Start(context.Background(), filepath.Join(dir, "inside"))
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	inside = theatre{name: "inside", expired: "ExpiredToken",
		Site: clients.Site{S3: p.S3, IAM: p.IAM, Dir: filepath.Join(dir, "inside"), Doorward: doorward},
		root: clients.Credential{AccessKey: p.AccessKey, Secret: p.Secret}}
	insideAuthorizer = p.Authorizer
	return m.Run(), nil
}

func TestRealClientsGetWhatTheirPoliciesAllow(t *testing.T) {
	requireAll(t)
	eachFront(t, func(t *testing.T, where theatre) {
		must(t, clients.MakeBucket(t.Context(), where.Site, where.root, "reports"))
		for _, c := range clientsAt(where) {
			t.Run(c.Name, func(t *testing.T) { playOut(t, where, c, "user-"+c.Name+"-"+where.name) })
		}
	})
}

// eachFront plays at everything that stands between clients and objects: a stock
// gateway, a server with Doorward inside, and proxies with a server behind them that does
// whatever reaches it.
func eachFront(t *testing.T, play func(*testing.T, theatre)) {
	for _, where := range []theatre{gateway, inside} {
		t.Run(where.name, func(t *testing.T) {
			t.Parallel() // as the others, since some wait for a session to end
			play(t, where)
		})
	}
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			server, err := plain.Trusting(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			where := inside
			where.name, where.S3, where.Dir = p.name, p.start(t, server), t.TempDir()
			play(t, where)
		})
	}
}

// clientsAt are the clients that play at a front: all of them where they matter most, and
// one at each proxy, in turns, unless DOORWARD_FRONTS is set: they take a second a step.
func clientsAt(where theatre) []clients.Client {
	all := clients.All()
	at := slices.IndexFunc(proxies, func(p proxy) bool { return p.name == where.name })
	if at < 0 || os.Getenv("DOORWARD_FRONTS") != "" {
		return all
	}
	return all[at%len(all) : at%len(all)+1]
}

// playOut is the life of one user as one client sees it.
func playOut(t *testing.T, where theatre, c clients.Client, user string) {
	// Of its own: restic keeps a folder where others keep a file.
	first, second, fresh := "2026-01/"+c.Name, "2026-02/"+c.Name, "new/"+c.Name
	for _, key := range []string{first, second} {
		must(t, c.Put(t.Context(), where.Site, where.root, "reports/"+key))
	}
	call(t, where, c, where.root, nil, "iam", "CreateUser", input{"UserName": user})
	own := createKey(t, where, c, user)
	get := func(cred clients.Credential, key string) clients.Outcome {
		return c.Get(t.Context(), where.Site, cred, "reports/"+key)
	}
	put := func(cred clients.Credential, key string) clients.Outcome {
		return c.Put(t.Context(), where.Site, cred, "reports/"+key)
	}
	refused := func(t *testing.T, what string, got clients.Outcome, code string) {
		t.Helper()
		if !c.Refused(got, code) {
			t.Errorf("%s: success %v, want %s in:\n%s", what, got.OK, code, got.Output)
		}
	}

	refused(t, "a read without any policy", get(own, first), "AccessDenied")

	call(t, where, c, where.root, nil, "iam", "AttachUserPolicy", input{"UserName": user, "PolicyArn": readonly})
	allowed(t, "a read with readonly", get(own, first))
	refused(t, "a write with readonly", put(own, fresh), "AccessDenied")

	narrow := assume(t, where, c, own, january)
	allowed(t, "a read that the narrower session policy allows", get(narrow, first))
	refused(t, "a read that it does not", get(narrow, second), "AccessDenied")
	broad := assume(t, where, c, own, wide)
	allowed(t, "a read of the user's through a wider session policy", get(broad, second))
	refused(t, "a write that only the session policy allows", put(broad, fresh), "AccessDenied")

	refused(t, "an expired session", get(expired(t, where, own), first), where.expired)
	refused(t, "a wrong secret", get(clients.Credential{AccessKey: own.AccessKey, Secret: own.Secret + "x"}, first), "SignatureDoesNotMatch")
	refused(t, "an unknown key", get(clients.Credential{AccessKey: "AKIAAAAAAAAAAAAAAAAA", Secret: own.Secret}, first), "InvalidAccessKeyId")

	call(t, where, c, where.root, nil, "iam", "DetachUserPolicy", input{"UserName": user, "PolicyArn": readonly})
	refused(t, "a read after detaching", get(own, first), "AccessDenied")
	refused(t, "a read of the session after detaching", get(narrow, first), "AccessDenied")

	call(t, where, c, where.root, nil, "iam", "UpdateAccessKey", input{"UserName": user, "AccessKeyId": own.AccessKey, "Status": "Inactive"})
	refused(t, "a read with a disabled key", get(own, first), "InvalidAccessKeyId")
}

func TestBadRequestsAreRefusedWithTheCodeOfIAM(t *testing.T) {
	requireAll(t)
	aws := clients.All()[0]
	held := "arn:aws:iam::" + account + ":policy/held"
	call(t, gateway, aws, gateway.root, nil, "iam", "CreateUser", input{"UserName": "once"})
	call(t, gateway, aws, gateway.root, nil, "iam", "CreatePolicy", input{"PolicyName": "held", "PolicyDocument": wide})
	call(t, gateway, aws, gateway.root, nil, "iam", "AttachUserPolicy", input{"UserName": "once", "PolicyArn": held})
	misspelt := `{"Version":"2012-10-17","Statement":[{"Sid":"Oops","Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEqualz":{"aws:username":"a"}}}]}`
	big := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::%02100d"}]}`, 0)
	for _, row := range []struct {
		name   string
		action string
		params input
		want   []string // all of them in what the client prints
	}{
		{"a duplicate user", "CreateUser", input{"UserName": "Once"}, []string{"EntityAlreadyExists"}},
		{"a policy with an unknown operator names statement, element, what was wrong and what would be right", "CreatePolicy",
			input{"PolicyName": "bad", "PolicyDocument": misspelt}, []string{"MalformedPolicyDocument", "Oops", "Condition", "StringEqualz", "StringEquals"}},
		{"an oversize policy", "CreatePolicy", input{"PolicyName": "big", "PolicyDocument": big}, []string{"LimitExceeded", "2048"}},
		{"deleting an attached policy", "DeletePolicy", input{"PolicyArn": held}, []string{"DeleteConflict"}},
		{"a user that does not exist", "GetUser", input{"UserName": "nobody"}, []string{"NoSuchEntity", "nobody"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := aws.Call(t.Context(), gateway.Site, gateway.root, "iam", row.action, row.params.json(t))
			for _, want := range row.want {
				refused(t, row.name, got, want)
			}
		})
	}
	var policies struct{ Policies []struct{ PolicyName string } }
	call(t, gateway, aws, gateway.root, &policies, "iam", "ListPolicies", input{"Scope": "Local"})
	if len(policies.Policies) != 1 || policies.Policies[0].PolicyName != "held" {
		t.Errorf("policies after the refusals: %v, want held alone", policies.Policies)
	}
}

// requireAll skips where a client is missing, loudly, and fails in CI.
func requireAll(t *testing.T) {
	t.Helper()
	for _, c := range clients.All() {
		if c.Installed() {
			continue
		}
		if os.Getenv("DOORWARD_REQUIRE_CLIENTS") != "" {
			t.Fatalf("%s is not installed; .ci/packages lists what is needed", c.Program)
		}
		t.Skipf("NOT TESTED: %s is not installed; .ci/packages lists what is needed", c.Program)
	}
}

// input is the parameters of a call.
type input map[string]any

func (p input) json(t *testing.T) string {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func call(t *testing.T, where theatre, c clients.Client, cred clients.Credential, into any, service, action string, params input) {
	t.Helper()
	got := c.Call(t.Context(), where.Site, cred, service, action, params.json(t))
	must(t, got)
	if into == nil {
		return
	}
	if err := json.Unmarshal([]byte(got.Output), into); err != nil {
		t.Fatalf("%s printed %q: %v", action, got.Output, err)
	}
}

func createKey(t *testing.T, where theatre, c clients.Client, user string) clients.Credential {
	t.Helper()
	var made struct {
		AccessKey struct{ AccessKeyId, SecretAccessKey string }
	}
	call(t, where, c, where.root, &made, "iam", "CreateAccessKey", input{"UserName": user})
	return clients.Credential{AccessKey: made.AccessKey.AccessKeyId, Secret: made.AccessKey.SecretAccessKey}
}

func assume(t *testing.T, where theatre, c clients.Client, own clients.Credential, policy string) clients.Credential {
	t.Helper()
	var made struct {
		Credentials struct{ AccessKeyId, SecretAccessKey, SessionToken string }
	}
	call(t, where, c, own, &made, "sts", "AssumeRole", input{"RoleArn": "arn:aws:iam::" + account + ":role/self", "RoleSessionName": "job",
		"DurationSeconds": 900, "Policy": policy})
	return clients.Credential{AccessKey: made.Credentials.AccessKeyId, Secret: made.Credentials.SecretAccessKey, Token: made.Credentials.SessionToken}
}

func must(t *testing.T, got clients.Outcome) {
	t.Helper()
	if !got.OK {
		t.Fatal(got.Output)
	}
}

func allowed(t *testing.T, what string, got clients.Outcome) {
	t.Helper()
	if !got.OK {
		t.Errorf("%s was refused: %s", what, got.Output)
	}
}

func refused(t *testing.T, what string, got clients.Outcome, code string) {
	t.Helper()
	if got.OK || !strings.Contains(got.Output, code) {
		t.Errorf("%s: success %v, want %s in:\n%s", what, got.OK, code, got.Output)
	}
}

// expired makes a session of one second, which only a store that was told so
// grants, and returns when it is over.
func expired(t *testing.T, where theatre, own clients.Credential) clients.Credential {
	t.Helper()
	must(t, clients.Doorward(t.Context(), where.Site, where.root, "settings", "set", "min_session=1"))
	got := clients.Doorward(t.Context(), where.Site, own, "--output", "json", "sts", "assume-role", "--duration", "1s")
	must(t, got)
	var made struct {
		AccessKeyID     string `json:"access_key_id"`
		SecretAccessKey string `json:"secret_access_key"`
		SessionToken    string `json:"session_token"`
		Expiration      string `json:"expiration"`
	}
	if err := json.Unmarshal([]byte(got.Output), &made); err != nil {
		t.Fatalf("%v in %s", err, got.Output)
	}
	end, err := time.Parse(time.RFC3339, made.Expiration)
	if err != nil {
		t.Fatal(err)
	}
	<-time.After(time.Until(end) + time.Second) // the answer tells whole seconds only
	return clients.Credential{AccessKey: made.AccessKeyID, Secret: made.SecretAccessKey, Token: made.SessionToken}
}
