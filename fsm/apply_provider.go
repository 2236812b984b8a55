package fsm

import (
	"slices"

	"github.com/doorward/doorward/iam"
)

// Quotas of the IAM user guide for OpenID Connect identity providers.
const (
	maxProviders   = 100
	maxClients     = 100
	maxThumbprints = 5
	maxProviderURL = 255
)

func (s *step) createProvider(c iam.CreateProvider) *iam.Error {
	p := clone(&c.Provider)
	p.Created = s.now
	if err := first(
		checkAccount(p.Account),
		checkLength("The provider URL", p.URL, 1, maxProviderURL),
		checkProvider(p),
	); err != nil {
		return err
	}
	if _, ok := s.view.Provider(p.Account, p.URL); ok {
		return iam.Errorf(iam.EntityAlreadyExists, "Provider with url https://%s already exists.", p.URL)
	}
	n := 0
	for range s.view.Providers(p.Account, "") {
		n++
	}
	if n >= maxProviders {
		return tooMany("OpenIDConnectProvidersPerAccount", maxProviders)
	}
	s.put(iam.Change{Provider: p})
	return nil
}

func checkProvider(p *iam.Provider) *iam.Error {
	if len(p.ClientIDs) > maxClients {
		return tooMany("ClientIdsPerOpenIdConnectProvider", maxClients)
	}
	if len(p.Thumbprints) > maxThumbprints {
		return iam.Errorf(iam.InvalidInput, "Thumbprint list must contain fewer than %d entries.", maxThumbprints)
	}
	for _, id := range p.ClientIDs {
		if err := checkLength("The client id", id, 1, maxProviderURL); err != nil {
			return err
		}
	}
	for _, thumbprint := range p.Thumbprints {
		if err := checkLength("The thumbprint", thumbprint, 1, maxName); err != nil {
			return err
		}
	}
	return checkTagsBy(exactly, p.Tags)
}

func (s *step) provider(ref iam.Ref) (*iam.Provider, *iam.Error) {
	if err := wantKind(ref, iam.KindProvider); err != nil {
		return nil, err
	}
	p, ok := s.view.Provider(ref.Account, ref.Name)
	if !ok {
		return nil, iam.Errorf(iam.NoSuchEntity, "The OpenID Connect provider https://%s cannot be found.", ref.Name)
	}
	return p, nil
}

func (s *step) updateProvider(c iam.UpdateProvider) *iam.Error {
	old, err := s.provider(c.Provider)
	if err != nil {
		return err
	}
	p := clone(old)
	if c.AddClient != "" && !slices.Contains(p.ClientIDs, c.AddClient) {
		p.ClientIDs = with(p.ClientIDs, c.AddClient)
	}
	if c.RemoveClient != "" {
		p.ClientIDs = without(p.ClientIDs, func(id string) bool { return id == c.RemoveClient })
	}
	if c.SetThumbprints {
		p.Thumbprints = c.Thumbprints
	}
	if err := checkProvider(p); err != nil {
		return err
	}
	if slices.Equal(p.ClientIDs, old.ClientIDs) && slices.Equal(p.Thumbprints, old.Thumbprints) {
		return nil
	}
	s.put(iam.Change{Provider: p})
	return nil
}

func (s *step) deleteProvider(c iam.DeleteProvider) *iam.Error {
	p, err := s.provider(c.Provider)
	if err != nil {
		return err
	}
	s.delete(iam.TableProviders, p.Account, p.URL)
	return nil
}

// setAccountAlias holds CreateAccountAlias: one alias to an account, the newest.
func (s *step) setAccountAlias(c iam.SetAccountAlias) *iam.Error {
	store := s.view.Store()
	if c.Account != store.Account {
		return iam.Errorf(iam.NoSuchEntity, "The account %s cannot be found.", c.Account)
	}
	if err := checkLength("The alias", c.Alias, 0, 63); err != nil || store.Alias == c.Alias {
		return err
	}
	store.Alias = c.Alias
	s.put(iam.Change{Store: &store})
	return nil
}
