package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/api/portable"
)

// imported sends a document and returns the plan, or the refusal.
func (w *world) imported(c credentials, dryRun bool, d portable.Document) (portable.Plan, answer) {
	w.t.Helper()
	d.Format = portable.Format
	body, err := json.Marshal(struct {
		DryRun bool `json:"dry_run"`
		portable.Document
	}{dryRun, d})
	if err != nil {
		w.t.Fatal(err)
	}
	a := w.json(c, "POST", "/v1/import", string(body))
	var plan portable.Plan
	json.Unmarshal([]byte(a.body), &plan)
	return plan, a
}

// actions are the actions of a plan's items, in order.
func planned(p portable.Plan) (list []string) {
	for _, i := range p.Items {
		list = append(list, i.Action+" "+i.Kind+" "+i.Name)
	}
	return list
}

var everything = portable.Document{
	Policies: []portable.Policy{{Name: "up", Document: allow("s3:PutObject", "arn:aws:s3:::up/*")}, {Name: "limit", Document: allow("s3:*", "*")}},
	Groups:   []portable.Group{{Name: "eng", Policies: []string{"up"}}},
	Roles:    []portable.Role{{Name: "deploy", Trust: trustRoot, Policies: []string{"up"}}},
	Users: []portable.User{{
		Name: "alice", Path: "/eng/", Groups: []string{"eng"}, Policies: []string{"readonly"}, Boundary: "limit", Secret: "Correct-Horse",
		Inline: []portable.Inline{{Name: "own", Document: allow("s3:GetObject", "*")}}, POSIX: &portable.POSIX{UID: 1, GID: 2},
		Tags: []portable.Tag{{Key: "team", Value: "red"}}, Keys: []portable.Key{{ID: "IMPORTEDKEY", Secret: "imported secret"}},
	}},
	ServiceAccounts: []portable.ServiceAccount{{ID: "IMPORTEDSERVICE", Secret: "service secret", Parent: "alice", Description: "backup"}},
}

func clone(d portable.Document) portable.Document {
	text, _ := json.Marshal(d)
	var c portable.Document
	json.Unmarshal(text, &c)
	return c
}

func TestAnImportIsPlannedAndThenDoneOnce(t *testing.T) {
	w := newWorld(t)
	d := clone(everything)
	d.Users[0].Keys[0].Secret, d.ServiceAccounts[0].Secret = "importedsecret", "servicesecret"
	before := w.store.View().Sum()
	plan, a := w.imported(w.root, true, d)
	w.want(a, 200, "")
	if plan.Count(portable.Create) != 6 || plan.Applied || w.store.View().Sum() != before {
		t.Fatalf("%+v", plan)
	}
	for _, secret := range []string{"Correct-Horse", "importedsecret", "servicesecret"} {
		if strings.Contains(a.body, secret) {
			t.Error("a secret is in the plan")
		}
	}
	index := w.store.View().Index()
	plan, a = w.imported(w.root, false, d)
	w.want(a, 200, "")
	if !plan.Applied || w.store.View().Index() != index+1 {
		t.Errorf("not one command: index %d after %d, %+v", w.store.View().Index(), index, plan)
	}
	for _, c := range []credentials{{"alice", "Correct-Horse", ""}, {"IMPORTEDKEY", "importedsecret", ""}, {"IMPORTEDSERVICE", "servicesecret", ""}} {
		if got := w.must(c, "GetCallerIdentity").text("Arn"); got != "arn:aws:iam::000000000000:user/eng/alice" {
			t.Errorf("%s is %s", c.id, got)
		}
	}
	index = w.store.View().Index()
	plan, _ = w.imported(w.root, false, d)
	if plan.Count(portable.Same) != 6 || plan.Applied || w.store.View().Index() != index {
		t.Errorf("the second time: %v", planned(plan))
	}
}

func TestAnImportThatCannotBeDoneWholeIsNotDone(t *testing.T) {
	w := newWorld(t)
	w.user("bob")
	other := w.user("other")
	good := portable.User{Name: "good"}
	for name, c := range map[string]struct {
		document portable.Document
		item     string // the one that is refused
		code     string
		status   int
	}{
		"a policy of the name of a built-in one": {portable.Document{Policies: []portable.Policy{{Name: "readonly", Document: allow("s3:*", "*")}}, Users: []portable.User{good}}, "refuse policy readonly", "UnmodifiableEntity", 400},
		"a malformed policy":                     {portable.Document{Policies: []portable.Policy{{Name: "p", Document: `{"Version":"2012-10-17"}`}}, Users: []portable.User{good}}, "refuse policy p", "MalformedPolicyDocument", 400},
		"a user of a policy that is refused":     {portable.Document{Users: []portable.User{good, {Name: "u", Policies: []string{"missing"}}}}, "refuse user u", "NoSuchEntity", 404},
		"a user of a missing group":              {portable.Document{Users: []portable.User{good, {Name: "u", Groups: []string{"missing"}}}}, "refuse user u", "NoSuchEntity", 404},
		"a key of somebody else":                 {portable.Document{Users: []portable.User{good, {Name: "bob", Keys: []portable.Key{{ID: other.id, Secret: "stolenstolen"}}}}}, "refuse user bob", "EntityAlreadyExists", 409},
		"the key of the root":                    {portable.Document{Users: []portable.User{good, {Name: w.root.id, Secret: "stolenstolen"}}}, "refuse user " + w.root.id, "EntityAlreadyExists", 409},
		"a service account of nobody":            {portable.Document{Users: []portable.User{good}, ServiceAccounts: []portable.ServiceAccount{{ID: "SERVICE1", Secret: "servicesecret", Parent: "nobody"}}}, "refuse service account SERVICE1", "NoSuchEntity", 404},
		"a key that looks like a session's":      {portable.Document{Users: []portable.User{good, {Name: "bob", Keys: []portable.Key{{ID: "ASIAIMPORTED", Secret: "somesecret"}}}}}, "refuse user bob", "ValidationError", 400},
	} {
		before := w.store.View().Sum()
		plan, a := w.imported(w.root, true, c.document)
		if a.status != 200 || !slices.Contains(planned(plan), c.item) {
			t.Errorf("%s: %d %v", name, a.status, planned(plan))
		}
		if !slices.Contains(planned(plan), "create user good") {
			t.Errorf("%s: the plan leaves out what could be done: %v", name, planned(plan))
		}
		_, a = w.imported(w.root, false, c.document)
		if a.status != c.status || a.code != c.code {
			t.Errorf("%s: %d %s %s", name, a.status, a.code, a.message)
		}
		if w.store.View().Sum() != before {
			t.Errorf("%s: something was changed", name)
		}
	}
}

// TestAServiceAccountThatExistsIsItsUsers holds that an import does not manage what
// only its user may.
func TestAServiceAccountThatExistsIsItsUsers(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	made := w.mustJSON(alice, "POST", "/v1/service-accounts", `{"description":"mine"}`)
	id, secret := made["access_key_id"].(string), made["secret_access_key"].(string)
	same := portable.ServiceAccount{ID: id, Secret: secret, Parent: "alice", Description: "another"}
	plan, _ := w.imported(w.root, true, portable.Document{ServiceAccounts: []portable.ServiceAccount{same}})
	if plan.Count(portable.Same) != 1 {
		t.Errorf("with its own secret: %v", planned(plan))
	}
	same.Secret = "anothersecret"
	_, a := w.imported(w.root, false, portable.Document{ServiceAccounts: []portable.ServiceAccount{same}})
	w.want(a, 409, "EntityAlreadyExists")
}

// TestAnImportNeedsThePermissionOfEachThing takes one permission after the other
// away.
func TestAnImportNeedsThePermissionOfEachThing(t *testing.T) {
	d := clone(everything)
	d.Users[0].Keys[0].Secret, d.ServiceAccounts[0].Secret = "importedsecret", "servicesecret"
	needed := strings.Fields("doorward:Import iam:CreatePolicy iam:CreateGroup iam:AttachGroupPolicy iam:CreateRole iam:AttachRolePolicy " +
		"iam:CreateUser iam:AttachUserPolicy iam:PutUserPolicy iam:AddUserToGroup iam:CreateAccessKey doorward:CreateServiceAccount")
	w := newWorld(t)
	all := w.user("all", allow(strings.Join(needed, " "), "*"))
	plan, a := w.imported(all, true, d)
	if a.status != 200 || plan.Count(portable.Refuse) != 0 {
		t.Fatalf("with all of them: %s", a.body)
	}
	for i, missing := range needed {
		rest := strings.Join(slices.Delete(slices.Clone(needed), i, i+1), " ")
		c := w.user(fmt.Sprint("lacks", i), allow(rest, "*"))
		before := w.store.View().Sum()
		if _, a := w.imported(c, false, d); a.status != 403 || !strings.Contains(a.message, missing) {
			t.Errorf("without %s: %d %s %s", missing, a.status, a.code, a.message)
		}
		if w.store.View().Sum() != before {
			t.Errorf("without %s: something was changed", missing)
		}
	}
	denied := w.user("denied", allow("iam:* doorward:*", "*"), deny("iam:CreateUser", targetUser[:len(targetUser)-len("div/target")]+"eng/*"))
	if _, a := w.imported(denied, false, d); a.code != "AccessDenied" {
		t.Errorf("a Deny on users below /eng/: %s", a.body)
	}
}

func TestAnExportIsAnImport(t *testing.T) {
	w := newWorld(t)
	d := clone(everything)
	d.Users[0].Keys[0].Secret, d.ServiceAccounts[0].Secret = "importedsecret", "servicesecret"
	w.imported(w.root, false, d)
	w.want(w.json(w.user("nobody"), "GET", "/v1/export", ""), 403, "AccessDenied")
	a := w.json(w.root, "GET", "/v1/export", "")
	w.want(a, 200, "")
	for _, text := range []string{"Correct-Horse", "importedsecret", "servicesecret", "IMPORTEDSERVICE"} {
		if strings.Contains(a.body, text) {
			t.Errorf("%s is in the export", text)
		}
	}
	var out portable.Document
	if err := json.Unmarshal([]byte(a.body), &out); err != nil {
		t.Fatal(err)
	}
	if plan, a := w.imported(w.root, false, out); plan.Count(portable.Same) != len(plan.Items) || len(plan.Items) == 0 {
		t.Errorf("into the same store: %s", a.body)
	}
	other := newWorld(t)
	if plan, a := other.imported(other.root, false, out); plan.Count(portable.Create) != out.Len() {
		t.Fatalf("into another store: %s", a.body)
	}
	u, _ := other.store.View().User(account, "alice")
	if u == nil || u.Boundary == "" || u.POSIX == nil || len(u.Groups) != 1 || len(u.Inline) != 1 || len(u.Tags) != 1 || len(u.Attached) != 1 {
		t.Errorf("%+v", u)
	}
}

func TestAnImportIsBounded(t *testing.T) {
	w := newWorld(t)
	var d portable.Document
	for i := range 20_000 {
		d.Users = append(d.Users, portable.User{Name: fmt.Sprint("user", i)})
	}
	_, a := w.imported(w.root, false, d)
	w.want(a, 409, "LimitExceeded")
	a = w.json(w.root, "POST", "/v1/import", `{"format":"doorward/2"}`)
	w.want(a, 400, "InvalidInput")
	a = w.json(w.root, "POST", "/v1/import", `{"format":"doorward/1","usres":[]}`)
	w.want(a, 400, "InvalidInput")
}
