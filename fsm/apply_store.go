package fsm

import "github.com/doorward/doorward/iam"

// maxBucketPolicy is the size of the largest bucket policy in bytes (S3 user guide,
// "Bucket policies").
const maxBucketPolicy = 20 << 10

// initialize is refused on a store that has been initialised: two inits must not
// make one history.
func (s *step) initialize(c iam.Initialize) *iam.Error {
	if id := s.view.Store().ClusterID; id != "" {
		return iam.Errorf(iam.EntityAlreadyExists, "The store is initialised already, as cluster %s.", id)
	}
	k := clone(&c.RootKey)
	k.Owner, k.Status = iam.Ref{Account: c.Account, Kind: iam.KindRoot}, orActive(k.Status)
	if err := first(
		checkLength("The cluster id", c.ClusterID, 1, maxName),
		checkAccount(c.Account),
		s.checkAccessKey(k),
		checkSettings(&c.Settings),
	); err != nil {
		return err
	}
	s.put(
		iam.Change{Store: &iam.Store{ClusterID: c.ClusterID, Account: c.Account, Created: s.now, Epoch: c.Epoch}},
		iam.Change{Settings: &c.Settings},
		iam.Change{AccessKey: k},
	)
	for i := range c.Policies {
		if err := s.builtin(&c.Policies[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *step) builtin(given *iam.Policy) *iam.Error {
	p := clone(given)
	p.Builtin = true
	if len(p.Versions) != 1 {
		return iam.Errorf(iam.InvalidInput, "Built-in policy %s has %d versions; it must have one.", p.Name, len(p.Versions))
	}
	p.Default, p.Next = p.Versions[0].Number, p.Versions[0].Number+1
	if err := first(checkPolicy(p), checkDocumentSize(p.Versions[0].Document, mostPolicySize)); err != nil {
		return err
	}
	s.put(iam.Change{Policy: p})
	return nil
}

func (s *step) putBucket(c iam.PutBucket) *iam.Error {
	b := clone(&c.Bucket)
	if err := first(
		checkLength("The bucket name", b.Name, 1, maxUserName),
		checkAccount(b.Account),
		checkLength("The bucket policy", b.Policy, 0, maxBucketPolicy),
	); err != nil {
		return err
	}
	s.put(iam.Change{Bucket: b})
	return nil
}

func (s *step) deleteBucket(c iam.DeleteBucket) *iam.Error {
	if _, ok := s.view.Bucket(c.Name); !ok {
		return iam.Errorf(iam.NoSuchEntity, "The store has no record of bucket %s.", c.Name)
	}
	s.delete(iam.TableBuckets, "", c.Name)
	return nil
}

func (s *step) putSettings(c iam.PutSettings) *iam.Error {
	if err := checkSettings(&c.Settings); err != nil {
		return err
	}
	s.put(iam.Change{Settings: &c.Settings})
	return nil
}

// checkSettings holds the ranges that package iam documents at each setting.
func checkSettings(c *iam.Settings) *iam.Error {
	for _, r := range []struct {
		name        string
		value, most uint32
	}{
		{"policy_size", c.PolicySize, mostPolicySize},
		{"keys_per_user", c.KeysPerUser, mostAttached},
		{"service_accounts", c.ServiceAccounts, maxChanges},
		{"attached_policies", c.AttachedPolicies, mostAttached},
		{"groups_per_user", c.GroupsPerUser, mostAttached},
		{"max_staleness", c.MaxStaleness, mostSession},
		{"min_session", c.MinSession, mostSession},
		{"max_session", c.MaxSession, mostSession},
	} {
		if r.value > r.most {
			return iam.Errorf(iam.ValidationError, "Setting %s is %d; %d is the most.", r.name, r.value, r.most)
		}
	}
	if least, most := iam.Or(c.MinSession, 900), iam.Or(c.MaxSession, mostSession); least > most {
		return iam.Errorf(iam.ValidationError, "Setting min_session is %d, which is more than max_session, %d.", least, most)
	}
	return checkGuardRails(c.GuardRails)
}

func checkGuardRails(levels [][]string) *iam.Error {
	total := 0
	for _, level := range levels {
		for _, document := range level {
			if err := checkDocumentSize(document, mostPolicySize); err != nil {
				return err
			}
			total += len(document)
		}
	}
	if total > maxDocuments {
		return iam.Errorf(iam.LimitExceeded, "The guard rails have %d bytes together; %d are the most.", total, maxDocuments)
	}
	return nil
}

// putGossip makes a step of a rotation.
func (s *step) putGossip(c iam.PutGossip) *iam.Error {
	was, now := s.view.Store().Gossip, c.Now
	if was != c.Was {
		return iam.Errorf(iam.ConcurrentModification, "The keys of the gossip were changed at the same moment. Try again.")
	}
	if now != was.Next() {
		return iam.Errorf(iam.InvalidInput, "From %+v to %+v is no step of a rotation of the gossip's keys.", was, now)
	}
	store := s.view.Store()
	store.Gossip = now
	s.put(iam.Change{Store: &store})
	return nil
}
