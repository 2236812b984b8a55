package authz

import (
	"testing"

	"github.com/doorward/doorward/authz/policy"
)

func TestARNsCompareSegmentBySegment(t *testing.T) {
	for _, row := range []struct {
		name, pattern, username, arn string
		want                         bool
	}{
		{"a wildcard stays in its segment", "arn:aws:sns:*:t", "", "arn:aws:sns:us-east-1:111122223333:t", false},
		{"five segments match nothing", "arn:aws:sns:*:*", "", "arn:aws:sns:us-east-1:111122223333:t", false},
		{"nor do five with a variable", "arn:aws:sns:*:${aws:username}*", "", "arn:aws:sns:us-east-1:111122223333:t", false},
		{"the last segment may hold colons", "arn:aws:sns:*:*:t*", "", "arn:aws:sns:us-east-1:111122223333:t:u", true},
		{"a short request matches nothing", "arn:*:*:*:*:*", "", "arn:aws:sns", false},
		{"nor does it match a variable", "${aws:username}:*:*:*:*:*", "arn", "arn:aws:sns", false},
		{"a variable is one segment", "arn:aws:sns:*:${aws:username}:t", "111122223333", "arn:aws:sns:us-east-1:111122223333:t", true},
		{"a variable may be a whole ARN", "${aws:username}", "arn:aws:sns:us-east-1:111122223333:t:u", "arn:aws:sns:us-east-1:111122223333:t:u", true},
		{"a wildcard in a variable is literal", "arn:aws:sns:*:*:${aws:username}", "*", "arn:aws:sns:us-east-1:111122223333:t", false},
		{"a colon in a variable separates", "arn:aws:sns:*:${aws:username}", "111122223333:t", "arn:aws:sns:us-east-1:111122223333:t", true},
	} {
		for operator, want := range map[string]bool{"ArnLike": row.want, "ArnNotEquals": !row.want} {
			doc := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"` + operator + `":{"aws:SourceArn":"` + row.pattern + `"}}}}`
			r := &Request{Principal: callerAlice, Action: "s3:PutObject", Resource: "arn:aws:s3:::bucket/key", Context: &Context{}}
			r.Context.Set(policy.SourceARN, row.arn)
			r.Context.Set(policy.Username, row.username)
			if got, err := newEngines(Policies{Identity: one(doc)}).decide(r); err != nil || got.Allowed() != want {
				t.Errorf("%s, %s: got %s, %v", row.name, operator, tell(got), err)
			}
		}
	}
}
