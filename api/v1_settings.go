package api

import (
	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/iam"
)

// settingsJSON shows the settings with their defaults filled in. The names are
// those of the documentation and stay as they are.
type settingsJSON struct {
	PolicySize       uint32     `json:"policy_size"`
	KeysPerUser      uint32     `json:"keys_per_user"`
	ServiceAccounts  uint32     `json:"service_accounts"`
	AttachedPolicies uint32     `json:"attached_policies"`
	GroupsPerUser    uint32     `json:"groups_per_user"`
	MaxStaleness     uint32     `json:"max_staleness"`
	MinSession       uint32     `json:"min_session"`
	MaxSession       uint32     `json:"max_session"`
	SelfAssume       bool       `json:"self_assume"`
	KeyMaxAge        uint32     `json:"key_max_age"`
	GuardRails       [][]string `json:"guard_rails"`
}

func describeSettings(s iam.Settings) settingsJSON {
	return settingsJSON{
		PolicySize: iam.Or(s.PolicySize, defaultPolicySize), KeysPerUser: iam.Or(s.KeysPerUser, 2),
		ServiceAccounts: iam.Or(s.ServiceAccounts, 100), AttachedPolicies: iam.Or(s.AttachedPolicies, 10),
		GroupsPerUser: iam.Or(s.GroupsPerUser, 10), MaxStaleness: iam.Or(s.MaxStaleness, 900),
		MinSession: iam.Or(s.MinSession, minSession), MaxSession: iam.Or(s.MaxSession, maxSelfSession),
		SelfAssume: !s.NoSelfAssume, KeyMaxAge: s.KeyMaxAge, GuardRails: s.GuardRails,
	}
}

func getSettings(c *call) (any, error) { return c.settingsAnswer(), nil }

func (c *call) settingsAnswer() any {
	return struct {
		settingsJSON
		Index iam.Index `json:"index"`
	}{describeSettings(c.view.Settings()), c.view.Index()}
}

// updateSettings changes what the body names and leaves the rest.
func updateSettings(c *call) (any, error) {
	wanted := describeSettings(c.view.Settings())
	if err := c.decode(&wanted); err != nil {
		return nil, err
	}
	if err := wanted.check(); err != nil {
		return nil, err
	}
	err := c.propose(iam.PutSettings{Settings: iam.Settings{
		PolicySize: wanted.PolicySize, KeysPerUser: wanted.KeysPerUser, ServiceAccounts: wanted.ServiceAccounts,
		AttachedPolicies: wanted.AttachedPolicies, GroupsPerUser: wanted.GroupsPerUser, MaxStaleness: wanted.MaxStaleness,
		MinSession: wanted.MinSession, MaxSession: wanted.MaxSession,
		NoSelfAssume: !wanted.SelfAssume, KeyMaxAge: wanted.KeyMaxAge, GuardRails: wanted.GuardRails,
	}})
	if err != nil {
		return nil, err
	}
	return c.settingsAnswer(), nil
}

func (s settingsJSON) check() error {
	for _, bound := range []struct {
		name             string
		value, min, most uint32
	}{
		{"policy_size", s.PolicySize, 256, 20480},
		{"keys_per_user", s.KeysPerUser, 1, 100},
		{"service_accounts", s.ServiceAccounts, 1, 10000},
		{"attached_policies", s.AttachedPolicies, 1, 100},
		{"groups_per_user", s.GroupsPerUser, 1, 100},
		{"max_staleness", s.MaxStaleness, 1, 604800},
		{"min_session", s.MinSession, 1, maxSelfSession},
		{"max_session", s.MaxSession, s.MinSession, maxSelfSession},
		{"key_max_age", s.KeyMaxAge, 0, 10 * 365 * 24 * 3600},
	} {
		if bound.value < bound.min || bound.value > bound.most {
			return iam.Errorf(iam.ValidationError, "The setting %s is %d; it must be between %d and %d.", bound.name, bound.value, bound.min, bound.most)
		}
	}
	for _, level := range s.GuardRails {
		for _, document := range level {
			if err := malformed(policy.ServiceControl, document); err != nil {
				return err
			}
		}
	}
	return nil
}

// getStatus tells any caller which store answers and where it stands.
func getStatus(c *call) (any, error) {
	store := c.view.Store()
	return struct {
		ClusterID string        `json:"cluster_id"`
		Account   iam.AccountID `json:"account"`
		Created   string        `json:"created"`
		Index     iam.Index     `json:"index"`
	}{store.ClusterID, store.Account, store.Created.ISO(), c.view.Index()}, nil
}
