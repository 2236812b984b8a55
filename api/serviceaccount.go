package api

import (
	"slices"

	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/iam"
)

// A service account is managed with the credentials of its own user and no
// others: not by an administrator, not by another service account, not with
// temporary credentials. Whoever else asks is told so, or, about an account that is
// not theirs, that there is none.

// parent is the user who may manage service accounts with this call.
func (c *call) parent() (*iam.User, error) {
	if !c.caller.own() {
		return nil, iam.Errorf(iam.AccessDenied,
			"Service accounts are managed with the access keys of their own user; %s is not such a key.", c.caller.arn)
	}
	return c.caller.User, nil
}

// forbidden refuses what an explicit Deny or a guard rail forbids. Managing one's
// own service accounts needs no permission: they can do no more than their user.
func (c *call) forbidden(permission string) error {
	if d := c.decide(permission, target{arn: c.caller.arn}, nil); d.Explicit {
		return c.denied(permission, d)
	}
	return nil
}

// ownServiceAccount finds the one that the call names among the caller's own.
func (c *call) ownServiceAccount(permission string) (*iam.ServiceAccount, error) {
	u, err := c.parent()
	if err != nil {
		return nil, err
	}
	if err := c.forbidden(permission); err != nil {
		return nil, err
	}
	id := iam.AccessKeyID(c.form["AccessKeyId"])
	s, ok := c.view.ServiceAccount(id)
	if !ok || s.Account != u.Account || iam.Fold(s.Parent) != iam.Fold(u.Name) {
		return nil, iam.Errorf(iam.NoSuchEntity, "You have no service account with the access key %s.", id)
	}
	return s, nil
}

type serviceAccountJSON struct {
	ID          iam.AccessKeyID `json:"access_key_id"`
	Secret      string          `json:"secret_access_key,omitempty"`
	Parent      string          `json:"parent"`
	Description string          `json:"description,omitempty"`
	Policy      string          `json:"policy,omitempty"`
	Status      string          `json:"status"`
	Created     string          `json:"created"`
	Expires     string          `json:"expires,omitempty"`
	Index       iam.Index       `json:"index"`
}

func (c *call) serviceAccountJSON(s *iam.ServiceAccount) serviceAccountJSON {
	x := serviceAccountJSON{
		ID: s.Key, Parent: s.Parent, Description: s.Description, Policy: s.Policy,
		Status: s.Status.String(), Created: s.Created.ISO(), Index: c.view.Index(),
	}
	if key, ok := c.view.AccessKey(s.Key); ok {
		x.Expires = c.keyJSON(key).Expires
	}
	return x
}

func createServiceAccount(c *call) (any, error) {
	u, err := c.parent()
	if err != nil {
		return nil, err
	}
	if err := c.forbidden("doorward:CreateServiceAccount"); err != nil {
		return nil, err
	}
	var in struct {
		Description string   `json:"description"`
		Policy      string   `json:"policy"`
		Expires     timeJSON `json:"expires"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := c.checkServiceAccount(in.Description, in.Policy); err != nil {
		return nil, err
	}
	if err := c.inFuture(in.Expires); err != nil {
		return nil, err
	}
	id := c.newKeyID(longTermPrefix)
	s := iam.ServiceAccount{
		Account: u.Account, Parent: u.Name, Key: id, Description: in.Description, Policy: in.Policy,
		Status: iam.Active, Created: c.now, Expires: iam.Time(in.Expires),
	}
	key, secret := iam.AccessKey{ID: id, Owner: s.Ref(), Status: iam.Active, Created: c.now, Expires: s.Expires}, c.newSecret()
	if err := c.seal(&key, secret); err != nil {
		return nil, err
	}
	if err := c.proposeSecret(iam.CreateServiceAccount{ServiceAccount: s, Key: key}); err != nil {
		return nil, err
	}
	x := c.serviceAccountJSON(&s)
	x.Secret = secret
	return x, nil
}

func (c *call) checkServiceAccount(text, document string) error {
	if err := check(description, text); err != nil {
		return err
	}
	if document == "" {
		return nil
	}
	return c.checkDocument(policy.Identity, document)
}

func listServiceAccounts(c *call) (any, error) {
	u, err := c.parent()
	if err != nil {
		return nil, err
	}
	if err := c.forbidden("doorward:ListServiceAccounts"); err != nil {
		return nil, err
	}
	own := slices.Collect(c.view.ServiceAccountsOf(u.Account, u.Name))
	shown, end, err := pagedSlice(c, own, func(s *iam.ServiceAccount) string { return string(s.Key) }, every)
	answer := struct {
		ServiceAccounts []serviceAccountJSON `json:"service_accounts"`
		Marker          string               `json:"marker,omitempty"`
		Index           iam.Index            `json:"index"`
	}{[]serviceAccountJSON{}, end.Marker, c.view.Index()}
	for _, s := range shown {
		answer.ServiceAccounts = append(answer.ServiceAccounts, c.serviceAccountJSON(s))
	}
	return answer, err
}

func getServiceAccount(c *call) (any, error) {
	s, err := c.ownServiceAccount("doorward:GetServiceAccount")
	if err != nil {
		return nil, err
	}
	return c.serviceAccountJSON(s), nil
}

func updateServiceAccount(c *call) (any, error) {
	s, err := c.ownServiceAccount("doorward:UpdateServiceAccount")
	if err != nil {
		return nil, err
	}
	var in struct {
		Description *string            `json:"description"`
		Policy      *string            `json:"policy"`
		Status      string             `json:"status"`
		Expires     nullable[timeJSON] `json:"expires"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	change := iam.UpdateServiceAccount{ServiceAccount: s.Ref(), SetExpires: in.Expires.given}
	if in.Description != nil {
		change.SetDescription, change.Description = true, *in.Description
	}
	if in.Policy != nil {
		change.SetPolicy, change.Policy = true, *in.Policy
	}
	if in.Status != "" {
		if err := check(status, in.Status); err != nil {
			return nil, err
		}
		change.Status = parseStatus(in.Status)
	}
	if in.Expires.value != nil {
		change.Expires = iam.Time(*in.Expires.value)
	}
	if err := c.checkServiceAccount(change.Description, change.Policy); err != nil {
		return nil, err
	}
	if err := c.propose(change); err != nil {
		return nil, err
	}
	return getServiceAccount(c)
}

// rotateServiceAccount gives a service account a new secret under the same access
// key id. Signatures with the old one fail from then on; where both have to work
// for a while, make a second service account.
func rotateServiceAccount(c *call) (any, error) {
	s, err := c.ownServiceAccount("doorward:UpdateServiceAccount")
	if err != nil {
		return nil, err
	}
	key, secret := iam.AccessKey{ID: s.Key}, c.newSecret()
	if err := c.seal(&key, secret); err != nil {
		return nil, err
	}
	if err := c.proposeSecret(iam.UpdateServiceAccount{ServiceAccount: s.Ref(), Secret: key.Secret}); err != nil {
		return nil, err
	}
	x := c.serviceAccountJSON(s)
	x.Secret = secret
	return x, nil
}

func deleteServiceAccount(c *call) (any, error) {
	s, err := c.ownServiceAccount("doorward:DeleteServiceAccount")
	if err != nil {
		return nil, err
	}
	return nil, c.propose(iam.DeleteServiceAccount{ServiceAccount: s.Ref()})
}
