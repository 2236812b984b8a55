package policy_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/authz/s3"
)

// in puts statements into a document of the current version.
func in(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// allow is a statement that allows an action on a resource under conditions.
func allow(action, resource string, condition ...string) string {
	return statement("Allow", `"Action":`+action+`,"Resource":`+resource, condition...)
}

func deny(action, resource string, condition ...string) string {
	return statement("Deny", `"Action":`+action+`,"Resource":`+resource, condition...)
}

func statement(effect, elements string, condition ...string) string {
	s := `{"Effect":"` + effect + `",` + elements
	if len(condition) > 0 {
		s += `,"Condition":{` + strings.Join(condition, ",") + `}`
	}
	return s + `}`
}

const (
	bucket  = `"arn:aws:s3:::reports"`
	objects = `"arn:aws:s3:::reports/*"`
	idp     = "arn:aws:iam::111122223333:oidc-provider/idp.example.com"
)

func TestLint(t *testing.T) {
	for _, row := range []struct {
		name     string
		kind     policy.Kind
		document string
		want     []string // "check: part of the line"; none if there is nothing to say
	}{
		{"a plain statement is fine", policy.Identity, in(allow(`"s3:GetObject"`, objects)), nil},
		{"a document without a version has no variables", policy.Identity, `{"Statement":[` + allow(`"s3:GetObject"`, `"arn:aws:s3:::home/${aws:username}/*"`) + `]}`, []string{
			`version: Version, line 1, column 1: there is no Version, so the document is read as of 2008-10-17, which has no variables; "Version": "2012-10-17"`,
			`variable: statement 0, Resource, line 1, column 68: ${aws:username} is plain text here`,
		}},
		{"a variable in a condition of an old document is plain text", policy.Identity, `{"Version":"2008-10-17","Statement":[` + allow(`"s3:ListBucket"`, bucket, `"StringLike":{"s3:prefix":"${aws:username}/*"}`) + `]}`, []string{
			`variable: statement 0, Condition.StringLike, line 1, column 154: ${aws:username} is plain text here`,
		}},
		{"an operation taken for an action is told its action", policy.Identity, in(allow(`["s3:HeadObject","s3:GetObject"]`, objects)), []string{
			`unknown-action: statement 0, Action, line 1, column 66: the action "s3:HeadObject" matches nothing; s3:GetObject is the action that the operation HeadObject needs`,
		}},
		{"a statement whose actions all match nothing never applies", policy.Identity, in(deny(`"s3:DeleteObjekt"`, objects)), []string{
			`never-applies: statement 0, Action, line 1, column 55: no action here matches anything, so the Deny never applies`,
			`unknown-action: statement 0, Action, line 1, column 64: the action "s3:DeleteObjekt" matches nothing`,
		}},
		{"IAM and STS have known actions too", policy.Identity, in(allow(`["iam:CreateUsr","sts:AssumeRoles","iam:Get*"]`, `"*"`)), []string{
			`"iam:CreateUsr" matches nothing`, `"sts:AssumeRoles" matches nothing`,
		}},
		{"actions of other services are not looked at", policy.Identity, in(allow(`["kms:Decrypt","s3-object-lambda:Get*"]`, `"*"`)), nil},
		{"NotAction of everything never applies", policy.Identity, in(statement("Deny", `"NotAction":"*","Resource":"*"`)), []string{
			`never-applies: statement 0, NotAction, line 1, column 55: NotAction leaves out every action, so the Deny never applies`,
		}},
		{"an object action on a bucket matches nothing", policy.Identity, in(allow(`"s3:GetObject"`, bucket)), []string{
			`action-resource: statement 0, Action, line 1, column 65: "s3:GetObject" acts on an object, and no resource here is one; add objects such as "arn:aws:s3:::reports/*"`,
		}},
		{"a bucket action on objects matches nothing", policy.Identity, in(deny(`["s3:ListBucket","s3:*"]`, objects)), []string{
			`"s3:ListBucket" acts on a bucket, and no resource here is one; add a bucket such as "arn:aws:s3:::reports"`,
			`redundant: statement 0, Action, line 1, column 65: "s3:ListBucket" is covered by "s3:*"`,
		}},
		{"a family of object actions on a bucket matches nothing", policy.Identity, in(allow(`"s3:GetObject*"`, bucket)), []string{`"s3:GetObject*" acts on an object`}},
		{"bucket and objects serve both kinds of action", policy.Identity, in(allow(`["s3:GetObject","s3:ListBucket"]`, `[`+bucket+`,`+objects+`]`)), nil},
		{"one pattern can name a bucket and its objects", policy.Identity, in(allow(`["s3:GetObject","s3:ListBucket"]`, `"arn:aws:s3:::reports*"`)), nil},
		{"a variable can hold a slash", policy.Identity, in(allow(`"s3:GetObject"`, `"arn:aws:s3:::${aws:username}"`)), nil},
		{"listing all buckets asks for every resource", policy.Identity, in(allow(`"s3:ListAllMyBuckets"`, bucket)), []string{`"s3:ListAllMyBuckets" acts on the account, and no resource here is one; add "*"`}},
		{"listing all buckets may be written with an ARN", policy.Identity, in(allow(`"s3:ListAllMyBuckets"`, `"arn:aws:s3:::*"`)), nil},
		{"a bucket that no action acts on is left over", policy.Identity, in(allow(`"s3:GetObject"`, `[`+bucket+`,`+objects+`]`)), []string{
			`resource: statement 0, Resource, line 1, column 92: "arn:aws:s3:::reports" is a bucket, and no action here acts on one`,
		}},
		{"objects that no action acts on are left over", policy.Identity, in(allow(`"s3:ListBucket"`, `[`+bucket+`,`+objects+`]`)), []string{`"arn:aws:s3:::reports/*" is an object, and no action here acts on one`}},
		{"resources of other services are not left over", policy.Identity, in(allow(`["s3:GetObject","kms:Decrypt"]`, `[`+objects+`,"arn:aws:kms:eu-west-1:111122223333:key/1"]`)), nil},
		{"an object has a key", policy.Identity, in(allow(`"s3:GetObject"`, `"arn:aws:s3:::reports/"`)), []string{`resource: statement 0, Resource, line 1, column 91: no object has an empty key, so "arn:aws:s3:::reports/" matches nothing; "arn:aws:s3:::reports/*"`}},
		{"a key is in a bucket", policy.Identity, in(allow(`"s3:GetObject"`, `"arn:aws:s3:::/reports"`)), []string{`"arn:aws:s3:::/reports" names no bucket`}},
		{"a bucket's ARN has no account", policy.Identity, in(allow(`"s3:ListBucket"`, `"arn:aws:s3::111122223333:reports"`)), []string{`the ARN of a bucket has neither region nor account`}},
		{"an access point's ARN has an account", policy.Identity, in(allow(`"s3:GetObject"`, `"arn:aws:s3:eu-west-1:111122223333:accesspoint/x/object/*"`)), nil},
		{"NotResource of everything never applies", policy.Identity, in(statement("Deny", `"Action":"s3:*","NotResource":"*"`)), []string{`never-applies: statement 0, NotResource, line 1, column 71: NotResource leaves out every resource, so the Deny never applies`}},
		{"a key that only listing carries keeps an Allow of reading from applying", policy.Identity, in(allow(`"s3:GetObject"`, objects, `"StringLike":{"s3:prefix":"home/*"}`)), []string{
			`key-of-action: statement 0, Condition.StringLike, line 1, column 143: requests for s3:GetObject never carry s3:prefix, so the Allow never applies to them; a statement of its own for s3:ListBucket and s3:ListBucketVersions, which do`,
		}},
		{"a negated condition on such a key always holds", policy.Identity, in(deny(`"s3:DeleteObject"`, objects, `"StringNotEquals":{"s3:x-amz-server-side-encryption":"AES256"}`)), []string{`never carry s3:x-amz-server-side-encryption, so the condition always holds for them; a statement of its own for s3:BypassGovernanceRetention, s3:PutObject, s3:ReplicateObject and s3:UpdateObjectEncryption, which do`}},
		{"a key that many actions carry names some of them", policy.Identity, in(allow(`"s3:PutObject"`, objects, `"StringEquals":{"s3:VersionId":"1"}`)), []string{`, s3:GetObjectVersionAcl and others, which do`}},
		{"a key that one action carries names it", policy.Identity, in(allow(`"s3:PutObject"`, objects, `"StringEquals":{"s3:locationconstraint":"x"}`)), []string{`a statement of its own for s3:CreateBucket, which does`}},
		{"a key that no such request carries is left out", policy.Identity, in(allow(`"s3:PutObject"`, objects, `"StringEquals":{"s3:destinationRegion":"x"}`)), []string{`so the Allow never applies to them; leave the condition out`}},
		{"every action and actions of other services may carry a key", policy.Identity, in(allow(`"*"`, objects, `"StringEquals":{"s3:prefix":"x"}`), allow(`"kms:Decrypt"`, `"*"`, `"StringEquals":{"s3:prefix":"x"}`)), nil},
		{"buckets can have tags whatever is asked", policy.Identity, in(allow(`"s3:GetObject"`, objects, `"StringEquals":{"s3:BucketTag/team":"x"}`)), nil},
		{"IfExists and Null are taken for intent", policy.Identity, in(deny(`"s3:*"`, `"*"`, `"StringNotLikeIfExists":{"s3:prefix":"home/*"},"Null":{"s3:x-amz-acl":"false"}`)), nil},
		{"an action that carries the key is fine", policy.Identity, in(allow(`"s3:ListBucket"`, bucket, `"StringLike":{"s3:prefix":"home/*"}`)), nil},
		{"a tag of a stored object goes with reading it", policy.Identity, in(allow(`"s3:PutObject"`, objects, `"StringEquals":{"s3:ExistingObjectTag/team":"a"}`)), []string{`requests for s3:PutObject never carry s3:ExistingObjectTag/team`}},
		{"every request carries the keys of its signature", policy.Identity, in(allow(`"s3:DeleteBucket"`, bucket, `"NumericLessThan":{"s3:signatureAge":"600000"}`)), nil},
		{"a key that does not exist keeps an Allow from applying", policy.Identity, in(allow(`"s3:GetObject"`, objects, `"IpAddress":{"aws:SourceIP4":"10.0.0.0/8"}`)), []string{`unknown-key: statement 0, Condition.IpAddress, line 1, column 142: no request carries the key "aws:SourceIP4", so the Allow never applies`}},
		{"a negated condition on a key that does not exist always holds", policy.Identity, in(deny(`"s3:GetObject"`, objects, `"StringNotEquals":{"aws:PrincipalOrg":"o-1"}`)), []string{`no request carries the key "aws:PrincipalOrg", so the condition always holds`}},
		{"keys of other services are not looked at", policy.Identity, in(allow(`"iam:AttachUserPolicy"`, `"*"`, `"ArnEquals":{"iam:PolicyARN":"arn:aws:iam::aws:policy/readonly"}`)), nil},
		{"addresses are not strings", policy.Identity, in(allow(`"s3:GetObject"`, objects, `"StringLike":{"aws:SourceIp":"10.*"}`)), []string{`key-type: statement 0, Condition.StringLike, line 1, column 129: StringLike cannot compare the values of aws:SourceIp; IpAddress or NotIpAddress`}},
		{"strings are not numbers", policy.Identity, in(allow(`"s3:ListBucket"`, bucket, `"NumericEquals":{"s3:prefix":"1"}`)), []string{`NumericEquals cannot compare the values of s3:prefix; StringEquals or StringLike`}},
		{"numbers are not dates", policy.Identity, in(allow(`"s3:ListBucket"`, bucket, `"DateEquals":{"s3:max-keys":"1"}`)), []string{`DateEquals cannot compare the values of s3:max-keys; NumericEquals`}},
		{"dates are not strings", policy.Identity, in(allow(`"s3:ListBucket"`, bucket, `"StringEquals":{"aws:CurrentTime":"2024"}`)), []string{`StringEquals cannot compare the values of aws:CurrentTime; DateLessThan`}},
		{"booleans are not numbers", policy.Identity, in(allow(`"s3:ListBucket"`, bucket, `"NumericEquals":{"aws:SecureTransport":"1"}`)), []string{`NumericEquals cannot compare the values of aws:SecureTransport; Bool`}},
		{"ARNs are not addresses", policy.Identity, in(allow(`"s3:ListBucket"`, bucket, `"IpAddress":{"aws:SourceArn":"10.0.0.1"}`)), []string{`IpAddress cannot compare the values of aws:SourceArn; ArnLike`}},
		{"a key with several values asks for a set operator", policy.Identity, in(allow(`"s3:GetObject"`, objects, `"StringEquals":{"aws:CalledVia":"x"}`), deny(`"s3:PutObject"`, objects, `"StringEquals":{"aws:CalledVia":"x"}`)), []string{
			`set-operator: statement 0, Condition.StringEquals, line 1, column 129: aws:CalledVia can have several values, so the Allow never applies; ForAnyValue:StringEquals or ForAllValues:StringEquals`,
			`aws:CalledVia can have several values, and what AWS does is not defined`,
		}},
		{"ForAllValues holds without the key", policy.Identity, in(allow(`"s3:PutObjectTagging"`, objects, `"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["a"]}`)), []string{`for-all-values: statement 0, Condition.ForAllValues:StringEquals, line 1, column 136: ForAllValues holds for a request without s3:RequestObjectTagKeys too; also "Null": {"s3:RequestObjectTagKeys": "false"}`}},
		{"ForAllValues with a guard is fine", policy.Identity, in(allow(`"s3:PutObjectTagging"`, objects, `"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["a"]},"Null":{"s3:requestobjecttagkeys":"false"}`)), nil},
		{"StringEquals takes wildcards literally", policy.Identity, in(allow(`"s3:ListBucket"`, bucket, `"StringEquals":{"s3:prefix":["","home/*"]}`)), []string{`wildcard: statement 0, Condition.StringEquals, line 1, column 160: StringEquals takes the * in "home/*" literally; StringLike`}},
		{"StringNotEquals takes wildcards literally", policy.Identity, in(deny(`"s3:ListBucket"`, bucket, `"StringNotEquals":{"s3:prefix":"home/*"}`)), []string{`literally; StringNotLike`}},
		{"an escaped wildcard is meant literally", policy.Identity, in(allow(`"s3:ListBucket"`, bucket, `"StringEquals":{"s3:prefix":"${*}"}`)), nil},
		{"a Deny without MFA misses long-term keys", policy.Identity, in(deny(`"s3:*"`, `"*"`, `"Bool":{"aws:MultiFactorAuthPresent":"false"}`)), []string{`mfa: statement 0, Condition.Bool, line 1, column 99: requests with long-term keys do not carry aws:MultiFactorAuthPresent, so this Deny does not catch them; BoolIfExists`}},
		{"a Deny without MFA by IfExists is fine", policy.Identity, in(deny(`"s3:*"`, `"*"`, `"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}`)), nil},
		{"a key cannot be missing and compared", policy.Identity, in(deny(`"s3:*"`, `"*"`, `"Null":{"aws:TokenIssueTime":"true"},"DateLessThan":{"aws:TokenIssueTime":"2024-01-01"}`)), []string{`never-applies: statement 0, Condition, line 1, column 99: Null asks for aws:TokenIssueTime to be missing and DateLessThan for it to be there, so the Deny never applies`}},
		{"a key may be missing or compared", policy.Identity, in(deny(`"s3:*"`, `"*"`, `"Null":{"aws:TokenIssueTime":"true"},"DateLessThanIfExists":{"aws:TokenIssueTime":"2024-01-01"}`)), nil},
		{"Allow with NotAction is broad", policy.Identity, in(statement("Allow", `"NotAction":"iam:*","Resource":"*"`)), []string{`broad-allow: statement 0, NotAction, line 1, column 56: Allow with NotAction allows every other action of every service`}},
		{"Allow with NotResource is broad", policy.Identity, in(statement("Allow", `"Action":"s3:*","NotResource":`+objects)), []string{`broad-allow: statement 0, NotResource`}},
		{"a boundary is broad by nature", policy.Boundary, in(statement("Allow", `"NotAction":"iam:*","Resource":"*"`)), nil},
		{"Deny with NotPrincipal hits more than it seems to", policy.Resource, in(statement("Deny", `"NotPrincipal":{"AWS":"arn:aws:iam::111122223333:user/a"},"Action":"s3:*","Resource":"*"`)), []string{`not-principal: statement 0, NotPrincipal, line 1, column 55: Deny with NotPrincipal also denies whom it lists`}},
		{"NotPrincipal of everyone never applies", policy.Resource, in(statement("Deny", `"NotPrincipal":"*","Action":"s3:*","Resource":"*"`)), []string{`never-applies: statement 0, NotPrincipal, line 1, column 55: NotPrincipal leaves out everyone, so the Deny never applies`, `not-principal`}},
		{"a bucket policy for everyone is public", policy.Resource, in(statement("Allow", `"Principal":"*","Action":"s3:GetObject","Resource":`+objects)), []string{`public: statement 0, Principal, line 1, column 56: this lets everyone in, anonymous callers too; name the principals, or add a condition on who asks`}},
		{"everyone over TLS is still everyone", policy.Resource, in(statement("Allow", `"Principal":{"AWS":"*"},"Action":"s3:GetObject","Resource":`+objects, `"Bool":{"aws:SecureTransport":"true"},"StringNotEquals":{"aws:PrincipalAccount":"444455556666"}`)), []string{`public: `}},
		{"a bucket policy for an office is not public", policy.Resource, in(statement("Allow", `"Principal":"*","Action":"s3:GetObject","Resource":`+objects, `"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}`)), nil},
		{"a role for one subject of a provider is fine", policy.Trust, in(statement("Allow", `"Principal":{"Federated":"`+idp+`"},"Action":"sts:AssumeRoleWith*"`, `"StringLike":{"IDP.example.com:sub":"repo:acme/*"}`)), nil},
		{"a role for every token of a provider", policy.Trust, in(statement("Allow", `"Principal":{"Federated":"`+idp+`"},"Action":"sts:AssumeRoleWithWebIdentity"`, `"StringNotEquals":{"idp.example.com:sub":"a"},"StringEquals":{"idp.example.com:aud":"app"},"StringEqualsIfExists":{"idp.example.com:sub":"b"},"Null":{"idp.example.com:sub":"false"}`)), []string{`federated: statement 0, Principal.Federated, line 1, column 81: this lets in whoever has a token of idp.example.com for one of its clients; add a condition on idp.example.com:sub`}},
		{"a provider that SAML would ask for", policy.Trust, in(statement("Allow", `"Principal":{"Federated":"arn:aws:iam::111122223333:saml-provider/adfs"},"Action":"sts:AssumeRoleWithWebIdentity"`)), []string{`"arn:aws:iam::111122223333:saml-provider/adfs" brings no OpenID Connect tokens, and AssumeRoleWithSAML is not supported, so it matches nobody`}},
		{"a provider that assumes roles as users do", policy.Trust, in(statement("Allow", `"Principal":{"Federated":"`+idp+`"},"Action":"sts:AssumeRole"`, `"StringEquals":{"idp.example.com:sub":"a"}`)), []string{`never-applies: statement 0, Action, line 1, column 140: who has a provider's token calls sts:AssumeRoleWithWebIdentity, so the Allow never applies`}},
		{"a provider left everything but its call", policy.Trust, in(statement("Allow", `"Principal":{"Federated":"`+idp+`"},"NotAction":"sts:AssumeRoleWithWebIdentity"`, `"StringEquals":{"idp.example.com:sub":"a"}`)), []string{`broad-allow`, `never-applies`}},
		{"users beside a provider", policy.Trust, in(statement("Allow", `"Principal":{"AWS":"111122223333","Federated":"`+idp+`"},"Action":"sts:AssumeRole"`, `"StringEquals":{"idp.example.com:sub":"a"}`)), nil},
		{"a Deny for a provider", policy.Trust, in(statement("Deny", `"Principal":{"Federated":"`+idp+`"},"Action":"sts:*"`)), nil},
		{"a provider in a bucket policy", policy.Resource, in(statement("Allow", `"Principal":{"Federated":"`+idp+`"},"Action":"s3:GetObject","Resource":`+objects)), []string{`federated: statement 0, Principal.Federated, line 1, column 81: requests are signed by sessions and not by a provider, so "` + idp + `" matches nobody; name the role`}},
		{"a trust policy for everyone lets in other accounts", policy.Trust, in(statement("Allow", `"Principal":"*","Action":"sts:AssumeRole"`)), []string{`public: statement 0, Principal, line 1, column 56: this lets every caller of every account assume the role`}},
		{"a trust policy for a user is fine", policy.Trust, in(statement("Allow", `"Principal":{"AWS":"arn:aws:iam::111122223333:user/a"},"Action":"sts:AssumeRole"`)), nil},
		{"an entry that another one covers is redundant", policy.Identity, in(allow(`["s3:GetObject","s3:get*","s3:GET*"]`, `[`+objects+`,"arn:aws:s3:::reports/2024/*"]`)), []string{
			`redundant: statement 0, Action, line 1, column 66: "s3:GetObject" is covered by "s3:get*"`,
			`redundant: statement 0, Action, line 1, column 91: "s3:GET*" is covered by "s3:get*"`,
			`redundant: statement 0, Resource, line 1, column 139: "arn:aws:s3:::reports/2024/*" is covered by "arn:aws:s3:::reports/*"`,
		}},
		{"a statement that another one covers is redundant", policy.Identity, in(allow(`"s3:GetObject"`, objects, `"Bool":{"aws:SecureTransport":"true"}`), allow(`"s3:*"`, `"*"`)), []string{`redundant: statement 0, Statement, line 1, column 38: statement 1 covers this Allow; leave it out`}},
		{"of two equal statements the second is redundant", policy.Identity, in(allow(`"s3:GetObject"`, objects), allow(`"s3:GetObject"`, objects)), []string{`redundant: statement 1, Statement`}},
		{"a statement with a further condition is redundant", policy.Identity, in(allow(`"s3:GetObject"`, objects, `"Bool":{"aws:SecureTransport":"true"}`), allow(`"s3:GetObject"`, objects, `"Bool":{"aws:securetransport":"true"},"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}`)), []string{`redundant: statement 1, Statement, line 1, column 169: statement 0 covers this Allow`}},
		{"a statement with another condition is not", policy.Identity, in(allow(`"s3:GetObject"`, objects, `"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}`), allow(`"s3:GetObject"`, objects, `"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}`)), nil},
		{"statements with NotPrincipal are not compared", policy.Resource, in(statement("Deny", `"NotPrincipal":{"AWS":"111122223333"},"Action":"s3:*","Resource":"*"`), statement("Deny", `"NotPrincipal":{"AWS":"111122223333"},"Action":"s3:*","Resource":"*"`)), []string{`not-principal: statement 0`, `not-principal: statement 1`}},
		{"an Allow that a Deny covers is taken back", policy.Identity, in(allow(`"s3:GetObject"`, objects), deny(`"s3:Get*"`, `"*"`)), []string{`taken-back: statement 0, Statement, line 1, column 38: statement 1 denies all that this Allow allows`}},
		{"a Deny under conditions takes nothing back", policy.Identity, in(allow(`"s3:GetObject"`, objects), deny(`"s3:Get*"`, `"*"`, `"Bool":{"aws:SecureTransport":"false"}`)), nil},
		{"a statement about everyone does not replace one about a user", policy.Resource, in(statement("Allow", `"Principal":{"AWS":"arn:aws:iam::111122223333:user/a"},"Action":"s3:GetObject","Resource":`+objects), statement("Allow", `"Principal":"*","Action":"s3:GetObject","Resource":`+objects, `"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}`)), nil},
		{"a Deny for everyone takes back an Allow for a user", policy.Resource, in(statement("Allow", `"Principal":{"AWS":"arn:aws:iam::111122223333:user/a"},"Action":"s3:GetObject","Resource":`+objects), statement("Deny", `"Principal":"*","Action":"s3:GetObject","Resource":`+objects)), []string{`taken-back`}},
		{"NotAction is covered by an equal one only", policy.Boundary, in(statement("Allow", `"NotAction":"iam:*","Resource":"*"`), statement("Allow", `"NotAction":"iam:*","Resource":`+objects), statement("Allow", `"NotAction":"sts:*","Resource":`+objects)), []string{`redundant: statement 1, Statement`}},
		{"short ARNs are compared as text", policy.Identity, in(allow(`"s3:*"`, `["arn:aws:s3","arn:aws:s3:::a"]`)), nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			d, err := policy.Parse([]byte(row.document), row.kind)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, w := range policy.Lint(d, s3.Carries) {
				got = append(got, w.Check+": "+w.String())
			}
			missed := len(got) != len(row.want)
			for i := range min(len(got), len(row.want)) {
				missed = missed || !strings.Contains(got[i], row.want[i])
			}
			if missed {
				t.Errorf("%s\ngot  %s\nwant %s", row.document, strings.Join(got, "\n     "), strings.Join(row.want, "\n     "))
			}
		})
	}
}

func TestBuiltinPoliciesHaveNoWarnings(t *testing.T) {
	for _, b := range policy.Builtins {
		for _, kind := range []policy.Kind{policy.Identity, policy.Session, policy.Boundary, policy.ServiceControl} {
			d, err := policy.Parse([]byte(b.Document), kind)
			if err != nil {
				t.Fatal(err)
			}
			if got := policy.Lint(d, s3.Carries); len(got) > 0 {
				t.Errorf("%s as %s policy: %v", b.Name, kind, got)
			}
		}
	}
}

func TestLintNeedsNeitherAReadableDocumentNorATableOfKeys(t *testing.T) {
	if policy.Lint(policy.ParseStored([]byte(`[]`), policy.Identity), nil)[0].Check != "version" {
		t.Error("what cannot be read has no version")
	}
	unreadable := policy.ParseStored([]byte(in(`{"Effect":"Allow","Action":"s3:Nothing","Resource":"*","Unless":{}}`)), policy.Identity)
	if got := policy.Lint(unreadable, s3.Carries); len(got) > 0 {
		t.Errorf("a statement that cannot be read: %v", got)
	}
	d, err := policy.Parse([]byte(in(allow(`"s3:GetObject"`, objects, `"StringLike":{"s3:prefix":"home/*"}`))), policy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	if got := policy.Lint(d, nil); len(got) > 0 {
		t.Errorf("without a table of keys: %v", got)
	}
}

// TestCoveredEntriesMatchNothingMore holds that an entry which is called redundant
// matches nothing that the entry which covers it does not.
func TestCoveredEntriesMatchNothingMore(t *testing.T) {
	piece := rapid.SampledFrom([]string{"a", "b", "*", "?", "/", "é", "${*}", "${aws:username}"})
	text := rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(piece, 0, 5).Draw(t, "pieces"), "") })
	found := regexp.MustCompile(`^statement 0, Resource, .*: ("[^"]*") is covered by ("[^"]*")`)
	covered := 0
	rapid.Check(t, func(t *rapid.T) {
		p, q := "arn:aws:s3:::x"+text.Draw(t, "p"), "arn:aws:s3:::x"+text.Draw(t, "q")
		d, err := policy.Parse(fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:X","Resource":[%q,%q]}]}`, p, q), policy.Identity)
		if err != nil {
			t.Skip(err)
		}
		for _, w := range policy.Lint(d, s3.Carries) {
			m := found.FindStringSubmatch(w.String())
			if m == nil {
				continue
			}
			covered++
			narrow, wide := q, p
			if m[1] == fmt.Sprintf("%q", p) && p != q {
				narrow, wide = p, q
			}
			if example := instance(t, narrow); !expression(wide).MatchString(example) {
				t.Fatalf("%s, but %q is an instance of %q", w, example, narrow)
			}
		}
	})
	if covered == 0 {
		t.Error("no entry covered another")
	}
}

// instance makes a text that a pattern matches.
func instance(t *rapid.T, pattern string) string {
	var b strings.Builder
	for _, part := range policy.ParsePattern(pattern, true, true) {
		switch part.Kind {
		case policy.Literal:
			b.WriteString(part.Text)
		case policy.Variable:
			b.WriteString("\x00" + part.Text)
		default:
			n := 1
			if part.Kind == policy.Any {
				n = rapid.IntRange(0, 3).Draw(t, "n")
			}
			for range n {
				b.WriteRune(rapid.SampledFrom([]rune("ab/é*")).Draw(t, "rune"))
			}
		}
	}
	return b.String()
}

func expression(pattern string) *regexp.Regexp {
	b := strings.Builder{}
	for _, part := range policy.ParsePattern(pattern, true, true) {
		switch part.Kind {
		case policy.Literal:
			b.WriteString(regexp.QuoteMeta(part.Text))
		case policy.Variable:
			b.WriteString(regexp.QuoteMeta("\x00" + part.Text))
		case policy.Any:
			b.WriteString("(?s:.*)")
		default:
			b.WriteString("(?s:.)")
		}
	}
	return regexp.MustCompile("^(?:" + b.String() + ")$")
}

// FuzzLint holds that no document makes lint fail, and that warnings are in the
// order of the text.
func FuzzLint(f *testing.F) {
	f.Add(in(allow(`"s3:GetObject"`, bucket, `"Null":{"s3:prefix":"true"}`)), uint8(0))
	f.Add(in(statement("Deny", `"NotPrincipal":"*","NotAction":"*","NotResource":"*"`)), uint8(3))
	f.Add(`{"Statement":[1]}`, uint8(1))
	f.Fuzz(func(t *testing.T, document string, kind uint8) {
		d := policy.ParseStored([]byte(document), policy.Kind(kind%6))
		got := policy.Lint(d, s3.Carries)
		if !slices.IsSortedFunc(got, func(a, b policy.Warning) int {
			if a.Pos.Line != b.Pos.Line {
				return a.Pos.Line - b.Pos.Line
			}
			return a.Pos.Column - b.Pos.Column
		}) {
			t.Errorf("out of order: %v", got)
		}
	})
}
