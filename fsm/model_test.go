package fsm

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/iam/wire"
)

// model is the store again, as naively as possible: maps from folded names, and
// the rules written down a second time. It predicts the code of every refusal and
// what exists afterwards, not every field.
type model struct {
	users    map[string]*modelUser
	groups   map[string]*modelHolder
	roles    map[string]*modelHolder
	policies map[string]*modelPolicy
	keys     map[iam.AccessKeyID]string // to the owner: "user/alice", "sa/K", "root/"
	accounts map[iam.AccessKeyID]string // service account to folded parent
	sessions map[iam.AccessKeyID]string // to the parent
}

type modelHolder struct {
	attached map[string]bool
	inline   map[string]bool
	boundary string
}

type modelUser struct {
	modelHolder
	groups   map[string]bool
	password iam.AccessKeyID
}

type modelPolicy struct {
	versions map[uint32]bool
	def      uint32
	next     uint32
	builtin  bool
}

func newModel() *model {
	return &model{
		users: map[string]*modelUser{}, groups: map[string]*modelHolder{}, roles: map[string]*modelHolder{},
		policies: map[string]*modelPolicy{"readonly": {map[uint32]bool{1: true}, 1, 2, true}},
		keys:     map[iam.AccessKeyID]string{"AKIAROOT": "root/"},
		accounts: map[iam.AccessKeyID]string{}, sessions: map[iam.AccessKeyID]string{},
	}
}

func newHolder() modelHolder {
	return modelHolder{attached: map[string]bool{}, inline: map[string]bool{}}
}

const ok iam.Code = ""

func policyName(arn iam.ARN) string { return strings.TrimPrefix(string(arn.Resource()), "policy/") }

func (m *model) holder(ref iam.Ref) *modelHolder {
	name := iam.Fold(ref.Name)
	switch ref.Kind {
	case iam.KindUser:
		if u := m.users[name]; u != nil {
			return &u.modelHolder
		}
	case iam.KindGroup:
		return m.groups[name]
	case iam.KindRole:
		return m.roles[name]
	}
	return nil
}

func (m *model) taken(id iam.AccessKeyID) bool { return m.keys[id] != "" || m.sessions[id] != "" }

func (m *model) generated(owner string) (n int) {
	for id, of := range m.keys {
		if of == owner && (!strings.HasPrefix(owner, "user/") || m.users[owner[5:]].password != id) {
			n++
		}
	}
	return n
}

func (m *model) end(parent string) {
	maps.DeleteFunc(m.sessions, func(_ iam.AccessKeyID, of string) bool { return of == parent })
}

func (m *model) attachedAnywhere(policy string) bool {
	all := slices.Concat(slices.Collect(maps.Values(m.groups)), slices.Collect(maps.Values(m.roles)))
	for _, u := range m.users {
		all = append(all, &u.modelHolder)
	}
	return slices.ContainsFunc(all, func(h *modelHolder) bool { return h.attached[policy] || h.boundary == policy })
}

func (m *model) do(c iam.Command) iam.Code {
	switch c := c.(type) {
	case iam.CreateUser:
		name := iam.Fold(c.User.Name)
		if m.users[name] != nil {
			return iam.EntityAlreadyExists
		}
		u := &modelUser{newHolder(), map[string]bool{}, ""}
		if c.Password != nil {
			u.password = iam.AccessKeyID(c.User.Name)
			if m.taken(u.password) {
				return iam.EntityAlreadyExists
			}
			m.keys[u.password] = "user/" + name
		}
		m.users[name] = u
	case iam.UpdateUser:
		return m.rename(c)
	case iam.DeleteUser:
		return m.deleteUser(iam.Fold(c.User.Name), c.Cascade)
	case iam.CreateGroup:
		return create(m.groups, c.Group.Name)
	case iam.CreateRole:
		return create(m.roles, c.Role.Name)
	case iam.DeleteGroup:
		name := iam.Fold(c.Group.Name)
		for _, u := range m.users {
			if m.groups[name] != nil && u.groups[name] {
				return iam.DeleteConflict
			}
		}
		return remove(m.groups, name)
	case iam.DeleteRole:
		code := remove(m.roles, iam.Fold(c.Role.Name))
		if code == ok {
			m.end("role/" + iam.Fold(c.Role.Name))
		}
		return code
	case iam.UpdateGroup:
		return m.renameGroup(iam.Fold(c.Group.Name), iam.Fold(c.NewName))
	case iam.AddUserToGroup:
		u, g := m.users[iam.Fold(c.User.Name)], m.groups[iam.Fold(c.Group.Name)]
		if u == nil || g == nil {
			return iam.NoSuchEntity
		}
		u.groups[iam.Fold(c.Group.Name)] = true
	case iam.RemoveUserFromGroup:
		u, g := m.users[iam.Fold(c.User.Name)], m.groups[iam.Fold(c.Group.Name)]
		if u == nil || g == nil {
			return iam.NoSuchEntity
		}
		delete(u.groups, iam.Fold(c.Group.Name))
	default:
		return m.doPolicy(c)
	}
	return ok
}

func (m *model) doPolicy(c iam.Command) iam.Code {
	switch c := c.(type) {
	case iam.CreatePolicy:
		name := iam.Fold(c.Policy.Name)
		if m.policies[name] != nil {
			return iam.EntityAlreadyExists
		}
		m.policies[name] = &modelPolicy{map[uint32]bool{1: true}, 1, 2, false}
	case iam.CreatePolicyVersion:
		p, code := m.own(c.Policy)
		if code != ok {
			return code
		}
		if len(p.versions) == 5 {
			return iam.LimitExceeded
		}
		p.versions[p.next] = true
		if c.MakeDefault {
			p.def = p.next
		}
		p.next++
	case iam.DeletePolicyVersion:
		p, code := m.own(c.Policy)
		switch {
		case code != ok:
			return code
		case !p.versions[c.Number]:
			return iam.NoSuchEntity
		case p.def == c.Number:
			return iam.DeleteConflict
		}
		delete(p.versions, c.Number)
	case iam.DeletePolicy:
		p, code := m.own(c.Policy)
		switch {
		case code != ok:
			return code
		case m.attachedAnywhere(policyName(c.Policy)), len(p.versions) > 1:
			return iam.DeleteConflict
		}
		delete(m.policies, policyName(c.Policy))
	case iam.AttachPolicy:
		h := m.holder(c.To)
		if h == nil || m.policies[policyName(c.Policy)] == nil && !h.attached[policyName(c.Policy)] {
			return iam.NoSuchEntity
		}
		h.attached[policyName(c.Policy)] = true
	case iam.DetachPolicy:
		h := m.holder(c.From)
		if h == nil || !h.attached[policyName(c.Policy)] {
			return iam.NoSuchEntity
		}
		delete(h.attached, policyName(c.Policy))
	case iam.SetBoundary:
		h := m.holder(c.On)
		switch {
		case h == nil, c.On.Kind != iam.KindGroup && c.Policy != "" && m.policies[policyName(c.Policy)] == nil:
			return iam.NoSuchEntity
		case c.On.Kind == iam.KindGroup:
			return iam.InvalidInput
		}
		h.boundary = policyName(c.Policy)
	case iam.PutInlinePolicy:
		h := m.holder(c.On)
		if h == nil {
			return iam.NoSuchEntity
		}
		h.inline[c.Policy.Name] = true
	case iam.DeleteInlinePolicy:
		h := m.holder(c.On)
		if h == nil || !h.inline[c.Name] {
			return iam.NoSuchEntity
		}
		delete(h.inline, c.Name)
	default:
		return m.doCredential(c)
	}
	return ok
}

func (m *model) own(arn iam.ARN) (*modelPolicy, iam.Code) {
	p := m.policies[policyName(arn)]
	if p == nil {
		return nil, iam.NoSuchEntity
	}
	if p.builtin {
		return nil, iam.UnmodifiableEntity
	}
	return p, ok
}

func (m *model) doCredential(c iam.Command) iam.Code {
	switch c := c.(type) {
	case iam.CreateAccessKey:
		return m.createKey(c.Key)
	case iam.DeleteAccessKey:
		if of := m.keys[c.Key]; of == "" || of != modelRef(c.Owner) || strings.HasPrefix(of, "sa/") {
			return iam.NoSuchEntity
		}
		m.drop(c.Key)
	case iam.CreateServiceAccount:
		parent := iam.Fold(c.ServiceAccount.Parent)
		if m.users[parent] == nil {
			return iam.NoSuchEntity
		}
		if m.taken(c.Key.ID) {
			return iam.EntityAlreadyExists
		}
		m.keys[c.Key.ID], m.accounts[c.Key.ID] = "sa/"+string(c.Key.ID), parent
	case iam.DeleteServiceAccount:
		id := iam.AccessKeyID(c.ServiceAccount.Name)
		if m.accounts[id] == "" {
			return iam.NoSuchEntity
		}
		m.dropAccount(id)
	case iam.CreateSession:
		parent := modelRef(c.Session.Parent)
		gone := strings.HasPrefix(parent, "user/") && m.users[parent[5:]] == nil ||
			strings.HasPrefix(parent, "role/") && m.roles[parent[5:]] == nil ||
			strings.HasPrefix(parent, "sa/") && m.accounts[iam.AccessKeyID(parent[3:])] == ""
		if gone {
			return iam.NoSuchEntity
		}
		if m.taken(c.Session.Key) {
			return iam.EntityAlreadyExists
		}
		m.sessions[c.Session.Key] = parent
	case iam.RevokeSessions:
		if c.Key == "" {
			m.end(modelRef(c.Parent))
		} else if m.sessions[c.Key] == "" {
			return iam.NoSuchEntity
		} else {
			delete(m.sessions, c.Key)
		}
	}
	return ok
}

func (m *model) createKey(k iam.AccessKey) iam.Code {
	owner := modelRef(k.Owner)
	id := k.ID
	if k.Owner.Kind == iam.KindUser {
		u := m.users[owner[5:]]
		if u == nil {
			return iam.NoSuchEntity
		}
		if k.Password {
			id = iam.AccessKeyID(k.Owner.Name) // the generator spells every name in one way
			if u.password != "" {
				return iam.EntityAlreadyExists
			}
		}
	}
	switch {
	case m.taken(id):
		return iam.EntityAlreadyExists
	case !k.Password && m.generated(owner) >= 2:
		return iam.LimitExceeded
	}
	m.keys[id] = owner
	if k.Password {
		m.users[owner[5:]].password = id
	}
	return ok
}

func modelRef(r iam.Ref) string {
	switch r.Kind {
	case iam.KindUser:
		return "user/" + iam.Fold(r.Name)
	case iam.KindRole:
		return "role/" + iam.Fold(r.Name)
	case iam.KindServiceAccount:
		return "sa/" + r.Name
	}
	return "root/"
}

func create(holders map[string]*modelHolder, name string) iam.Code {
	if holders[iam.Fold(name)] != nil {
		return iam.EntityAlreadyExists
	}
	h := newHolder()
	holders[iam.Fold(name)] = &h
	return ok
}

func remove(holders map[string]*modelHolder, name string) iam.Code {
	h := holders[name]
	if h == nil {
		return iam.NoSuchEntity
	}
	if len(h.attached)+len(h.inline) > 0 {
		return iam.DeleteConflict
	}
	delete(holders, name)
	return ok
}

func (m *model) drop(id iam.AccessKeyID) {
	if of := m.keys[id]; strings.HasPrefix(of, "user/") && m.users[of[5:]].password == id {
		m.users[of[5:]].password = ""
	}
	delete(m.keys, id)
}

func (m *model) dropAccount(id iam.AccessKeyID) {
	delete(m.accounts, id)
	delete(m.keys, id)
	m.end("sa/" + string(id))
}

func (m *model) rename(c iam.UpdateUser) iam.Code {
	from, to := iam.Fold(c.User.Name), iam.Fold(c.NewName)
	u := m.users[from]
	switch {
	case u == nil:
		return iam.NoSuchEntity
	case to == "" || to == from:
		return ok
	case m.users[to] != nil:
		return iam.EntityAlreadyExists
	case u.password != "" && m.taken(iam.AccessKeyID(c.NewName)):
		return iam.EntityAlreadyExists
	case (u.password != "") != (c.Password != nil):
		return iam.ConcurrentModification
	}
	if u.password != "" {
		delete(m.keys, u.password)
		u.password = iam.AccessKeyID(c.NewName)
		m.keys[u.password] = "user/" + from
	}
	delete(m.users, from)
	m.users[to] = u
	for _, table := range []map[iam.AccessKeyID]string{m.keys, m.sessions} {
		for id, of := range table {
			if of == "user/"+from {
				table[id] = "user/" + to
			}
		}
	}
	for id, of := range m.accounts {
		if of == from {
			m.accounts[id] = to
		}
	}
	return ok
}

func (m *model) renameGroup(from, to string) iam.Code {
	g := m.groups[from]
	switch {
	case g == nil:
		return iam.NoSuchEntity
	case to == from:
		return ok
	case m.groups[to] != nil:
		return iam.EntityAlreadyExists
	}
	delete(m.groups, from)
	m.groups[to] = g
	for _, u := range m.users {
		if u.groups[from] {
			delete(u.groups, from)
			u.groups[to] = true
		}
	}
	return ok
}

func (m *model) deleteUser(name string, cascade bool) iam.Code {
	u := m.users[name]
	if u == nil {
		return iam.NoSuchEntity
	}
	owned := len(u.attached) + len(u.inline) + len(u.groups)
	for _, of := range m.keys {
		if of == "user/"+name {
			owned++
		}
	}
	for _, of := range m.accounts {
		if of == name {
			owned++
		}
	}
	if owned > 0 && !cascade {
		return iam.DeleteConflict
	}
	for id, of := range maps.Clone(m.keys) {
		if of == "user/"+name {
			m.drop(id)
		}
	}
	for id, of := range maps.Clone(m.accounts) {
		if of == name {
			m.dropAccount(id)
		}
	}
	m.end("user/" + name)
	delete(m.users, name)
	return ok
}

// compare checks that the view holds what the model does.
func (m *model) compare(t *rapid.T, v *state.View) {
	var got, want []string
	for c := range v.All() {
		switch {
		case c.User != nil:
			got = append(got, fmt.Sprintf("user %s groups %v attached %v inline %v boundary %s", iam.Fold(c.User.Name),
				sortedFold(c.User.Groups), sortedNames(c.User.Attached), inlineNames(c.User.Inline), policyName(c.User.Boundary)))
		case c.Group != nil:
			got = append(got, fmt.Sprintf("group %s attached %v inline %v", iam.Fold(c.Group.Name), sortedNames(c.Group.Attached), inlineNames(c.Group.Inline)))
		case c.Role != nil:
			got = append(got, fmt.Sprintf("role %s attached %v inline %v boundary %s", iam.Fold(c.Role.Name), sortedNames(c.Role.Attached), inlineNames(c.Role.Inline), policyName(c.Role.Boundary)))
		case c.Policy != nil:
			got = append(got, fmt.Sprintf("policy %s default %d next %d versions %d", iam.Fold(c.Policy.Name), c.Policy.Default, c.Policy.Next, len(c.Policy.Versions)))
		case c.AccessKey != nil:
			got = append(got, fmt.Sprintf("key %s of %s password %v", c.AccessKey.ID, modelRef(c.AccessKey.Owner), c.AccessKey.Password))
		case c.ServiceAccount != nil:
			got = append(got, fmt.Sprintf("account %s of %s", c.ServiceAccount.Key, iam.Fold(c.ServiceAccount.Parent)))
		case c.Session != nil:
			got = append(got, fmt.Sprintf("session %s of %s", c.Session.Key, modelRef(c.Session.Parent)))
		}
	}
	for name, u := range m.users {
		want = append(want, fmt.Sprintf("user %s groups %v attached %v inline %v boundary %s", name, sortedKeys(u.groups), sortedKeys(u.attached), sortedKeys(u.inline), u.boundary))
	}
	for name, g := range m.groups {
		want = append(want, fmt.Sprintf("group %s attached %v inline %v", name, sortedKeys(g.attached), sortedKeys(g.inline)))
	}
	for name, r := range m.roles {
		want = append(want, fmt.Sprintf("role %s attached %v inline %v boundary %s", name, sortedKeys(r.attached), sortedKeys(r.inline), r.boundary))
	}
	for name, p := range m.policies {
		want = append(want, fmt.Sprintf("policy %s default %d next %d versions %d", name, p.def, p.next, len(p.versions)))
	}
	for id, of := range m.keys {
		password := strings.HasPrefix(of, "user/") && m.users[of[5:]].password == id
		want = append(want, fmt.Sprintf("key %s of %s password %v", id, of, password))
	}
	for id, of := range m.accounts {
		want = append(want, fmt.Sprintf("account %s of %s", id, of))
	}
	for id, of := range m.sessions {
		want = append(want, fmt.Sprintf("session %s of %s", id, of))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("view:\n%s\nmodel:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func sortedKeys(m map[string]bool) []string { return slices.Sorted(maps.Keys(m)) }

func sortedFold(names []string) []string {
	var out []string
	for _, n := range names {
		out = append(out, iam.Fold(n))
	}
	slices.Sort(out)
	return out
}

func sortedNames(arns []iam.ARN) []string {
	var out []string
	for _, arn := range arns {
		out = append(out, policyName(arn))
	}
	slices.Sort(out)
	return out
}

func inlineNames(policies []iam.InlinePolicy) []string {
	var out []string
	for _, p := range policies {
		out = append(out, p.Name)
	}
	return out
}

// anyCommand draws a command over few names, so that commands meet.
func anyCommand(t *rapid.T) iam.Command {
	userName := rapid.SampledFrom([]string{"Alice", "bob", "AKIA1"}).Draw(t, "user")
	group := rapid.SampledFrom([]string{"Ops", "audit"}).Draw(t, "group")
	role := rapid.SampledFrom([]string{"Reader", "writer"}).Draw(t, "role")
	arn := iam.ARN("arn:aws:iam::000000000000:policy/" + rapid.SampledFrom([]string{"p", "q", "readonly"}).Draw(t, "policy"))
	id := iam.AccessKeyID(rapid.SampledFrom([]string{"AKIA1", "AKIA2", "AKIA3", "bob"}).Draw(t, "id"))
	sessionID := iam.AccessKeyID(rapid.SampledFrom([]string{"ASIA1", "ASIA2", "AKIA1"}).Draw(t, "session"))
	yes := rapid.Bool().Draw(t, "yes")
	number := rapid.Uint32Range(1, 6).Draw(t, "number")
	ref := func(kind iam.Kind, name string) iam.Ref {
		return iam.Ref{Account: iam.FirstAccount, Kind: kind, Name: name}
	}
	user := ref(iam.KindUser, userName)
	holder := rapid.SampledFrom([]iam.Ref{user, ref(iam.KindGroup, group), ref(iam.KindRole, role)}).Draw(t, "holder")
	parent := rapid.SampledFrom([]iam.Ref{user, ref(iam.KindRole, role), ref(iam.KindServiceAccount, string(id)), ref(iam.KindRoot, "")}).Draw(t, "parent")
	sealed := iam.Sealed("sealed")
	password := func() *iam.AccessKey {
		if yes {
			return &iam.AccessKey{Secret: sealed}
		}
		return nil
	}
	switch rapid.IntRange(0, 27).Draw(t, "command") {
	case 0, 1:
		return iam.CreateUser{User: iam.User{Account: iam.FirstAccount, Name: userName, Path: "/", ID: "AIDA"}, Password: password()}
	case 2:
		c := iam.UpdateUser{User: user, NewName: rapid.SampledFrom([]string{"Alice", "bob", "AKIA1", ""}).Draw(t, "new")}
		if yes {
			c.Password = sealed
		}
		return c
	case 3:
		return iam.DeleteUser{User: user, Cascade: yes}
	case 4, 5:
		return iam.CreateGroup{Group: iam.Group{Account: iam.FirstAccount, Name: group, Path: "/", ID: "AGPA"}}
	case 6:
		return iam.UpdateGroup{Group: ref(iam.KindGroup, group), NewName: rapid.SampledFrom([]string{"Ops", "audit", "third"}).Draw(t, "new")}
	case 7:
		return iam.DeleteGroup{Group: ref(iam.KindGroup, group)}
	case 8, 9:
		return iam.AddUserToGroup{User: user, Group: ref(iam.KindGroup, group)}
	case 10:
		return iam.RemoveUserFromGroup{User: user, Group: ref(iam.KindGroup, group)}
	case 11:
		return iam.CreateRole{Role: iam.Role{Account: iam.FirstAccount, Name: role, Path: "/", ID: "AROA", Trust: "{}"}}
	case 12:
		return iam.DeleteRole{Role: ref(iam.KindRole, role)}
	case 13:
		return iam.CreatePolicy{Policy: iam.Policy{Account: iam.FirstAccount, Name: policyName(arn), Path: "/", ID: "ANPA", Versions: []iam.PolicyVersion{{Document: "{}"}}}}
	case 14:
		return iam.CreatePolicyVersion{Policy: arn, Document: "{v}", MakeDefault: yes}
	case 15:
		return iam.DeletePolicyVersion{Policy: arn, Number: number}
	case 16:
		return iam.DeletePolicy{Policy: arn}
	case 17:
		return iam.AttachPolicy{To: holder, Policy: arn}
	case 18:
		return iam.DetachPolicy{From: holder, Policy: arn}
	case 19:
		if yes {
			arn = ""
		}
		return iam.SetBoundary{On: holder, Policy: arn}
	case 20:
		return iam.PutInlinePolicy{On: holder, Policy: iam.InlinePolicy{Name: "inline", Document: "{}"}}
	case 21:
		return iam.DeleteInlinePolicy{On: holder, Name: "inline"}
	case 22:
		return iam.CreateAccessKey{Key: iam.AccessKey{ID: id, Secret: sealed, Owner: user, Password: yes}}
	case 23:
		return iam.DeleteAccessKey{Owner: rapid.SampledFrom([]iam.Ref{user, ref(iam.KindServiceAccount, string(id))}).Draw(t, "owner"), Key: id}
	case 24:
		return iam.CreateServiceAccount{ServiceAccount: iam.ServiceAccount{Account: iam.FirstAccount, Parent: userName}, Key: iam.AccessKey{ID: id, Secret: sealed}}
	case 25:
		return iam.DeleteServiceAccount{ServiceAccount: ref(iam.KindServiceAccount, string(id))}
	case 26:
		return iam.CreateSession{Session: iam.Session{Key: sessionID, Secret: sealed, Parent: parent, ParentID: parentID(parent), Issued: 1, Expires: 2}}
	default:
		if yes {
			return iam.RevokeSessions{Parent: parent, IssuedBefore: 9}
		}
		return iam.RevokeSessions{Key: sessionID}
	}
}

func parentID(parent iam.Ref) iam.UniqueID {
	return map[iam.Kind]iam.UniqueID{
		iam.KindUser: "AIDA", iam.KindRole: "AROA", iam.KindServiceAccount: "AIDA", iam.KindRoot: iam.UniqueID(iam.FirstAccount),
	}[parent.Kind]
}

// anyLog draws a log: entries of a few commands each, some of them repeated
// requests, with clocks that disagree.
func anyLog(t *rapid.T) ([]Entry, [][]iam.Command) {
	all := [][]iam.Command{{birth}}
	for range rapid.IntRange(1, 60).Draw(t, "entries") {
		all = append(all, rapid.SliceOfN(rapid.Custom(anyCommand), 1, 3).Draw(t, "commands"))
	}
	var log []Entry
	index := iam.Index(0)
	for i, commands := range all {
		index += iam.Index(rapid.IntRange(1, 3).Draw(t, "gap")) // configuration entries lie between
		entry := Entry{Index: index}
		for n, c := range commands {
			e := iam.Envelope{Command: c, Actor: "arn:a", Time: 1_700_000_000_000 + iam.Time(rapid.IntRange(-1_000_000, 1_000_000).Draw(t, "clock"))}
			e.Request = [16]byte{1, byte(i), byte(n)}
			b, err := wire.AppendEntry(nil, e)
			if err != nil {
				t.Fatal(err)
			}
			entry.Commands = append(entry.Commands, b)
		}
		log = append(log, entry)
	}
	return log, all
}

func applyAll(t *rapid.T, m *Machine, log []Entry) []Applied {
	applied, err := m.Apply(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range applied {
		if len(a.Alarms) > 0 {
			t.Fatal(a.Alarms)
		}
	}
	return applied
}

func TestMachineAgreesWithANaiveModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log, commands := anyLog(t)
		machine, model := New(), newModel()
		applyAll(t, machine, log[:1])
		for i, entry := range log[1:] {
			applied := applyAll(t, machine, []Entry{entry})
			for n, c := range commands[i+1] {
				want, got := model.do(c), ok
				if err := applied[0].Results[n].Err; err != nil {
					got = err.Code
				}
				if got != want {
					t.Fatalf("%T %+v: %q, the model says %q", c, c, got, want)
				}
			}
			model.compare(t, machine.View())
		}
	})
}

// TestReplayIsDeterministic replays one log in two machines that cut it into
// different batches, and one that is restored from a snapshot in the middle.
func TestReplayIsDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log, _ := anyLog(t)
		one, two := New(), New()
		whole := applyAll(t, one, log)
		for rest := log; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "batch")
			applyAll(t, two, rest[:n])
			rest = rest[n:]
		}
		same(t, "another batching", one, two)

		cut := rapid.IntRange(0, len(log)).Draw(t, "cut")
		early := New()
		applyAll(t, early, log[:cut])
		restored := New()
		if err := restored.Restore(bytes.NewReader(written(t, early)), state.InTurn); err != nil {
			t.Fatal(err)
		}
		same(t, "a restored machine", early, restored)
		late := applyAll(t, restored, log[cut:])
		same(t, "replay after a restore", one, restored)
		for i, a := range late {
			if a.Sum != whole[cut+i].Sum {
				t.Fatalf("entry %d: sum %v after a restore, %v without", a.Index, a.Sum, whole[cut+i].Sum)
			}
		}
	})
}

// TestFollowersOfChangesAgree builds a view from the changes alone, without
// secrets, as a sidecar does.
func TestFollowersOfChangesAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log, _ := anyLog(t)
		machine, follower := New(), state.Empty()
		for _, entry := range log {
			a := applyAll(t, machine, []Entry{entry})[0]
			if follower.Index() != a.Prev {
				t.Fatalf("follower is at %d, the entry at %d follows %d", follower.Index(), a.Index, a.Prev)
			}
			follower = follower.Apply(a.Index, wire.Public(a.Changes))
			if follower.Sum() != a.Sum || a.Sum != machine.View().Sum() || follower.SecretSum() != (state.Sum{}) {
				t.Fatalf("entry %d: follower %v, announced %v, machine %v", a.Index, follower.Sum(), a.Sum, machine.View().Sum())
			}
		}
	})
}

func same(t *rapid.T, what string, a, b *Machine) {
	if a.Sum() != b.Sum() || a.Time() != b.Time() {
		t.Fatalf("%s: sum %v at %v, want %v at %v", what, b.Sum(), b.Time(), a.Sum(), a.Time())
	}
	if !bytes.Equal(written(t, a), written(t, b)) {
		t.Fatalf("%s: snapshots differ", what)
	}
}

func written(t *rapid.T, m *Machine) []byte {
	var b bytes.Buffer
	if err := m.Snapshot().Write(&b, 1); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
