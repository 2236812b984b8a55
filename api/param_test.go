package api

import (
	"strings"
	"testing"
)

func TestParametersAreRefusedInTheWordsOfAWS(t *testing.T) {
	long := strings.Repeat("a", 2000)
	for _, row := range []struct {
		name, action string
		form         form
		want         string // empty: accepted
	}{
		{"all that CreateUser takes", "CreateUser",
			form{"UserName": "alice", "Path": "/eng/", "Tags.member.1.Key": "team", "Tags.member.1.Value": ""}, ""},
		{"an empty list is sent as its name", "CreateUser", form{"UserName": "alice", "Tags": ""}, ""},
		{"a user without a name", "CreateUser", form{},
			"ValidationError: 1 validation error detected: Value at 'userName' failed to satisfy constraint: Member must not be null"},
		{"several violations are one refusal", "CreateUser", form{"UserName": long, "Tags.member.1.Key": "k"},
			"ValidationError: 2 validation errors detected: Value at 'userName' failed to satisfy constraint: Member must have length less than or equal to 64; " +
				"Value at 'tags.1.member.value' failed to satisfy constraint: Member must not be null"},
		{"a name with a slash", "CreateUser", form{"UserName": "a/b"},
			"ValidationError: The specified value for userName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"},
		{"a name with letters outside of ASCII", "CreateUser", form{"UserName": "zoë"},
			"ValidationError: The specified value for userName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"},
		{"a path without its last slash", "CreateUser", form{"UserName": "a", "Path": "/eng"},
			"ValidationError: The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters."},
		{"tags that differ in case only", "CreateUser",
			form{"UserName": "a", "Tags.member.1.Key": "k", "Tags.member.1.Value": "", "Tags.member.2.Key": "K", "Tags.member.2.Value": ""},
			"InvalidInput: Duplicate tag keys found. Please note that Tag keys are case insensitive."},
		{"a parameter of another action", "CreateUser", form{"UserName": "a", "GroupName": "g"},
			"InvalidQueryParameter: The parameter GroupName is not one that CreateUser takes here."},
		{"a field that tags do not have", "CreateUser", form{"UserName": "a", "Tags.member.1.Name": "k"},
			"InvalidQueryParameter: The parameter Tags.member.1.Name is not one that CreateUser takes here."},
		{"parameters of presigned requests belong to every action", "GetUser", form{"X-Amz-Signature": "0", "x-amz-date": "0"}, ""},
		{"DeleteUser words a missing name otherwise", "DeleteUser", form{},
			"MissingParameter: The request must contain the parameter UserName."},
		{"a page of none", "ListUsers", form{"MaxItems": "0"},
			"ValidationError: 1 validation error detected: Value at 'maxItems' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{"a page that is no number", "ListUsers", form{"MaxItems": "ten"}, "MalformedInput: "},
		{"a status that there is none of", "UpdateAccessKey", form{"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "Status": "Off"},
			"ValidationError: 1 validation error detected: Value 'Off' at 'status' failed to satisfy constraint: Member must satisfy enum value set: [Active, Inactive]"},
		{"STS repeats the value", "AssumeRole", form{"RoleSessionName": "a b"},
			`ValidationError: 1 validation error detected: Value 'a b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*`},
		{"what is not implemented is not passed over", "AssumeRole", form{"TokenCode": "123456"},
			"InvalidQueryParameter: The parameter TokenCode is not one that AssumeRole takes here."},
		{"nested lists", "SimulateCustomPolicy",
			form{"PolicyInputList.member.1": "{}", "ActionNames.member.1": "s3:GetObject", "ContextEntries.member.1.ContextKeyValues.member.1": "v"}, ""},
		{"a list inside a list that there is none of", "SimulateCustomPolicy",
			form{"PolicyInputList.member.1": "{}", "ActionNames.member.1": "s3:GetObject", "ContextEntries.member.1.Values.member.1": "v"},
			"InvalidQueryParameter: The parameter ContextEntries.member.1.Values.member.1 is not one that SimulateCustomPolicy takes here."},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.form["Action"] = row.action
			err := validate(row.form, actions[row.action].params)
			if got := errorText(err); got != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestVersionIDs(t *testing.T) {
	for text, want := range map[string]bool{
		"v1": true, "v10": true, "v1.abc-9": true, "v1.": true, "v0": false, "v01": false, "1": false, "v": false, "v+1": false, "v1.a_b": false, "v1 ": false,
	} {
		if got := versionChars(text); got != want {
			t.Errorf("versionChars(%q) = %v, want %v", text, got, want)
		}
	}
}
