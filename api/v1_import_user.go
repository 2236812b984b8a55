package api

import (
	"crypto/subtle"
	"strings"

	"github.com/doorward/doorward/api/portable"
	"github.com/doorward/doorward/iam"
)

func (w *wish) user(u portable.User) {
	c := w.i.call
	arns := w.policiesNamed(u.Policies)
	var boundary iam.ARN
	if u.Boundary != "" {
		boundary = w.policyNamed(u.Boundary)
	}
	if !w.check(check(newUserName.required(), u.Name), check(path, orRoot(u.Path)), checkTagSet(u.Tags)) || !w.checkInline(u.Inline) {
		return
	}
	var posix *iam.POSIX
	if u.POSIX != nil {
		posix = &iam.POSIX{UID: u.POSIX.UID, GID: u.POSIX.GID}
	}
	old, exists := c.view.User(c.caller.account, u.Name)
	if !exists {
		w.item.Action = portable.Create
		made := iam.User{
			Account: c.caller.account, Name: u.Name, Path: orRoot(u.Path), ID: c.newUniqueID("AIDA"), Created: c.now, Status: importedStatus(u.Disabled),
			Tags: tagsOf(u.Tags), POSIX: posix, Groups: u.Groups, Attached: arns, Boundary: boundary,
		}
		made.Inline = w.born("User", target{arn: made.ARN(), tags: made.Tags, boundary: boundary}, u.Tags, arns, u.Inline)
		for _, group := range u.Groups {
			w.joins(group)
		}
		w.do("", iam.CreateUser{User: made})
		w.secrets(&made, u)
		return
	}
	e := entityOfUser(old)
	if old.Status != importedStatus(u.Disabled) || posix != nil && (old.POSIX == nil || *old.POSIX != *posix) {
		w.need("iam:UpdateUser", targetOf(e), nil)
		w.do("status and POSIX ids", iam.UpdateUser{User: e.ref, Status: importedStatus(u.Disabled), SetPOSIX: posix != nil, POSIX: posix})
	}
	for _, group := range u.Groups {
		if !containsFold(old.Groups, group) {
			w.joins(group)
			w.do("into group "+group, iam.AddUserToGroup{User: e.ref, Group: iam.Ref{Account: e.ref.Account, Kind: iam.KindGroup, Name: group}})
		}
	}
	w.bounded("User", e, boundary)
	w.tagged("User", e, u.Tags)
	w.holding("User", e, arns, u.Inline)
	w.secrets(old, u)
	w.updated()
}

func containsFold(list []string, name string) bool {
	for _, other := range list {
		if iam.Fold(other) == iam.Fold(name) {
			return true
		}
	}
	return false
}

// joins asks for the permission to add somebody to a group.
func (w *wish) joins(name string) {
	g, ok := w.i.view.Group(w.i.caller.account, name)
	if !ok {
		w.check(iam.Errorf(iam.NoSuchEntity, "The group %s does not exist.", name))
		return
	}
	w.need("iam:AddUserToGroup", targetOf(entityOfGroup(g)), nil)
}

func importedStatus(disabled bool) iam.Status {
	if disabled {
		return iam.Inactive
	}
	return iam.Active
}

// secrets takes over the secrets of a user. They come from a system that accepted
// them, so they need not be as strong as those chosen here, but it is said.
func (w *wish) secrets(u *iam.User, wanted portable.User) {
	at := targetOf(entityOfUser(u))
	if wanted.Secret != "" {
		switch _, err := importedID(wanted.Name, wanted.Secret); {
		case len(wanted.Secret) < minPassword || len(wanted.Secret) > maxPassword || !printable(wanted.Secret, '~'):
			w.check(err)
		case strings.HasPrefix(wanted.Name, sessionPrefix):
			w.check(iam.Errorf(iam.ValidationError, "A name that begins with %s cannot be an access key: S3 servers take such for sessions.", sessionPrefix))
		case checkPassword(wanted.Name, wanted.Secret) != nil:
			w.note("its secret is weaker than what may be chosen here: change it soon")
		}
		w.key(at, &iam.AccessKey{ID: iam.AccessKeyID(u.Name), Owner: u.Ref(), Status: iam.Active, Created: w.i.now, Password: true}, wanted.Secret)
	}
	for _, k := range wanted.Keys {
		if k.Secret == "" {
			if _, exists := w.i.view.AccessKey(iam.AccessKeyID(k.ID)); !exists {
				w.note("access key " + k.ID + " has no secret here and is left out")
			}
			continue
		}
		if _, err := importedID(k.ID, k.Secret); w.check(err) {
			w.key(at, &iam.AccessKey{ID: iam.AccessKeyID(k.ID), Owner: u.Ref(), Status: importedStatus(k.Disabled), Created: w.i.now}, k.Secret)
		}
	}
}

// key makes a key, or gives one that exists the wanted secret and status.
func (w *wish) key(at target, key *iam.AccessKey, secret string) {
	if !w.check(w.i.seal(key, secret)) {
		return
	}
	old, exists := w.i.view.AccessKey(key.ID)
	switch {
	case !exists:
		w.need("iam:CreateAccessKey", at, nil)
		w.do("with access key "+string(key.ID), iam.CreateAccessKey{Key: *key})
	case iam.Fold(old.Owner.Name) != iam.Fold(key.Owner.Name) || old.Owner.Kind != key.Owner.Kind || old.Owner.Account != key.Owner.Account:
		w.check(iam.Errorf(iam.EntityAlreadyExists, "Access key %s belongs to somebody else.", key.ID))
	case !w.i.hasSecret(old, secret):
		w.need("iam:CreateAccessKey", at, nil)
		w.do("another secret of access key "+string(key.ID), iam.UpdateAccessKey{Owner: old.Owner, Key: old.ID, Secret: key.Secret, Status: key.Status})
	case old.Status != key.Status:
		w.need("iam:UpdateAccessKey", at, nil)
		w.do("status of access key "+string(key.ID), iam.UpdateAccessKey{Owner: old.Owner, Key: old.ID, Status: key.Status})
	}
}

// hasSecret compares a key's secret; one that does not open is another.
func (c *call) hasSecret(key *iam.AccessKey, secret string) bool {
	plain, err := c.server.config.Secrets.OpenSecret(key.ID, key.Secret)
	return err == nil && subtle.ConstantTimeCompare(plain, []byte(secret)) == 1
}

// serviceAccount makes a service account for its user. One that exists is its
// user's to change.
func (w *wish) serviceAccount(s portable.ServiceAccount) {
	c := w.i.call
	id, err := importedID(s.ID, s.Secret)
	expires, late := expiry(s.Expires)
	if expires != 0 && expires <= c.now {
		late = iam.Errorf(iam.ValidationError, "It expired at %s.", s.Expires)
	}
	if !w.check(err, late, c.checkServiceAccount(s.Description, s.Policy)) {
		return
	}
	u, ok := c.view.User(c.caller.account, s.Parent)
	if !ok {
		w.check(iam.Errorf(iam.NoSuchEntity, "Its user %s does not exist.", s.Parent))
		return
	}
	if old, exists := c.view.ServiceAccount(id); exists {
		key, _ := c.view.AccessKey(id)
		if iam.Fold(old.Parent) != iam.Fold(u.Name) || key == nil || !c.hasSecret(key, s.Secret) {
			w.check(iam.Errorf(iam.EntityAlreadyExists, "A service account with this access key exists already; only its user may change it."))
		}
		return
	}
	w.item.Action = portable.Create
	made := iam.ServiceAccount{
		Account: u.Account, Parent: u.Name, Key: id, Description: s.Description, Policy: s.Policy,
		Status: importedStatus(s.Disabled), Created: c.now, Expires: expires,
	}
	key := iam.AccessKey{ID: id, Owner: made.Ref(), Status: iam.Active, Created: c.now, Expires: expires}
	if !w.check(c.seal(&key, s.Secret)) || !w.need("doorward:CreateServiceAccount", targetOf(entityOfUser(u)), nil) {
		return
	}
	w.do("of user "+u.Name, iam.CreateServiceAccount{ServiceAccount: made, Key: key})
}
