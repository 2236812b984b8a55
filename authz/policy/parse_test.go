package policy

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// identity wraps one statement's elements into an identity policy.
func identity(statement string) string {
	return `{"Version":"2012-10-17","Statement":[{` + statement + `}]}`
}

const rest = `"Effect":"Allow","Action":"s3:GetObject","Resource":"*"`

func TestParseRefusesWhatAWSRefuses(t *testing.T) {
	for _, row := range []struct {
		name  string
		kind  Kind
		src   string
		error string
	}{
		{"text that is not JSON", Identity, `{"Version"`, `line 1, column 11: the text ends here; expected a colon`},
		{"an empty text", Identity, ``, `line 1, column 1: the text ends here; expected a value`},
		{"a second document behind the first", Identity, identity(rest) + ` {}`, `line 1, column 98: there is more after the document's last brace; one JSON object and nothing else`},
		{"a trailing comma", Identity, `{"Version":"2012-10-17",}`, `line 1, column 25: found '}'; expected a name in double quotes`},
		{"a missing comma", Identity, `{"Version":"2012-10-17" "Id":""}`, `line 1, column 25: found '"'; expected a comma or '}'`},
		{"a document that is a list", Identity, `[]`, `line 1, column 1: the document is a list; a policy is an object with a Statement`},
		{"nesting without end", Identity, strings.Repeat("[", 40), `line 1, column 17: the document is nested too deeply; no policy needs more than seven levels`},
		{"nesting of objects without end", Identity, strings.Repeat(`{"":`, 40), `line 1, column 65: the document is nested too deeply; no policy needs more than seven levels`},
		{"bytes that are not UTF-8", Identity, "{\n \"Id\":\"\xff\"}", `line 2, column 8: the text is not UTF-8; encode the document as UTF-8`},
		{"a broken list", Identity, `{"Statement":[{}`, `line 1, column 17: the text ends here; expected a comma or ']'`},
		{"a broken word", Identity, `{"Statement":[tru]`, `line 1, column 15: found 't'; expected a value`},
		{"a value that is none", Identity, `{"Statement":[,]`, `line 1, column 15: found ','; expected a value`},
		{"a number with a leading zero", Identity, `{"Version":01}`, `line 1, column 14: this is not a JSON number; digits without leading zeros`},
		{"a number without fraction digits", Identity, `{"Version":1.}`, `line 1, column 14: found '}'; expected a digit`},
		{"a number without exponent digits", Identity, `{"Version":-1e+}`, `line 1, column 16: found '}'; expected a digit`},
		{"a string without an end", Identity, `{"Version":"20`, `line 1, column 15: the text ends inside a string; expected a closing quote`},
		{"a name without an end", Identity, `{"Ver`, `line 1, column 6: the text ends inside a string; expected a closing quote`},
		{"a line break inside a string", Identity, "{\"Id\":\"a\nb\"}", `line 1, column 9: there is a control character inside a string; write it as an escape such as \n`},
		{"an escape that does not exist", Identity, `{"Id":"\x"}`, `line 1, column 9: this escape does not exist; escapes are \" \\ \/ \b \f \n \r \t and \uXXXX`},
		{"an escape with bad digits", Identity, `{"Id":"\u12g4"}`, `line 1, column 9: this escape does not exist; escapes are \" \\ \/ \b \f \n \r \t and \uXXXX`},
		{"half of a surrogate pair", Identity, `{"Id":"\ud83dx"}`, `line 1, column 14: half of a surrogate pair stands alone; a character above U+FFFF is two \u escapes`},
		{"a character above U+00FF", Identity, "{\n\"Id\":\"\u20ac\"}", `line 2, column 7: the character '\u20ac' is not allowed here; write characters above U+00FF as \uXXXX`},

		{"no Statement", Identity, `{"Version":"2012-10-17"}`, `Statement, line 1, column 1: there is no Statement; a policy has at least one statement`},
		{"an empty Statement", Identity, `{"Statement":[]}`, `Statement, line 1, column 14: Statement is empty; a policy has at least one statement`},
		{"a Statement that is a string", Identity, `{"Statement":"x"}`, `Statement, line 1, column 14: Statement is a string; an object, or a list of objects`},
		{"a statement that is a string", Identity, `{"Statement":["x"]}`, `statement 0, Statement, line 1, column 15: the statement is a string; an object`},
		{"an unknown version", Identity, `{"Version":"2012-10-18","Statement":[{` + rest + `}]}`, `Version, line 1, column 12: the version "2012-10-18" does not exist; "2012-10-17" or "2008-10-17"`},
		{"a version that is a number", Identity, `{"Version":2012,"Statement":[{` + rest + `}]}`, `Version, line 1, column 12: the version "2012" does not exist; "2012-10-17" or "2008-10-17"`},
		{"an Id in an identity policy", Identity, `{"Id":"x","Statement":[{` + rest + `}]}`, `Id, line 1, column 2: an identity policy has no Id; only bucket and trust policies do`},
		{"an Id that is a number", Resource, `{"Id":1,"Statement":[{"Principal":"*",` + rest + `}]}`, `Id, line 1, column 7: Id is a number; a string`},
		{"an element in the wrong case", Identity, identity(`"effect":"Allow",` + rest), `statement 0, effect, line 1, column 39: "effect" is not an element here; elements are Sid, Effect, Principal, NotPrincipal, Action, NotAction, Resource, NotResource, Condition, in this case`},
		{"an element twice", Identity, identity(`"Effect":"Deny",` + rest), `statement 0, Effect, line 1, column 55: "Effect" is here twice; each element once`},
		{"an element three times", Identity, identity(`"Effect":"Deny","Effect":"Deny",` + rest), `statement 0, Effect, line 1, column 55: "Effect" is here twice; each element once`},
		{"a Sid with a space", Identity, identity(`"Sid":"a b",` + rest), `statement 0 ("a b"), Sid, line 1, column 45: the Sid "a b" has other characters than letters and digits; A-Z, a-z and 0-9`},
		{"a Sid that is a number", Identity, identity(`"Sid":1,` + rest), `statement 0, Sid, line 1, column 45: Sid is a number; a string`},
		{"a Sid twice", Identity, `{"Statement":[{"Sid":"a",` + rest + `},{"Sid":"a",` + rest + `}]}`, `statement 1 ("a"), Sid, line 1, column 90: the Sid "a" is used twice; a Sid is unique in its document`},
		{"no Effect", Identity, identity(`"Action":"s3:GetObject","Resource":"*"`), `statement 0, Effect, line 1, column 38: there is no Effect; "Allow" or "Deny"`},
		{"an effect in the wrong case", Identity, identity(`"Effect":"allow","Action":"s3:GetObject","Resource":"*"`), `statement 0, Effect, line 1, column 48: the effect "allow" does not exist; "Allow" or "Deny", in this case`},
		{"neither Action nor NotAction", Identity, identity(`"Effect":"Allow","Resource":"*"`), `statement 0, Action, line 1, column 38: there is neither Action nor NotAction; one of them`},
		{"both Action and NotAction", Identity, identity(`"NotAction":"s3:*",` + rest), `statement 0, Action, line 1, column 39: there are both Action and NotAction; one of them`},
		{"neither Resource nor NotResource", Identity, identity(`"Effect":"Allow","Action":"s3:*"`), `statement 0, Resource, line 1, column 38: there is neither Resource nor NotResource; one of them`},
		{"an action without service", Identity, identity(`"Effect":"Allow","Action":["s3:*","GetObject"],"Resource":"*"`), `statement 0, Action, line 1, column 73: the action "GetObject" has no service before a colon; "*" or SERVICE:NAME such as "s3:GetObject"; wildcards only in the name`},
		{"a wildcard in the service of an action", Identity, identity(`"Effect":"Allow","NotAction":"s*:GetObject","Resource":"*"`), `statement 0, NotAction, line 1, column 68: the action "s*:GetObject" has no service before a colon; "*" or SERVICE:NAME such as "s3:GetObject"; wildcards only in the name`},
		{"an action without name", Identity, identity(`"Effect":"Allow","Action":"s3:","Resource":"*"`), `statement 0, Action, line 1, column 65: the action "s3:" has no valid name after the colon; letters, digits, * and ?`},
		{"an action that is a number", Identity, identity(`"Effect":"Allow","Action":3,"Resource":"*"`), `statement 0, Action, line 1, column 65: a value of Action is a number; a string`},
		{"an empty list of actions", Identity, identity(`"Effect":"Allow","Action":[],"Resource":"*"`), `statement 0, Action, line 1, column 65: Action is an empty list; at least one value`},
		{"a resource that is no ARN", Identity, identity(`"Effect":"Allow","Action":"s3:*","Resource":"bucket/*"`), `statement 0, Resource, line 1, column 83: the resource "bucket/*" is not an ARN; "*" or arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE such as "arn:aws:s3:::bucket/*"`},
		{"a partition that does not exist", Identity, identity(`"Effect":"Allow","Action":"s3:*","Resource":"arn:minio:s3:::b"`), `statement 0, Resource, line 1, column 83: the partition "minio" of "arn:minio:s3:::b" does not exist; "aws"`},
		{"a wildcard in the service of a resource", Identity, identity(`"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:*:::b"`), `statement 0, Resource, line 1, column 83: the service "*" of "arn:aws:*:::b" is not a service; a name without wildcards such as "s3"`},
		{"a principal in an identity policy", Identity, identity(`"Principal":"*",` + rest), `statement 0, Principal, line 1, column 39: a statement of an identity policy has no Principal; leave it out`},
		{"a principal in a boundary", Boundary, identity(`"NotPrincipal":"*",` + rest), `statement 0, NotPrincipal, line 1, column 39: a statement of a boundary policy has no NotPrincipal; leave it out`},
		{"a bucket policy without principal", Resource, identity(rest), `statement 0, Principal, line 1, column 38: there is neither Principal nor NotPrincipal; one of them`},
		{"a bucket policy that allows all but some", Resource, identity(`"NotPrincipal":"*",` + rest), `statement 0, NotPrincipal, line 1, column 39: an Allow with NotPrincipal lets everybody else in, anonymous callers too; name the principals, or use Deny`},
		{"a principal that is a bare account", Resource, identity(`"Principal":"111122223333",` + rest), `statement 0, Principal, line 1, column 51: Principal is "111122223333"; "*" or an object such as {"AWS": "111122223333"}`},
		{"a principal without entries", Resource, identity(`"NotPrincipal":{},"Effect":"Deny","Action":"*","Resource":"*"`), `statement 0, NotPrincipal, line 1, column 54: NotPrincipal is an empty object; "*" or an object such as {"AWS": "111122223333"}`},
		{"a principal that is a list", Resource, identity(`"Principal":["*"],` + rest), `statement 0, Principal, line 1, column 51: Principal is a list; "*" or an object such as {"AWS": "111122223333"}`},
		{"a provider that is a URL", Trust, identity(`"Effect":"Allow","Principal":{"Federated":"https://idp.example.com"},"Action":"sts:AssumeRoleWithWebIdentity"`), `statement 0, Principal.Federated, line 1, column 81: the identity provider "https://idp.example.com" does not exist; the ARN of a provider such as "arn:aws:iam::111122223333:oidc-provider/idp.example.com"`},
		{"a provider without a name", Trust, identity(`"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/"},"Action":"sts:AssumeRoleWithWebIdentity"`), `statement 0, Principal.Federated, line 1, column 81: the identity provider "arn:aws:iam::111122223333:oidc-provider/" does not exist; the ARN of a provider such as "arn:aws:iam::111122223333:oidc-provider/idp.example.com"`},
		{"a provider that is a user", Resource, identity(`"Principal":{"Federated":"arn:aws:iam::111122223333:user/a"},` + rest), `statement 0, Principal.Federated, line 1, column 64: the identity provider "arn:aws:iam::111122223333:user/a" does not exist; the ARN of a provider such as "arn:aws:iam::111122223333:oidc-provider/idp.example.com"`},
		{"a principal type that does not exist", Resource, identity(`"Principal":{"aws":"*"},` + rest), `statement 0, Principal.aws, line 1, column 52: "aws" is not an element here; elements are AWS, CanonicalUser, Federated, Service, in this case`},
		{"a principal with a number", Resource, identity(`"Principal":{"AWS":111122223333},` + rest), `statement 0, Principal.AWS, line 1, column 58: a value of Principal.AWS is a number; a string`},
		{"a principal with a partial wildcard", Resource, identity(`"Principal":{"AWS":"arn:aws:iam::111122223333:user/*"},` + rest), `statement 0, Principal.AWS, line 1, column 58: the principal "arn:aws:iam::111122223333:user/*" is a pattern; the whole name, or "*" for everyone; patterns go into a condition on aws:PrincipalArn`},
		{"a principal that is a group", Resource, identity(`"Principal":{"AWS":"arn:aws:iam::111122223333:group/g"},` + rest), `statement 0, Principal.AWS, line 1, column 58: the principal "arn:aws:iam::111122223333:group/g" does not exist; a 12-digit account id, or the ARN of an account's root, a user, a role or a session`},
		{"a principal of another service", Resource, identity(`"Principal":{"AWS":"arn:aws:s3:::bucket"},` + rest), `statement 0, Principal.AWS, line 1, column 58: the principal "arn:aws:s3:::bucket" does not exist; a 12-digit account id, or the ARN of an account's root, a user, a role or a session`},
		{"a principal with a missing colon", Resource, identity(`"Principal":{"AWS":"arn:aws:iam::111122223333/role/r"},` + rest), `statement 0, Principal.AWS, line 1, column 58: the principal "arn:aws:iam::111122223333/role/r" does not exist; a 12-digit account id, or the ARN of an account's root, a user, a role or a session`},
		{"a resource in a trust policy", Trust, identity(`"Principal":"*","Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"`), `statement 0, Resource, line 1, column 98: a statement of a trust policy has no Resource; leave it out`},
		{"an S3 action in a trust policy", Trust, identity(`"Principal":"*","Effect":"Allow","Action":"s3:GetObject"`), `statement 0, Action, line 1, column 81: the action "s3:GetObject" is not one of STS; a trust policy allows "sts:AssumeRole" and its like`},

		{"a Condition that is a list", Identity, identity(rest + `,"Condition":[]`), `statement 0, Condition, line 1, column 107: Condition is a list; an object such as {"StringEquals": {"s3:prefix": "home/"}}`},
		{"an operator in the wrong case", Identity, identity(rest + `,"Condition":{"stringequals":{"aws:username":"a"}}`), `statement 0, Condition.stringequals, line 1, column 108: the operator "stringequals" does not exist; did you mean StringEquals?`},
		{"an operator that does not exist", Identity, identity(rest + `,"Condition":{"ForAllValues:StringMatches":{"aws:username":"a"}}`), `statement 0, Condition.ForAllValues:StringMatches, line 1, column 108: the operator "ForAllValues:StringMatches" does not exist; operators are StringEquals, StringLike, NumericLessThan, DateGreaterThan, Bool, IpAddress, ArnLike, Null and their like`},
		{"Null with IfExists", Identity, identity(rest + `,"Condition":{"NullIfExists":{"aws:username":"true"}}`), `statement 0, Condition.NullIfExists, line 1, column 108: the operator "NullIfExists" does not exist; Null takes neither a set prefix nor IfExists`},
		{"Null with a set prefix", Identity, identity(rest + `,"Condition":{"ForAnyValue:Null":{"aws:username":"true"}}`), `statement 0, Condition.ForAnyValue:Null, line 1, column 108: the operator "ForAnyValue:Null" does not exist; Null takes neither a set prefix nor IfExists`},
		{"an operator twice", Identity, identity(rest + `,"Condition":{"Bool":{"a:b":"true"},"Bool":{"a:c":"true"}}`), `statement 0, Condition.Bool, line 1, column 130: "Bool" is here twice; each element once`},
		{"a condition key twice", Identity, identity(rest + `,"Condition":{"Bool":{"a:b":"true","a:b":"false"}}`), `statement 0, Condition.Bool.a:b, line 1, column 129: "a:b" is here twice; each element once`},
		{"an operator without keys", Identity, identity(rest + `,"Condition":{"Bool":"true"}`), `statement 0, Condition.Bool, line 1, column 115: Bool is a string; an object of condition keys and values`},
		{"a condition key without service", Identity, identity(rest + `,"Condition":{"Bool":{"SecureTransport":"true"}}`), `statement 0, Condition.Bool.SecureTransport, line 1, column 116: the condition key "SecureTransport" has no service before a colon; SERVICE:NAME such as "aws:SourceIp"`},
		{"no condition value", Identity, identity(rest + `,"Condition":{"Bool":{"a:b":[]}}`), `statement 0, Condition.Bool.a:b, line 1, column 122: Condition.Bool.a:b is an empty list; at least one value`},
		{"a condition value that is null", Identity, identity(rest + `,"Condition":{"Bool":{"a:b":null}}`), `statement 0, Condition.Bool.a:b, line 1, column 122: a value of Condition.Bool.a:b is null; a string`},
		{"a number that is none", Identity, identity(rest + `,"Condition":{"NumericEquals":{"a:b":"ten"}}`), `statement 0, Condition.NumericEquals.a:b, line 1, column 131: the value "ten" cannot be read by NumericEquals; a number such as 10 or 1.2`},
		{"a date that is none", Identity, identity(rest + `,"Condition":{"DateEquals":{"a:b":"20.5.2024"}}`), `statement 0, Condition.DateEquals.a:b, line 1, column 128: the value "20.5.2024" cannot be read by DateEquals; an ISO 8601 date such as 2024-05-20T10:00:00Z, or seconds since 1970`},
		{"a boolean that is none", Identity, identity(rest + `,"Condition":{"BoolIfExists":{"a:b":"yes"}}`), `statement 0, Condition.BoolIfExists.a:b, line 1, column 130: the value "yes" cannot be read by BoolIfExists; true or false`},
		{"a Null value that is none", Identity, identity(rest + `,"Condition":{"Null":{"a:b":"0"}}`), `statement 0, Condition.Null.a:b, line 1, column 122: the value "0" cannot be read by Null; true or false`},
		{"base64 that is none", Identity, identity(rest + `,"Condition":{"BinaryEquals":{"a:b":"Q"}}`), `statement 0, Condition.BinaryEquals.a:b, line 1, column 130: the value "Q" cannot be read by BinaryEquals; base64`},
		{"an address that is none", Identity, identity(rest + `,"Condition":{"IpAddress":{"a:b":["10.0.0.0/8","10.0.0.256"]}}`), `statement 0, Condition.IpAddress.a:b, line 1, column 141: the value "10.0.0.256" cannot be read by IpAddress; an address or a range such as 203.0.113.0/24 or 2001:db8::/32`},
	} {
		t.Run(row.name, func(t *testing.T) {
			doc, err := Parse([]byte(row.src), row.kind)
			var refusal *Error
			if doc != nil || !errors.As(err, &refusal) {
				t.Fatalf("accepted:\n%s", row.src)
			}
			if err.Error() != row.error {
				t.Errorf("refused with\n%s\nwant\n%s\nfor\n%s", err, row.error, row.src)
			}
		})
	}
}

func TestParseAcceptsWhatAWSAccepts(t *testing.T) {
	for _, row := range []struct {
		name string
		kind Kind
		src  string
	}{
		{"a single statement without list", Identity, `{"Statement":{` + rest + `}}`},
		{"an action that does not exist", Identity, identity(`"Effect":"Allow","Action":"s3:GetObjects","Resource":"*"`)},
		{"actions of any service in any case", Identity, identity(`"Effect":"Allow","Action":["S3:getobject","execute-api:*","*"],"Resource":"*"`)},
		{"a condition key that does not exist", Identity, identity(rest + `,"Condition":{"StringEquals":{"aws:Nothing":"x","token.actions.githubusercontent.com:sub":"y","aws:ResourceTag/a:b":"z"}}`)},
		{"keys that differ in case only", Identity, identity(rest + `,"Condition":{"StringEquals":{"aws:username":"x","aws:UserName":"y"}}`)},
		{"numbers and booleans without quotes", Identity, identity(rest + `,"Condition":{"Bool":{"aws:SecureTransport":true},"NumericLessThan":{"s3:max-keys":[10,-1.5]}}`)},
		{"an empty condition", Identity, identity(rest + `,"Condition":{}`)},
		{"an operator without keys", Identity, identity(rest + `,"Condition":{"Bool":{}}`)},
		{"a short ARN", Identity, identity(`"Effect":"Allow","Action":"*","Resource":["arn:aws:medialive:*","arn:aws:s3"]`)},
		{"a wildcard for the partition", Identity, identity(`"Effect":"Allow","Action":"*","Resource":"arn:*:s3:::b"`)},
		{"empty Sids, twice", Identity, `{"Statement":[{"Sid":"",` + rest + `},{"Sid":"",` + rest + `}]}`},
		{"a bucket policy's Sid with spaces, twice", Resource, `{"Id":"x y","Statement":[{"Sid":"a b",` + rest + `,"Principal":"*"},{"Sid":"a b",` + rest + `,"Principal":{"AWS":"*"}}]}`},
		{"a bucket policy with any character", Resource, "{\"Statement\":{\"Sid\":\"\u20ac\"," + rest + `,"Principal":"*"}}`},
		{"every kind of principal", Resource, identity(rest + `,"Principal":{"AWS":["111122223333","arn:aws:iam::111122223333:root","arn:aws:iam::111122223333:user/a/b","arn:aws:iam::111122223333:role/r","arn:aws:sts::111122223333:assumed-role/r/s","arn:aws:sts::111122223333:federated-user/f","AIDAEXAMPLE","AROAEXAMPLE"],"CanonicalUser":"79a5","Service":["s3.amazonaws.com"],"Federated":"cognito-identity.amazonaws.com"}`)},
		{"a Deny with NotPrincipal", Resource, identity(`"Effect":"Deny","NotPrincipal":{"AWS":"111122223333"},"NotAction":"s3:*","NotResource":"arn:aws:s3:::b"`)},
		{"a trust policy for another kind of provider", Trust, identity(`"Effect":"Allow","Principal":{"Federated":["arn:aws:iam::111122223333:saml-provider/adfs","accounts.google.com","idp.example.com"]},"Action":"sts:AssumeRoleWithSAML"`)},
		{"a trust policy", Trust, identity(`"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/x"},"Action":["sts:AssumeRoleWithWebIdentity","sts:TagSession"]`)},
		{"a guard rail with conditions and resources", ServiceControl, identity(`"Effect":"Allow","NotAction":"iam:*","Resource":"arn:aws:s3:::b","Condition":{"Bool":{"aws:SecureTransport":"true"}}`)},
		{"white space and escapes", Session, "\r\n\t{ \"Statement\" : [ { \"Effect\" : \"\\u0041llow\" , \"Action\":\"s3:*\",\"Resource\":\"arn:aws:s3:::b\\/\\\\\\\"\\ud83d\\ude00\\b\\f\\n\\r\\t\" } ] } \n"},
		{"an unclosed variable", Identity, identity(`"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username"`)},
		{"the built-in readonly", Identity, Builtins[0].Document},
		{"the built-in writeonly", Identity, Builtins[1].Document},
		{"the built-in readwrite", Identity, Builtins[2].Document},
	} {
		t.Run(row.name, func(t *testing.T) {
			doc, err := Parse([]byte(row.src), row.kind)
			if err != nil {
				t.Fatalf("refused: %v\n%s", err, row.src)
			}
			if stored := ParseStored([]byte(row.src), row.kind); !reflect.DeepEqual(doc, stored) {
				t.Errorf("ParseStored reads\n%+v\nParse\n%+v", stored, doc)
			}
			checkRoundTrip(t, doc)
		})
	}
}

// checkRoundTrip holds that parse(print(x)) = x.
func checkRoundTrip(t *testing.T, doc *Document) {
	t.Helper()
	printed := Print(doc)
	again, err := Parse(printed, doc.Kind)
	if err != nil {
		t.Fatalf("printed text refused: %v\n%s", err, printed)
	}
	want, got := plain(doc), plain(again)
	if !reflect.DeepEqual(want, got) {
		t.Errorf("printed\n%s\nreads\n%+v\nwant\n%+v", printed, got, want)
	}
	if second := Print(again); string(second) != string(printed) {
		t.Errorf("printing again gives\n%s\nafter\n%s", second, printed)
	}
}

// plain is a document without positions; presence stays visible in the lists.
func plain(d *Document) Document {
	c := *d
	c.Version.Pos, c.ID.Pos = Position{}, Position{}
	c.Statements = nil
	for _, st := range d.Statements {
		st.Pos, st.Sid.Pos, st.Actions.Pos, st.Resources.Pos, st.Principals.Pos = Position{}, Position{}, Position{}, Position{}, Position{}
		st.Actions.List, st.Resources.List = plainTexts(st.Actions.List), plainTexts(st.Resources.List)
		var principals []Principal
		for _, p := range st.Principals.List {
			principals = append(principals, Principal{p.Type, Text{Value: p.Value}})
		}
		st.Principals.List = principals
		var conditions []Condition
		for _, c := range st.Conditions {
			conditions = append(conditions, Condition{Operator: c.Operator, Key: Text{Value: c.Key.Value}, Values: plainTexts(c.Values)})
		}
		st.Conditions = conditions
		c.Statements = append(c.Statements, st)
	}
	return c
}

func plainTexts(list []Text) (out []Text) {
	for _, t := range list {
		out = append(out, Text{Value: t.Value})
	}
	return out
}

func TestPositionsPointAtTheText(t *testing.T) {
	src := "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n    {\"Sid\": \"é1\", \"Effect\": \"Allow\", \"Action\": [\"s3:*\",\n      \"s3:Get*\"], \"Resource\": \"*\", \"Principal\": {\"AWS\": \"*\"},\n     \"Condition\": {\"Bool\": {\"aws:SecureTransport\": true}}}]}"
	doc, err := Parse([]byte(src), Resource)
	if err != nil {
		t.Fatal(err)
	}
	st := doc.Statements[0]
	got := fmt.Sprint(doc.Version.Pos, st.Pos, st.Sid.Pos, st.Actions.Pos, st.Actions.List[1].Pos, st.Resources.Pos, st.Principals.List[0].Pos, st.Conditions[0].Pos, st.Conditions[0].Key.Pos, st.Conditions[0].Values[0].Pos)
	want := "line 2, column 14 line 4, column 5 line 4, column 13 line 4, column 38 line 5, column 7 line 5, column 19 line 5, column 57 line 6, column 20 line 6, column 29 line 6, column 52"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestParseStoredNeverRefusesAndFailsClosed(t *testing.T) {
	const deny = `"Effect":"Deny","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::b/${aws:username}"`
	for _, row := range []struct {
		name, src  string
		statements int
		check      func(Statement) bool
	}{
		{"a text that is no policy denies everything", `not a policy`, 1, func(st Statement) bool {
			return st.Effect == Deny && !st.Actions.Present() && !st.Resources.Present()
		}},
		{"a document that is a list denies everything", `[]`, 1, func(st Statement) bool { return st.Effect == Deny }},
		{"a document without statements denies everything", `{}`, 1, func(st Statement) bool { return st.Effect == Deny }},
		{"a statement that is no object denies everything", `{"Statement":[1]}`, 1, func(st Statement) bool {
			return st.Effect == Deny && !st.Actions.Present()
		}},
		{"a statement without a known effect denies", identity(`"Effect":"Maybe","Action":"s3:*","Resource":"*"`), 1, func(st Statement) bool {
			return st.Effect == Deny && st.Actions.Present()
		}},
		{"an unknown element leaves the others in force", identity(deny + `,"Unless":{}`), 1, func(st Statement) bool {
			return st.Effect == Deny && st.Actions.Present() && st.Resources.Present()
		}},
		{"an unknown operator cannot exclude", identity(deny + `,"Condition":{"Unlike":{"a:b":"c"},"Bool":{"a:b":"true"}}`), 1, func(st Statement) bool {
			return len(st.Conditions) == 1 && st.Conditions[0].Operator.Comparison == Bool
		}},
		{"a value that cannot be read cannot exclude", identity(deny + `,"Condition":{"NumericEquals":{"a:b":"ten"}}`), 1, func(st Statement) bool {
			return len(st.Conditions) == 0
		}},
		{"an action that cannot be read makes the element match all", identity(`"Effect":"Deny","Action":["s3:*","x"],"Resource":"*"`), 1, func(st Statement) bool {
			return !st.Actions.Present()
		}},
		{"a principal that cannot be read makes the element match all", identity(deny + `,"Principal":"*"`), 1, func(st Statement) bool {
			return !st.Principals.Present()
		}},
		{"an unknown version leaves nothing that depends on variables", `{"Version":"2040-01-01","Statement":{` + deny + `,"Condition":{"StringEquals":{"a:b":"${x}","a:c":"y"}}}}`, 1, func(st Statement) bool {
			return !st.Resources.Present() && st.Actions.Present() && len(st.Conditions) == 1
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			doc := ParseStored([]byte(row.src), Identity)
			if len(doc.Statements) != row.statements {
				t.Fatalf("%d statements, want %d", len(doc.Statements), row.statements)
			}
			if st := doc.Statements[0]; st.Unknown == nil || !row.check(st) {
				t.Errorf("read %+v", st)
			}
		})
	}
}

func TestParseStoredKeepsWhatIsOnlyAgainstTheRules(t *testing.T) {
	src := `{"Id":"x","Statement":[{"Sid":"a b","Effect":"Allow","Action":"s3:Get Object","Resource":"arn:moon:s3:::b"}]}`
	doc := ParseStored([]byte(src), Identity)
	if doc.Unknown != nil || doc.Statements[0].Unknown != nil {
		t.Errorf("a stored document whose meaning is clear was not understood: %v", doc.Statements[0].Unknown)
	}
}

func TestSizeLeavesWhiteSpaceOut(t *testing.T) {
	if got := Size([]byte("{ \"a\" :\t\"b c\",\r\n \"\u00e9\": 1 }")); got != len(`{"a":"bc","x":1}`) {
		t.Errorf("got %d", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(identity(rest)), uint8(0))
	f.Add([]byte(identity(rest+`,"Principal":{"AWS":["*","111122223333"]},"Condition":{"StringLike":{"s3:prefix":["${aws:username}/*",""]}}`)), uint8(Resource))
	f.Fuzz(func(t *testing.T, src []byte, k uint8) {
		kind := Kind(k % 6)
		stored := ParseStored(src, kind)
		if len(stored.Statements) == 0 {
			t.Fatal("a stored document without statements would neither allow nor deny")
		}
		doc, err := Parse(src, kind)
		if err != nil {
			if err.Error() == "" || doc != nil {
				t.Fatal("a refusal says why")
			}
			return
		}
		if !reflect.DeepEqual(doc, stored) {
			t.Fatalf("Parse and ParseStored differ on an accepted document:\n%+v\n%+v", doc, stored)
		}
		if size := Size(src); size > len(src) {
			t.Fatalf("size %d of %d bytes", size, len(src))
		}
		checkRoundTrip(t, doc)
	})
}

func FuzzParseStored(f *testing.F) {
	f.Add([]byte(`{"Version":"2040-01-01","Statement":[{"Effect":"Allow","Action":["s3:*",1],"Resource":"b"}]}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		for kind := Identity; kind <= ServiceControl; kind++ {
			doc := ParseStored(src, kind)
			_, err := Parse(src, kind)
			for _, st := range doc.Statements {
				if st.Unknown != nil && err == nil {
					t.Fatalf("not understood (%v) but accepted", st.Unknown)
				}
				if st.Unknown == nil && (!st.Actions.Present() || st.Resources.Present() != kind.HasResource() || st.Principals.Present() != kind.HasPrincipal()) {
					t.Fatalf("an element is missing from a statement that was understood: %+v", st)
				}
			}
		}
	})
}
