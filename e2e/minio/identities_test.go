package minio

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/minio/madmin-go/v3"
)

// What the policies and the questions are about.
var (
	buckets = []string{"reports", "reports-old", "logs", "home"}
	keys    = []string{"a.txt", "public/a.txt", "public/2026/b.csv", "private/c", "user-1/d", "user-2/deep/e"}
	agents  = []string{"backup/1.0", "browser"}
	sources = []string{"10.0.0.7", "10.1.0.7", "192.0.2.1", "2001:db8::1"}
)

// statement is one of a policy.
type statement struct {
	Effect    string
	Action    []string
	Resource  []string
	Condition map[string]map[string]string `json:",omitempty"`
}

// person is a user or service account, and the statements that decide what it may.
type person struct {
	credential
	statements []statement
}

// choice is a random number generator with a seed, so that a failure comes again.
type choice struct{ *mathrand.Rand }

func (r choice) of(from []string) string { return from[r.IntN(len(from))] }

func (r choice) some(from []string, most int) (chosen []string) {
	for range 1 + r.IntN(most) {
		if one := r.of(from); !slices.Contains(chosen, one) {
			chosen = append(chosen, one)
		}
	}
	return chosen
}

func (r choice) policy() (statements []statement) {
	for range 1 + r.IntN(3) {
		statements = append(statements, r.statement())
	}
	return statements
}

func (r choice) statement() statement {
	s := statement{Effect: "Allow", Action: r.some([]string{"s3:*", "s3:Get*", "s3:GetObject", "s3:PutObject", "s3:*Object", "s3:DeleteObject",
		"s3:ListBucket", "s3:GetBucketLocation", "s3:GetObjectTagging", "s3:PutObjectTagging", "s3:List*"}, 4)}
	if r.IntN(4) == 0 {
		s.Effect = "Deny"
	}
	for _, pattern := range r.some([]string{"*", "BUCKET", "BUCKET", "BUCKET/*", "BUCKET/public/*", "BUCKET/*/b.csv", "BUCKET/${aws:username}/*",
		"reports*", "*s", "BUCKET/user-?/*", "BUCKET/a.txt"}, 3) {
		s.Resource = append(s.Resource, "arn:aws:s3:::"+strings.ReplaceAll(pattern, "BUCKET", r.of(buckets)))
	}
	if r.IntN(2) == 0 {
		s.condition(r)
	}
	return s
}

// condition adds one. MinIO takes a condition on a listing only beside the action
// that lists.
func (s *statement) condition(r choice) {
	conditions := []struct{ operator, key, value string }{
		{"IpAddress", "aws:SourceIp", "10.0.0.0/8"}, {"NotIpAddress", "aws:SourceIp", "10.1.0.0/16"}, {"IpAddress", "aws:SourceIp", "2001:db8::/32"},
		{"StringLike", "aws:UserAgent", "backup/*"}, {"StringNotEquals", "aws:UserAgent", "browser"},
		{"StringLike", "aws:Referer", "https://intern.example/*"}, {"StringNotLike", "aws:Referer", "https://intern.example/*"},
		{"StringEquals", "aws:username", "user-1"}, {"StringNotEqualsIgnoreCase", "aws:username", "USER-2"},
		{"Bool", "aws:SecureTransport", "false"}, {"Bool", "aws:SecureTransport", "true"},
		{"DateLessThan", "aws:CurrentTime", "2099-01-01T00:00:00Z"}, {"DateGreaterThan", "aws:CurrentTime", "2099-01-01T00:00:00Z"},
		{"StringEquals", "s3:prefix", "public/"}, {"StringLike", "s3:prefix", "${aws:username}/*"}, {"StringNotLike", "s3:prefix", "private*"},
		{"NumericLessThanEquals", "s3:max-keys", "10"}, {"Null", "s3:prefix", "true"},
	}
	c := conditions[r.IntN(len(conditions))]
	if strings.HasPrefix(c.key, "s3:") {
		s.Action = []string{"s3:ListBucket"}
	}
	s.Condition = map[string]map[string]string{c.operator: {c.key: c.value}}
}

func document(t *testing.T, statements []statement) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// populate fills MinIO with users, groups, policies and service accounts as its
// operators do, one user, one group and one service account disabled.
func populate(t *testing.T, admin *madmin.AdminClient, r choice) (people []person) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	policies := map[string][]statement{}
	var names []string
	for n := range 30 {
		name := fmt.Sprintf("policy-%d", n)
		names, policies[name] = append(names, name), r.policy()
		must(admin.AddCannedPolicy(t.Context(), name, document(t, policies[name])))
	}
	for n := range 10 {
		who := person{credential: credential{id: fmt.Sprintf("user-%d", n), secret: rand.Text()}}
		must(admin.AddUser(t.Context(), who.id, who.secret))
		people = append(people, who)
	}
	attach := func(request madmin.PolicyAssociationReq, to ...int) {
		request.Policies = r.some(names, 4)
		_, err := admin.AttachPolicy(t.Context(), request)
		must(err)
		for _, n := range to {
			for _, name := range request.Policies {
				people[n].statements = append(people[n].statements, policies[name]...)
			}
		}
	}
	for n := range 8 { // the last two have what their groups have
		attach(madmin.PolicyAssociationReq{User: people[n].id}, n)
	}
	for n := range 4 {
		group := madmin.GroupAddRemove{Group: fmt.Sprintf("group-%d", n), Status: madmin.GroupEnabled}
		var members []int
		for m := range people {
			if m%4 == n || m == 9 {
				members, group.Members = append(members, m), append(group.Members, people[m].id)
			}
		}
		must(admin.UpdateGroupMembers(t.Context(), group))
		attach(madmin.PolicyAssociationReq{Group: group.Group}, members...)
	}
	must(admin.SetGroupStatus(t.Context(), "group-3", madmin.GroupDisabled))
	for n := range 8 {
		request := madmin.AddServiceAccountReq{TargetUser: people[n].id, AccessKey: fmt.Sprintf("account%d", n), SecretKey: rand.Text(), Description: "of the test"}
		who := person{credential: credential{id: request.AccessKey, secret: request.SecretKey}, statements: people[n].statements}
		if n%2 == 0 {
			own := append(r.policy(), r.policy()...)
			who.statements = slices.Concat(who.statements, own)
			request.Policy = document(t, own)
		}
		_, err := admin.AddServiceAccount(t.Context(), request)
		must(err)
		people = append(people, who)
	}
	must(admin.SetUserStatus(t.Context(), people[5].id, madmin.AccountDisabled))
	must(admin.UpdateServiceAccount(t.Context(), "account3", madmin.UpdateServiceAccountReq{NewStatus: "off"}))
	return people
}

// exported is what `mc admin cluster iam export` writes.
func exported(t *testing.T, admin *madmin.AdminClient) []byte {
	t.Helper()
	archive, err := admin.ExportIAM(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	content, err := io.ReadAll(archive)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// names reports whether a resource of a statement names what is asked for.
func (s statement) names(resource string) bool {
	return slices.ContainsFunc(s.Resource, func(pattern string) bool {
		quoted := regexp.QuoteMeta(pattern)
		quoted = strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(quoted)
		return regexp.MustCompile("^" + quoted + "$").MatchString(resource)
	})
}
