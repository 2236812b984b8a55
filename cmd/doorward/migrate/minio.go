package migrate

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward/api/portable"
	"github.com/doorward/doorward/authz/policy"
)

// maxAsset bounds one file of an archive once it is unpacked, in bytes.
const maxAsset = 64 << 20

// minio is the content of an archive of `mc admin cluster iam export`.
type minio struct {
	policies      map[string]json.RawMessage
	users         map[string]minioUser
	groups        map[string]minioGroup
	accounts      map[string]minioAccount
	userPolicies  map[string]minioMapping
	groupPolicies map[string]minioMapping
	stsUsers      map[string]minioMapping
	stsGroups     map[string]minioMapping
}

type minioUser struct{ SecretKey, Status string }

type minioGroup struct {
	Status  string
	Members []string
}

type minioMapping struct{ Policy string }

type minioAccount struct {
	Parent, AccessKey, SecretKey string
	Groups                       []string
	Claims                       map[string]any
	SessionPolicy                json.RawMessage
	Status, Name, Description    string
	Expiration                   time.Time
}

// MinIO reads an archive that `mc admin cluster iam export` has written. The error
// says what about the archive as a whole was wrong.
func MinIO(archive []byte) (*Result, error) {
	zipped, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return nil, fmt.Errorf("not an archive of `mc admin cluster iam export`: %w", err)
	}
	var in minio
	found := 0
	for name, into := range map[string]any{
		"policies": &in.policies, "users": &in.users, "groups": &in.groups, "svcaccts": &in.accounts,
		"user_mappings": &in.userPolicies, "group_mappings": &in.groupPolicies,
		"stsuser_mappings": &in.stsUsers, "stsgroup_mappings": &in.stsGroups,
	} {
		there, err := readAsset(zipped, "iam-assets/"+name+".json", into)
		if err != nil {
			return nil, err
		}
		if there {
			found++
		}
	}
	if found == 0 {
		return nil, errors.New("not an archive of `mc admin cluster iam export`: it has no iam-assets")
	}
	return in.convert(), nil
}

func readAsset(z *zip.Reader, name string, into any) (bool, error) {
	f, err := z.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", name, err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxAsset+1))
	if err == nil && len(content) > maxAsset {
		err = fmt.Errorf("it has more than %d bytes", maxAsset)
	}
	if err == nil {
		err = json.Unmarshal(content, into)
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", name, withoutValues(err))
	}
	return true, nil
}

// withoutValues keeps what a file holds out of the error: it may be a secret.
func withoutValues(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("a field %s is not what it should be, at byte %d", wrong.Field, wrong.Offset)
	}
	return err
}

// conversion is an archive on its way into a document.
type conversion struct {
	minio
	Result
	named map[string]string // policies that are imported, and under which name
	group map[string]bool   // groups that are imported
	user  map[string]bool
}

func (in minio) convert() *Result {
	c := &conversion{minio: in, named: map[string]string{}, group: map[string]bool{}, user: map[string]bool{}}
	c.Document.Format = portable.Format
	c.convertPolicies()
	c.convertGroups()
	c.convertUsers()
	c.convertAccounts()
	c.reportFederated()
	return &c.Result
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// convertPolicies takes over the policies. One that is named as a built-in policy
// of ours and says something else gets another name.
func (c *conversion) convertPolicies() {
	used := c.usedPolicies()
	for _, name := range sorted(c.policies) {
		document, notes, err := minioPolicy(c.policies[name])
		switch {
		case err != nil:
			c.unsupported("policy", name, "%v", err)
			continue
		case document == "" && !used[name]:
			continue // MinIO's own administrative policies, which nobody has
		case document == "":
			c.named[name] = ""
			c.note("policy", name, "it only allows what is MinIO's alone, so nothing is left of it")
			continue
		}
		c.named[name] = name
		if b, ok := builtin(name); ok {
			if !used[name] {
				continue
			}
			if !says(b.Document, document) {
				c.named[name] = "minio-" + name
				c.note("policy", c.named[name], "%s is built in here with another text, so MinIO's gets this name", name)
			}
		}
		for _, n := range notes {
			c.note("policy", c.named[name], "%s", n)
		}
		if _, ok := builtin(c.named[name]); !ok {
			c.Document.Policies = append(c.Document.Policies, portable.Policy{Name: c.named[name], Document: document, Description: "from MinIO"})
		}
	}
}

func builtin(name string) (policy.Builtin, bool) {
	for _, b := range policy.Builtins {
		if strings.EqualFold(b.Name, name) {
			return b, true
		}
	}
	return policy.Builtin{}, false
}

func says(a, b string) bool {
	x, errX := policy.Parse([]byte(a), policy.Identity)
	y, errY := policy.Parse([]byte(b), policy.Identity)
	return errX == nil && errY == nil && string(policy.Print(x)) == string(policy.Print(y))
}

func (c *conversion) usedPolicies() map[string]bool {
	used := map[string]bool{}
	for _, mappings := range []map[string]minioMapping{c.userPolicies, c.groupPolicies} {
		for _, m := range mappings {
			for _, name := range m.list() {
				used[name] = true
			}
		}
	}
	return used
}

func (m minioMapping) list() (names []string) {
	for name := range strings.SplitSeq(m.Policy, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// attached returns our names of mapped policies, or which one is not imported. What
// MinIO does not know either grants and denies nothing there.
func (c *conversion) attached(kind, name string, m minioMapping) (names []string, missing string) {
	for _, p := range m.list() {
		if _, exists := c.policies[p]; !exists {
			c.note(kind, name, "it is mapped to policy %s, which does not exist", p)
			continue
		}
		ours, imported := c.named[p]
		if !imported {
			return nil, p
		}
		if ours != "" && !slices.Contains(names, ours) {
			names = append(names, ours)
		}
	}
	return names, ""
}

// disabledGroup is the policy that a disabled group gets beside its own. MinIO denies
// the members of such a group everything, whatever else they may.
var disabledGroup = portable.Policy{
	Name:        "minio-disabled-group",
	Document:    `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}`,
	Description: "denies what a group that is disabled in MinIO denies",
}

func (c *conversion) convertGroups() {
	denied := false
	for _, name := range sorted(c.groups) {
		names, missing := c.attached("group", name, c.groupPolicies[name])
		disabled := c.groups[name].Status == "disabled"
		_, taken := c.policies[disabledGroup.Name]
		switch {
		case missing != "":
			c.unsupported("group", name, "its policy %s is not imported", missing)
			continue
		case disabled && taken:
			c.unsupported("group", name, "it is disabled, which takes a policy %s here, and MinIO has another of that name", disabledGroup.Name)
			continue
		case disabled:
			c.note("group", name, "it is disabled, so policy %s denies its members everything, as MinIO does", disabledGroup.Name)
			names, denied = append(names, disabledGroup.Name), true
		}
		c.group[name] = true
		c.Document.Groups = append(c.Document.Groups, portable.Group{Name: name, Policies: names})
		for _, member := range c.groups[name].Members {
			if _, ok := c.users[member]; !ok {
				c.note("group", name, "its member %s is no user of MinIO itself and is left out", member)
			}
		}
	}
	if denied {
		c.Document.Policies = append(c.Document.Policies, disabledGroup)
	}
	for _, name := range sorted(c.groupPolicies) {
		if _, ok := c.groups[name]; !ok && !isDN(name) {
			c.note("group", name, "it has policies and no members: nothing to import")
		}
	}
}

func isDN(name string) bool { return strings.Contains(name, "=") && strings.Contains(name, ",") }

func (c *conversion) convertUsers() {
	for _, name := range sorted(c.users) {
		u := portable.User{Name: name, Secret: c.users[name].SecretKey, Disabled: c.users[name].Status == "disabled"}
		var missing string
		if u.Policies, missing = c.attached("user", name, c.userPolicies[name]); missing != "" {
			c.unsupported("user", name, "its policy %s is not imported", missing)
			continue
		}
		if u.Groups, missing = c.groupsOf(name); missing != "" {
			c.unsupported("user", name, "its group %s is not imported", missing)
			continue
		}
		c.user[name] = true
		c.Document.Users = append(c.Document.Users, u)
	}
}

func (c *conversion) groupsOf(user string) (names []string, missing string) {
	for _, name := range sorted(c.groups) {
		if !slices.Contains(c.groups[name].Members, user) {
			continue
		}
		if !c.group[name] {
			return nil, name
		}
		names = append(names, name)
	}
	return names, ""
}

func (c *conversion) convertAccounts() {
	for _, id := range sorted(c.accounts) {
		in := c.accounts[id]
		out := portable.ServiceAccount{
			ID: id, Secret: in.SecretKey, Parent: in.Parent, Disabled: in.Status == "off",
			Description: strings.TrimSpace(strings.Join([]string{in.Name, in.Description}, " ")),
		}
		_, known := c.users[in.Parent]
		switch {
		case !known && isDN(in.Parent):
			c.unsupported("service account", id, "its user %s comes from LDAP: make one for the user who takes its place", in.Parent)
			continue
		case !known:
			c.unsupported("service account", id, "its user %s is not in the archive: MinIO's root, or a user of an identity provider", in.Parent)
			continue
		case !c.user[in.Parent]:
			c.unsupported("service account", id, "its user %s is not imported", in.Parent)
			continue
		}
		if in.Expiration.Unix() > 0 {
			out.Expires = in.Expiration.UTC().Format(time.RFC3339)
		}
		if narrowed(in) {
			document, notes, err := minioPolicy(in.SessionPolicy)
			if err != nil || document == "" {
				c.unsupported("service account", id, "its own policy cannot be taken over: %v", cmp.Or(err, errNothing))
				continue
			}
			for _, n := range notes {
				c.note("service account", id, "%s", n)
			}
			out.Policy = document
		}
		c.Document.ServiceAccounts = append(c.Document.ServiceAccounts, out)
	}
}

var errNothing = errors.New("nothing of it is about S3")

// narrowed reports whether a service account has a policy of its own. One that says
// it has must not pass for one without.
func narrowed(in minioAccount) bool {
	text := bytes.TrimSpace(in.SessionPolicy)
	return len(text) > 0 && !bytes.Equal(text, []byte("null")) || in.Claims["sa-policy"] == "embedded-policy"
}

// reportFederated says what becomes of mappings for users whom MinIO knows only by
// their sessions.
func (c *conversion) reportFederated() {
	for kind, mappings := range map[string]map[string]minioMapping{"LDAP or OpenID user": c.stsUsers, "LDAP group": c.stsGroups} {
		for _, name := range sorted(mappings) {
			c.unsupported(kind, name, "mapped to %s: LDAP mappings are settings of the server here, see docs/federation.md", mappings[name].Policy)
		}
	}
	for _, name := range sorted(c.groupPolicies) {
		if isDN(name) {
			c.unsupported("LDAP group", name, "mapped to %s: LDAP mappings are settings of the server here, see docs/federation.md", c.groupPolicies[name].Policy)
		}
	}
	slices.SortStableFunc(c.Findings, func(a, b Finding) int { return cmp.Compare(order[a.Kind], order[b.Kind]) })
}

var order = map[string]int{"policy": 1, "group": 2, "role": 3, "user": 4, "service account": 5, "LDAP group": 6, "LDAP or OpenID user": 7}
