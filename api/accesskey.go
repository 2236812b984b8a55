package api

import (
	"fmt"
	"slices"

	"github.com/doorward/doorward/iam"
)

type accessKeyXML struct {
	UserName        string
	AccessKeyID     iam.AccessKeyID `xml:"AccessKeyId"`
	Status          string
	SecretAccessKey string `xml:",omitempty"`
	CreateDate      stamp
}

func describeKey(k *iam.AccessKey) accessKeyXML {
	return accessKeyXML{UserName: k.Owner.Name, AccessKeyID: k.ID, Status: k.Status.String(), CreateDate: stamp(k.Created)}
}

// sealed returns a fresh access key of an owner and its secret, which is in no
// other place than the answer.
func (c *call) newAccessKey(owner iam.Ref) (iam.AccessKey, string, error) {
	secret := c.newSecret()
	key := iam.AccessKey{ID: c.newKeyID(longTermPrefix), Owner: owner, Status: iam.Active, Created: c.now}
	err := c.seal(&key, secret)
	return key, secret, err
}

func (c *call) seal(key *iam.AccessKey, secret string) error {
	sealed, err := c.server.config.Secrets.SealSecret(key.ID, []byte(secret))
	if err != nil {
		return fmt.Errorf("seal the secret of %s: %w", key.ID, err)
	}
	key.Secret = sealed
	return nil
}

func createAccessKey(c *call) (any, error) {
	name, err := c.userOrCaller()
	if err != nil {
		return nil, err
	}
	u, err := c.user(name)
	if err != nil {
		return nil, err
	}
	key, secret, err := c.newAccessKey(u.Ref())
	if err != nil {
		return nil, err
	}
	if err := c.proposeSecret(iam.CreateAccessKey{Key: key}); err != nil {
		return nil, err
	}
	x := describeKey(&key)
	x.SecretAccessKey = secret
	return struct{ AccessKey accessKeyXML }{x}, nil
}

// proposeSecret proposes a command that carries a fresh secret. A retry makes
// another secret, so it must not pass for the same command.
func (c *call) proposeSecret(cmd iam.Command) error {
	c.token = ""
	return c.propose(cmd)
}

func listAccessKeys(c *call) (any, error) {
	name, err := c.userOrCaller()
	if err != nil {
		return nil, err
	}
	u, err := c.user(name)
	if err != nil {
		return nil, err
	}
	keys, end, err := pagedSlice(c, slices.Collect(c.view.KeysOf(u.Ref())),
		func(k *iam.AccessKey) string { return string(k.ID) }, every)
	return struct {
		AccessKeyMetadata listOf[accessKeyXML]
		page
	}{listing(keys, describeKey), end}, err
}

// ownKey finds the key that the call names among those of its user.
func (c *call) ownKey() (*iam.AccessKey, error) {
	name, err := c.userOrCaller()
	if err != nil {
		return nil, err
	}
	u, err := c.user(name)
	if err != nil {
		return nil, err
	}
	key, ok := c.view.AccessKey(iam.AccessKeyID(c.form["AccessKeyId"]))
	if !ok || key.Owner.Kind != iam.KindUser || key.Owner.Account != u.Account || iam.Fold(key.Owner.Name) != iam.Fold(u.Name) {
		return nil, noSuchKey(c.form["AccessKeyId"])
	}
	return key, nil
}

func noSuchKey(id string) error {
	return iam.Errorf(iam.NoSuchEntity, "The Access Key with id %s cannot be found", id)
}

func updateAccessKey(c *call) (any, error) {
	key, err := c.ownKey()
	if err != nil {
		return nil, err
	}
	return nil, c.propose(iam.UpdateAccessKey{Owner: key.Owner, Key: key.ID, Status: parseStatus(c.form["Status"])})
}

func parseStatus(s string) iam.Status {
	if s == iam.Active.String() {
		return iam.Active
	}
	return iam.Inactive
}

func deleteAccessKey(c *call) (any, error) {
	key, err := c.ownKey()
	if err != nil {
		return nil, err
	}
	return nil, c.propose(iam.DeleteAccessKey{Owner: key.Owner, Key: key.ID})
}

type lastUsedXML struct {
	LastUsedDate stamp `xml:",omitempty"`
	ServiceName  string
	Region       string
}

func describeUse(at iam.Time, region string) lastUsedXML {
	if at == 0 {
		return lastUsedXML{ServiceName: "N/A", Region: "N/A"}
	}
	return lastUsedXML{stamp(at), "s3", region}
}

func getAccessKeyLastUsed(c *call) (any, error) {
	key, ok := c.view.AccessKey(iam.AccessKeyID(c.form["AccessKeyId"]))
	if !ok || key.Owner.Account != c.caller.account {
		return nil, noSuchKey(c.form["AccessKeyId"])
	}
	return struct {
		UserName          string `xml:",omitempty"`
		AccessKeyLastUsed lastUsedXML
	}{key.Owner.Name, describeUse(key.LastUsed, c.server.config.Region)}, nil
}
