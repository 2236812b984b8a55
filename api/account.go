package api

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/doorward/doorward/iam"
)

var detailFilter = param{name: "Filter", kind: list, max: 5}

var accountAlias = param{name: "AccountAlias", presence: notNull, min: 3, max: 63, chars: aliasChars, wrong: wrongAlias}

var accountActions = []action{
	writes("CreateAccountAlias", nil, createAccountAlias, accountAlias),
	writes("DeleteAccountAlias", nil, deleteAccountAlias, accountAlias),
	reads("ListAccountAliases", nil, listAccountAliases, marker, maxItems),
	reads("GetAccountSummary", nil, getAccountSummary),
	reads("GetAccountAuthorizationDetails", nil, getAccountAuthorizationDetails, detailFilter, marker, maxItems),
	writes("GenerateCredentialReport", nil, generateCredentialReport),
	reads("GetCredentialReport", nil, getCredentialReport),
	reads("SimulatePrincipalPolicy", simulated, simulatePrincipalPolicy, append(simulation, sourceARN, callerARN)...),
	reads("SimulateCustomPolicy", nil, simulateCustomPolicy, append(simulation, policyInput.required(), callerARN)...),
	reads("GetContextKeysForCustomPolicy", nil, getContextKeysForCustomPolicy, policyInput.required()),
	reads("GetContextKeysForPrincipalPolicy", simulated, getContextKeysForPrincipalPolicy, sourceARN, policyInput),
}

// aliasChars is the pattern of account aliases: lower-case letters, digits and
// single hyphens inside, and not twelve digits, which would be an account's number.
func aliasChars(s string) bool {
	if iam.AccountID(s).Valid() || strings.Contains(s, "--") || strings.HasPrefix(s, "-") || strings.HasSuffix(s, "-") {
		return false
	}
	return only("-")(s) && s == strings.ToLower(s) && !strings.Contains(s, "_")
}

func createAccountAlias(c *call) (any, error) {
	return nil, c.propose(iam.SetAccountAlias{Account: c.caller.account, Alias: c.form["AccountAlias"]})
}

func deleteAccountAlias(c *call) (any, error) {
	alias := c.form["AccountAlias"]
	if c.view.Store().Alias != alias {
		return nil, iam.Errorf(iam.NoSuchEntity, "The account alias %s cannot be found.", alias)
	}
	return nil, c.propose(iam.SetAccountAlias{Account: c.caller.account})
}

func listAccountAliases(c *call) (any, error) {
	var aliases []string
	if alias := c.view.Store().Alias; alias != "" {
		aliases = []string{alias}
	}
	shown, end, err := pagedSlice(c, aliases, func(a string) string { return a }, every)
	return struct {
		AccountAliases listOf[string]
		page
	}{listOf[string]{shown}, end}, err
}

// summaryEntry is one line of the account summary.
type summaryEntry struct {
	Key   string `xml:"key"`
	Value int    `xml:"value"`
}

type summaryXML struct {
	Entry []summaryEntry `xml:"entry"`
}

func getAccountSummary(c *call) (any, error) {
	account, set := c.caller.account, c.view.Settings()
	versions, custom := 0, 0
	for p := range c.view.Policies(account, "") {
		if !p.Builtin {
			custom++
			versions += len(p.Versions)
		}
	}
	rootKeys := 0
	if count(c.view.KeysOf(iam.Ref{Account: account, Kind: iam.KindRoot})) > 0 {
		rootKeys = 1
	}
	attached := int(iam.Or(set.AttachedPolicies, 10))
	return struct{ SummaryMap summaryXML }{summaryXML{[]summaryEntry{
		{"Users", count(c.view.Users(account, ""))},
		{"Groups", count(c.view.Groups(account, ""))},
		{"Roles", count(c.view.Roles(account, ""))},
		{"Policies", custom},
		{"PolicyVersionsInUse", versions},
		{"AccountAccessKeysPresent", rootKeys},
		{"Providers", count(c.view.Providers(account, ""))},
		{"AccessKeysPerUserQuota", int(iam.Or(set.KeysPerUser, 2))},
		{"GroupsPerUserQuota", int(iam.Or(set.GroupsPerUser, 10))},
		{"AttachedPoliciesPerUserQuota", attached},
		{"AttachedPoliciesPerGroupQuota", attached},
		{"AttachedPoliciesPerRoleQuota", attached},
		{"UserPolicySizeQuota", c.policySize()},
		{"GroupPolicySizeQuota", c.policySize()},
		{"RolePolicySizeQuota", c.policySize()},
		{"PolicySizeQuota", c.policySize()},
		{"AssumeRolePolicySizeQuota", maxTrust},
		{"VersionsPerPolicyQuota", 5},
	}}}, nil
}

// details is one entity in GetAccountAuthorizationDetails; exactly one field is
// set. The name puts users before groups, roles and policies, each by name.
type details struct {
	name   string
	user   *iam.User
	group  *iam.Group
	role   *iam.Role
	policy *iam.Policy
}

type inlineDetailXML struct {
	PolicyName     string
	PolicyDocument string
}

func describeInline(p iam.InlinePolicy) inlineDetailXML {
	return inlineDetailXML{p.Name, encodeDocument(p.Document)}
}

type userDetailXML struct {
	userXML
	UserPolicyList          listOf[inlineDetailXML]
	GroupList               listOf[string]
	AttachedManagedPolicies listOf[attachedXML]
}

type groupDetailXML struct {
	groupXML
	GroupPolicyList         listOf[inlineDetailXML]
	AttachedManagedPolicies listOf[attachedXML]
}

type roleDetailXML struct {
	roleXML
	InstanceProfileList     listOf[string]
	RolePolicyList          listOf[inlineDetailXML]
	AttachedManagedPolicies listOf[attachedXML]
}

type policyDetailXML struct {
	policyXML
	PolicyVersionList listOf[versionXML]
}

type authorizationDetails struct {
	UserDetailList  listOf[userDetailXML]
	GroupDetailList listOf[groupDetailXML]
	RoleDetailList  listOf[roleDetailXML]
	Policies        listOf[policyDetailXML]
	page
}

func getAccountAuthorizationDetails(c *call) (any, error) {
	filter := c.form.list("Filter")
	for _, f := range filter {
		if !slices.Contains(entityFilter.enum, f) {
			return nil, violated(constraint("filter", "satisfy enum value set: ["+strings.Join(entityFilter.enum, ", ")+"]"))
		}
	}
	wanted := func(kind string) bool { return len(filter) == 0 || slices.Contains(filter, kind) }
	from := func(after string) iter.Seq[details] { return c.details(after, wanted) }
	records, end, err := paged(c, from, func(d details) string { return d.name }, every)
	answer := authorizationDetails{page: end}
	for _, d := range records {
		c.addDetails(&answer, d)
	}
	return answer, err
}

// details yields the entities of the account from after a name on.
func (c *call) details(after string, wanted func(kind string) bool) iter.Seq[details] {
	at, name, _ := strings.Cut(after, " ")
	account := c.caller.account
	return func(yield func(details) bool) {
		begin := func(section string) (string, bool) {
			if at == section {
				return name, true
			}
			return "", at < section
		}
		if name, ok := begin("1"); ok && wanted("User") {
			for u := range c.view.Users(account, name) {
				if !yield(details{name: "1 " + u.Name, user: u}) {
					return
				}
			}
		}
		if name, ok := begin("2"); ok && wanted("Group") {
			for g := range c.view.Groups(account, name) {
				if !yield(details{name: "2 " + g.Name, group: g}) {
					return
				}
			}
		}
		if name, ok := begin("3"); ok && wanted("Role") {
			for r := range c.view.Roles(account, name) {
				if !yield(details{name: "3 " + r.Name, role: r}) {
					return
				}
			}
		}
		if name, ok := begin("4"); ok {
			for p := range c.view.Policies(account, name) {
				if (p.Builtin && wanted("AWSManagedPolicy") || !p.Builtin && wanted("LocalManagedPolicy")) &&
					!yield(details{name: "4 " + p.Name, policy: p}) {
					return
				}
			}
		}
	}
}

func (c *call) addDetails(answer *authorizationDetails, d details) {
	switch {
	case d.user != nil:
		answer.UserDetailList.Member = append(answer.UserDetailList.Member, userDetailXML{
			describeUser(d.user), listing(d.user.Inline, describeInline), listOf[string]{d.user.Groups}, listing(d.user.Attached, describeAttached),
		})
	case d.group != nil:
		answer.GroupDetailList.Member = append(answer.GroupDetailList.Member, groupDetailXML{
			describeGroup(d.group), listing(d.group.Inline, describeInline), listing(d.group.Attached, describeAttached),
		})
	case d.role != nil:
		answer.RoleDetailList.Member = append(answer.RoleDetailList.Member, roleDetailXML{
			describeRole(d.role), listOf[string]{}, listing(d.role.Inline, describeInline), listing(d.role.Attached, describeAttached),
		})
	default:
		p := d.policy
		answer.Policies.Member = append(answer.Policies.Member, policyDetailXML{
			c.describePolicy(p), listing(p.Versions, func(v iam.PolicyVersion) versionXML {
				x := describeVersion(p, v)
				x.Document = encodeDocument(v.Document)
				return x
			}),
		})
	}
}

// The credential report is made from the view when it is asked for, so it is
// complete at once and never stale.

func generateCredentialReport(c *call) (any, error) {
	return struct {
		State       string
		Description string
	}{"COMPLETE", "The report is made from the current state."}, nil
}

// reportColumns are those of AWS
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html).
var reportColumns = []string{
	"user", "arn", "user_creation_time", "password_enabled", "password_last_used",
	"password_last_changed", "password_next_rotation", "mfa_active",
	"access_key_1_active", "access_key_1_last_rotated", "access_key_1_last_used_date", "access_key_1_last_used_region", "access_key_1_last_used_service",
	"access_key_2_active", "access_key_2_last_rotated", "access_key_2_last_used_date", "access_key_2_last_used_region", "access_key_2_last_used_service",
	"cert_1_active", "cert_1_last_rotated", "cert_2_active", "cert_2_last_rotated",
}

func getCredentialReport(c *call) (any, error) {
	account := c.caller.account
	lines := [][]string{reportColumns, c.reportLine("<root_account>", account.Root(), c.view.Store().Created, iam.Ref{Account: account, Kind: iam.KindRoot})}
	for u := range c.view.Users(account, "") {
		lines = append(lines, c.reportLine(u.Name, u.ARN(), u.Created, u.Ref()))
	}
	var text bytes.Buffer
	if err := csv.NewWriter(&text).WriteAll(lines); err != nil {
		return nil, err
	}
	return struct {
		Content       string
		ReportFormat  string
		GeneratedTime stamp
	}{base64.StdEncoding.EncodeToString(text.Bytes()), "text/csv", stamp(c.now)}, nil
}

func (c *call) reportLine(name string, arn iam.ARN, created iam.Time, owner iam.Ref) []string {
	fields := []string{name, string(arn), created.ISO(), "false", "N/A", "N/A", "N/A", "false"}
	keys := slices.Collect(c.view.KeysOf(owner))
	for i := range 2 {
		if i >= len(keys) {
			fields = append(fields, "false", "N/A", "N/A", "N/A", "N/A")
			continue
		}
		use := describeUse(keys[i].LastUsed, c.server.config.Region)
		used := "N/A"
		if use.LastUsedDate != 0 {
			used = iam.Time(use.LastUsedDate).ISO()
		}
		fields = append(fields, fmt.Sprint(keys[i].Status == iam.Active), keys[i].Created.ISO(), used, use.Region, use.ServiceName)
	}
	return append(fields, "false", "N/A", "false", "N/A")
}
