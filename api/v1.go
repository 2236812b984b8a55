package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"slices"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
)

// route is one call of the JSON API: what AWS has no call for. Its parameters are
// in the path, the query and a JSON body; names under which the targets look them
// up are those of the Query API.
type route struct {
	pattern string // of net/http.ServeMux
	// permission is what the caller needs on each target; empty where the function
	// decides itself.
	permission string
	targets    func(*call) []target
	writes     bool
	run        func(*call) (any, error)
	// names maps wildcards of the path to parameters.
	names map[string]string
}

// userPath is the wildcard of a user's name.
var userPath = map[string]string{"name": "UserName"}

var v1Routes = []route{
	{"POST /v1/users", "", nil, true, v1CreateUser, nil},
	{"GET /v1/users/{name}", "iam:GetUser", theUser, false, v1GetUser, userPath},
	{"PATCH /v1/users/{name}", "", nil, true, v1UpdateUser, userPath},
	{"DELETE /v1/users/{name}", "iam:DeleteUser", theUser, true, v1DeleteUser, userPath},
	{"PUT /v1/users/{name}/secret-key", "iam:CreateAccessKey", theUser, true, v1SetSecretKey, userPath},
	{"DELETE /v1/users/{name}/secret-key", "iam:DeleteAccessKey", theUser, true, v1DeleteSecretKey, userPath},
	{"GET /v1/users/{name}/access-keys", "iam:ListAccessKeys", theUser, false, v1ListAccessKeys, userPath},
	{"POST /v1/users/{name}/access-keys", "iam:CreateAccessKey", theUser, true, v1ImportAccessKey, userPath},
	{"PATCH /v1/users/{name}/access-keys/{key}", "iam:UpdateAccessKey", theUser, true, v1UpdateAccessKey,
		map[string]string{"name": "UserName", "key": "AccessKeyId"}},

	{"POST /v1/service-accounts", "", nil, true, createServiceAccount, nil},
	{"GET /v1/service-accounts", "", nil, false, listServiceAccounts, nil},
	{"GET /v1/service-accounts/{key}", "", nil, false, getServiceAccount, keyPath},
	{"PATCH /v1/service-accounts/{key}", "", nil, true, updateServiceAccount, keyPath},
	{"POST /v1/service-accounts/{key}/rotate", "", nil, true, rotateServiceAccount, keyPath},
	{"DELETE /v1/service-accounts/{key}", "", nil, true, deleteServiceAccount, keyPath},

	{"GET /v1/sessions", "doorward:ListSessions", sessionParent, false, listSessions, nil},
	{"DELETE /v1/sessions/{key}", "doorward:RevokeSessions", sessionOwner, true, revokeSession, keyPath},
	{"POST /v1/sessions/revoke", "", nil, true, revokeSessions, nil},

	{"GET /v1/audit", "doorward:ReadAudit", nil, false, readAudit, nil},
	{importPattern, "doorward:Import", nil, true, importIdentities, nil},
	{"GET /v1/export", "doorward:Export", nil, false, exportIdentities, nil},

	{"POST /v1/explain", "", nil, false, explain, nil},
	{"GET /v1/settings", "doorward:GetSettings", nil, false, getSettings, nil},
	{"PATCH /v1/settings", "doorward:UpdateSettings", nil, true, updateSettings, nil},
	{"GET /v1/status", "", nil, false, getStatus, nil},
	{"GET /v1/sidecars", "doorward:ListSidecars", nil, false, listSidecars, nil},
}

const importPattern = "POST /v1/import"

// most is the largest body of a route, in bytes.
func (r *route) most() int64 {
	if r.pattern == importPattern {
		return maxImport
	}
	return maxBody
}

var keyPath = map[string]string{"key": "AccessKeyId"}

// query is what the query of a route may hold: lists are paged, sessions are listed
// by parent, and a user may be deleted with all that is the user's.
func (r *route) query() []param {
	switch r.pattern {
	case "GET /v1/service-accounts":
		return []param{marker, maxItems}
	case "GET /v1/sessions":
		return []param{marker, maxItems, {name: "user"}, {name: "role"}}
	case "GET /v1/audit":
		return []param{{name: "after", kind: integer, max: math.MaxInt}, {name: "limit", kind: integer, min: 1, max: 1000}}
	case "GET /v1/cluster/snapshot":
		return []param{{name: "stale", kind: boolean}}
	case "DELETE /v1/users/{name}":
		return []param{{name: "cascade", kind: boolean}}
	}
	return nil
}

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for _, to := range slices.Concat(v1Routes, clusterRoutes) {
		r := &to
		mux.HandleFunc(r.pattern, func(w http.ResponseWriter, req *http.Request) { s.serveRoute(w, req, r) })
	}
	return mux
}

// serveV1 finds the route of a request. What has none is refused in the form of
// the API.
func (s *Server) serveV1(w http.ResponseWriter, r *http.Request, id string) {
	if _, pattern := s.v1.Handler(r); pattern == "" {
		refusalOf(iam.Errorf(notFound, "There is no call %s %s.", r.Method, r.URL.Path)).writeJSON(w, id)
		return
	}
	s.v1.ServeHTTP(w, r)
}

func (s *Server) serveRoute(w http.ResponseWriter, r *http.Request, to *route) {
	ctx, cancel := context.WithTimeout(r.Context(), s.config.Timeout)
	defer cancel()
	c := &call{ctx: ctx, server: s, http: r, id: w.Header().Get("X-Amzn-RequestId"), now: iam.At(s.config.Now()), form: form{}, caller: unsigned}
	answer, err := c.route(to)
	if err != nil {
		s.refuse(c, to.pattern, err).writeJSON(w, c.id)
		return
	}
	s.answered(w, c, to.pattern)
	if body, ok := answer.(stream); ok {
		if err := body.serve(w); err != nil {
			s.config.Log.Error("answer was cut short", slog.String("request", c.id), slog.String("action", to.pattern), slog.Any("error", err))
			panic(http.ErrAbortHandler)
		}
		return
	}
	if answer == nil {
		answer = struct {
			Index iam.Index `json:"index"`
		}{c.index}
	}
	writeJSON(w, http.StatusOK, answer)
}

func (c *call) route(to *route) (any, error) {
	if err := c.throttled(); err != nil {
		return nil, err
	}
	body, err := readBody(c.http, to.most())
	if err != nil {
		return nil, err
	}
	if err := c.authenticate(body, sigv4.IAM); err != nil {
		return nil, err
	}
	if err := c.barred("iam:*"); err != nil {
		return nil, err
	}
	if err := c.form.parse(c.http.URL.RawQuery); err != nil {
		return nil, err
	}
	if err := validate(c.form, to.query()); err != nil {
		return nil, err
	}
	for wildcard, name := range to.names {
		c.form[name] = c.http.PathValue(wildcard)
	}
	c.body = body
	if err := c.pin(to.writes); err != nil {
		return nil, err
	}
	if to.permission != "" {
		targets := []target{{arn: "*"}}
		if to.targets != nil {
			targets = to.targets(c)
		}
		for _, t := range targets {
			if err := c.need(to.permission, t); err != nil {
				return nil, err
			}
		}
	}
	return to.run(c)
}

// decode reads the JSON body. Unknown names are refused, so that a misspelt limit
// is not silently none.
func (c *call) decode(into any) error {
	d := json.NewDecoder(bytes.NewReader(c.body))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if errors.Is(err, io.EOF) {
		return iam.Errorf(iam.InvalidInput, "The request has no body; a JSON object is expected.")
	}
	if err != nil {
		return iam.Errorf(iam.InvalidInput, "The request body is not the JSON object that is expected: %v.", err)
	}
	if d.More() {
		return iam.Errorf(iam.InvalidInput, "The request body goes on after its JSON object.")
	}
	return nil
}

// check validates one text as the Query API would.
func check(p param, value string) error { return validate(form{p.name: value}, []param{p}) }
