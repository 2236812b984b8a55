// Package gateway asks what versitygw asks about each request, of Doorward and of
// versitygw's own standalone IAM service: the same protocol, the same users. Start with
// [Start] and [Ask].
package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/cmd/doorward/bench"
	"github.com/doorward/doorward/cmd/doorward/bench/process"
	"github.com/doorward/doorward/cmd/doorward/bench/workload"
	"github.com/doorward/doorward/iam"
)

// root signs the gateway's questions.
var root = sigv4.Credentials{AccessKeyID: "root", Secret: "secret-of-the-gateway"}

// Statements is how many each user holds.
const Statements = 10

// Users is a population for both services: long-term keys only.
func Users(n int) workload.Config {
	return workload.Config{Seed: 1, Keys: n, Statements: []int{Statements}}
}

// Start starts versitygw's IAM service with the users of p, and returns its private
// socket. It keeps its users in one JSON file, which is written for it: to make them by
// its API takes a time that grows with their square.
func Start(ctx context.Context, program, dir string, p *workload.Population) (run *process.Process, socket string, err error) {
	files := filepath.Join(dir, "iam")
	if err := os.MkdirAll(files, 0o700); err != nil {
		return nil, "", err
	}
	text, err := json.Marshal(database(p))
	if err != nil {
		return nil, "", err
	}
	if err := os.WriteFile(filepath.Join(files, "iam.json"), text, 0o600); err != nil {
		return nil, "", err
	}
	address, err := process.FreeAddress()
	if err != nil {
		return nil, "", err
	}
	socket = filepath.Join(dir, "private.sock")
	env := []string{"ROOT_ACCESS_KEY=" + string(root.AccessKeyID), "ROOT_SECRET_KEY=" + root.Secret}
	run, err = process.Start(ctx, filepath.Join(dir, "iam.log"), env, program, "--quiet", "--port", address, "iam", "--quiet", "--dir", files, "--private-ports", socket)
	if err != nil {
		return nil, "", err
	}
	ask := Ask("versitygw", socket, p, 1).Ask
	if err := run.Until(ctx, func() error { return ask(0, 0) }); err != nil {
		return nil, "", errors.Join(err, run.Stop())
	}
	return run, socket, nil
}

type object = map[string]any

// database is what versitygw's service keeps.
func database(p *workload.Population) object {
	users, keys, names := object{}, object{}, object{}
	now, document := time.Now().UTC().Format(time.RFC3339), workload.Document(workload.Mix(Statements))
	for i := range p.Config.Keys {
		name, id := fmt.Sprintf("user-%07d", i), p.Key(i)
		users[name] = object{
			"Path": "/", "UserName": name, "UserID": fmt.Sprintf("AIDA%017d", i), "Arn": "arn:aws:iam::000000000000:user/" + name, "CreateDate": now,
			"AccessKeys": []object{{"AccessKeyId": id, "SecretAccessKey": p.Secret(id), "Status": "Active", "CreateDate": now, "LastUsedDate": "0001-01-01T00:00:00Z"}},
			"Policies":   object{"inline": []object{{"PolicyName": "mix", "PolicyDocument": document, "CreateDate": now, "UpdateDate": now}}},
		}
		keys[string(id)], names[name] = name, name
	}
	return object{"users": users, "accessKeyIndex": keys, "userNameIndex": names, "roles": object{}, "roleNameIndex": object{}, "oidcProviders": object{}, "sessions": object{}}
}

// Ask asks both questions that versitygw has about a request: for the signing key, and
// for the decision. A different user makes each.
func Ask(name, socket string, p *workload.Population, workers int) bench.Door {
	transport := &http.Transport{
		MaxIdleConnsPerHost: workers, DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}
	today := time.Now().UTC().Format("20060102")
	scope := sigv4.Scope{Date: today, Region: workload.Region, Service: sigv4.S3}
	return bench.Door{Name: name, Workers: workers, Each: 1, Ask: func(_ int, n uint64) error {
		id := p.Key(int(n % uint64(p.Config.Keys)))
		var key struct{ DerivedKey []byte }
		err := question(transport, "derive-signing-key", object{"accessKeyId": id, "date": today, "region": workload.Region, "service": "s3"}, &key)
		if err != nil {
			return err
		}
		if want := sigv4.DeriveDayKey(p.Secret(id), scope); !bytes.Equal(key.DerivedKey, want[:]) {
			return fmt.Errorf("%s has another signing key than its secret makes", id)
		}
		var decided struct{ Decisions [][]string }
		err = question(transport, "evaluate-policy", object{
			"accessKeyId": id, "actions": []string{"s3:GetObject"}, "resources": []string{"arn:aws:s3:::project-00000/team/2026/11/report.csv"},
			"condition": object{"aws:SourceIp": []string{"10.20.30.40"}}, "region": workload.Region, "service": "s3",
		}, &decided)
		if err == nil && (len(decided.Decisions) != 1 || !slices.Equal(decided.Decisions[0], []string{"allow"})) {
			err = fmt.Errorf("%s is decided %v", id, decided.Decisions)
		}
		return err
	}}
}

func question(transport *http.Transport, path string, asked object, answer any) error {
	body, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	r, err := http.NewRequest(http.MethodPost, "http://localhost/private/"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Vgw-Private-Protocol", "1")
	if err := sigv4.Sign(r, root, "us-east-1", sigv4.IAM, sigv4.HexBody(body), iam.At(time.Now())); err != nil {
		return err
	}
	got, err := transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err == nil && got.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", path, got.Status, text)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(text, answer)
}
