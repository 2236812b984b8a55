package api

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/compare"
	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/iam"
)

// teamLimit is what the team may do at most: its bucket, and to make users and roles of
// its own within this very limit (IAM user guide, "Delegate responsibility to others
// using permissions boundaries").
const (
	home      = "arn:aws:iam::000000000000:"
	limitARN  = home + "policy/limit"
	teamLimit = `{"Version":"2012-10-17","Statement":[
{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::team","arn:aws:s3:::team/*"]},
{"Effect":"Allow","Action":["iam:Get*","iam:List*"],"Resource":"*"},
{"Effect":"Allow","Action":["iam:CreateUser","iam:CreateRole","iam:PutUserPermissionsBoundary","iam:PutRolePermissionsBoundary","iam:PutUserPolicy","iam:PutRolePolicy","iam:AttachUserPolicy","iam:AttachRolePolicy"],"Resource":["` + home + `user/team/*","` + home + `role/team/*"],"Condition":{"StringEquals":{"iam:PermissionsBoundary":"` + limitARN + `"}}},
{"Effect":"Allow","Action":["iam:CreateAccessKey","iam:UpdateUser","iam:DeleteUser","iam:UpdateAssumeRolePolicy","iam:*Group*","iam:CreatePolicy*","sts:*","doorward:*"],"Resource":["` + home + `*/team/*","arn:aws:sts::000000000000:federated-user/*"]}]}`
)

// actor is somebody who makes calls. An outsider has no boundary, and so makes only
// credentials for itself: whom it created would not be the team's.
type actor struct {
	name string
	credentials
	outsider bool
}

// escalation is a team under way: who can sign, and what has been asked of whom.
type escalation struct {
	*world
	*rapid.T
	actors []actor
	asked  []string
}

func (e *escalation) pick(label string, from ...string) string {
	return rapid.SampledFrom(from).Draw(e.T, label)
}

// The names of the team's entities, and policies to give and to be cut by.
var (
	teamNames  = []string{"ann", "bob", "boss"}
	boundaries = []string{limitARN, limitARN, limitARN, home + "policy/readwrite", home + "policy/team/own", ""}
	documents  = []string{
		allow("*", "*"), allow("s3:*", "*"), allow("s3:GetObject", "arn:aws:s3:::team/*"), allow("iam:* sts:*", "*"), allow("s3:*", "arn:aws:s3:::other/*"),
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"s3:Delete*","Resource":"*"}]}`,
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotAction":"iam:*","NotResource":"arn:aws:s3:::team/secret"}}`,
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${aws:username}/*"}}`,
	}
)

func (e *escalation) document() string { return e.pick("document", documents...) }

// mostly draws one value most of the time, so that calls are nearly allowed.
func (e *escalation) mostly(label, value string, others ...string) string {
	return e.pick(label, append([]string{value, value, value, value}, others...)...)
}

func (e *escalation) user() string { return e.mostly("user", e.pick("name", teamNames...), "chief") }
func (e *escalation) role() string { return e.mostly("role", e.pick("name", teamNames...), "chiefs") }
func (e *escalation) path() string { return e.mostly("path", "/team/", "/") }

// with adds a parameter unless it is empty.
func with(pairs []string, name, value string) []string {
	if value == "" {
		return pairs
	}
	return append(pairs, name, value)
}

// grants are the calls that make, change and empower users and roles.
var grants = []func(e *escalation) []string{
	func(e *escalation) []string {
		return with([]string{"CreateUser", "UserName", e.user(), "Path", e.path()}, "PermissionsBoundary", e.pick("boundary", boundaries...))
	},
	func(e *escalation) []string {
		return with([]string{"CreateRole", "RoleName", e.role(), "Path", e.path(), "AssumeRolePolicyDocument", trustIn(home + "root")}, "PermissionsBoundary", e.pick("boundary", boundaries...))
	},
	func(e *escalation) []string {
		return []string{"PutUserPermissionsBoundary", "UserName", e.user(), "PermissionsBoundary", e.pick("boundary", boundaries[:5]...)}
	},
	func(e *escalation) []string {
		return []string{"PutRolePermissionsBoundary", "RoleName", e.role(), "PermissionsBoundary", e.pick("boundary", boundaries[:5]...)}
	},
	func(e *escalation) []string { return []string{"DeleteUserPermissionsBoundary", "UserName", e.user()} },
	func(e *escalation) []string { return []string{"DeleteRolePermissionsBoundary", "RoleName", e.role()} },
	func(e *escalation) []string {
		return []string{"PutUserPolicy", "UserName", e.user(), "PolicyName", "p", "PolicyDocument", e.document()}
	},
	func(e *escalation) []string {
		return []string{"PutUserPolicy", "UserName", e.user(), "PolicyName", "p", "PolicyDocument", e.document(), "PermissionsBoundary", limitARN}
	},
	func(e *escalation) []string {
		return []string{"PutRolePolicy", "RoleName", e.role(), "PolicyName", "p", "PolicyDocument", e.document()}
	},
	func(e *escalation) []string {
		return []string{"AttachUserPolicy", "UserName", e.user(), "PolicyArn", e.pick("policy", boundaries[2:5]...)}
	},
	func(e *escalation) []string {
		return []string{"AttachRolePolicy", "RoleName", e.role(), "PolicyArn", e.pick("policy", boundaries[2:5]...)}
	},
	func(e *escalation) []string { return []string{"CreateGroup", "GroupName", "gang", "Path", e.path()} },
	func(e *escalation) []string {
		return []string{"PutGroupPolicy", "GroupName", "gang", "PolicyName", "p", "PolicyDocument", e.document()}
	},
	func(e *escalation) []string {
		return []string{"AddUserToGroup", "GroupName", "gang", "UserName", e.user()}
	},
	func(e *escalation) []string {
		return []string{"CreatePolicy", "PolicyName", e.pick("policy", "own", "limit"), "Path", e.path(), "PolicyDocument", e.document()}
	},
	func(e *escalation) []string {
		return []string{"CreatePolicyVersion", "PolicyArn", e.pick("policy", boundaries[:5]...), "PolicyDocument", e.document(), "SetAsDefault", "true"}
	},
	func(e *escalation) []string { return []string{"DeletePolicy", "PolicyArn", limitARN} },
	func(e *escalation) []string {
		return []string{"SetDefaultPolicyVersion", "PolicyArn", limitARN, "VersionId", e.pick("version", "v1", "v2")}
	},
	func(e *escalation) []string {
		return []string{"UpdateUser", "UserName", e.user(), "NewUserName", e.user(), "NewPath", e.path()}
	},
	func(e *escalation) []string { return []string{"DeleteUser", "UserName", e.user()} },
	func(e *escalation) []string {
		return []string{"UpdateAssumeRolePolicy", "RoleName", e.role(), "PolicyDocument", trustIn("*")}
	},
	func(e *escalation) []string { return []string{"CreateAccessKey", "UserName", e.user()} },
	func(e *escalation) []string {
		return []string{"POST", "/v1/users", fmt.Sprintf(`{"name":%q,"path":%q,"secret_key":"Battery-Staple","permissions_boundary":%q}`, e.user(), e.path(), e.pick("boundary", boundaries...))}
	},
	func(e *escalation) []string {
		return []string{"PUT", "/v1/users/" + e.user() + "/secret-key", `{"secret_key":"Battery-Staple"}`}
	},
}

// sessions are the calls by which callers make credentials for themselves.
var sessions = []func(e *escalation) []string{
	func(e *escalation) []string {
		return with([]string{"AssumeRole", "RoleArn", home + "role" + e.path() + e.role(), "RoleSessionName", "s1"}, "Policy", e.pick("policy", append(documents, "", "")...))
	},
	func(e *escalation) []string {
		return with([]string{"AssumeRole", "RoleArn", home + "user/self", "RoleSessionName", "s2"}, "PolicyArns.member.1.arn", e.pick("policy", boundaries...))
	},
	func(e *escalation) []string { return []string{"GetSessionToken", "DurationSeconds", "900"} },
	func(e *escalation) []string {
		return with([]string{"GetFederationToken", "Name", e.user()}, "Policy", e.pick("policy", append(documents, "")...))
	},
	func(e *escalation) []string {
		return []string{"POST", "/v1/service-accounts", fmt.Sprintf(`{"policy":%s}`, quote(e.pick("policy", append(documents, "", "")...)))}
	},
	func(e *escalation) []string {
		ids := []string{"AKIANONE"}
		for s := range e.store.View().ServiceAccounts("") {
			ids = append(ids, string(s.Key))
		}
		return []string{"PATCH", "/v1/service-accounts/" + e.pick("account", ids...), fmt.Sprintf(`{"policy":%s}`, quote(e.document()))}
	},
}

func trustIn(principal string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":"sts:AssumeRole"}}`
}

// step has somebody make a call, and whoever gets credentials by it become an actor.
func (e *escalation) step() {
	by, calls := e.actors[0], grants // the boss, half of the time
	if rapid.Bool().Draw(e.T, "other") {
		by = rapid.SampledFrom(e.actors).Draw(e.T, "actor")
	}
	if by.outsider || rapid.IntRange(0, 5).Draw(e.T, "kind") == 0 {
		calls = sessions
	}
	asked := rapid.SampledFrom(calls).Draw(e.T, "call")(e)
	var a answer
	if strings.HasPrefix(asked[1], "/v1/") {
		a = e.json(by.credentials, asked[0], asked[1], asked[2])
	} else {
		a = e.call(by.credentials, asked[0], asked[1:]...)
	}
	e.asked = append(e.asked, fmt.Sprintf("%s: %q: %d %s", by.name, asked, a.status, a.code))
	if a.status != 200 {
		return
	}
	var account struct {
		ID     string `json:"access_key_id"`
		Secret string `json:"secret_access_key"`
	}
	json.Unmarshal([]byte(a.body), &account)
	name, _, password := strings.Cut(strings.TrimPrefix(asked[1], "/v1/users/"), "/secret-key")
	for _, made := range []credentials{sessionOf(a), {account.ID, account.Secret, ""}, {name, "Battery-Staple", ""}} {
		if made.secret != "" && (made.id != name || password) {
			e.actors = append(e.actors, actor{by.name + "'s " + asked[0] + " of " + made.id, made, by.outsider})
		}
	}
}

// limits are the layers of which each bounds what an identity may do, as one document
// each.
func limits(p authz.Policies) map[string]*policy.Document {
	all := map[string]*policy.Document{"identity": together(p.Identity)}
	if p.Parent != nil {
		all["parent"] = together(*p.Parent)
	}
	if p.Boundary != nil {
		all["boundary"] = together(authz.PolicySet{*p.Boundary})
	}
	if p.Session != nil {
		all["session"] = together(*p.Session)
	}
	return all
}

func together(set authz.PolicySet) *policy.Document {
	all := &policy.Document{Version: policy.Text{Value: policy.Version2012}}
	for _, p := range set {
		all.Statements = append(all.Statements, policy.ParseStored([]byte(p.Document), policy.Identity).Statements...)
	}
	return all
}

// exceeds returns a request that no layer of an identity keeps within a limit.
func exceeds(layers map[string]*policy.Document, limit *policy.Document) *compare.Check {
	var last compare.Check
	for _, d := range layers {
		if last = compare.NotWiderThan(d, limit); last.Answer == compare.Holds {
			return nil
		}
	}
	return &last
}

// hold checks that the team is within its limit, and everybody's credentials within
// their parents.
func (e *escalation) hold() {
	view, limit := e.store.View(), together(authz.PolicySet{{Document: teamLimit}})
	wrong := func(who string, c *compare.Check) {
		if c != nil {
			e.Fatalf("%s may do too much: %v %+v %s\nafter %s", who, c.Answer, c.Witness, c.Reason, strings.Join(e.asked, "\n"))
		}
	}
	bounded := func(who string, i *authz.Identity) {
		if name := cmp.Or(i.Principal.RoleARN, i.Principal.UserARN, i.Principal.ARN); !strings.Contains(string(name), "/chief") {
			wrong(who, exceeds(limits(i.Policies), limit))
		}
	}
	for u := range view.Users(account, "") {
		i, _ := authz.ResolveRef(view, u.Ref())
		bounded(string(u.ARN()), i)
	}
	for r := range view.Roles(account, "") {
		i, _ := authz.ResolveRef(view, r.Ref())
		bounded(string(r.ARN()), i)
	}
	children := map[iam.AccessKeyID]iam.Ref{}
	for s := range view.ServiceAccounts("") {
		children[s.Key] = iam.Ref{Account: s.Account, Kind: iam.KindUser, Name: s.Parent}
	}
	for s := range view.Sessions("") {
		children[s.Key] = s.Parent
	}
	for key, ref := range children {
		child, _ := authz.Resolve(view, key)
		parent, ok := authz.ResolveRef(view, ref)
		if !ok || child.Refused(iam.At(e.now())) != authz.NoFault {
			continue
		}
		for layer, most := range limits(parent.Policies) {
			wrong(fmt.Sprintf("%s of %s, by its %s,", key, ref.Name, layer), exceeds(limits(child.Policies), most))
		}
		bounded(string(key), child)
	}
}

// TestNobodyEndsWithMoreThanTheirMakerMayGrant has a team that may make users and roles
// within its own limit try everything else, in any order, with every credential that
// it gets hold of. Run it again with -rapid.seed as it says.
func TestNobodyEndsWithMoreThanTheirMakerMayGrant(t *testing.T) {
	checks(t, "60")
	done := 0
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		defer w.http.Close()
		w.must(w.root, "CreatePolicy", "PolicyName", "limit", "PolicyDocument", teamLimit)
		chief := w.user("chief", allow("*", "*"))
		w.roleFor("chiefs", home+"root", "", allow("*", "*"))
		w.must(w.root, "CreateUser", "UserName", "boss", "Path", "/team/", "PermissionsBoundary", limitARN)
		w.must(w.root, "PutUserPolicy", "UserName", "boss", "PolicyName", "p", "PolicyDocument", allow("*", "*"))
		e := &escalation{world: w, T: rt, actors: []actor{{"boss", w.key("boss"), false}, {"chief", chief, true}}}
		for range rapid.IntRange(1, 200).Draw(rt, "steps") {
			e.step()
		}
		e.hold()
		for _, line := range e.asked {
			if strings.Contains(line, ": 200") {
				done++
			}
		}
	})
	if done < 300 {
		t.Errorf("only %d calls did anything", done)
	}
}

// checks is how often a property is tried.
func checks(t *testing.T, n string) {
	before := flag.Lookup("rapid.checks").Value.String()
	flag.Set("rapid.checks", n)
	t.Cleanup(func() { flag.Set("rapid.checks", before) })
}
