package api

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/doorward/doorward/iam"
)

// How AWS words the refusal of texts with characters that do not belong.
const (
	wrongName      = "The specified value for %s is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"
	wrongPath      = "The specified value for %s is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters."
	wrongPrefix    = "The specified value for %s is invalid. It must begin with the / character and contain only alphanumeric characters and/or / characters."
	wrongKeyID     = "The specified value for %s is invalid. It must contain only alphanumeric characters."
	wrongCharset   = "The specified value for %s is invalid. It must contain only printable ASCII characters."
	wrongDescribed = `Member must satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*`
	wrongSession   = `Member must satisfy regular expression pattern: [\w+=,.@-]*`
	wrongExternal  = `Member must satisfy regular expression pattern: [\w+=,.@:\/-]*`
	wrongVersion   = `Member must satisfy regular expression pattern: v[1-9][0-9]*(\.[A-Za-z0-9-]*)?`
	wrongAlias     = `Member must satisfy regular expression pattern: ^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$`
	tagPattern     = `[\p{L}\p{Z}\p{N}_.:/=+\-@]`
)

// maxDocument is the longest policy document parameter, in characters. How much of
// it a policy may use is a setting.
const maxDocument = 131072

// The parameters that several actions share. Names that are looked up may be
// longer than names that are given: 128 characters, as in the API reference.
var (
	userName    = param{name: "UserName", max: 128, chars: nameChars, wrong: wrongName}
	newUserName = userName.upTo(64)
	groupName   = param{name: "GroupName", max: 128, chars: nameChars, wrong: wrongName}
	roleName    = param{name: "RoleName", max: 64, chars: nameChars, wrong: wrongName}
	policyName  = param{name: "PolicyName", max: 128, chars: nameChars, wrong: wrongName}
	path        = param{name: "Path", max: 512, chars: pathChars, wrong: wrongPath}
	pathPrefix  = param{name: "PathPrefix", chars: prefixChars, wrong: wrongPrefix}
	marker      = param{name: "Marker", min: 1}
	maxItems    = param{name: "MaxItems", kind: integer, min: 1, max: 1000}
	description = param{name: "Description", max: 1000, chars: descriptionChars, wrong: wrongDescribed}
	document    = param{name: "PolicyDocument", presence: notNull, max: maxDocument, chars: documentChars, wrong: wrongCharset}
	trust       = document.called("AssumeRolePolicyDocument")
	policyARN   = param{name: "PolicyArn", presence: notNull, min: 20, max: 2048}
	boundaryARN = param{name: "PermissionsBoundary", min: 20, max: 2048}
	versionID   = param{name: "VersionId", presence: notNull, chars: versionChars, wrong: wrongVersion}
	accessKeyID = param{name: "AccessKeyId", presence: needed, min: 16, max: 128, chars: only(""), wrong: wrongKeyID}
	keyStatus   = param{name: "Status", presence: needed, enum: []string{"Active", "Inactive"}}
	maxSession  = param{name: "MaxSessionDuration", kind: integer, min: 3600, max: 43200}
	tags        = param{name: "Tags", kind: structs, max: 50, fields: []string{"Key", "Value"}, each: checkTags}
	tagKeys     = param{name: "TagKeys", kind: list, presence: notNull, max: 50, each: checkTagKeys}
	policyARNs  = param{name: "PolicyArns", kind: structs, max: 10, fields: []string{"arn"}, each: checkPolicyARNs}

	sessionName    = param{name: "RoleSessionName", min: 2, max: 64, chars: only("+=,.@-"), wrong: wrongSession, echo: true}
	sourceIdentity = sessionName.called("SourceIdentity")
	externalID     = param{name: "ExternalId", min: 2, max: 1224, chars: only("+=,.@:/-"), wrong: wrongExternal, echo: true}
	sessionPolicy  = param{name: "Policy", min: 1, max: 2048, chars: documentChars, wrong: wrongCharset}
	// durationSeconds has no bounds here: they depend on the call and the settings.
	durationSeconds = param{name: "DurationSeconds", kind: integer, min: math.MinInt32, max: math.MaxInt32, echo: true}
	transitiveKeys  = param{name: "TransitiveTagKeys", kind: list, max: 50, each: checkTagKeys}
)

var paging = []param{marker, maxItems}

// emptyIsNone lets an empty text stand for a parameter that was not sent.
func (p param) emptyIsNone() param {
	chars := p.chars
	p.chars = func(s string) bool { return s == "" || chars(s) }
	return p
}

// policyPath narrows a path to what managed policies may have.
func (p param) policyPath() param { p.chars = policyPathChars; return p }

func versionChars(s string) bool {
	digits, rest, dotted := strings.Cut(strings.TrimPrefix(s, "v"), ".")
	number, err := strconv.Atoi(digits)
	if err != nil || number < 1 || !strings.HasPrefix(s, "v") || digits[0] == '0' || digits[0] == '+' {
		return false
	}
	return !dotted || (only("-")(rest) && !strings.Contains(rest, "_"))
}

func checkTags(field string, members []member) (violations []string, err error) {
	seen := map[string]bool{}
	duplicate := false
	for i, m := range members {
		at := field + "." + strconv.Itoa(i+1) + ".member."
		key, hasKey := m.fields["Key"]
		value, hasValue := m.fields["Value"]
		violations = append(violations, checkTag(at+"key", key, hasKey, 1, 128, "+")...)
		violations = append(violations, checkTag(at+"value", value, hasValue, 0, 256, "*")...)
		folded := iam.Fold(key)
		duplicate = duplicate || seen[folded]
		seen[folded] = true
	}
	if duplicate {
		err = iam.Errorf(iam.InvalidInput, "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
	}
	return violations, err
}

func checkTag(at, value string, given bool, min, max int, times string) []string {
	switch length := utf8.RuneCountInString(value); {
	case !given:
		return []string{constraint(at, "not be null")}
	case length > max:
		return []string{constraint(at, "have length less than or equal to "+strconv.Itoa(max))}
	case length < min:
		return []string{constraint(at, "have length greater than or equal to "+strconv.Itoa(min))}
	case !tagChars(value):
		return []string{constraint(at, "satisfy regular expression pattern: "+tagPattern+times)}
	}
	return nil
}

func checkTagKeys(field string, members []member) ([]string, error) {
	for _, m := range members {
		if len(checkTag(field, m.fields[""], true, 1, 128, "+")) > 0 {
			return []string{constraint(field, "satisfy constraint: [Member must have length less than or equal to 128, "+
				"Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: "+
				tagPattern+"+, Member must not be null]")}, nil
		}
	}
	return nil, nil
}

func checkPolicyARNs(field string, members []member) (violations []string, err error) {
	for i, m := range members {
		if n := len(m.fields["arn"]); n < 20 || n > 2048 {
			violations = append(violations, constraint(field+"."+strconv.Itoa(i+1)+".member.arn", "have length between 20 and 2048"))
		}
	}
	return violations, nil
}
