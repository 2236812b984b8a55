package api

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// v1Row is a call of /v1 that needs one permission: how to make it, and the resource
// that it is about.
type v1Row struct {
	method, path, body   string
	permission, resource string
}

var v1Matrix = map[string]v1Row{
	"POST /v1/users":                           {"POST", "/v1/users", `{"name":"fresh"}`, "iam:CreateUser", "arn:aws:iam::000000000000:user/fresh"},
	"GET /v1/users/{name}":                     {"GET", "/v1/users/target", "", "iam:GetUser", targetUser},
	"PATCH /v1/users/{name}":                   {"PATCH", "/v1/users/target", `{"status":"Active"}`, "iam:UpdateUser", targetUser},
	"DELETE /v1/users/{name}":                  {"DELETE", "/v1/users/target", "", "iam:DeleteUser", targetUser},
	"PUT /v1/users/{name}/secret-key":          {"PUT", "/v1/users/target/secret-key", `{"secret_key":"Battery-Staple"}`, "iam:CreateAccessKey", targetUser},
	"DELETE /v1/users/{name}/secret-key":       {"DELETE", "/v1/users/target/secret-key", "", "iam:DeleteAccessKey", targetUser},
	"GET /v1/users/{name}/access-keys":         {"GET", "/v1/users/target/access-keys", "", "iam:ListAccessKeys", targetUser},
	"POST /v1/users/{name}/access-keys":        {"POST", "/v1/users/target/access-keys", `{}`, "iam:CreateAccessKey", targetUser},
	"PATCH /v1/users/{name}/access-keys/{key}": {"PATCH", "/v1/users/target/access-keys/AKIAIOSFODNN7EXAMPLE", `{"status":"Active"}`, "iam:UpdateAccessKey", targetUser},
	"GET /v1/sessions":                         {"GET", "/v1/sessions?user=target", "", "doorward:ListSessions", targetUser},
	"DELETE /v1/sessions/{key}":                {"DELETE", "/v1/sessions/ASIANOSUCHSESSION000", "", "doorward:RevokeSessions", "*"},
	"POST /v1/sessions/revoke":                 {"POST", "/v1/sessions/revoke", `{"user":"target"}`, "doorward:RevokeSessions", targetUser},
	"GET /v1/audit":                            {"GET", "/v1/audit", "", "doorward:ReadAudit", "*"},
	"POST /v1/import":                          {"POST", "/v1/import", `{}`, "doorward:Import", "*"},
	"GET /v1/export":                           {"GET", "/v1/export", "", "doorward:Export", "*"},
	"POST /v1/explain":                         {"POST", "/v1/explain", `{"user":"target","action":"s3:GetObject","resource":"*"}`, "iam:SimulatePrincipalPolicy", targetUser},
	"GET /v1/settings":                         {"GET", "/v1/settings", "", "doorward:GetSettings", "*"},
	"PATCH /v1/settings":                       {"PATCH", "/v1/settings", `{"min_session":900}`, "doorward:UpdateSettings", "*"},
	"GET /v1/sidecars":                         {"GET", "/v1/sidecars", "", "doorward:ListSidecars", "*"},
	"GET /v1/cluster":                          {"GET", "/v1/cluster", "", "doorward:DescribeCluster", "*"},
	"POST /v1/cluster/tokens":                  {"POST", "/v1/cluster/tokens", `{"kind":"node"}`, "doorward:CreateJoinToken", "*"},
	"GET /v1/cluster/tokens":                   {"GET", "/v1/cluster/tokens", "", "doorward:ListJoinTokens", "*"},
	"DELETE /v1/cluster/tokens/{id}":           {"DELETE", "/v1/cluster/tokens/none", "", "doorward:DeleteJoinToken", "*"},
	"POST /v1/cluster/members/{id}/promote":    {"POST", "/v1/cluster/members/none/promote", `{}`, "doorward:ChangeMembers", "*"},
	"POST /v1/cluster/members/{id}/remove":     {"POST", "/v1/cluster/members/none/remove", `{}`, "doorward:ChangeMembers", "*"},
	"POST /v1/cluster/transfer":                {"POST", "/v1/cluster/transfer", `{}`, "doorward:ChangeMembers", "*"},
	"GET /v1/cluster/snapshot":                 {"GET", "/v1/cluster/snapshot", "", "doorward:SaveSnapshot", "*"},
	"POST /v1/cluster/gossip/rotate":           {"POST", "/v1/cluster/gossip/rotate", `{}`, "doorward:RotateGossipKey", "*"},
	"POST /v1/cluster/rotate":                  {"POST", "/v1/cluster/rotate", `{}`, "doorward:RotateRootKey", "*"},
	"GET /v1/cluster/authorities":              {"GET", "/v1/cluster/authorities", "", "doorward:DescribeCluster", "*"},
	"POST /v1/cluster/authorities/stage":       {"POST", "/v1/cluster/authorities/stage", `{}`, "doorward:ReplaceAuthority", "*"},
	"POST /v1/cluster/authorities/use":         {"POST", "/v1/cluster/authorities/use", `{}`, "doorward:ReplaceAuthority", "*"},
	"POST /v1/cluster/authorities/drop":        {"POST", "/v1/cluster/authorities/drop", `{}`, "doorward:ReplaceAuthority", "*"},
	"POST /v1/cluster/leave":                   {"POST", "/v1/cluster/leave", `{}`, "doorward:ChangeMembers", "*"},
}

// v1Open are the calls that need no permission: a user's service accounts are that
// user's alone, whatever policies say, and the status tells nothing that is not told
// to anybody.
var v1Open = []string{
	"POST /v1/service-accounts", "GET /v1/service-accounts", "GET /v1/service-accounts/{key}", "PATCH /v1/service-accounts/{key}",
	"POST /v1/service-accounts/{key}/rotate", "DELETE /v1/service-accounts/{key}", "GET /v1/status",
}

func TestTheMatrixOfV1IsComplete(t *testing.T) {
	open := map[string]bool{}
	for _, pattern := range v1Open {
		open[pattern] = true
	}
	for _, r := range slices.Concat(v1Routes, clusterRoutes) {
		if _, ok := v1Matrix[r.pattern]; ok == open[r.pattern] {
			t.Errorf("%s is in the matrix: %v", r.pattern, ok)
		}
	}
}

// TestEachCallOfV1NeedsExactlyItsPermission asks with no permission, with every other
// one, with its own on another resource and in another account, and with exactly its
// own, through every way to hold permissions.
func TestEachCallOfV1NeedsExactlyItsPermission(t *testing.T) {
	for _, h := range holders {
		t.Run(h.name, func(t *testing.T) {
			w, callers := newWorld(t), 0
			for _, pattern := range slices.Sorted(maps.Keys(v1Matrix)) {
				row := v1Matrix[pattern]
				makeTargets(w)
				ask := func(document string) answer {
					callers++
					return w.json(h.make(w, fmt.Sprint("caller-", callers), document), row.method, row.path, row.body)
				}
				refused := func(with, document string) {
					t.Helper()
					if a := ask(document); a.status != 403 || a.code != "AccessDenied" {
						t.Errorf("%s with %s: %d %s", pattern, with, a.status, a.body)
					}
				}
				refused("no permission", allow("s3:*", "*"))
				refused("every other", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":"`+row.permission+`","Resource":"*"}]}`)
				refused("another resource", allow(row.permission, "arn:aws:iam::000000000000:user/somebody"))
				if row.resource != "*" {
					refused("another account", allow(row.permission, strings.ReplaceAll(row.resource, "000000000000", "111111111111")))
				}
				if a := ask(allow(row.permission, row.resource)); a.code == "AccessDenied" {
					t.Errorf("%s with exactly %s on %s: %s", pattern, row.permission, row.resource, a.message)
				}
			}
		})
	}
}
