package api

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// deviations are the cases of versitygw's conformance client in which Doorward
// answers otherwise on purpose, by the reason.
var deviations = map[string][]string{
	`AWS names an explicit deny as such: "with an explicit deny in an identity-based policy"`: {
		"IAMAccessControl_ActionExplicitDenySubsetOfWildcardAllow",
		"IAMAccessControl_ConditionAllowAndDenyBothMatchDenyWins",
		"IAMAccessControl_ConditionIpAddressExplicitDenyOverridesBroaderAllow",
		"IAMAccessControl_ExplicitDenyOverridesAllow",
		"IAMAccessControl_MultipleInlinePoliciesExplicitDenyWins",
		"IAMAccessControl_NotActionDenyBlocksEverythingExceptExcluded",
		"IAMAccessControl_NotResourceExcludesTarget",
		"IAMAccessControl_ResourceExplicitDenyOverridesBroaderAllow",
		"IAMAccessControl_UserInlinePolicyWorkflow",
	},
	`a malformed policy is answered with statement, element, what was wrong and what would be right`: {
		"IAMAssumeRoleWithWebIdentity_session_policy_invalid",
		"IAMCreateRole_trust_policy_document_grammar",
		"IAMPutRolePolicy_malformed_policy_document",
		"IAMPutRolePolicy_principal_not_allowed",
		"IAMPutUserPolicy_malformed_policy_document",
		"IAMPutUserPolicy_principal_not_allowed",
		"IAMUpdateAssumeRolePolicy_trust_policy_document_grammar",
	},
	`access key ids have 20 characters, as AWS's have; the client wants 21`: {
		"IAMCreateAccessKey_infers_caller_user_name",
		"IAMCreateAccessKey_success",
		"IAMListAccessKeys_pagination",
		"IAMListAccessKeys_success",
	},
	`the limit of a policy is one setting, 2,048 bytes, for every kind of entity`: {
		"IAMPutRolePolicy_limit_exceeded",
	},
	`PolicyArns are implemented`: {
		"IAMAssumeRoleWithWebIdentity_policy_arns_rejected",
	},
	`AWS collects the violations of one request; the client wants the first alone`: {
		"IAMAssumeRoleWithWebIdentity_missing_role_arn",
	},
	`every x-amz-* header that is sent has to be signed, so that nobody on the way adds one`: {
		"IAMAuth_invalid_sha256_payload_hash_ignored",
		"IAMAuth_unsigned_non_required_header",
		"IAMQueryAuth_invalid_sha256_payload_hash_ignored",
	},
	`SignatureDoesNotMatch has status 403, as in the lists of common errors`: {
		"IAMAuth_credentials_incorrect_service",
		"IAMAuth_credentials_invalid_date",
		"IAMAuth_date_mismatch",
		"IAMGetCallerIdentity_incorrect_service_scope",
		"IAMQueryAuth_credentials_incorrect_service",
		"IAMQueryAuth_credentials_invalid_date",
		"IAMQueryAuth_date_mismatch",
	},
	`a wrong region is answered with the right one`: {
		"IAMAuth_credentials_incorrect_region",
		"IAMQueryAuth_credentials_incorrect_region",
	},
	`an unknown algorithm is answered in the same words in a header and in a URL`: {
		"IAMQueryAuth_ECDSA_not_supported",
		"IAMQueryAuth_unsupported_algorithm",
	},
}

// unordered are the cases that hold or not by the names that they draw: lists are in
// order of names ignoring case, as names compare, and the client expects bytes.
var unordered = []string{"IAMListUsers_", "IAMListRoles_"}

// TestConformance runs the IAM cases of versitygw v1.8.0's own test client, named
// by DOORWARD_VERSITYGW, against the API. Source: https://github.com/versity/versitygw,
// "versitygw test iam".
func TestConformance(t *testing.T) {
	client := os.Getenv("DOORWARD_VERSITYGW")
	if client == "" {
		t.Skip("DOORWARD_VERSITYGW does not name a versitygw binary")
	}
	w := newWorldAs(t, Config{StrictRegion: true, Now: time.Now})
	run := exec.Command(client, "test", "-a", w.root.id, "-s", w.root.secret, "-e", w.http.URL, "iam")
	run.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") })
	output, err := run.CombinedOutput()
	passed, failed := tally(output)
	t.Logf("passed %d, failed %d (%v)", passed, len(failed), err)
	if passed+len(failed) < 480 {
		t.Errorf("only %d cases ran", passed+len(failed))
	}
	for reason, names := range deviations {
		for _, name := range names {
			if _, ok := failed[name]; !ok {
				t.Errorf("%s is listed as a deviation (%s) and passes", name, reason)
			}
			delete(failed, name)
		}
	}
	for name, why := range failed {
		if !slices.ContainsFunc(unordered, func(p string) bool { return strings.HasPrefix(name, p) && strings.Contains(why, "sorted") }) {
			t.Errorf("%s: %s", name, why)
		}
	}
}

// tally reads the client's report: lines of colour codes, PASS or FAIL, and the
// name of the case.
func tally(output []byte) (passed int, failed map[string]string) {
	failed = map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(output))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if _, rest, ok := strings.Cut(line, "FAIL \x1b[0m"); ok {
			name, why, _ := strings.Cut(rest, ": ")
			failed[name] = why
		}
		if strings.Contains(line, "PASS ") {
			passed++
		}
	}
	return passed, failed
}
