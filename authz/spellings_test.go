package authz

import (
	"fmt"
	"testing"

	"github.com/doorward/doorward/authz/policy"
)

// TestACopySourceMatchesInBothSpellings: a policy may write the source of a copy
// with or without a slash in front, and a client may send it so; all four pairs are
// one, for what is allowed and for what is denied, in both engines.
func TestACopySourceMatchesInBothSpellings(t *testing.T) {
	for _, row := range []struct {
		operator, values string
		holds            bool
	}{
		{"StringEquals", `"src/a"`, true},
		{"StringEquals", `"/src/a"`, true},
		{"StringEquals", `["x","/src/a"]`, true},
		{"StringEquals", `"//src/a"`, false},
		{"StringEquals", `"src/b"`, false},
		{"StringNotEquals", `"src/a"`, false},
		{"StringNotEquals", `"/src/a"`, false},
		{"StringNotEquals", `["/src/b","src/a"]`, false},
		{"StringNotEquals", `["/src/b","src/c"]`, true},
		{"StringLike", `"src/*"`, true},
		{"StringLike", `"/src/*"`, true},
		{"StringLike", `"/other/*"`, false},
		{"StringNotLike", `"src/*"`, false},
		{"StringNotLike", `"/src/*"`, false},
		{"StringNotLike", `"/other/*"`, true},
		{"StringEqualsIgnoreCase", `"/SRC/A"`, true},
		{"StringNotEqualsIgnoreCase", `"/SRC/A"`, false},
		{"StringNotLikeIfExists", `"/src/*"`, false},
		{"ForAnyValue:StringLike", `"/src/*"`, true},
		{"ForAllValues:StringLike", `"/src/*"`, true},
		{"ForAnyValue:StringNotLike", `"/src/*"`, false},
		{"ForAllValues:StringNotLike", `"src/*"`, false},
		{"ForAllValues:StringNotLike", `"other/*"`, true},
		{"Null", `"false"`, true},
		{"Null", `"true"`, false},
		{"StringEquals", `["1","2","3","4","5","6","7","8","9","10","11","12","/src/a"]`, true},
		{"StringNotEquals", `["1","2","3","4","5","6","7","8","9","10","11","12","src/a"]`, false},
	} {
		for _, effect := range []string{"Allow", "Deny"} {
			statement := fmt.Sprintf(`{"Effect":%q,"Action":"*","Resource":"*","Condition":{%q:{"s3:x-amz-copy-source":%s}}}`, effect, row.operator, row.values)
			document := `{"Version":"2012-10-17","Statement":[` + statement + `]}`
			want := row.holds
			policies := Policies{Identity: one(document)}
			if effect == "Deny" {
				policies, want = Policies{Identity: append(one(all), one(document)...)}, !row.holds
			}
			r := &Request{Principal: callerAlice, Action: "s3:PutObject", Resource: "arn:aws:s3:::dst/k", Context: &Context{}}
			r.Context.SetSpellings(policy.S3CopySource, []string{"src/a", "/src/a"})
			d, err := newEngines(policies).decide(r)
			if err != nil {
				t.Fatal(err)
			}
			if (d.Effect == Allow) != want {
				t.Errorf("%s %s %s: %v", effect, row.operator, row.values, d.Effect)
			}
		}
	}
}

// TestAVariableStandsForTheFirstSpelling: which is the one without a slash, as the
// resource part of an ARN has it.
func TestAVariableStandsForTheFirstSpelling(t *testing.T) {
	document := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${s3:x-amz-copy-source}"}]}`
	for resource, want := range map[string]Effect{"arn:aws:s3:::src/a": Allow, "arn:aws:s3:::/src/a": Deny} {
		r := &Request{Principal: callerAlice, Action: "s3:PutObject", Resource: resource, Context: &Context{}}
		r.Context.SetSpellings(policy.S3CopySource, []string{"src/a", "/src/a"})
		d, err := newEngines(Policies{Identity: one(document)}).decide(r)
		if err != nil || d.Effect != want {
			t.Errorf("%s: %v, %v", resource, d.Effect, err)
		}
	}
}

func TestAStatedCopySourceIsSpelledBothWays(t *testing.T) {
	for _, stated := range []string{"src/a", "/src/a"} {
		for _, written := range []string{"src/a", "/src/a"} {
			r := mixRequest(bucketARN + "bucket/x")
			r.Context.SetStated("s3:x-amz-copy-source", stated)
			set := PolicySet{{"p", `{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"s3:x-amz-copy-source":"` + written + `"}}}}`}}
			if d, err := newEngines(Policies{Identity: set}).decide(r); err != nil || !d.Allowed() {
				t.Errorf("stated %s, written %s: %+v, %v", stated, written, d, err)
			}
		}
	}
	r := mixRequest(bucketARN + "bucket/x")
	r.Context.SetStated("s3:prefix", "a/")
	if v, _ := r.Context.Lookup("s3:prefix"); !v.Present || v.Values[0] != "a/" {
		t.Errorf("%+v", v)
	}
}
