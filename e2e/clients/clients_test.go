package clients_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/doorward/doorward/e2e/clients"
	"github.com/doorward/doorward/e2e/stage"
)

const (
	account  = "000000000000"
	january  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::reports/2026-01/*"}]}`
	wide     = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`
	readonly = "arn:aws:iam::" + account + ":policy/readonly"
)

// world is the stage of this run and who plays on it; one for all tests, because
// starting two servers for each row would take minutes.
var world struct {
	*stage.Stage
	site clients.Site
	root clients.Credential
}

func TestMain(m *testing.M) {
	code, err := play(m)
	if err != nil {
		log.Print(err)
		code = 1
	}
	os.Exit(code)
}

func play(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "doorward-clients-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		return 1, err
	}
	s, err := stage.Start(context.Background(), stage.Config{
		Doorward: filepath.Join(bin, "doorward"), Gateway: filepath.Join(bin, "versitygw"), Dir: dir})
	if err != nil {
		return 1, fmt.Errorf("%w (make test-e2e builds the binaries)", err)
	}
	defer s.Close()
	world.Stage = s
	world.site = clients.Site{S3: s.S3, IAM: s.Endpoint, Dir: dir}
	world.root = clients.Credential{AccessKey: s.AccessKey, Secret: s.SecretKey}
	return m.Run(), nil
}

func TestRealClientsGetWhatTheirPoliciesAllow(t *testing.T) {
	requireAll(t)
	mustAWS(t, world.root, nil, "--endpoint-url", world.S3, "s3api", "create-bucket", "--bucket", "reports")
	for _, key := range []string{"2026-01/sales.csv", "2026-02/sales.csv"} {
		must(t, clients.All()[0].Put(t.Context(), world.site, world.root, "reports/"+key))
	}
	for _, c := range clients.All() {
		t.Run(c.Name, func(t *testing.T) { playOut(t, c) })
	}
}

// playOut is the life of one user as one client sees it.
func playOut(t *testing.T, c clients.Client) {
	user := "user-" + c.Name
	mustAWS(t, world.root, nil, "iam", "create-user", "--user-name", user)
	own := createKey(t, user)
	get := func(cred clients.Credential, key string) clients.Outcome {
		return c.Get(t.Context(), world.site, cred, "reports/"+key)
	}
	put := func(cred clients.Credential, key string) clients.Outcome {
		return c.Put(t.Context(), world.site, cred, "reports/"+key)
	}

	refused(t, "a read without any policy", get(own, "2026-01/sales.csv"), "AccessDenied")

	mustAWS(t, world.root, nil, "iam", "attach-user-policy", "--user-name", user, "--policy-arn", readonly)
	allowed(t, "a read with readonly", get(own, "2026-01/sales.csv"))
	refused(t, "a write with readonly", put(own, "new.csv"), "AccessDenied")

	narrow := assume(t, own, january)
	allowed(t, "a read that the narrower session policy allows", get(narrow, "2026-01/sales.csv"))
	refused(t, "a read that it does not", get(narrow, "2026-02/sales.csv"), "AccessDenied")
	broad := assume(t, own, wide)
	allowed(t, "a read of the user's through a wider session policy", get(broad, "2026-02/sales.csv"))
	refused(t, "a write that only the session policy allows", put(broad, "new.csv"), "AccessDenied")

	refused(t, "an expired session", get(expired(t, own), "2026-01/sales.csv"), "ExpiredToken")
	refused(t, "a wrong secret", get(clients.Credential{AccessKey: own.AccessKey, Secret: own.Secret + "x"}, "2026-01/sales.csv"), "SignatureDoesNotMatch")
	refused(t, "an unknown key", get(clients.Credential{AccessKey: "AKIAAAAAAAAAAAAAAAAA", Secret: own.Secret}, "2026-01/sales.csv"), "InvalidAccessKeyId")

	mustAWS(t, world.root, nil, "iam", "detach-user-policy", "--user-name", user, "--policy-arn", readonly)
	refused(t, "a read after detaching", get(own, "2026-01/sales.csv"), "AccessDenied")
	refused(t, "a read of the session after detaching", get(narrow, "2026-01/sales.csv"), "AccessDenied")

	mustAWS(t, world.root, nil, "iam", "update-access-key", "--user-name", user, "--access-key-id", own.AccessKey, "--status", "Inactive")
	refused(t, "a read with a disabled key", get(own, "2026-01/sales.csv"), "InvalidAccessKeyId")
}

func TestBadRequestsAreRefusedWithTheCodeOfIAM(t *testing.T) {
	requireAll(t)
	mustAWS(t, world.root, nil, "iam", "create-user", "--user-name", "once")
	mustAWS(t, world.root, nil, "iam", "create-policy", "--policy-name", "held", "--policy-document", wide)
	mustAWS(t, world.root, nil, "iam", "attach-user-policy", "--user-name", "once", "--policy-arn", "arn:aws:iam::"+account+":policy/held")
	big := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::%02100d"}]}`, 0)
	for _, row := range []struct {
		name string
		args []string
		want []string // all of them in what the client prints
	}{
		{"a duplicate user", []string{"create-user", "--user-name", "Once"}, []string{"EntityAlreadyExists"}},
		{"a policy with an unknown operator names statement, element, what was wrong and what would be right",
			[]string{"create-policy", "--policy-name", "bad", "--policy-document",
				`{"Version":"2012-10-17","Statement":[{"Sid":"Oops","Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEqualz":{"aws:username":"a"}}}]}`},
			[]string{"MalformedPolicyDocument", "Oops", "Condition", "StringEqualz", "StringEquals"}},
		{"an oversize policy", []string{"create-policy", "--policy-name", "big", "--policy-document", big}, []string{"LimitExceeded", "2048"}},
		{"deleting an attached policy", []string{"delete-policy", "--policy-arn", "arn:aws:iam::" + account + ":policy/held"}, []string{"DeleteConflict"}},
		{"a user that does not exist", []string{"get-user", "--user-name", "nobody"}, []string{"NoSuchEntity", "nobody"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := clients.AWS(t.Context(), world.site, world.root, append([]string{"iam"}, row.args...)...)
			for _, want := range row.want {
				refused(t, row.name, got, want)
			}
		})
	}
	var policies struct{ Policies []struct{ PolicyName string } }
	mustAWS(t, world.root, &policies, "iam", "list-policies", "--scope", "Local")
	for _, p := range policies.Policies {
		if p.PolicyName == "bad" || p.PolicyName == "big" {
			t.Errorf("the refused policy %s was created", p.PolicyName)
		}
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

func createKey(t *testing.T, user string) clients.Credential {
	t.Helper()
	var made struct{ AccessKey struct{ AccessKeyId, SecretAccessKey string } }
	mustAWS(t, world.root, &made, "iam", "create-access-key", "--user-name", user)
	return clients.Credential{AccessKey: made.AccessKey.AccessKeyId, Secret: made.AccessKey.SecretAccessKey}
}

type issued struct {
	Credentials struct{ AccessKeyId, SecretAccessKey, SessionToken string }
}

func (i issued) credential() clients.Credential {
	return clients.Credential{AccessKey: i.Credentials.AccessKeyId, Secret: i.Credentials.SecretAccessKey, Token: i.Credentials.SessionToken}
}

func assume(t *testing.T, own clients.Credential, policy string) clients.Credential {
	t.Helper()
	var made issued
	mustAWS(t, own, &made, "sts", "assume-role", "--role-arn", "arn:aws:iam::"+account+":role/self", "--role-session-name", "job",
		"--duration-seconds", "900", "--policy", policy)
	return made.credential()
}

func mustAWS(t *testing.T, cred clients.Credential, into any, args ...string) {
	t.Helper()
	got := clients.AWS(t.Context(), world.site, cred, args...)
	must(t, got)
	if into != nil {
		if err := json.Unmarshal([]byte(got.Output), into); err != nil {
			t.Fatalf("aws %v printed %q: %v", args, got.Output, err)
		}
	}
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
	if !got.Refused(code) {
		t.Errorf("%s: success %v, want %s in:\n%s", what, got.OK, code, got.Output)
	}
}

// soon is how long the expired session lives.
const soon = time.Second
