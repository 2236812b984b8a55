package fsm

import (
	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/iam"
)

// Limits that hold whoever proposes, so that no record outgrows a snapshot frame
// and no command holds the log up. Lengths are in bytes. The AWS ones are those of
// the IAM user guide, "IAM and AWS STS quotas".
const (
	maxUserName    = 64 // and role names
	maxName        = 128
	maxPath        = 512
	maxDescription = 1000
	maxKeyID       = 128
	maxTags        = 50
	maxTagKey      = 128
	maxTagValue    = 256
	maxVersions    = 5
	maxSealed      = 1024

	// maxDocument bounds a document as it is stored, white space included.
	maxDocument = 64 << 10
	// maxDocuments bounds the inline policies of one entity, or the guard rails,
	// together and white space included.
	maxDocuments = 256 << 10

	// maxChanges bounds the records that one command may change: some ten
	// milliseconds of work. A bulk command stops there and says how far it got;
	// a rename that would go further is refused.
	maxChanges = 10_000
)

// Defaults of the settings that are zero; package iam documents them.
const (
	defaultPolicySize       = 2048
	defaultKeysPerUser      = 2
	defaultServiceAccounts  = 100
	defaultAttachedPolicies = 10
	defaultGroupsPerUser    = 10

	mostPolicySize = 20_480
	mostAttached   = 1000 // the most that a setting may allow of attachments, groups and keys
	mostSession    = 7 * 24 * 3600
)

// tooMany words LimitExceeded as AWS does.
func tooMany(quota string, limit uint32) *iam.Error {
	return iam.Errorf(iam.LimitExceeded, "Cannot exceed quota for %s: %d", quota, limit)
}

func checkLength(what, s string, least, most int) *iam.Error {
	if len(s) < least || len(s) > most {
		return iam.Errorf(iam.ValidationError, "%s has %d characters; %d to %d are allowed.", what, len(s), least, most)
	}
	return nil
}

// first returns the first refusal, nil if there is none.
func first(errs ...*iam.Error) *iam.Error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func checkAccount(a iam.AccountID) *iam.Error {
	if !a.Valid() {
		return iam.Errorf(iam.ValidationError, "Account %q is not twelve digits.", string(a))
	}
	return nil
}

// checkEntity checks what users, groups, roles and policies have in common.
func checkEntity(account iam.AccountID, name string, longest int, path string, id iam.UniqueID) *iam.Error {
	return first(
		checkAccount(account),
		checkLength("The name", name, 1, longest),
		checkLength("The path", path, 0, maxPath),
		checkLength("The unique id", string(id), 1, maxName),
	)
}

// checkTags holds "Tags" of the IAM user guide: at most 50 on an entity, keys
// unique ignoring case.
func checkTags(tags []iam.Tag) *iam.Error { return checkTagsBy(iam.Fold, tags) }

// exactly compares the tag keys of providers, which keep their case apart (IAM user
// guide, "Tags for IAM resources": only those of users and roles do not).
func exactly(key string) string { return key }

func checkTagsBy(form func(key string) string, tags []iam.Tag) *iam.Error {
	if len(tags) > maxTags {
		return iam.Errorf(iam.LimitExceeded, "The number of tags has reached the maximum limit.")
	}
	seen := make(map[string]bool, len(tags))
	for _, t := range tags {
		if err := first(checkLength("A tag key", t.Key, 1, maxTagKey), checkLength("A tag value", t.Value, 0, maxTagValue)); err != nil {
			return err
		}
		if seen[form(t.Key)] {
			return iam.Errorf(iam.InvalidInput, "Tag key %s is given twice.", t.Key)
		}
		seen[form(t.Key)] = true
	}
	return nil
}

// checkDocument holds the size limit of the settings, which counts without white
// space as AWS does.
func (s *step) checkDocument(document string) *iam.Error {
	limit := iam.Or(s.view.Settings().PolicySize, defaultPolicySize)
	return checkDocumentSize(document, int(limit))
}

func checkDocumentSize(document string, limit int) *iam.Error {
	if document == "" {
		return iam.Errorf(iam.MalformedPolicyDocument, "The policy document is empty.")
	}
	if len(document) > maxDocument {
		return iam.Errorf(iam.LimitExceeded, "The policy document has %d bytes with its white space; %d are the most.", len(document), maxDocument)
	}
	if n := policy.Size([]byte(document)); n > limit {
		return iam.Errorf(iam.LimitExceeded, "Cannot exceed quota for PolicySize: %d. The policy document has %d characters, white space aside.", limit, n)
	}
	return nil
}

func (s *step) checkInline(policies []iam.InlinePolicy) *iam.Error {
	total := 0
	for i, p := range policies {
		if err := first(checkLength("The policy name", p.Name, 1, maxName), s.checkDocument(p.Document)); err != nil {
			return err
		}
		if i > 0 && policies[i-1].Name >= p.Name {
			return iam.Errorf(iam.InvalidInput, "Inline policy %s is given twice.", p.Name)
		}
		total += len(p.Name) + len(p.Document)
	}
	if total > maxDocuments {
		return iam.Errorf(iam.LimitExceeded, "The inline policies have %d bytes together; %d are the most.", total, maxDocuments)
	}
	return nil
}

// checkAttached asks for policies that exist, each once, and no more than the
// setting allows (AWS: 10 managed policies per entity).
func (s *step) checkAttached(arns []iam.ARN) *iam.Error {
	limit := iam.Or(s.view.Settings().AttachedPolicies, defaultAttachedPolicies)
	if len(arns) > int(limit) {
		return tooMany("PoliciesPerEntity", limit)
	}
	for i, arn := range arns {
		if _, err := s.policy(arn); err != nil {
			return err
		}
		for _, other := range arns[:i] {
			if other == arn {
				return iam.Errorf(iam.InvalidInput, "Policy %s is given twice.", arn)
			}
		}
	}
	return nil
}

func (s *step) checkBoundary(arn iam.ARN) *iam.Error {
	if arn == "" {
		return nil
	}
	_, err := s.policy(arn)
	return err
}

func checkSealed(secret iam.Sealed) *iam.Error {
	if len(secret) == 0 || len(secret) > maxSealed {
		return iam.Errorf(iam.InvalidInput, "The sealed secret has %d bytes; 1 to %d are allowed.", len(secret), maxSealed)
	}
	return nil
}

// orActive completes a status that was left out.
func orActive(s iam.Status) iam.Status {
	if s == iam.Inactive {
		return iam.Inactive
	}
	return iam.Active
}

func checkStatus(s iam.Status) *iam.Error {
	if s > iam.Inactive {
		return iam.Errorf(iam.ValidationError, "Status %d is not known; Active and Inactive are.", s)
	}
	return nil
}
