package s3

import "testing"

func TestCarries(t *testing.T) {
	for _, row := range []struct {
		name, action, key string
		want              bool
	}{
		{"a listing carries its prefix", "s3:ListBucket", "s3:Prefix", true},
		{"reading an object carries no prefix", "s3:GetObject", "s3:prefix", false},
		{"reading an object can carry its tags", "s3:getobject", "s3:ExistingObjectTag/team", true},
		{"writing an object carries no tags of the old one", "s3:PutObject", "s3:ExistingObjectTag/team", false},
		{"every request carries its age", "s3:DeleteBucket", "s3:signatureAge", true},
		{"every bucket can have tags", "s3:GetObject", "s3:BucketTag/team", true},
		{"keys about the principal are not of the request", "s3:GetObject", "aws:username", true},
		{"an action that is not in the table may carry anything", "s3:CreateJob", "s3:prefix", true},
	} {
		if got := Carries(row.action, row.key); got != row.want {
			t.Errorf("%s: got %v", row.name, got)
		}
	}
}
