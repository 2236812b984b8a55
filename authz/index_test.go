package authz

import "testing"

func TestStatementsThatOnlyLookTheSameBothCount(t *testing.T) {
	statement := func(elements string) string {
		return `"Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::*${aws:username}"` + elements + `}}`
	}
	for _, row := range []struct {
		name, first, second, resource, want string
	}{
		{"a variable is not the text that spells it", `{` + statement(""), `{"Version":"2012-10-17",` + statement(""), "x/alice", "ALLOW identity second#0 "},
		{"nor the other way round", `{"Version":"2012-10-17",` + statement(""), `{` + statement(""), "x/${aws:username}", "ALLOW identity second#0 "},
		{"with other conditions", `{"Version":"2012-10-17",` + statement(`,"Condition":{"Bool":{"a:b":"true"}}`), `{"Version":"2012-10-17",` + statement(`,"Condition":{"Null":{"a:b":"true"}}`), "x/alice", "ALLOW identity second#0 "},
		{"with other operators", `{"Version":"2012-10-17",` + statement(`,"Condition":{"Null":{"a:b":"false"}}`), `{"Version":"2012-10-17",` + statement(`,"Condition":{"Null":{"a:b":"true"}}`), "x/alice", "ALLOW identity second#0 "},
	} {
		t.Run(row.name, func(t *testing.T) {
			set := PolicySet{{"first", row.first}, {"second", row.second}}
			for range fewDocuments {
				set = append(set, Policy{"more", little}) // enough to be merged
			}
			r := mixRequest(bucketARN + row.resource)
			got, err := newEngines(Policies{Identity: set}).decide(r)
			if err != nil || tell(got) != row.want {
				t.Errorf("got %q, %v, want %q", tell(got), err, row.want)
			}
		})
	}
}

func TestEqualStatementsAreFiledOnce(t *testing.T) {
	set := PolicySet{}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		set = append(set, Policy{name, `{"Statement":{"Sid":"` + name + `","Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::bucket/x*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}}`})
	}
	index := NewCompiler().Authority(Policies{Identity: set}).identity.parts[0].index
	if n := len(index.buckets.find("bucket").keys.few); n != 1 {
		t.Errorf("filed %d times", n)
	}
}

func TestABucketWithoutANameIsOneToo(t *testing.T) {
	set := PolicySet{{"p", `{"Statement":[
		{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::/x*"},
		{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/x*"}]}`}}
	engines := newEngines(Policies{Identity: set})
	for resource, want := range map[string]Effect{"/x1": Allow, "/y": Deny, "b/x": Allow, "": Deny, "c/x": Deny} {
		if d, err := engines.decide(mixRequest(bucketARN + resource)); err != nil || d.Effect != want {
			t.Errorf("%q: %+v, %v", resource, d, err)
		}
	}
}
