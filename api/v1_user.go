package api

import (
	"strings"
	"unicode"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/iam"
)

type posixJSON struct {
	UID uint32 `json:"uid"`
	GID uint32 `json:"gid"`
}

func (p *posixJSON) iam() *iam.POSIX {
	if p == nil {
		return nil
	}
	return &iam.POSIX{UID: p.UID, GID: p.GID}
}

type tagJSON struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type userJSON struct {
	Name     string     `json:"name"`
	ARN      iam.ARN    `json:"arn"`
	ID       string     `json:"id"`
	Path     string     `json:"path"`
	Created  string     `json:"created"`
	Status   string     `json:"status"`
	POSIX    *posixJSON `json:"posix,omitempty"`
	Tags     []tagJSON  `json:"tags,omitempty"`
	Groups   []string   `json:"groups,omitempty"`
	Boundary iam.ARN    `json:"permissions_boundary,omitempty"`
	// SecretKey says whether the user has the name-and-password form of a key.
	SecretKey bool      `json:"secret_key"`
	Index     iam.Index `json:"index"`
}

func (c *call) userJSON(name string) (any, error) {
	u, err := c.user(name)
	if err != nil {
		return nil, err
	}
	x := userJSON{
		Name: u.Name, ARN: u.ARN(), ID: string(u.ID), Path: u.Path, Created: u.Created.ISO(), Status: u.Status.String(),
		Groups: u.Groups, Boundary: u.Boundary, SecretKey: c.password(u) != nil, Index: c.view.Index(),
	}
	if u.POSIX != nil {
		x.POSIX = &posixJSON{u.POSIX.UID, u.POSIX.GID}
	}
	for _, t := range u.Tags {
		x.Tags = append(x.Tags, tagJSON(t))
	}
	return x, nil
}

// password is the name-and-password key of a user, nil if there is none.
func (c *call) password(u *iam.User) *iam.AccessKey {
	for key := range c.view.KeysOf(u.Ref()) {
		if key.Password {
			return key
		}
	}
	return nil
}

// v1CreateUser creates a user with POSIX ids and, if a secret is given, its
// name-and-password key in the same step. The secret needs the permission to
// create access keys as well, and is not in the answer.
func v1CreateUser(c *call) (any, error) {
	var in struct {
		Name      string     `json:"name"`
		Path      string     `json:"path"`
		SecretKey string     `json:"secret_key"`
		POSIX     *posixJSON `json:"posix"`
		Tags      []tagJSON  `json:"tags"`
		Boundary  string     `json:"permissions_boundary"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	c.fill(map[string]string{"UserName": in.Name, "Path": in.Path, "PermissionsBoundary": in.Boundary}, in.Tags)
	if err := validate(c.form, []param{newUserName.required(), path, boundaryARN, tags}); err != nil {
		return nil, err
	}
	needed := []string{"iam:CreateUser"}
	if in.SecretKey != "" {
		needed = append(needed, "iam:CreateAccessKey")
	}
	for _, permission := range needed {
		if err := c.need(permission, newUser(c)[0]); err != nil {
			return nil, err
		}
	}
	u, err := c.newUser()
	if err != nil {
		return nil, err
	}
	u.POSIX = in.POSIX.iam()
	cmd := iam.CreateUser{User: u}
	if in.SecretKey != "" {
		if cmd.Password, err = c.newPassword(u.Ref(), in.SecretKey); err != nil {
			return nil, err
		}
	}
	if err := c.propose(cmd); err != nil {
		return nil, err
	}
	return c.userJSON(u.Name)
}

// fill puts the fields of a JSON body where the checks and condition keys of the
// Query API look for them.
func (c *call) fill(fields map[string]string, tags []tagJSON) {
	for name, value := range fields {
		if value != "" {
			c.form[name] = value
		}
	}
	for i, t := range tags {
		c.form[listName("Tags", i, "Key")] = t.Key
		c.form[listName("Tags", i, "Value")] = t.Value
	}
}

// newPassword is the name-and-password form of a key.
func (c *call) newPassword(owner iam.Ref, secret string) (*iam.AccessKey, error) {
	if err := checkPassword(owner.Name, secret); err != nil {
		return nil, err
	}
	if strings.HasPrefix(owner.Name, sessionPrefix) {
		return nil, iam.Errorf(iam.ValidationError, "A name that begins with %s cannot be an access key: S3 servers take such for sessions.", sessionPrefix)
	}
	key := &iam.AccessKey{ID: iam.AccessKeyID(owner.Name), Owner: owner, Status: iam.Active, Created: c.now, Password: true}
	return key, c.seal(key, secret)
}

// The bounds of a secret that a user chooses, in characters.
const (
	minPassword = 8
	maxPassword = 128
)

// checkPassword asks for eight characters with an upper-case letter, a lower-case
// letter, and a digit or another character.
func checkPassword(name, secret string) error {
	var upper, lower, other bool
	length := 0
	for _, r := range secret {
		length++
		switch {
		case unicode.IsUpper(r):
			upper = true
		case unicode.IsLower(r):
			lower = true
		default:
			other = true
		}
		if unicode.IsControl(r) {
			return iam.Errorf(iam.ValidationError, "The secret key contains a control character.")
		}
	}
	switch {
	case length < minPassword || length > maxPassword:
		return iam.Errorf(iam.ValidationError, "The secret key has %d characters; it must have %d to %d.", length, minPassword, maxPassword)
	case !upper || !lower || !other:
		return iam.Errorf(iam.ValidationError,
			"The secret key is too simple: it must have an upper-case letter, a lower-case letter, and a digit or special character.")
	case strings.EqualFold(name, secret):
		return iam.Errorf(iam.ValidationError, "The secret key must differ from the user's name.")
	}
	return nil
}

func v1GetUser(c *call) (any, error) { return c.userJSON(c.form["UserName"]) }

func v1UpdateUser(c *call) (any, error) {
	var in struct {
		NewName string              `json:"new_name"`
		NewPath string              `json:"new_path"`
		Status  string              `json:"status"`
		POSIX   nullable[posixJSON] `json:"posix"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	c.fill(map[string]string{"NewUserName": in.NewName, "NewPath": in.NewPath, "Status": in.Status}, nil)
	if err := validate(c.form, []param{userName.required(), newUserName.called("NewUserName"), path.called("NewPath"), status}); err != nil {
		return nil, err
	}
	for _, t := range movedUser(c) {
		if err := c.need("iam:UpdateUser", t); err != nil {
			return nil, err
		}
	}
	u, err := c.user(c.form["UserName"])
	if err != nil {
		return nil, err
	}
	change := iam.UpdateUser{User: u.Ref(), NewName: in.NewName, NewPath: in.NewPath, SetPOSIX: in.POSIX.given, POSIX: in.POSIX.value.iam()}
	if change.Password, err = c.renamedPassword(u, in.NewName); err != nil {
		return nil, err
	}
	if in.Status != "" {
		change.Status = parseStatus(in.Status)
	}
	if err := c.propose(change); err != nil {
		return nil, err
	}
	if in.NewName != "" {
		return c.userJSON(in.NewName)
	}
	return c.userJSON(u.Name)
}

// status is Status where it may be left out.
var status = param{name: "Status", enum: []string{"Active", "Inactive"}}

func v1DeleteUser(c *call) (any, error) {
	if _, err := c.user(c.form["UserName"]); err != nil {
		return nil, err
	}
	return nil, c.propose(iam.DeleteUser{User: c.ref(iam.KindUser), Cascade: c.form["cascade"] == "true"})
}

// v1SetSecretKey sets the secret of the name-and-password form, and makes it if
// the user has none.
func v1SetSecretKey(c *call) (any, error) {
	var in struct {
		SecretKey string `json:"secret_key"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	u, err := c.user(c.form["UserName"])
	if err != nil {
		return nil, err
	}
	key, err := c.newPassword(u.Ref(), in.SecretKey)
	if err != nil {
		return nil, err
	}
	if old := c.password(u); old != nil {
		if err := c.seal(key, in.SecretKey); err != nil {
			return nil, err
		}
		return nil, c.proposeSecret(iam.UpdateAccessKey{Owner: old.Owner, Key: old.ID, Secret: key.Secret})
	}
	return nil, c.proposeSecret(iam.CreateAccessKey{Key: *key})
}

func v1DeleteSecretKey(c *call) (any, error) {
	u, err := c.user(c.form["UserName"])
	if err != nil {
		return nil, err
	}
	key := c.password(u)
	if key == nil {
		return nil, iam.Errorf(iam.NoSuchEntity, "The user %s has no secret key of its own name.", u.Name)
	}
	return nil, c.propose(iam.DeleteAccessKey{Owner: key.Owner, Key: key.ID})
}

type keyJSON struct {
	User    string          `json:"user,omitempty"`
	ID      iam.AccessKeyID `json:"access_key_id"`
	Secret  string          `json:"secret_access_key,omitempty"`
	Status  string          `json:"status"`
	Created string          `json:"created"`
	Expires string          `json:"expires,omitempty"`
	// LastUsed is the day of its last request to an S3 server, as the sidecars have told.
	LastUsed string    `json:"last_used,omitempty"`
	Index    iam.Index `json:"index"`
}

func (c *call) keyJSON(k *iam.AccessKey) keyJSON {
	x := keyJSON{User: k.Owner.Name, ID: k.ID, Status: k.Status.String(), Created: k.Created.ISO(), Index: c.view.Index()}
	if ends := authz.KeyExpires(k, c.view.Settings()); ends != 0 {
		x.Expires = ends.ISO()
	}
	if k.LastUsed != 0 {
		x.LastUsed = k.LastUsed.ISO()
	}
	return x
}

// v1ListAccessKeys lists a user's keys with what the IAM API does not tell: when each
// ends.
func v1ListAccessKeys(c *call) (any, error) {
	u, err := c.user(c.form["UserName"])
	if err != nil {
		return nil, err
	}
	answer := struct {
		Keys  []keyJSON `json:"access_keys"`
		Index iam.Index `json:"index"`
	}{[]keyJSON{}, c.view.Index()}
	for k := range c.view.KeysOf(u.Ref()) {
		answer.Keys = append(answer.Keys, c.keyJSON(k))
	}
	return answer, nil
}

// v1ImportAccessKey creates an access key with an expiry, or takes over one that
// exists elsewhere with its id and secret. Only a secret made here is answered.
func v1ImportAccessKey(c *call) (any, error) {
	var in struct {
		ID      string   `json:"access_key_id"`
		Secret  string   `json:"secret_access_key"`
		Expires timeJSON `json:"expires"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	u, err := c.user(c.form["UserName"])
	if err != nil {
		return nil, err
	}
	if err := c.inFuture(in.Expires); err != nil {
		return nil, err
	}
	key, secret, err := c.newAccessKey(u.Ref())
	if err != nil {
		return nil, err
	}
	if in.ID != "" || in.Secret != "" {
		if key.ID, err = importedID(in.ID, in.Secret); err != nil {
			return nil, err
		}
		if err := c.seal(&key, in.Secret); err != nil {
			return nil, err
		}
		secret = ""
	}
	key.Expires = iam.Time(in.Expires)
	if err := c.proposeSecret(iam.CreateAccessKey{Key: key}); err != nil {
		return nil, err
	}
	x := c.keyJSON(&key)
	x.Secret = secret
	return x, nil
}

// importedID checks an id and secret from elsewhere. Ids that look like those of
// sessions are refused: S3 servers take the prefix for one.
func importedID(id, secret string) (iam.AccessKeyID, error) {
	switch {
	case len(id) < 3 || len(id) > 128 || !only("")(id) || strings.HasPrefix(id, sessionPrefix):
		return "", iam.Errorf(iam.ValidationError, "The access key id must have 3 to 128 word characters and not begin with %s.", sessionPrefix)
	case len(secret) < minPassword || len(secret) > maxPassword || !printable(secret, '~'):
		return "", iam.Errorf(iam.ValidationError, "The secret access key must have %d to %d printable ASCII characters.", minPassword, maxPassword)
	}
	return iam.AccessKeyID(id), nil
}

func v1UpdateAccessKey(c *call) (any, error) {
	var in struct {
		Status  string             `json:"status"`
		Expires nullable[timeJSON] `json:"expires"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	key, err := c.ownKey()
	if err != nil {
		return nil, err
	}
	change := iam.UpdateAccessKey{Owner: key.Owner, Key: key.ID, SetExpires: in.Expires.given}
	if in.Expires.value != nil {
		change.Expires = iam.Time(*in.Expires.value)
	}
	if in.Status != "" {
		if err := check(status, in.Status); err != nil {
			return nil, err
		}
		change.Status = parseStatus(in.Status)
	}
	if err := c.propose(change); err != nil {
		return nil, err
	}
	key, err = c.ownKey()
	if err != nil {
		return nil, err
	}
	return c.keyJSON(key), nil
}
