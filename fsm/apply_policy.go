package fsm

import (
	"slices"

	"github.com/doorward/doorward/iam"
)

// createPolicy numbers the first version, whatever the command says: v1, in force.
func (s *step) createPolicy(c iam.CreatePolicy) *iam.Error {
	p := clone(&c.Policy)
	if _, exists := s.view.PolicyNamed(p.Account, p.Name); exists {
		return iam.Errorf(iam.EntityAlreadyExists, "A policy called %s already exists. Duplicate names are not allowed, whatever the path and case.", p.Name)
	}
	if p.Builtin || len(p.Versions) != 1 {
		return iam.Errorf(iam.InvalidInput, "A new policy has one version and is not built in; this one has %d.", len(p.Versions))
	}
	if err := first(checkPolicy(p), s.checkDocument(p.Versions[0].Document)); err != nil {
		return err
	}
	p.Versions = []iam.PolicyVersion{{Number: 1, Document: p.Versions[0].Document, Created: p.Versions[0].Created}}
	p.Default, p.Next = 1, 2
	s.put(iam.Change{Policy: p})
	return nil
}

func checkPolicy(p *iam.Policy) *iam.Error {
	return first(
		checkEntity(p.Account, p.Name, maxName, p.Path, p.ID),
		checkLength("The description", p.Description, 0, maxDescription),
		checkTags(p.Tags),
	)
}

// deletePolicy holds DeletePolicy of the IAM API: detach the policy everywhere,
// delete all versions but the default, then the policy.
func (s *step) deletePolicy(c iam.DeletePolicy) *iam.Error {
	p, err := s.ownPolicy(c.Policy)
	if err != nil {
		return err
	}
	for ref := range s.view.AttachedTo(c.Policy) {
		return iam.Errorf(iam.DeleteConflict, "Cannot delete policy %s: it is attached to %s %s. Detach it first.", c.Policy, ref.Kind, ref.Name)
	}
	for ref := range s.view.BoundaryOf(c.Policy) {
		return iam.Errorf(iam.DeleteConflict, "Cannot delete policy %s: it is the permissions boundary of %s %s. Remove the boundary first.", c.Policy, ref.Kind, ref.Name)
	}
	if len(p.Versions) > 1 {
		return iam.Errorf(iam.DeleteConflict, "Cannot delete policy %s: it has %d versions. Delete all but the default first.", c.Policy, len(p.Versions))
	}
	s.delete(iam.TablePolicies, p.Account, p.Name)
	return nil
}

// createPolicyVersion holds CreatePolicyVersion of the IAM API: five versions at
// most, numbers never used again, in force only if asked for.
func (s *step) createPolicyVersion(c iam.CreatePolicyVersion) *iam.Error {
	old, err := s.ownPolicy(c.Policy)
	if err != nil {
		return err
	}
	if len(old.Versions) >= maxVersions {
		return iam.Errorf(iam.LimitExceeded, "Policy %s has %d versions, the most that there may be. Delete one that is not the default first.", c.Policy, maxVersions)
	}
	if err := s.checkDocument(c.Document); err != nil {
		return err
	}
	p := clone(old)
	p.Versions = with(old.Versions, iam.PolicyVersion{Number: old.Next, Document: c.Document, Created: c.Created})
	p.Next++
	p.Updated = max(old.Updated, c.Created)
	if c.MakeDefault {
		p.Default = old.Next
	}
	s.put(iam.Change{Policy: p})
	return nil
}

func (s *step) deletePolicyVersion(c iam.DeletePolicyVersion) *iam.Error {
	old, err := s.policyVersion(c.Policy, c.Number)
	if err != nil {
		return err
	}
	if c.Number == old.Default {
		return iam.Errorf(iam.DeleteConflict, "Cannot delete version v%d of policy %s: it is the default version. Set another as default first.", c.Number, c.Policy)
	}
	p := clone(old)
	p.Versions = without(old.Versions, func(v iam.PolicyVersion) bool { return v.Number == c.Number })
	s.put(iam.Change{Policy: p})
	return nil
}

func (s *step) setDefaultPolicyVersion(c iam.SetDefaultPolicyVersion) *iam.Error {
	old, err := s.policyVersion(c.Policy, c.Number)
	if err != nil || c.Number == old.Default {
		return err
	}
	p := clone(old)
	p.Default, p.Updated = c.Number, max(old.Updated, s.now)
	s.put(iam.Change{Policy: p})
	return nil
}

func (s *step) policyVersion(arn iam.ARN, number uint32) (*iam.Policy, *iam.Error) {
	p, err := s.ownPolicy(arn)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(p.Versions, func(v iam.PolicyVersion) bool { return v.Number == number }) {
		return nil, iam.Errorf(iam.NoSuchEntity, "Policy %s version v%d does not exist.", arn, number)
	}
	return p, nil
}
