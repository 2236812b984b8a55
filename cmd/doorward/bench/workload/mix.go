package workload

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
)

// Statement is one rule of the mix, in a form that every peer can be given.
type Statement struct {
	Deny    bool
	Actions []string // exact names with the prefix s3:
	Bucket  string   // exact, or with a leading "*"
	Prefix  string   // of the key; empty with Whole set: the bucket itself
	Whole   bool     // about the bucket, not its objects
	Source  string   // CIDR that aws:SourceIp must lie in; empty: any
	Listing string   // prefix that s3:prefix must have; empty: any
}

// Question is one request.
type Question struct {
	Action, Bucket, Key string // Key is empty for a request about the bucket
	SourceIP            string
	Prefix              string // s3:prefix, for a listing
}

// Mix makes n statements as a storage administrator would write them for n
// projects: read and write below a prefix, listings limited by s3:prefix, a
// wildcard in front of a bucket name, an address range, and a Deny.
func Mix(n int) []Statement { return mixAt(0, n) }

// mixAt is Mix for the projects from the given number on.
func mixAt(first, n int) []Statement {
	statements := make([]Statement, n)
	for at := range statements {
		i := first + at
		bucket := fmt.Sprintf("project-%05d", i)
		switch at % 10 {
		default:
			statements[at] = Statement{Actions: []string{"s3:GetObject", "s3:PutObject"}, Bucket: bucket, Prefix: "team/"}
		case 6:
			statements[at] = Statement{Actions: []string{"s3:ListBucket"}, Bucket: bucket, Whole: true, Listing: "team/"}
		case 7:
			statements[at] = Statement{Actions: []string{"s3:GetObject"}, Bucket: fmt.Sprintf("*-logs-%05d", i), Prefix: "app/"}
		case 8:
			statements[at] = Statement{Actions: []string{"s3:GetObject"}, Bucket: bucket, Prefix: "office/", Source: "10.20.0.0/16"}
		case 9:
			statements[at] = Statement{Deny: true, Actions: []string{"s3:GetObject", "s3:PutObject"}, Bucket: fmt.Sprintf("project-%05d", i-9), Prefix: "team/closed/"}
		}
	}
	return statements
}

// Ask makes count questions about the mix: for each a statement is drawn, and the
// request is one that it covers, or narrowly not.
func Ask(statements []Statement, count int, seed uint64) []Question {
	r := rand.New(rand.NewPCG(seed, 1))
	questions := make([]Question, count)
	for i := range questions {
		questions[i] = ask(statements, r)
	}
	return questions
}

func ask(statements []Statement, r *rand.Rand) Question {
	s := statements[r.IntN(len(statements))]
	q := Question{
		Action: s.Actions[r.IntN(len(s.Actions))], Bucket: strings.Replace(s.Bucket, "*", "eu", 1),
		SourceIP: "10.20.30.40",
	}
	if s.Whole {
		q.Prefix = s.Listing + "2026/"
	} else {
		q.Key = s.Prefix + "2026/11/report.csv"
	}
	switch r.IntN(5) {
	case 0: // a neighbouring folder
		q.Key, q.Prefix = strings.Replace(q.Key, "/", "x/", 1), strings.Replace(q.Prefix, "/", "x/", 1)
	case 1: // another address
		q.SourceIP = "192.0.2.7"
	}
	return q
}

// Allowed is the answer that every engine must give: no Deny that applies, and an
// Allow that does.
func Allowed(statements []Statement, q Question) bool {
	allowed := false
	for _, s := range statements {
		switch {
		case !s.applies(q):
		case s.Deny:
			return false
		default:
			allowed = true
		}
	}
	return allowed
}

func (s Statement) applies(q Question) bool {
	bucket := s.Bucket == q.Bucket
	if tail, wild := strings.CutPrefix(s.Bucket, "*"); wild {
		bucket = strings.HasSuffix(q.Bucket, tail)
	}
	return bucket && slices.Contains(s.Actions, q.Action) && s.Whole == (q.Key == "") && strings.HasPrefix(q.Key, s.Prefix) &&
		(s.Source == "" || netip.MustParsePrefix(s.Source).Contains(netip.MustParseAddr(q.SourceIP))) &&
		strings.HasPrefix(q.Prefix, s.Listing)
}

// Document returns the statements as an AWS policy.
func Document(statements []Statement) string {
	var b strings.Builder
	b.WriteString(`{"Version":"2012-10-17","Statement":[`)
	for i, s := range statements {
		if i > 0 {
			b.WriteByte(',')
		}
		effect := "Allow"
		if s.Deny {
			effect = "Deny"
		}
		fmt.Fprintf(&b, `{"Effect":%q,"Action":["%s"],"Resource":%q`, effect, strings.Join(s.Actions, `","`), s.resource())
		if s.Source != "" {
			fmt.Fprintf(&b, `,"Condition":{"IpAddress":{"aws:SourceIp":%q}}`, s.Source)
		}
		if s.Listing != "" {
			fmt.Fprintf(&b, `,"Condition":{"StringLike":{"s3:prefix":%q}}`, s.Listing+"*")
		}
		b.WriteByte('}')
	}
	b.WriteString("]}")
	return b.String()
}

func (s Statement) resource() string {
	if s.Whole {
		return "arn:aws:s3:::" + s.Bucket
	}
	return "arn:aws:s3:::" + s.Bucket + "/" + s.Prefix + "*"
}

// Resource is the ARN of what the request is about.
func (q Question) Resource() string {
	if q.Key == "" {
		return "arn:aws:s3:::" + q.Bucket
	}
	return "arn:aws:s3:::" + q.Bucket + "/" + q.Key
}
