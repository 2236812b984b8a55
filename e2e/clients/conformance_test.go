package clients_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// deviations are the cases of versitygw's client for S3 servers in which Doorward
// answers otherwise on purpose, and the reason.
var deviations = map[string]string{
	"S3IAMAccessControl_root_bypasses_policies":          "a Deny in a bucket policy is for the root user too, as in AWS",
	"S3IAMAccessControl_access_key_last_used_records_s3": "when a key was last used is told to the day and written in batches, so that no request waits for a write",
}

var verdict = regexp.MustCompile(`(PASS|FAIL|SKIP) \x1b\[0m(\w+)(.*)`)

// TestTheGatewayPassesItsOwnCases runs the cases of versitygw's own test client about S3
// requests that an IAM service decides, with Doorward for that service. Source:
// https://github.com/versity/versitygw, "versitygw test s3-iam".
func TestTheGatewayPassesItsOwnCases(t *testing.T) {
	binary, err := filepath.Abs("../../bin/versitygw")
	if err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), binary, "test", "-a", gateway.root.AccessKey, "-s", gateway.root.Secret, "-e", gateway.S3, "--iam-endpoint", gateway.IAM, "s3-iam")
	run.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") })
	output, _ := run.CombinedOutput() // it fails where there are deviations
	cases := verdict.FindAllStringSubmatch(string(output), -1)
	if len(cases) != 47 {
		t.Fatalf("%d cases ran:\n%s", len(cases), output)
	}
	for _, c := range cases {
		passed, name, why := c[1] == "PASS", c[2], c[3]
		switch reason, listed := deviations[name]; {
		case !passed && !listed:
			t.Errorf("%s%s", name, why)
		case passed && listed:
			t.Errorf("%s is listed as a deviation (%s) and passes", name, reason)
		}
	}
}
