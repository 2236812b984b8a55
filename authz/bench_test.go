package authz

import (
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/doorward/doorward/authz/policy"
)

// statementsPerDocument keeps the documents of the mix within the limit of
// 20,480 characters.
const statementsPerDocument = 50

// mix is the typical mix of n statements: bucket prefixes, wildcards inside of
// keys and bucket names, listing by s3:prefix, networks, and Denies. Statement 0
// is the one that the measured request needs.
func mix(n int) PolicySet {
	var set PolicySet
	for i := 0; i < n; i += statementsPerDocument {
		var statements []string
		for j := i; j < min(n, i+statementsPerDocument); j++ {
			statements = append(statements, mixStatement(j))
		}
		set = append(set, Policy{
			Name:     fmt.Sprintf("arn:aws:iam::111122223333:policy/mix-%d", i),
			Document: `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`,
		})
	}
	return set
}

func mixStatement(i int) string {
	bucket, team := fmt.Sprintf("bucket-%d", i/7), fmt.Sprintf("team-%d", i)
	switch i % 10 {
	case 3:
		return fmt.Sprintf(`{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::%s","Condition":{"StringLike":{"s3:prefix":["%s/*",""]}}}`, bucket, team)
	case 4:
		return fmt.Sprintf(`{"Effect":"Allow","Action":["s3:Get*","s3:List*"],"Resource":"arn:aws:s3:::%s-*/logs/*/2024-??-*.gz"}`, bucket)
	case 5:
		return fmt.Sprintf(`{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::%s/${aws:username}/*"],"Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","192.0.2.0/24"]}}}`, bucket)
	case 6:
		return fmt.Sprintf(`{"Effect":"Deny","Action":"s3:Delete*","Resource":"arn:aws:s3:::%s/%s/keep/*"}`, bucket, team)
	case 7:
		return fmt.Sprintf(`{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::%s/secret-*","Condition":{"NotIpAddress":{"aws:SourceIp":"10.%d.0.0/16"}}}`, bucket, i%256)
	}
	return fmt.Sprintf(`{"Sid":"S%d","Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::%s/%s/*"}`, i, bucket, team)
}

func mixRequest(resource string) *Request {
	r := &Request{
		Principal:       Principal{Type: User, Account: "111122223333", ARN: "arn:aws:iam::111122223333:user/alice"},
		Action:          "s3:GetObject",
		Resource:        resource,
		ResourceAccount: "111122223333",
		Context:         &Context{},
	}
	c := r.Context
	c.Set(policy.SourceIP, "10.1.2.3")
	c.Set(policy.SecureTransport, "true")
	c.Set(policy.Username, "alice")
	c.Set(policy.UserID, "AIDAEXAMPLE")
	c.Set(policy.PrincipalARN, "arn:aws:iam::111122223333:user/alice")
	c.Set(policy.PrincipalTypeKey, "User")
	c.Set(policy.CurrentTime, "2024-05-20T10:13:20Z")
	c.Set(policy.S3AuthType, "REST-HEADER")
	return r
}

// measure reports the processor time of f besides the time on the clock: on a
// busy machine only the former says what f costs.
func measure(b *testing.B, f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	b.ReportAllocs()
	before := threadTime()
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64(threadTime()-before)/float64(b.N), "cpu-ns/op")
}

// threadTime is the processor time that this thread has used, in nanoseconds.
func threadTime() int64 {
	const thread = 1 // RUSAGE_THREAD
	var u syscall.Rusage
	if err := syscall.Getrusage(thread, &u); err != nil {
		panic(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1_000, 10_000, 100_000} {
		a := NewCompiler().Authority(Policies{Identity: mix(n)})
		first, middle, last := 0, n/2/10*10, (n-1)/10*10
		for _, row := range []struct {
			name     string
			request  *Request
			expected Effect
		}{
			{"allow", mixRequest(fmt.Sprintf("arn:aws:s3:::bucket-%d/team-%d/2024/report.parquet", middle/7, middle)), Allow},
			{"allow-last", mixRequest(fmt.Sprintf("arn:aws:s3:::bucket-%d/team-%d/2024/report.parquet", last/7, last)), Allow},
			{"deny", mixRequest(fmt.Sprintf("arn:aws:s3:::bucket-%d/team-x/2024/report.parquet", first)), Deny},
			{"other-bucket", mixRequest("arn:aws:s3:::elsewhere/2024/report.parquet"), Deny},
		} {
			b.Run(fmt.Sprintf("%s/statements=%d", row.name, n), func(b *testing.B) {
				if d := a.Decide(row.request, nil); d.Effect != row.expected {
					b.Fatalf("%+v", d)
				}
				measure(b, func() { a.Decide(row.request, nil) })
			})
		}
	}
}

// BenchmarkAuthority measures what a principal costs whose policies are compiled
// already, as nearly all are when a view is built.
func BenchmarkAuthority(b *testing.B) {
	set := mix(3 * statementsPerDocument)
	c := NewCompiler()
	kept := c.Authority(Policies{Identity: set})
	measure(b, func() {
		if c.Authority(Policies{Identity: set}) != kept {
			b.Fatal("compiled again")
		}
	})
}

// BenchmarkCompile measures a change of one policy among many: its document is
// compiled and the sets that hold it are filed again.
func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{10, 1_000, 100_000} {
		b.Run(fmt.Sprintf("statements=%d", n), func(b *testing.B) {
			set := mix(n)
			c := NewCompiler()
			kept := c.Authority(Policies{Identity: set})
			i := 0
			measure(b, func() {
				i++
				set[0].Document = fmt.Sprintf(`{"Version":"2012-10-17","Statement":[%s]}`, mixStatement(i*10))
				c.Authority(Policies{Identity: set})
			})
			runtime.KeepAlive(kept)
		})
	}
}

// BenchmarkMemory reports the bytes that a compiled statement takes.
func BenchmarkMemory(b *testing.B) {
	const n = 100_000
	var before, after runtime.MemStats
	set := mix(n)
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		a := NewCompiler().Authority(Policies{Identity: set})
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(a)
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "bytes/statement")
}
